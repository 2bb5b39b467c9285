package esltest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/genesis-esl/genesis/internal/ports"
)

// Server is a simulated FreeSWITCH. Make one with NewServer or NewUnstartedServer. Its
// methods are safe for concurrent use.
type Server struct {
	cfg  Config
	plan *dialplan

	commands commandLog
	faultMu  sync.Mutex
	faults   []*liveFault
	ending   sync.WaitGroup

	mu       sync.Mutex
	addr     string
	core     *core  // nil before Start and after Close
	release  func() // gives the port up; nil before Start
	shutdown bool
}

// NewServer starts a server with the default Config. Like httptest, it panics when it
// cannot listen on 127.0.0.1.
func NewServer() *Server {
	srv := NewUnstartedServer(Config{})
	if err := srv.Start(); err != nil {
		panic(err)
	}
	return srv
}

// NewUnstartedServer returns a server that is not running yet: see Start.
func NewUnstartedServer(cfg Config) *Server {
	return &Server{cfg: cfg.withDefaults()}
}

// Start listens and serves in the background. The error says what is wrong with the
// configuration, or why it cannot listen on the address.
func (s *Server) Start() error {
	plan, err := newDialplan(&s.cfg)
	if err != nil {
		return err
	}
	for i := range s.cfg.Faults {
		if err := s.cfg.Faults[i].check(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.core != nil {
		return errors.New("esltest: server is already started")
	}
	if s.shutdown {
		return errors.New("esltest: server is closed")
	}
	s.plan = plan
	for _, f := range s.cfg.Faults {
		s.faults = append(s.faults, newLiveFault(f))
	}
	addr, release := ports.Hold(s.cfg.Addr)
	if err := s.boot(addr); err != nil {
		release()
		return err
	}
	s.release = release
	for _, f := range s.faults {
		if f.Kind == FaultRestart {
			s.scheduleRestart(s.core, f)
		}
	}
	return nil
}

// boot starts one run of FreeSWITCH. The caller holds mu.
func (s *Server) boot(addr string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("esltest: %w", err)
	}
	s.addr = ln.Addr().String()
	s.core = newCore(s, ln)
	s.core.start()
	return nil
}

// Addr returns the host:port of the event socket. Restart does not change it.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Password returns the password for auth.
func (s *Server) Password() string { return s.cfg.Password }

// CoreUUID returns the Core-UUID of the current run.
func (s *Server) CoreUUID() string {
	if c := s.current(); c != nil {
		return c.uuid
	}
	return ""
}

// Close stops the server: every connection is cut, every call ends, and no
// goroutine is left when it returns. Closing twice is harmless.
func (s *Server) Close() {
	s.mu.Lock()
	c, release := s.core, s.release
	s.core, s.release, s.shutdown = nil, nil, true
	s.mu.Unlock()
	if c != nil {
		c.stop()
	}
	s.ending.Wait()
	if release != nil {
		release()
	}
}

// Restart ends FreeSWITCH and starts it again on the same port with a new Core-UUID:
// all calls are gone, and all connections are cut without a notice.
func (s *Server) Restart() error {
	if err := s.Stop(); err != nil {
		return err
	}
	return s.Resume()
}

// Stop ends FreeSWITCH as a crash would: connections are cut, and new ones are
// refused until Resume.
func (s *Server) Stop() error {
	c := s.endRun()
	if c == nil {
		return errors.New("esltest: server is not running")
	}
	defer s.ending.Done()
	c.stop()
	return nil
}

// Resume starts FreeSWITCH again after Stop, on the same port.
func (s *Server) Resume() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.core != nil || s.shutdown || s.addr == "" {
		return errors.New("esltest: server is not stopped")
	}
	var err error
	// Where the port could not be held it can be taken for a moment, by a connection that is being closed.
	for range 50 {
		if err = s.boot(s.addr); err == nil {
			return nil
		}
		wait := time.NewTimer(20 * time.Millisecond)
		<-wait.C
	}
	return err
}

// Shutdown ends FreeSWITCH as an operator does: it sends a SHUTDOWN event, hangs up
// every call with SYSTEM_SHUTDOWN, sends a notice on every socket, and then closes
// the sockets (z_shutdown_while_connected). Resume starts it again.
func (s *Server) Shutdown() {
	if c := s.endRun(); c != nil {
		defer s.ending.Done()
		c.shutDown()
	}
}

// endRun takes the present run, for the caller to end: Close waits until it says so to ending. nil when there is none.
func (s *Server) endRun() *core {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.core
	if s.core = nil; c != nil {
		s.ending.Add(1)
	}
	return c
}

// CutConnections closes every event socket, in both directions, without a notice,
// and returns how many there were. Calls go on, unless they depend on their
// outbound socket.
func (s *Server) CutConnections() int {
	c := s.current()
	if c == nil {
		return 0
	}
	listeners := c.allListeners()
	for _, l := range listeners {
		l.conn.Close()
	}
	return len(listeners)
}

// Connections returns how many event sockets are open, in both directions.
func (s *Server) Connections() int {
	c := s.current()
	if c == nil {
		return 0
	}
	return len(c.allListeners())
}

func (s *Server) current() *core {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.core
}

// enter returns the present run and keeps it from ending until wg.Done; nil
// when there is none.
func (s *Server) enter() *core {
	if c := s.current(); c != nil && c.begin() {
		return c
	}
	return nil
}

// Beat sends a HEARTBEAT now.
func (s *Server) Beat() {
	if c := s.current(); c != nil {
		c.beat()
	}
}

// API runs an api command and returns its output, as a client would get it. It returns when
// the command has ended, or an empty string when ctx ends.
func (s *Server) API(ctx context.Context, command string) string {
	c := s.enter()
	if c == nil {
		return ""
	}
	defer c.wg.Done()
	return c.api(ctx, command)
}
