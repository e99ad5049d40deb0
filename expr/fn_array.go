package expr

import (
	"bytes"
	"encoding/binary"
	"math"

	"rhumb/types"
)

// arrayIter steps through an encoded array (types/array.go) in place.
type arrayIter struct {
	b      []byte
	left   int
	layout types.Layout
	null   bool
	raw    []byte // the element: 1, 8 or 16 bytes, or those of an LStr
}

func elements(b []byte, elem types.Type) arrayIter {
	n, w := binary.Uvarint(b)
	if w <= 0 {
		return arrayIter{}
	}
	return arrayIter{b: b[w:], left: int(n), layout: elem.Layout()}
}

func (it *arrayIter) next() bool {
	if it.left == 0 || len(it.b) == 0 {
		return false
	}
	it.left--
	it.null, it.b = it.b[0] == 1, it.b[1:]
	if it.null {
		return true
	}
	n := 8
	switch it.layout {
	case types.LBool:
		n = 1
	case types.LInterval:
		n = 16
	case types.LStr:
		size, w := binary.Uvarint(it.b)
		it.b, n = it.b[max(w, 0):], int(size)
	}
	if n < 0 || n > len(it.b) {
		return false
	}
	it.raw, it.b = it.b[:n], it.b[n:]
	return true
}

// store sets row i of a vector to the element.
func (it *arrayIter) store(v *types.Vec, i int) {
	if it.null {
		v.SetNull(i)
		return
	}
	switch it.layout {
	case types.LBool:
		v.B[i] = it.raw[0] != 0
	case types.LInt:
		v.I[i] = int64(binary.LittleEndian.Uint64(it.raw))
	case types.LFloat:
		v.F[i] = math.Float64frombits(binary.LittleEndian.Uint64(it.raw))
	case types.LInterval:
		v.V[i] = types.Interval{Months: int32(binary.LittleEndian.Uint32(it.raw)),
			Days: int32(binary.LittleEndian.Uint32(it.raw[4:])), Micros: int64(binary.LittleEndian.Uint64(it.raw[8:]))}
	case types.LStr:
		v.SetStr(i, it.raw)
	}
}

func arrayFuncs() []*Func {
	return []*Func{
		{Name: "array", Kind: Construct, Sigs: []Sig{sig(anyArray, buildArray, anyElem).variadic().nonStrict()}},
		{Name: "[]", Kind: Construct, Sigs: []Sig{sig(anyElem, subscript, anyArray, tInt4)}},
		{Name: "array_length", Doc: "The number of elements in a dimension (there is one); NULL of an empty array.", Sigs: []Sig{sig(tInt4, arrayLength, anyArray, tInt4)}},
		{Name: "array_upper", Doc: "The last index of a dimension.", Sigs: []Sig{sig(tInt4, arrayLength, anyArray, tInt4)}},
		{Name: "array_lower", Doc: "The first index of a dimension.", Sigs: []Sig{sig(tInt4, arrayLower, anyArray, tInt4)}},
		{Name: "array_ndims", Doc: "The number of dimensions; NULL of an empty array.", Sigs: []Sig{sig(tInt4, arrayNDims, anyArray)}},
		{Name: "cardinality", Doc: "The number of elements.", Sigs: []Sig{sig(tInt4, each(func(f *frame, i int32) { f.setInt(i, int64(types.ArrayLen(f.str(0, i)))) }), anyArray)}},
		{Name: "array_append", Doc: "The array with a further element.", Sigs: []Sig{sig(anyArray, arrayAppend(0, 1), anyArray, anyElem).nonStrict()}},
		{Name: "array_prepend", Doc: "The array with a further element in front.", Sigs: []Sig{sig(anyArray, arrayPrepend(0, 1), anyElem, anyArray).nonStrict()}},
		{Name: "array_cat", Doc: "Both arrays in a row.", Sigs: []Sig{sig(anyArray, arrayCat, anyArray, anyArray).nonStrict()}},
		{Name: "||", Kind: Operator, Sigs: []Sig{sig(anyArray, arrayCat, anyArray, anyArray).nonStrict(),
			sig(anyArray, arrayAppend(0, 1), anyArray, anyElem).nonStrict(), sig(anyArray, arrayPrepend(0, 1), anyElem, anyArray).nonStrict()}},
		{Name: "array_position", Doc: "The index of the first such element, from a start; NULL if there is none.", Sigs: []Sig{
			sig(tInt4, arrayPosition, anyArray, anyElem).nonStrict(), sig(tInt4, arrayPosition, anyArray, anyElem, tInt4).nonStrict()}},
		{Name: "array_positions", Doc: "The indexes of all such elements.", Sigs: []Sig{sig(types.ArrayOf(types.Int4), arrayPositions, anyArray, anyElem).nonStrict()}},
		{Name: "array_remove", Doc: "Without the elements that are equal.", Sigs: []Sig{sig(anyArray, arrayRemove, anyArray, anyElem).nonStrict()}},
		{Name: "array_replace", Doc: "With the elements that are equal replaced.", Sigs: []Sig{sig(anyArray, arrayReplace, anyArray, anyElem, anyElem).nonStrict()}},
		{Name: "@>", Kind: Operator, Sigs: []Sig{sig(tBool, arrayContains(0, 1), anyArray, anyArray)}},
		{Name: "<@", Kind: Operator, Sigs: []Sig{sig(tBool, arrayContains(1, 0), anyArray, anyArray)}},
		{Name: "&&", Kind: Operator, Doc: "Have elements in common; of networks: overlap.", Sigs: []Sig{sig(tBool, arrayOverlap, anyArray, anyArray)}},
		{Name: "string_to_array", Doc: "The parts between delimiters; NULL as delimiter gives characters; parts equal to the third argument become NULL.", Sigs: []Sig{
			sig(tTextArray, stringToArray, tText, tText).nonStrict(), sig(tTextArray, stringToArray, tText, tText, tText).nonStrict()}},
		{Name: "array_to_string", Doc: "The elements with a delimiter between them; NULLs are left out, or shown as the third argument.", Sigs: []Sig{
			sig(tText, arrayToString, anyArray, tText).nonStrict(), sig(tText, arrayToString, anyArray, tText, tText).nonStrict()}},
	}
}

