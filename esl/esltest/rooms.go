package esltest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/genesis-esl/genesis/esl"
)

// room is a conference.
type room struct {
	name, profile, uuid string
	members             []*channel
}

var (
	srcRoomNew   = source{"mod_conference.c", "conference_new", "3848"}
	srcRoomEnd   = source{"mod_conference.c", "conference_thread_run", "843"}
	srcMemberAdd = source{"conference_member.c", "conference_member_add", "962"}
	srcMemberDel = source{"conference_member.c", "conference_member_del", "1172"}
	srcFloor     = source{"conference_member.c", "conference_member_set_floor_holder", "1158"}
	srcPresence  = source{"mod_conference.c", "conference_send_presence", "3870"}
)

const roomSubclass = "conference::maintenance"

// header describes the room at the front of its events.
func (r *room) header(c *core, size int) []esl.Header {
	return []esl.Header{
		{Name: "Conference-Name", Value: r.name},
		{Name: "Conference-Domain", Value: c.srv.cfg.Domain},
		{Name: "Conference-Size", Value: strconv.Itoa(size)},
		{Name: "Conference-Ghosts", Value: "0"},
		{Name: "Conference-Profile-Name", Value: r.profile},
		{Name: "Conference-Unique-ID", Value: r.uuid},
	}
}

// appConference joins a room: name@profile, with +flags and +pin ignored.
func appConference(ch *channel, arg string) string {
	arg, _, _ = strings.Cut(arg, "+")
	name, profile, _ := strings.Cut(strings.TrimSpace(arg), "@")
	if profile == "" {
		profile = "default"
	}
	c := ch.core
	r, size, created := c.join(ch, name, profile)
	if created {
		c.roomEvent(r, srcRoomNew, 0, "conference-create")
	}
	id := itoa(c.members.Add(1))
	ch.mu.Lock()
	ch.set("conference_name", r.name)
	ch.set("app_session_uuid", r.uuid)
	ch.resetReadCodec()
	ch.set("conference_member_id", id)
	ch.set("conference_moderator", "false")
	ch.set("conference_ghost", "false")
	ch.set("conference_uuid", r.uuid)
	ch.set("conference_call_key", "conference_"+r.name+"_"+c.srv.cfg.Domain+"_"+ch.profile.cidNumber)
	ch.mu.Unlock()
	ch.custom(roomSubclass, srcMemberAdd, append(r.header(c, size), floor("false")), memberState(id, "Action", "add-member")...)
	c.roomPresence(r, size)
	if created {
		ch.takeFloor(r, size, id)
	}
	ch.wait(-1, func(dtmf) bool { return false })
	ch.leaveConference(r, id)
	return ""
}

// takeFloor announces the first speaker of a room.
func (ch *channel) takeFloor(r *room, size int, id string) {
	c := ch.core
	lead := append(r.header(c, size), esl.Header{Name: "Action", Value: "floor-change"}, esl.Header{Name: "Old-ID", Value: "none"})
	lead = append(append(lead, r.header(c, size)...), floor("true"))
	ch.custom(roomSubclass, srcFloor, lead, memberState(id, "New-ID", id)...)
}

func (ch *channel) leaveConference(r *room, id string) {
	c := ch.core
	left := c.leaveRoom(ch, r)
	if left == 0 {
		c.roomEvent(r, srcFloor, 1, "floor-change", esl.Header{Name: "Old-ID", Value: "none"}, esl.Header{Name: "New-ID", Value: "none"})
		c.roomPresence(r, 0)
	}
	ch.custom(roomSubclass, srcMemberDel, append(r.header(c, left), floor("false")), memberState(id, "Action", "del-member")...)
	c.roomPresence(r, left)
	ch.mu.Lock()
	ch.set("conference_call_key", "")
	ch.resetReadCodec()
	ch.mu.Unlock()
	if left == 0 {
		c.roomEvent(r, srcRoomEnd, 0, "conference-destroy")
	}
}

// resetReadCodec announces the codec that a room reads with. The caller holds
// mu.
func (ch *channel) resetReadCodec() {
	ch.readCodec()
	ch.set("read_codec", "L16")
	ch.set("read_rate", "8000")
}

func floor(has string) esl.Header { return esl.Header{Name: "Floor", Value: has} }

// memberState describes a member behind the headers of its channel.
func memberState(id, name, value string) []esl.Header {
	return []esl.Header{
		{Name: "Video", Value: "false"}, {Name: "Hear", Value: "true"}, {Name: "See", Value: "true"},
		{Name: "Speak", Value: "true"}, {Name: "Talking", Value: "false"}, {Name: "Mute-Detect", Value: "false"},
		{Name: "Hold", Value: "false"}, {Name: "Member-ID", Value: id}, {Name: "Member-Type", Value: "member"},
		{Name: "Member-Ghost", Value: "false"}, {Name: "Energy-Level", Value: "100"},
		{Name: "Current-Energy", Value: "0"}, {Name: name, Value: value},
	}
}

func (c *core) join(ch *channel, name, profile string) (r *room, size int, created bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r = c.rooms[name]
	if r == nil {
		r = &room{name: name, profile: profile, uuid: newUUID()}
		c.rooms[name] = r
		created = true
	}
	r.members = append(r.members, ch)
	return r, len(r.members), created
}

func (c *core) leaveRoom(ch *channel, r *room) (left int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, m := range r.members {
		if m == ch {
			r.members = append(r.members[:i:i], r.members[i+1:]...)
			break
		}
	}
	if len(r.members) == 0 && c.rooms[r.name] == r {
		delete(c.rooms, r.name)
	}
	return len(r.members)
}

func (c *core) roomEvent(r *room, src source, size int, action string, trail ...esl.Header) {
	headers := append(r.header(c, size), esl.Header{Name: "Action", Value: action})
	headers = append(headers, trail...)
	if !c.wanted(evCustom, "") {
		c.seq.Add(1)
		return
	}
	c.publish(&event{id: evCustom, subclass: roomSubclass, headers: append(c.baseCustom(roomSubclass, src, len(headers)), headers...)})
}

func (c *core) roomPresence(r *room, size int) {
	headers := []esl.Header{
		{Name: "proto", Value: "conf"}, {Name: "login", Value: r.name},
		{Name: "from", Value: r.name + "@" + c.srv.cfg.Domain},
	}
	status := "Inactive"
	if size > 0 {
		status = fmt.Sprintf("Active (%d caller%s)", size, plural(size))
	}
	count := strconv.FormatInt(c.presence.Add(1), 10)
	headers = append(headers, esl.Header{Name: "event_type", Value: "presence"}, esl.Header{Name: "alt_event_type", Value: "dialog"},
		esl.Header{Name: "event_count", Value: count}, esl.Header{Name: "unique-id", Value: r.name})
	if size > 0 {
		headers = append(headers, esl.Header{Name: "force-status", Value: status}, esl.Header{Name: "channel-state", Value: "CS_ROUTING"},
			esl.Header{Name: "answer-state", Value: "early"}, esl.Header{Name: "presence-call-direction", Value: "outbound"})
	} else {
		headers = append(headers, esl.Header{Name: "force-status", Value: status}, esl.Header{Name: "channel-state", Value: "CS_HANGUP"},
			esl.Header{Name: "answer-state", Value: "terminated"}, esl.Header{Name: "call-direction", Value: "inbound"})
	}
	c.fire(evPresenceIn, srcPresence, "", headers...)
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}
