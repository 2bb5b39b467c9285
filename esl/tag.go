package esl

import "strings"

// tagBytes is how much of a name goes into its tag. Longer names that begin alike may
// share a tag, as any names may; they are told apart by comparing them.
const tagBytes = 32

// tagOf returns the tag of a name: a hash of its length up to the first colon and of two
// characters in its middle, without regard to case. Of ten headers of recorded events
// fewer than two share their tag with one before them. indexLines does the same.
func tagOf(name string) byte {
	name = name[:min(len(name), tagBytes)]
	if name == "" {
		return 0
	}
	n := strings.IndexByte(name, ':')
	if n < 0 {
		n = len(name)
	}
	second := byte(':')
	if n/2+1 < len(name) {
		second = name[n/2+1]
	}
	middle := uint(name[n/2]) | uint(second)<<8
	return byte(((middle|0x2020)*6915 + uint(n)*9472) >> 8)
}

// tagAt returns the tag of the line that starts at text[off].
func tagAt(text []byte, off int) byte {
	return tagOf(string(text[off:min(off+tagBytes, len(text))]))
}
