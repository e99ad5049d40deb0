package sqlite

import (
	"context"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"

	"rhumb/connectors"
	"rhumb/types"
)

// ask returns the rows that another program sees, columns joined by |. Parameters are NULL.
func ask(t *testing.T, path, sql string) (rows []string) {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	must(t, err)
	defer conn.Close()
	stmt, _, err := conn.PrepareTransient(sql)
	must(t, err)
	defer stmt.Finalize()
	for {
		more, err := stmt.Step()
		must(t, err)
		if !more {
			return rows
		}
		var cells []string
		for i := range stmt.ColumnCount() {
			cells = append(cells, stmt.ColumnText(i))
		}
		rows = append(rows, strings.Join(cells, "|"))
	}
}

// alertTable has what a view shows in another form than it is stored.
func alertTable() connectors.Table {
	return connectors.Table{Object: 41, Version: 1, Name: `Alerts "raw"`, Kind: "stream", Query: "SELECT a < b", Topics: map[uint32]string{9: "sshd"},
		Columns: types.Schema{{Name: "ip", Type: types.T(types.Inet)}, {Name: "seen", Type: types.T(types.Timestamptz)}, {Name: "SEEN", Type: types.T(types.Date)},
			{Name: "state", Type: types.T(types.Numeric)}, {Name: "tags", Type: types.ArrayOf(types.Text), Entity: "domain"},
			{Name: "fqdn", Type: types.Type{Kind: types.Text, Mod: 200}, Entity: "domain"}, {Name: "cost", Type: types.Type{Kind: types.Numeric, Mod: 10, Scale: 2}}}}
}

func applyAlerts(t *testing.T, s connectors.Store, texts [][]string) {
	t.Helper()
	table := alertTable()
	n := len(texts)
	d := &connectors.Docs{Positions: make([]connectors.Position, n)}
	for c, f := range table.Columns {
		v := types.NewVec(f.Type, n)
		for _, row := range texts {
			x, err := types.ParseValue(f.Type, row[c+1], nil)
			if err != nil {
				t.Fatal(err)
			}
			v.AppendValue(x)
		}
		d.Cols = append(d.Cols, v)
	}
	for i, row := range texts {
		first := int64(1_521_911_720_865_716) + int64(i)*1e6
		d.IDs, d.States, d.Detected = append(d.IDs, row[0]), append(d.States, "final"), append(d.Detected, -1)
		d.Lineage = append(d.Lineage, types.Lineage{Total: 2, First: first, Last: first + 1_500_000, Events: []types.EventRef{
			{Object: 9, Part: 3, Off: 10211, Time: first, As: "f", ID: "x"}, {Object: 8, Part: 0, Off: 5, Time: first + 1_500_000}}})
	}
	must(t, s.Apply(context.Background(), 41, d, []byte{1}))
}

var alertRows = [][]string{
	{"a:1", "192.0.2.7", "2018-03-24 17:15:20.000016", "1969-12-31", "12.50", "{www.example,NULL}", "www.example", "3.14"},
	{"a:2", "2001:db8::7", "1969-12-31 23:59:59.999999", "2024-02-29", "0", "{}", "mail.example", "0"},
}

func openAlerts(t *testing.T) (connectors.Store, string) {
	t.Helper()
	s, path := opened(t)
	must(t, s.Define(context.Background(), alertTable()))
	applyAlerts(t, s, alertRows)
	return s, path
}

