package op

import "rhumb/types"

// Tumble adds window_start, window_end and window_time to the columns. A row whose time is NULL is in no window and is left out.
type Tumble struct {
	time         int
	size, offset int64
	cols         []*types.Vec
	start, end   types.Vec
	wtime        types.Vec
	sel          []int32 // never nil, which as a selection is all rows
	out          types.Batch
}

// NewTumble makes windows of size microseconds aligned to the epoch plus offset over the time column.
func NewTumble(time int, size, offset int64) *Tumble {
	return &Tumble{time: time, size: size, offset: offset, sel: []int32{}}
}

// Start is the start of the window of size (plus offset) that t is in.
func Start(t, size, offset int64) int64 {
	m := (t - offset) % size
	if m < 0 {
		m += size
	}
	return t - m
}

// Apply implements Transform.
func (w *Tumble) Apply(x *Ctx, b *types.Batch) *types.Batch {
	t := b.Cols[w.time]
	w.start.Resize(t.Type, b.N)
	w.end.Resize(t.Type, b.N)
	w.wtime.Resize(t.Type, b.N)
	sel := x.rows(b)
	w.sel = w.sel[:0]
	for _, i := range sel {
		if t.Null(int(i)) {
			x.Ledger.Drop(Rejected, &b.Origin, i, types.CodeNotNull, "event time is NULL")
			continue
		}
		s := Start(t.I[i], w.size, w.offset)
		w.start.I[i], w.end.I[i], w.wtime.I[i] = s, s+w.size, s+w.size-1
		w.sel = append(w.sel, i)
	}
	w.cols = append(append(w.cols[:0], b.Cols...), &w.start, &w.end, &w.wtime)
	w.out = types.Batch{N: b.N, Sel: w.sel, Cols: w.cols, Origin: b.Origin}
	return &w.out
}
