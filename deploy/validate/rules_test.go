// Package validate_test reads the alert rules with Prometheus's own parser, as
// promtool check rules does.
package validate_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql/parser"
)

func TestRules(t *testing.T) {
	groups, errs := rulefmt.ParseFile("../prometheus/rules.yml", false)
	for _, err := range errs {
		t.Error(err)
	}
	if groups == nil {
		return
	}
	n := 0
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			n++
			if rule.Alert == "" || rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("%s: an alert needs a severity, a summary and a description", rule.Alert)
			}
		}
	}
	if n < 10 {
		t.Errorf("%d rules", n)
	}
}

// The dashboard's queries, with Grafana's variables filled in as it does.
func TestDashboardQueries(t *testing.T) {
	data, err := os.ReadFile("../grafana/genesis.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("$__rate_interval", "1m", "$job", ".*", "$instance", ".*")
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			if _, err := parser.ParseExpr(fill.Replace(target.Expr)); err != nil {
				t.Errorf("%s: %v", panel.Title, err)
			}
		}
	}
}

// An OpenMetrics exposition in which a gauge and a counter share a name but for
// _total, as freeswitch_sessions and freeswitch_sessions_total do, is read in full.
func TestSharedNames(t *testing.T) {
	const page = "# TYPE freeswitch_sessions gauge\nfreeswitch_sessions 2.0\n" +
		"# TYPE freeswitch_sessions counter\nfreeswitch_sessions_total 144.0\n# EOF\n"
	p, err := textparse.New([]byte(page), "application/openmetrics-text", "", false, false, false, labels.NewSymbolTable())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if entry == textparse.EntrySeries {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d series, want 2", n)
	}
}
