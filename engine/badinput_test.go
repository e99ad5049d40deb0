package engine_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// What comes from outside may be anything. These tests mix poison into real input and look at what users see; damage_test.go damages files, fulldisk_test.go takes
// the disk away.

// poison is a bad record and what has to become of it.
type poison struct {
	line string
	fate string // rejected, future, or accepted: read, with NULL for what is wrong
}

// badClient is the client of poison that is accepted with a client; no real event has it.
const badClient = "203.0.113.66"

// poisons makes the kinds of poison; good is a real event, n makes each different.
func poisons(good string, n int) []poison {
	ts := `"ts":"2018-03-24T17:15:20.865716Z"`
	if _, rest, ok := strings.Cut(good, `"ts":"`); ok {
		ts = `"ts":"` + rest[:len("2018-03-24T17:15:20.865716Z")] + `"` // not late where the good one is not
	}
	id := fmt.Sprintf(`"poison":%d`, n)
	deep := func(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }
	all := []poison{
		{fmt.Sprintf("poison %d is not JSON", n), "rejected"},
		{good[:len(good)/2+n%20], "rejected"},
		{fmt.Sprintf(`[%d]`, n), "rejected"},
		{fmt.Sprintf(`%d`, n), "rejected"},
		{fmt.Sprintf(`"text %d"`, n), "rejected"},
		{good + "}", "rejected"},
		{good + good, "rejected"},
		{fmt.Sprintf(`{%s,%s,"deep":%s}`, id, ts, deep(1000+n)), "rejected"},
		{fmt.Sprintf(`{%s,%s,"query":"nul %c"}`, id, ts, 0), "rejected"},
		{fmt.Sprintf("\x00\xff\xfe\x01\x80 garbage %d \x9f", n), "rejected"},
		{fmt.Sprintf(`{%s}`, id), "rejected"},
		{fmt.Sprintf(`{%s,"ts":null,"answers":["10.0.0.1"],"query":"null.example"}`, id), "rejected"},
		{fmt.Sprintf(`{%s,"ts":"half past ten","answers":["10.0.0.1"],"query":"bad.example"}`, id), "rejected"},
		{fmt.Sprintf(`{%s,"ts":{"is":"an object"}}`, id), "rejected"},
		{fmt.Sprintf(`{%s,"ts":true}`, id), "rejected"},
		{fmt.Sprintf(`{%s,"ts":1e400}`, id), "rejected"},
		{fmt.Sprintf(`{%s,"ts":%s}`, id, strings.Repeat("9", 500)), "rejected"},
		{fmt.Sprintf(`{%s,%s,"huge":-}`, id, ts), "rejected"},
		{fmt.Sprintf(`{%s,%s,"key without value"}`, id, ts), "rejected"},
		{fmt.Sprintf(`{%s,%s,"escape":"\x"}`, id, ts), "rejected"},
		{fmt.Sprintf(`{%s,%s,"long":"%s"}`, id, ts, strings.Repeat("x", 1<<20)), "rejected"},
		{fmt.Sprintf(`{%s,"ts":"2199-01-01T00:00:00Z","answers":["10.0.0.1"],"query":"future.example"}`, id), "future"},
		{fmt.Sprintf(`{%s,"ts":9000000000,"query":"future.example"}`, id), "future"},
		{fmt.Sprintf(`{%s,"ts":"9999-12-31T23:59:59.999999Z"}`, id), "future"},
		{fmt.Sprintf(`{%s,%s}`, id, ts), "accepted"},
		{fmt.Sprintf(`{%s,%s,"id.orig_h":5,"query":{"a":1},"answers":null}`, id, ts), "accepted"},
		{fmt.Sprintf(`{%s,%s,"id.orig_h":"no address","answers":[["10.0.0.1"],true,{"ip":"10.0.0.1"}],"query":"types.example"}`, id, ts), "accepted"},
		{fmt.Sprintf(`{%s,%s,"id.orig_h":["10.0.0.1"],"answers":{"10.0.0.1":1},"query":"types.example"}`, id, ts), "accepted"},
		{fmt.Sprintf("{%s,%s,\"query\":\"broken \xff\xc3\x28 utf-8\",\"id.orig_h\":\"%s\"}", id, ts, badClient), "accepted"},
		{fmt.Sprintf(`{%s,%s,"query":"escaped \u0000 nul \ud800 surrogate","id.orig_h":"%s"}`, id, ts, badClient), "accepted"},
		{fmt.Sprintf(`{%s,%s,"id.orig_h":"10.0.0.1","id.orig_h":"%s","query":"a.example","query":null}`, id, ts, badClient), "accepted"},
		{fmt.Sprintf(`{%s,%s,"num":%s,"exp":1e999999999,"id.orig_h":"%s"}`, id, ts, strings.Repeat("7", 5000), badClient), "accepted"},
		{fmt.Sprintf(`{%s,%s,"deep":%s}`, id, ts, deep(60)), "accepted"},
		{fmt.Sprintf(`{%s,%s,"long":"%s"}`, id, ts, strings.Repeat("y", 1<<20-200)), "accepted"},
	}
	if n > 3*len(all) {
		all = slices.DeleteFunc(all, func(p poison) bool { return len(p.line) > 1<<19 }) // a few long lines are enough
	}
	return all
}

