package esltest_test

import (
	"testing"

	"github.com/genesis-esl/genesis/esl/esltest"
)

// TestDialStringsArePassedThroughAsOften sets a variable in each kind of bracket
// and reads it back: what needs escaping, and how often, is FreeSWITCH's.
func TestDialStringsArePassedThroughAsOften(t *testing.T) {
	srv := start(t, esltest.Config{})
	conn := connect(t, srv)
	for dial, want := range map[string]string{
		`{v=plain}user/1`:             "plain",
		`{v='a b'}user/1`:             "a b",
		`{v='a b: c, d'}user/1`:       "a b: c", // the quotes are gone before the comma is seen
		`{v=a\,b}user/1`:              "a,b",
		`{^^:v=a,b:w=1}user/1`:        "a,b",
		`{v=it\\\'s}user/1`:           "it's",
		`{v=\s\\sx}user/1`:            "x",
		`[v=leg]user/1`:               "leg",
		`{v=all}[v=leg]user/1`:        "leg",
		`<v=all>user/1:_:user/2`:      "all",
		`{v=a=b}user/1`:               "a=b",
		`{v=one}{w=two}user/1`:        "one",
		`[^^:v=a,b]user/1,error/BUSY`: "a,b",
		`error/USER_BUSY|{v=x}user/1`: "_undef_", // {} is read at the front only
		`{v=x}error/USER_BUSY|user/1`: "x",
		`{v=}user/1`:                  "_undef_",
	} {
		out := api(t, conn, "originate "+dial+" &park()")
		uuid, ok := okUUID(out)
		if !ok {
			if want != "_undef_" {
				t.Errorf("originate %s: %q", dial, out)
			}
			continue
		}
		if got := api(t, conn, "uuid_getvar "+uuid+" v"); got != want {
			t.Errorf("originate %s: v is %q, want %q", dial, got, want)
		}
		api(t, conn, "uuid_kill "+uuid)
	}
}

func okUUID(out string) (string, bool) {
	if len(out) < 4 || out[:4] != "+OK " {
		return "", false
	}
	return out[4 : len(out)-1], true
}
