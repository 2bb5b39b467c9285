// Package recording reads recordings of what FreeSWITCH has sent.
package recording

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
)

// Read returns a recording's bytes. A gzipped file is told by how it begins.
func Read(file string) ([]byte, error) {
	raw, err := os.ReadFile(file)
	if err != nil || !bytes.HasPrefix(raw, []byte{0x1f, 0x8b}) {
		return raw, err
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	raw, err = io.ReadAll(unpacked)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return raw, nil
}
