package outbound_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/outbound"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds everything that should happen soon.
const patience = 20 * time.Second

// Extensions of the simulated dialplan that lead to our server, one for each mode
// of the socket application.
const (
	asyncFull   = "5000"
	syncFull    = "5001"
	asyncSingle = "5002"
	syncSingle  = "5003"
)

var modes = map[string]string{asyncFull: "async full", syncFull: "full", asyncSingle: "async", syncSingle: ""}

// world is a simulated FreeSWITCH, our server, and a connection of a bystander.
type world struct {
	t    testing.TB
	fs   *esltest.Server
	srv  *outbound.Server
	addr string    // of our server
	by   *esl.Conn // what happens outside of our control
	ctx  context.Context
	up   chan struct{} // a client has connected
}

// newWorld starts FreeSWITCH and srv, and ends both with the test.
func newWorld(t testing.TB, srv *outbound.Server, cfg esltest.Config) *world {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if srv.Logger == nil {
		srv.Logger = slog.New(slog.DiscardHandler)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	for extension, mode := range modes {
		cfg.Extensions = append(cfg.Extensions, esltest.Extension{
			Match:   "^" + extension + "$",
			Actions: []esltest.Action{{App: "socket", Data: strings.TrimSpace(l.Addr().String() + " " + mode)}, {App: "sleep", Data: "600000"}},
		})
	}
	fs := esltest.NewUnstartedServer(cfg)
	if err := fs.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	by, err := esl.Dial(ctx, fs.Addr(), esl.DialConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = by.Close()
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, outbound.ErrServerClosed) {
			t.Errorf("Serve returned %v", err)
		}
		fs.Close()
	})
	return &world{t: t, fs: fs, srv: srv, addr: l.Addr().String(), by: by, ctx: ctx}
}

// place lets a caller dial an extension and returns the caller's leg, which the
// tests of hangup and digits use.
func (w *world) place(extension string) (caller string) {
	w.t.Helper()
	caller = esl.NewUUID()
	go func() {
		// It ends with the answer, or with the refusal, which the handler sees as well.
		_, _ = w.by.BgAPI(w.ctx, "originate {origination_uuid="+caller+"}loopback/"+extension+"/default &park()")
	}()
	return caller
}

// api runs a command as a bystander.
func (w *world) api(cmd string) string {
	w.t.Helper()
	out, err := w.by.API(w.ctx, cmd)
	if err != nil {
		w.t.Errorf("%s: %v", cmd, err)
	}
	return out
}

// serve starts a world whose server hands each session to fn.
func serve(t *testing.T, cfg esltest.Config, fn func(ctx context.Context, s *outbound.Session) error) *world {
	t.Helper()
	return newWorld(t, &outbound.Server{Handler: outbound.HandlerFunc(fn)}, cfg)
}

// result waits for what a handler has to say.
func result[T any](t testing.TB, w *world, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-w.ctx.Done():
		t.Fatal("nothing happened")
		panic("unreachable")
	}
}

func isHangup(err error) bool {
	var hangup *call.HangupError
	return errors.As(err, &hangup)
}

// untilTrue waits until done says so, for ten seconds at most.
func (w *world) untilTrue(done func() bool) {
	w.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		if done() {
			return
		}
		<-tick.C
	}
	w.t.Error("it never came true")
}
