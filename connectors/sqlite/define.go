package sqlite

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"rhumb/connectors"
	"rhumb/types"
)

// object is a definition in force. It is never changed.
type object struct {
	number  uint32
	table   string
	columns []column       // the user's, then the system columns; a system column whose name the user took is not there
	byName  map[string]int // index in columns
	user    int            // how many are the user's
	groups  []entityGroup
	upsert  string // parameters: paramID and so on, then the user's columns, then the row's number
}

// systemColumns are those that every document has besides the user's, with their place in the tables.
func systemColumns() []column {
	col := func(name, sql string, k types.Kind) column {
		t := types.T(k)
		return column{storage: storageOf(t), name: name, sql: sql, typ: t}
	}
	events := col("_events", eventsSQL, types.JSONB)
	events.form = asEvents
	return []column{
		col("_id", "id", types.Text), col("_state", "state", types.Text), events, col("_events_total", "events_total", types.Int8),
		col("_first_event", "first_event", types.Timestamptz), col("_last_event", "last_event", types.Timestamptz),
		col("_entities", "entities", types.JSONB), col("_detected", "detected", types.Timestamptz),
	}
}

// schemaDocument is an object's row of CEPSchema, for programs that search; Rhumb reads its definitions back from it.
type schemaDocument struct {
	Object     uint32         `json:"object"`
	Name       string         `json:"name"`
	Kind       string         `json:"kind"`
	Query      string         `json:"query"`
	Version    uint32         `json:"version"`
	Columns    []schemaColumn `json:"columns"`
	Key        []string       `json:"key"`
	Table      string         `json:"table"`
	View       string         `json:"view"`
	Generation int            `json:"generation"` // rises when documents of an earlier definition are put aside
	Documents  int64          `json:"documents"`  // how many there are
	FirstSeen  *string        `json:"first_seen"` // the least first event of all that were applied
	LastSeen   *string        `json:"last_seen"`  // the greatest last event
}

type schemaColumn struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Entity string `json:"entity,omitempty"`
	Column string `json:"column"` // in the table
}

// maxColumns leaves room for the system columns in the 2,000 that SQLite allows.
const maxColumns = 1900

// Define makes the object's table, indexes and view, or keeps them if version and columns are as they were. Otherwise a new, empty table
// takes the place of the old one, whose documents stay in the file, aside, until Drop. The position is the topic's, which goes on
// under every version: it stays.
func (s *Store) Define(ctx context.Context, t connectors.Table) error {
	if len(t.Columns) > maxColumns {
		return types.Errorf(types.CodeProgramLimit, "%q has %d columns; the embedded store can keep %d", t.Name, len(t.Columns), maxColumns)
	}
	doc := describe(t)
	var o *object
	err := s.write(ctx, "defining "+t.Name, func(conn *sqlite.Conn) error {
		old, err := readDocument(conn, t.Object)
		if err != nil {
			return err
		}
		if o, err = newObject(doc); err != nil {
			return err
		}
		if old != nil {
			if err := execScript(conn, "DROP VIEW IF EXISTS "+quoteName(old.View)); err != nil {
				return err
			}
			doc.Generation, doc.Documents, doc.FirstSeen, doc.LastSeen = old.Generation, old.Documents, old.FirstSeen, old.LastSeen
		}
		if old == nil || !sameShape(old, doc) {
			if old != nil {
				doc.Generation++
				doc.Documents, doc.FirstSeen, doc.LastSeen = 0, nil, nil
			}
			if err := createTable(conn, o, old); err != nil {
				return err
			}
		}
		if err := writeTopics(conn, t.Topics); err != nil {
			return err
		}
		if doc.View, err = createView(conn, o, t.Name); err != nil {
			return err
		}
		return writeDocument(conn, doc)
	})
	if err != nil {
		return err
	}
	s.setObject(t.Object, o, t.Topics)
	return nil
}

