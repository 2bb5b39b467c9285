// Package check has ready-made functions for observability.Check: does Redis answer,
// does a port accept connections, does a URL answer without an error.
//
//	err := obs.AddCheck(observability.Check{
//		Name: "redis", Run: check.Redis(client), Critical: true,
//	})
//
// All obey their context and are safe for concurrent use. Their errors may hold
// addresses, but never passwords.
package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/redis/go-redis/v9"
)

// Redis returns a check that Redis answers PING. Pass the app's own client, so that
// the check sees what the app sees; it stays open.
func Redis(client redis.UniversalClient) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := client.Ping(ctx).Err(); err != nil {
			return fmt.Errorf("redis: %w", err)
		}
		return nil
	}
}

// TCP returns a check that addr (host:port) accepts a connection, which it closes at
// once.
func TCP(addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// HTTP returns a check that a GET of rawURL answers with a status below 400, after
// redirects. The user info of the URL is sent but never shown. A nil client means
// one that keeps no connection open between checks.
func HTTP(rawURL string, client *http.Client) func(context.Context) error {
	if client == nil {
		client = &http.Client{Transport: &http.Transport{
			Proxy:             http.ProxyFromEnvironment,
			DisableKeepAlives: true,
		}}
	}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
		if err != nil {
			return errors.New("check: the URL cannot be parsed") // why would quote a password that is not escaped
		}
		res, err := client.Do(req)
		if err != nil {
			return fmt.Errorf("GET %s: %w", req.URL.Redacted(), withoutURL(err))
		}
		defer res.Body.Close()
		if res.StatusCode >= http.StatusBadRequest {
			return fmt.Errorf("GET %s: %s", req.URL.Redacted(), res.Status)
		}
		return nil
	}
}

// withoutURL returns the cause of a *url.Error, whose text repeats the URL.
func withoutURL(err error) error {
	if e, ok := err.(*url.Error); ok {
		return e.Err
	}
	return err
}
