package esltest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/genesis-esl/genesis/esl"
)

// Scenario describes, in a YAML or JSON file, what happens in a simulated
// FreeSWITCH: who answers and who is busy, which calls come, which digits are
// pressed and when, what goes wrong. Times are written as 500ms, 2s or 1m30s.
//
//	heartbeat: 5s
//	endpoints:
//	  - match: ^user/1001$
//	    cause: USER_BUSY
//	  - match: ^user/10\d\d$
//	    ring: 1s
//	    answer: 2s
//	calls:
//	  - after: 1s
//	    every: 500ms
//	    count: 20
//	    from: "4912345"
//	    to: "5000"
//	    outbound: 127.0.0.1:9000
//	    steps:
//	      - after: 2s
//	        press: "1234#"
//	      - after: 5s
//	        hangup: NORMAL_CLEARING
//	events:
//	  - after: 3s
//	    name: sofia::register
//	    headers:
//	      from-user: "1001"
//	faults:
//	  - "restart:after=30s"
type Scenario struct {
	// Heartbeat, Pace, Password and PlayTime, when set, replace those of the Config.
	Heartbeat time.Duration `yaml:"heartbeat"`
	Pace      float64       `yaml:"pace"`
	Password  string        `yaml:"password"`
	PlayTime  time.Duration `yaml:"play_time"`
	// Extensions and Endpoints come before those of the Config.
	Extensions []ScenarioExtension `yaml:"extensions"`
	Endpoints  []ScenarioEndpoint  `yaml:"endpoints"`
	// Faults are written as ParseFault reads them.
	Faults []string `yaml:"faults"`
	// Calls and Events are the calls and events of the scenario.
	Calls  []ScenarioCall  `yaml:"calls"`
	Events []ScenarioEvent `yaml:"events"`
}

// ScenarioExtension is an Extension in a file; see there for the fields.
type ScenarioExtension struct {
	Match   string   `yaml:"match"`
	Name    string   `yaml:"name"`
	Actions []Action `yaml:"actions"`
}

// ScenarioEndpoint is an Endpoint in a file; see there for the fields. With
// NoAnswer it rings forever.
type ScenarioEndpoint struct {
	Match    string        `yaml:"match"`
	Ring     time.Duration `yaml:"ring"`
	Answer   time.Duration `yaml:"answer"`
	NoAnswer bool          `yaml:"no_answer"`
	Cause    string        `yaml:"cause"`
	Hangup   time.Duration `yaml:"hangup"`
	Digits   string        `yaml:"digits"`
}

// ScenarioCall is one call, or Count calls, Every apart. The fields from From to
// Actions are those of CallConfig.
type ScenarioCall struct {
	// After is the time from the start of the scenario to the first call.
	After time.Duration `yaml:"after"`
	Every time.Duration `yaml:"every"`
	// Count is how many calls there are. Default 1.
	Count int `yaml:"count"`

	From          string            `yaml:"from"`
	FromName      string            `yaml:"from_name"`
	To            string            `yaml:"to"`
	Variables     map[string]string `yaml:"variables"`
	Outbound      string            `yaml:"outbound"`
	Sync          bool              `yaml:"sync"`
	SingleChannel bool              `yaml:"single_channel"`
	Actions       []Action          `yaml:"actions"`
	Steps         []ScenarioStep    `yaml:"steps"`
}

// ScenarioStep is one thing that the caller does: press digits, or hang up with a
// cause. After counts from the previous step, and in the first step from the start
// of the call.
type ScenarioStep struct {
	After  time.Duration `yaml:"after"`
	Press  string        `yaml:"press"`
	Hangup string        `yaml:"hangup"`
	// Answered waits for the answer before After counts.
	Answered bool `yaml:"answered"`
}

// ScenarioEvent is an event to fire: its Name is an event name, or a subclass of
// CUSTOM. After is the time from the start of the scenario. It is fired Count times
// (default 1), Every apart.
type ScenarioEvent struct {
	After   time.Duration `yaml:"after"`
	Every   time.Duration `yaml:"every"`
	Count   int           `yaml:"count"`
	Name    string        `yaml:"name"`
	Headers yaml.MapSlice `yaml:"headers"`
	Body    string        `yaml:"body"`
}

