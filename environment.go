package genesis

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/internal/ports"
	"github.com/genesis-esl/genesis/observability"
)

// The environment variables that Run reads. An empty variable counts as absent.
const (
	// EnvHost and EnvPort are the address of FreeSWITCH's event socket: default 127.0.0.1 and
	// 8021.
	EnvHost = "ESL_HOST"
	EnvPort = "ESL_PORT"
	// EnvUser is USER@DOMAIN, a user of FreeSWITCH's directory to log in as; default none.
	EnvUser = "ESL_USER"
	// EnvPassword is the password, default ClueCon; EnvPasswordFile is a file whose first line is the password. Setting
	// both is an error.
	EnvPassword     = "ESL_PASSWORD"
	EnvPasswordFile = "ESL_PASSWORD_FILE"
	// EnvAppHost and EnvAppPort are where an outbound app listens: default 127.0.0.1 and 9000.
	EnvAppHost = "ESL_APP_HOST"
	EnvAppPort = "ESL_APP_PORT"
	// EnvAllow lists the networks (CIDR) or addresses from which FreeSWITCH may connect, separated by commas.
	EnvAllow = "GENESIS_ALLOW"
	// EnvMaxSessions bounds the calls at a time: default 20,000, or 1,000 for a *program.Outbound, where each call is a
	// process.
	EnvMaxSessions = "GENESIS_MAX_SESSIONS"
	// EnvMaxRate bounds the new calls per second: default 0, no bound.
	EnvMaxRate = "GENESIS_MAX_RATE"
	// EnvLogLevel is trace, debug, info, warn or error: default info. EnvESLLogLevel is another name for it, which
	// EnvLogLevel overrides.
	EnvLogLevel    = "GENESIS_LOG_LEVEL"
	EnvESLLogLevel = "ESL_LOG_LEVEL"
	// EnvLogFormat is text or json: default text.
	EnvLogFormat = "GENESIS_LOG_FORMAT"
	// EnvObservabilityHost and EnvObservabilityPort are where /health, /ready and /metrics are served: default all
	// addresses, because probes come from outside, and 8000.
	EnvObservabilityHost = "GENESIS_OBSERVABILITY_HOST"
	EnvObservabilityPort = "GENESIS_OBSERVABILITY_PORT"
	// EnvObservabilityTokenFile is a file whose first line is a token. Every request there but the probes must then carry
	// it. Default none.
	EnvObservabilityTokenFile = "GENESIS_OBSERVABILITY_TOKEN_FILE"
	// EnvShutdownTimeout is how long handlers may take to finish: default 10s.
	EnvShutdownTimeout = "GENESIS_SHUTDOWN_TIMEOUT"
	// EnvDrainDelay is how long to keep serving after /ready has turned to 503: default 0s.
	EnvDrainDelay = "GENESIS_DRAIN_DELAY"
	// EnvHeartbeatTimeout is the greatest age of FreeSWITCH's last HEARTBEAT at which a consumer is healthy: default 30s.
	EnvHeartbeatTimeout = "GENESIS_HEARTBEAT_TIMEOUT"
	// EnvTraceEventHeaders puts the headers of events into their spans: default false.
	EnvTraceEventHeaders = "GENESIS_TRACE_EVENT_HEADERS"
	// EnvMode is consumer or outbound. `genesis consumer` and `genesis outbound` set it for the app that they run, so that
	// an app of the other kind is noticed.
	EnvMode = "GENESIS_MODE"
	// EnvListenerFD and EnvObservabilityFD are open listeners that `genesis outbound dev` hands down, by the number of
	// their file descriptors, so that no call is refused while an app is restarted.
	EnvListenerFD      = "GENESIS_LISTENER_FD"
	EnvObservabilityFD = "GENESIS_OBSERVABILITY_FD"
)

// environment reads variables and keeps what is wrong with them.
type environment struct {
	lookup func(string) (string, bool)
	errs   []error
}

