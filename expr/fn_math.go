package expr

import (
	"math"

	"github.com/cockroachdb/apd/v3"

	"rhumb/types"
)

func mathFuncs() []*Func {
	float1 := func(fn func(x float64) (float64, *types.Error)) Sig {
		return sig(tFloat8, func(f *frame, sel []int32) {
			for _, i := range sel {
				x := f.float(0, i)
				y, err := fn(x)
				if err != nil {
					f.fail(i, err)
					continue
				}
				f.setChecked(i, y, isInf(x), true)
			}
		}, tFloat8)
	}
	plain := func(fn func(float64) float64) Sig {
		return float1(func(x float64) (float64, *types.Error) { return fn(x), nil })
	}
	num1 := func(fn func(dst, a []byte) ([]byte, *types.Error)) Sig {
		return sig(tNumeric, trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) { return fn(dst, f.str(0, i)) }), tNumeric)
	}
	abs := []Sig{plain(math.Abs), num1(func(dst, a []byte) ([]byte, *types.Error) {
		if len(a) > 0 && a[0] == '-' {
			a = a[1:]
		}
		return append(dst, a...), nil
	}), sig(tFloat4, each(func(f *frame, i int32) { f.setFloat(i, math.Abs(f.float(0, i))) }), tFloat4)}
	mod := []Sig{sig(tNumeric, numericOp(numMod), tNumeric, tNumeric)}
	for _, t := range intTypes {
		abs = append(abs, sig(t, intAbs(t.Kind), t))
		mod = append(mod, sig(t, intMod, t, t))
	}
	return []*Func{
		{Name: "abs", Doc: "Absolute value.", Sigs: abs},
		{Name: "mod", Doc: "Remainder, with the sign of the dividend.", Sigs: mod},
		{Name: "div", Doc: "Integer quotient, cut towards zero.", Sigs: []Sig{sig(tNumeric, numericOp(numIntDiv), tNumeric, tNumeric)}},
		{Name: "ceil", Doc: "The nearest integer not less.", Sigs: []Sig{plain(math.Ceil), num1(func(dst, a []byte) ([]byte, *types.Error) { return numFloor(dst, a, true), nil })}},
		{Name: "floor", Doc: "The nearest integer not greater.", Sigs: []Sig{plain(math.Floor), num1(func(dst, a []byte) ([]byte, *types.Error) { return numFloor(dst, a, false), nil })}},
		{Name: "round", Doc: "Rounds: NUMERIC half away from zero, to so many digits behind the point; floats half to even.", Sigs: []Sig{
			plain(math.RoundToEven), num1(func(dst, a []byte) ([]byte, *types.Error) { return numRound(dst, a, 0) }), sig(tNumeric, roundTo, tNumeric, tInt4)}},
		{Name: "trunc", Doc: "Cuts towards zero, to so many digits behind the point.", Sigs: []Sig{
			plain(math.Trunc), num1(func(dst, a []byte) ([]byte, *types.Error) { return numTrunc(dst, a, 0), nil }), sig(tNumeric, truncTo, tNumeric, tInt4)}},
		{Name: "sign", Doc: "-1, 0 or 1.", Sigs: []Sig{plain(floatSign), num1(numSign)}},
		{Name: "sqrt", Doc: "Square root.", Sigs: []Sig{float1(floatSqrt), num1(numSqrt)}},
		{Name: "cbrt", Doc: "Cube root.", Sigs: []Sig{plain(math.Cbrt)}},
		{Name: "exp", Doc: "e to the power.", Sigs: []Sig{float1(floatExp), num1(numExp)}},
		{Name: "ln", Doc: "Natural logarithm.", Sigs: []Sig{float1(floatLog(math.Log)), num1(numLn)}},
		{Name: "log", Doc: "Logarithm to base 10, or to the first argument.", Sigs: []Sig{float1(floatLog(math.Log10)), num1(numLog10), sig(tNumeric, numericOp(numLog), tNumeric, tNumeric)}},
		{Name: "log10", Doc: "Logarithm to base 10.", Sigs: []Sig{float1(floatLog(math.Log10)), num1(numLog10)}},
		{Name: "power", Doc: "Power.", Sigs: []Sig{sig(tFloat8, floatPower, tFloat8, tFloat8), sig(tNumeric, numericPower, tNumeric, tNumeric)}},
		{Name: "pi", Doc: "π.", Sigs: []Sig{sig(tFloat8, each(func(f *frame, i int32) { f.setFloat(i, math.Pi) }))}},
		{Name: "degrees", Doc: "Radians to degrees.", Sigs: []Sig{plain(func(x float64) float64 { return x / (math.Pi / 180) })}},
		{Name: "radians", Doc: "Degrees to radians.", Sigs: []Sig{plain(func(x float64) float64 { return x * (math.Pi / 180) })}},
		{Name: "sin", Doc: "Sine.", Sigs: []Sig{float1(periodic(math.Sin))}},
		{Name: "cos", Doc: "Cosine.", Sigs: []Sig{float1(periodic(math.Cos))}},
		{Name: "tan", Doc: "Tangent.", Sigs: []Sig{float1(periodic(math.Tan))}},
		{Name: "atan", Doc: "Inverse tangent.", Sigs: []Sig{plain(math.Atan)}},
	}
}

