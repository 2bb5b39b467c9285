//go:build !amd64 || purego

package esl

const linesSlack = 0

// bulkLines leaves all lines to lines.
func (w *indexWriter) bulkLines() (enough bool) { return false }
