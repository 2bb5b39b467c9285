// Command ivr is a menu: 1 connects with sales, 2 says the opening hours, 9 repeats. Whoever presses nothing valid three
// times is told goodbye.
//
//	genesis outbound --simulate ./examples/ivr
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
	genesis.Run(outbound.HandlerFunc(menu))
}

// question is asked again after 5 seconds, and up to three times.
var question = call.Digits{
	Min: 1, Max: 1, Tries: 3, Timeout: 5 * time.Second, Pattern: "[129]",
	File: "ivr/ivr-welcome_to_freeswitch.wav", InvalidFile: "ivr/ivr-that_was_an_invalid_entry.wav",
}

func menu(ctx context.Context, s *outbound.Session) error {
	if err := s.Answer(ctx); err != nil {
		return err
	}
	for {
		choice, err := s.PlayAndGetDigits(ctx, question)
		if errors.Is(err, call.ErrNoDigits) {
			_, err := s.Playback(ctx, "voicemail/vm-goodbye.wav")
			return err
		}
		if err != nil {
			return err // the caller has hung up
		}
		slog.InfoContext(ctx, "chosen", "call", s.UUID(), "choice", choice)
		switch choice {
		case "1":
			err = sales(ctx, s)
		case "2":
			err = openingHours(ctx, s)
		}
		if err != nil {
			return err
		}
	}
}

// sales connects the caller. Nobody there leads back to the menu; after a conversation the call is over.
func sales(ctx context.Context, s *outbound.Session) error {
	bridged, err := s.BridgeTo(ctx, call.To(call.User("1000", "").Timeout(20*time.Second)))
	if err == nil && bridged.Answered {
		return s.Hangup(ctx, call.NormalClearing)
	}
	if s.Err() != nil {
		return err
	}
	_, err = s.Playback(ctx, "ivr/ivr-no_user_response.wav")
	return err
}

func openingHours(ctx context.Context, s *outbound.Session) error {
	if _, err := s.Playback(ctx, "ivr/ivr-hours_of_operation.wav"); err != nil {
		return err
	}
	return s.Say(ctx, call.Say{Type: "number", Text: "9"})
}
