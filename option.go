package genesis

import (
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/observability"
	"github.com/genesis-esl/genesis/outbound"
)

// Option sets in code what is otherwise taken from the environment, or what the environment cannot say. What code sets
// goes before the variable.
type Option func(*config)

// config is what the options say; zero values are left to the environment.
type config struct {
	lookup          func(string) (string, bool)
	globals         bool
	name, version   string
	addr            string
	user            string
	password        string
	listen          string
	listener        net.Listener
	allow           []netip.Prefix
	maxSessions     int
	maxRate         int
	observe         string
	observeListener net.Listener
	noObserve       bool
	token           string
	logger          *slog.Logger
	stopTimeout     time.Duration
	drainDelay      time.Duration
	heartbeat       time.Duration
	traceHeaders    bool
	checks          []observability.Check
	onStart         []func(Started)
	client          []func(*esl.ClientConfig)
	server          []func(*outbound.Server)
}

// Name names the app and its version in telemetry and under /info. Default is OTEL_SERVICE_NAME, else genesis, and the
// main module's version.
func Name(name, version string) Option {
	return func(c *config) { c.name, c.version = name, version }
}

// FreeSWITCH is where a consumer connects to, host:port, and the password there. An empty one is left to the environment.
func FreeSWITCH(addr, password string) Option {
	return func(c *config) { c.addr, c.password = addr, password }
}

// User is USER@DOMAIN for a consumer that logs in as a user of FreeSWITCH's directory.
func User(user string) Option {
	return func(c *config) { c.user = user }
}

// Listen is where an outbound app awaits FreeSWITCH, host:port. Port 0 takes a free one: see OnStart.
func Listen(addr string) Option {
	return func(c *config) { c.listen = addr }
}

// Listener is an open listener to await FreeSWITCH on, in place of Listen. It is closed in the end.
func Listener(l net.Listener) Option {
	return func(c *config) { c.listener = l }
}

// Allow names the networks from which FreeSWITCH may connect. Default is all who can reach the listener.
func Allow(prefixes ...netip.Prefix) Option {
	return func(c *config) { c.allow = append(c.allow, prefixes...) }
}

// MaxSessions bounds the calls handled at a time; more are turned away and counted. Zero leaves it to the environment,
// whose default is outbound.DefaultMaxSessions, or program.DefaultMaxSessions for a *program.Outbound.
func MaxSessions(n int) Option {
	return func(c *config) { c.maxSessions = n }
}

// MaxRate bounds the new calls per second; more are turned away and counted. Zero leaves it to the environment.
func MaxRate(n int) Option {
	return func(c *config) { c.maxRate = n }
}

// Observability is where /health, /ready and /metrics are served, host:port. Port 0 takes a free one: see OnStart.
func Observability(addr string) Option {
	return func(c *config) { c.observe = addr }
}

// ObservabilityListener is an open listener to serve them on, in place of Observability. It is closed in the end.
func ObservabilityListener(l net.Listener) Option {
	return func(c *config) { c.observeListener = l }
}

// ObservabilityToken is what everything there but the probes asks for: see observability.Config. An empty one leaves it
// to the environment.
func ObservabilityToken(token string) Option {
	return func(c *config) { c.token = token }
}

// NoObservability opens no port for /health, /ready and /metrics. Telemetry that is exported by OTLP goes on.
func NoObservability() Option {
	return func(c *config) { c.noObserve = true }
}

// Logger takes the logs. Default writes to stderr as EnvLogLevel and EnvLogFormat say.
func Logger(l *slog.Logger) Option {
	return func(c *config) { c.logger = l }
}

// ShutdownTimeout is how long handlers and sessions may take to finish once the app is told to stop. Zero leaves it to
// the environment.
func ShutdownTimeout(d time.Duration) Option {
	return func(c *config) { c.stopTimeout = d }
}

// DrainDelay is how long to go on serving after /ready has turned 503, so that load balancers see it. Zero leaves it to
// the environment.
func DrainDelay(d time.Duration) Option {
	return func(c *config) { c.drainDelay = d }
}

// HeartbeatTimeout is the greatest age of FreeSWITCH's last HEARTBEAT at which a consumer is healthy: more than
// FreeSWITCH's event-heartbeat-interval. Above the default a connection may be silent for twice as long before it is
// given up. Zero leaves it to the environment.
func HeartbeatTimeout(d time.Duration) Option {
	return func(c *config) { c.heartbeat = d }
}

// TraceEventHeaders puts the headers of events into their spans, as event.header.NAME: phone numbers and much else.
// Without it the environment decides; at log level debug they are there anyway.
func TraceEventHeaders() Option {
	return func(c *config) { c.traceHeaders = true }
}

// Check watches something that the app depends on, such as a database; see observability.Check.
func Check(check observability.Check) Option {
	return func(c *config) { c.checks = append(c.checks, check) }
}

// Started is what OnStart is told.
type Started struct {
	// Outbound is where FreeSWITCH is awaited; nil for a consumer.
	Outbound net.Addr
	// Observability is where /health, /ready and /metrics are; nil with NoObservability.
	Observability net.Addr
}

// OnStart has f called once the ports are open, before the app is served.
func OnStart(f func(Started)) Option {
	return func(c *config) { c.onStart = append(c.onStart, f) }
}

// Client has f change what a consumer's connection is made of, after everything else: dialler, filters, limits.
func Client(f func(*esl.ClientConfig)) Option {
	return func(c *config) { c.client = append(c.client, f) }
}

// Server has f change the outbound server, after everything else: linger, timeouts, further events.
func Server(f func(*outbound.Server)) Option {
	return func(c *config) { c.server = append(c.server, f) }
}

// Globals makes this process the app's: the logger becomes slog's default and the telemetry OpenTelemetry's, so that the
// app's own logs, metrics and spans go the same way, and the heap may grow to 32 MB before it is collected from the start,
// not only once a connection is busy (see package esl). GOGC, or a GOMEMLIMIT under 256 MB, leaves the collector as it is.
func Globals() Option {
	return func(c *config) { c.globals = true }
}

// Environ has lookup asked for variables in place of os.LookupEnv. The standard OTEL_* variables are still read by
// OpenTelemetry itself.
func Environ(lookup func(name string) (string, bool)) Option {
	return func(c *config) { c.lookup = lookup }
}
