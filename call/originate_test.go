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

const aUUID = "6f0c1f0e-3c5b-4a0e-9a54-0d7f6f6d5a01"

func TestOriginateCommand(t *testing.T) {
	user := call.To(call.User("1000", ""))
	tests := []struct {
		name string
		o    call.Originate
		want string
	}{
		{"least", call.Originate{To: user, UUID: aUUID},
			"originate {ignore_early_media=true}[origination_uuid=" + aUUID + "]user/1000 &park()"},
		{"most", call.Originate{
			To: user, UUID: aUUID, CallerName: "Bob & Co", CallerNumber: "+49301", Timeout: 2500 * time.Millisecond,
			App: call.App{Name: "playback", Args: "a b.wav"}, EarlyMedia: true, Vars: call.Vars{"x": "y"},
		}, `originate '{originate_timeout=3,origination_caller_id_name=Bob & Co,origination_caller_id_number=+49301,x=y}` +
			`[origination_uuid=` + aUUID + `]user/1000' '&playback(a b.wav)'`},
		{"extension", call.Originate{To: user, UUID: aUUID, Extension: call.Extension{Number: "9196", Context: "public"}},
			"originate {ignore_early_media=true}[origination_uuid=" + aUUID + "]user/1000 9196 XML public"},
		{"raw", call.Originate{To: call.RawDial("user/${x}"), UUID: aUUID},
			"originate {ignore_early_media=true,origination_uuid=" + aUUID + "}user/${x} &park()"},
		{"closer variables win", call.Originate{To: user.With(call.Vars{"x": "dial"}), Vars: call.Vars{"x": "all"}, UUID: aUUID, EarlyMedia: true},
			"originate {x=dial}[origination_uuid=" + aUUID + "]user/1000 &park()"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.o.Command()
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestOriginateRefuses(t *testing.T) {
	user := call.To(call.User("1000", ""))
	tests := []struct {
		name string
		o    call.Originate
		want error
	}{
		{"nobody", call.Originate{}, call.ErrUnencodable},
		{"application as extension", call.Originate{To: user, Extension: call.Extension{Number: "&system(reboot)"}}, call.ErrUnencodable},
		{"no extension", call.Originate{To: user, Extension: call.Extension{Number: "undef"}}, call.ErrUnencodable},
		{"line break in an extension", call.Originate{To: user, Extension: call.Extension{Number: "1\n\nexit"}}, esl.ErrInjection},
		{"two words of context", call.Originate{To: user, Extension: call.Extension{Number: "1", Context: "a b"}}, call.ErrUnencodable},
		{"application with arguments in its name", call.Originate{To: user, App: call.App{Name: "system(reboot)"}}, call.ErrUnencodable},
		{"closed argument", call.Originate{To: user, App: call.App{Name: "playback", Args: "x) y"}}, call.ErrUnencodable},
		{"expansion in a caller name", call.Originate{To: user, CallerName: "${system(reboot)}"}, call.ErrUnencodable},
		{"line break in a caller name", call.Originate{To: user, CallerName: "Bob\r\nX: y"}, esl.ErrInjection},
		{"two UUIDs", call.Originate{To: user, UUID: "a b"}, call.ErrUnencodable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if s, err := tt.o.Command(); !errors.Is(err, tt.want) {
				t.Errorf("got %q, %v; want %v", s, err, tt.want)
			}
		})
	}
}

// FuzzOriginate reads the whole command as FreeSWITCH would: two to four arguments,
// of which the first is the dial string.
func FuzzOriginate(f *testing.F) {
	f.Add("Bob", "+4930", "2", "1000", "9196", "")
	f.Add("it's \"Bob\"", "a b", `\`, "1000@x", "", "x y.wav")
	f.Add("x:_:y", ",", "' '", "1", "1 2", "")
	f.Add("undef", "&park()", "^^:a", "1", "&x", "'")
	f.Add(" a ", `\s`, `\'`, "1", `1\ 2`, `\)`)
	f.Fuzz(func(t *testing.T, name, value, legValue, number, extension, appArg string) {
		o := call.Originate{
			To:         call.To(call.User(number, "").With(call.Vars{"leg": legValue}), call.User("b", "")),
			CallerName: name, Vars: call.Vars{"v": value}, EarlyMedia: true,
			Extension: call.Extension{Number: extension}, App: call.App{Name: "playback", Args: appArg},
		}
		cmd, err := o.Command()
		if err != nil {
			return
		}
		if strings.ContainsAny(cmd, "\r\n") {
			t.Fatalf("line break in %q", cmd)
		}
		args := separate(strings.TrimPrefix(cmd, "originate "), ' ', 10)
		wantArgs := []string{"&playback(" + appArg + ")"}
		if extension != "" {
			wantArgs = []string{extension, "XML", "default"}
		}
		if len(args) != 1+len(wantArgs) {
			t.Fatalf("%s: arguments %q, want a dial string and %q", cmd, args, wantArgs)
		}
		for i, want := range wantArgs {
			if args[i+1] != want {
				t.Errorf("%s: argument %q, want %q", cmd, args[i+1], want)
			}
		}
		outer, groups, err := parseDial(args[0])
		if err != nil || len(outer) > 0 || len(groups) != 1 || len(groups[0].steps) != 1 || len(groups[0].steps[0]) != 2 {
			t.Fatalf("%s: read as %v %v, %v", cmd, outer, groups, err)
		}
		if want := withoutEmpty(map[string]string{"origination_caller_id_name": name, "v": value}); !maps.Equal(groups[0].vars, want) {
			t.Errorf("%s: variables %q, want %q", cmd, groups[0].vars, want)
		}
		leg := groups[0].steps[0][0]
		delete(leg.vars, "origination_uuid")
		if want := withoutEmpty(map[string]string{"leg": legValue}); leg.endpoint != "user/"+number || !maps.Equal(leg.vars, want) {
			t.Errorf("%s: leg %q %q, want %q %q", cmd, leg.endpoint, leg.vars, "user/"+number, want)
		}
	})
}
