package planner

import (
	"rhumb/expr"
	"rhumb/parser"
	"rhumb/types"
)

// expr binds an expression. Its case is closed over parser.Expr.
func (s *scope) expr(e parser.Expr) (expr.Expr, error) {
	switch e := e.(type) {
	case *parser.ColumnRef:
		return s.column(e)
	case *parser.Literal:
		return literal(e)
	case *parser.TypedLiteral:
		return expr.NewCast(untyped(e.Text), e.Type.Type, e.Pos)
	case *parser.Param:
		return nil, notYet(e.Pos, "parameters are", "Write the value into the statement.")
	case *parser.Unary:
		return s.unary(e)
	case *parser.Binary:
		return s.binary(e)
	case *parser.Like:
		return s.like(e)
	case *parser.Is:
		return s.is(e)
	case *parser.Between:
		return s.between(e)
	case *parser.In:
		return s.in(e)
	case *parser.Quantified:
		return s.quantified(e)
	case *parser.Call:
		return s.call(e)
	case *parser.Cast:
		arg, err := s.expr(e.Arg)
		if err != nil {
			return nil, err
		}
		return expr.NewCast(arg, e.Type.Type, e.Pos)
	case *parser.Case:
		return s.caseWhen(e)
	case *parser.ArrayLit:
		elems, err := s.exprs(e.Elems)
		if err != nil {
			return nil, err
		}
		return expr.NewArray(elems, e.Pos)
	case *parser.Subscript:
		args, err := s.exprs([]parser.Expr{e.Arg, e.Index})
		if err != nil {
			return nil, err
		}
		return expr.NewSubscript(args[0], args[1], e.Pos)
	case *parser.Row:
		return nil, types.Errorf(types.CodeNotSupported, "rows as values are not supported").At(e.Pos).
			WithHint("Rows may be compared: (a, b) = (1, 2), (a, b) IN ((1, 2), (3, 4)). Otherwise name the columns one by one.")
	case *parser.Field:
		return nil, types.Errorf(types.CodeNotSupported, "fields of composite values are not supported").At(e.Pos).
			WithHint("A member of a jsonb value is x -> 'member', as text x ->> 'member'.")
	case *parser.Subquery:
		return nil, subqueryNotYet(e.Pos)
	}
	return nil, types.Errorf(types.CodeInternal, "BUG: no binding for %T", e)
}

func subqueryNotYet(pos int) error {
	return notYet(pos, "subqueries in expressions are",
		"Subqueries work in FROM. EXISTS and IN (SELECT ...) come with joins; a list of constants works: x IN ('a', 'b').")
}

func (s *scope) exprs(es []parser.Expr) ([]expr.Expr, error) {
	out := make([]expr.Expr, len(es))
	for i, e := range es {
		x, err := s.expr(e)
		if err != nil {
			return nil, err
		}
		out[i] = x
	}
	return out, nil
}

// condition binds a boolean expression; what names it in the message: WHERE, HAVING, FILTER, AND.
func (s *scope) condition(e parser.Expr, what string) (expr.Expr, error) {
	x, err := s.expr(e)
	if err != nil {
		return nil, err
	}
	return asBool(x, what, e.Position())
}

func asBool(x expr.Expr, what string, pos int) (expr.Expr, error) {
	t := x.Type()
	if t.Kind == types.Bool {
		return x, nil
	}
	if t.Kind == types.Unknown {
		return expr.Coerce(x, types.T(types.Bool), pos)
	}
	return nil, types.Errorf(types.CodeDatatypeMismatch, "argument of %s must be type boolean, not type %s", what, t).At(pos)
}

func untyped(text string) expr.Expr { return &expr.Const{Value: types.Value{S: text}} }

func null() expr.Expr { return &expr.Const{Value: types.NullOf(types.T(types.Unknown))} }

// literal is a constant of the type that Postgres gives it.
func literal(l *parser.Literal) (expr.Expr, error) {
	switch {
	case l.Null:
		return null(), nil
	case l.Kind == types.Unknown:
		return untyped(l.Text), nil
	}
	v, err := types.ParseValue(types.T(l.Kind), l.Text, nil)
	if err != nil {
		return nil, types.AsError(err).At(l.Pos)
	}
	return &expr.Const{Value: v}, nil
}

