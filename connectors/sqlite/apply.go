package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"rhumb/connectors"
	"rhumb/types"
)

// The parameters of an object's upsert; the user's columns follow, then the number that the row gets if it is new.
const (
	paramID = iota + 1
	paramState
	paramDetected
	paramFirst
	paramLast
	paramTotal
	paramStep
	paramOrdinal
	paramEntities
	paramEvents
	paramColumns
)

// upsertSQL is the statement that stores a document. A revised document keeps its number.
func upsertSQL(o *object) string {
	names := []string{"id", "state", "detected", "first_event", "last_event", "events_total", "step", "ordinal", "entities", "events"}
	for _, c := range o.columns[:o.user] {
		names = append(names, c.sql)
	}
	set := make([]string, 0, len(names))
	for _, n := range names[1:] {
		set = append(set, n+" = excluded."+n)
	}
	return fmt.Sprintf("INSERT INTO %s (%s, n) VALUES (?%s) ON CONFLICT (id) DO UPDATE SET %s",
		o.table, strings.Join(names, ", "), strings.Repeat(", ?", len(names)), strings.Join(set, ", "))
}

// Apply writes documents and position in one transaction, in the order of the ids: neighbours in the index of ids are then
// found in pages that are at hand.
func (s *Store) Apply(ctx context.Context, number uint32, docs *connectors.Docs, position []byte) error {
	return s.write(ctx, fmt.Sprintf("writing documents of object %d", number), func(conn *sqlite.Conn) error {
		// Under the writer's lock, so that no Define comes between.
		o, err := s.object(number)
		if err != nil {
			return err
		}
		if err := checkDocs(o, docs); err != nil {
			return err
		}
		w := applier{object: o, docs: docs}
		if err := w.apply(conn); err != nil {
			return err
		}
		return execute(conn, "INSERT INTO rhumb_cursor (object, position) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET position = excluded.position",
			int64(number), position)
	})
}

// Position reads the last position applied.
func (s *Store) Position(ctx context.Context, number uint32) (position []byte, err error) {
	conn, err := s.reader(ctx)
	if err != nil {
		return nil, err
	}
	defer s.done(conn)
	err = sqlitex.Execute(conn, "SELECT position FROM rhumb_cursor WHERE object = ?1", &sqlitex.ExecOptions{
		Args: []any{int64(number)},
		ResultFunc: func(stmt *sqlite.Stmt) error {
			position = make([]byte, stmt.ColumnLen(0))
			stmt.ColumnBytes(0, position)
			return nil
		}})
	if err != nil && ctx.Err() != nil {
		return nil, canceled(ctx)
	}
	return position, s.fault("reading a position", err)
}

// checkDocs verifies the shape of what the caller hands over.
func checkDocs(o *object, docs *connectors.Docs) error {
	n := len(docs.IDs)
	if len(docs.Cols) != o.user || len(docs.States) != n || len(docs.Lineage) != n || len(docs.Positions) != n || len(docs.Detected) != n ||
		docs.Deleted != nil && len(docs.Deleted) != n {
		return types.Errorf(types.CodeInternal, "BUG: documents for %s: %d ids, %d columns, %d states, %d lineages, %d positions, %d times", o.table,
			n, len(docs.Cols), len(docs.States), len(docs.Lineage), len(docs.Positions), len(docs.Detected))
	}
	for i, v := range docs.Cols {
		if v.Len() != n || v.Type.Base() != o.columns[i].typ.Base() {
			return types.Errorf(types.CodeInternal, "BUG: documents for %s: column %q has %d rows of %s, want %d of %s", o.table,
				o.columns[i].name, v.Len(), v.Type, n, o.columns[i].typ)
		}
	}
	return nil
}

// applier writes one call's documents.
type applier struct {
	object *object
	docs   *connectors.Docs
	buf    []byte
	ents   entityScratch

	next        int64 // number of the next new row
	added       int64 // rows, less those removed
	first, last int64 // times of the events of all documents written
	any         bool  // first and last have a meaning
}

