//go:build !amd64 || purego

package esl

// slack is how many bytes behind what they search quick searches may read.
const slack = 0

// firstLines is how many lines are indexed at first, whichever is asked for.
const firstLines = 0

// bulkLines leaves all lines to lines.
func (w *indexWriter) bulkLines() (enough bool) { return false }

// quickLookup leaves all look-ups to lookup.
func (b *block) quickLookup(string) (value string, ok, sure bool) { return "", false, false }
