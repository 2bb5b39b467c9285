package esl

import (
	"os"
	"syscall"
	"testing"
	"unsafe"
)

// TestNamesAtTheEndOfAPage looks up names behind which there is no memory.
func TestNamesAtTheEndOfAPage(t *testing.T) {
	page := os.Getpagesize()
	memory, err := syscall.Mmap(-1, 0, 2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Munmap(memory) }()
	if err := syscall.Mprotect(memory[page:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	const header = "Channel-State"
	e := newEvent([]byte(header+": CS_EXECUTE\n\n"), plainEncoded)
	for behind := range 2 * tagBytes {
		at := memory[page-behind-len(header) : page]
		copy(at, header)
		if got := e.Get(unsafe.String(&at[0], len(header))); got != "CS_EXECUTE" {
			t.Errorf("%q with %d bytes behind the name", got, behind)
		}
	}
}
