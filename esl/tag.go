package esl

import "encoding/binary"

const (
	eachByte   = 0x0101010101010101
	highBits   = 0x8080808080808080
	eachColon  = ':' * eachByte
	eachLower  = 0x20 * eachByte
	tagFactor0 = 0x9e3779b97f4a7c15
	tagFactor1 = 0xc2b2ae3d27d4eb4f
)

// tagBytes is how much of a name goes into its tag. Longer names that begin alike
// share a tag, and are told apart by comparing them.
const tagBytes = 16

// tagOfWords hashes the first 16 bytes of a header line, or of a name, up to the
// first colon and without regard to case. It needs no more than that: the end of
// the name is not searched for while indexing.
func tagOfWords(low, high uint64) byte {
	colon := colons(low)
	low &= before(colon)
	high &= before(colons(high))
	if colon != 0 {
		high = 0
	}
	return byte(((low|eachLower)*tagFactor0 ^ (high|eachLower)*tagFactor1) >> 56)
}

// colons sets the highest bit of the first byte of w that is a colon, and perhaps
// of some behind it.
func colons(w uint64) uint64 {
	w ^= eachColon
	return (w - eachByte) &^ w & highBits
}

// before returns a mask of the bytes before the first one marked; all when none is.
func before(marks uint64) uint64 { return (marks&-marks)>>7 - 1 }

// tagAt returns the tag of the line that starts at text[off].
func tagAt(text []byte, off int) byte {
	if off+tagBytes <= len(text) {
		line := text[off : off+tagBytes]
		return tagOfWords(binary.LittleEndian.Uint64(line), binary.LittleEndian.Uint64(line[8:]))
	}
	return tagOf(string(text[off:]))
}

// tagOf returns the tag of a name.
func tagOf(name string) byte {
	if len(name) >= tagBytes {
		return tagOfWords(wordAt(name, 0), wordAt(name, 8))
	}
	if len(name) >= 8 {
		// What a word read back from the end has of the first one is shifted out, and
		// colons are put behind the name.
		over := 8 * uint(tagBytes-len(name))
		return tagOfWords(wordAt(name, 0), wordAt(name, len(name)-8)>>over|eachColon<<(64-over))
	}
	padded := [8]byte{':', ':', ':', ':', ':', ':', ':', ':'}
	copy(padded[:], name)
	return tagOfWords(binary.LittleEndian.Uint64(padded[:]), eachColon)
}

// wordAt returns the eight bytes at name[i], the first one lowest.
func wordAt(name string, i int) uint64 {
	b := name[i : i+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}
