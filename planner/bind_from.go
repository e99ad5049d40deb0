package planner

import (
	"slices"
	"strings"

	"rhumb/catalog"
	"rhumb/expr"
	"rhumb/parser"
	"rhumb/types"
)

// cte is a member of WITH. It is bound anew at each reference.
type cte struct {
	name    parser.Ident
	columns []parser.Ident
	query   *parser.Select
	sees    []*cte // the members before it
	used    bool
}

// from binds a FROM list: one relation, and set-returning functions of what stands before them.
func (b *binder) from(items []parser.TableExpr, sh shape) (Node, error) {
	if len(items) == 0 {
		if b.env.Continuous {
			return nil, types.Errorf(types.CodeNotSupported, "a continuous query needs a stream to read").
				WithHint("Name one in FROM.")
		}
		return oneRow(), nil
	}
	sh.top = sh.top && len(items) == 1
	var n Node
	for _, t := range items {
		var err error
		if n, err = b.table(n, t, sh); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// oneRow is the input of a SELECT without FROM.
func oneRow() Node { return &Values{Rows: [][]expr.Expr{{}}, P: Props{TimeCol: -1}} }

// table binds a member of FROM; left is what stands before it, nil if it is the first.
func (b *binder) table(left Node, t parser.TableExpr, sh shape) (Node, error) {
	if f, ok := t.(*parser.TableFunc); ok && expr.IsSetReturning(f.Name.Name) {
		return b.unnestFrom(left, f)
	}
	if left != nil {
		return nil, joinNotYet(t.Position())
	}
	switch t := t.(type) {
	case *parser.TableRef:
		return b.tableRef(t, sh)
	case *parser.DerivedTable:
		n, err := b.query(t.Query, shape{top: sh.top})
		if err != nil {
			return nil, err
		}
		return n, b.alias(n, "", t.Alias, t.Pos)
	case *parser.TableFunc:
		return b.tableFunc(t)
	case *parser.Join:
		return b.join(t, sh)
	}
	return nil, types.Errorf(types.CodeInternal, "BUG: no binding for %T", t)
}

func joinNotYet(pos int) error {
	return notYet(pos, "joins of two relations are", "Joins come next. UNION ALL puts the rows of streams one after the other; FROM s, unnest(array) works.")
}

// join binds the one join there is: with a set-returning function of the left side's rows.
func (b *binder) join(j *parser.Join, sh shape) (Node, error) {
	f, ok := j.R.(*parser.TableFunc)
	if !ok || !expr.IsSetReturning(f.Name.Name) || len(j.Using) > 0 {
		return nil, joinNotYet(j.Pos)
	}
	if j.Kind != "cross" && j.Kind != "inner" {
		return nil, notYet(j.Pos, strings.ToUpper(j.Kind)+" JOIN with a function is", "CROSS JOIN unnest(...) leaves out the rows whose array is empty.")
	}
	sh.top = false
	n, err := b.table(nil, j.L, sh)
	if err != nil {
		return nil, err
	}
	if n, err = b.unnestFrom(n, f); err != nil || j.On == nil {
		return n, err
	}
	pred, err := b.scope(n.Props().Schema, "JOIN/ON").condition(j.On, "JOIN/ON")
	if err != nil {
		return nil, err
	}
	return b.filter(n, pred, j.On.Position())
}

// tableRef binds a name: a member of WITH, an object of the catalog, a table of the engine.
func (b *binder) tableRef(t *parser.TableRef, sh shape) (Node, error) {
	b.relations++
	if b.relations > maxRelations {
		return nil, types.Errorf(types.CodeTooComplex, "the query reaches more than %d relations through its views and WITH queries", maxRelations).At(t.Pos)
	}
	name, virtual := relationName(t.Name)
	if !virtual {
		for i := len(b.ctes) - 1; i >= 0; i-- {
			if b.ctes[i].name.Name == name && len(t.Name) == 1 {
				return b.expandCTE(b.ctes[i], t, sh)
			}
		}
		if o, ok := b.env.Catalog.Object(name); ok {
			return b.object(o, t, sh)
		}
	}
	if b.env.Virtual != nil {
		if o, ok := b.env.Virtual(name); ok {
			if b.env.Continuous {
				return nil, types.Errorf(types.CodeNotSupported, "a continuous query cannot read %s", name).At(t.Pos).
					WithHint("The tables of the engine can be searched with SELECT.")
			}
			return b.scan(o, Table, t)
		}
	}
	return nil, b.unknownRelation(name, t.Pos)
}

// relationName is the name to look up; virtual says that it can only be a table of the engine. The schema public is the catalog itself.
func relationName(parts []parser.Ident) (name string, virtual bool) {
	if len(parts) == 2 && parts[0].Name == "public" {
		parts = parts[1:]
	}
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.Name
	}
	return strings.Join(names, "."), len(parts) > 1
}

func (b *binder) unknownRelation(name string, pos int) error {
	e := types.Errorf(types.CodeUndefinedTable, "relation %q does not exist", name).At(pos)
	names := b.env.Catalog.Names()
	for _, c := range b.ctes {
		names = append(names, c.name.Name)
	}
	if b.env.Virtual != nil {
		names = append(names, catalog.VirtualNames()...)
	}
	if near := types.Suggest(name, names); near != "" {
		e.WithHint("Did you mean %q?", near)
	}
	return e
}

// object binds a reference to an object of the catalog.
func (b *binder) object(o *catalog.Object, t *parser.TableRef, sh shape) (Node, error) {
	b.deps[o.Number] = o.Version
	switch {
	case o.Kind == catalog.View:
		return b.expandView(o, t, sh)
	case o.Kind == catalog.Source:
		return b.scan(o, Log, t)
	case !b.env.Continuous:
		return b.scan(o, Store, t)
	case o.Kind == catalog.MatView:
		return nil, notYet(t.Pos, "reading a MATERIALIZED VIEW in a continuous query is",
			"Read the streams that it is made of; SELECT searches it.")
	}
	return b.scan(o, Log, t)
}

// scan reads an object. Its schema has all columns, and the system columns that the statement names.
func (b *binder) scan(o *catalog.Object, a Access, t *parser.TableRef) (Node, error) {
	qualifier := t.Name[len(t.Name)-1].Name
	s := &Scan{Object: o, Access: a, Limit: -1, P: Props{Schema: o.Schema(qualifier), TimeCol: -1}}
	for i := range o.Columns {
		s.Columns = append(s.Columns, i)
	}
	for _, f := range systemColumns(o, a) {
		if b.names[f.Name] {
			f.Qualifier = qualifier
			s.System = append(s.System, f.Name)
			s.P.Schema = append(s.P.Schema, f)
		}
	}
	if a == Log {
		s.P.Watermark, s.P.ID.Origin = b.env.Continuous, b.env.Continuous
		event := o.TimeColumn
		if event == "" {
			event = timestampColumn
		}
		s.P.TimeCol = slices.IndexFunc(s.P.Schema, func(f types.Field) bool { return f.Name == event })
	}
	return s, b.alias(s, qualifier, t.Alias, t.Pos)
}

// expandView binds a view's query in the place of its name.
func (b *binder) expandView(o *catalog.Object, t *parser.TableRef, sh shape) (Node, error) {
	if slices.Contains(b.views, o.Name) {
		return nil, types.Errorf(types.CodeInvalidDefinition, "view %q is defined by itself: %s", o.Name,
			strings.Join(append(slices.Clone(b.views), o.Name), " -> ")).At(t.Pos)
	}
	sel, err := ParseQuery(o.Query)
	if err != nil {
		return nil, inView(o.Name, t.Pos, err)
	}
	collectNames(sel, b.names)
	b.views = append(b.views, o.Name)
	ctes := b.ctes
	b.ctes = nil // a view sees nothing of the query that uses it
	n, err := b.query(sel, shape{top: sh.top})
	b.ctes = ctes
	b.views = b.views[:len(b.views)-1]
	if err != nil {
		return nil, inView(o.Name, t.Pos, err)
	}
	return n, b.alias(n, o.Name, t.Alias, t.Pos)
}

// ParseQuery parses the text of a query, such as catalog.Object.Query.
func ParseQuery(text string) (*parser.Select, error) {
	stmts, err := parser.Parse(text)
	if err != nil {
		return nil, err
	}
	if len(stmts) == 1 {
		if s, ok := stmts[0].Stmt.(*parser.SelectStmt); ok {
			return s.Query, nil
		}
	}
	return nil, types.Errorf(types.CodeSyntax, "not one query: %s", text)
}

// inView says that the fault is in a view's text, of which the statement shows only the name.
func inView(name string, pos int, err error) error {
	e := *types.AsError(err)
	e.Pos = pos
	e.Message = "in view \"" + name + "\": " + e.Message
	return &e
}

func (b *binder) expandCTE(c *cte, t *parser.TableRef, sh shape) (Node, error) {
	c.used = true
	ctes := b.ctes
	b.ctes = c.sees
	n, err := b.query(c.query, shape{top: sh.top})
	b.ctes = ctes
	if err != nil {
		return nil, err
	}
	if err := b.alias(n, c.name.Name, &parser.Alias{Name: c.name, Columns: c.columns}, t.Pos); err != nil || t.Alias == nil {
		return n, err
	}
	return n, b.alias(n, c.name.Name, t.Alias, t.Pos)
}

// alias names a relation and, if a list is given, its columns.
func (b *binder) alias(n Node, name string, a *parser.Alias, pos int) error {
	if a != nil {
		name = a.Name.Name
	}
	p := n.Props()
	p.Schema = slices.Clone(p.Schema)
	for i := range p.Schema {
		p.Schema[i].Qualifier = name
	}
	if a == nil || len(a.Columns) == 0 {
		return nil
	}
	given := a.Columns
	for i := range p.Schema {
		if len(given) > 0 && !p.Schema[i].Hidden {
			p.Schema[i].Name, given = given[0].Name, given[1:]
		}
	}
	if len(given) > 0 {
		return types.Errorf("42P10", "table %q has %d columns available but %d columns specified", name,
			len(a.Columns)-len(given), len(a.Columns)).At(given[0].Pos)
	}
	return nil
}

// filter puts a condition over a node.
func (b *binder) filter(n Node, pred expr.Expr, pos int) (Node, error) {
	if err := appendOnly(n, "a filter", pos); err != nil {
		return nil, err
	}
	f := &Filter{Input: n, Pred: pred, P: *n.Props()}
	b.windows[f] = b.windowsOf(n)
	return f, nil
}

func (b *binder) windowsOf(n Node) windowCols {
	if w, ok := b.windows[n]; ok {
		return w
	}
	return noWindow
}

// appendOnly refuses an input whose rows revise earlier ones.
func appendOnly(n Node, what string, pos int) error {
	if n.Props().Mode == Append {
		return nil
	}
	return notYet(pos, what+" over an aggregation without a window is", "Its rows revise earlier rows. Put the condition into the WHERE below it, aggregate over TUMBLE(...), or filter when you search.")
}
