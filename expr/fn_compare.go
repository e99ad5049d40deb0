package expr

import (
	"bytes"

	"rhumb/types"
)

// cmpOp is a comparison.
type cmpOp uint8

const (
	opEq cmpOp = iota
	opNe
	opLt
	opLe
	opGt
	opGe
)

// flipped is the comparison with its sides changed.
var flipped = [...]cmpOp{opEq, opNe, opGt, opGe, opLt, opLe}

// truth is what a comparison says of "less", "equal" and "greater".
var truth = [...][3]bool{opEq: {false, true, false}, opNe: {true, false, true}, opLt: {true, false, false},
	opLe: {true, true, false}, opGt: {false, false, true}, opGe: {false, true, true}}

func compareFuncs() []*Func {
	docs := [...]string{"Equal.", "Not equal.", "Less than.", "Less than or equal.", "Greater than.", "Greater than or equal."}
	var out []*Func
	for op, name := range [...]string{"=", "<>", "<", "<=", ">", ">="} {
		f := &Func{Name: name, Kind: Operator, Doc: docs[op]}
		ints, floats := []types.Type{tInt2, tInt4, tInt8}, []types.Type{tFloat4, tFloat8}
		for _, family := range [][]types.Type{ints, floats} {
			for _, a := range family {
				for _, b := range family {
					f.Sigs = append(f.Sigs, sig(tBool, compareKernel(a, cmpOp(op)), a, b))
				}
			}
		}
		for _, t := range []types.Type{tText, tBool, tNumeric, tDate, tTime, tTimestamp, tTimestamptz, tInterval, tInet, tUUID, tBytea, tJSONB} {
			f.Sigs = append(f.Sigs, sig(tBool, compareKernel(t, cmpOp(op)), t, t))
		}
		f.Sigs = append(f.Sigs, sig(tBool, orderKernel(cmpOp(op)), anyArray, anyArray))
		out = append(out, f)
	}
	return append(out,
		&Func{Name: "is distinct from", Kind: Construct, Sigs: []Sig{sig(tBool, distinctKernel(false), anyElem, anyElem).nonStrict()}},
		&Func{Name: "is not distinct from", Kind: Construct, Sigs: []Sig{sig(tBool, distinctKernel(true), anyElem, anyElem).nonStrict()}},
		&Func{Name: "greatest", Doc: "The largest of the arguments that are not NULL.", Sigs: []Sig{sig(anyElem, extremeKernel(1), anyElem).variadic().nonStrict()}},
		&Func{Name: "least", Doc: "The smallest of the arguments that are not NULL.", Sigs: []Sig{sig(anyElem, extremeKernel(-1), anyElem).variadic().nonStrict()}},
		&Func{Name: "nullif", Doc: "NULL if the arguments are equal, else the first.", Sigs: []Sig{sig(anyElem, nullifKernel, anyElem, anyElem).nonStrict()}},
	)
}

// compareKernel compares values of the type (or of two types with its layout).
func compareKernel(t types.Type, op cmpOp) kernel {
	switch {
	case t.Layout() == types.LInt:
		return intCompare(op)
	case t.Layout() == types.LFloat:
		return floatCompare(op)
	case t.Kind == types.Text && op <= opNe:
		return textEqual(op == opNe)
	case t.Kind == types.Text:
		return textOrder(op)
	}
	return orderKernel(op)
}

// orderKernel compares anything by types.Compare.
func orderKernel(op cmpOp) kernel {
	is := truth[op]
	return func(f *frame, sel []int32) {
		a, b, out := f.args[0], f.args[1], f.out.B
		for _, i := range sel {
			out[i] = is[1+sign(types.Compare(a.Vec, a.at(i), b.Vec, b.at(i)))]
		}
	}
}

func sign(c int) int {
	switch {
	case c < 0:
		return -1
	case c > 0:
		return 1
	}
	return 0
}

func intCompare(op cmpOp) kernel {
	return func(f *frame, sel []int32) {
		op, a, b := op, f.args[0], f.args[1]
		if a.constant() {
			op, a, b = flipped[op], b, a
		}
		if b.constant() {
			compareConst(op, a.I, b.I[0], sel, f.out.B)
			return
		}
		compareInts(op, a.I, b.I, sel, f.out.B)
	}
}