// Drop removes all that the store has of the object, also documents of earlier definitions. It is no error if there is nothing.
func (s *Store) Drop(ctx context.Context, number uint32) error {
	err := s.write(ctx, fmt.Sprintf("dropping object %d", number), func(conn *sqlite.Conn) error {
		old, err := readDocument(conn, number)
		if err != nil {
			return err
		}
		if old != nil {
			stmts := []string{"DROP VIEW IF EXISTS " + quoteName(old.View), "DROP TABLE IF EXISTS " + tableName(number)}
			for g := range old.Generation {
				stmts = append(stmts, "DROP TABLE IF EXISTS "+oldTableName(number, g))
			}
			if err := execScript(conn, stmts...); err != nil {
				return err
			}
		}
		if err := execute(conn, "DELETE FROM rhumb_cursor WHERE object = ?1", int64(number)); err != nil {
			return err
		}
		return execute(conn, "DELETE FROM CEPSchema WHERE object = ?1", int64(number))
	})
	if err != nil {
		return err
	}
	s.setObject(number, nil, nil)
	return nil
}

func tableName(number uint32) string { return "doc_" + strconv.FormatUint(uint64(number), 10) }

func oldTableName(number uint32, generation int) string {
	return fmt.Sprintf("%s_old%d", tableName(number), generation)
}

// describe makes the schema document of a table.
func describe(t connectors.Table) *schemaDocument {
	doc := &schemaDocument{Object: t.Object, Name: t.Name, Kind: t.Kind, Query: t.Query, Version: t.Version,
		Columns: make([]schemaColumn, len(t.Columns)), Key: append([]string{}, t.Key...), Table: tableName(t.Object)}
	for i, f := range t.Columns {
		doc.Columns[i] = schemaColumn{Name: f.Name, Type: f.Type.String(), Entity: entityOf(f.Type, f.Entity), Column: "c" + strconv.Itoa(i)}
	}
	return doc
}

// entityOf is the kind of entity that a column's values are: what was declared, or ip for addresses.
func entityOf(t types.Type, declared string) string {
	if declared == "" && (t.Kind == types.Inet || t.Kind == types.Array && t.Elem == types.Inet) {
		return "ip"
	}
	return declared
}

func sameShape(a, b *schemaDocument) bool {
	return a.Version == b.Version && slices.Equal(a.Columns, b.Columns)
}

// newObject makes the definition that a schema document describes.
func newObject(doc *schemaDocument) (*object, error) {
	o := &object{number: doc.Object, table: tableName(doc.Object), user: len(doc.Columns), byName: map[string]int{}}
	for i, c := range doc.Columns {
		t, ok := parseTypeName(c.Type)
		if !ok {
			return nil, types.Errorf(types.CodeDataCorrupted, "the schema document of %q names the unknown type %q", doc.Name, c.Type)
		}
		if _, twice := o.byName[c.Name]; twice {
			return nil, types.Errorf(types.CodeDuplicateColumn, "column %q of %q is there twice", c.Name, doc.Name)
		}
		o.byName[c.Name] = i
		o.columns = append(o.columns, column{storage: storageOf(t), name: c.Name, sql: "c" + strconv.Itoa(i), typ: t, entity: c.Entity})
	}
	for _, c := range systemColumns() {
		if _, taken := o.byName[c.name]; !taken {
			o.byName[c.name] = len(o.columns)
			o.columns = append(o.columns, c)
		}
	}
	o.groups = entityGroups(o.columns[:o.user])
	o.upsert = upsertSQL(o)
	return o, nil
}

// parseTypeName reads what Type.String prints.
func parseTypeName(name string) (types.Type, bool) {
	base, mods, found := strings.Cut(name, "(")
	t, ok := types.ParseType(base)
	if !ok || !found {
		return t, ok
	}
	precision, scale, _ := strings.Cut(strings.TrimSuffix(mods, ")"), ",")
	p, err := strconv.ParseInt(precision, 10, 32)
	if err != nil {
		return t, false
	}
	t.Mod = int32(p)
	if scale != "" {
		n, err := strconv.ParseInt(scale, 10, 32)
		if err != nil {
			return t, false
		}
		t.Scale = int32(n)
	}
	return t, true
}

