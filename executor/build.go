package executor

import (
	"fmt"
	"slices"

	"rhumb/catalog"
	"rhumb/executor/op"
	"rhumb/expr"
	"rhumb/planner"
	"rhumb/types"
)

// builder compiles plans into a program.
type builder struct {
	prog   *program
	search bool
	// uses is, by source, the columns of its object that are needed.
	uses []map[int]bool
}

// open is a plan's rows on their way: pipes that end where the next node continues them. All carry the node's schema.
type open struct {
	pipes  []*pipe
	inputs []int // sources that the rows come from
}

// build compiles plans. A continuous query's plan is an Output; a search's is any other node.
func build(plans []planner.Node, search bool) (*program, error) {
	b := &builder{prog: &program{}, search: search}
	for i, plan := range plans {
		if err := b.plan(i, plan); err != nil {
			return nil, err
		}
	}
	for i, s := range b.prog.sources {
		if err := b.source(i, s); err != nil {
			return nil, err
		}
	}
	return b.prog, nil
}

func (b *builder) plan(q int, plan planner.Node) error {
	root, continuous := plan.(*planner.Output)
	o := &output{index: q, query: q}
	input := plan
	o.cols = visible(plan)
	if continuous {
		input = root.Input
		o.object, o.writer, o.version = root.Object, root.Object.Number, root.Object.Version
		o.id = root.P.ID
		limit := lineageLimit(root.Object)
		o.lineage = limit >= 0
		if !root.Object.Upsert() {
			o.keys = keyColumns(root)
		}
		for _, c := range o.cols {
			name := types.AppendJSONString(nil, []byte(root.P.Schema[c].Name))
			o.names = append(o.names, append(name, ':'))
		}
	}
	b.prog.queries = append(b.prog.queries, &query{object: o.object})
	b.prog.outputs = append(b.prog.outputs, o)
	rows, err := b.compile(q, input)
	if err != nil {
		return err
	}
	for _, p := range rows.pipes {
		p.out = o
	}
	return nil
}

// visible returns the columns of a plan's rows that are not hidden.
func visible(n planner.Node) []int {
	var cols []int
	for c, f := range n.Props().Schema {
		if !f.Hidden {
			cols = append(cols, c)
		}
	}
	return cols
}

// keyColumns returns the columns that make an append stream's record key: those that are its id, without the window's bounds.
func keyColumns(root *planner.Output) []int {
	var keys []int
	for _, c := range root.P.ID.Cols {
		if n := root.P.Schema[c].Name; n != "" && n != "window_start" && n != "window_end" && n != "window_time" {
			keys = append(keys, c)
		}
	}
	return keys
}

// compile compiles a node and what is below it.
func (b *builder) compile(q int, n planner.Node) (open, error) {
	switch n := n.(type) {
	case *planner.Scan:
		return b.scan(q, n)
	case *planner.Filter:
		in, err := b.compile(q, n.Input)
		for _, p := range in.pipes {
			having := p.source < 0
			p.chain = append(p.chain, transform{"filter", func() op.Transform { return op.NewFilter(n.Pred, having) }})
		}
		return in, err
	case *planner.Project:
		in, err := b.compile(q, n.Input)
		in.add(transform{"project", func() op.Transform { return op.NewProject(n.Exprs) }})
		return in, err
	case *planner.Unnest:
		in, err := b.compile(q, n.Input)
		in.add(transform{"unnest", func() op.Transform { return op.NewUnnest(n.Arrays, n.Ordinality) }})
		return in, err
	case *planner.Window:
		in, err := b.compile(q, n.Input)
		in.add(transform{"tumble", func() op.Transform { return op.NewTumble(n.Time, n.Size, n.Offset) }})
		return in, err
	case *planner.Aggregate:
		return b.aggregate(q, n)
	case *planner.Distinct:
		return b.distinct(q, n)
	case *planner.Sort:
		return b.sort(q, n)
	case *planner.Limit:
		in, err := b.compile(q, n.Input)
		if err != nil {
			return in, err
		}
		return b.stage("limit", q, in, 1, nil, func(int) op.Operator { return op.NewLimit(n.Count, n.Offset) }), nil
	case *planner.Union:
		var all open
		for _, in := range n.In {
			o, err := b.compile(q, in)
			if err != nil {
				return all, err
			}
			all.pipes = append(all.pipes, o.pipes...)
			all.inputs = append(all.inputs, o.inputs...)
		}
		return all, nil
	case *planner.Values:
		return b.values(q, n)
	}
	return open{}, fmt.Errorf("BUG: no operator for plan node %T", n)
}

