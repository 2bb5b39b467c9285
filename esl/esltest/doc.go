// Package esltest is FreeSWITCH simulated, in the manner of net/http/httptest:
// a real TCP server that speaks the event socket in both directions and runs
// calls behind it.
package esltest
