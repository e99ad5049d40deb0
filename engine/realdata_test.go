package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rhumb/connectors/file"
	"rhumb/parser"
	"rhumb/types"
)

// The proofs on real input. Each answer is computed a second time here, with regular expressions, encoding/json and Go maps, and no code of the engine;
// the known numbers (issue 4) were counted by others still.

const sshFile = "../../shared/data/loghub/OpenSSH_2k.log"

// cells returns the rows of a SELECT as text, and fails the test if there is an error.
func (w *world) cells(sql string) [][]string {
	w.t.Helper()
	parsed, err := parser.Parse(sql)
	if err != nil {
		w.t.Fatal(parser.Caret(sql, types.AsError(err)))
	}
	q, err := w.engine.Prepare(w.ctx(), parsed[0])
	if err != nil {
		w.t.Fatal(parser.Caret(sql, types.AsError(err)))
	}
	var out [][]string
	err = q.Run(w.ctx(), func(b *types.Batch) error {
		for _, i := range b.Selection(nil) {
			row := make([]string, len(b.Cols))
			for c, v := range b.Cols {
				if row[c] = "NULL"; !v.Null(int(i)) {
					row[c] = string(types.AppendText(nil, v, int(i), nil))
				}
			}
			out = append(out, row)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(parser.Caret(sql, types.AsError(err)))
	}
	return out
}

// must executes statements that have to succeed.
func (w *world) must(sql string) {
	w.t.Helper()
	out := w.exec(sql)
	if strings.Contains(out, "ERROR:") {
		w.t.Fatal(out)
	}
}

// expect compares the one row of a SELECT.
func (w *world) expect(sql, want string) {
	w.t.Helper()
	var rows []string
	for _, r := range w.cells(sql) {
		rows = append(rows, strings.Join(r, " "))
	}
	if got := strings.Join(rows, "\n"); got != want {
		w.t.Errorf("%s\n  want %s\n  have %s", sql, want, got)
	}
}

// raw reads a topic through the broker: the bytes of each record by its reference.
func (w *world) raw(topic string) map[string]string {
	w.t.Helper()
	src, err := w.broker.Source(w.ctx(), topic)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = src.Close() }()
	all := map[string]string{}
	for p := range src.Info().Partitions {
		next, end, err := src.Offsets(w.ctx(), p)
		if err != nil {
			w.t.Fatal(err)
		}
		for next < end {
			r, err := src.Fetch(w.ctx(), p, next, 1<<20, time.Second)
			if err != nil {
				w.t.Fatal(err)
			}
			for i, off := range r.Offsets {
				all[fmt.Sprintf("%s/%d/%d", topic, p, off)] = string(r.Values[i])
			}
			next = r.Next
		}
	}
	return all
}

// needData skips a test where a file of the real data, which is not part of the project, is not there; unless RHUMB_REQUIRE_DATA is set.
func needData(t testing.TB, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil && os.Getenv("RHUMB_REQUIRE_DATA") == "" {
		t.Skipf("no real data: %v", err)
	}
}

// fileLines reads a file of the real data.
func fileLines(t testing.TB, path string) []string {
	needData(t, path)
	f, err := file.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var lines []string
	for {
		l, _, err := f.Next()
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(l))
	}
}

// queryFile is a saved query file, without its SELECT statements if create is set.
func queryFile(t testing.TB, path string, create bool) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sql := string(b)
	if i := strings.Index(sql, "\n\nSELECT"); create && i >= 0 {
		sql = sql[:i]
	}
	return sql
}

// event is one reference of _events.
type event struct {
	Ref string    `json:"ref"`
	TS  time.Time `json:"ts"`
}

func events(t testing.TB, text string) []event {
	t.Helper()
	var evs []event
	if err := json.Unmarshal([]byte(text), &evs); err != nil {
		t.Fatalf("_events is %q: %v", text, err)
	}
	return evs
}

