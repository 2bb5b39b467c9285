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

// Vars are channel variables to set on the legs of a dial string. Names may hold
// letters, digits, "_", "-" and ".". Values may hold anything that FreeSWITCH can
// carry: commas, quotes, backslashes and spaces are escaped. Control characters,
// "${" and brackets that do not nest cannot be carried, and are an ErrUnencodable.
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

// User is a user of FreeSWITCH's directory, user/ID@DOMAIN. With an empty domain
// FreeSWITCH chooses it. An "@" in the id would choose another domain, and is an
// ErrUnencodable.
func User(id, domain string) Leg {
	whole := "user/" + id
	if domain != "" {
		whole += "@" + domain
	}
	return Endpoint(whole).without("@", "user", id).without("@", "domain", domain)
}

// Sofia is a SIP destination (NUMBER@HOST) called through a profile. A "/" in the
// profile, or a "^" or a second "@" in the destination, would call somebody else, and
// is an ErrUnencodable.
func Sofia(profile, destination string) Leg {
	number, host, _ := strings.Cut(destination, "@")
	return Endpoint("sofia/"+profile+"/"+destination).
		without("/", "profile", profile).without("^", "destination", number).without("@^", "host", host)
}

// Gateway is a number called through a gateway of mod_sofia. A "/" in the name, or
// "@", ";" or "^" in the number, would send the call elsewhere, and is an
// ErrUnencodable.
func Gateway(name, number string) Leg {
	return Endpoint("sofia/gateway/"+name+"/"+number).without("/", "gateway", name).without("@;^", "number", number)
}

// Loopback is an extension of FreeSWITCH's own dialplan. An empty context is
// "default". A "/" in either would choose another context or dialplan, and an
// extension that begins with "app=" would run an application: both are an
// ErrUnencodable.
func Loopback(extension, context string) Leg {
	if context == "" {
		context = "default"
	}
	return Endpoint("loopback/"+extension+"/"+context).
		without("/", "extension", extension).without("/", "context", context)
}

// Group is a group of the directory, group/NAME@DOMAIN. An "@" or a parenthesis in
// either would name another group or domain, and is an ErrUnencodable.
func Group(name, domain string) Leg {
	return Endpoint("group/"+name+"@"+domain).without("@()", "group", name).without("@()", "domain", domain)
}

// Endpoint is any destination, TYPE/REST, such as "sofia/internal/1000@10.0.0.1". It is
// taken as data. Characters that could make it more than one leg (commas, "|", ":_:",
// quotes, spaces, "${", brackets that do not nest) make the dial string an
// ErrUnencodable. So does a loopback that would run applications (loopback/app=, or a
// dialplan that is not XML). The separators within REST stay as they are: to build a
// destination from the input of a caller or a web form, use User, Gateway and the like.
// RawDial takes what you have written yourself.
func Endpoint(endpoint string) Leg {
	return Leg{endpoint: endpoint, err: checkEndpoint(endpoint)}
}

// With returns the leg with variables of its own ([name=value] in the dial string),
// which override those of the whole call.
func (l Leg) With(vars Vars) Leg {
	l.vars = merged(l.vars, vars)
	return l
}

// Timeout returns the leg with a limit on how long it rings (leg_timeout, in whole
// seconds, rounded up). Zero or less: no limit of its own.
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

// Dial is a dial string: legs that ring together, legs to try after them, and
// groups to try at the same time. Build it with To, Enterprise or RawDial. Methods
// return a changed copy. The zero value calls nobody, and using it is an error.
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

// To rings all legs together (","); the first to answer wins.
func To(legs ...Leg) Dial {
	return Dial{groups: []group{{steps: [][]Leg{legs}}}}
}

// Then tries further legs ("|") when none of the legs before has answered. On an
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

// Enterprise calls several dial strings at the same time (":_:"), each with its own
// variables, order and timeouts. Raw dial strings cannot be part of it.
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

// RawDial is a dial string that you have written yourself, ${…} included. Nothing
// in it is escaped; variables added by With are put in front. Never build a raw
// dial string from the input of a caller or a web form.
func RawDial(dialString string) Dial { return Dial{raw: dialString} }

// String returns the dial string for logs, or what is wrong with it. Variables are left
// out, as they can be secrets.
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
