package queue

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// watcher holds the one subscribing connection of a Redis backend, open while anybody watches a queue.
type watcher struct {
	client  redis.UniversalClient
	timeout time.Duration // of subscribing

	mu      sync.Mutex
	wanted  map[string]map[*func([]string)]struct{} // by channel
	wake    chan struct{}
	running bool
}

func newWatcher(client redis.UniversalClient, timeout time.Duration) *watcher {
	return &watcher{
		client: client, timeout: timeout, wake: make(chan struct{}, 1),
		wanted: make(map[string]map[*func([]string)]struct{}),
	}
}

// watch only notes what is wanted, so that no owner waits for a subscription; the goroutine does the rest.
func (w *watcher) watch(channel string, changed func([]string)) (stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wanted[channel] == nil {
		w.wanted[channel] = make(map[*func([]string)]struct{})
	}
	w.wanted[channel][&changed] = struct{}{}
	if !w.running {
		w.running = true
		go w.run()
	}
	w.nudge()
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if delete(w.wanted[channel], &changed); len(w.wanted[channel]) == 0 {
			delete(w.wanted, channel)
		}
		w.nudge()
	}
}

func (w *watcher) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run subscribes to what is wanted until nothing is.
func (w *watcher) run() {
	pubsub := w.client.Subscribe(context.Background())
	messages := pubsub.ChannelWithSubscriptions()
	defer func() {
		_ = pubsub.Close()
		for range messages { // closed by Close
		}
	}()
	subscribed := make(map[string]bool)
	for {
		select {
		case <-w.wake:
			if w.update(pubsub, subscribed) {
				return
			}
		case m, ok := <-messages:
			if !ok { // the application has closed the client
				w.stopped()
				return
			}
			w.deliver(m)
		}
	}
}

// update makes the subscriptions those that are wanted; over says that none is, and that the goroutine ends.
func (w *watcher) update(pubsub *redis.PubSub, subscribed map[string]bool) (over bool) {
	w.mu.Lock()
	var add, remove []string
	for channel := range w.wanted {
		if !subscribed[channel] {
			add = append(add, channel)
		}
	}
	for channel := range subscribed {
		if w.wanted[channel] == nil {
			remove = append(remove, channel)
		}
	}
	over = len(w.wanted) == 0
	w.running = !over
	w.mu.Unlock()
	if over {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), w.timeout)
	defer cancel()
	// Errors need no care here: go-redis remembers the channels and subscribes when it has a connection again.
	if len(add) > 0 {
		_ = pubsub.Subscribe(ctx, add...)
	}
	if len(remove) > 0 {
		_ = pubsub.Unsubscribe(ctx, remove...)
	}
	for _, channel := range add {
		subscribed[channel] = true
	}
	for _, channel := range remove {
		delete(subscribed, channel)
	}
	return false
}

// stopped lets a later watch start anew.
func (w *watcher) stopped() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = false
}

// deliver passes on who was granted. A new subscription, the first or one after a lost connection, means that
// messages may have been missed.
func (w *watcher) deliver(m any) {
	switch m := m.(type) {
	case *redis.Message:
		granted := strings.Fields(m.Payload)
		w.tell(m.Channel, append([]string{}, granted...)) // never nil, which would say that messages may have been missed
	case *redis.Subscription:
		if m.Kind == "subscribe" {
			w.tell(m.Channel, nil)
		}
	}
}

func (w *watcher) tell(channel string, granted []string) {
	w.mu.Lock()
	told := make([]func([]string), 0, len(w.wanted[channel]))
	for changed := range w.wanted[channel] {
		told = append(told, *changed)
	}
	w.mu.Unlock()
	for _, changed := range told {
		changed(granted)
	}
}
