//go:build !linux

package program

import "os"

// pipeSize is what a pipe can hold at most: nobody can change it here.
func pipeSize(*os.File) int { return usualPipe }
