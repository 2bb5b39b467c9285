// Package testbed is what tests of several packages stand on besides the simulator (esl/esltest): a real redis-server, TLS,
// several processors, what instruments have recorded and what was logged. Only tests import it.
package testbed
