package planner

import (
	"math"
	"strconv"
	"strings"

	"rhumb/expr"
	"rhumb/parser"
	"rhumb/types"
)

// refuse refuses the clauses that the place of a query does not allow.
func (b *binder) refuse(q *parser.Select, sh shape) error {
	switch {
	case len(q.On) > 0:
		return notYet(q.On[0].Position(), "DISTINCT ON is", "GROUP BY with first(...) or arg_min(...) takes one row of each group.")
	case q.Qualify != nil:
		return notYet(q.Qualify.Position(), "QUALIFY is", "It comes with window functions.")
	case q.Emit != nil && !b.env.Continuous:
		return notYet(q.Emit.Pos, "EMIT in a search is", "CREATE STREAM ... AS makes a query that runs for ever.")
	case q.Emit != nil && !sh.top:
		return types.Errorf(types.CodeNotSupported, "EMIT is not allowed in a subquery").At(q.Emit.Pos).WithHint("It stands at the end of the statement.")
	case !b.env.Continuous:
		return nil
	case q.Emit != nil && q.Emit.Kind != "on window close":
		return notYet(q.Emit.Pos, "EMIT "+strings.ToUpper(q.Emit.Kind)+" is", "EMIT ON WINDOW CLOSE, the default, is.")
	case len(q.OrderBy) > 0:
		return types.Errorf(types.CodeNotSupported, "ORDER BY makes no sense in a continuous query: its result has no end").At(q.OrderBy[0].Expr.Position()).
			WithHint("Sort when you search: SELECT ... FROM the stream ORDER BY ...")
	case q.Limit != nil || q.Offset != nil:
		return types.Errorf(types.CodeNotSupported, "LIMIT and OFFSET make no sense in a continuous query: its result has no end").
			At(limitPos(q)).WithHint("Limit when you search: SELECT ... FROM the stream LIMIT ...")
	case q.Distinct:
		return notYet(q.Pos, "DISTINCT in a continuous query is", "It would have to remember every row for ever. GROUP BY the columns over TUMBLE(...): one row per value and window.")
	case q.Values != nil:
		return types.Errorf(types.CodeNotSupported, "a continuous query needs a stream to read").At(q.Pos).WithHint("Name one in FROM.")
	}
	return nil
}

func limitPos(q *parser.Select) int {
	if q.Limit != nil {
		return q.Limit.Position()
	}
	return q.Offset.Position()
}

// ordinal is the member of the select list that an integer in GROUP BY or ORDER BY means.
func (s *selection) ordinal(l *parser.Literal, clause string) (item, error) {
	i, err := ordinal(l, clause, len(s.items))
	if err != nil {
		return item{}, err
	}
	return s.items[i], nil
}

func ordinal(l *parser.Literal, clause string, n int) (int, error) {
	if l.Null || l.Kind != types.Int4 {
		return 0, types.Errorf(types.CodeSyntax, "non-integer constant in %s", clause).At(l.Pos)
	}
	i, err := strconv.Atoi(l.Text)
	if err != nil || i < 1 || i > n {
		return 0, types.Errorf("42P10", "%s position %s is not in select list", clause, l.Text).At(l.Pos)
	}
	return i - 1, nil
}

// bindOrder binds ORDER BY: ordinals, names of the result's columns, and else expressions over the input.
func (s *selection) bindOrder() error {
	for _, o := range s.q.OrderBy {
		col, err := s.orderColumn(o)
		if err != nil {
			return err
		}
		s.order = append(s.order, expr.SortKey{Expr: &expr.Column{Index: col}, Desc: o.Desc, NullsFirst: o.NullsFirst})
	}
	return nil
}

