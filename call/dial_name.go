package call

import (
	"slices"
	"strings"

	"github.com/genesis-esl/genesis/esl"
)

// namedLegs is a dial string whose legs can be found again.
type namedLegs struct {
	dial  Dial
	uuids []string // one for each leg
	mark  string   // value of markVariable on all legs, where they cannot be named
	cause Cause    // to end them with; empty to find one
}

// markVariable marks the legs of a raw dial string.
const markVariable = "genesis_originate"

// hupall is the api command that ends the marked legs.
func (n namedLegs) hupall(cause Cause) string {
	return "hupall " + string(cause) + " " + markVariable + " " + n.mark
}

// WithUUID returns the dial string with a Unique-ID for its leg (origination_uuid).
// It is for dial strings of one leg, as several cannot share a Unique-ID.
func (d Dial) WithUUID(uuid string) Dial {
	if len(d.groups) == 1 && len(d.groups[0].steps) == 1 && len(d.groups[0].steps[0]) == 1 {
		leg := d.groups[0].steps[0][0].UUID(uuid)
		d.groups = slices.Clone(d.groups)
		d.groups[0].steps = [][]Leg{{leg}}
		return d
	}
	return d.With(Vars{"origination_uuid": uuid})
}

// name gives every leg a Unique-ID that has none.
func (d Dial) name() namedLegs {
	if d.raw != "" {
		return d.nameRaw()
	}
	n := namedLegs{dial: d}
	n.dial.groups = slices.Clone(d.groups)
	for i, g := range n.dial.groups {
		steps := make([][]Leg, len(g.steps))
		for j, legs := range g.steps {
			steps[j] = slices.Clone(legs)
			for l, leg := range legs {
				uuid := leg.vars["origination_uuid"]
				if uuid == "" {
					uuid = esl.NewUUID()
					steps[j][l] = leg.UUID(uuid)
				}
				n.uuids = append(n.uuids, uuid)
			}
		}
		n.dial.groups[i].steps = steps
	}
	return n
}

// nameRaw marks a dial string that nobody here has taken apart.
func (d Dial) nameRaw() namedLegs {
	several := strings.ContainsAny(d.raw, ",|") || strings.Contains(d.raw, groupDelim)
	// A UUID that the text gives its leg itself would win over ours.
	if several || strings.Contains(d.raw, "origination_uuid") {
		mark := esl.NewUUID()
		return namedLegs{dial: d.With(Vars{markVariable: mark}), mark: mark}
	}
	uuid := d.vars["origination_uuid"]
	if uuid == "" {
		uuid = esl.NewUUID()
		d = d.With(Vars{"origination_uuid": uuid})
	}
	return namedLegs{dial: d, uuids: []string{uuid}}
}
