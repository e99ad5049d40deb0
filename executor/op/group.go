package op

import (
	"rhumb/executor/state"
	"rhumb/expr"
	"rhumb/types"
)

// AggSlot is one aggregate of a group: its call, and the input columns of its evaluated arguments.
type AggSlot struct {
	Call   *expr.AggCall
	Args   []int
	Order  []int
	Filter int // a boolean column; -1 = all rows
}

// GroupSpec describes a grouping; it is shared by all shards.
type GroupSpec struct {
	Keys         []int // input columns of the keys, without those that a window gives
	KeyTypes     []types.Type
	Aggs         []AggSlot
	LineageLimit int // references kept per group; -1 = no lineage at all
	// Search says that a result that cannot be represented (a sum that overflows) is an error; in a continuous query it is NULL.
	Search bool
	// Inner says that the rows are results of another aggregate: the events that they are made of have been counted as used there.
	Inner bool
	// Out lays out a result: for each column of the Aggregate node where it comes from.
	Out []OutCol
}

// OutCol is the source of a result column.
type OutCol struct {
	From OutFrom
	I    int // of a key or an aggregate
	T    types.Type
}

// OutFrom tells the sources of result columns apart.
type OutFrom uint8

// The sources.
const (
	FromKey OutFrom = iota
	FromAgg
	FromStart // of the window
	FromEnd
	FromTime // its end - 1 microsecond
)

// groups is the state of a grouping: dense ids of keys, accumulators and lineage by id.
type groups struct {
	spec    *GroupSpec
	keys    *state.Keys
	accs    []expr.Accumulator
	lineage *state.Lineage
	n       int
	scratch
}

// scratch is memory of one call.
type scratch struct {
	ids   []uint32
	cols  []*types.Vec
	args  []*types.Vec
	order []*types.Vec
	fids  []uint32
	frows []int32
}

func newGroups(spec *GroupSpec) *groups {
	g := &groups{spec: spec, keys: state.NewKeys(spec.KeyTypes)}
	for i := range spec.Aggs {
		g.accs = append(g.accs, spec.Aggs[i].Call.NewAccumulator())
	}
	if spec.LineageLimit >= 0 {
		g.lineage = state.NewLineage(spec.LineageLimit)
	}
	return g
}

// add takes rows into their groups and returns the group of each; the result is valid until the next call.
func (g *groups) add(x *Ctx, b *types.Batch, rows []int32) []uint32 {
	ids := g.find(b, rows)
	for i, acc := range g.accs {
		acc.Resize(g.n)
		slot := &g.spec.Aggs[i]
		args, order := pick(&g.args, b, slot.Args), pick(&g.order, b, slot.Order)
		if slot.Filter < 0 {
			acc.Update(&x.Expr, ids, rows, args, order, &b.Origin)
		} else {
			g.filter(b.Cols[slot.Filter], ids, rows)
			acc.Update(&x.Expr, g.fids, g.frows, args, order, &b.Origin)
		}
	}
	if g.lineage != nil {
		g.lineage.Add(ids, rows, &b.Origin)
	}
	if !g.spec.Inner {
		x.Ledger.Used += int64(len(rows))
	}
	return ids
}

// find gives each row the dense id of its key.
func (g *groups) find(b *types.Batch, rows []int32) []uint32 {
	if cap(g.ids) < len(rows) {
		g.ids = make([]uint32, len(rows)*2)
	}
	ids := g.ids[:len(rows)]
	if len(g.spec.Keys) == 0 {
		clear(ids)
		g.n = 1
		return ids
	}
	g.keys.Find(pick(&g.cols, b, g.spec.Keys), b.Hash, rows, ids)
	g.n = g.keys.Len()
	return ids
}

// pick returns the columns of b that idx names, in buf.
func pick(buf *[]*types.Vec, b *types.Batch, idx []int) []*types.Vec {
	*buf = (*buf)[:0]
	for _, i := range idx {
		*buf = append(*buf, b.Cols[i])
	}
	return *buf
}

// filter sets fids and frows to the rows for which the FILTER is true.
func (g *groups) filter(cond *types.Vec, ids []uint32, rows []int32) {
	g.fids, g.frows = g.fids[:0], g.frows[:0]
	for j, r := range rows {
		if !cond.Null(int(r)) && cond.B[r] {
			g.fids, g.frows = append(g.fids, ids[j]), append(g.frows, r)
		}
	}
}

// window is the window that results are of; the zero value where there is none.
type window struct{ start, end int64 }

