package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/percipia/eslgo"
	"github.com/percipia/eslgo/command"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/outbound"
)

// The outbound servers under comparison run in processes of their own, so that
// each has a machine to itself, and because one of them can crash. Each answers
// and hangs up every call.

const eslgoServer = "server-eslgo"

// serveOurs is outbound.Server. With hold it keeps calls until FreeSWITCH ends them.
func serveOurs(l net.Listener, hold bool) error {
	srv := outbound.Server{Handler: outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) error {
		if err := s.Answer(ctx); err != nil {
			return err
		}
		if hold {
			<-ctx.Done()
			return nil
		}
		return s.Hangup(ctx, call.NormalClearing)
	})}
	return srv.Serve(l)
}

// serveTheirs is eslgo's, taking the same steps: it asks for the call's events,
// waits for the answer and for the end.
func serveTheirs(l net.Listener) error {
	addr := l.Addr().String()
	_ = l.Close() // eslgo listens by itself
	opts := eslgo.DefaultOutboundOptions
	opts.Logger = eslgo.NilLogger{}
	return opts.ListenAndServe(addr, func(ctx context.Context, conn *eslgo.Conn, reply *eslgo.RawResponse) {
		uuid := reply.GetHeader("Unique-Id")
		answered, ended := make(chan struct{}, 1), make(chan struct{}, 1)
		conn.RegisterEventListener(uuid, func(ev *eslgo.Event) {
			switch ev.GetName() {
			case "CHANNEL_EXECUTE_COMPLETE":
				answered <- struct{}{}
			case "CHANNEL_HANGUP":
				ended <- struct{}{}
			}
		})
		for _, cmd := range []command.Command{
			command.Linger{Enabled: true, Seconds: 10},
			command.MyEvents{Format: "plain"},
		} {
			if _, err := conn.SendCommand(ctx, cmd); err != nil {
				return
			}
		}
		if err := conn.AnswerCall(ctx, uuid); err != nil || !heard(ctx, answered) {
			return
		}
		if err := conn.HangupCall(ctx, uuid, string(call.NormalClearing)); err == nil {
			heard(ctx, ended)
		}
	})
}

func heard(ctx context.Context, what <-chan struct{}) bool {
	select {
	case <-what:
		return true
	case <-ctx.Done():
		return false
	}
}

// serveCanned says what outbound.Server says, in the same steps, and counts what
// comes back without looking at it.
func serveCanned(l net.Listener, script *callScript) error {
	for {
		nc, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer nc.Close()
			_ = canned(nc, script) // the other end notices
		}()
	}
}

func canned(nc net.Conn, script *callScript) error {
	subscription := "filter Unique-ID " + recordedCall + "\n\nfilter Job-Owner-UUID " + recordedCall +
		"\n\nlinger 10\n\nevent plain CHANNEL_ANSWER CHANNEL_HANGUP\n\n"
	buf := make([]byte, 64<<10)
	for _, step := range []struct {
		say  string
		hear int
	}{
		{"connect\n\n", len(script.connect)},
		{subscription, 4 * len(accepted)},
		{"sendmsg\ncall-command: execute\nexecute-app-name: answer\nEvent-UUID: " + recordedApplication + "\n\n",
			len(executeOK) + len(script.execute)},
		{"api uuid_kill " + recordedCall + " NORMAL_CLEARING\n\n",
			len(killOK) + len(script.hangup) + len(script.lingered)},
	} {
		if _, err := nc.Write([]byte(step.say)); err != nil {
			return err
		}
		if _, err := io.ReadFull(nc, buf[:step.hear]); err != nil {
			return err
		}
	}
	return nil
}

// serverMain is a process with one of these servers.
func serverMain(role, testdata string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // its end is ours
		os.Exit(0)
	}()
	switch role {
	case "server-ours":
		return serveOurs(l, false)
	case "server-holding":
		return serveOurs(l, true)
	case eslgoServer:
		return serveTheirs(l)
	}
	script, err := newCallScript(testdata)
	if err != nil {
		return err
	}
	return serveCanned(l, script)
}
