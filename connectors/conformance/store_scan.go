package conformance

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"rhumb/connectors"
	"rhumb/types"
)

// holds evaluates a condition on a value; unknown is false.
func holds(c connectors.Cond, v types.Value) bool {
	switch c.Op {
	case "is null":
		return v.Null
	case "is not null":
		return !v.Null
	}
	if v.Null {
		return false
	}
	for _, x := range c.Values {
		cmp := types.CompareValues(v, types.Value{Type: v.Type, I: x.I, F: x.F, S: x.S, Iv: x.Iv})
		switch {
		case c.Op == "=" && cmp == 0, c.Op == "in" && cmp == 0, c.Op == "<>" && cmp != 0, c.Op == "<" && cmp < 0, c.Op == "<=" && cmp <= 0,
			c.Op == ">" && cmp > 0, c.Op == ">=" && cmp >= 0:
			return true
		}
	}
	return false
}

// selected are the documents that a scan must give, in its order.
func (m *model) selected(sc connectors.Scan) []modelDoc {
	var docs []modelDoc
	for _, id := range sortedIDs(m.docs) {
		doc := m.docs[id]
		if !slices.ContainsFunc(sc.Where, func(c connectors.Cond) bool { return !holds(c, doc[c.Column]) }) {
			docs = append(docs, doc)
		}
	}
	slices.SortStableFunc(docs, func(a, b modelDoc) int {
		for _, by := range sc.OrderBy {
			x, y := a[by.Column], b[by.Column]
			c := types.CompareValues(x, y)
			switch {
			case x.Null != y.Null:
				if c = 1; x.Null == by.NullsFirst {
					c = -1
				}
			case by.Desc:
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	docs = docs[min(int(sc.Offset), len(docs)):]
	if sc.Limit >= 0 {
		docs = docs[:min(int(sc.Limit), len(docs))]
	}
	return docs
}

// compareScan compares a scan with the model's; its order must leave no ties if it has a limit.
func (s *storeTest) compareScan(m *model, sc connectors.Scan) {
	s.Helper()
	got, want := s.scan(m.table.Object, m.schema(), sc), m.selected(sc)
	describe := func() string {
		var b strings.Builder
		fmt.Fprintf(&b, "SELECT %v", sc.Columns)
		for _, c := range sc.Where {
			fmt.Fprintf(&b, " [%q %s", c.Column, c.Op)
			for _, v := range c.Values {
				b.WriteString(" " + show(v))
			}
			b.WriteString("]")
		}
		fmt.Fprintf(&b, " ORDER BY %+v LIMIT %d OFFSET %d", sc.OrderBy, sc.Limit, sc.Offset)
		return b.String()
	}
	if len(sc.OrderBy) == 0 {
		byID := map[string]modelDoc{}
		for _, doc := range want {
			byID[doc["_id"].S] = doc
		}
		if diff := m.differences(got, byID); diff != "" {
			s.Fatalf("%s\n%s", describe(), diff)
		}
		return
	}
	if len(got) != len(want) {
		s.Fatalf("%s\ngot %d documents, want %d", describe(), len(got), len(want))
	}
	for i := range got {
		if diffs := docDifferences(got[i], want[i]); len(diffs) > 0 {
			s.Fatalf("%s\nrow %d: %s", describe(), i, strings.Join(diffs, "\n"))
		}
	}
}

// filled defines the wide model and fills it; about two thirds of the documents are revised once or twice, or removed.
func (s *storeTest) filled(n int) *model {
	s.Helper()
	m := wideModel(1)
	s.define(m)
	for i := range 3 {
		s.applyBoth(m, m.random(newRand(uint64(i)), n), i)
	}
	return m
}

func (s *storeTest) everyType() {
	m := s.filled(1250)
	if len(m.docs) <= 2048 { // more than two batches
		s.Fatalf("only %d documents", len(m.docs))
	}
	s.same(m)
	for _, name := range m.columns() { // one by one, where the store may read less
		s.compareScan(m, connectors.Scan{Columns: []string{"_id", name}, Limit: -1})
	}
}

// systemColumns compares a few documents with what a person wrote down.
func (s *storeTest) systemColumns() {
	table := connectors.Table{Object: 1, Version: 1, Name: "t", Kind: "stream", Topics: map[uint32]string{9: "sshd"},
		Columns: types.Schema{{Name: "ip", Type: types.T(types.Inet)}, {Name: "who", Type: types.ArrayOf(types.Text), Entity: "user"},
			{Name: "_detected", Type: types.T(types.Text)}}} // hides the system column
	s.must(s.Define(s.ctx, table))
	ip, _ := types.ParseValue(types.T(types.Inet), "203.0.113.9", nil)
	who, _ := types.ParseValue(types.ArrayOf(types.Text), `{root,NULL,"a b",root}`, nil)
	docs := &connectors.Docs{IDs: []string{"ssh:1", "ssh:2"}, States: []string{"final", "early"}, Positions: make([]connectors.Position, 2),
		Detected: []int64{1_521_911_720_865_716, 0},
		Lineage: []types.Lineage{{Total: 3, First: 1_521_911_720_000_000, Last: 1_521_911_721_500_000, Events: []types.EventRef{
			{Object: 9, Part: 3, Off: 10211, Time: 1_521_911_720_000_000, As: "f"},
			{Object: 77, Part: 0, Off: 0, Time: 1_521_911_721_500_000, ID: `C"1`}}}, {}}}
	for i, values := range [][]types.Value{{ip, types.NullOf(ip.Type)}, {who, types.NullOf(who.Type)}, {types.TextValue("mine"), types.TextValue("")}} {
		docs.Cols = append(docs.Cols, types.NewVec(table.Columns[i].Type, 2))
		for _, v := range values {
			docs.Cols[i].AppendValue(v)
		}
	}
	s.must(s.Apply(s.ctx, 1, docs, positionOf(1)))
	var got []string
	s.must(s.Scan(s.ctx, 1, connectors.Scan{Columns: []string{"_id", "_state", "_events_total", "_first_event", "_last_event", "_entities", "_detected", "_events"}, Limit: -1},
		func(b *types.Batch) error {
			for i := range b.N {
				for _, v := range b.Cols {
					text := "NULL"
					if !v.Null(i) {
						text = types.FormatValue(v.Value(i), nil)
					}
					got = append(got, text)
				}
			}
			return nil
		}))
	want := []string{
		"ssh:1", "final", "3", "2018-03-24 17:15:20+00", "2018-03-24 17:15:21.5+00", `{"ip": ["203.0.113.9"], "user": ["root", "a b"]}`, "mine",
		// Of topic 77 nobody told the name.
		`[{"as": "f", "ts": "2018-03-24T17:15:20.000000Z", "ref": "sshd/3/10211"}, {"id": "C\"1", "ts": "2018-03-24T17:15:21.500000Z", "ref": "77/0/0"}]`,
		"ssh:2", "early", "0", "NULL", "NULL", "{}", "", "[]",
	}
	if !slices.Equal(got, want) {
		s.Errorf("got  %q\nwant %q", got, want)
	}
}

var storeOps = []string{"=", "<>", "<", "<=", ">", ">=", "in", "is null", "is not null"}

// randomCond draws a condition on a column.
func randomCond(r *rand.Rand, name string, t types.Type, op string) connectors.Cond {
	c := connectors.Cond{Column: name, Op: op}
	values := pool(t)
	switch op {
	case "is null", "is not null":
	case "in":
		for range 1 + r.IntN(4) {
			c.Values = append(c.Values, values[r.IntN(len(values))])
		}
	default:
		c.Values = []types.Value{values[r.IntN(len(values))]}
	}
	return c
}

// conditions tries every operator on every column with every edge value; what the store says it supports must be exact.
func (s *storeTest) conditions() {
	m := s.filled(150)
	r := newRand(5)
	supported := map[string]bool{}
	for _, name := range m.columns() {
		t := m.schema()[name]
		for _, op := range storeOps {
			n := len(pool(t))
			for k := range n {
				c := randomCond(r, name, t, op)
				if len(c.Values) == 1 {
					c.Values[0] = pool(t)[k]
				}
				if s.Supports(1, c) {
					supported[name+" "+op] = true
					s.compareScan(m, connectors.Scan{Columns: []string{"_id", name}, Where: []connectors.Cond{c}, Limit: -1})
				}
				if len(c.Values) == 0 {
					break
				}
			}
		}
	}
	for _, name := range []string{"_id =", "_id in", "_last_event >=", "_last_event <", "_state =", "text =", "bigint =", "bigint <", "inet =",
		"timestamp_with_time_zone >=", "text is null"} {
		if !supported[name] {
			s.Errorf("the store does not support %s, which searches need", name)
		}
	}
	for _, c := range []connectors.Cond{
		{Column: "no such", Op: "is null"}, {Column: "text", Op: "like", Values: []types.Value{types.TextValue("a")}},
		{Column: "text", Op: "=", Values: []types.Value{types.NullOf(types.T(types.Text))}}, {Column: "text", Op: "="}, {Column: "text", Op: "in"},
		{Column: "bigint", Op: "=", Values: []types.Value{types.TextValue("1")}}, {Column: "text", Op: "=", Values: []types.Value{types.IntValue(types.Int8, 1)}},
		{Column: "text", Op: "= 1 OR 1", Values: []types.Value{types.TextValue("a")}},
	} {
		if s.Supports(1, c) {
			s.Errorf("the store claims to support %+v", c)
		}
	}
}

// orders orders by every column in every way.
func (s *storeTest) orders() {
	m := s.filled(150)
	supported := map[string]bool{}
	for _, name := range m.columns() {
		for way := range 4 {
			by := []connectors.Order{{Column: name, Desc: way&1 != 0, NullsFirst: way&2 != 0}, {Column: "_id"}}
			if s.SupportsOrder(1, by) {
				supported[name] = true
				s.compareScan(m, connectors.Scan{Columns: []string{"_id", name}, OrderBy: by, Limit: -1})
				s.compareScan(m, connectors.Scan{Columns: []string{name, "_id"}, OrderBy: by, Limit: 30, Offset: int64(way * 20)})
			}
		}
	}
	for _, name := range []string{"_id", "_last_event", "bigint", "timestamp_with_time_zone", "text"} {
		if !supported[name] {
			s.Errorf("the store does not order by %s, which searches need", name)
		}
	}
	if s.SupportsOrder(1, []connectors.Order{{Column: "no such"}}) {
		s.Error("the store claims to order by a column that is not there")
	}
}

// randomScans combines conditions, orders, limits and columns.
func (s *storeTest) randomScans() {
	m := s.filled(150)
	r := newRand(6)
	names := m.columns()
	for range 200 {
		sc := connectors.Scan{Limit: -1, Columns: []string{"_id"}}
		for range r.IntN(4) {
			sc.Columns = append(sc.Columns, pick(r, names...))
		}
		for range r.IntN(3) {
			name := pick(r, names...)
			if c := randomCond(r, name, m.schema()[name], pick(r, storeOps...)); s.Supports(1, c) {
				sc.Where = append(sc.Where, c)
			}
		}
		for range r.IntN(3) {
			by := connectors.Order{Column: pick(r, names...), Desc: r.IntN(2) == 0, NullsFirst: r.IntN(2) == 0}
			if s.SupportsOrder(1, []connectors.Order{by}) {
				sc.OrderBy = append(sc.OrderBy, by)
			}
		}
		if r.IntN(2) == 0 {
			sc.OrderBy = append(sc.OrderBy, connectors.Order{Column: "_id", Desc: r.IntN(2) == 0})
			sc.Limit, sc.Offset = []int64{-1, 0, 1, 10, 5000}[r.IntN(5)], []int64{0, 0, 1, 50, 5000}[r.IntN(5)]
		} else {
			sc.OrderBy = nil
		}
		s.compareScan(m, sc)
	}
}
