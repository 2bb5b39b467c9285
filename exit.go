package genesis

import (
	"errors"
	"fmt"

	"github.com/genesis-esl/genesis/esl"
)

// Exit codes of Run and of the command.
const (
	// ExitOK: stopped on request.
	ExitOK = 0
	// ExitFailure: something failed, and a restart may help.
	ExitFailure = 1
	// ExitUsage: the command line is wrong.
	ExitUsage = 2
	// ExitConfig: a setting is wrong, or FreeSWITCH refuses the password or the address. A restart does not help. The
	// number is EX_CONFIG of sysexits.h.
	ExitConfig = 78
)

// ConfigError says that a setting is wrong.
type ConfigError struct {
	// Name is the setting: the environment variable that it comes from, or its name in code.
	Name string
	// Value is what was given; empty for a secret.
	Value string
	// Err says what is allowed.
	Err error
}

func (e *ConfigError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("%s: %v", e.Name, e.Err)
	}
	return fmt.Sprintf("%s=%q: %v", e.Name, e.Value, e.Err)
}

// Unwrap returns what is allowed, as an error.
func (e *ConfigError) Unwrap() error { return e.Err }

// ExitCode returns the exit code for an error of RunContext: 0 for nil; 78 for a *ConfigError and for a password,
// an address or a subscription that FreeSWITCH refuses; else 1.
func ExitCode(err error) int {
	var config *ConfigError
	var refused *esl.ReplyError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &config), errors.As(err, &refused), errors.Is(err, esl.ErrAuthentication), errors.Is(err, esl.ErrAccessDenied):
		return ExitConfig
	default:
		return ExitFailure
	}
}