// stamp is how timestamptz prints in UTC.
func stamp(t time.Time) string {
	s := t.UTC().Format("2006-01-02 15:04:05.999999")
	return s + "+00"
}

// sshFailure is a line about failed passwords, found independently of the query.
type sshFailure struct {
	line     string
	at       time.Time
	addr     string
	user     string
	failures int
}

var (
	sshLine   = regexp.MustCompile(`^(\w{3} +\d+ \d\d:\d\d:\d\d) \S+ sshd\[\d+\]: (.*)$`)
	sshRepeat = regexp.MustCompile(`^message repeated (\d+) times: \[ (.*)\]$`)
	sshFailed = regexp.MustCompile(`^Failed password for (invalid user )?(.*) from (\S+) port \d+ ssh2$`)
)

func sshFailures(t testing.TB) []sshFailure {
	var all []sshFailure
	for _, l := range fileLines(t, sshFile) {
		m := sshLine.FindStringSubmatch(l)
		if m == nil {
			t.Fatalf("not a line of sshd: %q", l)
		}
		at, err := time.ParseInLocation("2006 Jan 2 15:04:05", "2015 "+m[1], time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		text, n := m[2], 1
		if r := sshRepeat.FindStringSubmatch(text); r != nil {
			if n, err = strconv.Atoi(r[1]); err != nil {
				t.Fatal(err)
			}
			text = r[2]
		}
		if f := sshFailed.FindStringSubmatch(text); f != nil {
			all = append(all, sshFailure{l, at, f[3], f[2], n})
		}
	}
	return all
}

// bruteForce is the query of the file, by hand: address and start of the window -> what its row has to be.
type bruteForce struct {
	lines, attempts int
	users           map[string]bool
	first, last     time.Time
	events          map[string]int // line -> how often
}

func bruteForces(all []sshFailure, size time.Duration) map[string]*bruteForce {
	found := map[string]*bruteForce{}
	for _, f := range all {
		key := f.addr + " " + stamp(f.at.Truncate(size))
		b := found[key]
		if b == nil {
			b = &bruteForce{users: map[string]bool{}, first: f.at, last: f.at, events: map[string]int{}}
			found[key] = b
		}
		b.lines++
		b.attempts += f.failures
		b.users[f.user] = true
		b.events[f.line]++
		if f.at.Before(b.first) {
			b.first = f.at
		}
		if f.at.After(b.last) {
			b.last = f.at
		}
	}
	for k, b := range found {
		if b.attempts < 5 {
			delete(found, k)
		}
	}
	return found
}

// sshWindows is the known answers: size of the window -> windows and addresses.
var sshWindows = []struct {
	interval           string
	size               time.Duration
	windows, addresses int
}{
	{"5 minutes", 5 * time.Minute, 15, 10},
	{"1 minute", time.Minute, 29, 10},
	{"1 hour", time.Hour, 13, 11},
}

// TestRealSSH is (a) of issue 4.
func TestRealSSH(t *testing.T) {
	t.Parallel()
	for _, s := range someSchedules(2) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			testRealSSH(t, s)
		})
	}
}

// someSchedules is the plain one and n random ones; many in a long run.
func someSchedules(n int) []schedule {
	if os.Getenv("RHUMB_LONG") != "" {
		n = max(20, 10*n)
	}
	if testing.Short() {
		n = 0
	}
	all := []schedule{plain()}
	for i := range n {
		all = append(all, random(uint64(1000+i)))
	}
	return all
}