func intAbs(k types.Kind) kernel {
	lo, _ := intRange(k)
	return each(func(f *frame, i int32) {
		x := f.int(0, i)
		if x == lo {
			f.fail(i, outOfRange(k))
			return
		}
		f.setInt(i, max(x, -x))
	})
}

func floatSign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	case x != x:
		return 0
	}
	return 0
}

// The SQLSTATEs of arguments outside a function's domain.
const (
	codeLogArgument   = "2201E"
	codePowerArgument = "2201F"
)

func periodic(fn func(float64) float64) func(float64) (float64, *types.Error) {
	return func(x float64) (float64, *types.Error) {
		if isInf(x) {
			return 0, types.Errorf(types.CodeOutOfRange, "input is out of range")
		}
		return fn(x), nil
	}
}

func floatSqrt(x float64) (float64, *types.Error) {
	if x < 0 {
		return 0, types.Errorf(codePowerArgument, "cannot take square root of a negative number")
	}
	return math.Sqrt(x), nil
}

func floatExp(x float64) (float64, *types.Error) {
	y := math.Exp(x)
	if y == 0 && !isInf(x) {
		return 0, floatRange("underflow")
	}
	return y, nil
}

func logArgument(s int) *types.Error {
	if s == 0 {
		return types.Errorf(codeLogArgument, "cannot take logarithm of zero")
	}
	return types.Errorf(codeLogArgument, "cannot take logarithm of a negative number")
}

func floatLog(fn func(float64) float64) func(float64) (float64, *types.Error) {
	return func(x float64) (float64, *types.Error) {
		if x <= 0 {
			return 0, logArgument(sign64(int64(math.Copysign(1, x))) * boolInt(x != 0))
		}
		return fn(x), nil
	}
}

func zeroToNegative() *types.Error {
	return types.Errorf(codePowerArgument, "zero raised to a negative power is undefined")
}

func complexPower() *types.Error {
	return types.Errorf(codePowerArgument, "a negative number raised to a non-integer power yields a complex result")
}

var floatPower = each(func(f *frame, i int32) {
	x, y := f.float(0, i), f.float(1, i)
	switch {
	case x == 0 && y < 0:
		f.fail(i, zeroToNegative())
	case x < 0 && !isInf(x) && !isInf(y) && y == y && math.Floor(y) != y:
		f.fail(i, complexPower())
	default:
		f.setChecked(i, math.Pow(x, y), isInf(x) || isInf(y), x == 0 || isInf(x) || isInf(y))
	}
})

// clampDigits bounds a number of digits, as Postgres does for round and trunc.
func clampDigits(n int64) int { return int(min(max(n, -maxScale), maxScale)) }

func numRound(dst, a []byte, digits int) ([]byte, *types.Error) {
	s, err := types.RoundNumeric(text(a), 0, digits)
	return append(dst, s...), err
}

var roundTo = trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) {
	return numRound(dst, f.str(0, i), clampDigits(f.int(1, i)))
})

var truncTo = appending(func(f *frame, i int32, dst []byte) []byte {
	return numTrunc(dst, f.str(0, i), clampDigits(f.int(1, i)))
})

func numSignOf(a []byte) int {
	switch {
	case isZero(a):
		return 0
	case a[0] == '-':
		return -1
	}
	return 1
}

func numSign(dst, a []byte) ([]byte, *types.Error) {
	if isNaN(a) {
		return append(dst, a...), nil
	}
	return appendDec(dst, dec{coef: int64(numSignOf(a))}), nil
}