// lastRevisions are the rows that count, by id: of several with one id the last.
func lastRevisions(ids []string) []int32 {
	rows := make([]int32, len(ids))
	for i := range rows {
		rows[i] = int32(i)
	}
	slices.SortFunc(rows, func(a, b int32) int {
		if c := strings.Compare(ids[a], ids[b]); c != 0 {
			return c
		}
		return cmp.Compare(a, b)
	})
	kept := rows[:0]
	for k, i := range rows {
		if k+1 == len(rows) || ids[rows[k+1]] != ids[i] {
			kept = append(kept, i)
		}
	}
	return kept
}

func (w *applier) apply(conn *sqlite.Conn) error {
	if len(w.docs.IDs) == 0 {
		return nil
	}
	greatest, err := sqlitex.ResultInt64(conn.Prep("SELECT ifnull(max(n), 0) FROM " + w.object.table))
	if err != nil {
		return err
	}
	w.next = greatest + 1
	upsert, err := conn.Prepare(w.object.upsert)
	if err != nil {
		return err
	}
	remove, err := conn.Prepare("DELETE FROM " + w.object.table + " WHERE id = ?1")
	if err != nil {
		return err
	}
	for _, i := range lastRevisions(w.docs.IDs) {
		if w.docs.Deleted != nil && w.docs.Deleted[i] {
			remove.BindText(1, w.docs.IDs[i])
			if err := run(remove); err != nil {
				return err
			}
			w.added -= int64(conn.Changes())
			continue
		}
		w.bind(upsert, int(i))
		if err := run(upsert); err != nil {
			return err
		}
		// An update leaves the connection's last inserted number as it was, and next is greater than any there has been.
		if conn.LastInsertRowID() == w.next {
			w.next++
			w.added++
		}
	}
	return w.count(conn)
}

// run executes a statement that returns no rows, and readies it for the next.
func run(stmt *sqlite.Stmt) error {
	if _, err := stmt.Step(); err != nil {
		return err
	}
	return stmt.Reset()
}

// bind sets the upsert's parameters to document i.
func (w *applier) bind(stmt *sqlite.Stmt, i int) {
	d := w.docs
	l := &d.Lineage[i]
	stmt.BindText(paramID, d.IDs[i])
	stmt.BindText(paramState, d.States[i])
	stmt.BindInt64(paramDetected, d.Detected[i])
	stmt.BindInt64(paramTotal, l.Total)
	stmt.BindInt64(paramStep, int64(d.Positions[i].Step))
	stmt.BindInt64(paramOrdinal, int64(d.Positions[i].Ordinal))
	if l.Total == 0 { // made of no events, or lineage is off
		stmt.BindNull(paramFirst)
		stmt.BindNull(paramLast)
	} else {
		stmt.BindInt64(paramFirst, l.First)
		stmt.BindInt64(paramLast, l.Last)
		if !w.any {
			w.first, w.last, w.any = l.First, l.Last, true
		}
		w.first, w.last = min(w.first, l.First), max(w.last, l.Last)
	}
	w.buf = w.ents.append(w.buf[:0], w.object.groups, d.Cols, i)
	stmt.BindText(paramEntities, unsafeString(w.buf))
	w.buf = appendEvents(w.buf[:0], l)
	stmt.BindText(paramEvents, unsafeString(w.buf))
	for k := range w.object.user {
		w.buf = w.object.columns[k].bind(stmt, paramColumns+k, d.Cols[k], i, w.buf)
	}
	stmt.BindInt64(paramColumns+w.object.user, w.next)
}

// count brings the numbers in the object's schema document up to date.
func (w *applier) count(conn *sqlite.Conn) error {
	doc, err := readDocument(conn, w.object.number)
	if err != nil || doc == nil {
		return err
	}
	doc.Documents += w.added
	if w.any {
		doc.FirstSeen = seen(doc.FirstSeen, w.first, func(a, b int64) bool { return a < b })
		doc.LastSeen = seen(doc.LastSeen, w.last, func(a, b int64) bool { return a > b })
	}
	return writeDocument(conn, doc)
}

// seen is the time t as ISO 8601, or the one that is there if t does not go beyond it.
func seen(there *string, t int64, beyond func(a, b int64) bool) *string {
	if there != nil {
		if old, _, ok := types.ParseTimestampISO([]byte(*there)); ok && !beyond(t, old) {
			return there
		}
	}
	iso := string(bytes.Trim(types.AppendJSON(nil, &types.Vec{Type: types.T(types.Timestamptz), I: []int64{t}}, 0), `"`))
	return &iso
}