// mixPoison puts one record of poison after about each hundredth of lines.
func mixPoison(lines []string, r *rand.Rand) (mixed []string, bad []poison) {
	for i, l := range lines {
		mixed = append(mixed, l)
		if r.IntN(100) == 0 {
			n := len(bad)
			kinds := poisons(lines[i], n)
			p := kinds[n%len(kinds)]
			bad = append(bad, p)
			mixed = append(mixed, p.line)
		}
	}
	return mixed, bad
}

// TestPoison mixes 1 % of poison into the DNS log: the results of the other rows do not change by a byte, and each record of poison is where language.md says.
func TestPoison(t *testing.T) {
	t.Parallel()
	lines := fileLines(t, dnsFile)
	mixed, bad := mixPoison(lines, rand.New(rand.NewPCG(7, 7)))
	want := poisonResults(t, lines, plain(), nil)
	schedules := someSchedules(1)
	for _, s := range schedules {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			got := poisonResults(t, mixed, longCuts(s), bad)
			for i := range want {
				if d := firstDifference(want[i], got[i]); d != "" {
					t.Errorf("result %d: %s", i, d)
				}
			}
		})
	}
}

// poisonResults computes the queries over the lines, verifies where the poison among them is, and returns the results of the good rows.
func poisonResults(t *testing.T, lines []string, s schedule, bad []poison) []string {
	t.Helper()
	w := openWorld(t, t.TempDir(), s)
	w.must(queryFile(t, "../queries/correlation/ip_domain.sql", true) + `
		CREATE STREAM per_minute AS SELECT client, window_start, count(*) AS n, count(DISTINCT query) AS names, min(ts) AS first, max(ts) AS last
		FROM TUMBLE(dns, ts, INTERVAL '1 minute') GROUP BY client, window_start, window_end;
		CREATE STREAM org AS SELECT ts, client, query, answers FROM dns WHERE query LIKE '%.org';`)
	w.loadLines("dns", lines)
	w.finish()
	checkPoison(t, w, bad)
	return []string{
		w.exec("SELECT * FROM domain_ips ORDER BY domain"),
		w.exec("SELECT * FROM ip_domains ORDER BY ip"),
		w.exec("SELECT domain, _events_total, _first_event, _last_event FROM domain_ips ORDER BY domain"),
		w.exec("SELECT * FROM per_minute WHERE client <> '" + badClient + "' ORDER BY window_start, client"),
		w.exec("SELECT * FROM org ORDER BY ts, client, query, answers"),
		w.exec("SELECT count(*) FROM rhumb.late"),
	}
}

