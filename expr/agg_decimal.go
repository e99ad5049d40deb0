package expr

import (
	"math/big"
	"math/bits"
	"strconv"
	"strings"

	"rhumb/types"
)

// int128 is a signed integer in two's complement.
type int128 struct {
	hi int64
	lo uint64
}

// add reports whether the sum fits.
func (a int128) add(b int128) (int128, bool) {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	hi := a.hi + b.hi + int64(carry)
	return int128{hi, lo}, a.hi^b.hi < 0 || a.hi^hi >= 0
}

func (a int128) negative() int128 {
	lo, borrow := bits.Sub64(0, a.lo, 0)
	return int128{-a.hi - int64(borrow), lo}
}

// times multiplies by a small positive number and reports whether the product fits.
func (a int128) times(n uint64) (int128, bool) {
	neg := a.hi < 0
	if neg {
		a = a.negative()
	}
	over, lo := bits.Mul64(a.lo, n)
	top, hi := bits.Mul64(uint64(a.hi), n)
	hi, carry := bits.Add64(hi, over, 0)
	if a.hi < 0 || top != 0 || carry != 0 || hi >= 1<<63 {
		return int128{}, false
	}
	r := int128{int64(hi), lo}
	if neg {
		r = r.negative()
	}
	return r, true
}

// pow10 multiplies by 10^n.
func (a int128) pow10(n int) (int128, bool) {
	ok := true
	for ; n > 0 && ok; n -= 18 {
		a, ok = a.times(powers10[min(n, 18)])
	}
	return a, ok
}

var powers10 = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

func setInt128(z *big.Int, a int128) {
	z.SetInt64(a.hi)
	z.Lsh(z, 64)
	var lo big.Int
	z.Add(z, lo.SetUint64(a.lo))
}

// appendInt128 appends the number in decimal.
func appendInt128(dst []byte, a int128) []byte {
	if a.hi == int64(a.lo)>>63 {
		return strconv.AppendInt(dst, int64(a.lo), 10)
	}
	if a.hi < 0 {
		dst = append(dst, '-')
		a = a.negative()
	}
	// Both halves of the quotient by 10^19 fit 64 bits, for hi is less than 2^63 < 10^19 (of -2^127 it is 2^63).
	q, r := bits.Div64(uint64(a.hi), a.lo, powers10[19])
	if q == 0 {
		return strconv.AppendUint(dst, r, 10)
	}
	dst = strconv.AppendUint(dst, q, 10)
	start := len(dst)
	dst = strconv.AppendUint(dst, r, 10)
	if pad := 19 - (len(dst) - start); pad > 0 {
		dst = append(dst, "0000000000000000000"[:pad]...)
		copy(dst[start+pad:], dst[start:len(dst)-pad])
		copy(dst[start:], "0000000000000000000"[:pad])
	}
	return dst
}

// appendDecimal appends x / 10^scale as a canonical numeric.
func appendDecimal(dst []byte, x *big.Int, scale int) []byte {
	var buf [64]byte
	digits := x.Append(buf[:0], 10)
	if digits[0] == '-' {
		dst, digits = append(dst, '-'), digits[1:]
	}
	return appendPoint(dst, digits, scale)
}

// parseDecimal reads a canonical numeric that is not NaN; ok is false if it does not fit 128 bits.
func parseDecimal(b []byte) (x int128, scale int, ok bool) {
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	word, digits := uint64(0), 0
	ok = true
	flush := func() {
		x, ok = x.times(powers10[digits])
		if ok {
			x, ok = x.add(int128{0, word})
		}
		word, digits = 0, 0
	}
	for i, c := range b {
		if c == '.' {
			scale = len(b) - i - 1
			continue
		}
		word = word*10 + uint64(c-'0')
		if digits++; digits == 18 {
			if flush(); !ok {
				return x, scale, false
			}
		}
	}
	if flush(); neg {
		x = x.negative()
	}
	return x, scale, ok
}

// parseBigDecimal is parseDecimal of any length.
func parseBigDecimal(b []byte) (*big.Int, int) {
	whole, frac, _ := strings.Cut(string(b), ".")
	x, ok := new(big.Int).SetString(whole+frac, 10)
	if !ok {
		x = new(big.Int) // no numeric; a column of NUMERIC holds none such
	}
	return x, len(frac)
}

// quotient divides numerics as Postgres does; it keeps its scratch.
type quotient struct {
	num, den, rem, pow big.Int
	digits             []byte
}

// Postgres's numeric is made of digits to the base 10,000, of which a quotient has at least so many decimal ones.
const (
	minSigDigits    = 16
	maxDisplayScale = 1000
)

// scale is Postgres's select_div_scale: how many digits after the point the quotient of two numerics has.
func (q *quotient) scale(x *big.Int, xScale int, y *big.Int, yScale int) int {
	xw, xd := q.leading(x, xScale)
	yw, yd := q.leading(y, yScale)
	weight := xw - yw
	if xd <= yd {
		weight--
	}
	return min(max(minSigDigits-weight*4, xScale, yScale, 0), maxDisplayScale)
}

// leading returns the weight and the value of the first digit to the base 10,000; of zero both are 0.
func (q *quotient) leading(x *big.Int, scale int) (weight, digit int) {
	if x.Sign() == 0 {
		return 0, 0
	}
	d := x.Append(q.digits[:0], 10)
	q.digits = d
	if d[0] == '-' {
		d = d[1:]
	}
	exp := len(d) - 1 - scale
	if weight = exp / 4; exp < 0 && exp%4 != 0 {
		weight--
	}
	for i := range exp - 4*weight + 1 {
		digit *= 10
		if i < len(d) {
			digit += int(d[i] - '0')
		}
	}
	return weight, digit
}