// elem is the type of the elements of argument k.
func (f *frame) elem(k int) types.Type { return types.T(f.args[k].Type.Elem) }

// array decodes argument k.
func (f *frame) array(k int, i int32) []types.Value {
	if f.isNull(k, i) {
		return nil
	}
	return types.DecodeArray(f.args[k].Type.Elem, f.str(k, i))
}

func (f *frame) value(k int, i int32) types.Value { a := f.args[k]; return a.Value(a.at(i)) }

func (f *frame) setArray(i int32, elems []types.Value) { f.setStr(i, types.EncodeArray(elems)) }

var buildArray = appending(func(f *frame, i int32, dst []byte) []byte {
	dst = types.AppendArrayHeader(dst, len(f.args))
	for k := range f.args {
		dst = types.AppendArrayElem(dst, f.value(k, i))
	}
	return dst
})

var subscript = each(func(f *frame, i int32) {
	index := f.int(1, i)
	it := elements(f.str(0, i), f.elem(0))
	for n := int64(1); it.next(); n++ {
		if n == index {
			it.store(&f.out, int(i))
			return
		}
	}
	f.setNull(i)
})

var arrayLength = each(func(f *frame, i int32) {
	n := types.ArrayLen(f.str(0, i))
	if f.int(1, i) != 1 || n == 0 {
		f.setNull(i)
		return
	}
	f.setInt(i, int64(n))
})

var arrayLower = each(func(f *frame, i int32) {
	if f.int(1, i) != 1 || types.ArrayLen(f.str(0, i)) == 0 {
		f.setNull(i)
		return
	}
	f.setInt(i, 1)
})

var arrayNDims = each(func(f *frame, i int32) {
	if types.ArrayLen(f.str(0, i)) == 0 {
		f.setNull(i)
		return
	}
	f.setInt(i, 1)
})

func arrayAppend(arr, elem int) kernel {
	return each(func(f *frame, i int32) { f.setArray(i, append(f.array(arr, i), f.value(elem, i))) })
}

func arrayPrepend(elem, arr int) kernel {
	return each(func(f *frame, i int32) { f.setArray(i, append([]types.Value{f.value(elem, i)}, f.array(arr, i)...)) })
}

var arrayCat = each(func(f *frame, i int32) {
	if f.isNull(0, i) && f.isNull(1, i) {
		f.setNull(i)
		return
	}
	f.setArray(i, append(f.array(0, i), f.array(1, i)...))
})

// sameElement is equality of elements, of NULLs too.
func sameElement(a, b types.Value) bool {
	if a.Null || b.Null {
		return a.Null && b.Null
	}
	return types.CompareValues(a, b) == 0
}

var arrayPosition = each(func(f *frame, i int32) {
	if f.isNull(0, i) {
		f.setNull(i)
		return
	}
	start := int64(1)
	if len(f.args) > 2 {
		if f.isNull(2, i) {
			f.fail(i, types.Errorf("22004", "initial position must not be null"))
			return
		}
		start = f.int(2, i)
	}
	want := f.value(1, i)
	for n, v := range f.array(0, i) {
		if int64(n+1) >= start && sameElement(v, want) {
			f.setInt(i, int64(n+1))
			return
		}
	}
	f.setNull(i)
})

var arrayPositions = each(func(f *frame, i int32) {
	if f.isNull(0, i) {
		f.setNull(i)
		return
	}
	var found []types.Value
	want := f.value(1, i)
	for n, v := range f.array(0, i) {
		if sameElement(v, want) {
			found = append(found, types.IntValue(types.Int4, int64(n+1)))
		}
	}
	f.setArray(i, found)
})

