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
	out := make([]byte, 0, len(s))
	for i >= 0 {
		out = append(out, s[:i]...)
		if high, low := hexDigit(s, i+1), hexDigit(s, i+2); high >= 0 && low >= 0 {
			out = append(out, byte(high<<4|low))
			s = s[i+3:]
		} else {
			out = append(out, '%')
			s = s[i+1:]
		}
		i = strings.IndexByte(s, '%')
	}
	out = append(out, s...)
	return unsafe.String(unsafe.SliceData(out), len(out)) // out is ours and never written again
}

// hexDigit returns the value of the digit s[i], or -1 if there is none.
func hexDigit(s string, i int) int {
	if i >= len(s) {
		return -1
	}
	switch c := s[i]; {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
