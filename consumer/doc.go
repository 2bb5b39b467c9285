// Package consumer builds an application that reacts to FreeSWITCH's events: it
// routes each event to the handlers registered for it, events of one call in
// order, different calls in parallel.
//
//	app := consumer.New()
//	app.HandleFunc("CHANNEL_ANSWER", onAnswer, consumer.Where("Call-Direction", "inbound"))
//	app.HandleFunc("sofia::register", onRegister)
//	err := app.Serve(ctx, esl.ClientConfig{Addr: "127.0.0.1:8021", Password: "ClueCon"})
//
// # Order
//
// Events that belong together are handled one after the other, in the order in
// which FreeSWITCH sent them: those with the same Unique-ID, else the same
// Job-UUID, else (HEARTBEAT, say) the same name. Everything else runs in parallel
// on up to App.Workers goroutines, and a handler that takes long holds up its own
// call alone, as long as a worker is free.
//
// # Backpressure
//
// Events wait in a queue bounded by App.QueueEvents and App.QueueBytes. While it
// is full no more are taken from the connection, which then stops reading, so
// that TCP and FreeSWITCH's own queue of 100,000 events take over. Nothing is
// dropped here as long as the app runs.
//
// # Failures
//
// A handler that returns an error, panics or ends its goroutine is logged and
// counted through Hooks; the next event goes on. When the context of Serve ends,
// intake stops, and handlers have App.DrainTimeout to work off what is queued. What
// waits in the connection because that queue is full is dropped, and counted.
//
// An event is handed to its handlers once. Events that FreeSWITCH sent while the
// connection was down are lost; OnUp tells how many that may be, and a handler of
// ResyncEvent which calls ended or began meanwhile.
//
// Use this package to watch many calls. To control one call that FreeSWITCH hands
// over, see package outbound; to read events without handlers, use esl.Client.
package consumer
