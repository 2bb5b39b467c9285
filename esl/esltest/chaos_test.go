package esltest_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// TestChaos does everything at once for a moment: calls that are bridged,
// transferred and hung up, clients that come and go, an outbound server that
// closes when it likes, faults and restarts. Nothing may hang, race or be left.
func TestChaos(t *testing.T) {
	srv := start(t, esltest.Config{Pace: 50, Heartbeat: 20 * time.Millisecond, Queue: 2000, MaxLost: 100})
	ctx, cancel := context.WithTimeout(context.Background(), 1500*time.Millisecond)
	defer cancel()
	ln := listen(t)
	var wg sync.WaitGroup
	wg.Go(func() { serveCarelessly(ln) })
	context.AfterFunc(ctx, func() { ln.Close() })
	for _, call := range []esltest.CallConfig{
		{Outbound: ln.Addr().String(), HangupAfter: 50 * time.Millisecond},
		{Outbound: ln.Addr().String(), Sync: true, HangupAfter: 50 * time.Millisecond},
		{Actions: []esltest.Action{{App: "bridge", Data: "user/1,user/2|user/3"}}, HangupAfter: 30 * time.Millisecond, Digits: "123#"},
		{To: "4000", HangupAfter: 20 * time.Millisecond},
	} {
		wg.Go(func() {
			for ctx.Err() == nil {
				srv.Load(ctx, esltest.Load{Rate: 60, Duration: time.Second, Drain: 100 * time.Millisecond, Call: call})
			}
		})
	}
	for range 3 {
		wg.Go(func() { watchCarelessly(ctx, srv.Addr()) })
	}
	wg.Go(func() { meddle(ctx, srv) })
	wg.Wait()
	done := make(chan struct{})
	go func() { srv.Close(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("Close does not return")
	}
}

// serveCarelessly is an outbound server without manners.
func serveCarelessly(ln net.Listener) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(time.Duration(rand.IntN(80)) * time.Millisecond))
			io.WriteString(conn, "connect\n\nmyevents\n\nlinger 1\n\n"+execute("answer", "")+execute("playback", "x.wav")+
				execute("bridge", "user/9")+"sendmsg\ncall-command: hangup\n\n")
			io.Copy(io.Discard, conn)
		})
	}
}

// watchCarelessly subscribes to everything and leaves in the midst of it.
func watchCarelessly(ctx context.Context, addr string) {
	for ctx.Err() == nil {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			continue
		}
		conn.SetDeadline(time.Now().Add(time.Duration(rand.IntN(100)) * time.Millisecond))
		io.WriteString(conn, "auth ClueCon\n\nlog 7\n\nevent json ALL\n\napi show channels as json\n\nbgapi hupall\n\n")
		io.Copy(io.Discard, conn)
		conn.Close()
	}
}

// meddle runs commands on calls at random, injects faults and restarts.
func meddle(ctx context.Context, srv *esltest.Server) {
	for i := 0; ctx.Err() == nil; i++ {
		legs := srv.Legs()
		if len(legs) < 2 {
			continue
		}
		a, b := legs[rand.IntN(len(legs))], legs[rand.IntN(len(legs))]
		for _, command := range []string{
			fmt.Sprintf("uuid_bridge %s %s", a.UUID(), b.UUID()),
			fmt.Sprintf("uuid_transfer %s 9196", a.UUID()),
			fmt.Sprintf("uuid_transfer %s -both 2000", a.UUID()),
			fmt.Sprintf("uuid_broadcast %s x.wav", b.UUID()),
			"uuid_hold " + a.UUID(), "uuid_dump " + b.UUID(), "show calls", "conference list",
			"originate {originate_timeout=1}user/7 &park()",
		} {
			srv.API(ctx, command)
		}
		a.Execute("att_xfer", "user/8")
		switch i % 20 {
		case 5:
			srv.Inject(esltest.Fault{Kind: esltest.FaultCut, Bytes: rand.IntN(5000), Count: 1})
		case 10:
			srv.Heal()
			srv.CutConnections()
		case 15:
			srv.Restart()
		}
	}
}

func TestAllowNamesNetworks(t *testing.T) {
	srv := start(t, esltest.Config{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	got, _ := readAll(t, srv.Addr(), time.Second)
	if want := string(loadBytes(t, "l_rude_rejection")); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	srv = start(t, esltest.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if _, err := esl.Dial(testContext(t), srv.Addr(), esl.DialConfig{}); err != nil {
		t.Error(err)
	}
}
