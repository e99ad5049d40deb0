package planner

import (
	"slices"
	"strings"

	"rhumb/catalog"
	"rhumb/expr"
	"rhumb/parser"
	"rhumb/types"
)

// grouping is the GROUP BY of a SELECT: keys over its input, and the aggregates that its clauses call.
type grouping struct {
	window windowCols   // of the input
	tumble *parser.Call // GROUP BY TUMBLE(...)
	keys   []expr.Expr
	fields []types.Field // of the keys
	aggs   []*expr.AggCall
}

// add takes in an aggregate, once, and returns what stands for its result.
func (g *grouping) add(a *expr.AggCall) expr.Expr {
	i := slices.IndexFunc(g.aggs, func(x *expr.AggCall) bool { return sameAgg(x, a) })
	if i < 0 {
		i = len(g.aggs)
		g.aggs = append(g.aggs, a)
	}
	return &expr.Column{Index: aggBase + i, T: a.T, Name: a.String()}
}

func sameAgg(a, b *expr.AggCall) bool {
	sameFilter := a.Filter == nil && b.Filter == nil || a.Filter != nil && b.Filter != nil && expr.Equal(a.Filter, b.Filter)
	return a.Func.Name == b.Func.Name && a.T == b.T && a.Distinct == b.Distinct && sameFilter && slices.EqualFunc(a.Args, b.Args, expr.Equal) &&
		slices.EqualFunc(a.OrderBy, b.OrderBy, func(x, y expr.SortKey) bool {
			return x.Desc == y.Desc && x.NullsFirst == y.NullsFirst && expr.Equal(x.Expr, y.Expr)
		})
}

// key takes in a key, once, and returns its number.
func (g *grouping) key(e expr.Expr, schema types.Schema) int {
	if i := slices.IndexFunc(g.keys, func(k expr.Expr) bool { return expr.Equal(k, e) }); i >= 0 {
		return i
	}
	f := types.Field{Name: computedName(e), Type: e.Type(), Entity: entityOf(e, schema)}
	if c, ok := e.(*expr.Column); ok {
		f = schema[c.Index]
	}
	g.keys = append(g.keys, e)
	g.fields = append(g.fields, f)
	return len(g.keys) - 1
}

// computedName is the name, for EXPLAIN only, of a column that an expression computes. It holds a parenthesis, by which EXPLAIN knows it.
func computedName(e expr.Expr) string {
	if c, ok := e.(*expr.Column); ok {
		return c.Name
	}
	s := e.String()
	if !strings.Contains(s, "(") {
		s = "(" + s + ")"
	}
	return s
}

// windowKey reports whether a key is a bound of a window.
func (g *grouping) windowKey() bool {
	return slices.ContainsFunc(g.keys, func(k expr.Expr) bool { return g.isWindowCol(k) })
}

func (g *grouping) isWindowCol(e expr.Expr) bool {
	c, ok := e.(*expr.Column)
	return ok && g.window.has(c.Index)
}

// bindKeys binds GROUP BY: ordinals, aliases of the select list, expressions, TUMBLE(...).
func (s *selection) bindKeys() error {
	keys := flattenRows(s.q.GroupBy)
	for _, k := range keys {
		if c, ok := k.(*parser.Call); ok && len(c.Name) == 1 && windowFunctions[c.Name[0].Name] {
			if err := s.groupWindow(c); err != nil {
				return err
			}
		}
	}
	sc := s.b.scope(s.in.Props().Schema, "GROUP BY")
	for _, k := range keys {
		if c, ok := k.(*parser.Call); ok && c == s.g.tumble {
			s.g.key(s.windowColumn(s.g.window.start), sc.schema)
			s.g.key(s.windowColumn(s.g.window.end), sc.schema)
			continue
		}
		x, err := s.groupKey(sc, k)
		if err != nil {
			return err
		}
		if x.Type().Kind == types.Unknown {
			if x, err = expr.Coerce(x, types.T(types.Text), k.Position()); err != nil {
				return err
			}
		}
		s.g.key(x, sc.schema)
	}
	return nil
}

func (s *selection) windowColumn(i int) *expr.Column {
	f := s.in.Props().Schema[i]
	return &expr.Column{Index: i, T: f.Type, Name: f.Name}
}

// flattenRows is GROUP BY (a, b), c as a, b, c.
func flattenRows(keys []parser.Expr) []parser.Expr {
	var out []parser.Expr
	for _, k := range keys {
		if r, ok := k.(*parser.Row); ok {
			out = append(out, flattenRows(r.Elems)...)
		} else {
			out = append(out, k)
		}
	}
	return out
}

