package types

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// Encoder appends values to a buffer in the one binary form that checkpoints, journals and headers use:
// little-endian fixed words, unsigned varints, length-prefixed bytes.
type Encoder struct{ B []byte }

// Uvarint, Varint, U64, F64, Bytes, String and Bool append one value.
func (e *Encoder) Uvarint(x uint64) { e.B = binary.AppendUvarint(e.B, x) }
func (e *Encoder) Varint(x int64)   { e.B = binary.AppendVarint(e.B, x) }
func (e *Encoder) U64(x uint64)     { e.B = binary.LittleEndian.AppendUint64(e.B, x) }
func (e *Encoder) F64(x float64)    { e.U64(math.Float64bits(x)) }
func (e *Encoder) Bytes(b []byte)   { e.Uvarint(uint64(len(b))); e.B = append(e.B, b...) }
func (e *Encoder) String(s string)  { e.Uvarint(uint64(len(s))); e.B = append(e.B, s...) }
func (e *Encoder) Bool(b bool) {
	if b {
		e.B = append(e.B, 1)
	} else {
		e.B = append(e.B, 0)
	}
}

// Words is a pointer-free element whose slices are copied as they lie in memory. Rhumb's files are therefore
// little-endian; the header of each says so.
type Words interface {
	~bool | ~int8 | ~uint8 | ~int16 | ~uint16 | ~int32 | ~uint32 | ~int64 | ~uint64 | ~float64 | StrRef | Interval
}

// EncodeSlice appends a slice of pointer-free elements: its length, then its memory.
func EncodeSlice[T Words](e *Encoder, s []T) {
	e.Uvarint(uint64(len(s)))
	if len(s) > 0 {
		e.B = append(e.B, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(s[0])))...)
	}
}

// Vec appends a column.
func (e *Encoder) Vec(v *Vec) {
	e.Type(v.Type)
	EncodeSlice(e, v.Nulls)
	switch v.Type.Layout() {
	case LBool:
		EncodeSlice(e, v.B)
	case LInt:
		EncodeSlice(e, v.I)
	case LFloat:
		EncodeSlice(e, v.F)
	case LStr:
		EncodeSlice(e, v.R)
		e.Bytes(v.Buf)
	case LInterval:
		EncodeSlice(e, v.V)
	}
}

// Type appends a type.
func (e *Encoder) Type(t Type) {
	e.Uvarint(uint64(t.Kind))
	e.Uvarint(uint64(t.Elem))
	e.Varint(int64(t.Mod))
	e.Varint(int64(t.Scale))
}

// Value appends a scalar.
func (e *Encoder) Value(v Value) {
	e.Type(v.Type)
	e.Bool(v.Null)
	e.Varint(v.I)
	e.F64(v.F)
	e.String(v.S)
	e.Varint(int64(v.Iv.Months))
	e.Varint(int64(v.Iv.Days))
	e.Varint(v.Iv.Micros)
}

// Decoder reads what an Encoder wrote. It never panics and never allocates more than the input's length warrants: after
// the first fault Err is set and every read returns zero. Results of Bytes alias the input.
type Decoder struct {
	B   []byte
	Err error
}

func (d *Decoder) fail(what string) {
	if d.Err == nil {
		d.Err = Errorf(CodeDataCorrupted, "corrupted data: %s", what)
	}
	d.B = nil
}

// Fail sets Err, unless it is set: what was read so far contradicts itself.
func (d *Decoder) Fail(what string) { d.fail(what) }

// Uvarint, Varint, U64, F64, Bytes, String and Bool read one value.
func (d *Decoder) Uvarint() uint64 {
	x, n := binary.Uvarint(d.B)
	if n <= 0 {
		d.fail("varint")
		return 0
	}
	d.B = d.B[n:]
	return x
}

func (d *Decoder) Varint() int64 {
	x, n := binary.Varint(d.B)
	if n <= 0 {
		d.fail("varint")
		return 0
	}
	d.B = d.B[n:]
	return x
}

func (d *Decoder) U64() uint64 {
	if len(d.B) < 8 {
		d.fail("word")
		return 0
	}
	x := binary.LittleEndian.Uint64(d.B)
	d.B = d.B[8:]
	return x
}

func (d *Decoder) F64() float64 { return math.Float64frombits(d.U64()) }

func (d *Decoder) Bytes() []byte {
	n := d.Uvarint()
	if n > uint64(len(d.B)) {
		d.fail("length")
		return nil
	}
	b := d.B[:n:n]
	d.B = d.B[n:]
	return b
}

func (d *Decoder) String() string { return string(d.Bytes()) }

func (d *Decoder) Bool() bool {
	if len(d.B) < 1 || d.B[0] > 1 {
		d.fail("boolean")
		return false
	}
	x := d.B[0] == 1
	d.B = d.B[1:]
	return x
}

// Len reads a count of things that take at least min bytes each.
func (d *Decoder) Len(min int) int {
	n := d.Uvarint()
	if n > uint64(len(d.B)/max(min, 1)) {
		d.fail("count")
		return 0
	}
	return int(n)
}

// DecodeSlice reads what EncodeSlice wrote, into a slice of its own.
func DecodeSlice[T Words](d *Decoder) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	n := d.Len(size)
	if n == 0 {
		return nil
	}
	s := make([]T, n)
	copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), n*size), d.B[:n*size])
	d.B = d.B[n*size:]
	return s
}

// Vec reads a column and verifies that it is sound.
func (d *Decoder) Vec() *Vec {
	v := &Vec{Type: d.Type()}
	v.Nulls = DecodeSlice[uint64](d)
	switch v.Type.Layout() {
	case LBool:
		// Bytes first: a bool of another value than 0 and 1 is undefined in Go.
		for _, b := range DecodeSlice[uint8](d) {
			v.B = append(v.B, b != 0)
		}
	case LInt:
		v.I = DecodeSlice[int64](d)
	case LFloat:
		v.F = DecodeSlice[float64](d)
	case LStr:
		v.R = DecodeSlice[StrRef](d)
		v.Buf = append([]byte(nil), d.Bytes()...)
		for _, r := range v.R {
			if uint64(r.Off)+uint64(r.Len) > uint64(len(v.Buf)) {
				d.fail("string reference")
				return &Vec{Type: v.Type}
			}
		}
	case LInterval:
		v.V = DecodeSlice[Interval](d)
	}
	return v
}

// Type reads a type.
func (d *Decoder) Type() Type {
	k, el := d.Uvarint(), d.Uvarint()
	mod, scale := d.Varint(), d.Varint()
	if k >= uint64(numKinds) || el >= uint64(numKinds) {
		d.fail("type")
		return Type{}
	}
	return Type{Kind: Kind(k), Elem: Kind(el), Mod: int32(mod), Scale: int32(scale)}
}

// Value reads a scalar.
func (d *Decoder) Value() Value {
	return Value{Type: d.Type(), Null: d.Bool(), I: d.Varint(), F: d.F64(), S: d.String(),
		Iv: Interval{Months: int32(d.Varint()), Days: int32(d.Varint()), Micros: d.Varint()}}
}
