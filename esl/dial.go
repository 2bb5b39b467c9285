package esl

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/percipia/eslgo/command"
)

// FreeSWITCH's own defaults.
const (
	DefaultAddr     = "127.0.0.1:8021"
	DefaultPassword = "ClueCon"
)

// DialConfig says how to reach FreeSWITCH's event socket and log in. The zero value
// logs in to a FreeSWITCH with default settings on this host.
type DialConfig struct {
	ConnConfig
	// User is USER@DOMAIN for userauth; empty for the socket's own password.
	User string
	// Password defaults to ClueCon when User is empty too.
	Password string
	// Timeout bounds dialling and authentication together. Default 10 s;
	// FreeSWITCH itself waits 25 s.
	Timeout time.Duration
	// Dial opens the socket, for TLS tunnels, proxies and tests. The default dials
	// TCP with keepalive.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

const defaultDialTimeout = 10 * time.Second

// keepAlive notices a dead peer in about a minute even where nothing is sent.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}

// Dial connects to FreeSWITCH's event socket at addr (host:port; empty means
// DefaultAddr) and authenticates. It fails with ErrAuthentication when FreeSWITCH
// refuses the password, ErrAccessDenied when its ACL refuses our address, and
// otherwise with the error of the network or of ctx.
func Dial(ctx context.Context, addr string, cfg DialConfig) (*Conn, error) {
	if addr == "" {
		addr = DefaultAddr
	}
	if cfg.User == "" && cfg.Password == "" {
		cfg.Password = DefaultPassword
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultDialTimeout
	}
	cfg.Info.Type = inbound
	if cfg.Info.Remote == "" {
		cfg.Info.Remote = addr
	}
	ctx, end := connectStart(ctx, cfg.ConnConfig)
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.Timeout, errDialTimeout)
	defer cancel()
	c, err := dial(ctx, addr, cfg)
	end(c, err)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// errDialTimeout is a timeout to net.Error, as a dial that took too long should be.
var errDialTimeout = fmt.Errorf("esl: FreeSWITCH did not answer in time: %w", context.DeadlineExceeded)

func dial(ctx context.Context, addr string, cfg DialConfig) (*Conn, error) {
	open := cfg.Dial
	if open == nil {
		open = (&net.Dialer{KeepAliveConfig: keepAlive}).DialContext
	}
	nc, err := open(ctx, "tcp", addr)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err) // the dialler does not tell the cause
		}
		return nil, fmt.Errorf("esl: dial %s: %w", addr, err)
	}
	c := NewConn(nc, cfg.ConnConfig)
	if err := c.authenticate(ctx, cfg.User, cfg.Password); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// authenticate waits for FreeSWITCH's greeting and logs in.
func (c *Conn) authenticate(ctx context.Context, user, password string) error {
	select {
	case <-c.greeted:
	case <-c.done:
		return fmt.Errorf("esl: %s: no greeting: %w", c.cfg.Info.Remote, c.Err())
	case <-ctx.Done():
		return fmt.Errorf("esl: %s: no greeting: %w", c.cfg.Info.Remote, context.Cause(ctx))
	}
	reply, err := c.Send(ctx, command.Auth{User: user, Password: password})
	var refused *ReplyError
	switch {
	case errors.As(err, &refused):
		return fmt.Errorf("%w: FreeSWITCH answered %q", ErrAuthentication, refused.Text)
	case err != nil:
		return fmt.Errorf("esl: %s: authentication: %w", c.cfg.Info.Remote, err)
	case !strings.HasPrefix(reply.Text(), "+OK"):
		return fmt.Errorf("%w: the answer to auth is %q", ErrProtocol, reply.Text())
	}
	return nil
}

// connectStart runs the hooks around connecting.
func connectStart(ctx context.Context, cfg ConnConfig) (context.Context, func(*Conn, error)) {
	hooks := cfg.Hooks
	if hooks == nil {
		return ctx, func(*Conn, error) {}
	}
	if hooks.ConnectStart != nil {
		ctx = hooks.ConnectStart(ctx, cfg.Info)
	}
	return ctx, func(c *Conn, err error) {
		if hooks.ConnectEnd != nil {
			hooks.ConnectEnd(ctx, cfg.Info, err)
		}
		if err == nil {
			c.establish()
		}
	}
}

// establish notes that ConnectEnd has reported success, so that Disconnected
// reports the end, if need be at once.
func (c *Conn) establish() {
	c.mu.Lock()
	c.established = true
	err := c.err
	c.mu.Unlock()
	if err != nil && c.hooks.Disconnected != nil {
		c.hooks.Disconnected(c.cfg.Info, err)
	}
}

// Accept greets a FreeSWITCH that has connected to us (the socket application of
// its dialplan) over nc, which the Conn owns from now on. It sends connect and, in
// the same write, the commands in then. The first reply is that to connect; its
// Event is the channel.
//
// FreeSWITCH may refuse some of these commands, above all in single-channel mode.
// That does no harm: their replies say so. The error is that of connect itself or
// of the connection; nc is then closed. FreeSWITCH waits 25 s to be greeted; give
// ctx a deadline of its own.
func Accept(ctx context.Context, nc net.Conn, cfg ConnConfig, then ...Command) (*Conn, []*Reply, error) {
	cfg.Info.Type = outbound
	if cfg.Info.Remote == "" && nc.RemoteAddr() != nil {
		cfg.Info.Remote = nc.RemoteAddr().String()
	}
	ctx, end := connectStart(ctx, cfg)
	c := NewConn(nc, cfg)
	replies, err := c.Pipeline(ctx, append([]Command{command.Connect{}}, then...)...)
	var refused *ReplyError
	if errors.As(err, &refused) && replies[0].OK() {
		err = nil
		if slices.Contains(replies, nil) { // something worse came behind the refusal
			if err = context.Cause(ctx); c.Err() != nil {
				err = &DisconnectedError{Sent: true, Cause: c.Err()}
			}
		}
	}
	if err == nil && replies[0].Event().Name() != "CHANNEL_DATA" {
		err = fmt.Errorf("%w: the answer to connect is %q", ErrProtocol, replies[0].Text())
	}
	if err != nil {
		_ = c.Close()
	}
	end(c, err)
	if err != nil {
		return nil, replies, err
	}
	return c, replies, nil
}
