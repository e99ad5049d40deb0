package conformance

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"rhumb/connectors"
	"rhumb/types"
)

// model is a store of one object that is too simple to be wrong.
type model struct {
	table connectors.Table
	docs  map[string]modelDoc // by id
}

// modelDoc is a document: values by column, system columns too.
type modelDoc map[string]types.Value

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 4711)) }

// smallModel is an object of two columns, of which docsOf fills every revision differently.
func smallModel(object uint32) *model {
	return &model{docs: map[string]modelDoc{}, table: connectors.Table{Object: object, Version: 1, Name: fmt.Sprint("small", object), Kind: "stream",
		Query: "SELECT 1", Topics: map[uint32]string{9: "sshd"},
		Columns: types.Schema{{Name: "n", Type: types.T(types.Int8)}, {Name: "text", Type: types.T(types.Text)}}}}
}

// smallText is the text of a small document.
func smallText(revision int, id string) string { return fmt.Sprintf("revision %d of %s", revision, id) }

// docsOf are documents of a small model.
func (m *model) docsOf(revision int, ids ...string) *connectors.Docs {
	d := &connectors.Docs{Cols: []*types.Vec{types.NewVec(types.T(types.Int8), 0), types.NewVec(types.T(types.Text), 0)}, IDs: ids}
	for i, id := range ids {
		d.Cols[0].AppendValue(types.IntValue(types.Int8, int64(revision)))
		d.Cols[1].AppendStr([]byte(smallText(revision, id)))
		d.States = append(d.States, []string{"early", "final", "withdrawn"}[(revision+i)%3])
		d.Lineage = append(d.Lineage, types.Lineage{Total: 1, First: int64(revision) * 1e6, Last: int64(revision) * 1e6,
			Events: []types.EventRef{{Object: 9, Part: 1, Off: int64(i), Time: int64(revision) * 1e6}}})
		d.Positions = append(d.Positions, connectors.Position{Object: m.table.Object, Version: m.table.Version, Step: uint64(revision), Ordinal: uint32(i)})
		d.Detected = append(d.Detected, int64(revision)*1e6+5)
	}
	return d
}

// scalarKinds are all kinds of scalar columns.
func scalarKinds() []types.Kind {
	return []types.Kind{types.Bool, types.Int2, types.Int4, types.Int8, types.Float4, types.Float8, types.Numeric, types.Text, types.Bytea, types.Date,
		types.Time, types.Timestamp, types.Timestamptz, types.IntervalKind, types.UUID, types.Inet, types.Cidr, types.JSONB}
}

// wideModel is an object with a column of every type.
func wideModel(object uint32) *model {
	m := &model{docs: map[string]modelDoc{}, table: connectors.Table{Object: object, Version: 1, Name: fmt.Sprint("wide", object), Kind: "materialized view",
		Query: "SELECT 1", Key: []string{"text"}, Topics: map[uint32]string{9: "sshd", 10: `odd "topic"`}}}
	add := func(name string, t types.Type, entity string) {
		m.table.Columns = append(m.table.Columns, types.Field{Name: name, Type: t, Entity: entity})
	}
	for _, k := range scalarKinds() {
		add(columnName(k), types.T(k), "")
	}
	for _, k := range scalarKinds() {
		add(columnName(k)+"s", types.ArrayOf(k), "")
	}
	add("ip2", types.T(types.Inet), "")
	add("user", types.T(types.Text), "user")
	add("users", types.ArrayOf(types.Text), "user")
	add("domain", types.T(types.Text), "domain")
	add("number", types.T(types.Int4), "host")
	add("varchar", types.Type{Kind: types.Text, Mod: 20}, "")
	add("decimal", types.Type{Kind: types.Numeric, Mod: 12, Scale: 3}, "")
	return m
}

// columnName is the name of a column of a kind.
func columnName(k types.Kind) string { return strings.ReplaceAll(types.T(k).String(), " ", "_") }

