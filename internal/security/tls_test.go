package security_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/internal/testbed"
	"github.com/genesis-esl/genesis/outbound"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait in these tests.
const patience = 20 * time.Second

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// tunnel is stunnel in client mode: it takes plain connections and passes them on through TLS.
func tunnel(t *testing.T, target string, config *tls.Config) (addr string) {
	t.Helper()
	l := listen(t)
	dialer := tls.Dialer{Config: config}
	testbed.Tunnel(t, l, func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", target) })
	return l.Addr().String()
}

// outboundOverTLS serves calls that come through TLS from those with a certificate that the pool knows.
func outboundOverTLS(t *testing.T, own tls.Certificate, known *x509.CertPool) (addr string, served chan error, rejected chan outbound.Reason) {
	t.Helper()
	served, rejected = make(chan error, 10), make(chan outbound.Reason, 400)
	srv := &outbound.Server{
		Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, HandshakeTimeout: 500 * time.Millisecond, MaxSessions: 250,
		Logger: slog.New(slog.DiscardHandler),
		Handler: outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) error {
			err := s.Answer(ctx)
			served <- err
			return err
		}),
		SessionHooks: &outbound.Hooks{Rejected: func(_ net.Addr, r outbound.Reason) { rejected <- r }},
	}
	l := tls.NewListener(listen(t), &tls.Config{
		Certificates: []tls.Certificate{own}, ClientCAs: known, ClientAuth: tls.RequireAndVerifyClientCert,
	})
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Close()
		<-ended
	})
	return l.Addr().String(), served, rejected
}

func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
	}
	panic("unreachable")
}

// TestOutboundOverTLS: a FreeSWITCH behind a tunnel with the right certificate is served; one with another certificate, one
// without TLS, and hundreds that begin no handshake get no session and are gone when the handshake's time is over.
func TestOutboundOverTLS(t *testing.T) {
	ours, oursKnown := testbed.Certificate(t, "genesis.example.net")
	theirs, theirsKnown := testbed.Certificate(t, "freeswitch.example.net")
	strange, _ := testbed.Certificate(t, "freeswitch.example.net")
	addr, served, rejected := outboundOverTLS(t, ours, theirsKnown)
	fs := esltest.NewServer()
	t.Cleanup(fs.Close)
	call := func(target string) {
		t.Helper()
		if _, err := fs.Call(t.Context(), esltest.CallConfig{Outbound: target}); err != nil {
			t.Fatal(err)
		}
	}
	config := func(c tls.Certificate) *tls.Config {
		return &tls.Config{RootCAs: oursKnown, ServerName: "genesis.example.net", Certificates: []tls.Certificate{c}}
	}
	right := tunnel(t, addr, config(theirs))
	call(right)
	if err := receive(t, served, "the call through the tunnel"); err != nil {
		t.Fatal(err)
	}

	for what, target := range map[string]string{"a strange certificate": tunnel(t, addr, config(strange)), "no TLS": addr} {
		call(target)
		if r := receive(t, rejected, "the end of "+what); r != outbound.Handshake {
			t.Errorf("%s: %s", what, r)
		}
	}

	const mute = 200
	for range mute {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
	}
	call(right)
	if err := receive(t, served, "the call beside those that say nothing"); err != nil {
		t.Fatal(err)
	}
	for range mute {
		receive(t, rejected, "the end of one that says nothing")
	}
	call(right)
	if err := receive(t, served, "the call after them"); err != nil {
		t.Fatal(err)
	}
	if len(served) > 0 {
		t.Errorf("%d more calls were served", len(served))
	}
}