// compareConst compares a column with a constant, which is not NaN. A NaN of the column is greater, as it must be,
// because > and >= are computed as "not <=" and "not <".
func compareConst[T int64 | float64](op cmpOp, a []T, c T, sel []int32, out []bool) {
	switch op {
	case opEq:
		for _, i := range sel {
			out[i] = a[i] == c
		}
	case opNe:
		for _, i := range sel {
			out[i] = a[i] != c
		}
	case opLt:
		for _, i := range sel {
			out[i] = a[i] < c
		}
	case opLe:
		for _, i := range sel {
			out[i] = a[i] <= c
		}
	case opGt:
		for _, i := range sel {
			out[i] = !(a[i] <= c)
		}
	case opGe:
		for _, i := range sel {
			out[i] = !(a[i] < c)
		}
	}
}

func compareInts(op cmpOp, a, b []int64, sel []int32, out []bool) {
	if op == opGt || op == opGe {
		op, a, b = flipped[op], b, a
	}
	switch op {
	case opEq:
		for _, i := range sel {
			out[i] = a[i] == b[i]
		}
	case opNe:
		for _, i := range sel {
			out[i] = a[i] != b[i]
		}
	case opLt:
		for _, i := range sel {
			out[i] = a[i] < b[i]
		}
	case opLe:
		for _, i := range sel {
			out[i] = a[i] <= b[i]
		}
	}
}

func floatCompare(op cmpOp) kernel {
	slow := orderKernel(op)
	return func(f *frame, sel []int32) {
		op, a, b := op, f.args[0], f.args[1]
		if a.constant() {
			op, a, b = flipped[op], b, a
		}
		if b.constant() && b.F[0] == b.F[0] {
			compareConst(op, a.F, b.F[0], sel, f.out.B)
			return
		}
		slow(f, sel)
	}
}

// textOrder compares by bytes: collation C.
func textOrder(op cmpOp) kernel {
	is := truth[op]
	return func(f *frame, sel []int32) {
		a, b, out := f.args[0], f.args[1], f.out.B
		for _, i := range sel {
			out[i] = is[1+bytes.Compare(a.Str(a.at(i)), b.Str(b.at(i)))]
		}
	}
}

func textEqual(not bool) kernel {
	return func(f *frame, sel []int32) {
		a, b, out := f.args[0], f.args[1], f.out.B
		if a.constant() {
			a, b = b, a
		}
		if !b.constant() {
			for _, i := range sel {
				out[i] = (string(a.Str(int(i))) == string(b.Str(int(i)))) != not
			}
			return
		}
		c := b.Str(0)
		if a.constant() {
			out[sel[0]] = (string(a.Str(0)) == string(c)) != not
			return
		}
		refs, buf, want := a.R, a.Buf, uint32(len(c))
		for _, i := range sel {
			r := refs[i]
			out[i] = (r.Len == want && string(buf[r.Off:r.Off+r.Len]) == string(c)) != not
		}
	}
}

func distinctKernel(not bool) kernel {
	return each(func(f *frame, i int32) {
		a, b := f.args[0], f.args[1]
		same := a.isNull(i) && b.isNull(i)
		if !a.isNull(i) && !b.isNull(i) {
			same = types.Compare(a.Vec, a.at(i), b.Vec, b.at(i)) == 0
		}
		f.out.B[i] = same == not
	})
}

// extremeKernel is GREATEST (1) and LEAST (-1).
func extremeKernel(want int) kernel {
	return each(func(f *frame, i int32) {
		best := -1
		for k, a := range f.args {
			if a.isNull(i) {
				continue
			}
			if best < 0 || sign(types.Compare(a.Vec, a.at(i), f.args[best].Vec, f.args[best].at(i))) == want {
				best = k
			}
		}
		if best < 0 {
			f.setNull(i)
			return
		}
		f.copyArg(i, best)
	})
}

var nullifKernel = each(func(f *frame, i int32) {
	a, b := f.args[0], f.args[1]
	if !a.isNull(i) && !b.isNull(i) && types.Compare(a.Vec, a.at(i), b.Vec, b.at(i)) == 0 {
		f.setNull(i)
		return
	}
	f.copyArg(i, 0)
})
