// Package chaos holds the tests that let everything go wrong at once: a client, a
// simulated FreeSWITCH behind a proxy that misbehaves, load from both sides, and
// invariants that must hold whatever happens. It ships nothing.
//
// The seed is printed. CHAOS_SEED repeats a run, CHAOS_CUTS sets its length.
package chaos
