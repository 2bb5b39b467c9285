// Package security holds tests of what SECURITY.md says that take more than one package: TLS to the outbound server, and
// what the token of the observability server guards in an app as it is run. There is nothing to import.
package security
