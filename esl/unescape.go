package esl

import (
	"strings"
	"unsafe"
)

// unescape undoes FreeSWITCH's URL encoding: %XX only. A plus stays a plus, and a
// percent sign that no two hexadecimal digits follow stays as it is. A value
// without a percent sign is returned as it came.
func unescape(s string) string {
	i := strings.IndexByte(s, '%')
	if i < 0 {
		return s
	}
	// Of the size that it takes when every percent sign is an escape, as usual.
	out := make([]byte, 0, max(i, len(s)-2*strings.Count(s[i:], "%")))
	out = append(out, s[:i]...)
	for i < len(s) {
		c := s[i]
		i++
		if c == '%' && i+1 < len(s) {
			if value := hexValues[s[i]]<<4 | hexValues[s[i+1]]; value <= 0xff {
				c = byte(value)
				i += 2
			}
		}
		out = append(out, c)
	}
	return unsafe.String(unsafe.SliceData(out), len(out)) // out is ours and never written again
}

// hexValues holds the value of each hexadecimal digit; of other bytes one that is
// too large for a digit.
var hexValues = func() (digits [256]uint16) {
	for i := range digits {
		digits[i] = 0x100
	}
	for i, c := range []byte("0123456789abcdef") {
		digits[c] = uint16(i)
		digits[strings.ToUpper(string(c))[0]] = uint16(i)
	}
	return digits
}()