// edges are the values of a type at which stores stumble, as Postgres writes them.
func edges(k types.Kind) []string {
	switch k {
	case types.Bool:
		return []string{"true", "false"}
	case types.Int2:
		return []string{"0", "-1", "1", "-32768", "32767"}
	case types.Int4:
		return []string{"0", "-1", "1", "-2147483648", "2147483647"}
	case types.Int8:
		return []string{"0", "-1", "1", "-9223372036854775808", "9223372036854775807", "9007199254740993", "-9007199254740993"}
	case types.Float4:
		return []string{"0", "-0", "1", "-1", "0.1", "NaN", "Infinity", "-Infinity", "3.4028235e38", "1e-45", "16777217"}
	case types.Float8:
		return []string{"0", "-0", "1", "-1", "0.1", "-0.1", "NaN", "Infinity", "-Infinity", "1.7976931348623157e308", "5e-324", "9007199254740993", "1e15", "123456789012345680"}
	case types.Numeric:
		return []string{"0", "0.00", "1", "1.0", "1.00", "-1", "10", "9", "-12.340", "NaN", "9223372036854775808", "0.1", "0.10",
			"99999999999999999999999999999999.99", "-99999999999999999999999999999999.99", "0.000000000000000000000000000000001"}
	case types.Text:
		return []string{"", " ", "a", "A", "ab", "b", "Z", "ä", "é", "é", "ﬀ", "😀", "\uffff", "'; DROP TABLE x; --", `"`, `\`, `\n`, "%", "_", "\n\t\r", "10", "9", "1e5",
			"NaN", "null", "NULL", "\u2028", "{}", "[1]", "\u0001", strings.Repeat("long ", 300)}
	case types.Bytea:
		return []string{`\x`, `\x00`, `\x0000`, `\xff`, `\x61`, `\x27`, `\x00ff00ff`}
	case types.Date:
		return []string{"1970-01-01", "1969-12-31", "2000-02-29", "0001-01-01", "4713-01-01 BC", "9999-12-31", "10000-01-01", "294246-12-31"}
	case types.Time:
		return []string{"00:00:00", "24:00:00", "23:59:59.999999", "12:34:56.5", "12:34:56.45", "12:34:56", "00:00:00.000001"}
	case types.Timestamp, types.Timestamptz:
		return []string{"1970-01-01 00:00:00", "1969-12-31 23:59:59.999999", "1970-01-01 00:00:00.000001", "2018-03-24 17:15:20.865716", "0001-01-01 00:00:00",
			"4713-01-01 00:00:00 BC", "9999-12-31 23:59:59.999999", "294246-12-31 23:59:59.999999"}
	case types.IntervalKind:
		return []string{"0", "1 mon", "30 days", "-1 mon +3 days -04:05:06.000007", "100 years", "00:00:00.000001", "-00:00:00.000001", "2562047788:00:54.775807",
			"-2562047788:00:54.775808", "178956970 years 7 mons", "-178956970 years -8 mons", "2147483647 days", "-2147483648 days"}
	case types.UUID:
		return []string{"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "550e8400-e29b-41d4-a716-446655440000"}
	case types.Inet:
		return []string{"0.0.0.0", "0.0.0.0/0", "255.255.255.255", "192.0.2.9", "192.0.2.10", "192.0.2.9/24", "10.0.0.1", "9.0.0.1", "::", "::1", "::/0",
			"2001:db8::1", "2001:db8::1/32", "2001:db8:0:1::1", "::ffff:192.0.2.9", "::1.2.3.4"}
	case types.Cidr:
		return []string{"0.0.0.0/0", "192.0.2.0/24", "192.0.2.0/25", "192.0.2.9/32", "10.0.0.0/8", "9.0.0.0/8", "::/0", "2001:db8::/32", "2001:db8::1/128"}
	case types.JSONB:
		return []string{"null", "true", "0", "1", "1.0", "-12.340", `""`, `"a"`, `"\u0001\"\\ü😀"`, "[]", "{}", `[1, null, {"b": "ü"}]`,
			`{"a": {"b": [true]}, "bb": 12345678901234567890}`}
	}
	return nil
}

// pool are values of a column to draw from; the same ones often, so that conditions find something.
func pool(t types.Type) []types.Value {
	var values []types.Value
	if t.Kind == types.Array {
		elems := slices.DeleteFunc(pool(types.T(t.Elem)), unwritten)
		null := types.NullOf(types.T(t.Elem))
		for _, list := range [][]types.Value{nil, elems, {null}, {elems[0], null, elems[1]}, {elems[len(elems)-1]}, {null, null}} {
			values = append(values, types.Value{Type: t, S: string(types.EncodeArray(list))})
		}
		return values
	}
	for _, text := range edges(t.Kind) {
		if v, err := types.ParseValue(t, text, nil); err == nil {
			values = append(values, v)
		} else if t.Mod == 0 {
			panic(fmt.Sprintf("BUG: the suite's own %s %q: %v", t, text, err))
		}
	}
	if t.IsTime() { // the watermark of a source that has ended
		values = append(values, types.IntValue(t.Kind, math.MaxInt64), types.IntValue(t.Kind, math.MinInt64))
	}
	return values
}

// unwritten are values that have no text that Rhumb reads.
func unwritten(v types.Value) bool {
	return v.Type.IsTime() && (v.I == math.MaxInt64 || v.I == math.MinInt64)
}

// random makes n documents, some with ids that were there before.
func (m *model) random(r *rand.Rand, n int) *connectors.Docs {
	d := &connectors.Docs{Deleted: make([]bool, n)}
	for range n {
		d.IDs = append(d.IDs, fmt.Sprintf("%s:%032x", m.table.Name, r.IntN(4*n)))
	}
	for _, f := range m.table.Columns {
		v, values := types.NewVec(f.Type, n), pool(f.Type)
		for range n {
			if r.IntN(6) == 0 {
				v.AppendNull()
			} else {
				v.AppendValue(values[r.IntN(len(values))])
			}
		}
		d.Cols = append(d.Cols, v)
	}
	for i := range n {
		d.States = append(d.States, []string{"early", "final", "withdrawn"}[r.IntN(3)])
		d.Lineage = append(d.Lineage, randomLineage(r))
		d.Positions = append(d.Positions, connectors.Position{Object: m.table.Object, Version: 1, Step: r.Uint64() >> 1, Ordinal: r.Uint32()})
		d.Detected = append(d.Detected, r.Int64N(2e15)-1e14)
		d.Deleted[i] = r.IntN(10) == 0
	}
	return d
}

func randomLineage(r *rand.Rand) types.Lineage {
	n := []int{0, 1, 2, 14, 100}[r.IntN(5)]
	if n == 0 {
		return types.Lineage{}
	}
	l := types.Lineage{Total: int64(n) + r.Int64N(2)*1000, First: r.Int64N(2e15) - 1e14}
	at := l.First
	for i := range n {
		e := types.EventRef{Object: uint32(9 + r.IntN(2)), Part: r.Int32N(64), Off: r.Int64(), Time: at}
		if i%3 == 1 {
			e.ID = pick(r, "x", `q"uo\te`, "ü😀", "C1")
		}
		if i%2 == 1 {
			e.As = pick(r, "f", "s")
		}
		l.Events = append(l.Events, e)
		l.Last = at
		at += r.Int64N(1e9)
	}
	return l
}

