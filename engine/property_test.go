package engine_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Random streams and random windowed queries, under random schedules with restarts: the results are those of a reference that is as simple as can be: it
// sees all rows at once, groups them with a map, and shares no code with the engine.

// fact is a row of the random stream. Its time is out of order by less than the watermark's delay.
type fact struct {
	id   int
	ts   time.Time
	k    string // "" = NULL
	b    bool
	v    int
	null bool // v
	part int
	off  int
	ref  string
}

const propDelay = 20 * time.Second

func (f *fact) json() string {
	k, v := "null", "null"
	if f.k != "" {
		k = strconv.Quote(f.k)
	}
	if !f.null {
		v = strconv.Itoa(f.v)
	}
	return fmt.Sprintf(`{"id":%d,"ts":%q,"k":%s,"b":%t,"v":%s}`, f.id, f.ts.Format(time.RFC3339Nano), k, f.b, v)
}

// randomFacts makes a stream: the clock goes on by random strides, sometimes far, sometimes not at all.
func randomFacts(r *rand.Rand, n int) []*fact {
	at := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	var all []*fact
	keys := 1 + r.IntN(12)
	for i := range n {
		switch r.IntN(20) {
		case 0:
			at = at.Add(time.Duration(r.IntN(300)) * time.Second)
		case 1, 2, 3:
		default:
			at = at.Add(time.Duration(r.IntN(1500)) * time.Millisecond)
		}
		f := &fact{id: i, ts: at.Add(-time.Duration(r.Int64N(int64(propDelay)))).Truncate(time.Microsecond), b: r.IntN(2) == 0, v: r.IntN(7) - 2, null: r.IntN(10) == 0}
		if r.IntN(3) == 0 {
			f.ts = at.Truncate(10 * time.Second) // on the bounds of windows; earlier by less than the delay
		}
		if k := r.IntN(keys + 1); k > 0 {
			f.k = fmt.Sprintf("k%d", k)
		}
		all = append(all, f)
	}
	return all
}

// propQuery is a random query.
type propQuery struct {
	name         string
	size, offset time.Duration // size 0 = a materialized view
	byK, byB     bool
	where        int
	having       int
	limit        int // of lineage
}

var propWheres = []struct {
	sql  string
	keep func(*fact) bool
}{
	{"", func(*fact) bool { return true }},
	{"WHERE v > 0", func(f *fact) bool { return !f.null && f.v > 0 }},
	{"WHERE NOT b OR k IS NULL", func(f *fact) bool { return !f.b || f.k == "" }},
	{"WHERE k IN ('k1', 'k2', 'k3')", func(f *fact) bool { return f.k == "k1" || f.k == "k2" || f.k == "k3" }},
	{"WHERE v IS DISTINCT FROM 2 AND id % 3 <> 0", func(f *fact) bool { return (f.null || f.v != 2) && f.id%3 != 0 }},
}

func randomQuery(r *rand.Rand, name string) propQuery {
	sizes := []time.Duration{0, time.Second, 7 * time.Second, 10 * time.Second, time.Minute, time.Hour}
	q := propQuery{name: name, size: sizes[r.IntN(len(sizes))], byK: r.IntN(3) > 0, byB: r.IntN(3) == 0, where: r.IntN(len(propWheres)), limit: []int{0, 2, 10, 100}[r.IntN(4)]}
	if q.size > 0 {
		q.having = r.IntN(3)
		if r.IntN(2) == 0 {
			q.offset = time.Duration(r.Int64N(int64(q.size))).Truncate(time.Microsecond)
		}
	}
	return q
}

func (q *propQuery) sql() string {
	cols, keys := []string{"count(*) AS n", "count(v) AS nv", "sum(v) AS s", "count(DISTINCT v) AS d", "min(v) AS lo", "max(v) AS hi",
		"count(*) FILTER (WHERE b) AS nb", "first(id) AS f", "last(id) AS l", "array_agg(DISTINCT v) AS dv", "array_agg(id) AS ids"}, []string{}
	if q.byK {
		keys = append(keys, "k")
	}
	if q.byB {
		keys = append(keys, "b")
	}
	from, kind, having := "s", "MATERIALIZED VIEW", ""
	if q.size > 0 {
		kind = "STREAM"
		from = fmt.Sprintf("TUMBLE(s, ts, INTERVAL '%d microseconds', INTERVAL '%d microseconds')", q.size.Microseconds(), q.offset.Microseconds())
		keys = append(keys, "window_start", "window_end")
	}
	if q.having > 0 {
		having = fmt.Sprintf("HAVING count(*) > %d", q.having)
	}
	sql := fmt.Sprintf("CREATE %s %s WITH (lineage_limit = %d) AS SELECT %s FROM %s %s", kind, q.name, q.limit, strings.Join(append(slices.Clone(keys), cols...), ", "), from,
		propWheres[q.where].sql)
	if len(keys) > 0 {
		sql += " GROUP BY " + strings.Join(keys, ", ")
	}
	return sql + " " + having + ";"
}

