package expr

import (
	"math"
	"math/big"
	"math/bits"

	"rhumb/types"
)

// sumIntAcc is sum(smallint | integer): eight bytes a group and two bits.
type sumIntAcc struct {
	sum  []int64
	has  groupBits // groups with a value
	over groupBits // groups whose sum does not fit
	rows rowFilter
}

func (a *sumIntAcc) Resize(groups int) {
	a.sum = resized(a.sum, groups, 0)
	a.has.resize(groups)
	a.over.resize(groups)
}

func (a *sumIntAcc) Update(_ *Ctx, groups []uint32, rows []int32, args, _ []*types.Vec, _ *types.Origin) {
	groups, rows = a.rows.notNull(args[0], groups, rows)
	in, sum, has := args[0].I, a.sum, a.has
	for j, g := range groups {
		x, s := in[rows[j]], sum[g]
		t := s + x
		if (s^t)&(x^t) < 0 {
			a.over.set(g)
		}
		sum[g] = t
		has[g>>6] |= 1 << (g & 63)
	}
}

func (a *sumIntAcc) Merge(groups []uint32, from Accumulator) {
	f := from.(*sumIntAcc)
	for i, x := range f.sum {
		g := groups[i]
		s := a.sum[g]
		t := s + x
		if (s^t)&(x^t) < 0 || f.over.has(uint32(i)) {
			a.over.set(g)
		}
		a.sum[g] = t
		if f.has.has(uint32(i)) {
			a.has.set(g)
		}
	}
}

func (a *sumIntAcc) Result(ctx *Ctx, out *types.Vec, lo, hi int) {
	for g := lo; g < hi; g++ {
		switch {
		case !a.has.has(uint32(g)):
			out.AppendNull()
		case a.over.has(uint32(g)):
			failResult(ctx, out, types.Errorf(types.CodeOutOfRange, "bigint out of range"))
		default:
			out.I = append(out.I, a.sum[g])
		}
	}
}

func (a *sumIntAcc) Save(e *types.Encoder) {
	types.EncodeSlice(e, a.sum)
	types.EncodeSlice(e, a.has)
	types.EncodeSlice(e, a.over)
}

func (a *sumIntAcc) Load(d *types.Decoder) {
	a.sum = types.DecodeSlice[int64](d)
	a.has.load(d, len(a.sum))
	a.over.load(d, len(a.sum))
	if d.Err != nil {
		*a = sumIntAcc{}
	}
}

func (a *sumIntAcc) Bytes() int {
	return cap(a.sum)*8 + cap(a.has)*8 + cap(a.over)*8 + a.rows.bytes()
}

// sumWideAcc is sum(bigint), and avg of integers: the exact sum in 128 bits, which 2^63 rows cannot overflow, and the count.
type sumWideAcc struct {
	avg  bool
	hi   []int64
	lo   []uint64
	n    []int64
	rows rowFilter
}

func (a *sumWideAcc) Resize(groups int) {
	a.hi, a.lo, a.n = resized(a.hi, groups, 0), resized(a.lo, groups, 0), resized(a.n, groups, 0)
}

func (a *sumWideAcc) Update(_ *Ctx, groups []uint32, rows []int32, args, _ []*types.Vec, _ *types.Origin) {
	groups, rows = a.rows.notNull(args[0], groups, rows)
	in, hi, lo, n := args[0].I, a.hi, a.lo, a.n
	for j, g := range groups {
		x := in[rows[j]]
		s, carry := bits.Add64(lo[g], uint64(x), 0)
		lo[g] = s
		hi[g] += x>>63 + int64(carry)
		n[g]++
	}
}

func (a *sumWideAcc) Merge(groups []uint32, from Accumulator) {
	f := from.(*sumWideAcc)
	for i, g := range groups[:len(f.n)] {
		s, carry := bits.Add64(a.lo[g], f.lo[i], 0)
		a.lo[g] = s
		a.hi[g] += f.hi[i] + int64(carry)
		a.n[g] += f.n[i]
	}
}

func (a *sumWideAcc) Result(_ *Ctx, out *types.Vec, lo, hi int) {
	var q quotient
	var sum, n big.Int
	for g := lo; g < hi; g++ {
		switch {
		case a.n[g] == 0:
			out.AppendNull()
		case a.avg:
			setInt128(&sum, int128{a.hi[g], a.lo[g]})
			appendRow(out, func(b []byte) []byte { return q.append(b, &sum, 0, n.SetInt64(a.n[g]), 0) })
		default:
			appendRow(out, func(b []byte) []byte { return appendInt128(b, int128{a.hi[g], a.lo[g]}) })
		}
	}
}