// append appends x/10^xScale divided by y/10^yScale (not 0), rounded half away from zero.
func (q *quotient) append(dst []byte, x *big.Int, xScale int, y *big.Int, yScale int) []byte {
	scale := q.scale(x, xScale, y, yScale)
	return appendDecimal(dst, q.divide(x, xScale, y, yScale, scale), scale)
}

// divide returns the quotient times 10^scale; it is valid until the next call.
func (q *quotient) divide(x *big.Int, xScale int, y *big.Int, yScale int, scale int) *big.Int {
	q.num.Set(x)
	q.den.Set(y)
	if up := scale + yScale - xScale; up >= 0 {
		q.num.Mul(&q.num, q.tenTo(up))
	} else {
		q.den.Mul(&q.den, q.tenTo(-up))
	}
	neg := q.num.Sign()*q.den.Sign() < 0
	q.num.Abs(&q.num)
	q.den.Abs(&q.den)
	q.num.QuoRem(&q.num, &q.den, &q.rem)
	if q.rem.Lsh(&q.rem, 1).Cmp(&q.den) >= 0 {
		q.num.Add(&q.num, q.pow.SetInt64(1))
	}
	if neg {
		q.num.Neg(&q.num)
	}
	return &q.num
}

func (q *quotient) tenTo(n int) *big.Int {
	if n < len(powers10) {
		return q.pow.SetUint64(powers10[n])
	}
	var ten big.Int
	return q.pow.Exp(ten.SetInt64(10), q.rem.SetInt64(int64(n)), nil)
}

// decimalSums is an exact sum of numerics per group: an integer of 128 bits and its scale, which is the greatest scale
// of the addends; a sum that does not fit goes to big.
type decimalSums struct {
	hi    []int64
	lo    []uint64
	scale []uint16
	big   map[uint32]*big.Int // looked up, never iterated
}

func (s *decimalSums) resize(groups int) {
	if groups == 0 {
		clear(s.big)
	}
	s.hi, s.lo, s.scale = resized(s.hi, groups, 0), resized(s.lo, groups, 0), resized(s.scale, groups, 0)
}

// add adds x / 10^scale to group g.
func (s *decimalSums) add(g uint32, x int128, scale int) {
	if len(s.big) == 0 || s.big[g] == nil {
		sum, y, ok := int128{s.hi[g], s.lo[g]}, x, true
		have := int(s.scale[g])
		if have < scale {
			sum, ok = sum.pow10(scale - have)
		} else if have > scale {
			y, ok = x.pow10(have - scale)
		}
		if ok {
			sum, ok = sum.add(y)
		}
		if ok {
			s.hi[g], s.lo[g], s.scale[g] = sum.hi, sum.lo, uint16(max(scale, have))
			return
		}
	}
	var b big.Int
	setInt128(&b, x)
	s.addBig(g, &b, scale)
}

// addBig is add of a number of any size.
func (s *decimalSums) addBig(g uint32, x *big.Int, scale int) {
	sum, have := s.get(g)
	switch {
	case have < scale:
		sum.Mul(sum, tenTo(scale-have))
	case have > scale:
		x = new(big.Int).Mul(x, tenTo(have-scale))
	}
	if s.big == nil {
		s.big = map[uint32]*big.Int{}
	}
	s.big[g] = sum.Add(sum, x)
	s.scale[g] = uint16(max(scale, have))
}

func tenTo(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// get returns a group's sum, a number of its own, and its scale.
func (s *decimalSums) get(g uint32) (*big.Int, int) {
	z := new(big.Int)
	if b := s.big[g]; b != nil {
		return z.Set(b), int(s.scale[g])
	}
	setInt128(z, int128{s.hi[g], s.lo[g]})
	return z, int(s.scale[g])
}

// merge adds group i of from to group g.
func (s *decimalSums) merge(g uint32, from *decimalSums, i uint32) {
	if from.big[i] != nil {
		x, scale := from.get(i)
		s.addBig(g, x, scale)
		return
	}
	s.add(g, int128{from.hi[i], from.lo[i]}, int(from.scale[i]))
}

func (s *decimalSums) save(e *types.Encoder) {
	types.EncodeSlice(e, s.hi)
	types.EncodeSlice(e, s.lo)
	types.EncodeSlice(e, s.scale)
	e.Uvarint(uint64(len(s.big)))
	for g := uint32(0); len(s.big) > 0 && int(g) < len(s.hi); g++ {
		if b := s.big[g]; b != nil {
			e.Uvarint(uint64(g))
			e.Bool(b.Sign() < 0)
			e.Bytes(b.Bytes())
		}
	}
}

func (s *decimalSums) load(d *types.Decoder, groups int) {
	s.hi, s.lo, s.scale = loadColumn[int64](d, groups), loadColumn[uint64](d, groups), loadColumn[uint16](d, groups)
	for _, n := range s.scale {
		if n > 2*types.MaxNumericScale { // of a square
			d.Fail("numeric sum")
		}
	}
	for range d.Len(3) {
		g, neg, b := d.Uvarint(), d.Bool(), d.Bytes()
		if d.Err != nil || g >= uint64(groups) {
			d.Fail("numeric sum")
			return
		}
		x := new(big.Int).SetBytes(b)
		if neg {
			x.Neg(x)
		}
		if s.big == nil {
			s.big = map[uint32]*big.Int{}
		}
		s.big[uint32(g)] = x
	}
}

func (s *decimalSums) bytes() int { return cap(s.hi)*8 + cap(s.lo)*8 + cap(s.scale)*2 + len(s.big)*128 }