func numIntDiv(dst, a, b []byte) ([]byte, *types.Error) {
	if isNaN(a) || isNaN(b) {
		return append(dst, nan...), nil
	}
	if isZero(b) {
		return dst, divisionByZero()
	}
	p, q := align(parseBig(a), parseBig(b))
	return p.coef.Quo(p.coef, q.coef).Append(dst, 10), nil
}

// Roots, logarithms and powers are computed by apd to more digits than Postgres prints, then rounded to its scale.

func decimalContext(digits uint32) *apd.Context { return apd.BaseContext.WithPrecision(digits) }

func toDecimal(a []byte) *apd.Decimal {
	d, _, err := apd.NewFromString(string(a))
	if err != nil {
		return new(apd.Decimal)
	}
	return d
}

// maxTranscendent bounds the digits before the point that exp and fractional powers compute: their time grows with the cube of it, and
// the numbers may be an attacker's.
const maxTranscendent = 1000

func tooManyDigits() *types.Error {
	return types.Errorf(types.CodeOutOfRange, "value out of range: overflow").
		WithHint("The result would have more than %d digits.", maxTranscendent)
}

// transcend computes fn with enough digits for scale digits behind the point of a result whose weight is about 10^weight.
func transcend(dst []byte, scale int, weight float64, fn func(c *apd.Context, d *apd.Decimal) error) ([]byte, *types.Error) {
	c := decimalContext(uint32(max(scale+int(weight), 0) + 12))
	var d apd.Decimal
	if err := fn(c, &d); err != nil {
		return dst, numericOverflow()
	}
	s, perr := types.ParseNumeric(d.Text('f'))
	if perr != nil {
		return dst, perr
	}
	return numRound(dst, []byte(s), scale)
}

func numSqrt(dst, a []byte) ([]byte, *types.Error) {
	if isNaN(a) {
		return append(dst, a...), nil
	}
	if numSignOf(a) < 0 {
		return dst, types.Errorf(codePowerArgument, "cannot take square root of a negative number")
	}
	w, _ := leading(a)
	weight := int(math.Floor(float64((w+1)*4)/2)) - 1
	if (w+1)*4 < 0 {
		weight = (w+1)*4/2 - 1
	}
	scale := clampScale(minSigDigits-weight, scaleOf(a))
	return transcend(dst, scale, float64(weight), func(c *apd.Context, d *apd.Decimal) error {
		_, err := c.Sqrt(d, toDecimal(a))
		return err
	})
}

// asFloat is a numeric as a float, for estimates of weight.
func asFloat(a []byte) float64 {
	f, _ := toDecimal(a).Float64()
	return f
}

const log10e = 0.434294481903252

func numExp(dst, a []byte) ([]byte, *types.Error) {
	if isNaN(a) {
		return append(dst, a...), nil
	}
	weight := min(max(asFloat(a)*log10e, -2000), 1e6)
	if weight > maxTranscendent {
		return dst, tooManyDigits()
	}
	scale := clampScale(minSigDigits-int(weight), scaleOf(a))
	if weight <= -1100 {
		return numRound(dst, []byte("0"), scale)
	}
	return transcend(dst, scale, weight, func(c *apd.Context, d *apd.Decimal) error {
		_, err := c.Exp(d, toDecimal(a))
		return err
	})
}

// lnWeight estimates the decimal weight of ln(a), as estimate_ln_dweight in Postgres's numeric.c.
func lnWeight(a []byte) int {
	one := []byte("1")
	diff, _ := numAdd(nil, a, one, true)
	if f := asFloat(a); f >= 0.9 && f <= 1.1 {
		if isZero(diff) {
			return 0
		}
		w, d := leading(diff)
		return w*4 + int(math.Log10(float64(d)))
	}
	ln := math.Log(asFloat(a))
	if isInf(ln) || ln != ln {
		w, _ := leading(a)
		ln = float64(w) * 4 * math.Ln10
	}
	return int(math.Log10(math.Abs(ln)))
}

func numLn(dst, a []byte) ([]byte, *types.Error) {
	if isNaN(a) {
		return append(dst, a...), nil
	}
	if s := numSignOf(a); s <= 0 {
		return dst, logArgument(s)
	}
	weight := lnWeight(a)
	scale := clampScale(minSigDigits-weight, scaleOf(a))
	return transcend(dst, scale, float64(weight), func(c *apd.Context, d *apd.Decimal) error {
		_, err := c.Ln(d, toDecimal(a))
		return err
	})
}

func numLog10(dst, a []byte) ([]byte, *types.Error) { return numLog(dst, []byte("10"), a) }

