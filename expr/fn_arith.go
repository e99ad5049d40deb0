package expr

import (
	"math"

	"rhumb/types"
)

var intTypes = []types.Type{tInt2, tInt4, tInt8}

func arithFuncs() []*Func {
	fs := map[string]*Func{}
	var out []*Func
	add := func(name, doc string) *Func {
		f := &Func{Name: name, Kind: Operator, Doc: doc}
		fs[name] = f
		out = append(out, f)
		return f
	}
	add("+", "Sum; unary plus.")
	add("-", "Difference; negation.")
	add("*", "Product.")
	add("/", "Quotient; of integers, cut towards zero.")
	add("%", "Remainder, with the sign of the dividend.")
	add("^", "Power.")
	add("&", "Bitwise and.")
	add("|", "Bitwise or.")
	add("#", "Bitwise exclusive or.")
	add("<<", "Shift left; of networks: is contained in.")
	add(">>", "Shift right; of networks: contains.")
	put := func(name string, ret types.Type, run kernel, args ...types.Type) {
		fs[name].Sigs = append(fs[name].Sigs, sig(ret, run, args...))
	}
	for _, a := range intTypes {
		for _, b := range intTypes {
			wide := a
			if castRank(b.Kind) > castRank(a.Kind) {
				wide = b
			}
			put("+", wide, intAdd(wide.Kind), a, b)
			put("-", wide, intSub(wide.Kind), a, b)
			put("*", wide, intMul(wide.Kind), a, b)
			put("/", wide, intDiv(wide.Kind), a, b)
			if a == b {
				put("%", wide, intMod, a, b)
				put("&", wide, intBits(func(x, y int64) int64 { return x & y }), a, b)
				put("|", wide, intBits(func(x, y int64) int64 { return x | y }), a, b)
				put("#", wide, intBits(func(x, y int64) int64 { return x ^ y }), a, b)
			}
		}
		put("+", a, copyKernel, a)
		put("-", a, intNeg(a.Kind), a)
		put("<<", a, intShift(a.Kind, true), a, tInt4)
		put(">>", a, intShift(a.Kind, false), a, tInt4)
	}
	floats := []types.Type{tFloat4, tFloat8}
	for _, a := range floats {
		for _, b := range floats {
			wide := tFloat8
			if a == b {
				wide = a
			}
			put("+", wide, floatAdd(wide.Kind), a, b)
			put("-", wide, floatSub(wide.Kind), a, b)
			put("*", wide, floatMul(wide.Kind), a, b)
			put("/", wide, floatDiv(wide.Kind), a, b)
		}
		put("+", a, copyKernel, a)
		put("-", a, each(func(f *frame, i int32) { f.out.F[i] = -f.float(0, i) }), a)
	}
	put("^", tFloat8, floatPower, tFloat8, tFloat8)
	put("^", tNumeric, numericPower, tNumeric, tNumeric)
	put("+", tNumeric, numericOp(func(dst, a, b []byte) ([]byte, *types.Error) { return numAdd(dst, a, b, false) }), tNumeric, tNumeric)
	put("-", tNumeric, numericOp(func(dst, a, b []byte) ([]byte, *types.Error) { return numAdd(dst, a, b, true) }), tNumeric, tNumeric)
	put("*", tNumeric, numericOp(numMul), tNumeric, tNumeric)
	put("/", tNumeric, numericOp(numDiv), tNumeric, tNumeric)
	put("%", tNumeric, numericOp(numMod), tNumeric, tNumeric)
	put("+", tNumeric, copyKernel, tNumeric)
	put("-", tNumeric, appending(func(f *frame, i int32, dst []byte) []byte { return numNeg(dst, f.str(0, i)) }), tNumeric)
	return out
}

var copyKernel = each(func(f *frame, i int32) { f.copyArg(i, 0) })

// intRange is the range of an integer kind.
func intRange(k types.Kind) (lo, hi int64) {
	switch k {
	case types.Int2:
		return math.MinInt16, math.MaxInt16
	case types.Int4:
		return math.MinInt32, math.MaxInt32
	}
	return math.MinInt64, math.MaxInt64
}

func outOfRange(k types.Kind) *types.Error {
	name := types.T(k).String()
	switch k {
	case types.Timestamp, types.Timestamptz:
		return types.Errorf(types.CodeDatetimeOverflow, "timestamp out of range")
	case types.Date:
		return types.Errorf(types.CodeDatetimeOverflow, "date out of range")
	case types.IntervalKind:
		return types.Errorf(types.CodeDatetimeOverflow, "interval out of range")
	}
	return types.Errorf(types.CodeOutOfRange, "%s out of range", name)
}

// In the loops below an operation of machine words is checked twice: for the overflow of 64 bits, and for the range of the
// kind; for the 64-bit kind the second check never holds.

func intAdd(k types.Kind) kernel {
	lo, hi := intRange(k)
	return func(f *frame, sel []int32) {
		a, b, out := f.args[0], f.args[1], f.out.I
		for _, i := range sel {
			x, y := a.I[i&a.mask], b.I[i&b.mask]
			s := x + y
			if (s^x)&(s^y) < 0 || s < lo || s > hi {
				f.fail(i, outOfRange(k))
				continue
			}
			out[i] = s
		}
	}
}

