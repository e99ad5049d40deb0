package expr

import (
	"math"
	"math/big"
	"math/bits"

	"rhumb/types"
)

// decimalAcc holds the count and the exact power sums of numerics or integers: the sum, and for the variance the sum of squares.
type decimalAcc struct {
	result func(q *quotient, dst []byte, n int64, sums []decimalSums, g uint32) ([]byte, bool)
	n      []int64
	nan    groupBits
	sums   []decimalSums // of x, of x*x
	rows   rowFilter
}

func newDecimalAcc(result func(*quotient, []byte, int64, []decimalSums, uint32) ([]byte, bool), powers int) *decimalAcc {
	return &decimalAcc{result: result, sums: make([]decimalSums, powers)}
}

func (a *decimalAcc) Resize(groups int) {
	a.n = resized(a.n, groups, 0)
	a.nan.resize(groups)
	for i := range a.sums {
		a.sums[i].resize(groups)
	}
}

func (a *decimalAcc) Update(_ *Ctx, groups []uint32, rows []int32, args, _ []*types.Vec, _ *types.Origin) {
	v := args[0]
	groups, rows = a.rows.notNull(v, groups, rows)
	numeric := v.Type.Kind == types.Numeric
	for j, g := range groups {
		a.n[g]++
		if !numeric {
			x := v.I[rows[j]]
			a.add(g, int128{x >> 63, uint64(x)}, 0)
			continue
		}
		b := v.Str(int(rows[j]))
		if len(b) > 0 && b[0] == 'N' {
			a.nan.set(g)
			continue
		}
		if x, scale, ok := parseDecimal(b); ok {
			a.add(g, x, scale)
		} else {
			x, scale := parseBigDecimal(b)
			a.addBig(g, x, scale)
		}
	}
}

func (a *decimalAcc) add(g uint32, x int128, scale int) {
	if len(a.sums) == 1 {
		a.sums[0].add(g, x, scale)
		return
	}
	if x.hi != int64(x.lo)>>63 || int64(x.lo) == math.MinInt64 { // the square might not fit
		var b big.Int
		setInt128(&b, x)
		a.addBig(g, &b, scale)
		return
	}
	abs := uint64(max(int64(x.lo), -int64(x.lo)))
	hi, lo := bits.Mul64(abs, abs)
	a.sums[0].add(g, x, scale)
	a.sums[1].add(g, int128{int64(hi), lo}, 2*scale)
}

func (a *decimalAcc) addBig(g uint32, x *big.Int, scale int) {
	a.sums[0].addBig(g, x, scale)
	if len(a.sums) > 1 {
		a.sums[1].addBig(g, new(big.Int).Mul(x, x), 2*scale)
	}
}

func (a *decimalAcc) Merge(groups []uint32, from Accumulator) {
	f := from.(*decimalAcc)
	for i, g := range groups[:len(f.n)] {
		a.n[g] += f.n[i]
		if f.nan.has(uint32(i)) {
			a.nan.set(g)
		}
		for k := range a.sums {
			a.sums[k].merge(g, &f.sums[k], uint32(i))
		}
	}
}

func (a *decimalAcc) Result(_ *Ctx, out *types.Vec, lo, hi int) {
	var q quotient
	for g := lo; g < hi; g++ {
		start := len(out.Buf)
		b, ok := out.Buf, a.n[g] > 0
		if ok && a.nan.has(uint32(g)) {
			b = append(b, "NaN"...)
		} else if ok {
			b, ok = a.result(&q, b, a.n[g], a.sums, uint32(g))
		}
		if !ok {
			out.AppendNull()
			continue
		}
		out.Buf = b
		out.R = append(out.R, types.StrRef{Off: uint32(start), Len: uint32(len(b) - start)})
	}
}

func decimalSumResult(_ *quotient, dst []byte, _ int64, sums []decimalSums, g uint32) ([]byte, bool) {
	x, scale := sums[0].get(g)
	return appendDecimal(dst, x, scale), true
}

func decimalAvgResult(q *quotient, dst []byte, n int64, sums []decimalSums, g uint32) ([]byte, bool) {
	x, scale := sums[0].get(g)
	return q.append(dst, x, scale, big.NewInt(n), 0), true
}

func (a *decimalAcc) Save(e *types.Encoder) {
	types.EncodeSlice(e, a.n)
	types.EncodeSlice(e, a.nan)
	for i := range a.sums {
		a.sums[i].save(e)
	}
}

func (a *decimalAcc) Load(d *types.Decoder) {
	a.n = types.DecodeSlice[int64](d)
	a.nan.load(d, len(a.n))
	for i := range a.sums {
		a.sums[i].load(d, len(a.n))
	}
	if d.Err != nil {
		*a = *newDecimalAcc(a.result, len(a.sums))
	}
}

func (a *decimalAcc) Bytes() int {
	n := cap(a.n)*8 + cap(a.nan)*8 + a.rows.bytes()
	for i := range a.sums {
		n += a.sums[i].bytes()
	}
	return n
}

// statistic is a member of the variance family.
type statistic struct {
	sample bool // divide by n-1
	root   bool // standard deviation
}