func numLog(dst, base, a []byte) ([]byte, *types.Error) {
	if isNaN(a) || isNaN(base) {
		return append(dst, nan...), nil
	}
	for _, x := range [][]byte{base, a} {
		if s := numSignOf(x); s <= 0 {
			return dst, logArgument(s)
		}
	}
	wb, wa := lnWeight(base), lnWeight(a)
	scale := clampScale(minSigDigits-(wa-wb), scaleOf(base), scaleOf(a))
	if types.CompareNumeric(base, []byte("1")) == 0 {
		return dst, divisionByZero()
	}
	return transcend(dst, scale, float64(wa-wb)+8, func(c *apd.Context, d *apd.Decimal) error {
		var num, den apd.Decimal
		if _, err := c.Ln(&num, toDecimal(a)); err != nil {
			return err
		}
		if _, err := c.Ln(&den, toDecimal(base)); err != nil {
			return err
		}
		_, err := c.Quo(d, &num, &den)
		return err
	})
}

var numericPower = numericOp(numPower)

func numPower(dst, a, b []byte) ([]byte, *types.Error) {
	one := []byte("1")
	switch {
	case isNaN(a) || isNaN(b):
		// 1^NaN and NaN^0 are 1, as in IEEE 754.
		if !isNaN(a) && types.CompareNumeric(a, one) == 0 || !isNaN(b) && isZero(b) {
			return append(dst, one...), nil
		}
		return append(dst, nan...), nil
	case isZero(a) && numSignOf(b) < 0:
		return dst, zeroToNegative()
	case isZero(a) && !isZero(b):
		return numRound(dst, a, minSigDigits)
	}
	n, fits := numToInt(b)
	whole := types.CompareNumeric(numTrunc(nil, b, 0), b) == 0
	if numSignOf(a) < 0 && !whole {
		return dst, complexPower()
	}
	if whole && fits && n == int64(int32(n)) {
		return numPowerInt(dst, a, n)
	}
	return numPowerOf(dst, a, b, whole)
}

// decimalWeight estimates log10(|a|^n).
func decimalWeight(a []byte, n float64) float64 {
	var lg apd.Decimal
	base := toDecimal(a)
	base.Negative = false
	if base.IsZero() || n == 0 {
		return 0
	}
	if _, err := decimalContext(20).Log10(&lg, base); err != nil {
		return 0
	}
	f, _ := lg.Float64()
	return f * n
}

// numPowerInt is a^n: of 16 digits behind the point, or as many as a has.
func numPowerInt(dst, a []byte, n int64) ([]byte, *types.Error) {
	scale := clampScale(minSigDigits, scaleOf(a))
	weight := decimalWeight(a, float64(n))
	switch {
	case weight > types.MaxNumericIntDigits:
		return dst, numericOverflow()
	case weight+1 < -float64(scale):
		return numRound(dst, []byte("0"), scale)
	case n == 0:
		return numRound(dst, []byte("1"), scale)
	}
	base := toDecimal(a)
	negative := base.Negative && n%2 != 0
	base.Negative = false
	return transcend(dst, scale, weight+4, func(c *apd.Context, d *apd.Decimal) error {
		_, err := c.Pow(d, base, apd.New(n, 0))
		d.Negative = negative && !d.IsZero()
		return err
	})
}

// numPowerOf is a^b where it is defined; whole says that b is an integer.
func numPowerOf(dst, a, b []byte, whole bool) ([]byte, *types.Error) {
	base := toDecimal(a)
	base.Negative = false
	weight := decimalWeight(a, asFloat(b))
	if weight > maxTranscendent {
		return dst, tooManyDigits()
	}
	if weight+1 < -1000 {
		return numRound(dst, []byte("0"), 1000)
	}
	scale := clampScale(minSigDigits-int(weight), scaleOf(a), scaleOf(b))
	odd := whole && len(b) > 0 && oddInteger(b)
	negative := numSignOf(a) < 0 && odd
	return transcend(dst, scale, weight+4, func(c *apd.Context, d *apd.Decimal) error {
		_, err := c.Pow(d, base, toDecimal(b))
		d.Negative = negative && !d.IsZero()
		return err
	})
}

// oddInteger reports whether a numeric without a fraction that matters is odd.
func oddInteger(b []byte) bool {
	n := len(b) - scaleOf(b)
	if n < len(b) {
		n--
	}
	return n > 0 && (b[n-1]-'0')%2 == 1
}
