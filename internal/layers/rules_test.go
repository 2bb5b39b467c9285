package main

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	ours := func(names ...string) []string {
		var paths []string
		for _, n := range names {
			paths = append(paths, module+"/"+n)
		}
		return paths
	}
	tests := []struct {
		name string
		pkg  pkg
		want string // part of the only complaint; empty: none
	}{
		{"down", pkg{ImportPath: module + "/outbound", Imports: ours("esl", "call")}, ""},
		{"up", pkg{ImportPath: module + "/esl", Imports: ours("consumer")}, "not below"},
		{"sideways", pkg{ImportPath: module + "/consumer", Imports: ours("observability")}, "not below"},
		{"simulator in shipped code", pkg{ImportPath: module + "/consumer", Imports: ours("esl/esltest")}, "not below"},
		{"simulator in a test", pkg{ImportPath: module + "/consumer", XTestImports: ours("esl/esltest", "consumer")}, ""},
		{"neighbour in a test", pkg{ImportPath: module + "/consumer", XTestImports: ours("outbound")}, "in a test"},
		{"front door", pkg{ImportPath: module, Imports: ours("consumer", "outbound", "observability", "program")}, ""},
		{"front door to cmd", pkg{ImportPath: module, Imports: ours("cmd/genesis")}, "not below"},
		{"command", pkg{ImportPath: module + "/cmd/genesis", Imports: append(ours("esl/esltest"), module)}, ""},
		{"esl on eslgo", pkg{ImportPath: module + "/esl", Imports: []string{"net", "github.com/percipia/eslgo/command/call"}}, ""},
		{"esl on another", pkg{ImportPath: module + "/esl", Imports: []string{"github.com/google/uuid"}}, "alone"},
		{"esl on eslgo's connection", pkg{ImportPath: module + "/esl", Imports: []string{"github.com/percipia/eslgo"}}, "alone"},
		{"SDK above", pkg{ImportPath: module + "/call", Imports: []string{"go.opentelemetry.io/otel/sdk/metric"}}, "SDK"},
		{"API above", pkg{ImportPath: module + "/call", Imports: []string{"go.opentelemetry.io/otel/metric"}}, ""},
		{"SDK in observability", pkg{ImportPath: module + "/observability", Imports: []string{"go.opentelemetry.io/otel/sdk/metric"}}, ""},
		{"testing in shipped code", pkg{ImportPath: module + "/esl/esltest", Imports: []string{"testing"}}, "testing"},
		{"testing in what is for tests", pkg{ImportPath: module + "/internal/testbed", Imports: []string{"testing", "go.opentelemetry.io/otel/sdk/metric"}}, ""},
		{"what is for tests in shipped code", pkg{ImportPath: module + "/cmd/genesis", Imports: ours("internal/testbed")}, "for tests alone"},
		{"what is for tests in a test", pkg{ImportPath: module + "/call/queue", XTestImports: ours("internal/testbed")}, ""},
		{"no rule", pkg{ImportPath: module + "/helpers"}, "no rule"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := strings.Join(check(tt.pkg), "\n")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("check = %q, want it to contain %q", got, tt.want)
			}
		})
	}
}

func TestThisModule(t *testing.T) {
	broken, err := run(module + "/...")
	if err != nil {
		t.Fatal(err)
	}
	if len(broken) > 0 {
		t.Errorf("imports that do not point down:\n%s", strings.Join(broken, "\n"))
	}
}
