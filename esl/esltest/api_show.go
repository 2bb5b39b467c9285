package esltest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// table is what show prints.
type table struct {
	columns []string
	rows    [][]string
}

var channelColumns = []string{"uuid", "direction", "created", "created_epoch", "name", "state", "cid_name", "cid_num",
	"ip_addr", "dest", "application", "application_data", "dialplan", "context", "read_codec", "read_rate",
	"read_bit_rate", "write_codec", "write_rate", "write_bit_rate", "secure", "hostname", "presence_id",
	"presence_data", "accountcode", "callstate", "callee_name", "callee_num", "callee_direction", "call_uuid",
	"sent_callee_name", "sent_callee_num", "initial_cid_name", "initial_cid_num", "initial_ip_addr",
	"initial_dest", "initial_dialplan", "initial_context"}

func (ch *channel) row() []string {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	p := &ch.profile
	app, _ := ch.get("current_application")
	data, _ := ch.get("current_application_data")
	callUUID := ""
	if ch.otherUUID != "" {
		callUUID = ch.uuid
		if p.direction == outboundCall {
			callUUID = ch.otherUUID
		}
	}
	return []string{ch.uuid, p.direction, ch.created.Format("2006-01-02 15:04:05"), strconv.FormatInt(ch.created.Unix(), 10),
		ch.name, stateNames[ch.running], p.cidName, p.cidNumber, p.network, p.dest, app, data, p.dialplan, p.context,
		"L16", "8000", "128000", "L16", "8000", "128000", "", ch.core.srv.cfg.Hostname, "", "", "",
		callStateNames[ch.callState], p.calleeName, p.calleeNumber, "", callUUID, "", "", p.origName, p.origNumber,
		p.network, p.dest, p.dialplan, p.context}
}

func (c *core) channelTable() table {
	t := table{columns: channelColumns}
	for _, ch := range c.sessions() {
		t.rows = append(t.rows, ch.row())
	}
	return t
}

var callColumns = []string{"uuid", "direction", "created", "created_epoch", "name", "state", "cid_name", "cid_num",
	"ip_addr", "dest", "presence_id", "presence_data", "accountcode", "callstate", "callee_name", "callee_num",
	"callee_direction", "call_uuid", "hostname", "sent_callee_name", "sent_callee_num", "b_uuid", "b_direction",
	"b_created", "b_created_epoch", "b_name", "b_state", "b_cid_name", "b_cid_num", "b_ip_addr", "b_dest",
	"b_presence_id", "b_presence_data", "b_accountcode", "b_callstate", "b_callee_name", "b_callee_num",
	"b_callee_direction", "b_sent_callee_name", "b_sent_callee_num", "call_created_epoch"}

// callTable lists each bridged pair once and each single leg.
func (c *core) callTable() table {
	t := table{columns: callColumns}
	pick := func(row []string) []string {
		short := slices.Clone(row[:10])
		return append(short, row[22:29]...)
	}
	for _, ch := range c.sessions() {
		ch.mu.Lock()
		partner, second := ch.partner, ch.partner != nil && ch.profile.direction == outboundCall
		ch.mu.Unlock()
		if second {
			continue
		}
		row := ch.row()
		line := append(pick(row), row[29], row[21], "", "")
		var other []string
		if partner != nil {
			other = append(pick(partner.row()), "", "")
		} else {
			other = make([]string, 19)
		}
		line = append(line, other...)
		t.rows = append(t.rows, append(line, row[3]))
	}
	return t
}

func (c *core) registrationTable() table {
	t := table{columns: []string{"reg_user", "realm", "token", "url", "expires", "network_ip", "network_port",
		"network_proto", "hostname", "metadata"}}
	for _, r := range c.srv.cfg.Registrations {
		host := r.Hostname
		setDefault(&host, c.srv.cfg.Hostname)
		t.rows = append(t.rows, []string{r.User, r.Realm, r.Token, r.URL, strconv.FormatInt(r.Expires, 10),
			r.NetworkIP, r.NetworkPort, r.NetworkProto, host, r.Metadata})
	}
	return t
}

var codecTable = table{columns: []string{"type", "name", "ikey"}, rows: [][]string{
	{"codec", "G.711 alaw", "CORE_PCM_MODULE"}, {"codec", "G.711 ulaw", "CORE_PCM_MODULE"},
	{"codec", "PROXY PASS-THROUGH", "CORE_PCM_MODULE"}, {"codec", "PROXY VIDEO PASS-THROUGH", "CORE_PCM_MODULE"},
	{"codec", "RAW Signed Linear (16 bit)", "CORE_PCM_MODULE"}, {"codec", "Speex", "CORE_SPEEX_MODULE"},
}}

