package program

import (
	"bufio"
	"bytes"
	"io"
)

// maxLine bounds a line that a program writes, without its line break. What is
// longer is no command.
const maxLine = 1 << 20

// readLines calls f for each line of r, without its line break, the last one even
// when it has none. Of a line longer than limit f gets the beginning, with the
// number of bytes left out. The slice is valid only during the call. It ends with
// r, or when f returns false.
func readLines(r io.Reader, limit int, f func(line []byte, cut int) bool) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	var line []byte
	cut := 0
	for {
		part, err := buffered.ReadSlice('\n')
		ended := bytes.HasSuffix(part, []byte("\n"))
		if ended {
			part = part[:len(part)-1]
		}
		take := min(len(part), limit-len(line))
		line = append(line, part[:take]...)
		cut += len(part) - take
		if err == bufio.ErrBufferFull {
			continue
		}
		if ended || len(line) > 0 {
			line = bytes.TrimSuffix(line, []byte("\r"))
			if !f(line, cut) {
				return
			}
			if cap(line) > 64<<10 {
				line = nil
			}
			line, cut = line[:0], 0
		}
		if err != nil {
			return
		}
	}
}
