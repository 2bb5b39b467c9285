package esltest_test

import (
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

func TestParseFault(t *testing.T) {
	for text, want := range map[string]esltest.Fault{
		"cut:bytes=2000,count=1":        {Kind: esltest.FaultCut, Bytes: 2000, Count: 1},
		"stall:events=10,for=5s":        {Kind: esltest.FaultStall, Events: 10, For: 5 * time.Second},
		"split:chunk=7":                 {Kind: esltest.FaultSplit, Chunk: 7},
		"restart:after=30s":             {Kind: esltest.FaultRestart, After: 30 * time.Second},
		"acl":                           {Kind: esltest.FaultACL},
		"half-open:direction=outbound":  {Kind: esltest.FaultHalfOpen, Direction: "outbound"},
		" no-heartbeat : count=3 ":      {Kind: esltest.FaultNoHeartbeat, Count: 3},
		"late-heartbeat:for=1m30s":      {Kind: esltest.FaultLateHeartbeat, For: 90 * time.Second},
		"oversized:bytes=100,after=1ms": {Kind: esltest.FaultOversized, Bytes: 100, After: time.Millisecond},
	} {
		got, err := esltest.ParseFault(text)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
			continue
		}
		if again, err := esltest.ParseFault(got.String()); err != nil || again != got {
			t.Errorf("%q: String is %q, which is read as %+v, %v", text, got.String(), again, err)
		}
	}
	for _, text := range []string{"", "quake", "cut:bytes", "cut:bytes=-1", "cut:bytes=x", "stall:for=5", "restart", "cut:direction=up", "cut:colour=red"} {
		if f, err := esltest.ParseFault(text); err == nil {
			t.Errorf("%q: %+v without an error", text, f)
		}
	}
}

// readAll reads what a client gets that authenticates and subscribes, until the
// connection ends or is silent.
func readAll(t *testing.T, addr string, silence time.Duration) (string, error) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	io.WriteString(conn, "auth ClueCon\n\nevent plain HEARTBEAT\n\n")
	var all strings.Builder
	buf := make([]byte, 4096)
	for {
		conn.SetReadDeadline(time.Now().Add(silence))
		n, err := conn.Read(buf)
		all.Write(buf[:n])
		if err != nil {
			return all.String(), err
		}
	}
}

const greeting = "Content-Type: auth/request\n\nContent-Type: command/reply\nReply-Text: +OK accepted\n\n" +
	"Content-Type: command/reply\nReply-Text: +OK event listener enabled plain\n\n"