// appendRow appends a row to an LStr column whose bytes f appends.
func appendRow(out *types.Vec, f func(b []byte) []byte) {
	start := len(out.Buf)
	out.Buf = f(out.Buf)
	out.R = append(out.R, types.StrRef{Off: uint32(start), Len: uint32(len(out.Buf) - start)})
}

func (a *sumWideAcc) Save(e *types.Encoder) {
	types.EncodeSlice(e, a.n)
	types.EncodeSlice(e, a.hi)
	types.EncodeSlice(e, a.lo)
}

func (a *sumWideAcc) Load(d *types.Decoder) {
	a.n = types.DecodeSlice[int64](d)
	a.hi = loadColumn[int64](d, len(a.n))
	a.lo = loadColumn[uint64](d, len(a.n))
	if d.Err != nil {
		*a = sumWideAcc{avg: a.avg}
	}
}

func (a *sumWideAcc) Bytes() int { return cap(a.n)*8 + cap(a.hi)*8 + cap(a.lo)*8 + a.rows.bytes() }

// floatAcc is sum and avg of floats, in the order in which the rows come. A sum of REALs is rounded to REAL at every step, as
// in Postgres.
type floatAcc struct {
	kind types.Kind // of the sum
	avg  bool
	sum  []float64
	n    []int64
	over groupBits // finite values gave an infinite sum
	rows rowFilter
}

func (a *floatAcc) Resize(groups int) {
	a.sum, a.n = resized(a.sum, groups, 0), resized(a.n, groups, 0)
	a.over.resize(groups)
}

func (a *floatAcc) Update(_ *Ctx, groups []uint32, rows []int32, args, _ []*types.Vec, _ *types.Origin) {
	groups, rows = a.rows.notNull(args[0], groups, rows)
	in, sum, n := args[0].F, a.sum, a.n
	if a.kind == types.Float4 {
		for j, g := range groups {
			a.add(g, in[rows[j]])
			n[g]++
		}
		return
	}
	for j, g := range groups {
		x, s := in[rows[j]], sum[g]
		t := s + x
		if t-t != 0 && math.IsInf(t, 0) && !math.IsInf(s, 0) && !math.IsInf(x, 0) {
			a.over.set(g)
		}
		sum[g] = t
		n[g]++
	}
}

func (a *floatAcc) add(g uint32, x float64) {
	s := a.sum[g]
	t := s + x
	if a.kind == types.Float4 {
		t = float64(float32(t))
	}
	if math.IsInf(t, 0) && !math.IsInf(s, 0) && !math.IsInf(x, 0) {
		a.over.set(g)
	}
	a.sum[g] = t
}

func (a *floatAcc) Merge(groups []uint32, from Accumulator) {
	f := from.(*floatAcc)
	for i, g := range groups[:len(f.n)] {
		if f.over.has(uint32(i)) {
			a.over.set(g)
		}
		a.add(g, f.sum[i])
		a.n[g] += f.n[i]
	}
}

func floatOverflow() *types.Error {
	return types.Errorf(types.CodeOutOfRange, "value out of range: overflow")
}

func (a *floatAcc) Result(ctx *Ctx, out *types.Vec, lo, hi int) {
	for g := lo; g < hi; g++ {
		switch {
		case a.n[g] == 0:
			out.AppendNull()
		case a.over.has(uint32(g)):
			failResult(ctx, out, floatOverflow())
		case a.avg:
			out.F = append(out.F, a.sum[g]/float64(a.n[g]))
		default:
			out.F = append(out.F, a.sum[g])
		}
	}
}

func (a *floatAcc) Save(e *types.Encoder) {
	types.EncodeSlice(e, a.n)
	types.EncodeSlice(e, a.sum)
	types.EncodeSlice(e, a.over)
}

func (a *floatAcc) Load(d *types.Decoder) {
	a.n = types.DecodeSlice[int64](d)
	a.sum = loadColumn[float64](d, len(a.n))
	a.over.load(d, len(a.n))
	if d.Err != nil {
		*a = floatAcc{kind: a.kind, avg: a.avg}
	}
}

func (a *floatAcc) Bytes() int { return cap(a.n)*8 + cap(a.sum)*8 + cap(a.over)*8 + a.rows.bytes() }
