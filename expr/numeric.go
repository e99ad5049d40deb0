package expr

import (
	"math"
	"math/big"
	"math/bits"
	"strconv"

	"rhumb/types"
)

// Arithmetic of NUMERIC on its canonical text. Numbers of up to 18 digits are computed in machine words, others by math/big.

// dec is coef / 10^scale.
type dec struct {
	coef  int64
	scale int
}

var pow10 = [19]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// parseDec reads a canonical numeric of at most 18 digits.
func parseDec(b []byte) (d dec, ok bool) {
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	if len(b) > 19 {
		return d, false
	}
	point := -1
	for i, c := range b {
		switch {
		case c == '.':
			point = i
		case c < '0' || c > '9' || i == 18 && point < 0:
			return d, false
		default:
			d.coef = d.coef*10 + int64(c-'0')
		}
	}
	if point >= 0 {
		d.scale = len(b) - point - 1
	}
	if neg {
		d.coef = -d.coef
	}
	return d, true
}

// appendDec appends the canonical text of a dec.
func appendDec(dst []byte, d dec) []byte {
	u := uint64(d.coef)
	if d.coef < 0 {
		dst = append(dst, '-')
		u = -u
	}
	return appendScaled(dst, u, d.scale)
}

func appendScaled(dst []byte, u uint64, scale int) []byte {
	var buf [24]byte
	digits := strconv.AppendUint(buf[:0], u, 10)
	return appendPoint(dst, digits, scale)
}

