package planner

import (
	"slices"

	"rhumb/expr"
	"rhumb/parser"
	"rhumb/types"
)

// selection is one SELECT core being bound.
type selection struct {
	b     *binder
	q     *parser.Select
	sh    shape
	in    Node // FROM and WHERE, and the window of GROUP BY TUMBLE
	items []item
	s     *scope // of the select list, HAVING and ORDER BY
	g     *grouping
	// Of the select list, then what only ORDER BY needs:
	exprs   []expr.Expr
	fields  []types.Field
	visible int
	unnests []unnesting
	having  expr.Expr
	order   []expr.SortKey // over exprs
}

// item is a member of the select list after stars are expanded.
type item struct {
	e     parser.Expr // nil: column col of the input
	col   int
	name  string // of the result's column
	alias string // as written; "" = none
	pos   int
}

// query binds a query: SELECT, VALUES or a set operation, with WITH, ORDER BY and LIMIT.
func (b *binder) query(q *parser.Select, sh shape) (Node, error) {
	if err := b.refuse(q, sh); err != nil {
		return nil, err
	}
	outer := b.ctes
	defer func() { b.ctes = outer }()
	own, err := b.with(q)
	if err != nil {
		return nil, err
	}
	var n Node
	switch {
	case q.SetOp != "":
		n, err = b.setOperation(q, sh)
	case q.Values != nil:
		n, err = b.values(q, sh)
	default:
		n, err = b.selectCore(q, sh)
	}
	if err != nil {
		return nil, err
	}
	return n, b.checkUnused(own)
}

// with makes the members of WITH visible.
func (b *binder) with(q *parser.Select) ([]*cte, error) {
	var own []*cte
	for _, c := range q.With {
		if slices.ContainsFunc(own, func(o *cte) bool { return o.name.Name == c.Name.Name }) {
			return nil, types.Errorf("42712", "WITH query name %q specified more than once", c.Name.Name).At(c.Name.Pos)
		}
		m := &cte{name: c.Name, columns: c.Columns, query: c.Query, sees: slices.Clone(b.ctes)}
		own = append(own, m)
		b.ctes = append(slices.Clone(b.ctes), m)
	}
	return own, nil
}

// checkUnused binds the members of WITH that nothing refers to, for their faults.
func (b *binder) checkUnused(own []*cte) error {
	for _, c := range own {
		if c.used {
			continue
		}
		b.ctes = c.sees
		if _, err := b.query(c.query, shape{}); err != nil {
			return err
		}
	}
	return nil
}

// selectCore binds SELECT ... FROM ... WHERE ... GROUP BY ... HAVING, and its ORDER BY and LIMIT.
func (b *binder) selectCore(q *parser.Select, sh shape) (Node, error) {
	s := &selection{b: b, q: q, sh: sh}
	steps := []func() error{s.bindInput, s.expandItems, s.bindGroup, s.bindItems, s.bindOrder, s.applyGroup}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return s.finish()
}

// bindInput binds FROM and WHERE.
func (s *selection) bindInput() error {
	// The input is all that is above the output only if this SELECT does nothing but project.
	inner := shape{top: s.sh.top && s.q.Where == nil && len(s.q.GroupBy) == 0 && s.q.Having == nil && !aggregates(s.q)}
	var err error
	if s.in, err = s.b.from(s.q.From, inner); err != nil {
		return types.AsError(err).At(s.q.Pos)
	}
	if s.q.Where == nil {
		return nil
	}
	pred, err := s.b.scope(s.in.Props().Schema, "WHERE").condition(s.q.Where, "WHERE")
	if err != nil {
		return err
	}
	s.in, err = s.b.filter(s.in, pred, s.q.Where.Position())
	return err
}

// aggregates reports whether the select list calls an aggregate or unnests.
func aggregates(q *parser.Select) bool {
	found := false
	for _, it := range q.Items {
		parser.Walk(it.Expr, func(e parser.Expr) bool {
			if c, ok := e.(*parser.Call); ok && len(c.Name) > 0 {
				name := c.Name[len(c.Name)-1].Name
				found = found || expr.IsAggregate(name) || expr.IsSetReturning(name)
			}
			return !found
		})
	}
	return found
}

