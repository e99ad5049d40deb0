package engine_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"
)

// dnsEvent is what the query reads of a line of the DNS log.
type dnsEvent struct {
	TS      time.Time `json:"ts"`
	Client  string    `json:"id.orig_h"`
	Query   *string   `json:"query"`
	Answers []*string `json:"answers"`
}

func dnsEvents(t testing.TB) []dnsEvent {
	t.Helper()
	return parseDNS(t, fileLines(t, dnsFile))
}

func parseDNS(t testing.TB, lines []string) []dnsEvent {
	t.Helper()
	var all []dnsEvent
	for _, l := range lines {
		var e dnsEvent
		if err := json.Unmarshal([]byte(l), &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// related is a row of domain_ips or ip_domains.
type related struct {
	set         map[string]bool
	answers     int
	first, last time.Time
}

// correlate is the two views by hand.
func correlate(all []dnsEvent) (byDomain, byIP map[string]*related) {
	byDomain, byIP = map[string]*related{}, map[string]*related{}
	add := func(m map[string]*related, key, value string, at time.Time) {
		r := m[key]
		if r == nil {
			r = &related{set: map[string]bool{}, first: at, last: at}
			m[key] = r
		}
		r.set[value] = true
		r.answers++
		if at.Before(r.first) {
			r.first = at
		}
		if at.After(r.last) {
			r.last = at
		}
	}
	for _, e := range all {
		if e.Query == nil {
			continue
		}
		for _, a := range e.Answers {
			if a == nil {
				continue
			}
			ip, err := netip.ParseAddr(*a)
			if err != nil || !ip.Is4() {
				continue
			}
			add(byDomain, *e.Query, *a, e.TS)
			add(byIP, *a, *e.Query, e.TS)
		}
	}
	return byDomain, byIP
}

// cells is the row as the query's columns print, given how the set is ordered.
func (r *related) cells(key string, less func(a, b string) int) []string {
	set := make([]string, 0, len(r.set))
	for v := range r.set {
		set = append(set, v)
	}
	slices.SortFunc(set, less)
	return []string{key, strings.Join(set, " "), strconv.Itoa(len(set)), strconv.Itoa(r.answers), stamp(r.first), stamp(r.last)}
}

func compareIPs(a, b string) int { return netip.MustParseAddr(a).Compare(netip.MustParseAddr(b)) }

// TestRealDNS is (b) of issue 4.
func TestRealDNS(t *testing.T) {
	t.Parallel()
	w := openWorld(t, t.TempDir(), plain())
	w.must(queryFile(t, "../queries/correlation/ip_domain.sql", true))
	w.load("dns", strings.Join(fileLines(t, dnsFile), "\n"))
	w.finish()
	w.expect("SELECT count(*) FROM dns", "53615")
	w.expect("SELECT count(*), sum(addresses) FROM domain_ips", "1056 2315")
	w.expect("SELECT count(*), sum(names) FROM ip_domains", "1435 2315")
	w.expect("SELECT names FROM ip_domains WHERE ip = '0.0.0.0'", "152")
	w.expect("SELECT names FROM ip_domains WHERE ip = '172.217.11.78'", "30")
	checkCorrelation(t, w, dnsEvents(t))
}

// checkCorrelation compares the content of the two views with what the events say, and with their references.
func checkCorrelation(t *testing.T, w *world, all []dnsEvent) {
	t.Helper()
	byDomain, byIP := correlate(all)
	for _, v := range []struct {
		sql  string
		want map[string]*related
		less func(a, b string) int
	}{
		{"SELECT domain, array_to_string(ips, ' '), addresses, answers, first_seen, last_seen FROM domain_ips ORDER BY domain", byDomain, compareIPs},
		{"SELECT host(ip), array_to_string(domains, ' '), names, answers, first_seen, last_seen FROM ip_domains ORDER BY ip", byIP, strings.Compare},
	} {
		rows := w.cells(v.sql)
		if len(rows) != len(v.want) {
			t.Errorf("%s: %d rows, by hand %d", v.sql, len(rows), len(v.want))
		}
		for _, row := range rows {
			r := v.want[row[0]]
			if r == nil {
				t.Errorf("%s: a row too many: %v", v.sql, row)
				continue
			}
			if want := r.cells(row[0], v.less); !slices.Equal(want, row) {
				t.Errorf("%s:\nwant %q\nhave %q", v.sql, want, row)
			}
		}
	}
}

// perMinute counts the events per client and minute.
func perMinute(all []dnsEvent) []string {
	n := map[string]int{}
	for _, e := range all {
		n[e.Client+" "+stamp(e.TS.Truncate(time.Minute))]++
	}
	var rows []string
	for k, c := range n {
		rows = append(rows, fmt.Sprintf("%s %d", k, c))
	}
	sort.Strings(rows)
	return rows
}

// perMinuteSQL is (c) of issue 4.
func perMinuteSQL(delay string) string {
	return `CREATE STREAM dns (ts timestamptz NOT NULL, client inet PATH '$["id.orig_h"]', WATERMARK FOR ts AS ts - INTERVAL '` + delay + `');
		CREATE STREAM per_minute AS SELECT client, window_start, count(*) AS n FROM TUMBLE(dns, ts, INTERVAL '1 minute')
		GROUP BY client, window_start, window_end;`
}

// TestRealPerMinute is (c) of issue 4 with enough delay: nothing is late, whatever the schedule.
func TestRealPerMinute(t *testing.T) {
	t.Parallel()
	want := perMinute(dnsEvents(t))
	for _, s := range someSchedules(2) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := openWorld(t, t.TempDir(), longCuts(s))
			w.must(perMinuteSQL("672 seconds"))
			w.load("dns", strings.Join(fileLines(t, dnsFile), "\n"))
			w.finish()
			w.expect("SELECT rows_in, used, filtered, late, rejected, future FROM rhumb.ledger", "53615 53615 0 0 0 0")
			w.expect("SELECT count(*) FROM rhumb.late", "0")
			var rows []string
			for _, r := range w.cells("SELECT host(client), window_start, n FROM per_minute") {
				rows = append(rows, strings.Join(r, " "))
			}
			sort.Strings(rows)
			if d := firstDifference(strings.Join(want, "\n"), strings.Join(rows, "\n")); d != "" {
				t.Error(d)
			}
		})
	}
}

