// Command outbound asks each caller for an extension and connects them.
//
//	genesis outbound --simulate ./examples/outbound
//
// or, with a FreeSWITCH whose dialplan says <action application="socket" data="127.0.0.1:9000 async full"/>:
//
//	go run ./examples/outbound
package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/outbound"
)

func main() {
	genesis.Run(outbound.HandlerFunc(attend))
}

func attend(ctx context.Context, s *outbound.Session) error {
	if err := s.Answer(ctx); err != nil {
		return err
	}
	digits, err := s.PlayAndGetDigits(ctx, call.Digits{
		Min: 1, Max: 4, File: "ivr/ivr-enter_ext.wav", Timeout: 5 * time.Second,
	})
	if errors.Is(err, call.ErrNoDigits) {
		return s.Hangup(ctx, call.NormalClearing)
	}
	if err != nil {
		return err
	}
	slog.InfoContext(ctx, "connecting", "call", s.UUID(), "extension", digits)
	_, err = s.BridgeTo(ctx, call.To(call.User(digits, "")))
	return err
}