func (e *environment) get(name, otherwise string) string {
	if value, _ := e.lookup(name); value != "" {
		return value
	}
	return otherwise
}

func (e *environment) wrong(name, value, allowed string, args ...any) {
	e.errs = append(e.errs, &ConfigError{Name: name, Value: value, Err: fmt.Errorf(allowed, args...)})
}

// host returns a name or an IP address. What is neither would be looked up again and again, as a name not known yet is.
func (e *environment) host(name, otherwise string) string {
	value := e.get(name, otherwise)
	if _, err := netip.ParseAddr(value); err != nil && strings.ContainsAny(value, ":/[] \t\r\n") {
		e.wrong(name, value, "not a host: a name or an IP address is allowed, without brackets and port")
	}
	return value
}

// port returns a TCP port; 0 is one only where it means "any".
func (e *environment) port(name, otherwise string, least int) string {
	value := e.get(name, otherwise)
	if err := ports.Check(value, least); err != nil {
		e.wrong(name, value, "%w", err)
	}
	return value
}

func (e *environment) duration(name string, otherwise time.Duration) time.Duration {
	value := e.get(name, otherwise.String())
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		e.wrong(name, value, "not a duration: such as 10s or 1m30s is allowed")
	}
	return d
}

// count returns a number, or 0 when there is none.
func (e *environment) count(name string, least int) int {
	value := e.get(name, "")
	if value == "" {
		return 0
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < least {
		e.wrong(name, value, "not a number: %d and more is allowed", least)
	}
	return n
}

func (e *environment) truth(name string) bool {
	value := e.get(name, "false")
	yes, err := strconv.ParseBool(value)
	if err != nil {
		e.wrong(name, value, "not a truth value: true, false are allowed")
	}
	return yes
}

// networks reads CIDRs and plain addresses.
func (e *environment) networks(name string) []netip.Prefix {
	var prefixes []netip.Prefix
	for text := range strings.SplitSeq(e.get(name, ""), ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); addrErr == nil {
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			e.wrong(name, text, "not a network: such as 10.0.0.0/8 or 192.0.2.7 is allowed")
			continue
		}
		prefixes = append(prefixes, prefix.Masked())
	}
	return prefixes
}

func (e *environment) password() string {
	password, file := e.get(EnvPassword, ""), e.get(EnvPasswordFile, "")
	switch {
	case file == "":
		return password
	case password != "":
		e.wrong(EnvPasswordFile, file, "%s is set too: one of the two is allowed", EnvPassword)
		return ""
	}
	return e.secret(EnvPasswordFile, file, "password")
}

// secret reads the first line of a file.
func (e *environment) secret(name, file, what string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		var path *os.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		e.wrong(name, file, "cannot read the %s: %w", what, err)
		return ""
	}
	secret, _, _ := strings.Cut(string(text), "\n")
	if secret = strings.TrimSuffix(secret, "\r"); secret == "" {
		e.wrong(name, file, "its first line is empty: it has to hold the %s", what)
	}
	return secret
}

// inherited returns the listener whose file descriptor a variable names, or nil.
func (e *environment) inherited(name string) net.Listener {
	value := e.get(name, "")
	if value == "" {
		return nil
	}
	fd, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		e.wrong(name, value, "not a file descriptor: a number is allowed")
		return nil
	}
	file := os.NewFile(uintptr(fd), name)
	defer func() { _ = file.Close() }() // the listener has a descriptor of its own
	l, err := net.FileListener(file)
	if err != nil {
		e.wrong(name, value, "not an open listener: %w", err)
		return nil
	}
	return l
}

