package planner

import (
	"slices"

	"rhumb/connectors"
	"rhumb/expr"
	"rhumb/types"
)

// pushPredicates moves each condition as near to the scan as it means the same, and into the scan: for a log the rows that do not pass are
// never materialised, for the store they are never read.
func pushPredicates(n Node, s Setting) Node {
	return pusher{s}.push(n, nil)
}

type pusher struct{ Setting }

// push returns n under these conditions, which are over its schema and all have to hold.
func (p pusher) push(n Node, preds []expr.Expr) Node {
	switch n := n.(type) {
	case *Filter:
		return p.push(n.Input, append(conjuncts(n.Pred), preds...))
	case *Project:
		below, stay := split(preds, func(e expr.Expr) bool { return cheapThrough(e, n.Exprs) })
		for i, e := range below {
			below[i] = substitute(e, n.Exprs)
		}
		return filtered(p.into(n, below), stay)
	case *Window:
		return p.throughAppended(n, len(n.Input.Props().Schema), preds)
	case *Unnest:
		return p.throughAppended(n, len(n.Input.Props().Schema), preds)
	case *Aggregate:
		below, stay := split(preds, func(e expr.Expr) bool {
			// Without keys there is a row of no input too: the condition is about that row.
			return len(n.Keys) > 0 && !expr.Volatile(e) && within(e, len(n.Keys))
		})
		for i, e := range below {
			below[i] = substitute(e, n.Keys)
		}
		return filtered(p.into(n, below), stay)
	case *Union:
		return withInputs(n, func(in Node) Node { return p.push(in, preds) })
	case *Distinct:
		return p.into(n, preds)
	case *Sort:
		if n.Limit < 0 {
			return p.into(n, preds)
		}
	case *Scan:
		return p.scan(n, preds)
	}
	return filtered(p.into(n, nil), preds)
}

// into pushes conditions to the inputs of a node.
func (p pusher) into(n Node, preds []expr.Expr) Node {
	return withInputs(n, func(in Node) Node { return p.push(in, preds) })
}

// throughAppended pushes conditions through a node that adds columns behind the first width ones of its input.
func (p pusher) throughAppended(n Node, width int, preds []expr.Expr) Node {
	below, stay := split(preds, func(e expr.Expr) bool { return !expr.Volatile(e) && within(e, width) })
	return filtered(p.into(n, below), stay)
}

// scan takes conditions into the scan.
func (p pusher) scan(n *Scan, preds []expr.Expr) Node {
	c := *n
	if n.Access == Table {
		return filtered(&c, preds)
	}
	if n.Access == Store && p.Supports != nil {
		var stay []expr.Expr
		for _, e := range preds {
			cond, ok := storeCond(e, n.P.Schema)
			if ok && p.Supports(n.Object.Number, cond) {
				c.Where = append(slices.Clone(c.Where), cond)
			} else {
				stay = append(stay, e)
			}
		}
		preds = stay
	}
	if c.Filter != nil {
		preds = append(conjuncts(c.Filter), preds...)
	}
	c.Filter = all(preds)
	return &c
}

// filtered puts a Filter over a node, if there are conditions.
func filtered(n Node, preds []expr.Expr) Node {
	if len(preds) == 0 {
		return n
	}
	return &Filter{Input: n, Pred: all(preds), P: *n.Props()}
}

func all(preds []expr.Expr) expr.Expr {
	if len(preds) == 0 {
		return nil
	}
	return expr.NewAnd(preds...)
}

// conjuncts are the conditions that a condition consists of, in order.
func conjuncts(e expr.Expr) []expr.Expr {
	l, ok := e.(*expr.Logic)
	if !ok || l.Or {
		return []expr.Expr{e}
	}
	var out []expr.Expr
	for _, a := range l.Args {
		out = append(out, conjuncts(a)...)
	}
	return out
}

func split(preds []expr.Expr, below func(expr.Expr) bool) (down, stay []expr.Expr) {
	for _, e := range preds {
		if below(e) {
			down = append(down, e)
		} else {
			stay = append(stay, e)
		}
	}
	return down, stay
}

// within reports whether an expression reads only columns before width.
func within(e expr.Expr, width int) bool {
	cols := expr.Columns(e)
	return len(cols) == 0 || cols[len(cols)-1] < width
}

// cheapThrough reports whether a condition on the results of a projection may be computed below it: where it would repeat the work of
// an expensive expression (a regular expression over each line) it is not worth it.
func cheapThrough(e expr.Expr, exprs []expr.Expr) bool {
	const maxCalls = 2
	calls := 0
	for _, col := range expr.Columns(e) {
		if expr.Volatile(exprs[col]) {
			return false
		}
		expr.Walk(exprs[col], func(x expr.Expr) bool {
			switch x.(type) {
			case *expr.Column, *expr.Const:
			default:
				calls++
			}
			if c, ok := x.(*expr.Call); ok && costly(c.Func.Name) {
				calls += maxCalls
			}
			return true
		})
	}
	return calls <= maxCalls
}

func costly(function string) bool {
	return slices.Contains([]string{"~", "~*", "!~", "!~*", "regexp_match", "regexp_matches", "regexp_replace", "regexp_substr", "substring"}, function)
}

// ofType is a constant as a value of the column's type, so that a store compares like with like; false if it is of another kind.
func ofType(v types.Value, t types.Type) (types.Value, bool) {
	if !v.Type.IsInt() || !t.IsInt() {
		return v, v.Type.Base() == t.Base()
	}
	bits := map[types.Kind]int{types.Int2: 16, types.Int4: 32, types.Int8: 64}[t.Kind]
	if cut := v.I << (64 - bits) >> (64 - bits); cut != v.I {
		return v, false
	}
	return types.IntValue(t.Kind, v.I), true
}

// flipped is the operator with its sides exchanged.
var flipped = map[string]string{"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

// storeCond is the condition as a store may evaluate it: column op constant.
func storeCond(e expr.Expr, s types.Schema) (connectors.Cond, bool) {
	switch e := e.(type) {
	case *expr.Call:
		return callCond(e, s)
	case *expr.In:
		c, ok := e.Arg.(*expr.Column)
		// A NULL in the list makes what does not match NULL instead of false: as a condition that is the same.
		if !ok || len(e.Values) == 0 || e.Values[0].Type.Base() != c.T.Base() {
			return connectors.Cond{}, false
		}
		return connectors.Cond{Column: s[c.Index].Name, Op: "in", Values: e.Values}, true
	}
	return connectors.Cond{}, false
}

func callCond(e *expr.Call, s types.Schema) (connectors.Cond, bool) {
	if len(e.Args) == 1 {
		c, ok := e.Args[0].(*expr.Column)
		op := e.Func.Name
		if !ok || op != "is null" && op != "is not null" {
			return connectors.Cond{}, false
		}
		return connectors.Cond{Column: s[c.Index].Name, Op: op}, true
	}
	op, known := flipped[e.Func.Name]
	if !known || len(e.Args) != 2 {
		return connectors.Cond{}, false
	}
	l, r := e.Args[1], e.Args[0]
	if _, ok := e.Args[0].(*expr.Column); ok {
		l, r, op = e.Args[0], e.Args[1], e.Func.Name
	}
	col, isCol := l.(*expr.Column)
	val, isConst := r.(*expr.Const)
	if !isCol || !isConst || val.Value.Null {
		return connectors.Cond{}, false
	}
	v, ok := ofType(val.Value, col.T)
	return connectors.Cond{Column: s[col.Index].Name, Op: op, Values: []types.Value{v}}, ok
}
