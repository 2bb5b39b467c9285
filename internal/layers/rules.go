package main

import (
	"fmt"
	"slices"
	"strings"
)

// module is the path every package of ours begins with.
const module = "github.com/genesis-esl/genesis"

// rule says what one package may import. Names are relative to the module; "." is the front door.
type rule struct {
	// pkg is the package the rule is for; a trailing /... covers everything below it too.
	pkg string
	// ours lists the packages of this module it may import; "*" is any of them.
	ours []string
	// foreign, when not nil, lists the only modules or packages of others it may import.
	foreign []string
	// tests is set for what only tests import: it may import what they may.
	tests bool
}

// rules is the house: imports point down. A package without a rule is an error, so that a new one has to
// find its floor first.
var rules = []rule{
	{pkg: "esl", ours: []string{"internal/headroom", "internal/peek"}, foreign: []string{"github.com/percipia/eslgo/command", "golang.org/x/sys/cpu"}},
	{pkg: "esl/esltest", ours: []string{"esl", "internal/ports"}},
	{pkg: "esl/esltest/...", ours: []string{"esl", "esl/esltest/..."}},
	{pkg: "call", ours: []string{"esl"}},
	{pkg: "call/ring", ours: []string{"esl", "call"}},
	{pkg: "call/queue", ours: []string{"esl", "call"}},
	{pkg: "call/queue/...", ours: []string{"esl", "call", "call/queue"}},
	{pkg: "consumer", ours: []string{"esl", "internal/clock"}},
	{pkg: "outbound", ours: []string{"esl", "call"}},
	{pkg: "observability/...", ours: []string{"esl", "observability/...", "internal/peek"}},
	{pkg: "program/...", ours: []string{"esl", "call/...", "consumer", "outbound", "program/..."}},
	{pkg: ".", ours: []string{"esl/...", "call/...", "consumer", "outbound", "observability/...", "program/...", "internal/headroom", "internal/ports"}},
	{pkg: "internal/...", ours: []string{"internal/..."}},
	{pkg: "internal/testbed", ours: []string{"internal/ports"}, tests: true},
	{pkg: "internal/printer", ours: []string{"esl", "consumer"}},
	{pkg: "internal/soak", ours: []string{"*"}},
	{pkg: "internal/security", ours: []string{"*"}},
	{pkg: "internal/chaos", ours: []string{"*"}}, // the fault suite, across all layers
	{pkg: "cmd/...", ours: []string{"*"}},
	{pkg: "deploy/...", ours: []string{"*"}},
	{pkg: "examples/...", ours: []string{".", "esl/...", "call/...", "consumer", "outbound", "observability/...", "program/..."}},
}

// sdk is where the OpenTelemetry SDK and the exporters begin: one package sets them up, the others speak the API.
var sdk = []string{
	"go.opentelemetry.io/otel/sdk",
	"go.opentelemetry.io/otel/exporters",
	"go.opentelemetry.io/contrib/exporters",
	"github.com/prometheus/client_golang",
}

// pkg is what `go list -json` says of a package, as far as it matters here.
type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// check returns a line for every import that points the wrong way.
func check(p pkg) []string {
	name := relative(p.ImportPath)
	r, ok := ruleFor(name)
	if !ok {
		return []string{fmt.Sprintf("%s: no rule says what it may import; add it to internal/layers/rules.go", name)}
	}
	var broken []string
	for _, imp := range p.Imports {
		if why := r.forbids(name, imp); why != "" {
			broken = append(broken, fmt.Sprintf("%s imports %s: %s", name, imp, why))
		}
	}
	for _, imp := range slices.Concat(p.TestImports, p.XTestImports) {
		if why := r.forbidsInTest(name, imp); why != "" {
			broken = append(broken, fmt.Sprintf("%s imports %s in a test: %s", name, imp, why))
		}
	}
	return broken
}

// forbids says why the package name may not import imp, or nothing.
func (r rule) forbids(name, imp string) string {
	if isOurs(imp) {
		rel := relative(imp)
		if target, ok := ruleFor(rel); ok && target.tests {
			return "that is for tests alone"
		}
		if allowed(r.ours, rel) {
			return ""
		}
		return "that is not below it"
	}
	if r.tests {
		return ""
	}
	if imp == "testing" || strings.HasPrefix(imp, "testing/") {
		return "shipped code knows nothing of testing"
	}
	if allowedPrefix(sdk, imp) && !matches("observability/...", name) {
		return "only observability sets up the OpenTelemetry SDK and exporters"
	}
	if r.foreign != nil && isForeign(imp) && !allowedPrefix(r.foreign, imp) {
		return "it stands on the standard library and " + strings.Join(r.foreign, ", ") + " alone"
	}
	return ""
}

// forbidsInTest is forbids for test files: they may also use the package itself, the simulator and foreign packages.
func (r rule) forbidsInTest(name, imp string) string {
	if !isOurs(imp) {
		return ""
	}
	rel := relative(imp)
	if rel == name || matches("esl/...", rel) || matches("internal/...", rel) || allowed(r.ours, rel) {
		return ""
	}
	return "that is not below it, and not the simulator"
}

// ruleFor finds the most specific rule for a package.
func ruleFor(name string) (rule, bool) {
	best, found := rule{}, false
	for _, r := range rules {
		if matches(r.pkg, name) && (!found || r.pkg == name || len(r.pkg) > len(best.pkg) && best.pkg != name) {
			best, found = r, true
		}
	}
	return best, found
}

// matches reports whether pattern, a name or name/..., covers name.
func matches(pattern, name string) bool {
	base, below := strings.CutSuffix(pattern, "/...")
	return name == base || below && strings.HasPrefix(name, base+"/")
}

func allowed(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return p == "*" || matches(p, name) })
}

func allowedPrefix(prefixes []string, imp string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return imp == p || strings.HasPrefix(imp, p+"/") })
}

func isOurs(imp string) bool { return imp == module || strings.HasPrefix(imp, module+"/") }

// isForeign reports whether imp belongs to another module: the standard library has no dot in its first element.
func isForeign(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return strings.Contains(first, ".")
}

func relative(imp string) string {
	if imp == module {
		return "."
	}
	return strings.TrimPrefix(imp, module+"/")
}