func (s *scope) unary(e *parser.Unary) (expr.Expr, error) {
	arg, err := s.expr(e.Arg)
	if err != nil {
		return nil, err
	}
	if e.Op != "not" {
		return expr.NewCall(e.Op, []expr.Expr{arg}, e.Pos)
	}
	if arg, err = asBool(arg, "NOT", e.Arg.Position()); err != nil {
		return nil, err
	}
	return expr.NewNot(arg), nil
}

func (s *scope) binary(e *parser.Binary) (expr.Expr, error) {
	if l, r, ok := rowPair(e.L, e.R); ok {
		return s.compareRows(e.Op, l, r, e.Pos)
	}
	switch e.Op {
	case "and", "or":
		return s.logic(e)
	}
	args, err := s.exprs([]parser.Expr{e.L, e.R})
	if err != nil {
		return nil, err
	}
	switch e.Op {
	case "is distinct from":
		return expr.NewIsDistinct(args[0], args[1], false, e.Pos)
	case "is not distinct from":
		return expr.NewIsDistinct(args[0], args[1], true, e.Pos)
	case "at time zone":
		return expr.NewCall("timezone", []expr.Expr{args[1], args[0]}, e.Pos)
	}
	return expr.NewCall(e.Op, args, e.Pos)
}

// logic binds a chain of AND or of OR, with one recursion for all of it that nests to the left.
func (s *scope) logic(e *parser.Binary) (expr.Expr, error) {
	what := "AND"
	if e.Op == "or" {
		what = "OR"
	}
	var operands []parser.Expr // the last first
	var left parser.Expr = e
	for {
		b, ok := left.(*parser.Binary)
		if !ok || b.Op != e.Op {
			break
		}
		operands = append(operands, b.R)
		left = b.L
	}
	operands = append(operands, left)
	args := make([]expr.Expr, 0, len(operands))
	for i := len(operands) - 1; i >= 0; i-- {
		x, err := s.condition(operands[i], what)
		if err != nil {
			return nil, err
		}
		args = append(args, x)
	}
	if e.Op == "or" {
		return expr.NewOr(args...), nil
	}
	return expr.NewAnd(args...), nil
}

func rowPair(a, b parser.Expr) (l, r *parser.Row, ok bool) {
	l, okL := a.(*parser.Row)
	r, okR := b.(*parser.Row)
	return l, r, okL && okR
}

// compareRows is (a, b) = (c, d) and its negation.
func (s *scope) compareRows(op string, l, r *parser.Row, pos int) (expr.Expr, error) {
	if op != "=" && op != "<>" {
		return nil, types.Errorf(types.CodeNotSupported, "rows cannot be compared with %s", op).At(pos).
			WithHint("Rows may be compared with = and <>; otherwise compare the columns one by one.")
	}
	if len(l.Elems) != len(r.Elems) {
		return nil, types.Errorf(types.CodeSyntax, "unequal number of entries in row expressions").At(pos)
	}
	var parts []expr.Expr
	for i := range l.Elems {
		args, err := s.exprs([]parser.Expr{l.Elems[i], r.Elems[i]})
		if err != nil {
			return nil, err
		}
		eq, err := expr.NewCall(op, args, pos)
		if err != nil {
			return nil, err
		}
		parts = append(parts, eq)
	}
	if op == "<>" {
		return expr.NewOr(parts...), nil
	}
	return expr.NewAnd(parts...), nil
}

func (s *scope) like(e *parser.Like) (expr.Expr, error) {
	es := []parser.Expr{e.Arg, e.Pattern}
	if e.Escape != nil {
		es = append(es, e.Escape)
	}
	args, err := s.exprs(es)
	if err != nil {
		return nil, err
	}
	name := "like"
	if e.ILike {
		name = "ilike"
	}
	x, err := expr.NewCall(name, args, e.Pos)
	if err == nil && e.Not {
		x = expr.NewNot(x)
	}
	return x, err
}

