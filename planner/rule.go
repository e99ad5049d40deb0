package planner

import (
	"time"

	"rhumb/connectors"
	"rhumb/expr"
)

// Rule rewrites a plan into one that means the same. It does not change the nodes that it is given.
type Rule struct {
	Name  string
	Apply func(Node) Node
}

// Setting is what the rules may know besides the plan.
type Setting struct {
	Zone *time.Location // of the session; nil = UTC, as in continuous queries
	// The document store's abilities; nil = it has none.
	Supports      func(object uint32, c connectors.Cond) bool
	SupportsOrder func(object uint32, o []connectors.Order) bool
}

// Rules lists the rules in the order in which they have to be applied.
func Rules(s Setting) []Rule {
	return []Rule{
		{"fold constants", func(n Node) Node { return foldConstants(n, s.Zone) }},
		{"merge projections", mergeProjects},
		{"push predicates down", func(n Node) Node { return pushPredicates(n, s) }},
		{"merge projections", mergeProjects}, // those that a predicate stood between
		{"push limits down", func(n Node) Node { return pushLimits(n, s) }},
		{"prune columns", pruneColumns},
		{"remove projections", removeProjects},
	}
}

// Optimize applies all rules.
func Optimize(n Node, s Setting) Node {
	for _, r := range Rules(s) {
		n = r.Apply(n)
	}
	return n
}

// withInputs is a copy of the node over other inputs.
func withInputs(n Node, f func(Node) Node) Node {
	switch n := n.(type) {
	case *Scan:
		return n
	case *Values:
		return n
	case *Filter:
		c := *n
		c.Input = f(n.Input)
		return &c
	case *Project:
		c := *n
		c.Input = f(n.Input)
		return &c
	case *Unnest:
		c := *n
		c.Input = f(n.Input)
		return &c
	case *Window:
		c := *n
		c.Input = f(n.Input)
		return &c
	case *Aggregate:
		c := *n
		c.Input = f(n.Input)
		return &c
	case *Distinct:
		c := *n
		c.Input = f(n.Input)
		return &c
	case *Sort:
		c := *n
		c.Input = f(n.Input)
		return &c
	case *Limit:
		c := *n
		c.Input = f(n.Input)
		return &c
	case *Union:
		c := *n
		c.In = make([]Node, len(n.In))
		for i, in := range n.In {
			c.In[i] = f(in)
		}
		return &c
	case *Output:
		c := *n
		c.Input = f(n.Input)
		return &c
	}
	panic("BUG: planner.withInputs: the set of nodes is closed")
}

// withExprs is a copy of the node with each of its expressions replaced.
func withExprs(n Node, f func(expr.Expr) expr.Expr) Node {
	n = withInputs(n, func(in Node) Node { return in })
	switch n := n.(type) {
	case *Filter:
		n.Pred = f(n.Pred)
	case *Project:
		n.Exprs = mapExprs(n.Exprs, f)
	case *Unnest:
		n.Arrays = mapExprs(n.Arrays, f)
	case *Aggregate:
		n.Keys = mapExprs(n.Keys, f)
		aggs := make([]*expr.AggCall, len(n.Aggs))
		for i, a := range n.Aggs {
			aggs[i] = mapAgg(a, f)
		}
		n.Aggs = aggs
	case *Sort:
		n.Keys = mapKeys(n.Keys, f)
	case *Values:
		c := *n
		c.Rows = make([][]expr.Expr, len(n.Rows))
		for i, r := range n.Rows {
			c.Rows[i] = mapExprs(r, f)
		}
		return &c
	case *Scan:
		if n.Filter == nil {
			return n
		}
		c := *n
		c.Filter = f(n.Filter)
		return &c
	}
	return n
}

func mapExprs(es []expr.Expr, f func(expr.Expr) expr.Expr) []expr.Expr {
	out := make([]expr.Expr, len(es))
	for i, e := range es {
		out[i] = f(e)
	}
	return out
}

func mapKeys(keys []expr.SortKey, f func(expr.Expr) expr.Expr) []expr.SortKey {
	out := make([]expr.SortKey, len(keys))
	for i, k := range keys {
		out[i] = k
		out[i].Expr = f(k.Expr)
	}
	return out
}

func mapAgg(a *expr.AggCall, f func(expr.Expr) expr.Expr) *expr.AggCall {
	c := *a
	c.Args, c.OrderBy = mapExprs(a.Args, f), mapKeys(a.OrderBy, f)
	if a.Filter != nil {
		c.Filter = f(a.Filter)
	}
	return &c
}

// remap moves an expression's columns to their new places.
func remap(e expr.Expr, places []int) expr.Expr {
	return mapColumns(e, func(c *expr.Column) expr.Expr {
		if places[c.Index] == c.Index {
			return c
		}
		return &expr.Column{Index: places[c.Index], T: c.T, Name: c.Name}
	})
}

// substitute replaces an expression's columns by the expressions that compute them.
func substitute(e expr.Expr, by []expr.Expr) expr.Expr {
	return mapColumns(e, func(c *expr.Column) expr.Expr { return by[c.Index] })
}

// simple reports whether an expression costs nothing to compute twice.
func simple(e expr.Expr) bool {
	switch e.(type) {
	case *expr.Column, *expr.Const:
		return true
	}
	return false
}
