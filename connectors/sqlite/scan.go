package sqlite

import (
	"context"
	"fmt"
	"strings"

	"zombiezen.com/go/sqlite"

	"rhumb/connectors"
	"rhumb/types"
)

const (
	batchRows  = 1024
	batchBytes = 4 << 20 // of strings; documents of a megabyte come a few at a time
	maxInList  = 1000    // values of a pushed-down IN; SQLite allows some 32,000 parameters in all
)

// The operators of conditions, in SQL.
var (
	comparisons = map[string]bool{"=": true, "<>": true, "<": true, "<=": true, ">": true, ">=": true}
	nullTests   = map[string]string{"is null": " IS NULL", "is not null": " IS NOT NULL"}
)

// Supports reports whether SQLite decides the condition as Rhumb's kernels do.
func (s *Store) Supports(number uint32, c connectors.Cond) bool {
	o, err := s.object(number)
	return err == nil && supports(o, c)
}

func supports(o *object, c connectors.Cond) bool {
	i, ok := o.byName[c.Column]
	if !ok {
		return false
	}
	col := &o.columns[i]
	if nullTests[c.Op] != "" {
		return len(c.Values) == 0
	}
	for _, v := range c.Values {
		if v.Null || !comparable(col.typ, v.Type) {
			return false
		}
	}
	switch c.Op {
	case "=", "<>":
		return col.equal && len(c.Values) == 1
	case "in":
		return col.equal && len(c.Values) > 0 && len(c.Values) <= maxInList
	}
	return comparisons[c.Op] && col.ordered && len(c.Values) == 1
}

// comparable reports whether values of b are those of a, so that they are stored alike.
func comparable(a, b types.Type) bool {
	return a.Kind == b.Kind && a.Elem == b.Elem || a.IsInt() && b.IsInt() || a.IsFloat() && b.IsFloat()
}

// SupportsOrder reports whether SQLite orders as Rhumb does.
func (s *Store) SupportsOrder(number uint32, order []connectors.Order) bool {
	o, err := s.object(number)
	if err != nil {
		return false
	}
	for _, by := range order {
		if i, ok := o.byName[by.Column]; !ok || !o.columns[i].ordered {
			return false
		}
	}
	return true
}

// query is a scan as a statement.
type query struct {
	sql     strings.Builder
	object  *object
	columns []*column // of the result
	params  []param
}

// param is a parameter: a value of a column, or a number.
type param struct {
	col   *column // nil: the number value.I
	value types.Value
}

func (q *query) column(name string) (*column, error) {
	if i, ok := q.object.byName[name]; ok {
		return &q.object.columns[i], nil
	}
	names := make([]string, len(q.object.columns))
	for i, c := range q.object.columns {
		names[i] = c.name
	}
	err := types.Errorf(types.CodeUndefinedColumn, "column %q does not exist in the documents of object %d", name, q.object.number)
	if near := types.Suggest(name, names); near != "" {
		err = err.WithHint("Did you mean %q?", near)
	}
	return nil, err
}

// newQuery writes the statement. Conditions and order must be supported: a store must not give almost the right rows.
func newQuery(o *object, sc connectors.Scan) (*query, error) {
	q := &query{object: o}
	q.sql.WriteString("SELECT ")
	for i, name := range sc.Columns {
		c, err := q.column(name)
		if err != nil {
			return nil, err
		}
		q.columns = append(q.columns, c)
		if i > 0 {
			q.sql.WriteString(", ")
		}
		q.sql.WriteString(c.sql)
	}
	if len(sc.Columns) == 0 {
		q.sql.WriteString("1")
	}
	q.sql.WriteString(" FROM " + o.table)
	for i, c := range sc.Where {
		q.sql.WriteString([]string{" WHERE ", " AND "}[min(i, 1)])
		if err := q.condition(c); err != nil {
			return nil, err
		}
	}
	for i, by := range sc.OrderBy {
		q.sql.WriteString([]string{" ORDER BY ", ", "}[min(i, 1)])
		if err := q.order(by); err != nil {
			return nil, err
		}
	}
	if sc.Limit >= 0 || sc.Offset > 0 {
		q.sql.WriteString(" LIMIT ? OFFSET ?")
		q.params = append(q.params, param{value: types.Value{I: sc.Limit}}, param{value: types.Value{I: sc.Offset}})
	}
	return q, nil
}

