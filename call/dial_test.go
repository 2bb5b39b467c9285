package call_test

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
)

func TestDialEncode(t *testing.T) {
	tests := []struct {
		name string
		dial call.Dial
		want string
	}{
		{"one leg", call.To(call.User("1000", "example.com")), "user/1000@example.com"},
		{"together", call.To(call.User("1000", ""), call.Gateway("gw", "+4930123")), "user/1000,sofia/gateway/gw/+4930123"},
		{"one after the other", call.To(call.User("1", "")).Then(call.User("2", ""), call.User("3", "")), "user/1|user/2,user/3"},
		{"variables", call.To(call.User("1", "")).With(call.Vars{"b": "2", "a": "1"}), "{a=1,b=2}user/1"},
		{"leg variables", call.To(call.User("1", "").With(call.Vars{"b": "2", "a": "1"}).Timeout(1500 * time.Millisecond)),
			"[a=1][b=2][leg_timeout=2]user/1"},
		{"comma", call.To(call.User("1", "")).With(call.Vars{"codecs": "PCMU,PCMA", "x": "y"}), "{^^;codecs=PCMU,PCMA;x=y}user/1"},
		{"comma and every other delimiter", call.To(call.User("1", "")).With(call.Vars{"a": ",;!~#"}), `{a=\,;!~#}user/1`},
		{"comma in a leg", call.To(call.User("1", "").With(call.Vars{"a": "x,y"})), `[a=x\\,y]user/1`},
		{"quote", call.To(call.User("1", "")).With(call.Vars{"a": "it's"}), `{a=it\\\'s}user/1`},
		{"unbalanced brace", call.To(call.User("1", "")).With(call.Vars{"a": "}", "b": "1"}), `<a=}>{b=1}user/1`},
		{"group mark", call.To(call.User("1", "")).With(call.Vars{"a": "x:_:y"}), `{a=x:'_':y}user/1`},
		{"enterprise", call.Enterprise(
			call.To(call.User("1", "")).With(call.Vars{"a": "1"}),
			call.To(call.User("2", "")).Then(call.User("3", "")),
		).With(call.Vars{"all": "x"}), "<all=x>{a=1}user/1:_:user/2|user/3"},
		{"raw", call.RawDial("user/${x}@${domain_name}").With(call.Vars{"a": "1"}), "{a=1}user/${x}@${domain_name}"},
		{"loopback", call.To(call.Loopback("9196", "")), "loopback/9196/default"},
		{"loopback, in full", call.To(call.Endpoint("loopback/app/default/xml")), "loopback/app/default/xml"},
		{"sip parameters", call.To(call.Sofia("external", "1000@example.com;transport=tcp")), "sofia/external/1000@example.com;transport=tcp"},
		{"registered user", call.To(call.Sofia("internal", "1000%example.com")), "sofia/internal/1000%example.com"},
		{"group", call.To(call.Group("sales", "example.com")), "group/sales@example.com"},
		{"To header of your own", call.To(call.Endpoint("sofia/gateway/gw/1@proxy^2@example.com")), "sofia/gateway/gw/1@proxy^2@example.com"},
		{"ipv6", call.To(call.Sofia("internal", "1000@[2001:db8::1]:5060")), "sofia/internal/1000@[2001:db8::1]:5060"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.dial.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestDialRefuses(t *testing.T) {
	one := call.To(call.User("1", ""))
	tests := []struct {
		name string
		dial call.Dial
		want error
	}{
		{"nothing", call.Dial{}, call.ErrUnencodable},
		{"no legs", call.To(), call.ErrUnencodable},
		{"zero leg", call.To(call.Leg{}), call.ErrUnencodable},
		{"second leg in a number", call.To(call.User("1,user/2", "")), call.ErrUnencodable},
		{"failover in a number", call.To(call.Gateway("gw", "1|user/2")), call.ErrUnencodable},
		{"group in a number", call.To(call.Gateway("gw", "1:_:user/2")), call.ErrUnencodable},
		{"quote in a number", call.To(call.User("1'", "")), call.ErrUnencodable},
		{"variables in a number", call.To(call.Endpoint("user/{a=b}1")), call.ErrUnencodable},
		{"expansion in a number", call.To(call.User("${system(reboot)}", "")), call.ErrUnencodable},
		{"open bracket", call.To(call.User("1[", "")), call.ErrUnencodable},
		{"no type", call.To(call.Endpoint("1000")), call.ErrUnencodable},
		{"line break in a number", call.To(call.User("1\n", "")), esl.ErrInjection},
		{"line break in a value", one.With(call.Vars{"a": "x\r\ny"}), esl.ErrInjection},
		{"line break in a raw dial string", call.RawDial("user/1\n\napi status"), esl.ErrInjection},
		{"expansion in a value", one.With(call.Vars{"a": "${system(reboot)}"}), call.ErrUnencodable},
		{"mark in a value", one.With(call.Vars{"a": "\x02b=c"}), call.ErrUnencodable},
		{"both kinds of brackets", one.With(call.Vars{"a": "}>"}), call.ErrUnencodable},
		{"bracket of a leg", call.To(call.User("1", "").With(call.Vars{"a": "]x["})), call.ErrUnencodable},
		{"name", one.With(call.Vars{"a=1,b": "x"}), call.ErrUnencodable},
		{"empty name", one.With(call.Vars{"": "x"}), call.ErrUnencodable},
		{"application in an extension", call.To(call.Loopback("app=system:reboot;#", "")), call.ErrUnencodable},
		{"application in capitals", call.To(call.Loopback("APP=hangup", "")), call.ErrUnencodable},
		{"application in an endpoint", call.To(call.Endpoint("Loopback/App=system:reboot")), call.ErrUnencodable},
		{"context in an extension", call.To(call.Loopback("1000/admin", "")), call.ErrUnencodable},
		{"dialplan in an extension", call.To(call.Loopback("system:reboot/x/inline", "")), call.ErrUnencodable},
		{"dialplan in a context", call.To(call.Loopback("system:reboot", "x/inline")), call.ErrUnencodable},
		{"dialplan in an endpoint", call.To(call.Endpoint("loopback/1/x/inline:system:reboot")), call.ErrUnencodable},
		{"domain in a user", call.To(call.User("1000@other", "")), call.ErrUnencodable},
		{"domain before the domain", call.To(call.User("1000@other", "mine")), call.ErrUnencodable},
		{"two domains", call.To(call.User("1000", "mine@other")), call.ErrUnencodable},
		{"domain in a group", call.To(call.Group("sales@other", "mine")), call.ErrUnencodable},
		{"end of group_call in a group", call.To(call.Group("sales)", "mine")), call.ErrUnencodable},
		{"host in a number", call.To(call.Gateway("gw", "1000@elsewhere")), call.ErrUnencodable},
		{"parameters in a number", call.To(call.Gateway("gw", "1000;fs_path=sip:elsewhere")), call.ErrUnencodable},
		{"To header in a number", call.To(call.Gateway("gw", "1000^2000")), call.ErrUnencodable},
		{"number in a gateway", call.To(call.Gateway("gw/1000@elsewhere", "1")), call.ErrUnencodable},
		{"destination in a profile", call.To(call.Sofia("internal/1000@elsewhere;", "1")), call.ErrUnencodable},
		{"host before the host", call.To(call.Sofia("internal", "1000@elsewhere;@mine")), call.ErrUnencodable},
		{"To header before the host", call.To(call.Sofia("internal", "1000^@mine")), call.ErrUnencodable},
		{"raw in a group", call.Enterprise(one, call.RawDial("user/2")), call.ErrUnencodable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if s, err := tt.dial.Encode(); !errors.Is(err, tt.want) {
				t.Errorf("got %q, %v; want %v", s, err, tt.want)
			}
		})
	}
}

func TestDialIsCopied(t *testing.T) {
	base := call.To(call.User("1", "")).With(call.Vars{"a": "1"})
	_ = base.With(call.Vars{"b": "2"})
	_ = base.Then(call.User("2", ""))
	if got, err := base.Encode(); got != "{a=1}user/1" || err != nil {
		t.Errorf("changed to %s, %v", got, err)
	}
	vars := call.Vars{"a": "1"}
	_ = call.To(call.User("1", "")).With(vars).With(call.Vars{"b": "2"})
	if !maps.Equal(vars, call.Vars{"a": "1"}) {
		t.Errorf("the caller's map became %v", vars)
	}
}

// TestDialString: what is written to logs and spans, and names a destination to a balancer, holds no secret.
func TestDialString(t *testing.T) {
	secret := call.Vars{"sip_auth_password": "S3CRET,]}>"}
	leg, other := call.Endpoint("sofia/internal/1000@[::1]:5060").With(secret), call.User("1001", "").With(secret)
	for want, dial := range map[string]call.Dial{
		"sofia/internal/1000@[::1]:5060,user/1001": call.To(leg, other).With(secret),
		"user/1001|sofia/internal/1000@[::1]:5060": call.To(other).Then(leg).With(secret),
		"user/1001:_:user/1001":                    call.Enterprise(call.To(other), call.To(other)).With(secret),
		"user/1,user/2|user/3:_:user/4":            call.RawDial("<p=S3CRET>{p=S3CRET,q={S3CRET}}[p=S3CRET]user/1,[p=S3CRET]user/2|[p=S3CRET]user/3:_:{p=S3CRET}user/4"),
		"user/1@${domain}":                         call.RawDial("{p=S3CRET}user/1@${domain}").With(secret),
		"":                                         call.RawDial("{p=S3CRET"),
		"sofia/external/1@[::1]":                   call.RawDial("[p='S3CRET']sofia/external/1@[::1]"),
	} {
		if got := dial.String(); got != want && !(want == "" && strings.HasPrefix(got, "!")) {
			t.Errorf("got %q, want %q", got, want)
		}
		if strings.Contains(dial.String(), "S3CRET") {
			t.Errorf("%q shows a secret", dial)
		}
	}
}

// FuzzDial gives the builder hostile values and reads the result as FreeSWITCH
// would: what comes out must be what went in, and nothing more.
func FuzzDial(f *testing.F) {
	f.Add("1", "2", "3", "1000", true)
	f.Add("it's", ` \ `, "a,b", "1000@example.com", false)
	f.Add("x:_:user/666", "}", "]user/666,[", "1,user/666", true)
	f.Add(`\`, `'`, `\'`, `1\`, false)
	f.Add("^^;a=b", "a|b", "^^:", "+49", true)
	f.Add(",;!~#", "a=b,c=d", "'", "1[::1]", true)
	f.Add(`a\sb`, " lead", "trail ", "1", false)
	f.Fuzz(func(t *testing.T, v1, v2, legValue, number string, enterprise bool) {
		first := call.Endpoint("user/" + number).With(call.Vars{"leg": legValue, "second": v1})
		dial := call.To(first, call.User("b", "")).Then(call.User("c", "")).With(call.Vars{"one": v1, "two": v2})
		want := []parsedGroup{{
			vars: withoutEmpty(map[string]string{"one": v1, "two": v2}),
			steps: [][]parsedLeg{
				{{"user/" + number, withoutEmpty(map[string]string{"leg": legValue, "second": v1})}, {"user/b", nil}},
				{{"user/c", nil}},
			},
		}}
		wantOuter := map[string]string{}
		if enterprise {
			dial = call.Enterprise(dial, call.To(call.User("d", ""))).With(call.Vars{"outer": v2})
			want = append(want, parsedGroup{steps: [][]parsedLeg{{{"user/d", nil}}}})
			wantOuter = withoutEmpty(map[string]string{"outer": v2})
		}
		s, err := dial.Encode()
		if err != nil {
			return
		}
		if strings.ContainsAny(s, "\r\n") {
			t.Fatalf("line break in %q", s)
		}
		outer, groups, err := parseDial(s)
		if err != nil {
			t.Fatalf("%v: %s", err, s)
		}
		if !maps.Equal(outer, wantOuter) {
			t.Errorf("%s: variables of the whole call %q, want %q", s, outer, wantOuter)
		}
		sameGroups(t, s, groups, want)
	})
}

func withoutEmpty(m map[string]string) map[string]string {
	maps.DeleteFunc(m, func(_, v string) bool { return v == "" })
	return m
}

func sameGroups(t *testing.T, s string, got, want []parsedGroup) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d groups, want %d", s, len(got), len(want))
	}
	for i := range got {
		if !maps.Equal(got[i].vars, want[i].vars) {
			t.Errorf("%s: group %d has %q, want %q", s, i, got[i].vars, want[i].vars)
		}
		if len(got[i].steps) != len(want[i].steps) {
			t.Fatalf("%s: group %d has %d steps, want %d", s, i, len(got[i].steps), len(want[i].steps))
		}
		for j := range got[i].steps {
			if len(got[i].steps[j]) != len(want[i].steps[j]) {
				t.Fatalf("%s: step %d has %d legs, want %d", s, j, len(got[i].steps[j]), len(want[i].steps[j]))
			}
			for k, leg := range got[i].steps[j] {
				if w := want[i].steps[j][k]; leg.endpoint != w.endpoint || !maps.Equal(leg.vars, w.vars) {
					t.Errorf("%s: leg %q %q, want %q %q", s, leg.endpoint, leg.vars, w.endpoint, w.vars)
				}
			}
		}
	}
}
