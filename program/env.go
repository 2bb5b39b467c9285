package program

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// ProtocolVersion is the version of the protocol between genesis and programs. A
// program finds it in GENESIS_PROTOCOL. It changes when a program written for the
// previous version could break.
const ProtocolVersion = 1

// passed are the variables of our own environment that a program gets. Everything
// else, passwords above all, stays here.
var passed = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TERM",
	"VIRTUAL_ENV", "PYTHONPATH", "NODE_PATH", "NODE_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR",
}

// environment returns what a program gets: the variables passed, those named in
// extra (NAME to pass our own value on, NAME=VALUE to set one), and own.
func environment(extra []string, own map[string]string) []string {
	vars := map[string]string{}
	pass := func(name string) {
		if value, ok := os.LookupEnv(name); ok {
			vars[name] = value
		}
	}
	for _, name := range passed {
		pass(name)
	}
	for _, entry := range os.Environ() {
		if strings.HasPrefix(entry, "LC_") {
			name, value, _ := strings.Cut(entry, "=")
			vars[name] = value
		}
	}
	for _, entry := range extra {
		if name, value, ok := strings.Cut(entry, "="); ok {
			vars[name] = value
		} else {
			pass(name)
		}
	}
	vars["GENESIS_PROTOCOL"] = strconv.Itoa(ProtocolVersion)
	for name, value := range own {
		vars[name] = strings.ReplaceAll(value, "\x00", "")
	}
	env := make([]string, 0, len(vars))
	for name, value := range vars {
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env
}
