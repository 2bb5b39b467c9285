//go:build !linux

package program_test

import "os"

// roomy makes a pipe larger, which only Linux can.
func roomy(*os.File) {}
