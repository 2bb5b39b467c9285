package observability

import (
	"context"

	"go.opentelemetry.io/otel/attribute"

	"github.com/genesis-esl/genesis/esl"
)

// Hooks returns the hooks to set on connections (esl.ClientConfig.Hooks,
// outbound.Server.Hooks and so on), so that health and metrics see them. All
// connections of a process may share them.
func (o *Observability) Hooks() *esl.Hooks {
	return &esl.Hooks{
		ConnectStart: o.connectStart,
		ConnectEnd:   o.connectEnd,
		Disconnected: o.disconnected,
		CommandStart: o.commandStart,
		CommandEnd:   o.commandEnd,
		Events:       o.received,
		Heartbeat:    o.heartbeats.heard,
		Up:           o.up,
		Retry:        o.lifecycle.retry,
		Dropped:      o.lost,
		Stalled:      o.stalled,
	}
}

func (o *Observability) connectEnd(ctx context.Context, info esl.ConnInfo, err error) {
	o.connections.opened(ctx, info, err)
	if info.Type != outbound {
		o.endSpan(ctx, err)
	}
	if err != nil {
		o.log.DebugContext(ctx, "no connection", "type", info.Type, "role", info.Role, "remote", info.Remote, "error", err)
		o.lifecycle.refused(ctx, info, err)
		return
	}
	o.lifecycle.connected(ctx, info)
}

func (o *Observability) disconnected(info esl.ConnInfo, err error) {
	o.connections.closed(info, err)
	o.lifecycle.disconnected(info, err)
}

func (o *Observability) commandEnd(ctx context.Context, info esl.CommandInfo, reply *esl.Reply, err error) {
	o.commands.end(ctx, info, err)
	o.live.command(info.Duration)
	o.endSpan(ctx, err, attribute.String("command.reply", replyWord(reply, err)))
	if o.log.Enabled(ctx, LevelTrace) {
		o.log.Log(ctx, LevelTrace, "command", "command", info.Name, "took", info.Duration, "error", err)
	}
}

func (o *Observability) up(u esl.Up) {
	o.connections.up(u)
	o.heartbeats.up(u)
	o.live.calls.up(u)
	o.lifecycle.up(u)
}

// lost notes events that did not come, which may have told of calls.
func (o *Observability) lost(reason string, n int) {
	o.live.calls.missed()
	o.dropped(reason, n)
}

func (o *Observability) dropped(reason string, n int) {
	o.events.drop(reason, n)
	o.lifecycle.dropped(reason, n)
}

func (o *Observability) stalled(stalled bool) {
	o.events.stalled.Store(stalled)
	o.lifecycle.stalled(stalled)
}

func (o *Observability) received(batch []*esl.Event) {
	o.events.count(batch)
	o.live.calls.followAll(batch)
}
