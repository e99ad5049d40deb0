package types

import (
	"encoding/binary"
	"math"
)

// An array value is a sequence of bytes: the count as a varint, then for each element a byte 1 (NULL), or 0 and the value:
// a byte for LBool, 8 bytes for LInt and LFloat, 16 for LInterval, a varint length and the bytes for LStr.

// AppendArrayHeader begins an array of n elements.
func AppendArrayHeader(dst []byte, n int) []byte { return binary.AppendUvarint(dst, uint64(n)) }

// AppendArrayElem appends an element (of the array's element kind) to an array begun with AppendArrayHeader.
func AppendArrayElem(dst []byte, v Value) []byte {
	if v.Null {
		return append(dst, 1)
	}
	dst = append(dst, 0)
	switch v.Type.Layout() {
	case LBool:
		dst = append(dst, byte(v.I))
	case LInt:
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v.I))
	case LFloat:
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.F))
	case LInterval:
		dst = binary.LittleEndian.AppendUint32(dst, uint32(v.Iv.Months))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(v.Iv.Days))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v.Iv.Micros))
	case LStr:
		dst = binary.AppendUvarint(dst, uint64(len(v.S)))
		dst = append(dst, v.S...)
	}
	return dst
}

// AppendArrayRow appends row i of v, a column of the array's element kind, as AppendArrayElem does. The form is exact (it keeps
// a numeric's scale), so that it also serves to keep single values; ReadArrayRow reads it back.
func AppendArrayRow(dst []byte, v *Vec, i int) []byte {
	if v.Null(i) {
		return append(dst, 1)
	}
	dst = append(dst, 0)
	switch v.Type.Layout() {
	case LBool:
		return append(dst, byte(boolInt(v.B[i])))
	case LInt:
		return binary.LittleEndian.AppendUint64(dst, uint64(v.I[i]))
	case LFloat:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.F[i]))
	case LInterval:
		dst = binary.LittleEndian.AppendUint32(dst, uint32(v.V[i].Months))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(v.V[i].Days))
		return binary.LittleEndian.AppendUint64(dst, uint64(v.V[i].Micros))
	default:
		b := v.Str(i)
		dst = binary.AppendUvarint(dst, uint64(len(b)))
		return append(dst, b...)
	}
}

// ReadArrayRow appends the element that comes next in d to out, whose type says what it is; if there is none d.Err is set.
func ReadArrayRow(d *Decoder, out *Vec) {
	if d.Bool() {
		out.AppendNull()
		return
	}
	switch out.Type.Layout() {
	case LBool:
		out.B = append(out.B, d.Bool())
	case LInt:
		out.I = append(out.I, int64(d.U64()))
	case LFloat:
		out.F = append(out.F, d.F64())
	case LInterval:
		out.V = append(out.V, d.interval())
	default:
		out.AppendStr(d.Bytes())
	}
}

func (d *Decoder) interval() Interval {
	parts := d.U64()
	return Interval{Months: int32(parts), Days: int32(parts >> 32), Micros: int64(d.U64())}
}

// EncodeArray makes an array of values of one element kind.
func EncodeArray(elems []Value) []byte {
	b := AppendArrayHeader(nil, len(elems))
	for _, v := range elems {
		b = AppendArrayElem(b, v)
	}
	return b
}

// ArrayLen is the number of elements of an encoded array.
func ArrayLen(b []byte) int {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)) {
		return 0
	}
	return int(n)
}

// DecodeArray returns the elements of an encoded array. Of bytes that are no array it returns what can be read.
func DecodeArray(elem Kind, b []byte) []Value {
	n := ArrayLen(b)
	if n == 0 {
		return nil
	}
	_, w := binary.Uvarint(b)
	d := Decoder{B: b[w:]}
	out := make([]Value, 0, n)
	for range n {
		v := d.arrayElem(T(elem))
		if d.Err != nil {
			break
		}
		out = append(out, v)
	}
	return out
}

func (d *Decoder) arrayElem(t Type) Value {
	if d.Bool() {
		return NullOf(t)
	}
	v := Value{Type: t}
	switch t.Layout() {
	case LBool:
		v.I = int64(boolInt(d.Bool()))
	case LInt:
		v.I = int64(d.U64())
	case LFloat:
		v.F = d.F64()
	case LInterval:
		v.Iv = d.interval()
	case LStr:
		v.S = d.String()
	}
	return v
}
