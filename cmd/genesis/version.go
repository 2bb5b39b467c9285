package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// version is set by the linker; see the Makefile.
var version string

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

func versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "say what this is", HideHelpCommand: true, OnUsageError: badUsage,
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usageError("version takes no argument, not %q", c.Args().First())
			}
			_, err := fmt.Fprintf(c.App.Writer, "genesis %s %s %s/%s\n", versionText(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