// propRow is a row of the reference, before it is text.
type propRow struct {
	k          string
	b          bool
	start, end time.Time
	facts      []*fact
}

// answer groups the facts.
func (q *propQuery) answer(all []*fact) []*propRow {
	groups := map[string]*propRow{}
	var rows []*propRow
	for _, f := range all {
		if !propWheres[q.where].keep(f) {
			continue
		}
		row := &propRow{}
		if q.byK {
			row.k = f.k
		}
		if q.byB {
			row.b = f.b
		}
		if q.size > 0 {
			// Counted up from long before the first row, window by window: no division of negative numbers to get wrong.
			us, size, off := f.ts.UnixMicro(), q.size.Microseconds(), q.offset.Microseconds()
			start := off + (us/size)*size
			for start > us {
				start -= size
			}
			row.start, row.end = time.UnixMicro(start), time.UnixMicro(start+size)
		}
		key := fmt.Sprint(row.k, row.b, row.start.UnixMicro())
		if groups[key] == nil {
			groups[key] = row
			rows = append(rows, row)
		}
		groups[key].facts = append(groups[key].facts, f)
	}
	return slices.DeleteFunc(rows, func(r *propRow) bool { return len(r.facts) <= q.having })
}

// inOrder sorts by time, partition and offset.
func inOrder(fs []*fact) []*fact {
	fs = slices.Clone(fs)
	slices.SortFunc(fs, func(a, b *fact) int { return cmp.Or(a.ts.Compare(b.ts), a.part-b.part, a.off-b.off) })
	return fs
}

// cells is the row as text.
func (q *propQuery) cells(r *propRow) []string {
	var out []string
	null := func(s string) string {
		if s == "" {
			return "NULL"
		}
		return s
	}
	if q.byK {
		out = append(out, null(r.k))
	}
	if q.byB {
		out = append(out, strconv.FormatBool(r.b)[:1])
	}
	if q.size > 0 {
		out = append(out, stamp(r.start), stamp(r.end))
	}
	fs := inOrder(r.facts)
	nv, sum, nb := 0, 0, 0
	var values []int
	nulls := false
	var ids []string
	for _, f := range fs {
		ids = append(ids, strconv.Itoa(f.id))
		if f.b {
			nb++
		}
		if f.null {
			nulls = true
			continue
		}
		nv++
		sum += f.v
		if !slices.Contains(values, f.v) {
			values = append(values, f.v)
		}
	}
	slices.Sort(values)
	s, lo, hi := "NULL", "NULL", "NULL"
	if nv > 0 {
		s, lo, hi = strconv.Itoa(sum), strconv.Itoa(values[0]), strconv.Itoa(values[len(values)-1])
	}
	var dv []string
	for _, v := range values {
		dv = append(dv, strconv.Itoa(v))
	}
	if nulls {
		dv = append(dv, "NULL")
	}
	out = append(out, strconv.Itoa(len(fs)), strconv.Itoa(nv), s, strconv.Itoa(len(values)), lo, hi, strconv.Itoa(nb), ids[0], ids[len(ids)-1],
		"{"+strings.Join(dv, ",")+"}", "{"+strings.Join(ids, ",")+"}")
	if q.limit == 0 {
		return out
	}
	return append(out, strconv.Itoa(len(fs)), stamp(fs[0].ts), stamp(fs[len(fs)-1].ts), q.refs(fs))
}

// refs is the lineage: all references, or the first half and the last half.
func (q *propQuery) refs(fs []*fact) string {
	if len(fs) > q.limit {
		fs = append(slices.Clone(fs[:q.limit/2]), fs[len(fs)-q.limit/2:]...)
	}
	var refs []string
	for _, f := range fs {
		refs = append(refs, f.ref+"@"+stamp(f.ts))
	}
	return strings.Join(refs, " ")
}

// TestProperty is the proof by random queries.
func TestProperty(t *testing.T) {
	t.Parallel()
	seeds := 10
	switch {
	case os.Getenv("RHUMB_LONG") != "":
		seeds = 300
	case testing.Short():
		seeds = 3
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			testProperty(t, uint64(seed))
		})
	}
}

