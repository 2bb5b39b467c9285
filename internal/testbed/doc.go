// Package testbed is what tests of several packages stand on besides the simulator (esl/esltest): a real redis-server,
// and what instruments have recorded. Only tests import it.
package testbed
