package esl_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/genesis-esl/genesis/esl"
)

// BenchmarkDecode cuts every frame of the recording out and does with its event
// what a handler does: reads five headers, one an integer, one URL-encoded.
func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"c_event_plain_all", "d_event_json_all", "e_event_xml_all"} {
		b.Run(name, func(b *testing.B) {
			data := recording(b, name)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			d := esl.NewDecoder(&endless{data: data}, esl.Limits{})
			frames := len(frameList(b, name))
			events := 0
			for b.Loop() {
				for range frames {
					f, err := d.Next()
					if err != nil {
						b.Fatal(err)
					}
					if e, _ := f.Event(); e != nil {
						events++
						readFive(e)
					}
				}
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// endless reads the same bytes over and over.
type endless struct {
	data []byte
	at   int
}

func (e *endless) Read(b []byte) (int, error) {
	n := copy(b, e.data[e.at:])
	e.at = (e.at + n) % len(e.data)
	return n, nil
}

func readFive(e *esl.Event) int {
	n, _ := strconv.Atoi(e.Get("Event-Date-Timestamp"))
	return n + len(e.Name()) + len(e.UUID()) + len(e.Get("Caller-Destination-Number")) +
		len(e.Get("Event-Date-GMT")) + len(e.Get("Answer-State"))
}

// BenchmarkEvent copies an event and reads five headers, without cutting frames.
func BenchmarkEvent(b *testing.B) {
	var bodies [][]byte
	for d := esl.NewDecoder(bytes.NewReader(recording(b, "c_event_plain_all")), esl.Limits{}); ; {
		f, err := d.Next()
		if err == io.EOF {
			break
		}
		if f.Type == esl.FrameEventPlain {
			bodies = append(bodies, bytes.Clone(f.Body()))
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e, err := esl.ParseEvent(esl.Plain, bodies[i%len(bodies)])
		if err != nil {
			b.Fatal(err)
		}
		readFive(e)
	}
}

// BenchmarkLookups asks a large event for few and for many of its headers, which are spread over all of it.
func BenchmarkLookups(b *testing.B) {
	words := strings.Fields("sip rtp from to via contact user host port uri codec rate hangup cause audio video media remote")
	var names []string
	var headers []esl.Header
	for i := range 250 {
		name := fmt.Sprintf("variable_%s_%s_%d", words[i%len(words)], words[i*5%len(words)], i)
		names = append(names, name)
		headers = append(headers, esl.Header{Name: name, Value: "sip:1000@192.0.2.1:5060"})
	}
	frame, err := esl.NewDecoder(bytes.NewReader(esl.AppendEvent(nil, esl.Plain, headers, "")), esl.Limits{}).Next()
	if err != nil {
		b.Fatal(err)
	}
	for _, asked := range []int{1, 5, 10, 20, 40, 250} {
		b.Run(strconv.Itoa(asked), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e, err := frame.Event()
				if err != nil {
					b.Fatal(err)
				}
				for i := range asked {
					e.Get(names[(i+1)*len(names)/asked-1])
				}
			}
		})
	}
}

// BenchmarkSend is a command and its reply, from one goroutine and from 64.
func BenchmarkSend(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(strconv.Itoa(callers), func(b *testing.B) {
			conn := esl.NewConn(answering(b), esl.ConnConfig{})
			defer conn.Close()
			b.ReportAllocs()
			var wg sync.WaitGroup
			for i := range callers {
				wg.Go(func() {
					for n := i; n < b.N; n += callers {
						if _, err := conn.Send(b.Context(), esl.Line("api uptime")); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// answering returns a connection whose other end answers every message alike.
func answering(b *testing.B) net.Conn {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		defer l.Close()
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		answer := esl.AppendAPIResponse(nil, "599389\n")
		for in := make([]byte, 64<<10); ; {
			n, err := nc.Read(in) // messages are short and come whole
			if err != nil {
				return
			}
			messages := bytes.Count(in[:n], []byte("\n\n"))
			if _, err := nc.Write(bytes.Repeat(answer, messages)); err != nil {
				return
			}
		}
	}()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	return nc
}