// expandItems lists the select list with its stars expanded.
func (s *selection) expandItems() error {
	schema := s.in.Props().Schema
	for _, it := range s.q.Items {
		r, ok := it.Expr.(*parser.ColumnRef)
		if !ok || !r.Star {
			m := item{e: it.Expr, name: figureName(it.Expr), pos: it.Pos}
			if it.Alias != nil {
				m.name, m.alias = it.Alias.Name, it.Alias.Name
			}
			s.items = append(s.items, m)
			continue
		}
		if err := s.expandStar(r, schema); err != nil {
			return err
		}
	}
	if len(s.items) == 0 {
		return types.Errorf(types.CodeSyntax, "SELECT without columns").At(s.q.Pos).WithHint("Name columns, or write *.")
	}
	if len(s.items) > maxColumns {
		return types.Errorf(types.CodeProgramLimit, "target lists can have at most %d entries", maxColumns).At(s.q.Pos)
	}
	return nil
}

func (s *selection) expandStar(r *parser.ColumnRef, schema types.Schema) error {
	qualifier := ""
	if len(r.Parts) > 0 {
		qualifier = r.Parts[len(r.Parts)-1].Name
	}
	found := false
	for i, f := range schema {
		if qualifier != "" && f.Qualifier != qualifier {
			continue
		}
		found = true
		if !f.Hidden {
			s.items = append(s.items, item{col: i, name: f.Name, pos: r.Pos})
		}
	}
	switch {
	case found:
		return nil
	case qualifier != "":
		sc := s.b.scope(schema, "SELECT")
		return sc.unknownQualifier(r, "*", qualifier)
	}
	return types.Errorf(types.CodeSyntax, "SELECT * with no tables specified is not valid").At(r.Pos)
}

// bindGroup binds GROUP BY. After it the input does not change.
func (s *selection) bindGroup() error {
	s.g = &grouping{window: s.b.windowsOf(s.in)}
	if err := s.bindKeys(); err != nil {
		return err
	}
	s.s = s.b.scope(s.in.Props().Schema, "SELECT")
	s.s.group, s.s.unnests = s.g, &s.unnests
	return nil
}

// bindItems binds the select list and HAVING.
func (s *selection) bindItems() error {
	for _, it := range s.items {
		x, err := s.bindItem(it)
		if err != nil {
			return err
		}
		s.exprs = append(s.exprs, x)
		s.fields = append(s.fields, types.Field{Name: it.name})
	}
	s.visible = len(s.exprs)
	if s.q.Having == nil {
		return nil
	}
	in := *s.s
	in.unnests, in.clause = nil, "HAVING"
	var err error
	s.having, err = in.condition(s.q.Having, "HAVING")
	return err
}

func (s *selection) bindItem(it item) (expr.Expr, error) {
	if it.e == nil {
		return s.s.at(it.col, it.pos), nil
	}
	x, err := s.s.expr(it.e)
	if err != nil || x.Type().Kind != types.Unknown || s.sh.keepUnknown {
		return x, err
	}
	return expr.Coerce(x, types.T(types.Text), it.pos)
}

// grouped reports whether the SELECT aggregates.
func (s *selection) grouped() bool {
	return len(s.g.keys) > 0 || len(s.g.aggs) > 0 || s.having != nil
}

// applyGroup puts the Aggregate and HAVING over the input and rewrites what was bound to its columns.
func (s *selection) applyGroup() error {
	if !s.grouped() {
		return nil
	}
	all := slices.Clone(s.exprs)
	for _, u := range s.unnests {
		all = append(all, u.array)
	}
	if s.having != nil {
		all = append(all, s.having)
	}
	for i, x := range all {
		var err error
		if all[i], err = s.regroup(x); err != nil {
			return err
		}
	}
	agg, err := s.aggregateNode()
	if err != nil {
		return err
	}
	for i, x := range all {
		all[i] = s.g.settle(x)
	}
	copy(s.exprs, all)
	for i := range s.unnests {
		s.unnests[i].array = all[len(s.exprs)+i]
	}
	s.in = agg
	if s.having == nil {
		return nil
	}
	if agg.P.Mode == Upsert {
		return notYet(s.q.Having.Position(), "HAVING in a MATERIALIZED VIEW is", "Leave it out and filter when you search the view.")
	}
	s.in, err = s.b.filter(agg, all[len(all)-1], s.q.Having.Position())
	return err
}

