package planner

import (
	"rhumb/expr"
	"rhumb/types"
)

// pruneColumns leaves out, in each node, the columns that nothing above needs, down to what a scan decodes.
func pruneColumns(n Node) Node {
	out, _ := prune(n, everything(len(n.Props().Schema)))
	return out
}

func everything(n int) []bool {
	need := make([]bool, n)
	for i := range need {
		need[i] = true
	}
	return need
}

// prune returns the node with at least the columns that are needed, in their order, and the new place of each old column (-1 = gone).
func prune(n Node, need []bool) (Node, []int) {
	need = append([]bool(nil), need...)
	for _, c := range n.Props().ID.Cols {
		need[c] = true
	}
	switch n := n.(type) {
	case *Scan:
		return pruneScan(n, need)
	case *Filter:
		mark(need, n.Pred)
		in, places := prune(n.Input, need)
		return &Filter{Input: in, Pred: remap(n.Pred, places), P: moved(n.P, places)}, places
	case *Project:
		return pruneProject(n, need)
	case *Unnest:
		width := len(n.Input.Props().Schema)
		below := append([]bool(nil), need[:width]...)
		mark(below, n.Arrays...)
		in, places := prune(n.Input, below)
		arrays := mapExprs(n.Arrays, func(e expr.Expr) expr.Expr { return remap(e, places) })
		places = appended(places, in, len(need)-width)
		return &Unnest{Input: in, Arrays: arrays, Ordinality: n.Ordinality, P: moved(n.P, places)}, places
	case *Window:
		width := len(n.Input.Props().Schema)
		below := append([]bool(nil), need[:width]...)
		below[n.Time] = true
		in, places := prune(n.Input, below)
		c := *n
		c.Input, c.Time = in, places[n.Time]
		places = appended(places, in, len(need)-width)
		c.P = moved(n.P, places)
		return &c, places
	case *Aggregate:
		return pruneAggregate(n, need)
	case *Distinct:
		in, places := prune(n.Input, everything(len(need)))
		return &Distinct{Input: in, P: moved(n.P, places)}, places
	case *Sort:
		for _, k := range n.Keys {
			mark(need, k.Expr)
		}
		in, places := prune(n.Input, need)
		keys := mapKeys(n.Keys, func(e expr.Expr) expr.Expr { return remap(e, places) })
		return &Sort{Input: in, Keys: keys, Limit: n.Limit, P: moved(n.P, places)}, places
	case *Limit:
		in, places := prune(n.Input, need)
		return &Limit{Input: in, Count: n.Count, Offset: n.Offset, P: moved(n.P, places)}, places
	case *Union:
		return pruneUnion(n, need)
	case *Output:
		in, places := prune(n.Input, everything(len(need)))
		return &Output{Input: in, Object: n.Object, P: moved(n.P, places)}, places
	}
	return n, identity(len(need)) // Values
}

// mark adds the columns of expressions to need.
func mark(need []bool, es ...expr.Expr) {
	for _, e := range es {
		for _, c := range expr.Columns(e) {
			need[c] = true
		}
	}
}

func identity(n int) []int {
	places := make([]int, n)
	for i := range places {
		places[i] = i
	}
	return places
}

// chosen gives the needed columns the places in which they follow one another.
func chosen(need []bool) []int {
	places, next := make([]int, len(need)), 0
	for i, n := range need {
		places[i] = -1
		if n {
			places[i] = next
			next++
		}
	}
	return places
}

// appended extends the places of an input's columns by those of n columns that a node adds behind them.
func appended(places []int, in Node, n int) []int {
	out := append([]int(nil), places...)
	for i := range n {
		out = append(out, len(in.Props().Schema)+i)
	}
	return out
}

// moved is the properties after columns were moved and left out.
func moved(p Props, places []int) Props {
	out := p
	out.Schema = nil
	for i, f := range p.Schema {
		if places[i] >= 0 {
			for len(out.Schema) <= places[i] {
				out.Schema = append(out.Schema, types.Field{})
			}
			out.Schema[places[i]] = f
		}
	}
	if p.TimeCol >= 0 {
		out.TimeCol = places[p.TimeCol]
	}
	out.ID.Cols = nil
	for _, c := range p.ID.Cols {
		out.ID.Cols = append(out.ID.Cols, places[c])
	}
	return out
}

func pruneScan(n *Scan, need []bool) (Node, []int) {
	c := *n
	if n.Filter != nil {
		mark(need, n.Filter)
	}
	places := chosen(need)
	c.Columns, c.System = nil, nil
	for i, col := range n.Columns {
		if need[i] {
			c.Columns = append(c.Columns, col)
		}
	}
	for i, name := range n.System {
		if need[len(n.Columns)+i] {
			c.System = append(c.System, name)
		}
	}
	if n.Filter != nil {
		c.Filter = remap(n.Filter, places)
	}
	c.P = moved(n.P, places)
	return &c, places
}

func pruneProject(n *Project, need []bool) (Node, []int) {
	below := make([]bool, len(n.Input.Props().Schema))
	var kept []expr.Expr
	for i, e := range n.Exprs {
		if need[i] {
			mark(below, e)
			kept = append(kept, e)
		}
	}
	in, places := prune(n.Input, below)
	out := &Project{Input: in, Exprs: mapExprs(kept, func(e expr.Expr) expr.Expr { return remap(e, places) })}
	places = chosen(need)
	out.P = moved(n.P, places)
	return out, places
}

func pruneAggregate(n *Aggregate, need []bool) (Node, []int) {
	below := make([]bool, len(n.Input.Props().Schema))
	mark(below, n.Keys...)
	for i := range n.Keys {
		need[i] = true
	}
	c := *n
	c.Aggs = nil
	for i, a := range n.Aggs {
		if !need[len(n.Keys)+i] {
			continue
		}
		c.Aggs = append(c.Aggs, a)
		mark(below, a.Args...)
		for _, k := range a.OrderBy {
			mark(below, k.Expr)
		}
		if a.Filter != nil {
			mark(below, a.Filter)
		}
	}
	in, places := prune(n.Input, below)
	move := func(e expr.Expr) expr.Expr { return remap(e, places) }
	c.Input, c.Keys = in, mapExprs(n.Keys, move)
	for i, a := range c.Aggs {
		c.Aggs[i] = mapAgg(a, move)
	}
	places = chosen(need)
	c.P = moved(n.P, places)
	return &c, places
}

// pruneUnion gives all branches exactly the needed columns.
func pruneUnion(n *Union, need []bool) (Node, []int) {
	out := &Union{}
	places := chosen(need)
	for _, br := range n.In {
		in, at := prune(br, need)
		out.In = append(out.In, exactly(in, at, need, br.Props()))
	}
	out.P = moved(n.P, places)
	return out, places
}

// exactly puts a projection over a node that has more than the needed columns.
func exactly(n Node, at []int, need []bool, was *Props) Node {
	p := &Project{Input: n}
	for i, f := range was.Schema {
		if need[i] {
			p.Exprs = append(p.Exprs, &expr.Column{Index: at[i], T: f.Type, Name: f.Name})
		}
	}
	if len(p.Exprs) == len(n.Props().Schema) {
		return n
	}
	p.P = moved(*was, chosen(need))
	return p
}
