package queue_test

import (
	"sync"
	"testing"

	"github.com/genesis-esl/genesis/call/queue"
)

// exchange asks the backend until it grants: a Redis server that was just started does not do so at once.
func exchange(t *testing.T, b queue.Backend, limit int, ops ...queue.Op) queue.View {
	t.Helper()
	view, err := b.Exchange(testContext(t), t.Name(), limit, ops)
	if err != nil {
		t.Fatal(err)
	}
	return view
}

// testExchange holds a backend to the promises of the interface: what is asked twice happens once.
func testExchange(t *testing.T, s store) {
	b := s.open(t)
	warm(t, b)
	enter := func(id string) queue.Op { return queue.Op{Kind: queue.Enter, ID: id} }
	view := exchange(t, b, 1, enter("a"), enter("b"), enter("c"))
	want := []queue.Phase{queue.Holding, queue.Waiting, queue.Waiting}
	for i, st := range view.States {
		if st.Phase != want[i] {
			t.Fatalf("state %d: %+v", i, st)
		}
	}
	if len(view.Granted) != 1 || view.Granted[0] != "a" || view.Waiting != 2 {
		t.Fatalf("%+v", view)
	}
	again := exchange(t, b, 1, enter("a"), enter("b"), enter("c"))
	for i, st := range again.States {
		if st.Phase != view.States[i].Phase || st.Place != view.States[i].Place || st.Fence != view.States[i].Fence {
			t.Errorf("asked again: %+v, first %+v", st, view.States[i])
		}
	}
	if len(again.Granted) != 0 || again.Waiting != 2 {
		t.Errorf("asked again: %+v", again)
	}
	hold := queue.Op{Kind: queue.Hold, ID: "a", Fence: view.States[0].Fence, Since: view.States[0].Since}
	if st := exchange(t, b, 1, hold).States[0]; st.Phase != queue.Holding || st.Fence != hold.Fence {
		t.Errorf("renewed: %+v", st)
	}
	leave := queue.Op{Kind: queue.Leave, ID: "a"}
	if view := exchange(t, b, 1, leave, leave); len(view.Granted) != 1 || view.Granted[0] != "b" {
		t.Errorf("after leaving: %+v", view)
	}
	if view := exchange(t, b, 2, leave); len(view.Granted) != 1 || view.Granted[0] != "c" {
		t.Errorf("with a higher limit: %+v", view)
	}
	view = exchange(t, b, 2, queue.Op{Kind: queue.Leave, ID: "b"}, queue.Op{Kind: queue.Leave, ID: "c"})
	if len(view.Granted) != 0 || view.Waiting != 0 || view.Hold <= 0 {
		t.Errorf("at the end: %+v", view)
	}
}

// warm waits until the backend grants at all.
func warm(t *testing.T, b queue.Backend) {
	t.Helper()
	release(t, acquire(t, newQueues(t, queue.Config{Backend: b}), t.Name()+"/warm"))
}

// testMany has more callers waiting than one exchange holds, and more and more slots for them.
func testMany(t *testing.T, s store) {
	const callers = 300
	q := newQueues(t, queue.Config{Backend: s.open(t)})
	slot := acquire(t, q, t.Name())
	tickets := make(chan *queue.Ticket, callers)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			ticket, err := q.Join(testContext(t), t.Name())
			if err != nil {
				t.Error(err)
				return
			}
			tickets <- ticket
		})
	}
	wg.Wait()
	close(tickets)
	release(t, slot)
	for ticket := range tickets {
		wg.Go(func() {
			slot, err := ticket.Wait(testContext(t))
			if err == nil {
				err = slot.Release(testContext(t))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	release(t, acquire(t, q, t.Name(), queue.Limit(50)))
	wg.Wait()
}