// decimalResult is Postgres's numeric_stddev_internal: (n*sum(x^2) - sum(x)^2) / (n * (n or n-1)).
func (s statistic) decimalResult(q *quotient, dst []byte, n int64, sums []decimalSums, g uint32) ([]byte, bool) {
	if s.sample && n < 2 {
		return dst, false
	}
	x, scale := sums[0].get(g)
	xx, xxScale := sums[1].get(g)
	count := big.NewInt(n)
	xx.Mul(xx, count)
	if up := 2*scale - xxScale; up > 0 { // both scales are equal but for zeros
		xx.Mul(xx, tenTo(up))
	}
	if xx.Sub(xx, x.Mul(x, x)); xx.Sign() <= 0 {
		return append(dst, '0'), true
	}
	d := new(big.Int).Mul(count, count)
	if s.sample {
		d.Sub(d, count)
	}
	rscale := q.scale(xx, 2*scale, d, 0)
	v := q.divide(xx, 2*scale, d, 0, rscale)
	if s.root {
		v = roundedRoot(new(big.Int).Mul(v, tenTo(rscale)))
	}
	return appendDecimal(dst, v, rscale), true
}

// roundedRoot is the square root, rounded to the nearest integer.
func roundedRoot(x *big.Int) *big.Int {
	r := new(big.Int).Sqrt(x)
	if rest := new(big.Int).Sub(x, new(big.Int).Mul(r, r)); rest.Cmp(r) > 0 {
		r.Add(r, big.NewInt(1))
	}
	return r
}

// floatStatAcc is the variance of floats by the method of Youngs and Cramer (Communications of the ACM 14(9), 1971), as
// Postgres computes it.
type floatStatAcc struct {
	stat statistic
	n    []int64
	sx   []float64 // sum
	sxx  []float64 // sum of squared differences from the mean
	over groupBits
	rows rowFilter
}

func (a *floatStatAcc) Resize(groups int) {
	a.n, a.sx, a.sxx = resized(a.n, groups, 0), resized(a.sx, groups, 0), resized(a.sxx, groups, 0)
	a.over.resize(groups)
}

func (a *floatStatAcc) Update(_ *Ctx, groups []uint32, rows []int32, args, _ []*types.Vec, _ *types.Origin) {
	groups, rows = a.rows.notNull(args[0], groups, rows)
	in := args[0].F
	for j, g := range groups {
		a.add(g, in[rows[j]])
	}
}

func (a *floatStatAcc) add(g uint32, x float64) {
	old := a.sx[g]
	n := float64(a.n[g] + 1)
	a.sx[g] += x
	if a.n[g]++; a.n[g] == 1 {
		if x-x != 0 {
			a.sxx[g] = math.NaN()
		}
		return
	}
	tmp := x*n - a.sx[g]
	a.sxx[g] += tmp * tmp / (n * (n - 1))
	if math.IsInf(a.sx[g], 0) || math.IsInf(a.sxx[g], 0) {
		if !math.IsInf(old, 0) && !math.IsInf(x, 0) {
			a.over.set(g)
		}
		a.sxx[g] = math.NaN()
	}
}

func (a *floatStatAcc) Merge(groups []uint32, from Accumulator) {
	f := from.(*floatStatAcc)
	for i, g := range groups[:len(f.n)] {
		if f.over.has(uint32(i)) {
			a.over.set(g)
		}
		n1, n2 := float64(a.n[g]), float64(f.n[i])
		switch {
		case n2 == 0:
			continue
		case n1 == 0:
			a.sx[g], a.sxx[g] = f.sx[i], f.sxx[i]
		default:
			tmp := a.sx[g]/n1 - f.sx[i]/n2
			sx := a.sx[g] + f.sx[i]
			a.sxx[g] += f.sxx[i] + n1*n2*tmp*tmp/(n1+n2)
			if math.IsInf(a.sxx[g], 0) || math.IsInf(sx, 0) && !math.IsInf(a.sx[g], 0) && !math.IsInf(f.sx[i], 0) {
				a.over.set(g)
			}
			a.sx[g] = sx
		}
		a.n[g] += f.n[i]
	}
}

func (a *floatStatAcc) Result(ctx *Ctx, out *types.Vec, lo, hi int) {
	for g := lo; g < hi; g++ {
		n := a.n[g]
		if a.stat.sample {
			n--
		}
		switch {
		case n <= 0:
			out.AppendNull()
		case a.over.has(uint32(g)):
			failResult(ctx, out, floatOverflow())
		default:
			v := a.sxx[g] / float64(n)
			if a.stat.root {
				v = math.Sqrt(v)
			}
			out.F = append(out.F, v)
		}
	}
}

func (a *floatStatAcc) Save(e *types.Encoder) {
	types.EncodeSlice(e, a.n)
	types.EncodeSlice(e, a.sx)
	types.EncodeSlice(e, a.sxx)
	types.EncodeSlice(e, a.over)
}

func (a *floatStatAcc) Load(d *types.Decoder) {
	a.n = types.DecodeSlice[int64](d)
	a.sx = loadColumn[float64](d, len(a.n))
	a.sxx = loadColumn[float64](d, len(a.n))
	a.over.load(d, len(a.n))
	if d.Err != nil {
		*a = floatStatAcc{stat: a.stat}
	}
}

func (a *floatStatAcc) Bytes() int {
	return (cap(a.n)+cap(a.sx)+cap(a.sxx)+cap(a.over))*8 + a.rows.bytes()
}
