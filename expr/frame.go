package expr

import (
	"unsafe"

	"rhumb/types"
)

// Access to a row's arguments, for functions that are not worth a loop of their own.

func (f *frame) boolean(k int, i int32) bool           { a := f.args[k]; return a.B[a.at(i)] }
func (f *frame) int(k int, i int32) int64              { a := f.args[k]; return a.I[a.at(i)] }
func (f *frame) float(k int, i int32) float64          { a := f.args[k]; return a.F[a.at(i)] }
func (f *frame) iv(k int, i int32) types.Interval      { a := f.args[k]; return a.V[a.at(i)] }
func (f *frame) str(k int, i int32) []byte             { a := f.args[k]; return a.Str(a.at(i)) }
func (f *frame) isNull(k int, i int32) bool            { return f.args[k].isNull(i) }
func (f *frame) setInt(i int32, x int64)               { f.out.I[i] = x }
func (f *frame) setFloat(i int32, x float64)           { f.out.F[i] = x }
func (f *frame) setBool(i int32, x bool)               { f.out.B[i] = x }
func (f *frame) setStr(i int32, b []byte)              { f.end(i, append(f.begin(), b...)) }
func (f *frame) setString(i int32, s string)           { f.end(i, append(f.begin(), s...)) }
func (f *frame) setInterval(i int32, v types.Interval) { f.out.V[i] = v }
func (f *frame) setNull(i int32)                       { f.out.SetNull(int(i)) }

// maxResult bounds one text result, and maxArena those of a batch: Postgres allows 1 GB for each value, but here thousands of rows are in
// memory at once.
const (
	maxResult = 64 << 20
	maxArena  = 1 << 30
)

// begin and end append a result to the arena in place: b := f.begin(); b = append(b, ...); f.end(i, b).
func (f *frame) begin() []byte { return f.out.Buf }

func (f *frame) end(i int32, b []byte) {
	start := len(f.out.Buf)
	if len(b)-start > maxResult || len(b) > maxArena {
		f.fail(i, tooLong())
		return
	}
	f.out.R[i] = types.StrRef{Off: uint32(start), Len: uint32(len(b) - start)}
	f.out.Buf = b
}

func tooLong() *types.Error {
	return types.Errorf(types.CodeProgramLimit, "requested length too large").WithHint("A text value has at most %d bytes.", maxResult)
}

// text is b as a string, for the length of the call that it is handed to.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// setValue sets row i of the result to a value of its type.
func (f *frame) setValue(i int32, v types.Value) {
	if v.Null {
		f.setNull(i)
		return
	}
	switch f.out.Type.Layout() {
	case types.LBool:
		f.out.B[i] = v.I != 0
	case types.LInt:
		f.out.I[i] = v.I
	case types.LFloat:
		f.out.F[i] = v.F
	case types.LInterval:
		f.out.V[i] = v.Iv
	case types.LStr:
		f.setString(i, v.S)
	}
}

// copyArg sets row i of the result to that of an argument of the same layout.
func (f *frame) copyArg(i int32, k int) {
	a := f.args[k]
	j := a.at(i)
	if a.Vec.Null(j) {
		f.setNull(i)
		return
	}
	switch f.out.Type.Layout() {
	case types.LBool:
		f.out.B[i] = a.B[j]
	case types.LInt:
		f.out.I[i] = a.I[j]
	case types.LFloat:
		f.out.F[i] = a.F[j]
	case types.LInterval:
		f.out.V[i] = a.V[j]
	case types.LStr:
		f.setStr(i, a.Str(j))
	}
}

// each makes a kernel of a function of one row.
func each(row func(f *frame, i int32)) kernel {
	return func(f *frame, sel []int32) {
		for _, i := range sel {
			row(f, i)
		}
	}
}

// appending makes a kernel of a function that appends a row's result, of an LStr type, to dst.
func appending(row func(f *frame, i int32, dst []byte) []byte) kernel {
	return func(f *frame, sel []int32) {
		for _, i := range sel {
			f.end(i, row(f, i, f.begin()))
		}
	}
}

// trying is appending for functions that can fail.
func trying(row func(f *frame, i int32, dst []byte) ([]byte, *types.Error)) kernel {
	return func(f *frame, sel []int32) {
		for _, i := range sel {
			b, err := row(f, i, f.begin())
			if err != nil {
				f.fail(i, err)
				continue
			}
			f.end(i, b)
		}
	}
}

// constantArg returns the value of argument k of a call, if it is a constant that is not NULL.
func constantArg(args []Expr, k int) (types.Value, bool) {
	if k >= len(args) {
		return types.Value{}, false
	}
	c, ok := args[k].(*Const)
	if !ok || c.Value.Null {
		return types.Value{}, false
	}
	return c.Value, true
}
