package consumer

import (
	"strings"

	"github.com/genesis-esl/genesis/esl"
)

// route is what happens to events of one name. Nil stands for nothing.
type route struct {
	name     string
	hit      bool // handlers were registered for this very name
	handlers []*registration

	pending int // events routed since the last report; owned by the intake
}

// router finds the route of an event. Only the intake goroutine uses it.
type router struct {
	names      map[string]*route
	subclasses map[string]*route
	all        *route // events of other names; nil: none

	// learned holds routes to the "*" handlers under the names that came by, for
	// telling them apart in Hooks.
	learned map[string]*route
	touched []*route
}

// maxLearned bounds the names a peer can make us keep. FreeSWITCH has some 90.
const maxLearned = 256

// route returns where ev goes, or nil when nobody handles it.
func (r *router) route(ev *esl.Event) *route {
	name := ev.Name()
	if name == "CUSTOM" && len(r.subclasses) > 0 {
		if found := r.subclasses[ev.Subclass()]; found != nil {
			return found
		}
	}
	if found := r.names[name]; found != nil {
		return found
	}
	if r.all == nil {
		return nil
	}
	return r.learn(name)
}

func (r *router) learn(name string) *route {
	if found := r.learned[name]; found != nil {
		return found
	}
	if len(r.learned) >= maxLearned {
		return r.all
	}
	learned := *r.all
	learned.name = strings.Clone(name)
	r.learned[learned.name] = &learned
	return &learned
}

// count notes that an event went to a route.
func (r *router) count(to *route) {
	if to.pending == 0 {
		r.touched = append(r.touched, to)
	}
	to.pending++
}

// report tells the hook what was counted and starts again.
func (r *router) report(tell func(name string, hit bool, n int)) {
	for i, to := range r.touched {
		tell(to.name, to.hit, to.pending)
		to.pending = 0
		r.touched[i] = nil
	}
	r.touched = r.touched[:0]
}

// newRouter works out the handlers of every name, "*" included, in the order of
// registration.
func newRouter(registrations []*registration) *router {
	r := &router{names: map[string]*route{}, subclasses: map[string]*route{}, learned: map[string]*route{}}
	for _, reg := range registrations {
		switch {
		case isAll(reg.name):
			r.all = &route{name: "other"}
		case esl.IsEventName(reg.name):
			r.names[reg.name] = &route{name: reg.name, hit: true}
		default:
			r.subclasses[reg.name] = &route{name: reg.name, hit: true}
		}
	}
	for _, reg := range registrations {
		for _, to := range r.names {
			to.add(reg, isAll(reg.name) || reg.name == to.name)
		}
		for _, to := range r.subclasses {
			to.add(reg, isAll(reg.name) || reg.name == "CUSTOM" || reg.name == to.name)
		}
		if r.all != nil {
			r.all.add(reg, isAll(reg.name))
		}
	}
	return r
}

func isAll(name string) bool { return name == "*" || name == "ALL" }

func (to *route) add(reg *registration, applies bool) {
	if applies {
		to.handlers = append(to.handlers, reg)
	}
}
