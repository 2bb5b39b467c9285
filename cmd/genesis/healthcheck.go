package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/genesis-esl/genesis"
)

func healthcheckCommand() *cli.Command {
	return &cli.Command{
		Name: "healthcheck", Usage: "ask a running app how it is: exit code 0 or 1",
		Description:     "Asks /health (or /ready) of the app whose observability port is given. For containers without a shell.",
		HideHelpCommand: true, OnUsageError: badUsage,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "observability-host", EnvVars: []string{genesis.EnvObservabilityHost}, Value: "127.0.0.1", Usage: "`ADDRESS` of the app"},
			&cli.StringFlag{Name: "observability-port", EnvVars: []string{genesis.EnvObservabilityPort}, Value: "8000", Usage: "`PORT` of the app"},
			&cli.BoolFlag{Name: "ready", DisableDefaultText: true, Usage: "ask /ready in place of /health"},
			&cli.DurationFlag{Name: "timeout", Value: 2 * time.Second, Usage: "wait for `TIME`"},
		},
		Action: healthcheck,
	}
}

func healthcheck(c *cli.Context) error {
	if c.NArg() > 0 {
		return usageError("healthcheck takes no argument, not %q", c.Args().First())
	}
	if d := c.Duration("timeout"); d <= 0 { // it would be none
		return usageError("--timeout %v: a time such as 2s is allowed", d)
	}
	host := c.String("observability-host")
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	port := c.String("observability-port")
	if port == "" { // the variable is set to nothing, which counts as absent
		port = "8000"
	}
	path := "/health"
	if c.Bool("ready") {
		path = "/ready"
	}
	// Straight to the app: a proxy of the environment does not reach this host's ports, or answers for the app.
	client := &http.Client{Timeout: c.Duration("timeout"), Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(c.Context, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, nil)
	var resp *http.Response
	if err == nil {
		resp, err = client.Do(req)
	}
	if err != nil {
		var broken *url.Error
		if errors.As(err, &broken) {
			err = broken.Err
		}
		return fmt.Errorf("%s: %w", path, err)
	}
	defer func() { _ = resp.Body.Close() }() // read only
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %d %s", path, resp.StatusCode, body)
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s\n", body)
	return err
}
