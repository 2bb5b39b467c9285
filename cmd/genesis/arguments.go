package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// arrange brings arguments into the order that the flag parser understands, which stops at the first one that is no
// flag: global flags, command, its flags, the rest. So flags can stand anywhere, before the command or after PATH, as
// people write them. What follows -- is left alone: it is for the app.
func arrange(app *cli.App, args []string) []string {
	if len(args) == 0 {
		return args
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
			n := 1
			flag := find(app.Flags, word)
			isGlobal := flag != nil || command == nil
			if command != nil {
				if f := find(command.Flags, word); f != nil {
					flag, isGlobal = f, false
				}
			}
			if takesValue(flag) && !strings.Contains(word, "=") {
				n = min(2, len(words))
			}
			if isGlobal {
				global = append(global, words[:n]...)
			} else {
				own = append(own, words[:n]...)
			}
			words = words[n:]
		case command == nil:
			if command = app.Command(word); command == nil {
				return args
			}
			words = words[1:]
		default:
			rest, words = append(rest, word), words[1:]
		}
	}
	if command == nil {
		return slices.Concat(args[:1], global)
	}
	return slices.Concat(args[:1], global, []string{command.Name}, own, []string{"--"}, rest)
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