// checkPoison verifies the ledger: each record of poison once, with its bytes and coordinates, and the sums of every query.
func checkPoison(t *testing.T, w *world, bad []poison) {
	t.Helper()
	raw := w.raw("dns")
	accepted := 0
	for _, fate := range []string{"rejected", "future"} {
		want := map[string]int{}
		n := 0
		for _, p := range bad {
			if p.fate == fate {
				want[p.line]++
				n++
			}
		}
		w.expect("SELECT count(*), count(DISTINCT topic || '/' || partition || '/' || \"offset\") FROM rhumb."+fate, fmt.Sprintf("%d %d", n, n))
		for _, row := range w.cells(`SELECT topic || '/' || partition || '/' || "offset", raw, stream, query, reason FROM rhumb.` + fate) {
			b, err := hex.DecodeString(strings.TrimPrefix(row[1], `\x`))
			if err != nil {
				t.Fatal(err)
			}
			line := string(b)
			if raw[row[0]] != line || row[2] != "dns" || row[3] != "NULL" || row[4] == "" {
				t.Errorf("%s: %.80q is not the record at %s, or not described: %q", fate, line, row[0], row[2:])
			}
			if want[line]--; want[line] < 0 {
				t.Errorf("%s: %.80q should not be", fate, line)
			}
		}
		for line, left := range want {
			if left > 0 {
				t.Errorf("not %s: %.80q", fate, line)
			}
		}
		w.expect("SELECT DISTINCT "+fate+" FROM rhumb.ledger", fmt.Sprint(n))
	}
	for _, p := range bad {
		if p.fate == "accepted" {
			accepted++
		}
	}
	w.expect("SELECT object FROM rhumb.ledger WHERE rows_in <> used + filtered + late + rejected + future", "")
	w.expect("SELECT used FROM rhumb.ledger WHERE object = 'per_minute'", fmt.Sprint(53615+accepted))
	w.expect("SELECT COALESCE(sum(n), 0) FROM per_minute WHERE client IS NULL OR client = '"+badClient+"'", fmt.Sprint(accepted))
}

// TestPoisonValues looks at what accepted poison becomes.
func TestPoisonValues(t *testing.T) {
	t.Parallel()
	w := openWorld(t, t.TempDir(), plain())
	w.must(`CREATE STREAM dns (ts timestamptz NOT NULL, client inet PATH '$["id.orig_h"]', query text, answers text[], poison int, WATERMARK FOR ts AS ts) WITH (partitions = 1);
		CREATE STREAM copy AS SELECT poison, client, query, answers FROM dns`)
	n := 0
	var lines []string
	for _, p := range poisons("{}", 1000) {
		if p.fate == "accepted" {
			n++
			lines = append(lines, strings.Replace(p.line, `"poison":1000`, fmt.Sprintf(`"poison":%d`, n), 1))
		}
	}
	w.loadLines("dns", lines)
	w.finish()
	const want = `1 | NULL | NULL | NULL
2 | NULL | {"a":1} | NULL
3 | NULL | types.example | {"[\"10.0.0.1\"]",true,"{\"ip\":\"10.0.0.1\"}"}
4 | NULL | types.example | {"{\"10.0.0.1\":1}"}
5 | 203.0.113.66 | broken ��( utf-8 | NULL
6 | 203.0.113.66 | escaped � nul � surrogate | NULL
7 | 203.0.113.66 | NULL | NULL
8 | 203.0.113.66 | NULL | NULL
9 | NULL | NULL | NULL
`
	for _, from := range []string{"copy", "dns"} {
		if d := firstDifference(want, w.exec("SELECT poison, client, query, answers FROM "+from+" ORDER BY poison")); d != "" {
			t.Errorf("%s: %s", from, d)
		}
	}
}