func pick(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }

// sortedIDs are the ids in order.
func sortedIDs(docs map[string]modelDoc) []string { return slices.Sorted(maps.Keys(docs)) }

// apply does what Store.Apply must.
func (m *model) apply(d *connectors.Docs) {
	for i, id := range d.IDs {
		if d.Deleted != nil && d.Deleted[i] {
			delete(m.docs, id)
			continue
		}
		l := &d.Lineage[i]
		point := types.T(types.Timestamptz)
		doc := modelDoc{
			"_id": types.TextValue(id), "_state": types.TextValue(d.States[i]), "_detected": types.IntValue(types.Timestamptz, d.Detected[i]),
			"_events_total": types.IntValue(types.Int8, l.Total), "_first_event": types.NullOf(point), "_last_event": types.NullOf(point),
			"_events": jsonValue(m.eventsJSON(l)), "_entities": jsonValue(m.entitiesJSON(d, i)),
		}
		if l.Total > 0 {
			doc["_first_event"], doc["_last_event"] = types.IntValue(types.Timestamptz, l.First), types.IntValue(types.Timestamptz, l.Last)
		}
		for k, f := range m.table.Columns {
			doc[f.Name] = d.Cols[k].Value(i)
		}
		m.docs[id] = doc
	}
}

func jsonValue(s string) types.Value { return types.Value{Type: types.T(types.JSONB), S: s} }

// quoted is a JSON string.
func quoted(s string) string { return string(types.AppendJSONString(nil, []byte(s))) }