func intSub(k types.Kind) kernel {
	lo, hi := intRange(k)
	return func(f *frame, sel []int32) {
		a, b, out := f.args[0], f.args[1], f.out.I
		for _, i := range sel {
			x, y := a.I[i&a.mask], b.I[i&b.mask]
			s := x - y
			if (x^y)&(x^s) < 0 || s < lo || s > hi {
				f.fail(i, outOfRange(k))
				continue
			}
			out[i] = s
		}
	}
}

func intMul(k types.Kind) kernel {
	lo, hi := intRange(k)
	return func(f *frame, sel []int32) {
		a, b, out := f.args[0], f.args[1], f.out.I
		for _, i := range sel {
			s, ok := mulInt64(a.I[i&a.mask], b.I[i&b.mask])
			if !ok || s < lo || s > hi {
				f.fail(i, outOfRange(k))
				continue
			}
			out[i] = s
		}
	}
}

func intDiv(k types.Kind) kernel {
	lo, _ := intRange(k)
	return func(f *frame, sel []int32) {
		a, b, out := f.args[0], f.args[1], f.out.I
		for _, i := range sel {
			x, y := a.I[i&a.mask], b.I[i&b.mask]
			switch {
			case y == 0:
				f.fail(i, divisionByZero())
			case y == -1 && x == lo:
				f.fail(i, outOfRange(k))
			default:
				out[i] = x / y
			}
		}
	}
}

func intMod(f *frame, sel []int32) {
	a, b, out := f.args[0], f.args[1], f.out.I
	for _, i := range sel {
		switch y := b.I[i&b.mask]; y {
		case 0:
			f.fail(i, divisionByZero())
		case -1:
			out[i] = 0
		default:
			out[i] = a.I[i&a.mask] % y
		}
	}
}

func intNeg(k types.Kind) kernel {
	lo, _ := intRange(k)
	return each(func(f *frame, i int32) {
		x := f.int(0, i)
		if x == lo {
			f.fail(i, outOfRange(k))
			return
		}
		f.setInt(i, -x)
	})
}

func intBits(op func(x, y int64) int64) kernel {
	return each(func(f *frame, i int32) { f.setInt(i, op(f.int(0, i), f.int(1, i))) })
}

// intShift shifts as C does on the machines that Postgres runs on: by the count modulo the width of 32 or 64 bits, then cut to
// the kind.
func intShift(k types.Kind, left bool) kernel {
	return each(func(f *frame, i int32) {
		x, n := f.int(0, i), uint64(f.int(1, i))
		if k == types.Int8 {
			n &= 63
		} else {
			n &= 31
		}
		if left {
			x <<= n
		} else {
			x >>= n
		}
		switch k {
		case types.Int2:
			x = int64(int16(x))
		case types.Int4:
			x = int64(int32(x))
		}
		f.setInt(i, x)
	})
}

// single rounds to REAL if the kind is.
func single(k types.Kind, x float64) float64 {
	if k == types.Float4 {
		return float64(float32(x))
	}
	return x
}

func floatRange(what string) *types.Error {
	return types.Errorf(types.CodeOutOfRange, "value out of range: %s", what)
}

// setChecked sets a float that must not be infinite unless an operand is, nor 0 unless mayZero.
func (f *frame) setChecked(i int32, x float64, mayInf, mayZero bool) {
	switch {
	case math.IsInf(x, 0) && !mayInf:
		f.fail(i, floatRange("overflow"))
	case x == 0 && !mayZero:
		f.fail(i, floatRange("underflow"))
	default:
		f.out.F[i] = x
	}
}

func isInf(x float64) bool { return math.IsInf(x, 0) }

func floatAdd(k types.Kind) kernel {
	return func(f *frame, sel []int32) {
		a, b := f.args[0], f.args[1]
		for _, i := range sel {
			x, y := a.F[i&a.mask], b.F[i&b.mask]
			f.setChecked(i, single(k, x+y), isInf(x) || isInf(y), true)
		}
	}
}

func floatSub(k types.Kind) kernel {
	return func(f *frame, sel []int32) {
		a, b := f.args[0], f.args[1]
		for _, i := range sel {
			x, y := a.F[i&a.mask], b.F[i&b.mask]
			f.setChecked(i, single(k, x-y), isInf(x) || isInf(y), true)
		}
	}
}

func floatMul(k types.Kind) kernel {
	return func(f *frame, sel []int32) {
		a, b := f.args[0], f.args[1]
		for _, i := range sel {
			x, y := a.F[i&a.mask], b.F[i&b.mask]
			f.setChecked(i, single(k, x*y), isInf(x) || isInf(y), x == 0 || y == 0)
		}
	}
}

func floatDiv(k types.Kind) kernel {
	return func(f *frame, sel []int32) {
		a, b := f.args[0], f.args[1]
		for _, i := range sel {
			x, y := a.F[i&a.mask], b.F[i&b.mask]
			if y == 0 && x == x {
				f.fail(i, divisionByZero())
				continue
			}
			f.setChecked(i, single(k, x/y), isInf(x), x == 0 || isInf(y))
		}
	}
}

// numericOp is an operation of two numerics.
func numericOp(op func(dst, a, b []byte) ([]byte, *types.Error)) kernel {
	return trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) {
		return op(dst, f.str(0, i), f.str(1, i))
	})
}