func (s *scope) is(e *parser.Is) (expr.Expr, error) {
	arg, err := s.expr(e.Arg)
	if err != nil {
		return nil, err
	}
	if e.What == "null" {
		return expr.NewIsNull(arg, e.Not), nil
	}
	if arg, err = asBool(arg, "IS "+e.What, e.Arg.Position()); err != nil {
		return nil, err
	}
	return expr.NewIsBool(arg, e.What, e.Not)
}

// between is lo <= x AND x <= hi; SYMMETRIC tries the bounds both ways round.
func (s *scope) between(e *parser.Between) (expr.Expr, error) {
	args, err := s.exprs([]parser.Expr{e.Arg, e.Lo, e.Hi})
	if err != nil {
		return nil, err
	}
	within := func(lo, hi expr.Expr) (expr.Expr, error) {
		ge, err := expr.NewCall(">=", []expr.Expr{args[0], lo}, e.Pos)
		if err != nil {
			return nil, err
		}
		le, err := expr.NewCall("<=", []expr.Expr{args[0], hi}, e.Pos)
		if err != nil {
			return nil, err
		}
		return expr.NewAnd(ge, le), nil
	}
	x, err := within(args[1], args[2])
	if err == nil && e.Symmetric {
		var y expr.Expr
		if y, err = within(args[2], args[1]); err == nil {
			x = expr.NewOr(x, y)
		}
	}
	if err == nil && e.Not {
		x = expr.NewNot(x)
	}
	return x, err
}

func (s *scope) in(e *parser.In) (expr.Expr, error) {
	if e.Query != nil {
		return nil, subqueryNotYet(e.Pos)
	}
	x, err := s.inList(e)
	if err == nil && e.Not {
		x = expr.NewNot(x)
	}
	return x, err
}

func (s *scope) inList(e *parser.In) (expr.Expr, error) {
	row, isRow := e.Arg.(*parser.Row)
	if !isRow {
		arg, err := s.expr(e.Arg)
		if err != nil {
			return nil, err
		}
		list, err := s.exprs(e.List)
		if err != nil {
			return nil, err
		}
		return expr.NewIn(arg, list, e.Pos)
	}
	var alternatives []expr.Expr
	for _, m := range e.List {
		r, ok := m.(*parser.Row)
		if !ok {
			return nil, types.Errorf(types.CodeDatatypeMismatch, "a list for rows must hold rows").At(m.Position()).
				WithHint("Write (a, b) IN ((1, 2), (3, 4)).")
		}
		x, err := s.compareRows("=", row, r, e.Pos)
		if err != nil {
			return nil, err
		}
		alternatives = append(alternatives, x)
	}
	return expr.NewOr(alternatives...), nil
}

func (s *scope) quantified(e *parser.Quantified) (expr.Expr, error) {
	if e.Query != nil {
		return nil, subqueryNotYet(e.Pos)
	}
	args, err := s.exprs([]parser.Expr{e.Arg, e.Array})
	if err != nil {
		return nil, err
	}
	return expr.NewQuantified(e.Op, e.All, args[0], args[1], e.Pos)
}

// caseWhen binds both forms of CASE; CASE x WHEN a is CASE WHEN x = a.
func (s *scope) caseWhen(e *parser.Case) (expr.Expr, error) {
	var arg, els expr.Expr
	var err error
	if e.Arg != nil {
		if arg, err = s.expr(e.Arg); err != nil {
			return nil, err
		}
	}
	var whens []expr.When
	for _, w := range e.Whens {
		cond, err := s.whenCond(arg, w.Cond)
		if err != nil {
			return nil, err
		}
		then, err := s.expr(w.Then)
		if err != nil {
			return nil, err
		}
		whens = append(whens, expr.When{Cond: cond, Then: then})
	}
	if e.Else != nil {
		if els, err = s.expr(e.Else); err != nil {
			return nil, err
		}
	}
	return expr.NewCase(whens, els, e.Pos)
}

func (s *scope) whenCond(arg expr.Expr, cond parser.Expr) (expr.Expr, error) {
	if arg == nil {
		return s.condition(cond, "CASE/WHEN")
	}
	x, err := s.expr(cond)
	if err != nil {
		return nil, err
	}
	return expr.NewCall("=", []expr.Expr{arg, x}, cond.Position())
}
