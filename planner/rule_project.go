package planner

import "rhumb/expr"

// mergeProjects makes one projection of two that follow each other, unless that would compute something twice.
func mergeProjects(n Node) Node {
	n = withInputs(n, mergeProjects)
	outer, ok := n.(*Project)
	if !ok {
		return n
	}
	inner, ok := outer.Input.(*Project)
	if !ok || !mergeable(outer, inner) {
		return n
	}
	merged := &Project{Input: inner.Input, P: outer.P}
	for _, e := range outer.Exprs {
		merged.Exprs = append(merged.Exprs, substitute(e, inner.Exprs))
	}
	return merged
}

func mergeable(outer, inner *Project) bool {
	uses := make([]int, len(inner.Exprs))
	for _, e := range outer.Exprs {
		expr.Walk(e, func(x expr.Expr) bool {
			if c, ok := x.(*expr.Column); ok {
				uses[c.Index]++
			}
			return true
		})
	}
	for i, e := range inner.Exprs {
		if uses[i] > 1 && !simple(e) {
			return false
		}
	}
	return true
}

// removeProjects leaves out projections that pass on their input as it is.
func removeProjects(n Node) Node {
	n = withInputs(n, removeProjects)
	p, ok := n.(*Project)
	if !ok || len(p.Exprs) != len(p.Input.Props().Schema) {
		return n
	}
	for i, e := range p.Exprs {
		if c, ok := e.(*expr.Column); !ok || c.Index != i {
			return n
		}
	}
	return withProps(p.Input, p.P)
}
