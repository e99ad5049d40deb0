package types

import "math/bits"

// Bitmap is a set of row numbers. A nil Bitmap is empty.
type Bitmap []uint64

// Has reports whether i is in the set.
func (b Bitmap) Has(i int) bool { return i>>6 < len(b) && b[i>>6]&(1<<(uint(i)&63)) != 0 }

// Set adds i, growing the bitmap as needed.
func (b *Bitmap) Set(i int) {
	for len(*b) <= i>>6 {
		*b = append(*b, 0)
	}
	(*b)[i>>6] |= 1 << (uint(i) & 63)
}

// Clear removes i.
func (b Bitmap) Clear(i int) {
	if i>>6 < len(b) {
		b[i>>6] &^= 1 << (uint(i) & 63)
	}
}

// Any reports whether the set has a member.
func (b Bitmap) Any() bool {
	for _, w := range b {
		if w != 0 {
			return true
		}
	}
	return false
}

// Count returns the number of members.
func (b Bitmap) Count() int {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// StrRef says where a value of an LStr column lies in the column's Buf. There is no Go pointer per value, so the
// collector has nothing to scan, and equal values may share bytes.
type StrRef struct{ Off, Len uint32 }

// Vec is one column of a batch. Exactly one of B, I, F, R+Buf, V is used, by the layout of Type; it has one entry per
// physical row of the batch. An entry of a NULL row has no meaning (but R entries stay within Buf).
//
// A Vec belongs to whoever filled it. Whoever is handed one may read it during the call and must copy what it keeps.
type Vec struct {
	Type  Type
	Nulls Bitmap // rows that are NULL; nil = none
	B     []bool
	I     []int64
	F     []float64
	R     []StrRef
	Buf   []byte
	V     []Interval
}

// NewVec returns an empty vector with room for n rows.
func NewVec(t Type, n int) *Vec {
	v := &Vec{Type: t}
	switch t.Layout() {
	case LBool:
		v.B = make([]bool, 0, n)
	case LInt:
		v.I = make([]int64, 0, n)
	case LFloat:
		v.F = make([]float64, 0, n)
	case LStr:
		v.R = make([]StrRef, 0, n)
	case LInterval:
		v.V = make([]Interval, 0, n)
	}
	return v
}

// Len is the number of physical rows.
func (v *Vec) Len() int {
	switch v.Type.Layout() {
	case LBool:
		return len(v.B)
	case LInt:
		return len(v.I)
	case LFloat:
		return len(v.F)
	case LStr:
		return len(v.R)
	default:
		return len(v.V)
	}
}

// Reset empties the vector, gives it the type t, and keeps its memory.
func (v *Vec) Reset(t Type) {
	v.Type = t
	v.Nulls = v.Nulls[:0]
	v.B, v.I, v.F, v.R, v.V, v.Buf = v.B[:0], v.I[:0], v.F[:0], v.R[:0], v.V[:0], v.Buf[:0]
}

// Resize makes the vector n rows long with the type t. Entries are whatever was there: the caller sets those that it
// selects. No row is NULL. LStr entries are zeroed, so that each lies within Buf.
func (v *Vec) Resize(t Type, n int) {
	v.Type = t
	v.Nulls = v.Nulls[:0]
	switch t.Layout() {
	case LBool:
		v.B = sized(v.B, n)
	case LInt:
		v.I = sized(v.I, n)
	case LFloat:
		v.F = sized(v.F, n)
	case LStr:
		v.R = sized(v.R, n)
		clear(v.R)
		v.Buf = v.Buf[:0]
	case LInterval:
		v.V = sized(v.V, n)
	}
}

func sized[E any](s []E, n int) []E {
	if cap(s) < n {
		return make([]E, n, n+n/4)
	}
	return s[:n]
}

// Null reports whether row i is NULL.
func (v *Vec) Null(i int) bool { return len(v.Nulls) != 0 && v.Nulls.Has(i) }

// SetNull makes row i NULL.
func (v *Vec) SetNull(i int) { v.Nulls.Set(i) }

// Str returns the bytes of row i of an LStr column; they are borrowed from the vector.
func (v *Vec) Str(i int) []byte {
	r := v.R[i]
	return v.Buf[r.Off : r.Off+r.Len : r.Off+r.Len]
}

// SetStr sets row i of an LStr column to a copy of b.
func (v *Vec) SetStr(i int, b []byte) {
	v.R[i] = StrRef{uint32(len(v.Buf)), uint32(len(b))}
	v.Buf = append(v.Buf, b...)
}

// SetString is SetStr of a string.
func (v *Vec) SetString(i int, s string) {
	v.R[i] = StrRef{uint32(len(v.Buf)), uint32(len(s))}
	v.Buf = append(v.Buf, s...)
}

// AppendStr appends a row with a copy of b to an LStr column.
func (v *Vec) AppendStr(b []byte) {
	v.R = append(v.R, StrRef{uint32(len(v.Buf)), uint32(len(b))})
	v.Buf = append(v.Buf, b...)
}

// AppendNull appends a NULL row.
func (v *Vec) AppendNull() {
	i := v.Len()
	switch v.Type.Layout() {
	case LBool:
		v.B = append(v.B, false)
	case LInt:
		v.I = append(v.I, 0)
	case LFloat:
		v.F = append(v.F, 0)
	case LStr:
		v.R = append(v.R, StrRef{})
	case LInterval:
		v.V = append(v.V, Interval{})
	}
	v.Nulls.Set(i)
}

// AppendFrom appends row i of w, which has the same layout.
func (v *Vec) AppendFrom(w *Vec, i int) {
	if w.Null(i) {
		v.AppendNull()
		return
	}
	switch v.Type.Layout() {
	case LBool:
		v.B = append(v.B, w.B[i])
	case LInt:
		v.I = append(v.I, w.I[i])
	case LFloat:
		v.F = append(v.F, w.F[i])
	case LStr:
		v.AppendStr(w.Str(i))
	case LInterval:
		v.V = append(v.V, w.V[i])
	}
}

// AppendValue appends a value of the vector's type (or NULL).
func (v *Vec) AppendValue(x Value) {
	if x.Null {
		v.AppendNull()
		return
	}
	switch v.Type.Layout() {
	case LBool:
		v.B = append(v.B, x.I != 0)
	case LInt:
		v.I = append(v.I, x.I)
	case LFloat:
		v.F = append(v.F, x.F)
	case LStr:
		v.AppendStr([]byte(x.S))
	case LInterval:
		v.V = append(v.V, x.Iv)
	}
}

// Value returns row i as a scalar that shares nothing with the vector.
func (v *Vec) Value(i int) Value {
	x := Value{Type: v.Type}
	if v.Null(i) {
		x.Null = true
		return x
	}
	switch v.Type.Layout() {
	case LBool:
		if v.B[i] {
			x.I = 1
		}
	case LInt:
		x.I = v.I[i]
	case LFloat:
		x.F = v.F[i]
	case LStr:
		x.S = string(v.Str(i))
	case LInterval:
		x.Iv = v.V[i]
	}
	return x
}

// Bytes is the memory that the vector holds.
func (v *Vec) Bytes() int {
	return cap(v.Nulls)*8 + cap(v.B) + cap(v.I)*8 + cap(v.F)*8 + cap(v.R)*8 + cap(v.Buf) + cap(v.V)*16
}

// Value is one scalar: a constant of a statement, a cell of a result. S holds the bytes of LStr kinds, I booleans (0, 1)
// and the LInt kinds.
type Value struct {
	Type Type
	Null bool
	I    int64
	F    float64
	S    string
	Iv   Interval
}

// NullOf is the NULL of a type.
func NullOf(t Type) Value { return Value{Type: t, Null: true} }

// BoolValue, IntValue, TextValue and FloatValue make values.
func BoolValue(b bool) Value {
	v := Value{Type: T(Bool)}
	if b {
		v.I = 1
	}
	return v
}

// IntValue makes a value of an LInt kind.
func IntValue(k Kind, i int64) Value { return Value{Type: T(k), I: i} }

// FloatValue makes a DOUBLE PRECISION.
func FloatValue(f float64) Value { return Value{Type: T(Float8), F: f} }

// TextValue makes a TEXT.
func TextValue(s string) Value { return Value{Type: T(Text), S: s} }
