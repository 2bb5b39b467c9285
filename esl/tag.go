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
	if colon := (low ^ eachColon - eachByte) & ^(low ^ eachColon) & highBits; colon != 0 {
		low &= (colon&-colon)>>7 - 1
		high = 0
	} else if x := high ^ eachColon; (x-eachByte)&^x&highBits != 0 {
		colon := (x - eachByte) &^ x & highBits
		high &= (colon&-colon)>>7 - 1
	}
	return byte(((low|eachLower)*tagFactor0 ^ (high|eachLower)*tagFactor1) >> 56)
}

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
	padded := [tagBytes]byte{':', ':', ':', ':', ':', ':', ':', ':', ':', ':', ':', ':', ':', ':', ':', ':'}
	copy(padded[:], name)
	return tagOfWords(binary.LittleEndian.Uint64(padded[:]), binary.LittleEndian.Uint64(padded[8:]))
}
