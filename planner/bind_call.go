package planner

import (
	"slices"
	"strings"

	"rhumb/expr"
	"rhumb/parser"
	"rhumb/types"
)

// call binds a function call: the forms with rules of their own, aggregates, unnest, and else the table of functions.
func (s *scope) call(c *parser.Call) (expr.Expr, error) {
	name, err := functionName(c)
	if err != nil {
		return nil, err
	}
	if c.Over != nil {
		return nil, notYet(c.Pos, "window functions (OVER) are", "GROUP BY over TUMBLE(...) aggregates per window of time.")
	}
	for i, n := range c.ArgNames {
		if n != "" {
			return nil, notYet(c.Args[i].Position(), "named arguments are", "Give the arguments by position.")
		}
	}
	switch {
	case windowFunctions[name]:
		return s.windowBound(name, c)
	case expr.IsAggregate(name):
		return s.aggregate(name, c)
	}
	if err := plainCall(name, c); err != nil {
		return nil, err
	}
	if expr.IsSetReturning(name) {
		return s.unnest(name, c)
	}
	args, err := s.exprs(c.Args)
	if err != nil {
		return nil, err
	}
	switch name {
	case "coalesce":
		return expr.NewCoalesce(args, c.Pos)
	case "nullif":
		return nullIf(args, c.Pos)
	}
	return expr.NewCall(name, args, c.Pos)
}

// functionName is the name without pg_catalog.
func functionName(c *parser.Call) (string, error) {
	parts := make([]string, len(c.Name))
	for i, p := range c.Name {
		parts[i] = p.Name
	}
	if len(parts) == 2 && parts[0] == "pg_catalog" {
		parts = parts[1:]
	}
	if len(parts) != 1 {
		return "", types.Errorf(types.CodeUndefinedFunction, "function %s does not exist", strings.Join(parts, ".")).At(c.Pos).
			WithHint("Functions are called without a schema.")
	}
	return parts[0], nil
}

// plainCall refuses the clauses that only aggregates have.
func plainCall(name string, c *parser.Call) error {
	clause := ""
	switch {
	case c.Star:
		clause = "*"
	case c.Distinct:
		clause = "DISTINCT"
	case len(c.OrderBy) > 0:
		clause = "ORDER BY"
	case c.Filter != nil:
		clause = "FILTER"
	default:
		return nil
	}
	return types.Errorf(types.CodeWrongObjectType, "%s specified, but %s is not an aggregate function", clause, name).At(c.Pos)
}

// nullIf is CASE WHEN a = b THEN NULL ELSE a END.
func nullIf(args []expr.Expr, pos int) (expr.Expr, error) {
	if len(args) != 2 {
		return nil, types.Errorf(types.CodeSyntax, "nullif takes two arguments").At(pos)
	}
	eq, err := expr.NewCall("=", args, pos)
	if err != nil {
		return nil, err
	}
	return expr.NewCase([]expr.When{{Cond: eq, Then: null()}}, args[0], pos)
}

// aggregate binds an aggregate call over the grouping's input; what it returns stands for the result.
func (s *scope) aggregate(name string, c *parser.Call) (expr.Expr, error) {
	switch {
	case s.inAgg:
		return nil, types.Errorf(types.CodeGrouping, "aggregate function calls cannot be nested").At(c.Pos).
			WithHint("Aggregate in a subquery first.")
	case s.group == nil:
		e := types.Errorf(types.CodeGrouping, "aggregate functions are not allowed in %s", s.clause).At(c.Pos)
		if s.clause == "WHERE" {
			e.WithHint("A condition on a group belongs to HAVING.")
		}
		return nil, e
	}
	in := *s
	in.inAgg, in.unnests, in.refs = true, nil, map[int]int{}
	if c.Star && name != "count" {
		return nil, types.Errorf(types.CodeUndefinedFunction, "%s(*) does not exist", name).At(c.Pos).WithHint("Only count takes *.")
	}
	if !c.Star && len(c.Args) == 0 && name == "count" {
		return nil, types.Errorf(types.CodeWrongObjectType, "count(*) must be used to call a parameterless aggregate function").At(c.Pos)
	}
	args, err := in.exprs(c.Args)
	if err != nil {
		return nil, err
	}
	var order []expr.SortKey
	for _, o := range c.OrderBy {
		x, err := in.expr(o.Expr)
		if err != nil {
			return nil, err
		}
		order = append(order, expr.SortKey{Expr: x, Desc: o.Desc, NullsFirst: o.NullsFirst})
	}
	var filter expr.Expr
	if c.Filter != nil {
		in.clause = "FILTER"
		if filter, err = in.condition(c.Filter, "FILTER"); err != nil {
			return nil, err
		}
	}
	agg, err := expr.NewAgg(name, args, c.Distinct, order, filter, c.Pos)
	if err != nil {
		return nil, err
	}
	return s.group.add(agg), nil
}

// unnest binds a set-returning function of a select list; what it returns stands for the element.
func (s *scope) unnest(name string, c *parser.Call) (expr.Expr, error) {
	const hint = "Call it in FROM: FROM s, unnest(array) AS a(element)."
	switch {
	case s.inAgg:
		return nil, types.Errorf(types.CodeNotSupported, "aggregate function calls cannot contain set-returning function calls").At(c.Pos).
			WithHint(hint)
	case s.unnests == nil:
		return nil, types.Errorf(types.CodeNotSupported, "set-returning functions are not allowed in %s", s.clause).At(c.Pos).WithHint(hint)
	case name == "unnest" && len(c.Args) > 1:
		return nil, types.Errorf(types.CodeUndefinedFunction, "unnest of several arrays is not allowed in %s", s.clause).At(c.Pos).WithHint(hint)
	}
	in := *s
	in.unnests, in.clause = nil, "an argument of "+name
	args, err := in.exprs(c.Args)
	if err != nil {
		return nil, err
	}
	u, err := in.setReturning(name, args, c.Pos)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(*s.unnests, func(have unnesting) bool { return expr.Equal(have.array, u.array) })
	if i < 0 {
		i = len(*s.unnests)
		*s.unnests = append(*s.unnests, u)
	}
	return &expr.Column{Index: unnestCol + i, T: u.field.Type, Name: u.field.Name}, nil
}