// createTable makes the object's table and indexes. The table of an earlier definition is put aside, without its indexes.
func createTable(conn *sqlite.Conn, o *object, old *schemaDocument) error {
	var stmts []string
	if old != nil {
		was, err := newObject(old)
		if err != nil {
			return err
		}
		for name := range indexes(was) {
			stmts = append(stmts, "DROP INDEX IF EXISTS "+name)
		}
		stmts = append(stmts, fmt.Sprintf("ALTER TABLE %s RENAME TO %s", o.table, oldTableName(o.number, old.Generation)))
	}
	var ddl strings.Builder
	// What searches and lists read stands first: SQLite reads a row from its beginning to the last column asked for.
	fmt.Fprintf(&ddl, "CREATE TABLE %s (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, detected INTEGER NOT NULL, "+
		"first_event INTEGER, last_event INTEGER, events_total INTEGER NOT NULL, step INTEGER NOT NULL, ordinal INTEGER NOT NULL", o.table)
	for _, c := range o.columns[:o.user] {
		fmt.Fprintf(&ddl, ", %s %s", c.sql, c.sqlType)
	}
	ddl.WriteString(", entities TEXT NOT NULL, events TEXT NOT NULL)")
	stmts = append(stmts, ddl.String())
	made := indexes(o)
	for _, name := range sortedKeys(made) {
		stmts = append(stmts, fmt.Sprintf("CREATE INDEX %s ON %s (%s)", name, o.table, made[name]))
	}
	return execScript(conn, stmts...)
}

// indexes are those that a table has besides that of ids: names and columns. Entities come with the time, for "what did this
// address do last". The values of an array cannot be indexed.
func indexes(o *object) map[string]string {
	made := map[string]string{o.table + "_time": "last_event"}
	for _, c := range o.columns[:o.user] {
		if c.entity != "" && c.typ.Kind != types.Array {
			made[o.table+"_"+c.sql] = c.sql + ", last_event"
		}
	}
	return made
}

func sortedKeys[K interface{ ~string | ~uint32 | ~int32 }, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func execScript(conn *sqlite.Conn, stmts ...string) error {
	for _, stmt := range stmts {
		if err := sqlitex.ExecuteTransient(conn, stmt, nil); err != nil {
			return err
		}
	}
	return nil
}

func writeTopics(conn *sqlite.Conn, topics map[uint32]string) error {
	for _, number := range sortedKeys(topics) {
		if err := execute(conn, "INSERT INTO rhumb_topic (object, name) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET name = excluded.name",
			int64(number), topics[number]); err != nil {
			return err
		}
	}
	return nil
}

func writeDocument(conn *sqlite.Conn, doc *schemaDocument) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // queries hold < and >, and people read this
	if err := e.Encode(doc); err != nil {
		return err
	}
	return execute(conn, "INSERT INTO CEPSchema (object, name, document) VALUES (?1, ?2, ?3) "+
		"ON CONFLICT DO UPDATE SET name = excluded.name, document = excluded.document", int64(doc.Object), doc.Name, strings.TrimSpace(b.String()))
}

// readDocument returns the schema document of an object, or nil.
func readDocument(conn *sqlite.Conn, number uint32) (doc *schemaDocument, err error) {
	err = sqlitex.Execute(conn, "SELECT document FROM CEPSchema WHERE object = ?1", &sqlitex.ExecOptions{
		Args: []any{int64(number)},
		ResultFunc: func(stmt *sqlite.Stmt) error {
			doc, err = decodeDocument(stmt.ColumnText(0))
			return err
		}})
	return doc, err
}

func decodeDocument(text string) (*schemaDocument, error) {
	doc := &schemaDocument{}
	if err := json.Unmarshal([]byte(text), doc); err != nil {
		return nil, types.Errorf(types.CodeDataCorrupted, "a schema document cannot be read: %v", err).
			WithHint("Did another program write to CEPSchema?")
	}
	return doc, nil
}

// load reads all definitions when the store is opened.
func (s *Store) load(conn *sqlite.Conn) error {
	err := sqlitex.Execute(conn, "SELECT document FROM CEPSchema", &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
		doc, err := decodeDocument(stmt.ColumnText(0))
		if err != nil {
			return err
		}
		o, err := newObject(doc)
		if err == nil {
			s.objects[doc.Object] = o
		}
		return err
	}})
	if err == nil {
		err = sqlitex.Execute(conn, "SELECT object, name FROM rhumb_topic", &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
			s.topics[uint32(stmt.ColumnInt64(0))] = stmt.ColumnText(1)
			return nil
		}})
	}
	return s.fault("reading the definitions", err)
}
