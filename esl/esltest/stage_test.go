package esltest_test

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl/esltest"
)

// atOnce is how soon this client, on a machine that may be busy, sends what the recorded one sent within a millisecond
// of a reply, before what the reply was to had any effect.
const atOnce = 250 * time.Millisecond

// stageConfig is the FreeSWITCH that the recordings were made with.
func stageConfig(name, outbound string) esltest.Config {
	cfg := esltest.Config{
		Hostname: "vm", Switchname: "fs-test", IPv4: "192.0.2.2", IPv6: "fd00::2", Domain: "127.0.0.1",
		MaxSessions: 5000,
		Heartbeat:   -1,
		Extensions: []esltest.Extension{
			socketExtension("9999", outbound+" async full"),
			socketExtension("9998", outbound+" full"),
			socketExtension("9995", outbound+" async"),
			socketExtension("9994", outbound),
		},
		Users: []esltest.User{
			{Name: "esl@127.0.0.1", Password: "eslpass", NoLog: true,
				Events: []string{"HEARTBEAT", "BACKGROUND_JOB", "CHANNEL_CREATE"},
				API:    []string{"status", "version", "bgapi", "uptime"}},
			{Name: "esladmin@127.0.0.1", Password: "adminpass"},
		},
	}
	switch name {
	case "l_rude_rejection":
		cfg.Faults = []esltest.Fault{{Kind: esltest.FaultACL}}
	case "h1_async_full", "h3_async_full_json_remote_hangup":
		cfg.Frame = atOnce
	case "h2_sync_full":
		cfg.EventDelay = atOnce
	case "f_api_bgapi":
		cfg.Globals = map[string]string{}
		for line := range strings.SplitSeq(recordedGlobals, "\n") {
			if name, value, ok := strings.Cut(line, "="); ok {
				cfg.Globals[name] = value
			}
		}
	}
	if strings.HasPrefix(name, "z_") {
		cfg.VerboseEvents = true
	}
	return cfg
}

func socketExtension(number, data string) esltest.Extension {
	return esltest.Extension{Match: "^" + number + "$", Actions: []esltest.Action{{App: "socket", Data: data}}}
}

// recordedGlobals are the directories of the recorded FreeSWITCH.
const recordedGlobals = `base_dir=/opt/fs/inst
recordings_dir=/opt/fs/inst/var/lib/freeswitch/recordings
sound_prefix=/opt/fs/inst/share/freeswitch/sounds
sounds_dir=/opt/fs/inst/share/freeswitch/sounds
conf_dir=/opt/fs/conf
log_dir=/opt/fs/log
run_dir=/opt/fs/run
db_dir=/opt/fs/db
mod_dir=/opt/fs/inst/lib/freeswitch/mod
htdocs_dir=/opt/fs/inst/share/freeswitch/htdocs
script_dir=/opt/fs/inst/share/freeswitch/scripts
temp_dir=/var
grammar_dir=/opt/fs/inst/share/freeswitch/grammar
fonts_dir=/opt/fs/inst/share/freeswitch/fonts
images_dir=/opt/fs/inst/var/lib/freeswitch/images
certs_dir=/opt/fs/inst/etc/freeswitch/tls
storage_dir=/opt/fs/inst/var/lib/freeswitch/storage
cache_dir=/opt/fs/inst/var/cache/freeswitch
data_dir=/opt/fs/inst/share/freeswitch
localstate_dir=/opt/fs/inst/var/lib/freeswitch`

// stage does what happened elsewhere while a recording was made: calls on
// another connection, a heartbeat, a kill.
type stage struct {
	ctx    context.Context
	t      *testing.T
	srv    *esltest.Server
	rec    *recording
	ln     net.Listener
	client *client
	uuid   string // the recorded a-leg of outbound recordings
	wg     sync.WaitGroup
	cues   []cue
}

// cue is an action once the client has so many frames.
type cue struct {
	frames int
	do     func()
}

func newStage(ctx context.Context, t *testing.T, srv *esltest.Server, rec *recording, ln net.Listener) *stage {
	st := &stage{ctx: ctx, t: t, srv: srv, rec: rec, ln: ln}
	beat := func() { srv.Beat() }
	switch rec.name {
	case "m_heartbeat":
		st.cues = []cue{{3, beat}, {4, beat}}
	case "m2_heartbeat_json":
		st.cues = []cue{{3, beat}}
	case "n_framing_misc":
		st.cues = []cue{{9, beat}}
	case "c_event_plain_all", "d_event_json_all", "e_event_xml_all":
		st.cues = []cue{{3, st.perform}}
	case "k2_filter_effect":
		st.cues = []cue{{4, st.twoCalls}}
	case "g_log7":
		st.cues = []cue{{3, func() { st.call("loopback/1000/default &park()", newUUID(1)) }}}
	case "p_weird_vars_plain", "p_weird_vars_json", "p_weird_vars_xml":
		st.cues = []cue{{3, st.oddVariables}}
	case "k_filter_nixevent_noevents":
		st.cues = []cue{{1, func() {
			st.srv.API(ctx, "originate {origination_uuid=703d2532-ac8f-4d21-9219-e103117a3a38}loopback/1000/default &park()")
		}}}
	case "z_shutdown_while_connected":
		st.cues = []cue{{1, func() {
			st.srv.API(ctx, "originate loopback/1000/default &park()")
			st.await("sleep")
		}}}
	case "h3_async_full_json_remote_hangup":
		st.cues = []cue{{8, func() {
			st.await("playback")
			srv.API(ctx, "uuid_kill "+st.uuid)
		}}}
	}
	return st
}