// ParseScenario reads a scenario from YAML or JSON. Unknown fields, expressions
// that do not compile and invalid faults are errors, which name the line where
// possible.
func ParseScenario(text []byte) (*Scenario, error) {
	var sc Scenario
	if err := yaml.UnmarshalWithOptions(text, &sc, yaml.DisallowUnknownField()); err != nil {
		return nil, fmt.Errorf("esltest: scenario: %w", err)
	}
	var cfg Config
	if err := sc.Configure(&cfg); err != nil {
		return nil, err
	}
	if _, err := newDialplan(&cfg); err != nil {
		return nil, err
	}
	for i, call := range sc.Calls {
		for _, step := range call.Steps {
			if (step.Press == "") == (step.Hangup == "") {
				return nil, fmt.Errorf("esltest: scenario: a step of call %d must either press or hang up", i+1)
			}
		}
		if call.Count > 1 && call.Every <= 0 {
			return nil, fmt.Errorf("esltest: scenario: call %d has a count but no every", i+1)
		}
	}
	for i, ev := range sc.Events {
		if ev.Name == "" {
			return nil, fmt.Errorf("esltest: scenario: event %d has no name", i+1)
		}
	}
	return &sc, nil
}

// Configure copies the scenario's settings of FreeSWITCH itself into cfg.
func (sc *Scenario) Configure(cfg *Config) error {
	override(&cfg.Heartbeat, sc.Heartbeat)
	override(&cfg.Pace, sc.Pace)
	override(&cfg.Password, sc.Password)
	override(&cfg.PlayTime, sc.PlayTime)
	var extensions []Extension
	for _, ext := range sc.Extensions {
		extensions = append(extensions, Extension(ext))
	}
	cfg.Extensions = append(extensions, cfg.Extensions...)
	var endpoints []Endpoint
	for _, ep := range sc.Endpoints {
		answer := ep.Answer
		if ep.NoAnswer {
			answer = -1
		}
		endpoints = append(endpoints, Endpoint{Match: ep.Match, Ring: ep.Ring, Answer: answer, Cause: ep.Cause,
			Hangup: ep.Hangup, Digits: ep.Digits})
	}
	cfg.Endpoints = append(endpoints, cfg.Endpoints...)
	for _, text := range sc.Faults {
		f, err := ParseFault(text)
		if err != nil {
			return err
		}
		cfg.Faults = append(cfg.Faults, f)
	}
	return nil
}

func override[T comparable](field *T, value T) {
	var zero T
	if value != zero {
		*field = value
	}
}

// Run makes the scenario's calls and events. It returns when the last call has
// ended and the last event is sent, or when ctx ends, which is no error. The error
// joins those of the calls that the server refused.
func (sc *Scenario) Run(ctx context.Context, srv *Server) error {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		errs []error
	)
	for i := range sc.Calls {
		call := &sc.Calls[i]
		repeat(ctx, &wg, call.After, call.Every, call.Count, func() {
			if err := call.run(ctx, srv); err != nil && ctx.Err() == nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	}
	for i := range sc.Events {
		ev := &sc.Events[i]
		repeat(ctx, &wg, ev.After, ev.Every, ev.Count, func() {
			var headers []esl.Header
			for _, item := range ev.Headers {
				headers = append(headers, esl.Header{Name: fmt.Sprint(item.Key), Value: fmt.Sprint(item.Value)})
			}
			srv.Fire(ev.Name, headers, ev.Body)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// repeat runs f in goroutines, count times, every apart.
func repeat(ctx context.Context, wg *sync.WaitGroup, after, every time.Duration, count int, f func()) {
	wg.Go(func() {
		wait := after
		for range max(count, 1) {
			if !sleepUntil(ctx, wait, nil) {
				return
			}
			wg.Go(f)
			wait = every
		}
	})
}

// sleepUntil waits for d; false when ctx ends or over is closed first.
func sleepUntil(ctx context.Context, d time.Duration, over <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-over:
		return false
	case <-ctx.Done():
		return false
	}
}

func (sc *ScenarioCall) run(ctx context.Context, srv *Server) error {
	call, err := srv.Call(ctx, CallConfig{
		From: sc.From, FromName: sc.FromName, To: sc.To, Variables: sc.Variables,
		Outbound: sc.Outbound, Sync: sc.Sync, SingleChannel: sc.SingleChannel, Actions: sc.Actions,
	})
	if err != nil {
		return err
	}
	for _, step := range sc.Steps {
		if step.Answered && call.WaitAnswered(ctx) != nil {
			break
		}
		if !sleepUntil(ctx, step.After, call.ch.gone) {
			break
		}
		if step.Press != "" {
			call.Press(step.Press)
		} else {
			call.Hangup(step.Hangup)
		}
	}
	select {
	case <-call.ch.done:
	case <-ctx.Done():
	}
	return nil
}