// appendPoint appends digits with a point before the last scale of them.
func appendPoint(dst, digits []byte, scale int) []byte {
	if scale <= 0 {
		return append(dst, digits...)
	}
	whole := len(digits) - scale
	if whole > 0 {
		dst = append(dst, digits[:whole]...)
		dst = append(dst, '.')
		return append(dst, digits[whole:]...)
	}
	dst = append(dst, "0."...)
	for ; whole < 0; whole++ {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// bigDec is dec of any size.
type bigDec struct {
	coef  *big.Int
	scale int
}

func parseBig(b []byte) bigDec {
	coef, scale := parseBigDecimal(b)
	return bigDec{coef, scale}
}

func (d bigDec) append(dst []byte) []byte { return appendDecimal(dst, d.coef, d.scale) }

// align gives two numbers one scale.
func align(a, b bigDec) (bigDec, bigDec) {
	switch {
	case a.scale < b.scale:
		a.coef.Mul(a.coef, tenTo(b.scale-a.scale))
		a.scale = b.scale
	case b.scale < a.scale:
		b.coef.Mul(b.coef, tenTo(a.scale-b.scale))
		b.scale = a.scale
	}
	return a, b
}

func isNaN(b []byte) bool { return len(b) > 0 && b[0] == 'N' }

const nan = "NaN"

func numericOverflow() *types.Error {
	return types.Errorf(types.CodeOutOfRange, "value overflows numeric format")
}

func divisionByZero() *types.Error {
	return types.Errorf(types.CodeDivisionByZero, "division by zero")
}

// checkSize refuses numbers with more digits than NUMERIC has.
func checkSize(start int, dst []byte) ([]byte, *types.Error) {
	if len(dst)-start > types.MaxNumericIntDigits {
		return dst[:start], numericOverflow()
	}
	return dst, nil
}

// numAdd appends a+b, or a-b.
func numAdd(dst, a, b []byte, minus bool) ([]byte, *types.Error) {
	if isNaN(a) || isNaN(b) {
		return append(dst, nan...), nil
	}
	x, ok1 := parseDec(a)
	y, ok2 := parseDec(b)
	if minus {
		y.coef = -y.coef
	}
	if ok1 && ok2 {
		if x.rescale(y.scale) && y.rescale(x.scale) {
			if s := x.coef + y.coef; (s^x.coef)&(s^y.coef) >= 0 {
				return appendDec(dst, dec{s, x.scale}), nil
			}
		}
	}
	p, q := align(parseBig(a), parseBig(b))
	if minus {
		q.coef.Neg(q.coef)
	}
	p.coef.Add(p.coef, q.coef)
	return checkSize(len(dst), p.append(dst))
}

// rescale raises the scale to at least n, if the number stays a machine word.
func (d *dec) rescale(n int) bool {
	diff := n - d.scale
	if diff <= 0 {
		return true
	}
	if diff > 18 {
		return false
	}
	c, ok := mulInt64(d.coef, pow10[diff])
	d.coef, d.scale = c, n
	return ok
}

func mulInt64(a, b int64) (int64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	c := a * b
	return c, c/b == a && !(a == -1 && b == math.MinInt64) && !(b == -1 && a == math.MinInt64)
}

// maxScale is the largest scale a result may have; digits beyond are rounded.
const maxScale = types.MaxNumericScale

// numMul appends a*b.
func numMul(dst, a, b []byte) ([]byte, *types.Error) {
	if isNaN(a) || isNaN(b) {
		return append(dst, nan...), nil
	}
	x, ok1 := parseDec(a)
	y, ok2 := parseDec(b)
	if ok1 && ok2 {
		if c, ok := mulInt64(x.coef, y.coef); ok {
			return appendDec(dst, dec{c, x.scale + y.scale}), nil
		}
	}
	p, q := parseBig(a), parseBig(b)
	p.coef.Mul(p.coef, q.coef)
	if p.scale += q.scale; p.scale > maxScale {
		p.coef = roundQuo(p.coef, tenTo(p.scale-maxScale))
		p.scale = maxScale
	}
	return checkSize(len(dst), p.append(dst))
}

// roundQuo is a/b rounded half away from zero.
func roundQuo(a, b *big.Int) *big.Int {
	q, r := new(big.Int).QuoRem(a, b, new(big.Int))
	if r.Abs(r).Lsh(r, 1).CmpAbs(b) >= 0 {
		q.Add(q, big.NewInt(int64(a.Sign()*b.Sign())))
	}
	return q
}

// leading returns the weight in base 10000 of a numeric's first digit, and the digit.
func leading(b []byte) (weight, digit int) {
	if len(b) > 0 && b[0] == '-' {
		b = b[1:]
	}
	whole := len(b)
	for i, c := range b {
		if c == '.' {
			whole = i
			break
		}
	}
	first := -1
	for i, c := range b {
		if c != '.' && c != '0' {
			first = i
			break
		}
	}
	if first < 0 {
		return 0, 0
	}
	pos := whole - 1 - first // power of ten of the first digit that is not 0
	if first > whole {
		pos = whole - first
	}
	weight = pos / 4
	if pos < 0 {
		weight = -((3 - pos) / 4)
	}
	// The digit has the decimals from 10^(4*weight+3) down to 10^(4*weight).
	for p := pos; p >= 4*weight; p-- {
		i := whole - 1 - p
		if p < 0 {
			i = whole - p
		}
		c := byte('0')
		if i < len(b) {
			c = b[i]
		}
		digit = digit*10 + int(c-'0')
	}
	return weight, digit
}

// scaleOf is the number of digits behind the point.
func scaleOf(b []byte) int {
	for i, c := range b {
		if c == '.' {
			return len(b) - i - 1
		}
	}
	return 0
}

// divScale is the scale of a quotient: quotient.scale on text.
func divScale(a, b []byte) int {
	w1, d1 := leading(a)
	w2, d2 := leading(b)
	q := w1 - w2
	if d1 <= d2 {
		q--
	}
	return clampScale(minSigDigits-q*4, scaleOf(a), scaleOf(b))
}

// clampScale is a result's scale: as wanted, not less than the operands', at most 1000.
func clampScale(want int, operands ...int) int {
	for _, s := range operands {
		want = max(want, s)
	}
	return min(max(want, 0), maxDisplayScale)
}

// numDiv appends a/b.
func numDiv(dst, a, b []byte) ([]byte, *types.Error) {
	if isNaN(a) || isNaN(b) {
		return append(dst, nan...), nil
	}
	if isZero(b) {
		return dst, divisionByZero()
	}
	scale := divScale(a, b)
	x, ok1 := parseDec(a)
	y, ok2 := parseDec(b)
	// a/b = x*10^shift / y / 10^scale
	shift := scale - x.scale + y.scale
	if ok1 && ok2 && shift >= 0 && shift <= 18 {
		hi, lo := bits.Mul64(abs64(x.coef), uint64(pow10[shift]))
		if d := abs64(y.coef); hi < d {
			q, r := bits.Div64(hi, lo, d)
			if q < math.MaxUint64 {
				if r >= d-r {
					q++
				}
				if (x.coef < 0) != (y.coef < 0) && q != 0 {
					dst = append(dst, '-')
				}
				return appendScaled(dst, q, scale), nil
			}
		}
	}
	var q quotient
	p, d := parseBig(a), parseBig(b)
	return checkSize(len(dst), appendDecimal(dst, q.divide(p.coef, p.scale, d.coef, d.scale, scale), scale))
}

func abs64(x int64) uint64 {
	if x < 0 {
		return -uint64(x)
	}
	return uint64(x)
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c >= '1' && c <= '9' || c == 'N' {
			return false
		}
	}
	return true
}

// numMod appends the remainder of a/b, whose sign is a's.
func numMod(dst, a, b []byte) ([]byte, *types.Error) {
	if isNaN(a) || isNaN(b) {
		return append(dst, nan...), nil
	}
	if isZero(b) {
		return dst, divisionByZero()
	}
	x, ok1 := parseDec(a)
	y, ok2 := parseDec(b)
	if ok1 && ok2 && x.rescale(y.scale) && y.rescale(x.scale) {
		return appendDec(dst, dec{x.coef % y.coef, x.scale}), nil
	}
	p, q := align(parseBig(a), parseBig(b))
	p.coef.Rem(p.coef, q.coef)
	return p.append(dst), nil
}

// numNeg appends -a.
func numNeg(dst, a []byte) []byte {
	switch {
	case isNaN(a) || isZero(a):
		return append(dst, a...)
	case a[0] == '-':
		return append(dst, a[1:]...)
	}
	return append(append(dst, '-'), a...)
}

// numTrunc appends a cut to scale digits behind the point (before it, if negative).
func numTrunc(dst, a []byte, scale int) []byte {
	if isNaN(a) {
		return append(dst, a...)
	}
	d := parseBig(a)
	if scale >= d.scale {
		d.coef.Mul(d.coef, tenTo(scale-d.scale))
	} else {
		d.coef.Quo(d.coef, tenTo(d.scale-scale))
	}
	if scale < 0 {
		d.coef.Mul(d.coef, tenTo(-scale))
		scale = 0
	}
	d.scale = scale
	return d.append(dst)
}

// numFloor appends the next integer below a, or above it if up.
func numFloor(dst, a []byte, up bool) []byte {
	if isNaN(a) {
		return append(dst, a...)
	}
	d := parseBig(a)
	unit := tenTo(d.scale)
	q, r := new(big.Int).QuoRem(d.coef, unit, new(big.Int))
	switch {
	case up && r.Sign() > 0:
		q.Add(q, big.NewInt(1))
	case !up && r.Sign() < 0:
		q.Sub(q, big.NewInt(1))
	}
	return q.Append(dst, 10)
}

// numToInt rounds half away from zero; ok is false if the number is none or does not fit.
func numToInt(a []byte) (n int64, ok bool) {
	if isNaN(a) {
		return 0, false
	}
	if d, ok := parseDec(a); ok {
		unit := pow10[d.scale]
		q, r := d.coef/unit, d.coef%unit
		if abs64(r)*2 >= uint64(unit) {
			q += int64(sign64(d.coef))
		}
		return q, true
	}
	d := parseBig(a)
	q := roundQuo(d.coef, tenTo(d.scale))
	return q.Int64(), q.IsInt64()
}

func sign64(x int64) int {
	switch {
	case x < 0:
		return -1
	case x > 0:
		return 1
	}
	return 0
}

// floatToNum appends what Postgres makes of a float: 15 significant digits (6 of REAL). ok is false for infinities.
func floatToNum(dst []byte, x float64, kind types.Kind) ([]byte, bool) {
	if x != x {
		return append(dst, nan...), true
	}
	if math.IsInf(x, 0) {
		return dst, false
	}
	digits := 15
	if kind == types.Float4 {
		digits = 6
	}
	var buf [400]byte
	s, err := types.ParseNumeric(string(strconv.AppendFloat(buf[:0], x, 'g', digits, 64)))
	if err != nil {
		return dst, false
	}
	return append(dst, s...), true
}
