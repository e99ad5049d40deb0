package decode

import (
	"encoding/binary"
	"math"

	"rhumb/types"
)

// readArray reads an array of values, or one value as an array of one. A value that the element type cannot hold makes the whole array NULL.
func (r *valueReader) readArray(c *conv, v *types.Vec, row int, p []byte, i, depth int) (int, outcome) {
	r.elems = r.elems[:0]
	if p[i] != '[' {
		end, out := r.readElem(c.elem, p, i, depth)
		return end, r.putArray(v, row, 1, out, end-i)
	}
	if depth >= r.maxDepth {
		return r.tooDeep(i), isNull
	}
	begin := i
	i = space(p, i+1)
	if i < len(p) && p[i] == ']' {
		return i + 1, r.putArray(v, row, 0, 0, 2)
	}
	n, all := 0, outcome(0)
	for {
		var end int
		var out outcome
		if all&isBad != 0 || len(r.elems) > maxSize(len(p)) {
			end, out = r.bad(p, i, depth+1) // the rest is only validated
		} else {
			end, out = r.readElem(c.elem, p, i, depth+1)
		}
		if end < 0 {
			return -1, isNull
		}
		n++
		all |= out
		i = space(p, end)
		switch {
		case i < len(p) && p[i] == ',':
			i = space(p, i+1)
		case i < len(p) && p[i] == ']':
			return i + 1, r.putArray(v, row, n, all, i-begin)
		default:
			return r.unexpected(p, i, "',' or ']'"), isNull
		}
	}
}

// readElem appends the value at p[i] to r.elems. A NULL is an element, not an outcome.
func (r *valueReader) readElem(c *conv, p []byte, i, depth int) (int, outcome) {
	r.elem.Resize(c.typ, 1)
	end, out := r.read(c, &r.elem, 0, p, i, depth)
	if end < 0 || out&isBad != 0 {
		return end, out
	}
	if out&isNull != 0 {
		r.elems = append(r.elems, 1)
		return end, 0
	}
	r.elems = append(r.elems, 0)
	switch e := &r.elem; c.typ.Layout() {
	case types.LBool:
		b := byte(0)
		if e.B[0] {
			b = 1
		}
		r.elems = append(r.elems, b)
	case types.LInt:
		r.elems = binary.LittleEndian.AppendUint64(r.elems, uint64(e.I[0]))
	case types.LFloat:
		r.elems = binary.LittleEndian.AppendUint64(r.elems, math.Float64bits(e.F[0]))
	case types.LInterval:
		r.elems = types.AppendArrayElem(r.elems[:len(r.elems)-1], types.Value{Type: c.typ, Iv: e.V[0]})
	case types.LStr:
		r.elems = binary.AppendUvarint(r.elems, uint64(e.R[0].Len))
		r.elems = append(r.elems, e.Str(0)...)
	}
	return end, out
}

// putArray sets row of v to the n elements in r.elems, which took size bytes of the payload.
func (r *valueReader) putArray(v *types.Vec, row, n int, out outcome, size int) outcome {
	if out&isBad != 0 || len(r.elems) > maxSize(size) {
		return isNull | isBad
	}
	at := len(v.Buf)
	v.Buf = append(types.AppendArrayHeader(v.Buf, n), r.elems...)
	v.R[row] = types.StrRef{Off: uint32(at), Len: uint32(len(v.Buf) - at)}
	return out
}