func testProperty(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 5))
	s := plain()
	if seed%5 > 0 {
		s = random(seed)
		s.restart = func() bool { return r.IntN(2) == 0 } // called from the test alone
	}
	all := randomFacts(r, 50+r.IntN(600))
	w := openWorld(t, t.TempDir(), s)
	sql := fmt.Sprintf("CREATE STREAM s (id int, ts timestamptz, k text, b boolean, v int, WATERMARK FOR ts AS ts - INTERVAL '%d seconds') WITH (partitions = %d);\n",
		int(propDelay.Seconds()), 1+r.IntN(4))
	var queries []propQuery
	for i := range 4 {
		q := randomQuery(r, fmt.Sprintf("q%d", i))
		queries = append(queries, q)
		sql += q.sql() + "\n"
		if q.size > 0 {
			sql += fmt.Sprintf("CREATE STREAM %s_up AS SELECT window_start, count(*) AS c, sum(n) AS s, max(hi) AS hi FROM TUMBLE(%s, window_end, INTERVAL '%d microseconds') GROUP BY window_start, window_end;\n",
				q.name, q.name, 3*q.size.Microseconds())
		}
	}
	w.must(sql)
	var lines []string
	for _, f := range all {
		lines = append(lines, f.json())
	}
	w.loadLines("s", lines)
	w.finish()
	locate(t, w, all)
	for i := range queries {
		checkProperty(t, w, &queries[i], all)
	}
	w.expect("SELECT count(*) FROM rhumb.late", "0")
	w.expect("SELECT object FROM rhumb.ledger WHERE rows_in <> used + filtered + late + rejected + future", "")
	if t.Failed() {
		t.Log(s.name + "\n" + sql)
	}
}

// locate finds where each fact's record is.
func locate(t *testing.T, w *world, all []*fact) {
	t.Helper()
	byLine := map[string]*fact{}
	for _, f := range all {
		byLine[f.json()] = f
	}
	raw := w.raw("s")
	if len(raw) != len(all) {
		t.Fatalf("%d records of %d facts", len(raw), len(all))
	}
	for ref, line := range raw {
		f := byLine[line]
		f.ref = ref
		if _, err := fmt.Sscanf(ref, "s/%d/%d", &f.part, &f.off); err != nil {
			t.Fatal(err)
		}
	}
}

func checkProperty(t *testing.T, w *world, q *propQuery, all []*fact) {
	t.Helper()
	rows := q.answer(all)
	var want, have []string
	for _, r := range rows {
		want = append(want, strings.Join(q.cells(r), " | "))
	}
	names := "n, nv, s, d, lo, hi, nb, f, l, dv, ids"
	if q.size > 0 {
		names = "window_start, window_end, " + names
	}
	if q.byB {
		names = "b, " + names
	}
	if q.byK {
		names = "k, " + names
	}
	if q.limit > 0 {
		names += ", _events_total, _first_event, _last_event, _events"
	}
	for _, c := range w.cells("SELECT " + names + " FROM " + q.name) {
		if q.limit > 0 {
			var refs []string
			for _, e := range events(t, c[len(c)-1]) {
				refs = append(refs, e.Ref+"@"+stamp(e.TS))
			}
			c[len(c)-1] = strings.Join(refs, " ")
		}
		have = append(have, strings.Join(c, " | "))
	}
	slices.Sort(want)
	slices.Sort(have)
	if d := firstDifference(strings.Join(want, "\n"), strings.Join(have, "\n")); d != "" {
		t.Errorf("%s: %s", q.sql(), d)
	}
	if q.size > 0 {
		checkUp(t, w, q, rows)
	}
}

// checkUp compares the windows over the query's results.
func checkUp(t *testing.T, w *world, q *propQuery, rows []*propRow) {
	t.Helper()
	type up struct{ c, s, hi int }
	sums := map[int64]*up{}
	size := 3 * q.size.Microseconds()
	for _, r := range rows {
		start := r.end.UnixMicro() / size * size
		if sums[start] == nil {
			sums[start] = &up{hi: -1000}
		}
		u := sums[start]
		u.c++
		u.s += len(r.facts)
		for _, f := range r.facts {
			if !f.null {
				u.hi = max(u.hi, f.v)
			}
		}
	}
	var want, have []string
	for start, u := range sums {
		hi := strconv.Itoa(u.hi)
		if u.hi == -1000 {
			hi = "NULL"
		}
		want = append(want, fmt.Sprintf("%s %d %d %s %d", stamp(time.UnixMicro(start)), u.c, u.s, hi, u.c))
	}
	for _, c := range w.cells("SELECT window_start, c, s, hi, _events_total FROM " + q.name + "_up") {
		have = append(have, strings.Join(c, " "))
	}
	slices.Sort(want)
	slices.Sort(have)
	if d := firstDifference(strings.Join(want, "\n"), strings.Join(have, "\n")); d != "" {
		t.Errorf("%s_up, over %s: %s", q.name, q.sql(), d)
	}
}
