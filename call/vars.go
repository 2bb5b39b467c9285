package call

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// setvarLimit is how many variables FreeSWITCH takes in one uuid_setvar_multi.
const setvarLimit = 60

// Set sets one channel variable; an empty value unsets it. The value is taken as
// data: FreeSWITCH does not expand it.
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
	if c.mode.Full() && c.mode.Async() {
		if len(names) == 1 && vars[names[0]] != "" {
			if err := c.api(ctx, "uuid_setvar "+c.uuid+" "+names[0]+" "+word(vars[names[0]])); err != nil {
				return err
			}
		} else if err := c.api(ctx, "uuid_setvar_multi "+c.uuid+" "+assignments(names, vars, ';')); err != nil {
			return err
		}
		c.remember(names, vars)
		return nil
	}
	if len(names) == 1 {
		// set splits at the first = and cleans nothing.
		_, err := c.execute(ctx, "set", names[0]+"="+vars[names[0]])
		return err
	}
	delim := freeDelimiter(vars)
	_, err := c.execute(ctx, "multiset", "^^"+string(delim)+assignments(names, vars, delim))
	return err
}

// assignments writes a=b;c=d for a pass that splits at delim.
func assignments(names []string, vars Vars, delim byte) string {
	pairs := make([]string, len(names))
	for i, name := range names {
		pairs[i] = escape(name+"="+vars[name], delim)
	}
	return strings.Join(pairs, string(delim))
}

// freeDelimiter picks a character that no value holds, else one that is escaped.
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

// Variable returns a channel variable as of the last event that told, or as set
// since; "" if it was not set. GetVariable asks FreeSWITCH.
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

// GetVariable asks FreeSWITCH for a channel variable: its value at this moment,
// exactly as it is; "" if it is not set. It works in every mode.
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
	var refused *esl.ReplyError
	if errors.As(err, &refused) {
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

// GetMany asks for several variables. Those that are not set are missing in the
// result.
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
