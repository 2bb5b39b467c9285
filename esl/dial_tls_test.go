package esl_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// tunnel is what stunnel is before FreeSWITCH, whose socket knows no TLS: it takes
// TLS connections and passes them on in the clear.
func tunnel(t *testing.T, target string) (addr string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"freeswitch.example.net"}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(leaf)
	l := tls.NewListener(listen(t), &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer from.Close()
				to, err := net.Dial("tcp", target)
				if err != nil {
					return
				}
				defer to.Close()
				var up sync.WaitGroup
				up.Go(func() { _, _ = io.Copy(to, from); to.Close() }) // whichever ends, ends both
				_, _ = io.Copy(from, to)
				from.Close()
				up.Wait()
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
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