// groupWindow puts the window of GROUP BY TUMBLE(ts, size [, offset]) over the input.
func (s *selection) groupWindow(c *parser.Call) error {
	name := c.Name[0].Name
	switch {
	case name != "tumble":
		_, err := s.b.scope(s.in.Props().Schema, "GROUP BY").windowBound(name, c)
		return err
	case s.g.tumble != nil:
		return types.Errorf(types.CodeWindowing, "only one window may be grouped by").At(c.Pos)
	case len(c.Args) < 2 || len(c.Args) > 3:
		return types.Errorf(types.CodeSyntax, "TUMBLE takes a time column, a size, and possibly an offset").At(c.Pos).
			WithHint("GROUP BY TUMBLE(ts, INTERVAL '1 minute')")
	}
	in, err := s.b.tumble(s.in, c.Args, c.Pos)
	if err != nil {
		return err
	}
	s.in, s.g.tumble, s.g.window = in, c, s.b.windowsOf(in)
	return nil
}

func (s *selection) groupKey(sc *scope, k parser.Expr) (expr.Expr, error) {
	switch k := k.(type) {
	case *parser.Literal:
		it, err := s.ordinal(k, "GROUP BY")
		if err != nil {
			return nil, err
		}
		return s.itemKey(sc, it)
	case *parser.Call:
		if n := k.Name[len(k.Name)-1].Name; n == "rollup" || n == "cube" || n == "grouping" {
			return nil, notYet(k.Pos, strings.ToUpper(n)+" is", "Write one query for each set of keys and join them by UNION ALL.")
		}
	case *parser.ColumnRef:
		// As in Postgres, a column of the input goes before an alias of the select list.
		name, qualifier := "", ""
		if len(k.Parts) > 0 {
			var id parser.Ident
			id, qualifier = splitRef(k)
			name = id.Name
		}
		if i, err := sc.find(name, qualifier, k); err == nil && i < 0 && qualifier == "" {
			for _, it := range s.items {
				if it.alias == name && it.e != nil {
					return s.itemKey(sc, it)
				}
			}
		}
	}
	return sc.expr(k)
}

// itemKey binds a member of the select list as a key.
func (s *selection) itemKey(sc *scope, it item) (expr.Expr, error) {
	if it.e == nil {
		return sc.at(it.col, it.pos), nil
	}
	if c, ok := it.e.(*parser.Call); ok && len(c.Name) == 1 && windowFunctions[c.Name[0].Name] && s.g.tumble != nil {
		in := *sc
		in.group = s.g
		return in.windowBound(c.Name[0].Name, c)
	}
	return sc.expr(it.e)
}

// regroup replaces, in an expression over the input, what is a key by the key; what is then left of the input is an error. Bounds
// of a window depend on each other, so one of them as a key brings the others.
func (s *selection) regroup(e expr.Expr) (expr.Expr, error) {
	g := s.g
	out := expr.Map(e, func(x expr.Expr) expr.Expr {
		if i := slices.IndexFunc(g.keys, func(k expr.Expr) bool { return expr.Equal(k, x) }); i >= 0 {
			return keyColumn(i, x.Type(), g.fields[i].Name)
		}
		return x
	})
	var fault error
	out = mapColumns(out, func(c *expr.Column) expr.Expr {
		if c.Index >= aggBase {
			return c
		}
		if g.window.has(c.Index) && g.windowKey() {
			return keyColumn(g.key(c, s.in.Props().Schema), c.T, c.Name)
		}
		if fault == nil {
			fault = s.ungrouped(c)
		}
		return c
	})
	return out, fault
}

func keyColumn(i int, t types.Type, name string) *expr.Column {
	return &expr.Column{Index: keyBase + i, T: t, Name: name}
}

func (s *selection) ungrouped(c *expr.Column) error {
	f := s.in.Props().Schema[c.Index]
	name := f.Name
	if f.Qualifier != "" {
		name = f.Qualifier + "." + name
	}
	e := types.Errorf(types.CodeGrouping, "column %q must appear in the GROUP BY clause or be used in an aggregate function", name).
		At(s.s.refs[c.Index])
	if s.g.window.has(c.Index) {
		return e.WithHint("Add window_start, window_end to GROUP BY.")
	}
	return e.WithHint("Add it to GROUP BY, or take one value of the group: min(%s), first(%s).", parser.Quote(f.Name), parser.Quote(f.Name))
}