func (q *query) condition(c connectors.Cond) error {
	col, err := q.column(c.Column)
	if err != nil {
		return err
	}
	if !supports(q.object, c) {
		return types.Errorf(types.CodeNotSupported, "the embedded store does not evaluate %q %s on %s", c.Column, c.Op, col.typ).
			WithHint("BUG: a condition was pushed down without asking Supports.")
	}
	if test := nullTests[c.Op]; test != "" {
		q.sql.WriteString(col.sql + test)
		return nil
	}
	for _, v := range c.Values {
		q.params = append(q.params, param{col: col, value: v})
	}
	collate := collation(col)
	if col.form == asPrinted && (c.Op == "=" || c.Op == "<>" || c.Op == "in") {
		collate = "" // a value has one spelling, so that the index, which is by bytes, serves
	}
	if c.Op == "in" {
		fmt.Fprintf(&q.sql, "%s%s IN (?%s)", col.sql, collate, strings.Repeat(", ?", len(c.Values)-1))
	} else {
		fmt.Fprintf(&q.sql, "%s%s %s ?", col.sql, collate, c.Op)
	}
	return nil
}

func (q *query) order(by connectors.Order) error {
	col, err := q.column(by.Column)
	if err != nil {
		return err
	}
	if !col.ordered {
		return types.Errorf(types.CodeNotSupported, "the embedded store does not order by %s", col.typ).
			WithHint("BUG: an order was pushed down without asking SupportsOrder.")
	}
	q.sql.WriteString(col.sql + collation(col))
	if by.Desc {
		q.sql.WriteString(" DESC")
	}
	if by.NullsFirst {
		q.sql.WriteString(" NULLS FIRST")
	} else {
		q.sql.WriteString(" NULLS LAST")
	}
	return nil
}

func collation(c *column) string {
	if c.collate == "" {
		return ""
	}
	return " COLLATE " + c.collate
}

// bind sets the parameters.
func (q *query) bind(stmt *sqlite.Stmt) {
	var buf []byte
	for i, p := range q.params {
		if p.col == nil {
			stmt.BindInt64(i+1, p.value.I)
			continue
		}
		v := types.NewVec(p.col.typ, 1)
		v.AppendValue(p.value)
		buf = p.col.bind(stmt, i+1, v, 0, buf)
	}
}

// Scan reads the documents as they are when it begins; what is written meanwhile does not show.
func (s *Store) Scan(ctx context.Context, number uint32, sc connectors.Scan, fn func(*types.Batch) error) error {
	conn, err := s.reader(ctx)
	if err != nil {
		return err
	}
	defer s.done(conn)
	o, err := s.object(number)
	if err != nil {
		return err
	}
	q, err := newQuery(o, sc)
	if err != nil {
		return err
	}
	var stop error // of fn: it goes back as it is
	stmt, _, err := conn.PrepareTransient(q.sql.String())
	if err == nil {
		defer stmt.Finalize()
		q.bind(stmt)
		err = s.stream(stmt, q, func(b *types.Batch) error {
			stop = fn(b)
			return stop
		})
	}
	switch {
	case err == nil || stop != nil:
		return stop
	case ctx.Err() != nil:
		return canceled(ctx)
	case s.replaced(o):
		return types.Errorf(types.CodeNotInPrerequisite, "the documents of object %d were defined anew while they were read", number).
			WithHint("Run the search again.")
	}
	return s.fault("reading documents", err)
}

// replaced reports whether o is no longer the definition in force.
func (s *Store) replaced(o *object) bool {
	now, err := s.object(o.number)
	return err != nil || now != o
}

// stream reads the result and hands it out in batches.
func (s *Store) stream(stmt *sqlite.Stmt, q *query, fn func(*types.Batch) error) error {
	s.mu.Lock()
	topics := s.topics
	s.mu.Unlock()
	b := types.Batch{Cols: make([]*types.Vec, len(q.columns))}
	for i, c := range q.columns {
		b.Cols[i] = types.NewVec(c.typ, 0)
	}
	for {
		more, err := stmt.Step()
		if err != nil {
			return err
		}
		if more {
			for i, c := range q.columns {
				if !c.read(stmt, i, b.Cols[i], topics) {
					return s.damaged(q.object, c.name, stmt.ColumnText(i))
				}
			}
			b.N++
		}
		if b.N > 0 && (!more || b.N == batchRows || stringBytes(b.Cols) > batchBytes) {
			if err := fn(&b); err != nil {
				return err
			}
			b.N = 0
			for i, c := range q.columns {
				b.Cols[i].Reset(c.typ)
			}
		}
		if !more {
			return nil
		}
	}
}

func stringBytes(cols []*types.Vec) (n int) {
	for _, v := range cols {
		n += len(v.Buf)
	}
	return n
}
