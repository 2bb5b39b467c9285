// Package peek lets packages of this module ask events what package esl can answer quickly.
package peek

// Channel returns what an event with a Unique-ID tells of its channel: Channel-State, Call-Direction, Answer-State and,
// of one that is hung up, Hangup-Cause, each as FreeSWITCH writes it close to the Unique-ID, or else as Get returns it.
// All are empty without a Channel-State. event is an *esl.Event. Package esl sets it.
var Channel func(event any) (state, direction, answer, cause string)