// add appends a stateless operator to every pipe.
func (o *open) add(t transform) {
	for _, p := range o.pipes {
		p.chain = append(p.chain, t)
	}
}

// scan makes a pipe from a source.
func (b *builder) scan(q int, n *planner.Scan) (open, error) {
	src := b.sourceOf(n)
	for _, c := range n.Columns {
		b.uses[src][c] = true
	}
	p := &pipe{query: q, source: src, pick: slices.Clone(n.Columns), system: n.System}
	if n.Access != planner.Log {
		// The batches that the store or the engine hands over have the scan's columns, in order.
		p.pick, p.system = nil, nil
		for i := range n.P.Schema {
			p.pick = append(p.pick, i)
		}
	}
	if n.Filter != nil {
		p.chain = append(p.chain, transform{"filter", func() op.Transform { return op.NewFilter(n.Filter, false) }})
	}
	b.prog.pipes = append(b.prog.pipes, p)
	return open{pipes: []*pipe{p}, inputs: []int{src}}, nil
}

// sourceOf returns the number of the scan's source. Scans of a log share one; other scans have one each.
func (b *builder) sourceOf(n *planner.Scan) int {
	if n.Access == planner.Log {
		for i, s := range b.prog.sources {
			if s.scan == nil && s.object.Number == n.Object.Number {
				return i
			}
		}
	}
	s := &sourceSpec{object: n.Object, time: -1, eventID: -1}
	if n.Access != planner.Log {
		s.scan = n
	}
	b.prog.sources = append(b.prog.sources, s)
	b.uses = append(b.uses, map[int]bool{})
	return len(b.prog.sources) - 1
}

// values makes a source of constant rows.
func (b *builder) values(q int, n *planner.Values) (open, error) {
	batch := &types.Batch{N: len(n.Rows)}
	one := &types.Batch{N: 1}
	for c, f := range n.P.Schema {
		col := types.NewVec(f.Type, len(n.Rows))
		for _, row := range n.Rows {
			var x expr.Ctx
			v := expr.NewEvaluator(row[c]).Eval(&x, one, []int32{0})
			if len(x.Errs) > 0 {
				return open{}, x.Errs[0].Err
			}
			col.AppendFrom(v, 0)
		}
		batch.Cols = append(batch.Cols, col)
	}
	s := &sourceSpec{object: &catalog.Object{}, time: -1, eventID: -1, values: batch}
	b.prog.sources = append(b.prog.sources, s)
	b.uses = append(b.uses, map[int]bool{})
	p := &pipe{query: q, source: len(b.prog.sources) - 1}
	for i := range n.P.Schema {
		p.pick = append(p.pick, i)
	}
	b.prog.pipes = append(b.prog.pipes, p)
	return open{pipes: []*pipe{p}, inputs: []int{p.source}}, nil
}

// stage ends pipes at a stateful operator and returns the pipe that begins there.
func (b *builder) stage(name string, q int, in open, shards int, keys []int, make func(shard int) op.Operator) open {
	slices.Sort(in.inputs)
	st := &stage{name: name, id: fmt.Sprintf("%d/%d", q, len(b.prog.stages)), query: q, shards: shards, make: make, inputs: slices.Compact(in.inputs)}
	if object := b.prog.queries[q].object; object != nil {
		st.id = fmt.Sprintf("%d.%d/%d", object.Number, object.Version, b.stagesOf(q))
	}
	for _, p := range in.pipes {
		p.to, p.keys = st, keys
	}
	st.next = &pipe{query: q, source: -1}
	b.prog.stages = append(b.prog.stages, st)
	return open{pipes: []*pipe{st.next}, inputs: st.inputs}
}

func (b *builder) stagesOf(q int) int {
	n := 0
	for _, s := range b.prog.stages {
		if s.query == q {
			n++
		}
	}
	return n
}

