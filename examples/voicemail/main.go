// Command voicemail answers, asks for a message, records it, and lets the caller keep it (1), hear it (2) or speak again
// (3). Messages are written by FreeSWITCH, into VOICEMAIL_DIR (default /tmp), one file a call.
//
//	genesis outbound --simulate ./examples/voicemail
package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"path"
	"time"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/outbound"
)

func main() {
	genesis.Run(&voicemail{dir: cmp.Or(os.Getenv("VOICEMAIL_DIR"), "/tmp")})
}

type voicemail struct{ dir string }

// HandleSession handles one call.
func (v *voicemail) HandleSession(ctx context.Context, s *outbound.Session) error {
	file := path.Join(v.dir, s.UUID()+".wav")
	if err := s.Answer(ctx); err != nil {
		return err
	}
	if err := s.Set(ctx, "playback_terminators", "#"); err != nil {
		return err
	}
	if _, err := s.Playback(ctx, "voicemail/vm-record_message.wav"); err != nil {
		return err
	}
	for {
		again, err := v.take(ctx, s, file)
		if err != nil || !again {
			// A caller who just hangs up leaves the message too.
			slog.InfoContext(ctx, "message", "call", s.UUID(), "from", s.Get("Caller-Caller-ID-Number"), "file", file)
			return err
		}
	}
}

// take records once, and reports whether the caller wants to speak again.
func (v *voicemail) take(ctx context.Context, s *outbound.Session, file string) (again bool, err error) {
	if _, err := s.Playback(ctx, "tone_stream://%(500,0,800)"); err != nil {
		return false, err
	}
	recorded, err := s.Record(ctx, call.Recording{File: file, Limit: 2 * time.Minute, Silence: 5 * time.Second})
	if err != nil {
		return false, err
	}
	slog.InfoContext(ctx, "recorded", "call", s.UUID(), "duration", recorded.Duration)
	for {
		choice, err := s.PlayAndGetDigits(ctx, call.Digits{
			Max: 1, Tries: 3, Pattern: "[123]", File: "voicemail/vm-listen_to_recording.wav",
		})
		if errors.Is(err, call.ErrNoDigits) {
			choice, err = "1", nil
		}
		switch {
		case err != nil:
			return false, err
		case choice == "2":
			if _, err := s.Playback(ctx, file); err != nil {
				return false, err
			}
		default:
			return choice == "3", nil
		}
	}
}