// newLogger writes to stderr.
func (e *environment) newLogger() *slog.Logger {
	name, value := EnvLogLevel, e.get(EnvLogLevel, "")
	if value == "" {
		name, value = EnvESLLogLevel, e.get(EnvESLLogLevel, "info")
	}
	level, err := observability.ParseLevel(value)
	if err != nil {
		e.wrong(name, value, "not a log level: trace, debug, info, warn, error are allowed")
	}
	format := strings.ToLower(e.get(EnvLogFormat, "text"))
	if format != "text" && format != "json" {
		e.wrong(EnvLogFormat, format, "not a log format: text, json are allowed")
	}
	return slog.New(observability.NewLogHandler(os.Stderr, observability.LogConfig{Level: level, JSON: format == "json"}))
}

// resolve fills what the options left open from the environment.
func (c *config) resolve(mode observability.Mode) error {
	if c.lookup == nil {
		c.lookup = os.LookupEnv
	}
	e := &environment{lookup: c.lookup}
	if told := e.get(EnvMode, string(mode)); told != string(mode) {
		e.wrong(EnvMode, told, "the app is of the other kind: run it with `genesis %s`", mode)
	}
	if c.logger == nil {
		c.logger = e.newLogger()
	}
	if c.stopTimeout == 0 {
		c.stopTimeout = e.duration(EnvShutdownTimeout, 10*time.Second)
	}
	if c.drainDelay == 0 {
		c.drainDelay = e.duration(EnvDrainDelay, 0)
	}
	if !c.traceHeaders {
		c.traceHeaders = e.truth(EnvTraceEventHeaders)
	}
	if c.observe == "" && c.observeListener == nil && !c.noObserve {
		c.observeListener = e.inherited(EnvObservabilityFD)
		c.observe = net.JoinHostPort(e.get(EnvObservabilityHost, ""), e.port(EnvObservabilityPort, "8000", 0))
	}
	if file := e.get(EnvObservabilityTokenFile, ""); c.token == "" && file != "" && !c.noObserve {
		// Space around it would not come through HTTP.
		if c.token = strings.TrimSpace(e.secret(EnvObservabilityTokenFile, file, "token")); c.token == "" && len(e.errs) == 0 {
			e.wrong(EnvObservabilityTokenFile, file, "its first line is blank: it has to hold the token")
		}
	}
	if mode == observability.Consumer {
		c.resolveConsumer(e)
	} else {
		c.resolveOutbound(e)
	}
	return errors.Join(e.errs...)
}

func (c *config) resolveConsumer(e *environment) {
	if c.addr == "" {
		c.addr = net.JoinHostPort(e.host(EnvHost, "127.0.0.1"), e.port(EnvPort, "8021", 1))
	}
	if c.heartbeat == 0 {
		if c.heartbeat = e.duration(EnvHeartbeatTimeout, observability.DefaultHeartbeatTimeout); c.heartbeat == 0 && len(e.errs) == 0 {
			e.wrong(EnvHeartbeatTimeout, e.get(EnvHeartbeatTimeout, ""), "too short: such as 30s is allowed")
		}
	}
	if c.user == "" {
		c.user = e.get(EnvUser, "")
	}
	if c.user != "" && !strings.Contains(c.user, "@") {
		e.wrong(EnvUser, c.user, "not a user of the directory: USER@DOMAIN is allowed")
	}
	if c.password == "" {
		if c.password = e.password(); c.password == "" && len(e.errs) == 0 {
			c.password = esl.DefaultPassword
		}
	}
}

func (c *config) resolveOutbound(e *environment) {
	if c.listen == "" && c.listener == nil {
		c.listener = e.inherited(EnvListenerFD)
		c.listen = net.JoinHostPort(e.get(EnvAppHost, "127.0.0.1"), e.port(EnvAppPort, "9000", 0))
	}
	if len(c.allow) == 0 {
		c.allow = e.networks(EnvAllow)
	}
	if c.maxSessions == 0 {
		c.maxSessions = e.count(EnvMaxSessions, 1)
	}
	if c.maxRate == 0 {
		c.maxRate = e.count(EnvMaxRate, 0)
	}
}
