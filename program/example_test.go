package program_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/outbound"
	"github.com/genesis-esl/genesis/program"
)

// A shell script as an app. What it prints appears in the log.
func ExampleConsumer() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	script := filepath.Join(dir, "app.sh")
	text := "#!/bin/sh\nwhile read -r line; do echo \"an event of ${#line} bytes\"; done\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		fmt.Println(err)
		return
	}

	p := &program.Consumer{Path: script, Logger: slog.New(printLines{})}
	app := consumer.New()
	if err := p.Register(app); err != nil {
		fmt.Println(err)
		return
	}
	// With a FreeSWITCH: return app.Serve(ctx, esl.ClientConfig{Addr: …})
	err = p.Run(context.Background(), func(ctx context.Context) error {
		return app.Run(ctx, func(ctx context.Context, h esl.Handler) error {
			h.HandleEvent(ctx, esl.NewEvent([]esl.Header{{Name: "Event-Name", Value: "HEARTBEAT"}}, ""))
			return nil
		})
	})
	fmt.Println("error:", err)
	// Output:
	// an event of 26 bytes
	// error: <nil>
}

// One process of a script for each call that FreeSWITCH connects to port 9000.
func ExampleOutbound() {
	srv := &outbound.Server{Handler: &program.Outbound{Path: "./ivr.sh"}, MaxSessions: program.DefaultMaxSessions}
	err := srv.ListenAndServe(context.Background(), "127.0.0.1:9000")
	fmt.Println(err)
}

// printLines is a log that prints the lines of programs alone.
type printLines struct{ slog.Handler }

func (printLines) Enabled(context.Context, slog.Level) bool { return true }

func (printLines) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "line" {
			fmt.Println(a.Value)
		}
		return true
	})
	return nil
}