// TestPoisonText feeds the text format.
func TestPoisonText(t *testing.T) {
	t.Parallel()
	w := openWorld(t, t.TempDir(), plain())
	w.must(queryFile(t, "../queries/auth/ssh_brute_force.sql", true))
	var lines []string
	for i, l := range fileLines(t, sshFile) {
		lines = append(lines, l)
		switch i % 100 {
		case 0:
			lines = append(lines, "\x00\xff\xfe")
		case 10:
			lines = append(lines, "")
		case 20:
			lines = append(lines, strings.Repeat("A", 1<<20))
		case 30:
			lines = append(lines, strings.Repeat("Failed password for ", 1000))
		case 40:
			lines = append(lines, "Feb 30 06:55:48 LabSZ sshd[1]: Failed password for root from 1.2.3.4 port 1 ssh2")
		case 50:
			lines = append(lines, "Dec 10 06:55:48 LabSZ sshd[1]: Failed password for \xff\xfe from 999.2.3.4 port 1 ssh2")
		}
	}
	w.loadLines("sshd_log", lines)
	w.finish()
	w.expect("SELECT count(*), count(DISTINCT ip) FROM ssh_brute_force WHERE ip IS NOT NULL", "15 10")
	w.expect("SELECT object FROM rhumb.ledger WHERE rows_in <> used + filtered + late + rejected + future", "")
	// An empty line is the beginning of 2015, as in Postgres; four kinds have no time; the sixth has one, and an address that is none, on which the query's cast fails.
	w.expect("SELECT rows_in - filtered, used, late, rejected, future FROM rhumb.ledger", "620 520 0 100 0")
	w.expect("SELECT count(*), count(DISTINCT topic || '/' || partition || '/' || \"offset\") FROM rhumb.rejected", "100 100")
	w.expect("SELECT count(*) FROM rhumb.rejected WHERE query IS NULL", "80")
}

// TestPoisonBytes throws random bytes at a stream: each record is rejected or read, with its bytes, and nothing stops.
func TestPoisonBytes(t *testing.T) {
	t.Parallel()
	w := openWorld(t, t.TempDir(), plain())
	w.must(`CREATE STREAM s (a int, t text, j jsonb, l int[]); CREATE STREAM c AS SELECT a, t, j, l FROM s; CREATE MATERIALIZED VIEW m AS SELECT t, count(*) AS n FROM s GROUP BY t`)
	r := rand.New(rand.NewPCG(9, 9))
	var lines []string
	for range 2000 {
		b := []byte(`{"a":1,"t":"text","j":{"x":[1,2.5e10,null,true]},"l":[1,2,3]}`)
		for range 1 + r.IntN(4) {
			switch at := r.IntN(len(b)); r.IntN(3) {
			case 0:
				b[at] = byte(r.IntN(256))
			case 1:
				b = slices.Delete(b, at, min(len(b), at+1+r.IntN(5)))
			default:
				b = slices.Insert(b, at, b[r.IntN(len(b))], byte(r.IntN(128)))
			}
			if len(b) == 0 {
				b = []byte("x")
			}
		}
		lines = append(lines, string(b))
	}
	w.loadLines("s", lines)
	w.finish()
	raw := w.raw("s")
	if len(raw) != len(lines) {
		t.Fatalf("%d records of %d lines", len(raw), len(lines))
	}
	rejected := w.cells(`SELECT topic || '/' || partition || '/' || "offset", raw FROM rhumb.rejected`)
	for _, row := range rejected {
		b, err := hex.DecodeString(strings.TrimPrefix(row[1], `\x`))
		if err != nil || string(b) != raw[row[0]] {
			t.Errorf("%s: %s", row[0], base64.StdEncoding.EncodeToString(b))
		}
		delete(raw, row[0])
	}
	w.expect("SELECT count(*), count(DISTINCT _events->0->>'ref') FROM c", fmt.Sprintf("%d %d", len(raw), len(raw)))
	w.expect("SELECT sum(n) FROM m", fmt.Sprint(len(raw)))
	w.expect("SELECT object FROM rhumb.ledger WHERE rows_in <> used + filtered + late + rejected + future", "")
	t.Logf("%d of %d rejected", len(rejected), len(lines))
}
