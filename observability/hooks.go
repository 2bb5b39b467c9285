package observability

import (
	"context"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// Hooks returns what connections are to be given (esl.ClientConfig.Hooks,
// outbound.Server.Hooks and so on) so that health and metrics see them. All
// connections of a process may share them.
func (o *Observability) Hooks() *esl.Hooks {
	return &esl.Hooks{
		ConnectEnd:   o.connectEnd,
		Disconnected: o.disconnected,
		CommandEnd:   o.commandEnd,
		Events:       o.events.count,
		Heartbeat:    o.heartbeats.heard,
		Up:           o.up,
		Retry:        o.retry,
		Dropped:      o.dropped,
		Stalled:      o.stalled,
	}
}

func (o *Observability) connectEnd(ctx context.Context, info esl.ConnInfo, err error) {
	o.connections.opened(ctx, info, err)
}

func (o *Observability) disconnected(info esl.ConnInfo, err error) {
	o.connections.closed(info, err)
}

func (o *Observability) commandEnd(ctx context.Context, info esl.CommandInfo, _ *esl.Reply, err error) {
	o.commands.end(ctx, info, err)
}

func (o *Observability) up(u esl.Up) { o.connections.up(u) }

func (o *Observability) retry(time.Duration, error) {}

func (o *Observability) dropped(reason string, n int) { o.events.drop(reason, n) }

func (o *Observability) stalled(bool) {}
