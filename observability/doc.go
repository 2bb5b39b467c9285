// Package observability answers the questions that a supervisor, a scraper and an
// engineer on call ask of a running app: is it alive, may it get work, what does it
// do, and what went wrong.
//
// One [Observability] serves one process. It implements the hooks of package esl
// ([Observability.Hooks]) and turns them into health, metrics and spans; esl itself
// knows nothing of these:
//
//	obs, err := observability.New(observability.Config{Mode: observability.Consumer})
//	if err != nil {
//		return err
//	}
//	l, err := net.Listen("tcp", "127.0.0.1:8000") // a busy port is an error here, not a silent absence
//	if err != nil {
//		return err
//	}
//	go obs.Serve(l)
//	defer obs.Shutdown(ctx)
//	client, err := esl.NewClient(esl.ClientConfig{Hooks: obs.Hooks(), Events: []string{"HEARTBEAT"}})
//
// # Probes
//
// GET /health and GET /ready answer 200 or 503 with a fixed body. They read a
// cached state and do no I/O, so a probe costs the same whatever FreeSWITCH does.
//
//   - A consumer is healthy while its event connection is up and the last HEARTBEAT
//     came within Config.HeartbeatTimeout. When the connection is lost, it is
//     unhealthy at once. It is ready from its first HEARTBEAT on, while it is healthy,
//     running and not shutting down.
//   - An outbound server is healthy while its HTTP server answers, and ready while
//     it listens for FreeSWITCH and is not shutting down.
//
// # Metrics
//
// Everything is recorded through the OpenTelemetry API. The OpenTelemetry Prometheus
// exporter exposes it at /metrics, on a registry of its own. Label values come from
// closed sets, or from bounded tables beyond which a value is "other": nothing that a
// peer may choose freely can increase the number of series.
//
// The package sets no OpenTelemetry global and reads no global configuration
// except the standard OTEL_* environment variables.
//
// # When not to use it
//
// An app with an OpenTelemetry SDK and an HTTP server of its own does not need a
// second one of each: esl.Hooks is small enough to implement, and packages call,
// call/ring and call/queue take any metric.MeterProvider and trace.TracerProvider. To
// serve the probes elsewhere, mount [Observability.Handler].
package observability
