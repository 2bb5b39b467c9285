package call

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// Vars are channel variables to be set on the legs of a dial string. Names may
// hold letters, digits, "_", "-" and "."; values anything that FreeSWITCH can
// carry: commas, quotes, backslashes and spaces are escaped. What it cannot carry
// is an ErrUnencodable: control characters, "${", and brackets that do not nest.
// Line breaks are an esl.ErrInjection. FreeSWITCH ignores a variable whose value is
// empty.
type Vars map[string]string

// Leg is one destination of a dial string. The zero value is not one: make it
// with User, Sofia, Gateway, Loopback, Group or Endpoint. Methods return a changed copy.
type Leg struct {
	endpoint string
	vars     Vars
	err      error
}

// User is a user of FreeSWITCH's directory, user/ID@DOMAIN. An empty domain is
// left to FreeSWITCH; an id with an "@" in it, which would choose another one, is an
// ErrUnencodable.
func User(id, domain string) Leg {
	whole := "user/" + id
	if domain != "" {
		whole += "@" + domain
	}
	return Endpoint(whole).without("@", "user", id).without("@", "domain", domain)
}

// Sofia is a SIP destination (NUMBER@HOST) called through a profile. A "/" in the
// profile, a "^" in the destination and a second "@" in it, which would call somebody
// else, are an ErrUnencodable.
func Sofia(profile, destination string) Leg {
	number, host, _ := strings.Cut(destination, "@")
	return Endpoint("sofia/"+profile+"/"+destination).
		without("/", "profile", profile).without("^", "destination", number).without("@^", "host", host)
}

// Gateway is a number called through a gateway of mod_sofia. A "/" in the name, and
// "@", ";" or "^" in the number, with which the call would go somewhere else, are an
// ErrUnencodable.
func Gateway(name, number string) Leg {
	return Endpoint("sofia/gateway/"+name+"/"+number).without("/", "gateway", name).without("@;^", "number", number)
}

// Loopback is an extension of FreeSWITCH's own dialplan. An empty context is
// "default". A "/" in either, which would choose another context or dialplan, and an
// extension that begins with "app=", which would run an application, are an
// ErrUnencodable.
func Loopback(extension, context string) Leg {
	if context == "" {
		context = "default"
	}
	return Endpoint("loopback/"+extension+"/"+context).
		without("/", "extension", extension).without("/", "context", context)
}

// Group is a group of the directory, group/NAME@DOMAIN. An "@" or a parenthesis in
// either, with which it would be another group or domain, is an ErrUnencodable.
func Group(name, domain string) Leg {
	return Endpoint("group/"+name+"@"+domain).without("@()", "group", name).without("@()", "domain", domain)
}

// Endpoint is any destination, TYPE/REST, such as "sofia/internal/1000@10.0.0.1".
// It is taken as data: characters with which it could become more than one leg
// (commas, "|", ":_:", quotes, spaces, "${", brackets that do not nest) make the dial
// string an ErrUnencodable, and so does a loopback that would run applications
// (loopback/app=, or a dialplan that is not XML). What separates the parts of REST
// stays as it is: to put them together from what a caller or a web form said, use User,
// Gateway and the like. RawDial takes what you have written yourself.
func Endpoint(endpoint string) Leg {
	return Leg{endpoint: endpoint, err: checkEndpoint(endpoint)}
}

// With returns the leg with variables of its own ([name=value] in the dial
// string), over those of the whole call.
func (l Leg) With(vars Vars) Leg {
	l.vars = merged(l.vars, vars)
	return l
}

// Timeout returns the leg with a limit to how long it rings (leg_timeout, in
// whole seconds, rounded up). Zero or less: no limit of its own.
func (l Leg) Timeout(d time.Duration) Leg { return l.seconds("leg_timeout", d) }

// Delay returns the leg with a wait before it starts to ring (leg_delay_start, in
// whole seconds, rounded up).
func (l Leg) Delay(d time.Duration) Leg { return l.seconds("leg_delay_start", d) }

// UUID returns the leg with a channel id of your choosing (origination_uuid).
func (l Leg) UUID(uuid string) Leg { return l.With(Vars{"origination_uuid": uuid}) }

// String returns the endpoint, without variables, for logs.
func (l Leg) String() string { return l.endpoint }

func (l Leg) seconds(name string, d time.Duration) Leg {
	if d <= 0 {
		return l
	}
	return l.With(Vars{name: wholeSeconds(d)})
}

func wholeSeconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// Dial is a dial string: legs that ring together, others to try after them, and
// groups that are tried at the same time. Methods return a changed copy; the zero
// value calls nobody and is an error. Build it with Dial's constructors, To,
// Enterprise and RawDial.
type Dial struct {
	raw    string
	vars   Vars // of an enterprise originate, for all groups
	groups []group
	err    error
}