// The view, as any SQLite program shows it.
func TestView(t *testing.T) {
	_, path := openAlerts(t)
	got := ask(t, path, `SELECT _id, ip, seen, "SEEN_", state, tags, fqdn, state_, first_event, last_event, detected, entities, events_total, events FROM "Alerts ""raw""" ORDER BY _id`)
	want := []string{
		`a:1|192.0.2.7|2018-03-24T17:15:20.000016Z|1969-12-31|12.50|["www.example",null]|www.example|final|2018-03-24T17:15:20.865716Z|2018-03-24T17:15:22.365716Z|` +
			`1969-12-31T23:59:59.999999Z|{"ip": ["192.0.2.7"], "domain": ["www.example"]}|2|` +
			`[{"ref":"sshd/3/10211","ts":"2018-03-24T17:15:20.865716Z","as":"f","id":"x"},{"ref":"8/0/5","ts":"2018-03-24T17:15:22.365716Z"}]`,
		`a:2|2001:db8::7|1969-12-31T23:59:59.999999Z|2024-02-29|0|[]|mail.example|final|2018-03-24T17:15:21.865716Z|2018-03-24T17:15:23.365716Z|` +
			`1969-12-31T23:59:59.999999Z|{"ip": ["2001:db8::7"], "domain": ["mail.example"]}|2|` +
			`[{"ref":"sshd/3/10211","ts":"2018-03-24T17:15:21.865716Z","as":"f","id":"x"},{"ref":"8/0/5","ts":"2018-03-24T17:15:23.365716Z"}]`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// The sqlite3 tool, where there is one: an independent implementation of the library's version of the day.
func TestSQLite3Tool(t *testing.T) {
	tool, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Skip("there is no sqlite3 here")
	}
	_, path := openAlerts(t)
	out, err := exec.Command(tool, path, `PRAGMA integrity_check; SELECT ip FROM "Alerts ""raw""" WHERE ip = '192.0.2.7'; SELECT json_extract(document, '$.name') FROM CEPSchema ORDER BY 1`).CombinedOutput()
	if err != nil || string(out) != "ok\n192.0.2.7\nAlerts \"raw\"\nlog1\n" {
		t.Errorf("%v: %s", err, out)
	}
}

func TestSchemaDocument(t *testing.T) {
	s, path := openAlerts(t)
	read := func() map[string]any {
		t.Helper()
		rows := ask(t, path, "SELECT document FROM CEPSchema WHERE object = 41")
		if len(rows) != 1 {
			t.Fatalf("%d rows", len(rows))
		}
		var doc map[string]any
		must(t, json.Unmarshal([]byte(rows[0]), &doc))
		return doc
	}
	doc := read()
	for key, want := range map[string]any{"object": 41.0, "name": `Alerts "raw"`, "kind": "stream", "query": "SELECT a < b", "version": 1.0, "table": "doc_41",
		"view": `Alerts "raw"`, "documents": 2.0, "first_seen": "2018-03-24T17:15:20.865716Z", "last_seen": "2018-03-24T17:15:23.365716Z"} {
		if doc[key] != want {
			t.Errorf("%s is %v, want %v", key, doc[key], want)
		}
	}
	columns := doc["columns"].([]any)
	if c := columns[5].(map[string]any); c["name"] != "fqdn" || c["type"] != "character varying(200)" || c["entity"] != "domain" || c["column"] != "c5" {
		t.Errorf("column %v", c)
	}
	if c := columns[0].(map[string]any); c["entity"] != "ip" {
		t.Errorf("column %v", c)
	}

	applyAlerts(t, s, append(alertRows[:1:1], append([]string{"a:3"}, alertRows[1][1:]...)))
	if doc = read(); doc["documents"] != 3.0 {
		t.Errorf("%v documents after one was added and one replaced", doc["documents"])
	}
	gone := logDocs(0, 0)
	for range 5 {
		gone.Cols = append(gone.Cols, nil)
	}
	for i, f := range alertTable().Columns {
		gone.Cols[i] = types.NewVec(f.Type, 1)
		gone.Cols[i].AppendNull()
	}
	gone.IDs, gone.States, gone.Deleted = []string{"a:3"}, []string{""}, []bool{true}
	gone.Lineage, gone.Positions, gone.Detected = make([]types.Lineage, 1), make([]connectors.Position, 1), []int64{0}
	for range 2 {
		must(t, s.Apply(context.Background(), 41, gone, []byte{3}))
		if doc = read(); doc["documents"] != 2.0 {
			t.Errorf("%v documents after one was removed", doc["documents"])
		}
	}
	// The greatest number is free again: the next document must count as new.
	applyAlerts(t, s, [][]string{append([]string{"a:4"}, alertRows[1][1:]...)})
	if doc = read(); doc["documents"] != 3.0 {
		t.Errorf("%v documents after one was removed and another added", doc["documents"])
	}
}

// A scan and an Apply work after reopening without Define: searches may come before the queries are started again.
func TestReopenWithoutDefine(t *testing.T) {
	s, path := openAlerts(t)
	must(t, s.Close())
	s, err := Open(path)
	must(t, err)
	defer s.Close()
	var got []string
	must(t, s.Scan(context.Background(), 41, connectors.Scan{Columns: []string{"cost", "_events"}, OrderBy: []connectors.Order{{Column: "cost"}}, Limit: 1}, func(b *types.Batch) error {
		if b.Cols[0].Type != (types.Type{Kind: types.Numeric, Mod: 10, Scale: 2}) {
			t.Errorf("type %v", b.Cols[0].Type)
		}
		got = append(got, string(b.Cols[0].Str(0)), string(b.Cols[1].Str(0)))
		return nil
	}))
	want := []string{"0.00", `[{"as": "f", "id": "x", "ts": "2018-03-24T17:15:21.865716Z", "ref": "sshd/3/10211"}, {"ts": "2018-03-24T17:15:23.365716Z", "ref": "8/0/5"}]`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	applyAlerts(t, s, alertRows)
}

// Documents of an earlier version stay in the file until Drop, and a view of the user's stays as it is.
func TestRedefineKeepsOldDocuments(t *testing.T) {
	s, path := openAlerts(t)
	ctx := context.Background()
	edit(t, path, "CREATE VIEW mine AS SELECT id FROM doc_41")
	for version := uint32(2); version < 4; version++ {
		table := alertTable()
		table.Version = version
		must(t, s.Define(ctx, table))
		applyAlerts(t, s, alertRows[:1])
	}
	if got := ask(t, path, "SELECT (SELECT count(*) FROM doc_41_old0), (SELECT count(*) FROM doc_41_old1), (SELECT count(*) FROM doc_41), (SELECT count(*) FROM mine)"); got[0] != "2|1|1|1" {
		t.Errorf("documents by version: %v", got)
	}
	must(t, s.Drop(ctx, 41))
	if got := ask(t, path, "SELECT name FROM sqlite_schema WHERE name LIKE 'doc\\_41%' ESCAPE '\\' OR name LIKE 'Alerts%'"); len(got) != 0 {
		t.Errorf("left after Drop: %v", got)
	}
}

// Searches by id, by time and by entity use their index.
func TestIndexes(t *testing.T) {
	s, path := openAlerts(t)
	o, err := s.(*Store).object(41)
	must(t, err)
	text := types.TextValue("x")
	ip, _ := types.ParseValue(types.T(types.Inet), "192.0.2.7", nil)
	latest := []connectors.Order{{Column: "_last_event", Desc: true, NullsFirst: true}}
	for _, c := range []struct {
		scan connectors.Scan
		uses string
	}{
		{connectors.Scan{Where: []connectors.Cond{{Column: "_id", Op: "=", Values: []types.Value{text}}}}, "sqlite_autoindex_doc_41_1 (id=?)"},
		{connectors.Scan{Where: []connectors.Cond{{Column: "_id", Op: "in", Values: []types.Value{text, text}}}}, "sqlite_autoindex_doc_41_1 (id=?)"},
		{connectors.Scan{Where: []connectors.Cond{{Column: "_last_event", Op: ">=", Values: []types.Value{types.IntValue(types.Timestamptz, 0)}}}}, "doc_41_time (last_event>?)"},
		{connectors.Scan{OrderBy: latest, Limit: 10}, "doc_41_time"},
		{connectors.Scan{Where: []connectors.Cond{{Column: "ip", Op: "=", Values: []types.Value{ip}}}, OrderBy: latest, Limit: 10}, "doc_41_c0 (c0=?)"},
		{connectors.Scan{Where: []connectors.Cond{{Column: "fqdn", Op: "=", Values: []types.Value{text}}}}, "doc_41_c5 (c5=?)"},
	} {
		c.scan.Columns = []string{"_id"}
		q, err := newQuery(o, c.scan)
		must(t, err)
		plan := strings.Join(ask(t, path, "EXPLAIN QUERY PLAN "+q.sql.String()), "; ")
		if !strings.Contains(plan, c.uses) || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\nplan: %s, want %s and no sorting", q.sql.String(), plan, c.uses)
		}
	}
}

// A scan sees the documents of one moment, though all are rewritten meanwhile.
func TestScanIsOneMoment(t *testing.T) {
	s, _ := opened(t)
	ctx := context.Background()
	must(t, s.Apply(ctx, 1, logDocs(5000, 1), []byte{1}))
	batches := 0
	must(t, s.Scan(ctx, 1, connectors.Scan{Columns: []string{"line"}, Limit: -1}, func(b *types.Batch) error {
		batches++
		must(t, s.Apply(ctx, 1, logDocs(5000, 2), []byte{2}))
		for i := range b.N {
			if n := len(b.Cols[0].Str(i)); n != 1 {
				t.Fatalf("batch %d shows a line of %d bytes", batches, n)
			}
		}
		return nil
	}))
	if batches != 5 {
		t.Errorf("%d batches", batches)
	}
}

// What MongoDB's Decimal128 cannot hold.
func TestLongNumerics(t *testing.T) {
	s, _ := opened(t)
	table := connectors.Table{Object: 2, Version: 1, Name: "n", Columns: types.Schema{{Name: "x", Type: types.T(types.Numeric)}}}
	must(t, s.Define(context.Background(), table))
	digits := strings.Repeat("1234567890", 50)
	d := logDocs(4, 0)
	d.Cols = []*types.Vec{types.NewVec(types.T(types.Numeric), 4)}
	for _, x := range []string{digits, digits + "." + digits, "-" + digits + ".0", "5"} {
		d.Cols[0].AppendStr([]byte(x))
	}
	must(t, s.Apply(context.Background(), 2, d, []byte{1}))
	var got []string
	must(t, s.Scan(context.Background(), 2, connectors.Scan{Columns: []string{"x"}, OrderBy: []connectors.Order{{Column: "x", Desc: true}}, Limit: -1}, func(b *types.Batch) error {
		for i := range b.N {
			got = append(got, string(b.Cols[0].Str(i)))
		}
		return nil
	}))
	if want := []string{digits + "." + digits, digits, "5", "-" + digits + ".0"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