// settle gives the places in the aggregate's schema to what stood for keys and aggregates. Unnested elements keep their stand-ins.
func (g *grouping) settle(e expr.Expr) expr.Expr {
	return mapColumns(e, func(c *expr.Column) expr.Expr {
		switch {
		case c.Index >= unnestCol:
			return c
		case c.Index >= keyBase:
			return &expr.Column{Index: c.Index - keyBase, T: c.T, Name: c.Name}
		}
		return &expr.Column{Index: len(g.keys) + c.Index - aggBase, T: c.T, Name: c.Name}
	})
}

// aggregateNode puts the Aggregate over the selection's input.
func (s *selection) aggregateNode() (*Aggregate, error) {
	b, g := s.b, s.g
	pos := s.groupPos()
	if err := appendOnly(s.in, "an aggregation", pos); err != nil {
		return nil, err
	}
	in := s.in.Props()
	n := &Aggregate{Input: s.in, WindowStart: -1, WindowEnd: -1}
	n.P = Props{TimeCol: -1, Watermark: in.Watermark}
	topOfView := b.kind == catalog.MatView && s.sh.top
	if b.env.Continuous && g.windowKey() && !topOfView {
		n.Windowed = true
		g.key(s.windowColumn(g.window.start), in.Schema)
	} else if b.env.Continuous {
		if err := s.globalAllowed(pos); err != nil {
			return nil, err
		}
		n.P.Mode = Upsert
	}
	n.Keys, n.Aggs = g.keys, g.aggs
	n.P.Schema = append(types.Schema(nil), g.fields...)
	for _, a := range g.aggs {
		n.P.Schema = append(n.P.Schema, types.Field{Name: a.String(), Type: a.T, Entity: aggEntity(a, in.Schema)})
	}
	s.placeWindowKeys(n)
	return n, nil
}

// placeWindowKeys finds the window's bounds among the keys, and says what a row of the aggregate is: its key and window. The end and
// the time of a window follow from its start.
func (s *selection) placeWindowKeys(n *Aggregate) {
	w := noWindow
	for i, k := range n.Keys {
		if c, ok := k.(*expr.Column); ok {
			switch c.Index {
			case s.g.window.start:
				w.start = i
			case s.g.window.end:
				w.end = i
			case s.g.window.time:
				w.time = i
			}
		}
	}
	for i := range n.Keys {
		if s.b.env.Continuous && (!n.Windowed || i != w.end && i != w.time) {
			n.P.ID.Cols = append(n.P.ID.Cols, i)
		}
	}
	s.b.windows[n] = w
	if !n.Windowed {
		return
	}
	n.WindowStart, n.WindowEnd = w.start, w.end
	n.P.TimeCol = w.time
	if w.time < 0 {
		n.P.TimeCol = w.end
	}
}

// globalAllowed refuses an aggregation without a window where its rows would never be final.
func (s *selection) globalAllowed(pos int) error {
	if s.b.kind == catalog.MatView {
		return nil
	}
	e := types.Errorf(types.CodeNotSupported, "an aggregation over an endless stream needs a window").At(pos)
	if s.g.window.any() {
		return e.WithHint("Add window_start, window_end to GROUP BY.")
	}
	return e.WithHint("Read FROM TUMBLE(stream, time column, INTERVAL '1 minute') and add window_start, window_end to GROUP BY; " +
		"or create a MATERIALIZED VIEW, which keeps one row per key for ever. EMIT CHANGES is not supported yet.")
}

// groupPos is where the grouping begins in the statement.
func (s *selection) groupPos() int {
	if len(s.q.GroupBy) > 0 {
		return s.q.GroupBy[0].Position()
	}
	if len(s.g.aggs) > 0 {
		return s.g.aggs[0].Pos
	}
	return s.q.Pos
}

// entityOf is the kind of entity that an expression yields.
func entityOf(e expr.Expr, s types.Schema) string {
	if c, ok := e.(*expr.Column); ok && c.Index < len(s) {
		return s[c.Index].Entity
	}
	if e.Type().Kind == types.Inet {
		return "ip"
	}
	return ""
}

// aggEntity is the kind of entity that an aggregate yields: one of its argument's values (min, max, first, arg_min).
func aggEntity(a *expr.AggCall, s types.Schema) string {
	if len(a.Args) == 0 || a.Args[0].Type() != a.T {
		return ""
	}
	return entityOf(a.Args[0], s)
}
