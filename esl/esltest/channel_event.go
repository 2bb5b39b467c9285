package esltest

import (
	"strconv"

	"github.com/genesis-esl/genesis/esl"
)

var stateNumbers = [...]string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13"}

// fire makes an event of the channel and sends it to those who want it. lead
// stands before the channel's own headers. The caller holds mu, so that a
// channel's events go out in the order in which they happen.
func (ch *channel) fire(id eventID, src source, lead []esl.Header, trail ...esl.Header) {
	c := ch.core
	ch.noteChange()
	if !c.wanted(id, ch.uuid) {
		c.seq.Add(1)
		return
	}
	h := c.base(id, src, len(lead)+len(trail)+60+len(ch.vars))
	h = append(h, lead...)
	h = ch.appendData(h, id)
	h = append(h, trail...)
	c.publish(&event{id: id, uuid: ch.uuid, headers: h})
}

// appendData appends what FreeSWITCH puts in an event of the channel.
func (ch *channel) appendData(h []esl.Header, id eventID) []esl.Header {
	h = ch.appendState(h)
	if ch.state > csNew {
		h = ch.appendProfile(h, &callerNames)
	}
	h = append(h, ch.otherLeg...)
	if !basicEvents.has(id) || ch.core.srv.cfg.VerboseEvents {
		h = append(h, ch.vars...)
	}
	return h
}

func (ch *channel) appendState(h []esl.Header) []esl.Header {
	add := func(name, value string) { h = append(h, esl.Header{Name: name, Value: value}) }
	add("Channel-State", stateNames[ch.running])
	add("Channel-Call-State", callStateNames[ch.callState])
	add("Channel-State-Number", stateNumbers[ch.state])
	add("Channel-Name", ch.name)
	add("Unique-ID", ch.uuid)
	add("Call-Direction", ch.profile.direction)
	add("Presence-Call-Direction", ch.profile.direction)
	add("Channel-HIT-Dialplan", strconv.FormatBool(ch.hit))
	callUUID := ch.uuid
	if ch.otherUUID != "" && ch.profile.direction == outboundCall {
		callUUID = ch.otherUUID
	}
	add("Channel-Call-UUID", callUUID)
	add("Answer-State", ch.answerState())
	if ch.cause != "" {
		add("Hangup-Cause", ch.cause)
	}
	if ch.codecs > 0 {
		add("Channel-Read-Codec-Name", "L16")
		add("Channel-Read-Codec-Rate", "8000")
		add("Channel-Read-Codec-Bit-Rate", "128000")
	}
	if ch.codecs > 1 {
		add("Channel-Write-Codec-Name", "L16")
		add("Channel-Write-Codec-Rate", "8000")
		add("Channel-Write-Codec-Bit-Rate", "128000")
	}
	return h
}

func (ch *channel) answerState() string {
	switch {
	case ch.cause != "":
		return "hangup"
	case ch.answered:
		return "answered"
	case ch.early:
		return "early"
	default:
		return "ringing"
	}
}

// profileNames are the header names of a profile under one prefix.
type profileNames [34]string

var (
	callerNames  = namesUnder("Caller-")
	channelNames = namesUnder("Channel-")
	otherNames   = namesUnder("Other-Leg-")
)

func namesUnder(prefix string) (names profileNames) {
	for i, name := range [...]string{
		"Direction", "Logical-Direction", "Dialplan", "Caller-ID-Name", "Caller-ID-Number",
		"Orig-Caller-ID-Name", "Orig-Caller-ID-Number", "Callee-ID-Name", "Callee-ID-Number",
		"Network-Addr", "ANI", "Destination-Number", "Unique-ID", "Source", "Context", "RDNIS",
		"Channel-Name", "Profile-Index", "Profile-Created-Time", "Channel-Created-Time",
		"Channel-Answered-Time", "Channel-Progress-Time", "Channel-Progress-Media-Time",
		"Channel-Hangup-Time", "Channel-Transfer-Time", "Channel-Resurrect-Time",
		"Channel-Bridged-Time", "Channel-Last-Hold", "Channel-Hold-Accum", "Screen-Bit",
		"Privacy-Hide-Name", "Privacy-Hide-Number",
	} {
		names[i] = prefix + name
	}
	return names
}

func (ch *channel) appendProfile(h []esl.Header, names *profileNames) []esl.Header {
	p := &ch.profile
	values := [...]string{
		p.direction, p.direction, p.dialplan, p.cidName, p.cidNumber,
		p.origName, p.origNumber, p.calleeName, p.calleeNumber,
		p.network, p.ani, p.dest, ch.uuid, p.source, p.context, p.rdnis,
		ch.name, "1", p.created, p.chanCreated,
		p.answered, p.progress, p.progressMedia,
		p.hangup, p.transfer, "0",
		p.bridged, p.lastHold, p.holdAccum, "true",
		"false", "false",
	}
	for i, value := range values {
		if value != "" {
			h = append(h, esl.Header{Name: names[i], Value: value})
		}
	}
	return h
}

// asOther returns the channel as the leg it is bridged to shows it.
func (ch *channel) asOther() []esl.Header {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	kind := "originatee"
	if ch.profile.direction == inboundCall {
		kind = "originator"
	}
	return ch.appendProfile([]esl.Header{{Name: "Other-Type", Value: kind}}, &otherNames)
}

// connectReply is the answer to an outbound socket's connect.
func (ch *channel) connectReply(dst []byte, mode socketMode) []byte {
	ch.mu.Lock()
	h := ch.core.base(evChannelData, srcConnect, 100+len(ch.vars))
	h = ch.appendProfile(h, &channelNames)
	h = ch.appendData(h, evChannelData)
	ch.mu.Unlock()
	h = append(h,
		esl.Header{Name: "Content-Type", Value: "command/reply"},
		esl.Header{Name: "Reply-Text", Value: "+OK\n"},
		esl.Header{Name: "Socket-Mode", Value: mode.word()},
		esl.Header{Name: "Control", Value: mode.control()},
	)
	return esl.AppendConnectReply(dst, h)
}

// dump is the channel as uuid_dump prints it.
func (ch *channel) dump() []esl.Header {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.appendData(ch.core.base(evChannelData, srcDump, 60+len(ch.vars)), evChannelData)
}
