package planner

import (
	"time"

	"rhumb/expr"
)

// foldConstants computes what is constant, and leaves out filters that are always true.
func foldConstants(n Node, zone *time.Location) Node {
	n = withInputs(n, func(in Node) Node { return foldConstants(in, zone) })
	n = withExprs(n, func(e expr.Expr) expr.Expr { return expr.FoldIn(e, zone) })
	if f, ok := n.(*Filter); ok && alwaysTrue(f.Pred) {
		return withProps(f.Input, f.P)
	}
	return n
}

func alwaysTrue(e expr.Expr) bool {
	c, ok := e.(*expr.Const)
	return ok && !c.Value.Null && c.Value.I != 0
}

// withProps is a copy of a node with other properties: the names that a removed node above it gave its columns.
func withProps(n Node, p Props) Node {
	if s, ok := n.(*Scan); ok {
		c := *s
		c.P = p
		return &c
	}
	if v, ok := n.(*Values); ok {
		c := *v
		c.P = p
		return &c
	}
	n = withInputs(n, func(in Node) Node { return in })
	*n.Props() = p
	return n
}
