package program

import "maps"

// ConsumerVerbs and CallVerbs return the commands and the further fields of each.
func ConsumerVerbs() map[string][]string { return maps.Clone(consumerVerbs) }

// CallVerbs is ConsumerVerbs for an outbound program.
func CallVerbs() map[string][]string { return maps.Clone(callVerbs) }

// Parse reads a line as the hosts do; ok is false for what is no command.
func Parse(call bool, line []byte) (verb string, id []byte, ok bool, err error) {
	v := consumerVerbs
	if call {
		v = callVerbs
	}
	r, err := v.parseRequest(line)
	if err == errNoRequest {
		return "", nil, false, nil
	}
	return r.verb, r.id, true, err
}

// ReadLines is readLines.
var ReadLines = readLines

// EncodeReply is encodeReply.
var EncodeReply = encodeReply

// Refuse is refuse.
var Refuse = refuse