// eventsJSON is what _events shows.
func (m *model) eventsJSON(l *types.Lineage) string {
	var events []string
	for _, e := range l.Events {
		members := ""
		if e.As != "" {
			members += `"as": ` + quoted(e.As) + ", "
		}
		if e.ID != "" {
			members += `"id": ` + quoted(e.ID) + ", "
		}
		members += `"ts": "` + time.UnixMicro(e.Time).UTC().Format("2006-01-02T15:04:05.000000Z") + `", "ref": ` +
			quoted(m.table.Topics[e.Object]+"/"+strconv.Itoa(int(e.Part))+"/"+strconv.FormatInt(e.Off, 10))
		events = append(events, "{"+members+"}")
	}
	return "[" + strings.Join(events, ", ") + "]"
}

// entitiesJSON is what _entities shows.
func (m *model) entitiesJSON(d *connectors.Docs, i int) string {
	byKind := map[string][]string{}
	for k, f := range m.table.Columns {
		kind := f.Entity
		if kind == "" && (f.Type.Kind == types.Inet || f.Type.Kind == types.Array && f.Type.Elem == types.Inet) {
			kind = "ip"
		}
		v := d.Cols[k].Value(i)
		if kind == "" || v.Null {
			continue
		}
		values := []types.Value{v}
		if f.Type.Kind == types.Array {
			values = types.DecodeArray(f.Type.Elem, []byte(v.S))
		}
		for _, v := range values {
			if text := quoted(types.FormatValue(v, nil)); !v.Null && !slices.Contains(byKind[kind], text) {
				byKind[kind] = append(byKind[kind], text)
			}
		}
	}
	var members []string
	for _, kind := range []string{"ip", "url", "hash", "host", "user", "domain"} { // jsonb's order of keys
		if len(byKind[kind]) > 0 {
			members = append(members, quoted(kind)+": ["+strings.Join(byKind[kind], ", ")+"]")
		}
	}
	return "{" + strings.Join(members, ", ") + "}"
}

// schema is the type of every column.
func (m *model) schema() map[string]types.Type {
	all := map[string]types.Type{"_id": types.T(types.Text), "_state": types.T(types.Text), "_events": types.T(types.JSONB),
		"_events_total": types.T(types.Int8), "_first_event": types.T(types.Timestamptz), "_last_event": types.T(types.Timestamptz),
		"_entities": types.T(types.JSONB), "_detected": types.T(types.Timestamptz)}
	for _, f := range m.table.Columns {
		all[f.Name] = f.Type
	}
	return all
}

// columns are all names, in a fixed order.
func (m *model) columns() []string {
	var names []string
	for n := range m.schema() {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// identical is equality to the last bit, but for the many kinds of NaN.
func identical(a, b types.Value) bool {
	if a.Type != b.Type || a.Null != b.Null {
		return false
	}
	if a.Null {
		return true
	}
	if a.F != a.F && b.F != b.F {
		return true
	}
	return a.I == b.I && math.Float64bits(a.F) == math.Float64bits(b.F) && a.S == b.S && a.Iv == b.Iv
}

// differences says how documents that were found differ from those that should be; "" if they do not.
func (m *model) differences(found []modelDoc, want map[string]modelDoc) string {
	var diffs []string
	seen := map[string]bool{}
	for _, doc := range found {
		id := doc["_id"].S
		if seen[id] {
			diffs = append(diffs, fmt.Sprintf("%q is there twice", id))
		}
		seen[id] = true
		if want[id] == nil {
			diffs = append(diffs, fmt.Sprintf("%q should not be there", id))
			continue
		}
		diffs = append(diffs, docDifferences(doc, want[id])...)
	}
	for _, id := range sortedIDs(want) {
		if !seen[id] {
			diffs = append(diffs, fmt.Sprintf("%q is not there", id))
		}
	}
	if len(diffs) > 10 {
		diffs = append(diffs[:10], fmt.Sprintf("and %d more", len(diffs)-10))
	}
	return strings.Join(diffs, "\n")
}

// docDifferences compares the columns that got has.
func docDifferences(got, want modelDoc) (diffs []string) {
	for name, v := range got {
		if w := want[name]; !identical(v, w) {
			diffs = append(diffs, fmt.Sprintf("%q, column %q: got %s, want %s", want["_id"].S, name, show(v), show(w)))
		}
	}
	return diffs
}

func show(v types.Value) string {
	if v.Null {
		return v.Type.String() + " NULL"
	}
	text := types.FormatValue(v, nil)
	return fmt.Sprintf("%s %.200q", v.Type, text)
}