// finish puts unnests, projection, DISTINCT, ORDER BY and LIMIT over the input.
func (s *selection) finish() (Node, error) {
	in, place, err := s.b.placeUnnests(s.in, s.unnests, s.q.Pos)
	if err != nil {
		return nil, err
	}
	for i := range s.exprs {
		s.exprs[i] = place(s.exprs[i])
		s.fields[i].Type = s.exprs[i].Type()
		s.fields[i].Entity = entityOf(s.exprs[i], in.Props().Schema)
	}
	var n Node = s.b.project(in, s.exprs, s.fields)
	if s.q.Distinct {
		n = &Distinct{Input: n, P: *n.Props()}
	}
	if n, err = s.b.sortLimit(n, s.order, s.q); err != nil || len(s.exprs) == s.visible {
		return n, err
	}
	// Take away what only ORDER BY needed.
	trimmed := make([]expr.Expr, s.visible)
	for i, f := range s.fields[:s.visible] {
		trimmed[i] = &expr.Column{Index: i, T: f.Type, Name: f.Name}
	}
	return s.b.project(n, trimmed, s.fields[:s.visible]), nil
}

// project puts a projection over a node. In a continuous query the columns that identify a row stay, hidden, also where the select list
// leaves them out.
func (b *binder) project(in Node, exprs []expr.Expr, fields []types.Field) *Project {
	ip := in.Props()
	n := &Project{Input: in, Exprs: slices.Clone(exprs)}
	n.P = Props{Schema: slices.Clone(types.Schema(fields)), Mode: ip.Mode, TimeCol: -1, Watermark: ip.Watermark}
	place := func(col int) int {
		return slices.IndexFunc(n.Exprs, func(e expr.Expr) bool {
			c, ok := e.(*expr.Column)
			return ok && c.Index == col
		})
	}
	n.P.ID.Origin = ip.ID.Origin
	for _, col := range ip.ID.Cols {
		at := place(col)
		if at < 0 {
			at = len(n.Exprs)
			f := ip.Schema[col]
			n.Exprs = append(n.Exprs, &expr.Column{Index: col, T: f.Type, Name: f.Name})
			n.P.Schema = append(n.P.Schema, types.Field{Type: f.Type, Hidden: true})
		}
		n.P.ID.Cols = append(n.P.ID.Cols, at)
	}
	if ip.TimeCol >= 0 {
		n.P.TimeCol = place(ip.TimeCol)
	}
	if w := b.windowsOf(in); w.any() {
		b.windows[n] = windowCols{place(w.start), place(w.end), place(w.time)}
	}
	return n
}

// unnamed is the name of a column that has none, as in Postgres.
const unnamed = "?column?"

// figureName is the name that Postgres gives to a column without an alias.
func figureName(e parser.Expr) string {
	switch e := e.(type) {
	case *parser.ColumnRef:
		return e.Parts[len(e.Parts)-1].Name
	case *parser.Call:
		return e.Name[len(e.Name)-1].Name
	case *parser.Cast:
		if n := figureName(e.Arg); n != unnamed {
			return n
		}
		return typeColumnName(e.Type.Type)
	case *parser.TypedLiteral:
		return typeColumnName(e.Type.Type)
	case *parser.Case:
		if e.Else != nil {
			if n := figureName(e.Else); n != unnamed {
				return n
			}
		}
		return "case"
	case *parser.ArrayLit:
		return "array"
	case *parser.Subscript:
		return figureName(e.Arg)
	case *parser.Literal:
		if e.Kind == types.Bool && !e.Null {
			return "bool"
		}
	case *parser.Row:
		return "row"
	}
	return unnamed
}

// typeColumnName is pg_type's name of a type, which names columns that are casts of constants.
func typeColumnName(t types.Type) string {
	if t.Kind == types.Array {
		return typeColumnName(types.T(t.Elem))
	}
	if n, ok := map[types.Kind]string{types.Int2: "int2", types.Int4: "int4", types.Int8: "int8", types.Float4: "float4", types.Float8: "float8",
		types.Bool: "bool", types.Timestamp: "timestamp", types.Timestamptz: "timestamptz", types.Time: "time"}[t.Kind]; ok {
		return n
	}
	if t.Kind == types.Text && t.Mod > 0 {
		return "varchar"
	}
	return t.Base().String()
}