// aggregate puts a projection of keys and arguments in front of the exchange, so that they are evaluated once, column by column, before the rows
// are spread over shards.
func (b *builder) aggregate(q int, n *planner.Aggregate) (open, error) {
	in, err := b.compile(q, n.Input)
	if err != nil {
		return in, err
	}
	spec := &op.GroupSpec{LineageLimit: -1, Search: b.search}
	var exprs []expr.Expr
	place := func(e expr.Expr) int { exprs = append(exprs, e); return len(exprs) - 1 }
	start, err := b.groupKeys(n, spec, place)
	if err != nil {
		return in, err
	}
	for i, a := range n.Aggs {
		slot := op.AggSlot{Call: a, Filter: -1}
		for _, e := range a.Args {
			slot.Args = append(slot.Args, place(e))
		}
		for _, k := range a.OrderBy {
			slot.Order = append(slot.Order, place(k.Expr))
		}
		if a.Filter != nil {
			slot.Filter = place(a.Filter)
		}
		spec.Aggs = append(spec.Aggs, slot)
		spec.Out = append(spec.Out, op.OutCol{From: op.FromAgg, I: i, T: a.T})
	}
	in.add(transform{"project", func() op.Transform { return op.NewProject(exprs) }})
	for _, p := range in.pipes {
		spec.Inner = spec.Inner || p.source < 0
	}
	if object := b.prog.queries[q].object; object != nil {
		spec.LineageLimit = lineageLimit(object)
	}
	size, shards := windowSize(n), numShards
	if len(spec.Keys) == 0 {
		shards = 1
	}
	name := "aggregate"
	if n.Windowed {
		name = "window aggregate"
	}
	return b.stage(name, q, in, shards, spec.Keys, func(int) op.Operator {
		if n.Windowed {
			return op.NewWindowAggregate(spec, start, size)
		}
		return op.NewGlobalAggregate(spec, b.search, b.search && len(n.Keys) == 0)
	}), nil
}

// groupKeys places the keys and says how results lie; it returns the column of the window's start.
func (b *builder) groupKeys(n *planner.Aggregate, spec *op.GroupSpec, place func(expr.Expr) int) (start int, err error) {
	start = -1
	size := windowSize(n)
	for i, k := range n.Keys {
		t := k.Type()
		switch {
		case n.Windowed && i == n.WindowStart:
			start = place(k)
			spec.Out = append(spec.Out, op.OutCol{From: op.FromStart, T: t})
		case n.Windowed && i == n.WindowEnd:
			spec.Out = append(spec.Out, op.OutCol{From: op.FromEnd, T: t})
		case n.Windowed && isWindowTime(n, k):
			spec.Out = append(spec.Out, op.OutCol{From: op.FromTime, T: t})
		default:
			spec.Keys = append(spec.Keys, place(k))
			spec.KeyTypes = append(spec.KeyTypes, t)
			spec.Out = append(spec.Out, op.OutCol{From: op.FromKey, I: len(spec.Keys) - 1, T: t})
		}
	}
	if n.Windowed && start < 0 {
		length := types.Value{Type: types.T(types.IntervalKind), Iv: types.Interval{Micros: size}}
		begin, err := expr.NewCall("-", []expr.Expr{n.Keys[n.WindowEnd], &expr.Const{Value: length}}, 0)
		if err != nil {
			return 0, err
		}
		start = place(begin)
	}
	return start, nil
}

// distinct is a grouping by all columns.
func (b *builder) distinct(q int, n *planner.Distinct) (open, error) {
	in, err := b.compile(q, n.Input)
	if err != nil {
		return in, err
	}
	spec := &op.GroupSpec{LineageLimit: -1}
	for i, f := range n.P.Schema {
		spec.Keys = append(spec.Keys, i)
		spec.KeyTypes = append(spec.KeyTypes, f.Type)
		spec.Out = append(spec.Out, op.OutCol{From: op.FromKey, I: i, T: f.Type})
	}
	return b.stage("distinct", q, in, numShards, spec.Keys, func(int) op.Operator { return op.NewGlobalAggregate(spec, true, false) }), nil
}

// sort puts the keys behind the columns.
func (b *builder) sort(q int, n *planner.Sort) (open, error) {
	in, err := b.compile(q, n.Input)
	if err != nil {
		return in, err
	}
	width := len(n.P.Schema)
	var exprs []expr.Expr
	for i, f := range n.P.Schema {
		exprs = append(exprs, &expr.Column{Index: i, T: f.Type, Name: f.Name})
	}
	var keys []op.SortKey
	for _, k := range n.Keys {
		keys = append(keys, op.SortKey{Col: len(exprs), Desc: k.Desc, NullsFirst: k.NullsFirst})
		exprs = append(exprs, k.Expr)
	}
	in.add(transform{"project", func() op.Transform { return op.NewProject(exprs) }})
	return b.stage("sort", q, in, 1, nil, func(int) op.Operator { return op.NewSort(keys, n.Limit, width) }), nil
}