// longCuts makes a schedule's steps large enough for many rows: some hundreds of steps, not 53,615.
func longCuts(s schedule) schedule {
	if cut := s.cut; cut != nil {
		s.cut = func() int { return 50 * cut() }
	}
	s.chunkRows = max(s.chunkRows, 64)
	return s
}

// TestRealLate is (c) with too little delay: what is late depends on the schedule, that nothing is lost does not.
func TestRealLate(t *testing.T) {
	t.Parallel()
	all := dnsEvents(t)
	schedules := someSchedules(2)
	for i := range schedules {
		schedules[i] = longCuts(schedules[i])
		// Without cuts one step takes what there is, and little of it is late.
		if schedules[i].cut == nil {
			schedules[i].cut = func() int { return 100 }
			schedules[i].name = "small steps"
		}
	}
	for _, s := range schedules {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := openWorld(t, t.TempDir(), s)
			w.must(perMinuteSQL("5 seconds"))
			w.load("dns", strings.Join(fileLines(t, dnsFile), "\n"))
			w.finish()
			checkLate(t, w, all)
		})
	}
}

// checkLate verifies that each event was either counted in its window or is in rhumb.late, once, with its bytes.
func checkLate(t *testing.T, w *world, all []dnsEvent) {
	t.Helper()
	raw := w.raw("dns")
	late := w.cells(`SELECT topic || '/' || partition || '/' || "offset", payload, ts, query, stream, reason FROM rhumb.late`)
	counts := map[string]int{} // client and window -> events
	for _, e := range all {
		counts[e.Client+" "+stamp(e.TS.Truncate(time.Minute))]++
	}
	refs := map[string]bool{}
	for _, r := range late {
		if refs[r[0]] {
			t.Errorf("%s is in rhumb.late twice", r[0])
		}
		refs[r[0]] = true
		var e dnsEvent
		if err := json.Unmarshal([]byte(r[1]), &e); err != nil || raw[r[0]] != r[1] || stamp(e.TS) != r[2] || r[3] != "per_minute" || r[4] != "dns" {
			t.Errorf("not a late row as it was: %q, record %q", r, raw[r[0]])
			continue
		}
		counts[e.Client+" "+stamp(e.TS.Truncate(time.Minute))]--
	}
	used := 0
	for _, r := range w.cells("SELECT host(client), window_start, n FROM per_minute") {
		n, err := strconv.Atoi(r[2])
		if err != nil {
			t.Fatal(err)
		}
		used += n
		if key := r[0] + " " + r[1]; counts[key] != n {
			t.Errorf("%s has %d, should have %d", key, n, counts[key])
		} else {
			delete(counts, key)
		}
	}
	for key, n := range counts {
		if n != 0 {
			t.Errorf("%s: %d events are neither counted nor late", key, n)
		}
	}
	if used+len(late) != len(all) || len(all) != 53615 {
		t.Errorf("%d used and %d late of %d", used, len(late), len(all))
	}
	if len(late) == 0 {
		t.Error("no row was late: the test proves nothing")
	}
	w.expect("SELECT rows_in, used, filtered, late, rejected, future FROM rhumb.ledger", fmt.Sprintf("%d %d 0 %d 0 0", len(all), used, len(late)))
	t.Logf("%d used, %d late", used, len(late))
}
