package program

import (
	"context"
	"encoding/json"

	"github.com/genesis-esl/genesis/call"
)

// operation is a verb of an outbound program.
type operation struct {
	do     func(ctx context.Context, v *visit, r request) (any, error)
	fields []string // besides timeout
}

// operations are what an outbound program can ask for, by the names of the
// library's methods.
var operations = map[string]operation{
	"answer":       simple((*call.Channel).Answer),
	"pre_answer":   simple((*call.Channel).PreAnswer),
	"ring_ready":   simple((*call.Channel).RingReady),
	"park":         simple((*call.Channel).Park),
	"hold":         simple((*call.Channel).Hold),
	"unhold":       simple((*call.Channel).Unhold),
	"break":        simple((*call.Channel).Break),
	"wait_answer":  simple((*call.Channel).WaitAnswer),
	"start_record": withText((*call.Channel).StartRecord),
	"stop_record":  withText((*call.Channel).StopRecord),
	"resume":       {do: resume},
	"execute":      {do: execute, fields: []string{"args"}},
	"hangup":       {do: hangup, fields: []string{"now"}},
	"get":          {do: get},
	"set":          {do: set},
	"playback":     {do: playback},
	"digits":       {do: digits},
	"say":          {do: say},
	"speak":        {do: speak},
	"record":       {do: record},
	"sleep":        {do: sleep},
	"send_dtmf":    {do: sendDTMF, fields: []string{"duration"}},
	"bridge":       {do: bridge},
	"transfer":     {do: transfer},
	"conference":   {do: conference},
	"log":          {do: logLine, fields: []string{"level"}},
	"wait":         {do: wait},
	"api":          {do: api},
	"bgapi":        {do: bgapi},
	"command":      {do: command, fields: []string{"headers", "body"}},
}

// callVerbs are their names and fields.
var callVerbs = verbsOf(operations)

func verbsOf(operations map[string]operation) verbs {
	v := verbs{}
	for name, op := range operations {
		v[name] = append(op.fields, "timeout")
	}
	return v
}

// simple is a method without arguments, written as {"answer": true}.
func simple(method func(*call.Channel, context.Context) error) operation {
	return operation{do: func(ctx context.Context, v *visit, r request) (any, error) {
		if err := r.yes(); err != nil {
			return nil, err
		}
		return nil, method(v.s.Channel, ctx)
	}}
}

// withText is a method with one string.
func withText(method func(*call.Channel, context.Context, string) error) operation {
	return operation{do: func(ctx context.Context, v *visit, r request) (any, error) {
		text, err := r.text()
		if err != nil {
			return nil, err
		}
		return nil, method(v.s.Channel, ctx, text)
	}}
}

func resume(ctx context.Context, v *visit, r request) (any, error) {
	if err := r.yes(); err != nil {
		return nil, err
	}
	return nil, v.s.Resume(ctx)
}

func execute(ctx context.Context, v *visit, r request) (any, error) {
	app, err := r.text()
	if err != nil {
		return nil, err
	}
	var args string
	if err := r.field("args", &args); err != nil {
		return nil, err
	}
	ev, err := v.s.Execute(ctx, app, args)
	if err != nil {
		return nil, err
	}
	return map[string]string{"response": ev.Get("Application-Response")}, nil
}

func hangup(ctx context.Context, v *visit, r request) (any, error) {
	var cause string
	if err := r.decode(&cause); err != nil {
		return nil, err
	}
	if cause != "" && !call.Cause(cause).Known() {
		return nil, invalid("hangup: %q is no hangup cause", cause)
	}
	var now bool
	if err := r.field("now", &now); err != nil {
		return nil, err
	}
	return nil, v.s.Hangup(ctx, call.Cause(cause))
}

func get(ctx context.Context, v *visit, r request) (any, error) {
	name, err := r.text()
	if err != nil {
		return nil, err
	}
	return nonNil(v.s.GetVariable(ctx, name))
}

func set(ctx context.Context, v *visit, r request) (any, error) {
	var vars call.Vars
	if err := r.decode(&vars); err != nil {
		return nil, err
	}
	return nil, v.s.SetMany(ctx, vars)
}

func bridge(ctx context.Context, v *visit, r request) (any, error) {
	to, err := r.text()
	if err != nil {
		return nil, err
	}
	b, err := v.s.BridgeTo(ctx, call.RawDial(to))
	if err != nil {
		return nil, err
	}
	return map[string]any{"peer": b.Peer, "cause": string(b.Cause), "answered": b.Answered}, nil
}

func transfer(ctx context.Context, v *visit, r request) (any, error) {
	var to struct{ Number, Dialplan, Context string }
	if err := r.decode(&to); err != nil {
		return nil, err
	}
	return nil, v.s.Transfer(ctx, call.Extension{Number: to.Number, Dialplan: to.Dialplan, Context: to.Context})
}

func conference(ctx context.Context, v *visit, r request) (any, error) {
	var c struct {
		Name, Profile, PIN string
		Flags              []string
	}
	if err := r.decode(&c); err != nil {
		return nil, err
	}
	return nil, v.s.Conference(ctx, call.Conference{Name: c.Name, Profile: c.Profile, PIN: c.PIN, Flags: c.Flags})
}

func logLine(ctx context.Context, v *visit, r request) (any, error) {
	message, err := r.text()
	if err != nil {
		return nil, err
	}
	level := "INFO"
	if err := r.field("level", &level); err != nil {
		return nil, err
	}
	return nil, v.s.Log(ctx, level, message)
}

func wait(ctx context.Context, v *visit, r request) (any, error) {
	var names []string
	if err := r.decode(&names); err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, invalid("wait: names of events are allowed")
	}
	ev, err := v.s.Wait(ctx, eventNames(names)...)
	if err != nil {
		return nil, err
	}
	return json.RawMessage(ev.AppendJSON(nil)), nil
}

func api(ctx context.Context, v *visit, r request) (any, error) {
	text, err := r.text()
	if err != nil {
		return nil, err
	}
	return nonNil(v.s.API(ctx, text))
}

func bgapi(ctx context.Context, v *visit, r request) (any, error) {
	text, err := r.text()
	if err != nil {
		return nil, err
	}
	return nonNil(v.s.BgAPI(ctx, text))
}

func command(ctx context.Context, v *visit, r request) (any, error) {
	text, err := r.text()
	if err != nil {
		return nil, err
	}
	cmd, err := newMessage(r, text, true)
	if err != nil {
		return nil, err
	}
	reply, err := v.s.Send(ctx, cmd)
	if err != nil {
		return nil, err
	}
	return reply.Text(), nil
}
