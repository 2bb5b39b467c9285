package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/genesis-esl/genesis/esl"
)

// freeswitch is the other end of all comparisons, in a process of its own so that
// its garbage collector and scheduler are not measured. It knows just enough of
// the protocol to let clients in; events are bytes prepared beforehand.
//
// It writes its address to standard output and takes orders from standard input:
//
//	stream PAYLOAD ROUNDS BYTES N   send events to the N connections subscribed last, so many bytes
//	                                at a time
//	eager                           from now on send a client an event of its own accord
//	calls ADDRESS N AT-ONCE         make calls to an outbound server; answers with seconds
//	hold ADDRESS N                  make calls that last as long as this process
type freeswitch struct {
	payloads map[string]*payload
	calls    *callScript

	mu          sync.Mutex
	subscribers []net.Conn // of events, in the order in which they came
	eager       bool       // send an event once a client is set up
}

func freeswitchMain(dir string) error {
	payloads, err := loadPayloads(dir)
	if err != nil {
		return err
	}
	script, err := newCallScript(dir)
	if err != nil {
		return err
	}
	fs := &freeswitch{payloads: payloads, calls: script}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	go fs.accept(l)
	fmt.Println(l.Addr())
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		if err := fs.order(orders.Text()); err != nil {
			return fmt.Errorf("%s: %w", orders.Text(), err)
		}
	}
	return orders.Err()
}

func (fs *freeswitch) order(line string) error {
	runtime.GC() // not while somebody measures
	var name, addr string
	var n, atOnce, connections int
	if line == "eager" {
		fs.mu.Lock()
		fs.eager = true
		fs.mu.Unlock()
		return nil
	}
	if _, err := fmt.Sscanf(line, "stream %s %d %d %d", &name, &n, &atOnce, &connections); err == nil {
		fs.stream(fs.payloads[name], n, atOnce, connections)
		return nil
	}
	if _, err := fmt.Sscanf(line, "hold %s %d", &addr, &n); err == nil {
		return fs.hold(addr, n)
	}
	if _, err := fmt.Sscanf(line, "calls %s %d %d", &addr, &n, &atOnce); err != nil {
		return err
	}
	took, err := fs.calls.run(addr, n, atOnce)
	report(took.Seconds(), err)
	return nil
}

// stream sends a payload so many times to each of the last connections.
func (fs *freeswitch) stream(load *payload, rounds, atOnce, connections int) {
	fs.mu.Lock()
	last := fs.subscribers[len(fs.subscribers)-connections:]
	fs.mu.Unlock()
	var wg sync.WaitGroup
	for _, nc := range last {
		wg.Go(func() {
			for range rounds {
				if err := load.writeTo(nc, atOnce); err != nil {
					return // the client has seen enough
				}
			}
		})
	}
	wg.Wait()
}

// hold makes calls and keeps them until the program ends.
func (fs *freeswitch) hold(addr string, n int) error {
	_, err := fs.calls.hold(addr, n)
	report(float64(n), err)
	return nil
}

// report answers an order.
func report(result float64, err error) {
	if err != nil {
		fmt.Println("error", strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	fmt.Println(result)
}

func (fs *freeswitch) accept(l net.Listener) {
	for {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		go fs.serve(nc)
	}
}

// serve answers commands, all that have come with one write.
func (fs *freeswitch) serve(nc net.Conn) {
	defer nc.Close()
	if _, err := nc.Write(esl.AppendAuthRequest(nil)); err != nil {
		return
	}
	in, out := make([]byte, 64<<10), make([]byte, 0, 64<<10)
	held := 0
	for {
		n, err := nc.Read(in[held:])
		if err != nil {
			return
		}
		held += n
		out = out[:0]
		rest := in[:held]
		for {
			message, after, ok := cutMessage(rest)
			if !ok {
				break
			}
			rest = after
			out = fs.answer(out, nc, message)
		}
		held = copy(in, rest)
		if len(out) == 0 {
			continue
		}
		if _, err := nc.Write(out); err != nil {
			return
		}
	}
}

// cutMessage cuts a message without a body off b.
func cutMessage(b []byte) (message, rest []byte, ok bool) {
	i := bytes.Index(b, []byte("\n\n"))
	if j := bytes.Index(b, []byte("\r\n\r\n")); j >= 0 && (i < 0 || j < i) {
		return b[:j], b[j+4:], true
	}
	if i < 0 {
		return nil, b, false
	}
	return b[:i], b[i+2:], true
}

var (
	accepted = esl.AppendReply(nil, "+OK accepted")
	uptime   = esl.AppendAPIResponse(nil, "599389\n")
)

func (fs *freeswitch) answer(dst []byte, nc net.Conn, message []byte) []byte {
	word, _, _ := bytes.Cut(message, []byte(" "))
	switch string(word) {
	case "api":
		return append(dst, uptime...)
	case "event", "events":
		fs.mu.Lock()
		if len(fs.subscribers) == 0 || fs.subscribers[len(fs.subscribers)-1] != nc {
			fs.subscribers = append(fs.subscribers, nc)
		}
		fs.mu.Unlock()
	case "bgapi":
		_, id, _ := bytes.Cut(message, []byte("Job-UUID: "))
		job := esl.Header{Name: "Job-UUID", Value: string(bytes.TrimSpace(id))}
		dst = esl.AppendReply(dst, "+OK Job-UUID: "+job.Value, job)
		name := esl.Header{Name: "Event-Name", Value: "BACKGROUND_JOB"}
		sequence := esl.Header{Name: "Event-Sequence", Value: "1"}
		return esl.AppendEvent(dst, esl.Plain, []esl.Header{name, sequence, job}, "599389\n")
	case "nixevent": // the last thing that a client says
		fs.mu.Lock()
		defer fs.mu.Unlock()
		dst = append(dst, accepted...)
		if fs.eager {
			small := fs.payloads["small"]
			dst = append(dst, small.frames[:len(small.frames)/small.events]...)
		}
		return dst
	}
	return append(dst, accepted...)
}
