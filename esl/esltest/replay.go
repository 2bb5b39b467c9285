package esltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/genesis-esl/genesis/esl"
)

// Replay plays a recording of FreeSWITCH's bytes: to each client that connects, or
// with Dial to an outbound server. It answers the n-th command with the n-th
// recorded reply, whatever the command is, and sends recorded events as soon as the
// replies before them are sent.
//
// Use it to feed a client with real input; use a Server for a peer that understands
// commands.
type Replay struct {
	srv    *Server // for its faults
	frames []recorded
	ln     net.Listener
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	times int
}

// recorded is one frame of a recording and whether a command is awaited before
// it.
type recorded struct {
	bytes []byte
	reply bool
}

// NewReplay listens on a free port of 127.0.0.1 and plays the recording to each
// client, with the faults given. It fails for a recording that is no sequence of
// whole frames, and for an invalid fault.
func NewReplay(recording []byte, faults ...Fault) (*Replay, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("esltest: %w", err)
	}
	r, err := ServeReplay(ln, recording, faults...)
	if err != nil {
		ln.Close()
	}
	return r, err
}

// ServeReplay is NewReplay on the given listener, which Close closes.
func ServeReplay(ln net.Listener, recording []byte, faults ...Fault) (*Replay, error) {
	frames, err := splitRecording(recording)
	if err != nil {
		return nil, err
	}
	r := &Replay{srv: &Server{}, frames: frames, ln: ln, conns: map[net.Conn]bool{}}
	for _, f := range faults {
		if err := f.check(); err != nil {
			return nil, err
		}
		r.srv.faults = append(r.srv.faults, newLiveFault(f))
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.wg.Go(r.accept)
	return r, nil
}

// splitRecording cuts a recording into frames.
func splitRecording(recording []byte) ([]recorded, error) {
	var frames []recorded
	dec := esl.NewDecoder(bytes.NewReader(recording), esl.Limits{})
	rest := recording
	for {
		f, err := dec.Next()
		if errors.Is(err, io.EOF) {
			return frames, nil
		}
		if err != nil {
			return nil, fmt.Errorf("esltest: recording, frame %d: %w", len(frames), err)
		}
		end := bytes.Index(rest, []byte("\n\n"))
		if end < 0 || end+2+len(f.Body()) > len(rest) {
			return nil, fmt.Errorf("esltest: recording, frame %d: %w", len(frames), io.ErrUnexpectedEOF)
		}
		size := end + 2 + len(f.Body())
		kind := f.Get("Content-Type")
		// The reply to connect has its type behind a hundred other headers.
		reply := kind == "command/reply" || kind == "api/response" || strings.HasPrefix(string(rest[:end]), "Event-Name: CHANNEL_DATA")
		frames = append(frames, recorded{rest[:size], reply})
		rest = rest[size:]
	}
}

// Addr returns the host:port to connect to.
func (r *Replay) Addr() string { return r.ln.Addr().String() }

// Played returns how many connections have received the whole recording.
func (r *Replay) Played() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.times
}

// Close ends the replay and cuts its connections.
func (r *Replay) Close() {
	r.cancel()
	r.ln.Close()
	r.mu.Lock()
	for conn := range r.conns {
		conn.Close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

func (r *Replay) accept() {
	for {
		conn, err := r.ln.Accept()
		if err != nil {
			return
		}
		r.wg.Go(func() { r.serve(conn, inboundCall) })
	}
}

// Dial connects to an outbound server and plays the recording to it. It returns
// when all is played and the server has closed the connection, or when ctx ends.
func (r *Replay) Dial(ctx context.Context, addr string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	return r.serve(conn, outboundCall)
}

func (r *Replay) serve(raw net.Conn, direction string) error {
	conn := r.srv.newFaultConn(raw, direction, nil)
	defer conn.Close()
	r.mu.Lock()
	r.conns[conn] = true
	closed := r.ctx.Err() != nil
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.conns, conn)
		r.mu.Unlock()
	}()
	if closed {
		return net.ErrClosed
	}
	return r.play(conn)
}

func (r *Replay) play(conn *faultConn) error {
	requests := esl.NewRequestReader(conn, esl.Limits{})
	var out []byte
	for _, f := range r.frames {
		if f.reply {
			if _, err := conn.Write(out); err != nil {
				return err
			}
			out = out[:0]
			if _, err := requests.Next(); err != nil {
				return err
			}
		}
		out = append(out, f.bytes...)
	}
	if _, err := conn.Write(out); err != nil {
		return err
	}
	r.mu.Lock()
	r.times++
	r.mu.Unlock()
	if n := len(r.frames); n > 0 && bytes.Contains(r.frames[n-1].bytes, []byte("text/disconnect-notice")) {
		return conn.CloseWrite()
	}
	_, err := io.Copy(io.Discard, conn)
	return err
}
