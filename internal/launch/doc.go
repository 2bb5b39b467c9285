// Package launch finds out what a path on the command line is, builds it when it is Go source, and runs it as a
// child that stands in for the command: signals go to it, its exit code comes back.
package launch
