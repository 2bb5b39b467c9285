// Package watch tells when files below a directory change, for restarting what
// they make up while it is being worked on. It follows new directories, leaves
// out version control, dependencies and build output, and waits until an editor
// or a tool is done writing.
package watch
