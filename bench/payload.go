package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/genesis-esl/genesis/esl"
)

// payload is a stretch of event frames that is sent over and over.
type payload struct {
	name   string
	format esl.Format
	frames []byte
	ends   []int // of each frame
	events int   // in frames
	bytes  int   // of frames
}

// writeTo sends the payload once, so many bytes at a time; eachEvent by itself.
func (p *payload) writeTo(w io.Writer, atOnce int) error {
	if atOnce != eachEvent {
		for piece := range slices.Chunk(p.frames, atOnce) {
			if _, err := w.Write(piece); err != nil {
				return err
			}
		}
		return nil
	}
	from := 0
	for _, end := range p.ends {
		if _, err := w.Write(p.frames[from:end]); err != nil {
			return err
		}
		from = end
	}
	return nil
}

// rounds returns how often to send the payload for about n events.
func (p *payload) rounds(n int) int { return max(1, (n+p.events-1)/p.events) }

// meanSize is the mean size of an event on the wire, in bytes.
func (p *payload) meanSize() float64 { return float64(p.bytes) / float64(p.events) }

// eachEvent stands for a write for each event, as FreeSWITCH does.
const eachEvent = 0

// payloadBytes is how long a payload is at least: long enough for large writes,
// short enough to stay in a processor's cache.
const payloadBytes = 512 << 10

// loadPayloads reads the recordings in dir.
func loadPayloads(dir string) (map[string]*payload, error) {
	all := map[string]*payload{}
	for _, p := range []struct {
		name, recording string
		format          esl.Format
	}{
		{"mix", "c_event_plain_all", esl.Plain},
		{"json", "d_event_json_all", esl.JSON},
		{"xml", "e_event_xml_all", esl.XML},
		{"small", "m_heartbeat", esl.Plain},
	} {
		frames, err := eventFrames(filepath.Join(dir, p.recording))
		if err != nil {
			return nil, err
		}
		if p.name == "mix" {
			all["large"] = newPayload("large", esl.Plain, [][]byte{largeEvent(frames)})
		}
		all[p.name] = newPayload(p.name, p.format, frames)
	}
	return all, nil
}

func newPayload(name string, format esl.Format, frames [][]byte) *payload {
	p := &payload{name: name, format: format}
	for len(p.frames) < payloadBytes {
		for _, f := range frames {
			p.frames = append(p.frames, f...)
			p.ends = append(p.ends, len(p.frames))
		}
	}
	p.events, p.bytes = len(p.ends), len(p.frames)
	return p
}

// readRecording returns the bytes of a recording, which may be compressed.
func readRecording(path string) ([]byte, error) {
	if data, err := os.ReadFile(path + ".bin"); err == nil {
		return data, nil
	}
	f, err := os.Open(path + ".bin.gz")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return io.ReadAll(z)
}

// eventFrames returns the event frames of a recording, heads included.
func eventFrames(path string) ([][]byte, error) {
	data, err := readRecording(path)
	if err != nil {
		return nil, err
	}
	var frames [][]byte
	for d := esl.NewDecoder(bytes.NewReader(data), esl.Limits{}); ; {
		f, err := d.Next()
		if err == io.EOF {
			return frames, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		switch f.Type {
		case esl.FrameEventPlain, esl.FrameEventJSON, esl.FrameEventXML:
			frames = append(frames, bytes.Clone(f.Raw))
		}
	}
}

// largeEvent makes an event of 250 headers and some 12 KB out of the recorded
// event with most headers, as a channel with many variables sends it.
func largeEvent(frames [][]byte) []byte {
	var headers []esl.Header
	for _, frame := range frames {
		d := esl.NewDecoder(bytes.NewReader(frame), esl.Limits{})
		f, _ := d.Next()
		ev, _ := f.Event()
		if ev.Len() < len(headers) {
			continue
		}
		headers = headers[:0]
		for name, value := range ev.Headers() {
			headers = append(headers, esl.Header{Name: name, Value: value})
		}
	}
	for i := 0; len(headers) < 250; i++ {
		headers = append(headers, esl.Header{
			Name:  fmt.Sprintf("variable_application_setting_%d", i),
			Value: "value " + strings.Repeat("x", 4+i%37),
		})
	}
	return esl.AppendEvent(nil, esl.Plain, headers, "")
}