// apiShow prints channels, calls, registrations, codecs or status as text, json
// or xml.
func apiShow(_ context.Context, c *core, arg string) string {
	words := strings.Fields(arg)
	if len(words) == 0 {
		return "-USAGE: codec|endpoint|application|api|dialplan|file|timer|calls|channels|aliases|complete|chat|management|modules|nat_map|say|interfaces|interface_types|tasks|limits|status\n"
	}
	what := strings.ToLower(words[0])
	format := ""
	for i, word := range words {
		if word == "as" && i+1 < len(words) {
			format = words[i+1]
		}
	}
	var t table
	switch what {
	case "channels":
		t = c.channelTable()
	case "calls", "bridged_calls", "detailed_calls":
		t = c.callTable()
	case "registrations":
		t = c.registrationTable()
	case "codec", "codecs":
		t = codecTable
	case "status":
		return apiStatusText(c)
	default:
		return "-USAGE: codec|endpoint|application|api|dialplan|file|timer|calls|channels|aliases|complete|chat|management|modules|nat_map|say|interfaces|interface_types|tasks|limits|status\n"
	}
	if len(words) > 1 && words[1] == "count" {
		return showCount(len(t.rows), format)
	}
	switch format {
	case "json":
		return t.json()
	case "xml":
		return t.xml()
	}
	return t.text()
}

func showCount(n int, format string) string {
	switch format {
	case "json":
		return fmt.Sprintf("{\"row_count\": %d}\n", n)
	case "xml":
		return fmt.Sprintf("<result row_count=\"%d\"/>\n", n)
	}
	return fmt.Sprintf("\n%d total.\n", n)
}

func (t table) text() string {
	var b strings.Builder
	if len(t.rows) > 0 {
		b.WriteString(strings.Join(t.columns, ",") + "\n")
	}
	for _, row := range t.rows {
		for i, value := range row {
			if i > 0 {
				b.WriteByte(',')
			}
			if strings.ContainsAny(value, ",\"") {
				value = `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
			}
			b.WriteString(value)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "\n%d total.\n", len(t.rows))
	return b.String()
}

// json is {"row_count":N,"rows":[{…}]}; without rows FreeSWITCH writes it
// with a space.
func (t table) json() string {
	if len(t.rows) == 0 {
		return "{\"row_count\": 0}\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, `{"row_count":%d,"rows":[`, len(t.rows))
	for i, row := range t.rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('{')
		for j, value := range row {
			if j > 0 {
				b.WriteByte(',')
			}
			name, _ := json.Marshal(t.columns[j])
			quoted, _ := json.Marshal(value)
			b.Write(name)
			b.WriteByte(':')
			b.Write(quoted)
		}
		b.WriteByte('}')
	}
	b.WriteString("]}\n")
	return b.String()
}

var xmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

func (t table) xml() string {
	if len(t.rows) == 0 {
		return "<result row_count=\"0\"/>\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "<result row_count=\"%d\">\n", len(t.rows))
	for i, row := range t.rows {
		fmt.Fprintf(&b, "  <row row_id=\"%d\">\n", i+1)
		for j, value := range row {
			if value == "" {
				fmt.Fprintf(&b, "    <%s/>\n", t.columns[j])
				continue
			}
			fmt.Fprintf(&b, "    <%s>%s</%s>\n", t.columns[j], xmlEscaper.Replace(value), t.columns[j])
		}
		b.WriteString("  </row>\n")
	}
	b.WriteString("</result>\n")
	return b.String()
}

// jsonStatus answers the json api's status command.
func (c *core) jsonStatus(arg string) string {
	var req struct {
		Command string `json:"command"`
		Data    string `json:"data"`
	}
	if json.Unmarshal([]byte(arg), &req) != nil || req.Command != "status" {
		return fmt.Sprintf(`{"command":%q,"data":%q,"status":"error","message":"Command Error","response":null}`, req.Command, req.Data)
	}
	v := c.vitals()
	us := v.up.Microseconds()
	return fmt.Sprintf(`{"command":"status","data":%q,"status":"success","response":{"systemStatus":"ready","uptime":{`+
		`"years":%d,"days":%d,"hours":%d,"minutes":%d,"seconds":%d,"milliseconds":%d,"microseconds":%d},`+
		`"version":"%s  64bit","sessions":{"count":{"total":%d,"active":%d,"peak":%d,"peak5Min":%d,"limit":%d},`+
		`"rate":{"current":%d,"max":%d,"peak":%d,"peak5Min":%d}},"idleCPU":{"used":0,"allowed":98.0},`+
		`"stackSizeKB":{"current":240,"max":8192}}}`+"\n", req.Data,
		us/31536000000000, us/86400000000%365, us/3600000000%24, us/60000000%60, us/1000000%60, us/1000%1000, us%1000,
		c.srv.cfg.Version, v.total, v.active, v.peak, v.peakFive, c.srv.cfg.MaxSessions, v.rate, sessionRate, v.rateMax, v.rateFive)
}

func (c *core) listRooms() string {
	c.mu.RLock()
	names := sortedNames(c.rooms)
	members := make([][]*channel, len(names))
	for i, name := range names {
		members[i] = slices.Clone(c.rooms[name].members)
	}
	c.mu.RUnlock()
	if len(names) == 0 {
		return "+OK No active conferences.\n"
	}
	var b strings.Builder
	for i, name := range names {
		fmt.Fprintf(&b, "+OK Conference %s (%d member%s rate: 8000 flags: running|answered|enforce_min|dynamic)\n",
			name, len(members[i]), plural(len(members[i])))
		for j, ch := range members[i] {
			ch.mu.Lock()
			fmt.Fprintf(&b, "%d;%s;%s;%s;%s;hear|speak;0;0;100;0\n", j+1, ch.name, ch.uuid, ch.profile.cidName, ch.profile.cidNumber)
			ch.mu.Unlock()
		}
	}
	return b.String()
}
