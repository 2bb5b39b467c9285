package esltest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// room is a conference.
type room struct {
	name, profile, uuid string
	members             []*channel
	presence            int
}

var (
	srcRoomNew    = source{"mod_conference.c", "conference_new", "3848"}
	srcRoomEnd    = source{"mod_conference.c", "conference_thread_run", "843"}
	srcMemberAdd  = source{"conference_member.c", "conference_member_add", "962"}
	srcMemberDel  = source{"conference_member.c", "conference_member_del", "1172"}
	srcMemberDTMF = source{"conference_loop.c", "conference_loop_input", "1013"}
	srcPresence   = source{"mod_conference.c", "conference_send_presence", "3870"}
	srcPresenceUp = source{"mod_conference.c", "conference_send_presence", "3908"}
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
	ch.mu.Lock()
	ch.codecs = 2
	ch.readCodec()
	read, _ := ch.get("read_codec")
	member := int(c.members.Add(1))
	id := strconv.Itoa(member)
	ch.mu.Unlock()
	ch.memberEvent(r, srcMemberAdd, size, id, "add-member")
	c.roomPresence(r, size)
	ch.mu.Lock()
	ch.set("conference_name", r.name)
	ch.set("app_session_uuid", r.uuid)
	ch.set("conference_member_id", id)
	ch.set("conference_moderator", "false")
	ch.set("conference_ghost", "false")
	ch.set("conference_uuid", r.uuid)
	ch.mu.Unlock()
	joined := time.Now()
	ch.wait(-1, func(d dtmf) bool {
		ch.memberEvent(r, srcMemberDTMF, size, id, "dtmf-member",
			esl.Header{Name: "DTMF-Key", Value: string(d.digit)}, esl.Header{Name: "Data", Value: ""})
		return false
	})
	_ = joined
	left := c.leaveRoom(ch, r)
	ch.memberEvent(r, srcMemberDel, left, id, "del-member")
	if left == 0 {
		c.roomPresence(r, 0)
	}
	ch.mu.Lock()
	ch.set("read_codec", read)
	ch.set("read_rate", "8000")
	ch.readCodec()
	ch.mu.Unlock()
	if left == 0 {
		c.roomEvent(r, srcRoomEnd, 0, "conference-destroy")
	}
	return ""
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

func (c *core) roomEvent(r *room, src source, size int, action string) {
	headers := append([]esl.Header{{Name: "Event-Subclass", Value: roomSubclass}}, r.header(c, size)...)
	headers = append(headers, esl.Header{Name: "Action", Value: action})
	if !c.wanted(evCustom, "") {
		c.seq.Add(1)
		return
	}
	c.publish(&event{id: evCustom, subclass: roomSubclass, headers: append(c.base(evCustom, src, len(headers)), headers...)})
}

func (ch *channel) memberEvent(r *room, src source, size int, id, action string, trail ...esl.Header) {
	lead := append(r.header(ch.core, size), esl.Header{Name: "Floor", Value: "false"})
	all := append([]esl.Header{
		{Name: "Video", Value: "false"}, {Name: "Hear", Value: "true"}, {Name: "See", Value: "true"},
		{Name: "Speak", Value: "true"}, {Name: "Talking", Value: "false"}, {Name: "Mute-Detect", Value: "false"},
		{Name: "Hold", Value: "false"}, {Name: "Member-ID", Value: id}, {Name: "Member-Type", Value: "member"},
		{Name: "Member-Ghost", Value: "false"}, {Name: "Energy-Level", Value: "100"},
		{Name: "Current-Energy", Value: "0"}, {Name: "Action", Value: action},
	}, trail...)
	ch.custom(roomSubclass, src, lead, all...)
}

func (c *core) roomPresence(r *room, size int) {
	headers := []esl.Header{
		{Name: "proto", Value: "conf"}, {Name: "login", Value: r.name},
		{Name: "from", Value: r.name + "@" + c.srv.cfg.Domain},
	}
	src := srcPresenceUp
	status := "Inactive"
	if size > 0 {
		src = srcPresence
		status = fmt.Sprintf("Active (%d caller%s)", size, plural(size))
	}
	count := strconv.FormatInt(c.presence.Add(1), 10)
	headers = append(headers, esl.Header{Name: "event_type", Value: "presence"}, esl.Header{Name: "alt_event_type", Value: "dialog"},
		esl.Header{Name: "event_count", Value: count}, esl.Header{Name: "unique-id", Value: r.name})
	if size > 0 {
		headers = append(headers, esl.Header{Name: "force-status", Value: status}, esl.Header{Name: "channel-state", Value: "CS_ROUTING"},
			esl.Header{Name: "answer-state", Value: "early"}, esl.Header{Name: "presence-call-direction", Value: "outbound"})
	} else {
		headers = append(headers, esl.Header{Name: "force-status", Value: status}, esl.Header{Name: "rpid", Value: "unknown"},
			esl.Header{Name: "answer-state", Value: "terminated"}, esl.Header{Name: "call-direction", Value: "inbound"})
	}
	c.fire(evPresenceIn, src, "", headers...)
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}
