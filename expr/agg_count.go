package expr

import "rhumb/types"

// countAcc is count(*) and count(x): eight bytes a group.
type countAcc struct {
	n    []int64
	rows rowFilter
}

func (a *countAcc) Resize(groups int) { a.n = resized(a.n, groups, 0) }

func (a *countAcc) Update(_ *Ctx, groups []uint32, rows []int32, args, _ []*types.Vec, _ *types.Origin) {
	if len(args) > 0 {
		groups, _ = a.rows.notNull(args[0], groups, rows)
	}
	n := a.n
	for _, g := range groups {
		n[g]++
	}
}

func (a *countAcc) Merge(groups []uint32, from Accumulator) {
	for i, n := range from.(*countAcc).n {
		a.n[groups[i]] += n
	}
}

func (a *countAcc) Result(_ *Ctx, out *types.Vec, lo, hi int) { out.I = append(out.I, a.n[lo:hi]...) }
func (a *countAcc) Save(e *types.Encoder)                     { types.EncodeSlice(e, a.n) }
func (a *countAcc) Load(d *types.Decoder)                     { a.n = types.DecodeSlice[int64](d) }
func (a *countAcc) Bytes() int                                { return cap(a.n)*8 + a.rows.bytes() }

// resized makes s n long; new entries are init. n = 0 keeps the memory.
func resized[T any](s []T, n int, init T) []T {
	if n <= len(s) {
		return s[:n]
	}
	old := len(s)
	if n > cap(s) {
		s = append(make([]T, 0, max(n, 2*cap(s))), s...)
	}
	s = s[:n]
	for i := old; i < n; i++ {
		s[i] = init
	}
	return s
}

// groupBits is a set of groups, sized for all of them.
type groupBits []uint64

func (b groupBits) has(g uint32) bool { return b[g>>6]&(1<<(g&63)) != 0 }
func (b groupBits) set(g uint32)      { b[g>>6] |= 1 << (g & 63) }

func (b *groupBits) resize(groups int) { *b = resized(*b, (groups+63)/64, 0) }

// load reads a set for so many groups.
func (b *groupBits) load(d *types.Decoder, groups int) {
	*b = types.DecodeSlice[uint64](d)
	if d.Err == nil && len(*b) != (groups+63)/64 {
		d.Fail("set of groups")
	}
	if d.Err == nil && groups%64 != 0 && (*b)[groups/64]>>(groups%64) != 0 {
		d.Fail("set of groups") // the next Resize counts on zeros
	}
}

// loadColumn reads one value per group.
func loadColumn[T types.Words](d *types.Decoder, groups int) []T {
	s := types.DecodeSlice[T](d)
	if d.Err == nil && len(s) != groups {
		d.Fail("column of groups")
	}
	return s
}

// rowFilter leaves out rows, in memory of its own.
type rowFilter struct {
	groups []uint32
	rows   []int32
}

// notNull returns the rows in which v is not NULL, with their groups; the result is valid until the next call.
func (f *rowFilter) notNull(v *types.Vec, groups []uint32, rows []int32) ([]uint32, []int32) {
	if len(v.Nulls) == 0 {
		return groups, rows
	}
	f.groups, f.rows = f.groups[:0], f.rows[:0]
	for j, r := range rows {
		if !v.Nulls.Has(int(r)) {
			f.groups = append(f.groups, groups[j])
			f.rows = append(f.rows, r)
		}
	}
	return f.groups, f.rows
}

func (f *rowFilter) bytes() int { return cap(f.groups)*4 + cap(f.rows)*4 }

// failResult records that the result at the end of out could not be computed; it is NULL.
func failResult(ctx *Ctx, out *types.Vec, err *types.Error) {
	ctx.Errs = append(ctx.Errs, RowError{Row: int32(out.Len()), Err: err})
	out.AppendNull()
}
