package planner

import (
	"rhumb/connectors"
	"rhumb/expr"
)

// pushLimits makes a top N of a sort under a limit, and hands order and limit to the store where it can do them exactly.
func pushLimits(n Node, s Setting) Node {
	n = withInputs(n, func(in Node) Node { return pushLimits(in, s) })
	switch n := n.(type) {
	case *Limit:
		return limitInto(n)
	case *Sort:
		return sortInto(n, s)
	}
	return n
}

// limitInto pushes a limit through projections into a sort or a scan of the store. If rows are to be passed over, the limit stays
// and does that.
func limitInto(n *Limit) Node {
	if n.Count < 0 {
		return n
	}
	rows := n.Offset + n.Count
	in, ok := limited(n.Input, rows)
	if !ok {
		return n
	}
	if n.Offset == 0 {
		return in
	}
	return &Limit{Input: in, Count: n.Count, Offset: n.Offset, P: n.P}
}

// limited is the node with its first rows only; false if it cannot do that.
func limited(n Node, rows int64) (Node, bool) {
	switch n := n.(type) {
	case *Project:
		in, ok := limited(n.Input, rows)
		return &Project{Input: in, Exprs: n.Exprs, P: n.P}, ok
	case *Sort:
		c := *n
		c.Limit = least(n.Limit, rows)
		return &c, true
	case *Scan:
		if n.Access != Store || n.Filter != nil {
			return n, false
		}
		c := *n
		c.Limit = least(n.Limit, rows)
		return &c, true
	case *Limit:
		if n.Offset != 0 {
			return n, false
		}
		return &Limit{Input: n.Input, Count: least(n.Count, rows), P: n.P}, true
	}
	return n, false
}

// least is the smaller of two limits, of which a may be -1 for none.
func least(a, b int64) int64 {
	if a < 0 {
		return b
	}
	return min(a, b)
}

// sortInto hands an order to the store's scan below, through projections that only move columns.
func sortInto(n *Sort, s Setting) Node {
	if s.SupportsOrder == nil {
		return n
	}
	in, ok := ordered(n.Input, n.Keys, s)
	if !ok {
		return n
	}
	if n.Limit < 0 {
		return in
	}
	if in, ok := limited(in, n.Limit); ok {
		return in
	}
	return &Limit{Input: in, Count: n.Limit, P: n.P}
}

func ordered(n Node, keys []expr.SortKey, s Setting) (Node, bool) {
	switch n := n.(type) {
	case *Project:
		in, ok := ordered(n.Input, mapKeys(keys, func(e expr.Expr) expr.Expr { return substitute(e, n.Exprs) }), s)
		return &Project{Input: in, Exprs: n.Exprs, P: n.P}, ok
	case *Scan:
		if n.Access != Store || n.Limit >= 0 || len(n.OrderBy) > 0 {
			return n, false
		}
		c := *n
		for _, k := range keys {
			col, ok := k.Expr.(*expr.Column)
			if !ok {
				return n, false
			}
			c.OrderBy = append(c.OrderBy, connectors.Order{Column: n.P.Schema[col.Index].Name, Desc: k.Desc, NullsFirst: k.NullsFirst})
		}
		return &c, s.SupportsOrder(n.Object.Number, c.OrderBy)
	}
	return n, false
}
