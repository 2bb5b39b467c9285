//go:build !amd64 || purego

package esl

// seeks is whether a name can be looked for in the text.
const seeks = false

// keepWhole leaves all texts to keep.
func (b *block) keepWhole([]byte) bool { return false }

// seek leaves all look-ups to the index.
func (b *block) seek(string) (value string, ok, sure bool) { return "", false, false }

// seekBetween leaves all look-ups to the index.
func (b *block) seekBetween(string, int, int) (value string, off int) { return "", -1 }
