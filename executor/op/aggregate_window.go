package op

import (
	"slices"

	"rhumb/types"
)

// WindowAggregate groups by key and window. A window's results are emitted when the watermark has reached its end, windows in the order of
// their ends, keys in the order in which they came.
//
// Each open window has a table of its own: closing one empties a table, nothing is ever deleted from one.
type WindowAggregate struct {
	spec  *GroupSpec
	start int // input column with the window's start
	size  int64
	open  []*pane // by start
	free  []*pane
	rows  []int32
	rest  []int32
	out   resultBatch
}

type pane struct {
	start int64
	*groups
}

// NewWindowAggregate makes the operator of one shard, for windows of size microseconds whose start is in a column.
func NewWindowAggregate(spec *GroupSpec, start int, size int64) *WindowAggregate {
	return &WindowAggregate{spec: spec, start: start, size: size}
}

// Process implements Operator.
func (a *WindowAggregate) Process(x *Ctx, b *types.Batch, _ Emit) {
	starts := b.Cols[a.start].I
	rest := x.rows(b)
	buf := a.rest
	for len(rest) > 0 {
		// One window at a time: its rows are taken out of rest, the others stay in order.
		s := starts[rest[0]]
		rows, others := a.rows[:0], buf[:0]
		for _, r := range rest {
			if starts[r] == s {
				rows = append(rows, r)
			} else {
				others = append(others, r)
			}
		}
		a.rows = rows
		if s+a.size <= x.Watermark || s <= x.Ended {
			for _, r := range rows {
				x.Ledger.Drop(Late, &b.Origin, r, "", "its window has closed")
			}
		} else {
			a.pane(s).add(x, b, rows)
		}
		// others was filled from rest front to back, so it may overwrite what rest has given up, and does from the second round on.
		buf, rest = others, others
	}
	a.rest = buf[:0]
}

// pane returns the open window that starts at s.
func (a *WindowAggregate) pane(s int64) *pane {
	i, ok := slices.BinarySearchFunc(a.open, s, func(p *pane, s int64) int {
		switch {
		case p.start < s:
			return -1
		case p.start > s:
			return 1
		}
		return 0
	})
	if ok {
		return a.open[i]
	}
	var p *pane
	if n := len(a.free); n > 0 {
		p, a.free = a.free[n-1], a.free[:n-1]
	} else {
		p = &pane{groups: newGroups(a.spec)}
	}
	p.start = s
	a.open = slices.Insert(a.open, i, p)
	return p
}

// Advance implements Operator.
func (a *WindowAggregate) Advance(x *Ctx, p Progress, emit Emit) {
	closed := 0
	for _, w := range a.open {
		if w.start+a.size > p.Watermark {
			break
		}
		w.results(x, window{w.start, w.start + a.size}, 0, w.n, &a.out, emit)
		w.reset()
		if len(a.free) < 2 {
			a.free = append(a.free, w)
		}
		closed++
	}
	a.open = slices.Delete(a.open, 0, closed)
}

// Due implements Operator.
func (a *WindowAggregate) Due() int64 {
	if len(a.open) == 0 {
		return Never
	}
	return a.open[0].start + a.size
}

// Save implements Operator.
func (a *WindowAggregate) Save(e *types.Encoder) {
	e.Uvarint(uint64(len(a.open)))
	for _, w := range a.open {
		e.Varint(w.start)
		w.save(e)
	}
}

// Load implements Operator.
func (a *WindowAggregate) Load(d *types.Decoder) {
	for range d.Len(2) {
		w := &pane{start: d.Varint(), groups: newGroups(a.spec)}
		w.load(d)
		if d.Err != nil {
			return
		}
		a.open = append(a.open, w)
	}
}

// Bytes implements Operator.
func (a *WindowAggregate) Bytes() int {
	n := 0
	for _, w := range a.open {
		n += w.bytes()
	}
	for _, w := range a.free {
		n += w.bytes()
	}
	return n
}
