package observability

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/genesis-esl/genesis/esl"
)

// CallBaggage is the baggage member that says which call a context is about: its
// value is the UUID of the call. A span that starts a trace under such a context
// starts it in the trace of the call: see [TraceOfCall].
const CallBaggage = "genesis.call"

// CallContext returns ctx with the call's UUID as baggage. Without a trace exporter
// it returns ctx as it is.
func (o *Observability) CallContext(ctx context.Context, uuid string) context.Context {
	if uuid == "" || !o.telemetry.tracing {
		return ctx
	}
	member, err := baggage.NewMemberRaw(CallBaggage, uuid)
	if err != nil {
		return ctx
	}
	bag, err := baggage.FromContext(ctx).SetMember(member)
	if err != nil {
		return ctx
	}
	return baggage.ContextWithBaggage(ctx, bag)
}

// TraceOfCall returns the id of the trace that holds all spans of a call, from any
// process and session: the first 16 bytes of the SHA-256 of its UUID in lower case.
// (The UUID itself will not do: samplers take a trace id to be random bits, and some
// bits of a UUID are not.)
func TraceOfCall(uuid string) trace.TraceID {
	sum := sha256.Sum256([]byte(strings.ToLower(uuid)))
	return trace.TraceID(sum[:16])
}

// callIDs gives root spans the trace of their call, so that the sampler decides on
// a call as a whole and alike in every process.
type callIDs struct{}

// NewIDs implements the SDK's IDGenerator.
func (g callIDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	var id trace.TraceID
	if uuid := baggage.FromContext(ctx).Member(CallBaggage).Value(); uuid != "" {
		id = TraceOfCall(uuid)
	} else {
		binary.NativeEndian.PutUint64(id[:8], rand.Uint64())
		binary.NativeEndian.PutUint64(id[8:], rand.Uint64()|1)
	}
	return id, g.NewSpanID(ctx, id)
}

// NewSpanID implements the SDK's IDGenerator. Zero is not an id.
func (callIDs) NewSpanID(context.Context, trace.TraceID) trace.SpanID {
	var id trace.SpanID
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}

func peer(remote string) []attribute.KeyValue {
	host, port, err := net.SplitHostPort(remote)
	if err != nil {
		return []attribute.KeyValue{attribute.String("net.peer.name", remote)}
	}
	number, _ := strconv.Atoi(port) // names of ports are left as 0
	return []attribute.KeyValue{attribute.String("net.peer.name", host), attribute.Int("net.peer.port", number)}
}

func (o *Observability) connectStart(ctx context.Context, info esl.ConnInfo) context.Context {
	if !o.telemetry.tracing || info.Type == outbound { // a session has its own span, see Session
		return ctx
	}
	ctx, _ = o.tracer.Start(ctx, "inbound_connect", trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(peer(info.Remote)...))
	return ctx
}

func (o *Observability) commandStart(ctx context.Context, info esl.CommandInfo) context.Context {
	if !o.telemetry.tracing {
		return ctx
	}
	ctx, _ = o.tracer.Start(ctx, "send_command", trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("command.name", short(info.Name))))
	return ctx
}

// endSpan ends the span that a start hook put into ctx.
func (o *Observability) endSpan(ctx context.Context, err error, attrs ...attribute.KeyValue) {
	if !o.telemetry.tracing {
		return
	}
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(attrs...)
	if err != nil {
		span.SetStatus(codes.Error, scrub(err.Error()))
	}
	span.End()
}

// replyWord returns how FreeSWITCH answered without what it answered, which may be
// the value of a variable.
func replyWord(reply *esl.Reply, err error) string {
	var refused *esl.ReplyError
	switch {
	case errors.As(err, &refused):
		return "-ERR"
	case reply == nil:
		return ""
	}
	return "+OK"
}

// HandlerStart starts the span process_event in the trace of the event's call. The
// context that it returns is for the handler and for HandlerEnd. Without a trace
// exporter it returns ctx as it is.
func (o *Observability) HandlerStart(ctx context.Context, ev *esl.Event) context.Context {
	if !o.telemetry.tracing {
		return ctx
	}
	attrs := []attribute.KeyValue{attribute.String("event.name", ev.Name())}
	if uuid := ev.UUID(); uuid != "" {
		attrs = append(attrs, attribute.String("event.uuid", uuid))
	}
	if o.config.TraceEventHeaders || o.log.Enabled(ctx, slog.LevelDebug) {
		for name, value := range ev.Headers() {
			attrs = append(attrs, attribute.String("event.header."+strings.ToLower(name), scrubField(name, value)))
		}
	}
	ctx, _ = o.tracer.Start(o.CallContext(ctx, callOf(ev)), "process_event",
		trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(attrs...))
	return ctx
}

// callOf returns the UUID of the call that an event is about: of the whole call,
// where FreeSWITCH tells it, so that both legs of a bridge share a trace.
func callOf(ev *esl.Event) string {
	if uuid := ev.Get("Channel-Call-UUID"); uuid != "" {
		return uuid
	}
	return ev.UUID()
}

// Session calls run, the handler of a call that FreeSWITCH has connected to us, in
// the span outbound_handle_connection of the call's trace. It records how long run
// took and how it failed under the event_name CHANNEL_DATA, the event that a session
// starts with, and returns its error. channel is that event, remote FreeSWITCH's
// host:port. The context given to run holds the span, as the parent of all spans of
// the session. A panic is recorded and passed on.
func (o *Observability) Session(ctx context.Context, channel *esl.Event, remote string, run func(context.Context) error) (err error) {
	start := o.config.Now()
	defer o.live.calls.session(channel.UUID(), channel.Get("Call-Direction"))()
	if o.telemetry.tracing {
		attrs := append(peer(remote), attribute.String("channel.uuid", channel.UUID()))
		ctx, _ = o.tracer.Start(o.CallContext(ctx, callOf(channel)), "outbound_handle_connection",
			trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attrs...))
	}
	failure := "panic"
	defer func() {
		if failure == "panic" {
			err = errPanic
		}
		o.HandlerEnd(ctx, "CHANNEL_DATA", o.config.Now().Sub(start), failure, err)
	}()
	if err = run(ctx); err != nil {
		failure = "error"
		return err
	}
	failure = ""
	return nil
}

// errPanic is what a span says of a handler that panicked; the stack is in the log.
var errPanic = errors.New("panic")