var arrayRemove = each(func(f *frame, i int32) {
	if f.isNull(0, i) {
		f.setNull(i)
		return
	}
	var kept []types.Value
	unwanted := f.value(1, i)
	for _, v := range f.array(0, i) {
		if !sameElement(v, unwanted) {
			kept = append(kept, v)
		}
	}
	f.setArray(i, kept)
})

var arrayReplace = each(func(f *frame, i int32) {
	if f.isNull(0, i) {
		f.setNull(i)
		return
	}
	elems, old, by := f.array(0, i), f.value(1, i), f.value(2, i)
	for n, v := range elems {
		if sameElement(v, old) {
			elems[n] = by
		}
	}
	f.setArray(i, elems)
})

// hasElement reports whether an element equal to v, which is not NULL, is in elems.
func hasElement(elems []types.Value, v types.Value) bool {
	for _, e := range elems {
		if !e.Null && types.CompareValues(e, v) == 0 {
			return true
		}
	}
	return false
}

// arrayContains: each element of inner is in outer; a NULL is in none.
func arrayContains(outer, inner int) kernel {
	return each(func(f *frame, i int32) {
		elems, all := f.array(outer, i), true
		for _, v := range f.array(inner, i) {
			all = all && !v.Null && hasElement(elems, v)
		}
		f.setBool(i, all)
	})
}

var arrayOverlap = each(func(f *frame, i int32) {
	elems, any := f.array(0, i), false
	for _, v := range f.array(1, i) {
		any = any || !v.Null && hasElement(elems, v)
	}
	f.setBool(i, any)
})

var stringToArray = each(func(f *frame, i int32) {
	if f.isNull(0, i) {
		f.setNull(i)
		return
	}
	b := f.str(0, i)
	var parts [][]byte
	switch {
	case len(b) == 0:
	case f.isNull(1, i):
		for rest := b; len(rest) > 0; {
			n := runePrefix(rest, 1)
			parts, rest = append(parts, rest[:n]), rest[n:]
		}
	case len(f.str(1, i)) == 0:
		parts = [][]byte{b}
	default:
		parts = bytes.Split(b, f.str(1, i))
	}
	dst := types.AppendArrayHeader(f.begin(), len(parts))
	for _, p := range parts {
		v := types.TextValue(text(p))
		if len(f.args) > 2 && !f.isNull(2, i) && bytes.Equal(p, f.str(2, i)) {
			v = types.NullOf(tText)
		}
		dst = types.AppendArrayElem(dst, v)
	}
	f.end(i, dst)
})

var arrayToString = each(func(f *frame, i int32) {
	if f.isNull(0, i) || f.isNull(1, i) {
		f.setNull(i)
		return
	}
	dst, first := f.begin(), true
	for _, v := range f.array(0, i) {
		if v.Null && (len(f.args) < 3 || f.isNull(2, i)) {
			continue
		}
		if !first {
			dst = append(dst, f.str(1, i)...)
		}
		if first = false; v.Null {
			dst = append(dst, f.str(2, i)...)
		} else {
			dst = append(dst, types.FormatValue(v, f.ctx.Zone)...)
		}
	}
	f.end(i, dst)
})

// quantified is x op ANY|ALL (array): the operator's kernel over the elements of each row's array.
func quantified(call *Call, all bool) kernel {
	run, strict := call.sig.run, !call.sig.NonStrict
	elemType := call.Args[1].Type()
	var elems, one types.Vec
	var sel []int32
	g := frame{args: []arg{{&one, 0}, {&elems, -1}}}
	return func(f *frame, rows []int32) {
		g.ctx, g.pos = f.ctx, f.pos
		for _, i := range rows {
			n := types.ArrayLen(f.str(1, i))
			elems.Resize(elemType, n)
			sel = sel[:0]
			it := elements(f.str(1, i), elemType)
			for k := 0; k < n && it.next(); k++ {
				if it.store(&elems, k); !it.null || !strict {
					sel = append(sel, int32(k))
				}
			}
			one.Reset(f.args[0].Type)
			one.AppendFrom(f.args[0].Vec, f.args[0].at(i))
			g.out.Resize(tBool, n)
			before := len(f.ctx.Errs)
			if g.n = n; len(sel) > 0 {
				run(&g, sel)
			}
			if len(f.ctx.Errs) > before {
				f.ctx.Errs[before].Row = i
				f.ctx.Errs = f.ctx.Errs[:before+1]
				f.setNull(i)
				continue
			}
			f.quantify(i, &g.out, sel, n, all)
		}
	}
}

// quantify reduces the comparisons of one row, three-valued.
func (f *frame) quantify(i int32, v *types.Vec, sel []int32, n int, all bool) {
	unknown := len(sel) < n
	for _, k := range sel {
		if v.Null(int(k)) {
			unknown = true
		} else if v.B[k] != all {
			f.setBool(i, !all)
			return
		}
	}
	if f.setBool(i, all); unknown {
		f.setNull(i)
	}
}