func TestFaultsOnAConnection(t *testing.T) {
	timeout := func(err error) bool {
		var ne net.Error
		return errors.As(err, &ne) && ne.Timeout()
	}
	for text, check := range map[string]func(got string, err error) bool{
		"cut:bytes=40":       func(got string, err error) bool { return got == greeting[:40] && err == io.EOF },
		"cut:after=30ms":     func(got string, err error) bool { return strings.HasPrefix(got, greeting) && !timeout(err) },
		"half-open:bytes=40": func(got string, err error) bool { return got == greeting[:40] && timeout(err) },
		"stall:bytes=40":     func(got string, err error) bool { return got == greeting[:40] && timeout(err) },
		"stall:bytes=40,for=10ms": func(got string, err error) bool {
			return strings.HasPrefix(got, greeting) && timeout(err)
		},
		"split:chunk=3":        func(got string, err error) bool { return strings.HasPrefix(got, greeting) },
		"merge:for=20ms":       func(got string, err error) bool { return strings.HasPrefix(got, greeting) },
		"delay:for=5ms":        func(got string, err error) bool { return strings.HasPrefix(got, greeting) },
		"refuse":               func(got string, err error) bool { return got == "" && !timeout(err) },
		"acl":                  func(got string, err error) bool { return strings.Contains(got, "Access Denied") && err == io.EOF },
		"wrong-password":       func(got string, err error) bool { return strings.Contains(got, "-ERR invalid") && err == io.EOF },
		"garbage:bytes=28":     func(got string, err error) bool { return strings.HasPrefix(got, greeting[:28]+"\x00\xff") },
		"oversized:after=10ms": func(got string, err error) bool { return strings.Contains(got, "Content-Length: 2147483647\n") },
		"lost-events":          func(_ string, err error) bool { return !timeout(err) },
		"lost-events:bytes=82": func(got string, err error) bool { return got == greeting[:82] && !timeout(err) },
		"no-heartbeat":         func(got string, err error) bool { return got == greeting && timeout(err) },
		"cut:events=2": func(got string, err error) bool {
			return strings.Count(got, "Event-Name: HEARTBEAT") == 2 && err == io.EOF
		},
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			f, err := esltest.ParseFault(text)
			if err != nil {
				t.Fatal(err)
			}
			cfg := esltest.Config{Faults: []esltest.Fault{f}, Heartbeat: -1}
			if f.Kind == esltest.FaultHalfOpen {
				cfg.AuthTimeout = 30 * time.Millisecond // that FreeSWITCH gives up is not seen either
			}
			if strings.Contains(text, "heartbeat") || f.Events > 0 {
				cfg.Heartbeat = 20 * time.Millisecond
			}
			srv := start(t, cfg)
			got, err := readAll(t, srv.Addr(), 150*time.Millisecond)
			if !check(got, err) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestFaultCountAndHeal(t *testing.T) {
	srv := start(t, esltest.Config{Faults: []esltest.Fault{{Kind: esltest.FaultPassword, Count: 1}}})
	ctx := testContext(t)
	if _, err := esl.Dial(ctx, srv.Addr(), esl.DialConfig{}); !errors.Is(err, esl.ErrAuthentication) {
		t.Errorf("first: %v", err)
	}
	connect(t, srv)
	if err := srv.Inject(esltest.Fault{Kind: esltest.FaultACL}); err != nil {
		t.Fatal(err)
	}
	if _, err := esl.Dial(ctx, srv.Addr(), esl.DialConfig{}); !errors.Is(err, esl.ErrAccessDenied) {
		t.Errorf("with the ACL: %v", err)
	}
	srv.Heal()
	conn := connect(t, srv)
	if err := srv.Inject(esltest.Fault{Kind: esltest.FaultCut, After: time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	<-conn.Done()
}

func TestFaultRestart(t *testing.T) {
	srv := start(t, esltest.Config{Faults: []esltest.Fault{{Kind: esltest.FaultRestart, After: 20 * time.Millisecond}}})
	before := srv.CoreUUID()
	conn := connect(t, srv)
	<-conn.Done()
	ctx := testContext(t)
	for srv.CoreUUID() == before || srv.CoreUUID() == "" {
		if ctx.Err() != nil {
			t.Fatal("not restarted")
		}
	}
	connect(t, srv)
}

// A FreeSWITCH that is stopped says neither goodbye nor that its calls end.
func TestStopWithoutAWord(t *testing.T) {
	srv := start(t, esltest.Config{Heartbeat: -1})
	for range 50 {
		call, conn := socketOfACall(t, srv, " async full")
		subscribe(t, conn, "event plain CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE")
		if err := srv.Restart(); err != nil {
			t.Fatal(err)
		}
		if ev, err := conn.ReadEvent(testContext(t)); err == nil {
			t.Fatalf("%s of call %s", ev, call.UUID())
		}
	}
}

func TestHealedRestart(t *testing.T) {
	srv := start(t, esltest.Config{})
	conn := connect(t, srv)
	if err := srv.Inject(esltest.Fault{Kind: esltest.FaultRestart, After: 20 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	srv.Heal()
	select {
	case <-conn.Done():
		t.Error("restarted all the same")
	case <-time.After(100 * time.Millisecond):
	}
}

// A call whose socket is half-open ends when the caller hangs up.
func TestCallOnAHalfOpenSocketEnds(t *testing.T) {
	for _, sync := range []bool{true, false} {
		srv := start(t, esltest.Config{Faults: []esltest.Fault{{Kind: esltest.FaultHalfOpen, Direction: "outbound", Bytes: 1000}}})
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		ctx := testContext(t)
		call, err := srv.Call(ctx, esltest.CallConfig{Outbound: ln.Addr().String(), Sync: sync})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		io.WriteString(conn, "connect\n\n")
		if _, err := io.ReadFull(conn, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		call.Hangup("NORMAL_CLEARING")
		if err := call.WaitEnded(ctx); err != nil || len(srv.Legs()) > 0 {
			t.Errorf("sync %v: %v, %d legs", sync, err, len(srv.Legs()))
		}
	}
}

// Shutdown waits two seconds in all for clients that do not read, and Close waits for Shutdown.
func TestShutdownOfStalledClients(t *testing.T) {
	srv := start(t, esltest.Config{Faults: []esltest.Fault{{Kind: esltest.FaultStall, Events: 1}}})
	ctx := testContext(t)
	var conns []*esl.Conn
	for range 3 {
		conn := connect(t, srv)
		subscribe(t, conn, "event plain SHUTDOWN")
		conns = append(conns, conn)
	}
	ended := make(chan struct{})
	go func() { srv.Shutdown(); close(ended) }()
	for srv.CoreUUID() != "" && ctx.Err() == nil {
		runtime.Gosched()
	}
	srv.Close()
	for _, conn := range conns {
		select {
		case <-conn.Done():
		case <-time.After(time.Second):
			t.Error("a connection outlives Close")
		}
	}
	select {
	case <-ended:
	case <-ctx.Done():
		t.Error("Shutdown does not return")
	}
}

func TestReplayIsByteForByte(t *testing.T) {
	recording := loadBytes(t, "c_event_plain_all")
	for _, fault := range []string{"", "split:chunk=1000", "merge:for=1ms"} {
		var faults []esltest.Fault
		if fault != "" {
			f, err := esltest.ParseFault(fault)
			if err != nil {
				t.Fatal(err)
			}
			faults = append(faults, f)
		}
		replay, err := esltest.NewReplay(recording, faults...)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", replay.Addr())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, "auth ClueCon\n\nevent plain ALL\n\nnoevents\n\nexit\n\n")
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		got, err := io.ReadAll(conn)
		if err != nil {
			t.Error(err)
		}
		if string(got) != string(recording) {
			t.Errorf("%q: got %d bytes, recorded %d", fault, len(got), len(recording))
		}
		conn.Close()
		replay.Close()
	}
}

func TestReplayRefusesHalfARecording(t *testing.T) {
	recording := loadBytes(t, "a_auth_ok")
	if _, err := esltest.NewReplay(recording[:len(recording)-1]); err == nil {
		t.Error("no error")
	}
}
