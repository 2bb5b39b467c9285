package esltest

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// dialplan is the compiled form of Config's extensions and endpoints.
type dialplan struct {
	extensions []compiledExtension
	endpoints  []compiledEndpoint
}

type compiledExtension struct {
	re      *regexp.Regexp
	name    string
	actions []Action
}

type compiledEndpoint struct {
	re *regexp.Regexp
	Endpoint
}

func newDialplan(cfg *Config) (*dialplan, error) {
	p := &dialplan{}
	for _, ext := range slices.Concat(cfg.Extensions, DefaultExtensions()) {
		re, err := regexp.Compile(ext.Match)
		if err != nil {
			return nil, fmt.Errorf("esltest: extension %q: %w", ext.Match, err)
		}
		p.extensions = append(p.extensions, compiledExtension{re, cmp.Or(ext.Name, ext.Match), ext.Actions})
	}
	for _, ep := range cfg.Endpoints {
		re, err := regexp.Compile(ep.Match)
		if err != nil {
			return nil, fmt.Errorf("esltest: endpoint %q: %w", ep.Match, err)
		}
		p.endpoints = append(p.endpoints, compiledEndpoint{re, ep})
	}
	return p, nil
}

// route returns the extension for a destination, its actions filled in, and what
// the groups of its expression matched; nil when there is none.
func (p *dialplan) route(dest string) (found *compiledExtension, match string) {
	for i := range p.extensions {
		ext := &p.extensions[i]
		m := ext.re.FindStringSubmatchIndex(dest)
		if m == nil {
			continue
		}
		actions := slices.Clone(ext.actions)
		for j := range actions {
			if strings.Contains(actions[j].Data, "$") && !strings.Contains(actions[j].Data, "${") {
				actions[j].Data = string(ext.re.ExpandString(nil, actions[j].Data, dest, m))
			}
		}
		if groups := ext.re.FindStringSubmatch(dest); len(groups) > 1 {
			match = "ARRAY::" + strings.Join(groups, "|:")
		}
		return &compiledExtension{ext.re, ext.name, actions}, match
	}
	return nil, ""
}

// endpoint tells how an address behaves.
func (p *dialplan) endpoint(addr string) Endpoint {
	for i := range p.endpoints {
		if p.endpoints[i].re.MatchString(addr) {
			return p.endpoints[i].Endpoint
		}
	}
	return DefaultEndpoint(addr)
}

// DefaultEndpoint tells how an address behaves that no Config.Endpoints matches:
// error/CAUSE refuses with that cause; an address with "busy", "noanswer" or
// "reject" in it does what that says; any other one rings and answers at once.
func DefaultEndpoint(addr string) Endpoint {
	kind, rest, _ := strings.Cut(addr, "/")
	lower := strings.ToLower(rest)
	switch {
	case kind == "error":
		return Endpoint{Cause: causeName(rest)}
	case strings.Contains(lower, "busy"):
		return Endpoint{Cause: "USER_BUSY"}
	case strings.Contains(lower, "noanswer"):
		return Endpoint{Answer: -time.Second}
	case strings.Contains(lower, "reject"):
		return Endpoint{Cause: "CALL_REJECTED"}
	}
	return Endpoint{}
}
