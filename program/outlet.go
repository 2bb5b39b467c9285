package program

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"
)

// outlet is our end of a pipe that a program writes to. When the program has ended,
// which an expired deadline of the file says, it yields what lies in the pipe,
// however late that is asked for, and then ends: a process that the program left
// behind may keep the pipe open, and write to it, for ever.
type outlet struct {
	file *os.File
	rest *bytes.Reader // what lay in the pipe, once the program has ended
}

// leftovers bounds how long a pipe that stays open is read once the program has
// ended.
const leftovers = time.Second

func (o *outlet) Read(b []byte) (int, error) {
	if o.rest == nil {
		n, err := o.file.Read(b)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		_ = o.file.SetReadDeadline(time.Now().Add(leftovers))
		rest, _ := io.ReadAll(io.LimitReader(o.file, int64(pipeSize(o.file)))) // ends with the pipe, or in time
		o.rest = bytes.NewReader(rest)
	}
	return o.rest.Read(b)
}