// orderColumn is the place among the selection's expressions of what a member of ORDER BY sorts by.
func (s *selection) orderColumn(o parser.OrderItem) (int, error) {
	switch e := o.Expr.(type) {
	case *parser.Literal:
		return ordinal(e, "ORDER BY", len(s.items))
	case *parser.ColumnRef:
		if len(e.Parts) == 1 && !e.Star {
			if i, err := s.resultColumn(e); err != nil || i >= 0 {
				return i, err
			}
		}
	}
	in := *s.s
	in.clause = "ORDER BY"
	x, err := in.expr(o.Expr)
	if err != nil {
		return 0, err
	}
	if x.Type().Kind == types.Unknown {
		if x, err = expr.Coerce(x, types.T(types.Text), o.Expr.Position()); err != nil {
			return 0, err
		}
	}
	for i, have := range s.exprs {
		if expr.Equal(have, x) {
			return i, nil
		}
	}
	if s.q.Distinct {
		return 0, types.Errorf("42P10", "for SELECT DISTINCT, ORDER BY expressions must appear in select list").At(o.Expr.Position())
	}
	s.exprs = append(s.exprs, x)
	s.fields = append(s.fields, types.Field{Name: computedName(x), Hidden: true})
	return len(s.exprs) - 1, nil
}

// resultColumn is the column of the result with that name, -1 if there is none; two that differ are ambiguous.
func (s *selection) resultColumn(e *parser.ColumnRef) (int, error) {
	found := -1
	for i, it := range s.items {
		switch {
		case it.name != e.Parts[0].Name:
		case found < 0:
			found = i
		case !expr.Equal(s.exprs[found], s.exprs[i]):
			return 0, types.Errorf(types.CodeAmbiguousColumn, "ORDER BY %q is ambiguous", it.name).At(e.Pos)
		}
	}
	return found, nil
}

// sortLimit puts ORDER BY, whose keys are columns of n, and LIMIT over a node.
func (b *binder) sortLimit(n Node, order []expr.SortKey, q *parser.Select) (Node, error) {
	p := *n.Props()
	if len(order) > 0 {
		for i := range order {
			c := order[i].Expr.(*expr.Column)
			order[i].Expr = &expr.Column{Index: c.Index, T: p.Schema[c.Index].Type, Name: p.Schema[c.Index].Name}
		}
		n = &Sort{Input: n, Keys: order, Limit: -1, P: p}
	}
	count, err := b.rowCount(q.Limit, "LIMIT", -1)
	if err != nil {
		return nil, err
	}
	offset, err := b.rowCount(q.Offset, "OFFSET", 0)
	if err != nil {
		return nil, err
	}
	if count >= 0 || offset > 0 {
		n = &Limit{Input: n, Count: count, Offset: offset, P: p}
	}
	return n, nil
}

// rowCount is the constant of LIMIT or OFFSET; NULL and nothing mean none.
func (b *binder) rowCount(e parser.Expr, clause string, none int64) (int64, error) {
	if e == nil {
		return none, nil
	}
	if r, ok := e.(*parser.ColumnRef); ok {
		return 0, types.Errorf(types.CodeUndefinedColumn, "argument of %s must not contain variables", clause).At(r.Pos)
	}
	x, err := b.scope(nil, clause).expr(e)
	if err != nil {
		return 0, err
	}
	if t := x.Type(); t.IsNumber() && !t.IsInt() {
		x, err = expr.NewCast(x, types.T(types.Int8), e.Position())
	} else {
		x, err = expr.Coerce(x, types.T(types.Int8), e.Position())
	}
	if err != nil {
		return 0, err
	}
	c, ok := expr.FoldIn(x, b.env.Zone).(*expr.Const)
	switch {
	case !ok:
		return 0, types.Errorf(types.CodeNotSupported, "%s must be a constant", clause).At(e.Position())
	case c.Value.Null:
		return none, nil
	case c.Value.I < 0:
		code := "2201W"
		if clause == "OFFSET" {
			code = "2201X"
		}
		return 0, types.Errorf(code, "%s must not be negative", clause).At(e.Position())
	}
	return min(c.Value.I, math.MaxInt64/4), nil
}