// results emits the groups [lo, hi) in batches.
func (g *groups) results(x *Ctx, w window, lo, hi int, out *resultBatch, emit Emit) {
	const most = 1024
	for ; lo < hi; lo += most {
		end := min(lo+most, hi)
		n := end - lo
		out.begin(g.spec, n)
		if len(g.spec.Keys) > 0 {
			g.keys.Decode(out.keys, lo, end)
		}
		for i, acc := range g.accs {
			acc.Result(&x.Expr, out.aggs[i], lo, end)
		}
		var lists *types.Vec
		if g.lineage != nil {
			lists = &out.lists
			lists.Reset(types.T(types.Bytea))
			g.lineage.Result(lo, end, lists)
		}
		if g.spec.Search {
			for _, e := range x.Expr.Errs {
				x.Ledger.Drop(Rejected, &types.Origin{}, 0, e.Err.Code, e.Err.Message)
			}
		}
		x.Expr.Errs = x.Expr.Errs[:0]
		emit(out.finish(g.spec, w, n, lists))
	}
}

func (g *groups) reset() {
	g.keys.Reset()
	for _, a := range g.accs {
		a.Resize(0)
	}
	if g.lineage != nil {
		g.lineage.Reset()
	}
	g.n = 0
}

func (g *groups) save(e *types.Encoder) {
	e.Uvarint(uint64(g.n))
	g.keys.Save(e)
	for _, a := range g.accs {
		a.Save(e)
	}
	if g.lineage != nil {
		g.lineage.Save(e)
	}
}

func (g *groups) load(d *types.Decoder) {
	g.n = int(d.Uvarint())
	g.keys.Load(d)
	if d.Err == nil && (len(g.spec.Keys) > 0 && g.n != g.keys.Len() || len(g.spec.Keys) == 0 && g.n != 0 && g.n != 1) {
		d.Fail("number of groups")
	}
	for _, a := range g.accs {
		a.Load(d)
	}
	if g.lineage != nil {
		g.lineage.Load(d)
	}
	if d.Err != nil {
		return
	}
	for _, a := range g.accs {
		a.Resize(g.n) // it has as many groups, if nothing is damaged
	}
}

func (g *groups) bytes() int {
	n := g.keys.Bytes()
	for _, a := range g.accs {
		n += a.Bytes()
	}
	if g.lineage != nil {
		n += g.lineage.Bytes()
	}
	return n
}

// resultBatch is the memory of a batch of results.
type resultBatch struct {
	keys, aggs       []*types.Vec
	start, end, time types.Vec
	lists            types.Vec
	cols             []*types.Vec
	part             []int32
	off, at          []int64
	batch            types.Batch
}

// begin empties the columns.
func (r *resultBatch) begin(spec *GroupSpec, n int) {
	if r.keys == nil && r.aggs == nil {
		for range spec.KeyTypes {
			r.keys = append(r.keys, &types.Vec{})
		}
		for range spec.Aggs {
			r.aggs = append(r.aggs, &types.Vec{})
		}
	}
	for i, t := range spec.KeyTypes {
		r.keys[i].Reset(t)
	}
	for i := range spec.Aggs {
		r.aggs[i].Reset(spec.Aggs[i].Call.T)
	}
}

// finish lays the result columns out.
func (r *resultBatch) finish(spec *GroupSpec, w window, n int, lists *types.Vec) *types.Batch {
	r.cols = r.cols[:0]
	for _, c := range spec.Out {
		switch c.From {
		case FromKey:
			r.cols = append(r.cols, r.keys[c.I])
		case FromAgg:
			r.cols = append(r.cols, r.aggs[c.I])
		case FromStart:
			r.cols = append(r.cols, fill(&r.start, c.T, n, w.start))
		case FromEnd:
			r.cols = append(r.cols, fill(&r.end, c.T, n, w.end))
		case FromTime:
			r.cols = append(r.cols, fill(&r.time, c.T, n, w.end-1))
		}
	}
	r.part, r.off, r.at = r.part[:0], r.off[:0], r.at[:0]
	for range n {
		r.part, r.off, r.at = append(r.part, 0), append(r.off, 0), append(r.at, w.end-1)
	}
	r.batch = types.Batch{N: n, Cols: r.cols, Origin: types.Origin{Part: r.part, Off: r.off, Time: r.at, Lists: lists}}
	return &r.batch
}

func fill(v *types.Vec, t types.Type, n int, x int64) *types.Vec {
	v.Resize(t, n)
	for i := range v.I {
		v.I[i] = x
	}
	return v
}