var aLeg = regexp.MustCompile(`variable_other_loopback_leg_uuid: ([0-9a-f-]{36})`)

// connect returns the connection of the recorded client: its own, or the one
// that FreeSWITCH made.
func (st *stage) connect() net.Conn {
	if !strings.HasPrefix(st.rec.name, "h") {
		conn, err := net.Dial("tcp", st.srv.Addr())
		if err != nil {
			st.t.Fatal(err)
		}
		return conn
	}
	m := aLeg.FindSubmatch(st.rec.sent)
	if m == nil {
		st.t.Fatal("no a-leg in the recording")
	}
	st.uuid = string(m[1])
	number := regexp.MustCompile(`Channel-Destination-Number: (\d+)`).FindSubmatch(st.rec.sent)
	st.wg.Go(func() {
		st.srv.API(st.ctx, "originate {origination_uuid="+st.uuid+
			",ignore_early_media=true,originate_timeout=40}loopback/"+string(number[1])+"/default &park()")
	})
	conn, err := st.ln.Accept()
	if err != nil {
		st.t.Fatal(err)
	}
	return conn
}

// adapt changes what the client sends where it names an identifier.
func (st *stage) adapt(data string) string { return data }

// until performs the cues that come before the client has n frames.
func (st *stage) until(n int) {
	for len(st.cues) > 0 && st.cues[0].frames < n {
		c := st.cues[0]
		st.cues = st.cues[1:]
		st.client.await(c.frames)
		c.do()
	}
}

// beforeSend starts what happened on other connections.
func (st *stage) beforeSend(int, step) {}

func (st *stage) note(text string) {
	switch {
	case strings.HasPrefix(text, "killing a-leg"):
		st.await("playback")
		st.srv.API(st.ctx, "uuid_kill "+st.uuid)
	case text == "SIGTERM now":
		st.wg.Go(func() { st.srv.Shutdown() })
	}
}

func (st *stage) finish() { st.wg.Wait() }

// perform runs the api commands that the recording's API events tell of, at
// the same distances in time.
func (st *stage) perform() {
	calls := slices.DeleteFunc(slices.Clone(st.rec.frames), func(f frame) bool {
		return f.event != "API" && f.event != "HEARTBEAT"
	})
	slices.SortFunc(calls, func(a, b frame) int { return a.sequence - b.sequence })
	var last int64
	for i := range calls {
		at, _ := strconv.ParseInt(calls[i].get("Event-Date-Timestamp"), 10, 64)
		if last != 0 {
			pause(time.Duration(at-last) * time.Microsecond)
		}
		last = at
		if calls[i].event == "HEARTBEAT" {
			st.srv.Beat()
			continue
		}
		command := calls[i].get("API-Command") + " " + calls[i].get("API-Command-Argument")
		st.srv.API(st.ctx, strings.TrimSpace(command))
	}
}

func (f *frame) get(name string) string {
	for _, h := range f.headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

func pause(d time.Duration) { <-time.After(d) }

// call places a call, holds it for a moment and hangs it up.
func (st *stage) call(dial, uuid string) {
	st.srv.API(st.ctx, "originate {origination_uuid="+uuid+"}"+dial)
	pause(50 * time.Millisecond)
	st.srv.API(st.ctx, "uuid_kill "+uuid)
}

func newUUID(n int) string {
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", n)
}

// twoCalls are the one that the filter names and another one.
func (st *stage) twoCalls() {
	st.call("loopback/1000/default &park()", "1a6e6150-903c-40c0-9ede-1ca586c6c67a")
	st.call("loopback/1000/default &park()", newUUID(2))
}

// oddVariables gives a call the variables that the recording shows.
func (st *stage) oddVariables() {
	uuid := newUUID(3)
	st.srv.API(st.ctx, "originate {origination_uuid="+uuid+"}loopback/1000/default &park()")
	for _, v := range [][2]string{
		{"v_pct", "100%25%0A"}, {"v_utf8", "gr\u00fc\u00dfe \u65e5\u672c"}, {"v_colon", "a: b"}, {"v_empty", ""},
		{"v_lt", "<b>&amp;\"q\"</b>"}, {"v_array", "ARRAY::a|:b c|:d"}, {"v:colon", "x"}, {"v<lt", "y"}, {"1digit", "z"},
		{"v_badutf8", "x\xff\xfey"}, {"v_ctl", "a\x01\x1b[31mb\tc"},
	} {
		st.srv.API(st.ctx, "uuid_setvar "+uuid+" "+v[0]+" "+v[1])
	}
	leg := st.srv.Leg(uuid)
	leg.Execute("set", "v_nl=one\ntwo")
	if err := leg.WaitApp(st.ctx, "set"); err != nil {
		st.t.Error(err)
	}
	if err := leg.WaitVariable(st.ctx, "v_nl", "one\ntwo"); err != nil {
		st.t.Error(err)
	}
	st.srv.API(st.ctx, "uuid_kill "+uuid)
}

// await waits until a b-leg runs an application.
func (st *stage) await(app string) {
	for _, leg := range st.srv.Legs() {
		if strings.HasSuffix(leg.State().Name, "-b") {
			if err := leg.WaitApp(st.ctx, app); err != nil {
				st.t.Error(err)
			}
		}
	}
}