func testRealSSH(t *testing.T, s schedule) {
	w := openWorld(t, t.TempDir(), s)
	sql := queryFile(t, "../queries/auth/ssh_brute_force.sql", true)
	w.must(sql + `
		CREATE MATERIALIZED VIEW by_address AS SELECT src_ip, sum(failures) AS n FROM ssh_failure GROUP BY src_ip;`)
	head, query, ok := strings.Cut(sql, "CREATE STREAM ssh_brute_force")
	if !ok || head == "" || !strings.Contains(query, "INTERVAL '5 minutes'") {
		t.Fatal("the query file is not as this test knows it")
	}
	for i, win := range sshWindows[1:] {
		w.must(fmt.Sprintf("CREATE STREAM brute%d", i+1) + strings.Replace(query, "5 minutes", win.interval, 1))
	}
	lines := fileLines(t, sshFile)
	w.load("sshd_log", strings.Join(lines, "\n"))
	w.finish()

	w.expect("SELECT sum(n), count(*) FROM by_address", "528 23")
	w.expect("SELECT sum(failures), count(DISTINCT src_ip) FROM ssh_failure", "528 23")
	if all := w.raw("sshd_log"); len(all) != len(lines) {
		t.Errorf("the topic has %d records of %d lines", len(all), len(lines))
	}
	failures := sshFailures(t)
	for i, win := range sshWindows {
		name := "ssh_brute_force"
		if i > 0 {
			name = fmt.Sprintf("brute%d", i)
		}
		want := bruteForces(failures, win.size)
		w.expect("SELECT count(*), count(DISTINCT ip) FROM "+name, fmt.Sprintf("%d %d", win.windows, win.addresses))
		rows := w.cells("SELECT ip, attempts, users, first_seen, last_seen, window_start, window_end, _events, _events_total FROM " + name)
		if len(rows) != len(want) {
			t.Errorf("%s has %d rows, counted by hand %d", name, len(rows), len(want))
		}
		for _, row := range rows {
			checkBruteForce(t, w, row, want[row[0]+" "+row[5]], win.size)
		}
	}
}

// checkBruteForce compares a row, and the raw lines that its references lead to.
func checkBruteForce(t *testing.T, w *world, row []string, want *bruteForce, size time.Duration) {
	t.Helper()
	if want == nil {
		t.Errorf("a result too many: %v", row[:7])
		return
	}
	start, err := time.Parse("2006-01-02 15:04:05+00", row[5])
	if err != nil {
		t.Fatal(err)
	}
	cells := []string{row[0], strconv.Itoa(want.attempts), strconv.Itoa(len(want.users)), stamp(want.first), stamp(want.last), row[5], stamp(start.Add(size))}
	if !slices.Equal(cells, row[:7]) {
		t.Errorf("want %v\nhave %v", cells, row[:7])
	}
	if row[8] != strconv.Itoa(want.lines) {
		t.Errorf("%v: _events_total is %s, there are %d lines", row[:2], row[8], want.lines)
	}
	evs := events(t, row[7])
	if len(evs) != min(want.lines, 100) {
		t.Errorf("%v: %d references to %d lines", row[:2], len(evs), want.lines)
	}
	raw := w.raw("sshd_log")
	seen, times := map[string]bool{}, map[string]int{}
	for _, e := range evs {
		line, ok := raw[e.Ref]
		switch {
		case !ok:
			t.Errorf("the reference %s leads nowhere", e.Ref)
			continue
		case seen[e.Ref]:
			t.Errorf("the reference %s is there twice", e.Ref)
		case !strings.Contains(line, "Failed password") || !strings.Contains(line, " from "+row[0]+" port "):
			t.Errorf("%v: the reference %s leads to %q", row[:2], e.Ref, line)
		case e.TS.Before(start) || !e.TS.Before(start.Add(size)):
			t.Errorf("%v: the event of %s is not in the window", row[:7], e.TS)
		case !strings.HasPrefix(line, e.TS.UTC().Format("Jan _2 15:04:05 ")):
			t.Errorf("the event is said to be of %s: %q", e.TS, line)
		}
		seen[e.Ref] = true
		times[line]++
	}
	for line, n := range times {
		if n > want.events[line] {
			t.Errorf("%v: %d references to %q", row[:2], n, line)
		}
	}
}
