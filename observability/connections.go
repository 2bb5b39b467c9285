package observability

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/genesis-esl/genesis/esl"
)

// The types of connections and the roles that health looks at, as in esl.ConnInfo.
const (
	inbound    = "inbound"
	outbound   = "outbound"
	roleEvents = "events"
)

// connections follows connections from their start to their end.
type connections struct {
	health *health

	inbound, outbound atomic.Int64 // live ones by type
	reconnects        atomic.Int64
	missed            atomic.Int64

	errors   metric.Int64Counter
	timeouts metric.Int64Counter
}

func newConnections(meter metric.Meter, h *health, timeouts metric.Int64Counter) (*connections, error) {
	c := &connections{health: h, timeouts: timeouts}
	var errs [5]error
	var active, up metric.Int64ObservableGauge
	var reconnects, missed metric.Int64ObservableCounter
	active, errs[0] = meter.Int64ObservableGauge("genesis.connections.active",
		metric.WithDescription("Live connections: inbound ones we dialled, outbound ones FreeSWITCH dialled."))
	up, errs[1] = meter.Int64ObservableGauge("genesis.connection.up",
		metric.WithDescription("1 while the event connection to FreeSWITCH is up."))
	reconnects, errs[2] = meter.Int64ObservableCounter("genesis.reconnects",
		metric.WithDescription("Times that the event connection came back after a loss."))
	missed, errs[3] = meter.Int64ObservableCounter("genesis.events.missed_estimate",
		metric.WithDescription("Upper bound of the events FreeSWITCH created while we were disconnected."))
	c.errors, errs[4] = meter.Int64Counter("genesis.connections.errors",
		metric.WithDescription("Connections that failed or were lost."))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	c.expect()
	typeIn := metric.WithAttributeSet(attribute.NewSet(attribute.String("type", inbound)))
	typeOut := metric.WithAttributeSet(attribute.NewSet(attribute.String("type", outbound)))
	_, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(active, c.inbound.Load(), typeIn)
		o.ObserveInt64(active, c.outbound.Load(), typeOut)
		if h.mode == Consumer {
			o.ObserveInt64(up, number(h.connected()))
			o.ObserveInt64(reconnects, c.reconnects.Load())
			o.ObserveInt64(missed, c.missed.Load())
		}
		return nil
	}, active, up, reconnects, missed)
	return c, err
}

// expect shows the errors that alerts look for at zero, as an increase from nothing
// is none to Prometheus.
func (c *connections) expect() {
	kind, expected := inbound, []string{"lost", "refused", "timeout", "authentication_failed", "access_denied"}
	if c.health.mode == Outbound {
		kind, expected = outbound, []string{"lost", "too_many", "too_fast", "not_allowed", "slow_consumer", "protocol_error", "timeout"}
	}
	for _, err := range expected {
		c.errors.Add(context.Background(), 0, errorLabels(kind, err))
	}
}

func errorLabels(kind, err string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String("type", kind), attribute.String("error", err)))
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// opened notes that a connection is up, or why it is not.
func (c *connections) opened(ctx context.Context, info esl.ConnInfo, err error) {
	if err != nil {
		c.failed(ctx, info.Type, connectError(err))
		if isEvents(info) {
			c.health.unreachable.Store(true)
		}
		return
	}
	c.live(info, 1)
}

// closed notes the end of a connection that was up.
func (c *connections) closed(info esl.ConnInfo, err error) {
	c.live(info, -1)
	if kind := lossError(info.Type, err); kind != "" {
		c.failed(context.Background(), info.Type, kind)
	}
}

func (c *connections) live(info esl.ConnInfo, n int64) {
	if info.Type == outbound {
		c.outbound.Add(n)
		return
	}
	c.inbound.Add(n)
	if isEvents(info) {
		c.health.linked(info.Role, info.Remote, n)
	}
}

// isEvents tells whether events come over a connection that we dialled. One without
// a role is used by itself, for events as well.
func isEvents(info esl.ConnInfo) bool {
	return info.Type != outbound && (info.Role == roleEvents || info.Role == "")
}

// Rejected counts a connection from FreeSWITCH that was closed without being
// greeted, by reason: not_allowed, too_many or too_fast. Hooks count other failures.
func (o *Observability) Rejected(reason string) {
	switch reason {
	case "not_allowed", "too_many", "too_fast":
		o.connections.failed(context.Background(), outbound, reason)
	}
}

func (c *connections) failed(ctx context.Context, kind, err string) {
	if kind != outbound {
		kind = inbound
	}
	c.errors.Add(ctx, 1, errorLabels(kind, err))
	if err == "timeout" {
		c.timeouts.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(
			attribute.String("timeout_type", "connection"), attribute.String("timeout_operation", "connect"))))
	}
}

func (c *connections) up(u esl.Up) {
	if u.First {
		return
	}
	c.reconnects.Add(1)
	// The bound comes from the peer's numbers, which must not turn the counter around.
	const most = 1 << 40
	c.missed.Add(int64(min(u.MissedAtMost, most)))
}

// connectError returns the error label of a connection that did not come up.
func connectError(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, esl.ErrAuthentication):
		return "authentication_failed"
	case errors.Is(err, esl.ErrAccessDenied):
		return "access_denied"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.As(err, &dns):
		return "name_resolution"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "unreachable"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	if kind := brokenError(err); kind != "" {
		return kind
	}
	return other
}

// lossError returns the error label of a connection that ended, "" when it ended
// as it should: closed by us, or outbound by FreeSWITCH with the notice that it has
// for every call. A bare EOF is one of a FreeSWITCH that is gone.
func lossError(kind string, err error) string {
	if err == nil || errors.Is(err, esl.ErrClosed) || errors.Is(err, context.Canceled) {
		return ""
	}
	switch {
	case errors.Is(err, esl.ErrFrameTooLarge), errors.Is(err, esl.ErrProtocol), errors.Is(err, esl.ErrSlowConsumer):
		return brokenError(err)
	case kind == outbound && err != io.EOF && errors.Is(err, io.EOF):
		return ""
	}
	return "lost"
}

func brokenError(err error) string {
	switch {
	case errors.Is(err, esl.ErrFrameTooLarge):
		return "frame_too_large"
	case errors.Is(err, esl.ErrProtocol):
		return "protocol_error"
	case errors.Is(err, esl.ErrSlowConsumer):
		return "slow_consumer"
	case errors.Is(err, esl.ErrDisconnected), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return "lost"
	}
	return ""
}
