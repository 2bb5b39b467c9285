package call

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// setvarLimit is how many variables FreeSWITCH takes in one uuid_setvar_multi.
const setvarLimit = 60

// Set sets a channel variable; an empty value unsets it. The value is data:
// FreeSWITCH does not expand it.
func (c *Channel) Set(ctx context.Context, name, value string) error {
	return c.SetMany(ctx, Vars{name: value})
}

// SetMany sets channel variables, in one command where FreeSWITCH can. Empty values
// unset.
func (c *Channel) SetMany(ctx context.Context, vars Vars) (err error) {
	ctx, done := c.begin(ctx, opSet)
	defer func() { done(err) }()
	if err := c.ready(ctx); err != nil || len(vars) == 0 {
		return err
	}
	names := slices.Sorted(maps.Keys(vars))
	for _, name := range names {
		if err := checkName(name); err != nil {
			return err
		}
		if err := checkData("variable "+name, vars[name]); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(names, setvarLimit) {
		if err := c.setSome(ctx, some, vars); err != nil {
			return err
		}
	}
	return nil
}

// setSome sets by api command where that is allowed, as it does not wait for the
// application that runs, and by application elsewhere.
func (c *Channel) setSome(ctx context.Context, names []string, vars Vars) error {
	full := c.mode.Full() && c.mode.Async()
	delim := byte(';') // the one uuid_setvar_multi knows
	if !full {
		delim = freeDelimiter(vars)
	}
	var together []string
	for _, name := range names {
		pair := name + "=" + vars[name]
		if strings.IndexByte(pair, delim) < 0 && unquoted(pair) && len(names) > 1 {
			together = append(together, pair)
			continue
		}
		if err := c.setOne(ctx, full, name, vars[name]); err != nil {
			return err
		}
	}
	if len(together) > 0 {
		if err := c.setTogether(ctx, full, strings.Join(together, string(delim)), delim); err != nil {
			return err
		}
	}
	if full {
		c.remember(names, vars)
	}
	return nil
}

func (c *Channel) setOne(ctx context.Context, full bool, name, value string) error {
	switch {
	case !full: // splits at the first = and cleans nothing
		_, err := c.execute(ctx, "set", name+"="+value)
		return err
	case value == "":
		return c.api(ctx, "uuid_setvar "+c.uuid+" "+name)
	case unquoted(value): // what is left of the line, spaces and all
		return c.api(ctx, "uuid_setvar "+c.uuid+" "+name+" "+value)
	default:
		return c.api(ctx, "uuid_setvar "+c.uuid+" "+name+" "+escape(value, 0))
	}
}

func (c *Channel) setTogether(ctx context.Context, full bool, pairs string, delim byte) error {
	if full {
		return c.api(ctx, "uuid_setvar_multi "+c.uuid+" "+pairs)
	}
	_, err := c.execute(ctx, "multiset", "^^"+string(delim)+pairs)
	return err
}

// freeDelimiter picks a character that no value holds, if there is one.
func freeDelimiter(vars Vars) byte {
	for _, d := range []byte(";!~#|") {
		free := true
		for _, value := range vars {
			free = free && strings.IndexByte(value, d) < 0
		}
		if free {
			return d
		}
	}
	return ';'
}

// remember keeps what was set until an event tells.
func (c *Channel) remember(names []string, vars Vars) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.set == nil {
		c.set = make(map[string]string, len(names))
	}
	c.setAt = time.Now()
	for _, name := range names {
		c.set[name] = vars[name]
	}
}

// Variable returns the last known value of a channel variable, from events or from
// Set; "" if it was not set. GetVariable asks FreeSWITCH.
func (c *Channel) Variable(name string) string {
	c.mu.Lock()
	value, ok := c.set[name]
	data := c.data
	c.mu.Unlock()
	if ok || data == nil {
		return value
	}
	return data.Variable(name)
}

// GetVariable asks FreeSWITCH for the present value of a channel variable, exactly
// as it is; "" if it is not set. It works in every mode.
func (c *Channel) GetVariable(ctx context.Context, name string) (value string, err error) {
	ctx, done := c.begin(ctx, opGet)
	defer func() { done(err) }()
	if err := checkName(name); err != nil {
		return "", err
	}
	if err := c.ready(ctx); err != nil {
		return "", err
	}
	if c.mode == Remote {
		return c.remoteVariable(ctx, name)
	}
	reply, err := c.t.Send(ctx, esl.Line("getvar "+name))
	if isRefused(err) {
		return "", nil // so FreeSWITCH says that it is not set (recording h1_async_full)
	}
	if err != nil {
		return "", c.explain(ctx, err)
	}
	return strings.Clone(reply.Text()), nil
}

func (c *Channel) remoteVariable(ctx context.Context, name string) (string, error) {
	out, err := c.t.API(ctx, "uuid_getvar "+c.uuid+" "+name)
	if err != nil {
		return "", c.explain(ctx, err)
	}
	if out = strings.TrimSuffix(out, "\n"); out == "_undef_" {
		return "", nil
	}
	return strings.Clone(out), nil
}

// GetMany asks FreeSWITCH for several variables. Those that are not set are missing
// in the result.
func (c *Channel) GetMany(ctx context.Context, names ...string) (Vars, error) {
	vars := make(Vars, len(names))
	for _, name := range names {
		value, err := c.GetVariable(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("call: variable %s: %w", name, err)
		}
		if value != "" {
			vars[name] = value
		}
	}
	return vars, nil
}
