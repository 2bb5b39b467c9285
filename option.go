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

// Option sets in code what otherwise comes from the environment, or what the environment cannot express. An Option
// overrides the variable.
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

// Name sets the app's name and version in telemetry and under /info. The defaults are OTEL_SERVICE_NAME, else genesis;
// and the version of the main module.
func Name(name, version string) Option {
	return func(c *config) { c.name, c.version = name, version }
}

// FreeSWITCH sets the address (host:port) that a consumer connects to, and the password there. An empty value is left
// to the environment.
func FreeSWITCH(addr, password string) Option {
	return func(c *config) { c.addr, c.password = addr, password }
}

// User has a consumer log in as USER@DOMAIN, a user of FreeSWITCH's directory.
func User(user string) Option {
	return func(c *config) { c.user = user }
}

// Listen sets the address (host:port) on which an outbound app listens for FreeSWITCH. Port 0 takes a free port:
// see OnStart.
func Listen(addr string) Option {
	return func(c *config) { c.listen = addr }
}

// Listener sets an open listener for FreeSWITCH's connections, in place of Listen. It is closed in the end.
func Listener(l net.Listener) Option {
	return func(c *config) { c.listener = l }
}

// Allow names the networks from which FreeSWITCH may connect. By default everybody who can reach the listener may.
func Allow(prefixes ...netip.Prefix) Option {
	return func(c *config) { c.allow = append(c.allow, prefixes...) }
}

// MaxSessions bounds the calls handled at a time; those beyond it are turned away and counted. Zero leaves it to the
// environment, whose default is outbound.DefaultMaxSessions, or program.DefaultMaxSessions for a *program.Outbound.
func MaxSessions(n int) Option {
	return func(c *config) { c.maxSessions = n }
}

// MaxRate bounds the new calls per second; those beyond it are turned away and counted. Zero leaves it to the
// environment.
func MaxRate(n int) Option {
	return func(c *config) { c.maxRate = n }
}

// Observability sets the address (host:port) on which /health, /ready and /metrics are served. Port 0 takes a free
// port: see OnStart.
func Observability(addr string) Option {
	return func(c *config) { c.observe = addr }
}

// ObservabilityListener sets an open listener for /health, /ready and /metrics, in place of Observability. It is closed
// in the end.
func ObservabilityListener(l net.Listener) Option {
	return func(c *config) { c.observeListener = l }
}

// ObservabilityToken sets the token that every request to the observability port but the probes must carry: see
// observability.Config. An empty one leaves it to the environment.
func ObservabilityToken(token string) Option {
	return func(c *config) { c.token = token }
}

// NoObservability opens no port for /health, /ready and /metrics. Telemetry that is exported by OTLP goes on.
func NoObservability() Option {
	return func(c *config) { c.noObserve = true }
}

// Logger sets the logger. The default one writes to stderr as EnvLogLevel and EnvLogFormat say.
func Logger(l *slog.Logger) Option {
	return func(c *config) { c.logger = l }
}

// ShutdownTimeout is how long handlers and sessions may take to finish once the app is told to stop. Zero leaves it to
// the environment.
func ShutdownTimeout(d time.Duration) Option {
	return func(c *config) { c.stopTimeout = d }
}

// DrainDelay is how long to keep serving after /ready has turned to 503, so that load balancers notice. Zero leaves it
// to the environment.
func DrainDelay(d time.Duration) Option {
	return func(c *config) { c.drainDelay = d }
}

// HeartbeatTimeout is the greatest age of FreeSWITCH's last HEARTBEAT at which a consumer is healthy. It must be
// more than FreeSWITCH's event-heartbeat-interval. With more than the default, a connection may be silent for twice
// d before it is given up. Zero leaves it to the environment.
func HeartbeatTimeout(d time.Duration) Option {
	return func(c *config) { c.heartbeat = d }
}

// TraceEventHeaders puts the headers of events, which hold phone numbers and much else, into their spans as
// event.header.NAME. Without it the environment decides; at log level debug the headers are there anyway.
func TraceEventHeaders() Option {
	return func(c *config) { c.traceHeaders = true }
}

// Check watches a dependency of the app, such as a database; see observability.Check.
func Check(check observability.Check) Option {
	return func(c *config) { c.checks = append(c.checks, check) }
}

// Started is what OnStart passes on: the addresses of the open ports.
type Started struct {
	// Outbound is the address that listens for FreeSWITCH; nil for a consumer.
	Outbound net.Addr
	// Observability is the address of /health, /ready and /metrics; nil with NoObservability.
	Observability net.Addr
}

// OnStart has f called when the ports are open, before the app is served.
func OnStart(f func(Started)) Option {
	return func(c *config) { c.onStart = append(c.onStart, f) }
}

// Client has f change the configuration of a consumer's connection, after all other options: dialler, filters, limits.
func Client(f func(*esl.ClientConfig)) Option {
	return func(c *config) { c.client = append(c.client, f) }
}

// Server has f change the outbound server, after all other options: linger, timeouts, further events.
func Server(f func(*outbound.Server)) Option {
	return func(c *config) { c.server = append(c.server, f) }
}

// Globals makes this process the app's. The logger becomes slog's default, and the telemetry becomes OpenTelemetry's
// default, so that the app's own logs, metrics and spans go the same way. Also, the heap may grow to 32 MB before it is
// collected, from the start and not only once a connection is busy (see package esl). With GOGC, or a GOMEMLIMIT under
// 256 MB, the collector stays as it is.
func Globals() Option {
	return func(c *config) { c.globals = true }
}

// Environ has variables looked up by lookup in place of os.LookupEnv. OpenTelemetry itself still reads the standard
// OTEL_* variables from the process.
func Environ(lookup func(name string) (string, bool)) Option {
	return func(c *config) { c.lookup = lookup }
}
