package esl_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/internal/testbed"
)

// tunnel takes TLS connections and passes them on in the clear.
func tunnel(t *testing.T, target string) (addr string, roots *x509.CertPool) {
	t.Helper()
	own, roots := testbed.Certificate(t, "freeswitch.example.net")
	l := tls.NewListener(listen(t), &tls.Config{Certificates: []tls.Certificate{own}})
	testbed.Tunnel(t, l, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", target)
	})
	return l.Addr().String(), roots
}

// TestTLS reaches FreeSWITCH through a TLS tunnel by way of Dial, with events,
// commands and a reconnect; a tunnel with an unknown certificate gets no password.
func TestTLS(t *testing.T) {
	srv := simulated(t, esltest.Config{Heartbeat: -1})
	addr, roots := tunnel(t, srv.Addr())
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: "freeswitch.example.net"}}
	s := serve(t, esl.ClientConfig{Addr: addr, Dial: dialer.DialContext, Events: []string{"NOTIFY"}})
	receive(t, s.ups, "the first Up")
	fire(t, srv, "NOTIFY", 1)
	s.await(t, named("NOTIFY"))
	if got, err := s.BgAPI(within(t), "eval safe"); strings.TrimSpace(got) != "safe" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	srv.CutConnections()
	receive(t, s.ups, "Up")
	if got, err := s.BgAPI(within(t), "eval again"); strings.TrimSpace(got) != "again" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	s.stop()
	s.Close()

	before := len(srv.Commands())
	stranger := tls.Dialer{Config: &tls.Config{ServerName: "freeswitch.example.net"}}
	if _, err := esl.Dial(context.Background(), addr, esl.DialConfig{Dial: stranger.DialContext}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a strange certificate: %v", err)
	}
	if got := srv.Commands()[before:]; len(got) > 0 {
		t.Errorf("FreeSWITCH was sent %q", got)
	}
}
