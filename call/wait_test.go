package call_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/call"
)

// TestHangupBeforeTheLoss has the connection be lost right after the hangup, as when FreeSWITCH is shut down: whoever
// waits is told of the hangup, which came first.
func TestHangupBeforeTheLoss(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for range 2000 {
		c := call.New(t.Context(), nil, call.Config{UUID: aUUID})
		waited := make(chan error, 1)
		go func() {
			_, err := c.Wait(ctx, "CHANNEL_BRIDGE")
			waited <- err
		}()
		runtime.Gosched()
		c.HandleEvent(told("CHANNEL_HANGUP"))
		c.Interrupt()
		var hangup *call.HangupError
		if err := <-waited; !errors.As(err, &hangup) {
			t.Fatalf("waited: %v", err)
		}
	}
}
