package expr

import (
	"bytes"
	"math"
	"strconv"
	"unicode/utf8"

	"rhumb/types"
)

// sameBytes reports whether a cast changes the type only.
func sameBytes(from, to types.Type) bool {
	switch {
	case from.Base() == to.Base():
		return to.Mod == 0 || from == to
	case from.IsInt() && to.IsInt():
		return castRank(from.Kind) < castRank(to.Kind)
	case from.Kind == types.Float4 && to.Kind == types.Float8, from.Kind == types.Cidr && to.Kind == types.Inet:
		return true
	}
	return false
}

// castKernel converts values; the pair is one that levelOf allows.
func castKernel(from, to types.Type) kernel {
	switch {
	case from.Base() == to.Base():
		return modifierKernel(to)
	case from.Kind == types.Unknown || from.Kind == types.Text:
		return parseKernel(to)
	case to.Kind == types.Text:
		return limitText(formatKernel, to)
	case from.Kind == types.Array:
		return castArray(from, to)
	case from.IsNumber() && to.IsNumber():
		return castNumber(from, to)
	case from.Kind == types.JSONB:
		return castJSON(to)
	}
	switch to.Kind {
	case types.Bool: // from integer
		return each(func(f *frame, i int32) { f.setBool(i, f.int(0, i) != 0) })
	case types.Int4: // from boolean
		return each(func(f *frame, i int32) { f.setInt(i, int64(boolInt(f.boolean(0, i)))) })
	case types.Cidr: // from inet
		return appending(func(f *frame, i int32, dst []byte) []byte {
			start := len(dst)
			dst = append(dst, f.str(0, i)...)
			types.InetNetwork(dst[start:])
			return dst
		})
	}
	return castTime(from.Kind, to.Kind)
}

// modifierKernel applies varchar(n) and numeric(p,s).
func modifierKernel(to types.Type) kernel {
	if to.Kind == types.Text {
		return appending(func(f *frame, i int32, dst []byte) []byte {
			b := f.str(0, i)
			return append(dst, b[:runePrefix(b, int(to.Mod))]...)
		})
	}
	if to.Kind == types.Numeric {
		return trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) {
			return roundTyped(dst, f.str(0, i), to)
		})
	}
	return copyKernel
}

// roundTyped appends a numeric with the type's modifiers applied.
func roundTyped(dst, a []byte, t types.Type) ([]byte, *types.Error) {
	if t.Mod == 0 {
		return append(dst, a...), nil
	}
	s, err := types.RoundNumeric(text(a), int(t.Mod), int(t.Scale))
	return append(dst, s...), err
}

// runePrefix is the length in bytes of the first n characters.
func runePrefix(b []byte, n int) int {
	if len(b) <= n {
		return len(b)
	}
	pos := 0
	for ; n > 0 && pos < len(b); n-- {
		_, size := utf8.DecodeRune(b[pos:])
		pos += size
	}
	return pos
}

// limitText cuts the texts of a kernel to varchar(n).
func limitText(run kernel, to types.Type) kernel {
	if to.Mod == 0 {
		return run
	}
	return func(f *frame, sel []int32) {
		run(f, sel)
		for _, i := range sel {
			if !f.out.Null(int(i)) {
				f.out.R[i].Len = uint32(runePrefix(f.out.Str(int(i)), int(to.Mod)))
			}
		}
	}
}

// formatKernel makes text.
var formatKernel = appending(func(f *frame, i int32, dst []byte) []byte { return f.appendCast(dst, 0, i) })

// appendCast appends an argument as the cast to text does, which shows booleans as words and the masks of all networks; the
// output functions, which concat uses, show t and leave out a mask of full length.
func (f *frame) appendCast(dst []byte, k int, i int32) []byte {
	a := f.args[k]
	switch a.Type.Kind {
	case types.Bool:
		return strconv.AppendBool(dst, a.B[a.at(i)])
	case types.Inet:
		return types.AppendInet(dst, a.Str(a.at(i)), true)
	}
	return types.AppendText(dst, a.Vec, a.at(i), f.ctx.Zone)
}

// parseKernel reads text.
func parseKernel(to types.Type) kernel {
	if !to.IsInt() {
		return each(func(f *frame, i int32) { f.parse(i, f.str(0, i), to) })
	}
	lo, hi := intRange(to.Kind)
	return each(func(f *frame, i int32) {
		if x, ok := shortInt(f.str(0, i)); ok && x >= lo && x <= hi {
			f.setInt(i, x)
			return
		}
		f.parse(i, f.str(0, i), to)
	})
}

// parse sets row i to what a text says.
func (f *frame) parse(i int32, b []byte, to types.Type) {
	v, err := types.ParseValue(to, text(b), f.ctx.Zone)
	if err != nil {
		f.fail(i, err)
		return
	}
	f.setValue(i, v)
}

// shortInt reads up to 18 digits with a sign and nothing else.
func shortInt(b []byte) (x int64, ok bool) {
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		x = x*10 + int64(c-'0')
	}
	if neg {
		x = -x
	}
	return x, true
}

