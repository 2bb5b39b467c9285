// Package consumer builds an app that reacts to FreeSWITCH's events. It routes each
// event to the handlers registered for it: events of one call in order, different
// calls in parallel.
//
//	app := consumer.New()
//	app.HandleFunc("CHANNEL_ANSWER", onAnswer, consumer.Where("Call-Direction", "inbound"))
//	app.HandleFunc("sofia::register", onRegister)
//	err := app.Serve(ctx, esl.ClientConfig{Addr: "127.0.0.1:8021", Password: "ClueCon"})
//
// # Order
//
// Events that belong together are handled one after the other, in the order in
// which FreeSWITCH sent them. Events belong together when they have the same
// Unique-ID; without one, the same Job-UUID; without either (HEARTBEAT, say), the
// same name. Everything else runs in parallel on up to App.Workers goroutines. A
// slow handler holds up only its own call, as long as a worker is free.
//
// # Backpressure
//
// Events wait in a queue bounded by App.QueueEvents and App.QueueBytes. While it is
// full, the app takes no more events from the connection. The connection then stops
// reading, and TCP and FreeSWITCH's own queue of 100,000 events take over. As long
// as the app runs, nothing is dropped here.
//
// # Failures
//
// When a handler returns an error, panics or ends its goroutine, that is logged and
// counted through Hooks, and the next event is handled. When the context of Serve
// ends, intake stops, and handlers have App.DrainTimeout to work off the queue.
// Events that still wait in the connection because the queue is full are dropped,
// and counted.
//
// An event is handed to its handlers once. Events that FreeSWITCH sent while the
// connection was down are lost: OnUp tells how many that may be, and a handler of
// ResyncEvent learns which calls ended or began meanwhile.
//
// Use this package to watch many calls. To control one call that FreeSWITCH hands
// over, see package outbound; to read events without handlers, use esl.Client.
package consumer
