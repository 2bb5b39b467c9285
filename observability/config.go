package observability

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"
)

// Mode says what kind of app the process runs, and so what healthy and ready mean.
type Mode string

// The two modes.
const (
	// Consumer is an app that dials FreeSWITCH's event socket.
	Consumer Mode = "consumer"
	// Outbound is a server that FreeSWITCH dials once for each call.
	Outbound Mode = "outbound"
)

// DefaultHeartbeatTimeout is how old the last HEARTBEAT of a healthy consumer may
// be. FreeSWITCH sends one every 20 seconds unless told otherwise.
const DefaultHeartbeatTimeout = 30 * time.Second

// Config configures an Observability. Only Mode is required.
type Config struct {
	// Mode is Consumer or Outbound.
	Mode Mode
	// ServiceName is the service.name of all telemetry. OTEL_SERVICE_NAME overrides it;
	// when both are empty it is "genesis".
	ServiceName string
	// Version is the app's version, for service.version. Empty means unknown.
	Version string
	// Logger takes the logs of this package. Nil means slog.Default().
	Logger *slog.Logger
	// HeartbeatTimeout is the greatest age of the last HEARTBEAT at which a consumer
	// is healthy. Zero means DefaultHeartbeatTimeout.
	HeartbeatTimeout time.Duration
	// DrainDelay is how long Drain waits, after /ready has turned to 503, for load balancers to
	// notice. Zero does not wait.
	DrainDelay time.Duration
	// Token, when not empty, is what every request must carry, except those to the probes:
	// as "Authorization: Bearer TOKEN", or as the password of HTTP Basic authentication,
	// with any user. Without it the probes answer in their short form, and everything else
	// answers 401. Space around the token is ignored, as in HTTP; a token of space alone is
	// an error.
	Token string
	// Now is the clock. Nil means time.Now. It must be safe for concurrent use.
	Now func() time.Time
	// TraceEventHeaders puts the headers of an event, which hold phone numbers and
	// much else, into its span process_event as event.header.NAME. False leaves them
	// out, unless Logger logs at debug or below.
	TraceEventHeaders bool
	// NativeHistograms exposes latency histograms as Prometheus native histograms, which have no
	// fixed buckets but need a scraper that negotiates protobuf. False, the default, exposes
	// classic buckets, which any scraper and the shipped dashboard understand;
	// OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION=base2_exponential_bucket_histogram
	// in the environment overrides that.
	NativeHistograms bool
}

func (c Config) withDefaults() (Config, error) {
	switch c.Mode {
	case Consumer, Outbound:
	case "":
		return c, errors.New("observability: Config.Mode is required: consumer or outbound")
	default:
		return c, fmt.Errorf("observability: unknown mode %q: consumer and outbound are allowed", c.Mode)
	}
	if c.HeartbeatTimeout < 0 || c.DrainDelay < 0 {
		return c, fmt.Errorf("observability: negative HeartbeatTimeout %v or DrainDelay %v", c.HeartbeatTimeout, c.DrainDelay)
	}
	if c.Token != "" {
		if c.Token = strings.TrimSpace(c.Token); c.Token == "" { // not the same as none: that would guard nothing
			return c, errors.New("observability: Config.Token is blank")
		}
	}
	if c.HeartbeatTimeout == 0 {
		c.HeartbeatTimeout = DefaultHeartbeatTimeout
	}
	if c.ServiceName == "" {
		c.ServiceName = "genesis"
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if os.Getenv("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION") == "base2_exponential_bucket_histogram" {
		c.NativeHistograms = true
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}