// castArray converts each element.
func castArray(from, to types.Type) kernel {
	one := castKernel(types.T(from.Elem), types.T(to.Elem))
	if sameBytes(types.T(from.Elem), types.T(to.Elem)) {
		one = nil
	}
	return each(func(f *frame, i int32) {
		elems := types.DecodeArray(from.Elem, f.str(0, i))
		for k, v := range elems {
			if v.Null || one == nil {
				elems[k].Type = types.T(to.Elem)
				continue
			}
			in := newConstNode(v)
			g := frame{ctx: f.ctx, n: 1, args: []arg{{&in.v, 0}}, pos: f.pos}
			g.out.Resize(types.T(to.Elem), 1)
			before := len(f.ctx.Errs)
			one(&g, rowZero)
			if len(f.ctx.Errs) > before {
				f.ctx.Errs[before].Row = i
				f.ctx.Errs = f.ctx.Errs[:before+1]
				f.setNull(i)
				return
			}
			elems[k] = g.out.Value(0)
		}
		f.setStr(i, types.EncodeArray(elems))
	})
}

// castNumber converts between the numeric types where the values change or may not fit.
func castNumber(from, to types.Type) kernel {
	switch {
	case from.IsInt() && to.IsInt():
		lo, hi := intRange(to.Kind)
		return each(func(f *frame, i int32) {
			x := f.int(0, i)
			if x < lo || x > hi {
				f.fail(i, outOfRange(to.Kind))
				return
			}
			f.setInt(i, x)
		})
	case from.IsInt() && to.IsFloat():
		return func(f *frame, sel []int32) {
			a := f.args[0]
			for _, i := range sel {
				f.out.F[i] = single(to.Kind, float64(a.I[a.at(i)]))
			}
		}
	case from.IsInt():
		return trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) {
			if to.Mod == 0 {
				return strconv.AppendInt(dst, f.int(0, i), 10), nil
			}
			f.buf = strconv.AppendInt(f.buf[:0], f.int(0, i), 10)
			return roundTyped(dst, f.buf, to)
		})
	case from.IsFloat() && to.IsInt():
		return floatToInt(to.Kind)
	case from.IsFloat() && to.IsFloat(): // to REAL
		return each(func(f *frame, i int32) {
			x := f.float(0, i)
			f.setChecked(i, single(to.Kind, x), isInf(x), x == 0)
		})
	case from.IsFloat():
		return trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) {
			var ok bool
			if f.buf, ok = floatToNum(f.buf[:0], f.float(0, i), from.Kind); !ok {
				return dst, types.Errorf(types.CodeNotSupported, "numeric infinity is not supported").WithHint("Use double precision.")
			}
			return roundTyped(dst, f.buf, to)
		})
	}
	return each(func(f *frame, i int32) { f.setNumeric(i, f.str(0, i), to) })
}

// setNumeric sets row i to a canonical numeric, as a value of another numeric type.
func (f *frame) setNumeric(i int32, b []byte, to types.Type) {
	if !to.IsInt() {
		f.parse(i, b, to)
		return
	}
	lo, hi := intRange(to.Kind)
	x, ok := numToInt(b)
	switch {
	case isNaN(b):
		f.fail(i, types.Errorf(types.CodeNotSupported, "cannot convert NaN to %s", to))
	case !ok || x < lo || x > hi:
		f.fail(i, outOfRange(to.Kind))
	default:
		f.setInt(i, x)
	}
}

// floatToInt rounds half to even.
func floatToInt(k types.Kind) kernel {
	lo, hi := intRange(k)
	// The bounds as floats: the upper one of BIGINT is not representable, so it is exclusive.
	least, beyond := float64(lo), float64(hi)
	if k != types.Int8 {
		beyond++
	}
	return each(func(f *frame, i int32) {
		x := math.RoundToEven(f.float(0, i))
		if !(x >= least && x < beyond) {
			f.fail(i, outOfRange(k))
			return
		}
		f.setInt(i, int64(x))
	})
}

// castJSON converts a JSON scalar. As in Postgres, a number is read as NUMERIC first, and JSON's null is no number.
func castJSON(to types.Type) kernel {
	want := "number"
	if to.Kind == types.Bool {
		want = "boolean"
	}
	return each(func(f *frame, i int32) {
		b := bytes.TrimSpace(f.str(0, i))
		switch kind := jsonKind(b); {
		case kind != want:
			f.fail(i, types.Errorf(types.CodeInvalidOption, "cannot cast jsonb %s to type %s", kind, to.Base()))
		case to.Kind == types.Bool:
			f.setBool(i, b[0] == 't')
		default:
			if bytes.ContainsAny(b, "eE") {
				s, err := types.ParseNumeric(text(b))
				if err != nil {
					f.fail(i, err)
					return
				}
				b = []byte(s)
			}
			f.setNumeric(i, b, to)
		}
	})
}
