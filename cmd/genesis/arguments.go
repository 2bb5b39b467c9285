package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// arrange brings arguments into the order that the flag parser understands, which stops at the first one that is no
// flag: global flags, command, its flags, the rest. So flags can stand anywhere, before the command or after PATH, as
// people write them. What follows -- is left alone: it is for the app. The error is for a flag without its value.
func arrange(app *cli.App, args []string) ([]string, error) {
	if len(args) == 0 {
		return args, nil
	}
	var global, own, rest []string
	var command *cli.Command
	words := args[1:]
	for len(words) > 0 {
		word := words[0]
		switch {
		case word == "--":
			rest, words = append(rest, words[1:]...), nil
		case len(word) > 1 && word[0] == '-':
			n := 1 // words that belong together
			flag := find(app.Flags, word)
			isGlobal := flag != nil || command == nil
			if command != nil {
				if f := find(command.Flags, word); f != nil {
					flag, isGlobal = f, false
				}
			}
			if takesValue(flag) && !strings.Contains(word, "=") {
				if n = 2; len(words) < n || words[1] == "--" || isFlag(app, command, words[1]) {
					return nil, usageError("%s needs a value (see %s --help)", word, strings.TrimSpace("genesis "+nameOf(command)))
				}
			}
			if isGlobal {
				global = append(global, words[:n]...)
			} else {
				own = append(own, words[:n]...)
			}
			words = words[n:]
		case command == nil && word == "help": // as much as --help at the end
			words = append(slices.Clone(words[1:]), "--help")
		case command == nil:
			if command = app.Command(word); command == nil {
				return args, nil
			}
			words = words[1:]
		default:
			rest, words = append(rest, word), words[1:]
		}
	}
	if command == nil {
		return slices.Concat(args[:1], global), nil
	}
	return slices.Concat(args[:1], global, []string{command.Name}, own, []string{"--"}, rest), nil
}

// isFlag tells whether a word is one of the flags that may stand here, and not the value of the one before it.
func isFlag(app *cli.App, command *cli.Command, word string) bool {
	if !strings.HasPrefix(word, "--") {
		return false
	}
	return find(app.Flags, word) != nil || command != nil && find(command.Flags, word) != nil
}

func nameOf(command *cli.Command) string {
	if command == nil {
		return ""
	}
	return command.Name
}

// find returns the flag that a word such as --port or --port=1 names.
func find(flags []cli.Flag, word string) cli.Flag {
	name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
	for _, flag := range flags {
		if slices.Contains(flag.Names(), name) {
			return flag
		}
	}
	return nil
}

func takesValue(flag cli.Flag) bool {
	if flag == nil {
		return false
	}
	_, isBool := flag.(*cli.BoolFlag)
	return !isBool
}
