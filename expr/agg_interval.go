package expr

import "rhumb/types"

// intervalAcc is sum and avg of intervals. The parts are summed apart, months and days in 64 bits, of which only the result
// has to fit 32.
type intervalAcc struct {
	avg          bool
	months, days []int64
	micros       []int64
	n            []int64
	over         groupBits
	rows         rowFilter
}

func (a *intervalAcc) Resize(groups int) {
	a.months, a.days = resized(a.months, groups, 0), resized(a.days, groups, 0)
	a.micros, a.n = resized(a.micros, groups, 0), resized(a.n, groups, 0)
	a.over.resize(groups)
}

func (a *intervalAcc) Update(_ *Ctx, groups []uint32, rows []int32, args, _ []*types.Vec, _ *types.Origin) {
	groups, rows = a.rows.notNull(args[0], groups, rows)
	in := args[0].V
	for j, g := range groups {
		x := in[rows[j]]
		a.add(g, int64(x.Months), int64(x.Days), x.Micros, 1)
	}
}

func (a *intervalAcc) add(g uint32, months, days, micros, n int64) {
	a.months[g] += months
	a.days[g] += days
	s := a.micros[g]
	t := s + micros
	if (s^t)&(micros^t) < 0 {
		a.over.set(g)
	}
	a.micros[g] = t
	a.n[g] += n
}

func (a *intervalAcc) Merge(groups []uint32, from Accumulator) {
	f := from.(*intervalAcc)
	for i, g := range groups[:len(f.n)] {
		a.add(g, f.months[i], f.days[i], f.micros[i], f.n[i])
		if f.over.has(uint32(i)) {
			a.over.set(g)
		}
	}
}

func (a *intervalAcc) Result(ctx *Ctx, out *types.Vec, lo, hi int) {
	for g := lo; g < hi; g++ {
		if a.n[g] == 0 {
			out.AppendNull()
			continue
		}
		months, days := a.months[g], a.days[g]
		if a.over.has(uint32(g)) || months != int64(int32(months)) || days != int64(int32(days)) {
			failResult(ctx, out, types.Errorf(types.CodeDatetimeOverflow, "interval out of range"))
			continue
		}
		v := types.Interval{Months: int32(months), Days: int32(days), Micros: a.micros[g]}
		if a.avg { // a quotient by 1 or more always fits
			months, days, v.Micros, _ = scaleInterval(v, float64(a.n[g]), true)
			v.Months, v.Days = int32(months), int32(days)
		}
		out.V = append(out.V, v)
	}
}

func (a *intervalAcc) Save(e *types.Encoder) {
	types.EncodeSlice(e, a.n)
	types.EncodeSlice(e, a.months)
	types.EncodeSlice(e, a.days)
	types.EncodeSlice(e, a.micros)
	types.EncodeSlice(e, a.over)
}

func (a *intervalAcc) Load(d *types.Decoder) {
	a.n = types.DecodeSlice[int64](d)
	a.months = loadColumn[int64](d, len(a.n))
	a.days = loadColumn[int64](d, len(a.n))
	a.micros = loadColumn[int64](d, len(a.n))
	a.over.load(d, len(a.n))
	if d.Err != nil {
		*a = intervalAcc{avg: a.avg}
	}
}

func (a *intervalAcc) Bytes() int {
	return (cap(a.n)+cap(a.months)+cap(a.days)+cap(a.micros)+cap(a.over))*8 + a.rows.bytes()
}