// group is what stands between two ":_:".
type group struct {
	vars  Vars
	steps [][]Leg
}

// To rings all legs together; the first to answer wins (",").
func To(legs ...Leg) Dial {
	return Dial{groups: []group{{steps: [][]Leg{legs}}}}
}

// Then tries further legs when none of those before has answered ("|"). On an
// enterprise dial string it adds to the last group.
func (d Dial) Then(legs ...Leg) Dial {
	if len(d.groups) == 0 {
		d.groups = To(legs...).groups
		return d
	}
	d.groups = slices.Clone(d.groups)
	last := &d.groups[len(d.groups)-1]
	last.steps = append(slices.Clone(last.steps), legs)
	return d
}

// With sets variables on all legs ({name=value}, or <name=value> for an enterprise
// dial string).
func (d Dial) With(vars Vars) Dial {
	if len(d.groups) == 1 {
		d.groups = slices.Clone(d.groups)
		d.groups[0].vars = merged(d.groups[0].vars, vars)
		return d
	}
	d.vars = merged(d.vars, vars)
	return d
}

// under sets variables that those of the dial string itself go over.
func (d Dial) under(vars Vars) Dial {
	if len(d.groups) == 1 {
		d.groups = slices.Clone(d.groups)
		d.groups[0].vars = merged(vars, d.groups[0].vars)
		return d
	}
	d.vars = merged(vars, d.vars)
	return d
}

// Enterprise calls several dial strings at the same time, each with its own
// variables, order and timeouts (":_:"). Raw dial strings cannot be part of it.
func Enterprise(dials ...Dial) Dial {
	var out Dial
	for _, d := range dials {
		if d.raw != "" {
			out.err = fmt.Errorf("call: a raw dial string cannot be one of several groups: %w", ErrUnencodable)
			return out
		}
		for _, g := range d.groups {
			g.vars = merged(d.vars, g.vars)
			out.groups = append(out.groups, g)
		}
	}
	return out
}

// RawDial is a dial string you have written yourself, ${…} and all. Nothing in it
// is escaped; variables given With it are put in front. Never put together a raw
// dial string from what a caller or a web form said.
func RawDial(dialString string) Dial { return Dial{raw: dialString} }

// String returns whom it calls, or what is wrong with it, for logs: the dial string
// without its variables, for these can be secrets.
func (d Dial) String() string {
	s, err := d.bare().Encode()
	if err != nil {
		return "!" + err.Error()
	}
	return s
}

// bare returns the dial string without variables.
func (d Dial) bare() Dial {
	d.vars, d.raw = nil, withoutVars(d.raw)
	d.groups = slices.Clone(d.groups)
	for i, g := range d.groups {
		steps := make([][]Leg, len(g.steps))
		for j, legs := range g.steps {
			steps[j] = slices.Clone(legs)
			for k := range steps[j] {
				steps[j][k].vars = nil
			}
		}
		d.groups[i] = group{steps: steps}
	}
	return d
}

// Encode returns the dial string as the bridge application takes it.
func (d Dial) Encode() (string, error) {
	if d.err != nil {
		return "", d.err
	}
	if d.raw != "" {
		return d.encodeRaw()
	}
	var b strings.Builder
	if len(d.groups) == 0 {
		return "", fmt.Errorf("call: empty dial string: %w", ErrUnencodable)
	}
	head, err := encodeVars(d.vars, '<', '>')
	if err != nil {
		return "", err
	}
	b.WriteString(head)
	for i, g := range d.groups {
		if i > 0 {
			b.WriteString(groupDelim)
		}
		s, err := g.encode(len(d.groups) == 1)
		if err != nil {
			return "", err
		}
		b.WriteString(s)
	}
	s := b.String()
	if strings.Count(s, groupDelim) != len(d.groups)-1 {
		return "", fmt.Errorf("call: dial string would gain a group: %w", ErrUnencodable)
	}
	return s, nil
}

func (d Dial) encodeRaw() (string, error) {
	if strings.ContainsAny(d.raw, "\r\n") {
		return "", fmt.Errorf("call: dial string holds a line break: %w", esl.ErrInjection)
	}
	head, err := encodeVars(d.vars, '{', '}')
	if err != nil {
		return "", err
	}
	return head + d.raw, nil
}

func merged(base, over Vars) Vars {
	if len(over) == 0 {
		return base
	}
	out := make(Vars, len(base)+len(over))
	maps.Copy(out, base)
	maps.Copy(out, over)
	return out
}
