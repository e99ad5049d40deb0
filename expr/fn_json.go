package expr

import (
	"bytes"
	"strconv"

	"rhumb/types"
)

func jsonFuncs() []*Func {
	fs := []*Func{
		{Name: "->", Kind: Operator, Doc: "The member of an object, or the element of an array (from 0; negative from the end).", Sigs: []Sig{
			sig(tJSONB, jsonGet(false, false), tJSONB, tText), sig(tJSONB, jsonGet(true, false), tJSONB, tInt4)}},
		{Name: "->>", Kind: Operator, Doc: "The member of an object, or the element of an array, as text.", Sigs: []Sig{
			sig(tText, jsonGet(false, true), tJSONB, tText), sig(tText, jsonGet(true, true), tJSONB, tInt4)}},
		{Name: "#>", Kind: Operator, Doc: "What is at a path.", Sigs: []Sig{sig(tJSONB, jsonPath(false), tJSONB, tTextArray)}},
		{Name: "#>>", Kind: Operator, Doc: "What is at a path, as text.", Sigs: []Sig{sig(tText, jsonPath(true), tJSONB, tTextArray)}},
		{Name: "jsonb_extract_path", Doc: "What is at a path.", Sigs: []Sig{sig(tJSONB, jsonPathArgs(false), tJSONB, tText).variadic()}},
		{Name: "jsonb_extract_path_text", Doc: "What is at a path, as text.", Sigs: []Sig{sig(tText, jsonPathArgs(true), tJSONB, tText).variadic()}},
		{Name: "@>", Kind: Operator, Doc: "Contains.", Sigs: []Sig{sig(tBool, each(func(f *frame, i int32) {
			f.setBool(i, jsonContains(f.str(0, i), f.str(1, i)))
		}), tJSONB, tJSONB)}},
		{Name: "<@", Kind: Operator, Doc: "Is contained in.", Sigs: []Sig{sig(tBool, each(func(f *frame, i int32) {
			f.setBool(i, jsonContains(f.str(1, i), f.str(0, i)))
		}), tJSONB, tJSONB)}},
		{Name: "?", Kind: Operator, Doc: "Has the key, or the string as an element.", Sigs: []Sig{sig(tBool, each(func(f *frame, i int32) {
			f.setBool(i, jsonHas(f.str(0, i), f.str(1, i)))
		}), tJSONB, tText)}},
		{Name: "?|", Kind: Operator, Doc: "Has any of the keys.", Sigs: []Sig{sig(tBool, jsonHasKeys(false), tJSONB, tTextArray)}},
		{Name: "?&", Kind: Operator, Doc: "Has all of the keys.", Sigs: []Sig{sig(tBool, jsonHasKeys(true), tJSONB, tTextArray)}},
		{Name: "||", Kind: Operator, Sigs: []Sig{sig(tJSONB, jsonConcat, tJSONB, tJSONB)}},
		{Name: "-", Kind: Operator, Sigs: []Sig{sig(tJSONB, jsonDeleteKey, tJSONB, tText), sig(tJSONB, jsonDeleteIndex, tJSONB, tInt4),
			sig(tJSONB, jsonDeleteKeys, tJSONB, tTextArray)}},
		{Name: "jsonb_array_length", Doc: "The number of elements.", Sigs: []Sig{sig(tInt4, jsonArrayLength, tJSONB)}},
		{Name: "jsonb_typeof", Doc: "object, array, string, number, boolean or null.", Sigs: []Sig{sig(tText, each(func(f *frame, i int32) {
			f.setString(i, jsonKind(f.str(0, i)))
		}), tJSONB)}},
		{Name: "to_jsonb", Doc: "The value as JSON.", Sigs: []Sig{sig(tJSONB, trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) {
			return f.appendJSON(dst, 0, i), nil
		}), anyValue)}},
		{Name: "jsonb_build_object", Doc: "An object of keys and values in turn.", Sigs: []Sig{
			sig(tJSONB, constText("{}")), sig(tJSONB, jsonBuildObject, anyValue).variadic().nonStrict()}},
		{Name: "jsonb_build_array", Doc: "An array of the arguments.", Sigs: []Sig{
			sig(tJSONB, constText("[]")), sig(tJSONB, jsonBuildArray, anyValue).variadic().nonStrict()}},
		{Name: "jsonb_strip_nulls", Doc: "Without the members of objects that are null.", Sigs: []Sig{sig(tJSONB, appending(func(f *frame, i int32, dst []byte) []byte {
			return appendStripped(dst, f.str(0, i))
		}), tJSONB)}},
	}
	// JSON is JSONB here, so both spellings are one function.
	for _, f := range fs {
		if name, ok := jsonSpelling(f.Name); ok {
			fs = append(fs, &Func{Name: name, Doc: f.Doc, Sigs: f.Sigs})
		}
	}
	return fs
}

// jsonSpelling is json_x for jsonb_x and to_json for to_jsonb.
func jsonSpelling(name string) (string, bool) {
	switch {
	case name == "to_jsonb":
		return "to_json", true
	case len(name) > 6 && name[:6] == "jsonb_":
		return "json_" + name[6:], true
	}
	return "", false
}

func constText(s string) kernel {
	return each(func(f *frame, i int32) { f.setString(i, s) })
}

// setJSON sets row i to a value found in JSON, or to NULL.
func (f *frame) setJSON(i int32, v []byte, ok, asText bool) {
	if !ok {
		f.setNull(i)
		return
	}
	if !asText {
		f.setStr(i, v)
		return
	}
	dst, ok := appendJSONText(f.begin(), v)
	if !ok {
		f.setNull(i)
		return
	}
	f.end(i, dst)
}

// jsonGet is -> and ->> by key or index.
func jsonGet(byIndex, asText bool) kernel {
	if byIndex {
		return each(func(f *frame, i int32) {
			v, ok := jsonElem(f.str(0, i), f.int(1, i))
			f.setJSON(i, v, ok, asText)
		})
	}
	return each(func(f *frame, i int32) {
		v, ok := jsonField(f.str(0, i), f.str(1, i))
		f.setJSON(i, v, ok, asText)
	})
}

// jsonStep goes one step of a path: a key of an object, an index of an array.
func jsonStep(v, step []byte) ([]byte, bool) {
	if v = jsonTrim(v); len(v) > 0 && v[0] == '[' {
		n, err := strconv.ParseInt(text(step), 10, 32)
		if err != nil {
			return nil, false
		}
		return jsonElem(v, n)
	}
	return jsonField(v, step)
}

func jsonPath(asText bool) kernel {
	return each(func(f *frame, i int32) {
		v, ok := f.str(0, i), true
		it := elements(f.str(1, i), tText)
		for ok && it.next() {
			if ok = !it.null; ok {
				v, ok = jsonStep(v, it.raw)
			}
		}
		f.setJSON(i, v, ok, asText)
	})
}

func jsonPathArgs(asText bool) kernel {
	return each(func(f *frame, i int32) {
		v, ok := f.str(0, i), true
		for k := 1; ok && k < len(f.args); k++ {
			v, ok = jsonStep(v, f.str(k, i))
		}
		f.setJSON(i, v, ok, asText)
	})
}

// jsonContains is a @> b: an array also contains a scalar that is one of its elements.
func jsonContains(a, b []byte) bool {
	a, b = jsonTrim(a), jsonTrim(b)
	if len(a) > 0 && a[0] == '[' && jsonScalar(b) {
		return arrayHolds(a, b)
	}
	return jsonWithin(a, b, 0)
}

// maxJSONDepth bounds recursion into documents that someone else wrote.
const maxJSONDepth = 1000

func jsonWithin(a, b []byte, depth int) bool {
	if depth > maxJSONDepth || jsonKind(a) != jsonKind(b) {
		return false
	}
	if jsonScalar(a) {
		return types.CompareJSON(a, b) == 0
	}
	m := membersOf(b)
	for {
		key, v, ok := m.next()
		if !ok {
			return true
		}
		if m.object {
			w, found := jsonField(a, plainKey(key))
			if !found || !jsonWithin(w, v, depth+1) {
				return false
			}
			continue
		}
		found := false
		for n := membersOf(a); !found; {
			_, w, ok := n.next()
			if !ok {
				return false
			}
			found = jsonWithin(w, v, depth+1)
		}
	}
}

// plainKey is a raw key without escapes.
func plainKey(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	return appendUnescaped(nil, raw)
}

// arrayHolds reports whether an array has a scalar among its elements.
func arrayHolds(a, scalar []byte) bool {
	m := membersOf(a)
	for {
		_, v, ok := m.next()
		if !ok {
			return false
		}
		if jsonScalar(v) && jsonKind(v) == jsonKind(scalar) && types.CompareJSON(v, scalar) == 0 {
			return true
		}
	}
}

// jsonHas is the ? operator.
func jsonHas(b, key []byte) bool {
	b = jsonTrim(b)
	if len(b) > 0 && b[0] == '"' {
		return sameKey(b[1:max(len(b)-1, 1)], key)
	}
	m := membersOf(b)
	for {
		k, v, ok := m.next()
		if !ok {
			return false
		}
		if !m.object {
			if v[0] != '"' {
				continue
			}
			k = v[1:max(len(v)-1, 1)]
		}
		if sameKey(k, key) {
			return true
		}
	}
}

func jsonHasKeys(all bool) kernel {
	return each(func(f *frame, i int32) {
		result := all
		for it := elements(f.str(1, i), tText); it.next(); {
			if !it.null && jsonHas(f.str(0, i), it.raw) != all {
				result = !all
			}
		}
		f.setBool(i, result)
	})
}

// jsonConcat joins objects (the right one's members win) or arrays; what is no array becomes one.
var jsonConcat = trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) {
	a, b := jsonTrim(f.str(0, i)), jsonTrim(f.str(1, i))
	if jsonKind(a) == "object" && jsonKind(b) == "object" {
		f.buf = appendMembers(append(f.buf[:0], '{'), a)
		if len(f.buf) > 1 && jsonCount(b) > 0 {
			f.buf = append(f.buf, ", "...)
		}
		f.buf = append(appendMembers(f.buf, b), '}')
		return types.CanonicalJSON(dst, f.buf)
	}
	dst = append(dst, '[')
	start := len(dst)
	dst = appendElements(dst, a)
	mid := len(dst)
	if mid > start {
		dst = append(dst, ", "...)
	}
	if dst = appendElements(dst, b); len(dst) == mid+2 && mid > start {
		dst = dst[:mid]
	}
	return append(dst, ']'), nil
})

// appendMembers appends what is between an object's or array's brackets.
func appendMembers(dst, b []byte) []byte { return append(dst, jsonTrim(b[1:len(b)-1])...) }

// appendElements appends an array's elements, or one value.
func appendElements(dst, b []byte) []byte {
	if len(b) > 1 && b[0] == '[' {
		return appendMembers(dst, b)
	}
	return append(dst, b...)
}

// appendKept appends an object or array with the members that keep says.
func appendKept(dst, b []byte, keep func(n int, key, value []byte) bool) []byte {
	m := membersOf(b)
	if m.b == nil {
		return append(dst, b...)
	}
	open, end := byte('['), byte(']')
	if m.object {
		open, end = '{', '}'
	}
	dst = append(dst, open)
	for n, first := 0, true; ; n++ {
		key, v, ok := m.next()
		if !ok {
			return append(dst, end)
		}
		if !keep(n, key, v) {
			continue
		}
		if !first {
			dst = append(dst, ", "...)
		}
		first = false
		if m.object {
			dst = append(append(append(dst, '"'), key...), "\": "...)
		}
		dst = append(dst, v...)
	}
}

func cannotDelete(what string) *types.Error {
	return types.Errorf(types.CodeInvalidOption, "cannot delete from %s", what)
}

// keyOf is the raw key of a member, or the raw string that an element is; nil for other elements.
func keyOf(key, v []byte) []byte {
	if key == nil && len(v) > 1 && v[0] == '"' {
		return v[1 : len(v)-1]
	}
	return key
}

var jsonDeleteKey = trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) {
	b, name := f.str(0, i), f.str(1, i)
	if jsonScalar(b) {
		return dst, cannotDelete("scalar")
	}
	return appendKept(dst, b, func(_ int, key, v []byte) bool {
		k := keyOf(key, v)
		return k == nil || !sameKey(k, name)
	}), nil
})

var jsonDeleteKeys = trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) {
	b := f.str(0, i)
	if jsonScalar(b) {
		return dst, cannotDelete("scalar")
	}
	return appendKept(dst, b, func(_ int, key, v []byte) bool {
		k := keyOf(key, v)
		for it := elements(f.str(1, i), tText); it.next(); {
			if k != nil && !it.null && sameKey(k, it.raw) {
				return false
			}
		}
		return true
	}), nil
})

var jsonDeleteIndex = trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) {
	b, index := f.str(0, i), f.int(1, i)
	switch {
	case jsonScalar(b):
		return dst, cannotDelete("scalar")
	case jsonKind(b) == "object":
		return dst, cannotDelete("object using integer index")
	case index < 0:
		index += int64(jsonCount(b))
	}
	return appendKept(dst, b, func(n int, _, _ []byte) bool { return int64(n) != index }), nil
})

var jsonArrayLength = each(func(f *frame, i int32) {
	b := f.str(0, i)
	switch {
	case jsonScalar(b):
		f.fail(i, types.Errorf(types.CodeInvalidOption, "cannot get array length of a scalar"))
	case jsonKind(b) == "object":
		f.fail(i, types.Errorf(types.CodeInvalidOption, "cannot get array length of a non-array"))
	default:
		f.setInt(i, int64(jsonCount(b)))
	}
})

// appendJSON appends an argument as a JSON value, as to_jsonb does: numbers and booleans as they are, all else as its text in ISO
// form.
func (f *frame) appendJSON(dst []byte, k int, i int32) []byte {
	a := f.args[k]
	if a.isNull(i) {
		return append(dst, "null"...)
	}
	return f.appendJSONValue(dst, a.Vec, a.at(i))
}

func (f *frame) appendJSONValue(dst []byte, v *types.Vec, j int) []byte {
	t := v.Type
	switch {
	case t.Kind == types.Array:
		dst = append(dst, '[')
		for n, e := range types.DecodeArray(t.Elem, v.Str(j)) {
			if n > 0 {
				dst = append(dst, ", "...)
			}
			if e.Null {
				dst = append(dst, "null"...)
				continue
			}
			dst = f.appendJSONValue(dst, &newConstNode(e).v, 0)
		}
		return append(dst, ']')
	case t.Kind == types.Bool:
		return append(dst, strconv.FormatBool(v.B[j])...)
	case t.Kind == types.JSONB:
		return append(dst, v.Str(j)...)
	}
	f.buf = types.AppendText(f.buf[:0], v, j, f.ctx.Zone)
	if t.IsFloat() {
		if f.buf = appendJSONNumber(f.buf[:0], f.buf); len(f.buf) > 0 {
			return append(dst, f.buf...)
		}
		f.buf = types.AppendText(f.buf[:0], v, j, f.ctx.Zone)
	} else if t.IsNumber() && !isNaN(f.buf) {
		return append(dst, f.buf...)
	}
	if t.Kind == types.Timestamp || t.Kind == types.Timestamptz {
		f.buf = isoTime(f.buf, t.Kind == types.Timestamptz)
	}
	return types.AppendJSONString(dst, f.buf)
}

// appendJSONNumber appends a float's text as JSONB keeps it, without an exponent; nothing for NaN and infinities.
func appendJSONNumber(dst, b []byte) []byte {
	s, err := types.ParseNumeric(string(b))
	if err != nil || s == nan {
		return dst
	}
	return append(dst, s...)
}

// isoTime makes "2018-03-24 17:15:20+00" what JSON wants: T, and minutes of the offset.
func isoTime(b []byte, zoned bool) []byte {
	for k, c := range b {
		if c == ' ' {
			b[k] = 'T'
			break
		}
	}
	if n := len(b); zoned && n > 3 && (b[n-3] == '+' || b[n-3] == '-') {
		b = append(b, ":00"...)
	}
	return b
}

var jsonBuildObject = each(func(f *frame, i int32) {
	if len(f.args)%2 != 0 {
		f.fail(i, types.Errorf(types.CodeInvalidOption, "argument list must have even number of elements").
			WithHint("The arguments of jsonb_build_object() must consist of alternating keys and values."))
		return
	}
	doc := []byte{'{'}
	for k := 0; k < len(f.args); k += 2 {
		if f.isNull(k, i) {
			f.fail(i, types.Errorf(types.CodeInvalidOption, "argument %d: key must not be null", k+1))
			return
		}
		if k > 0 {
			doc = append(doc, ',')
		}
		if t := f.args[k].Type.Kind; t == types.Array || t == types.JSONB {
			f.fail(i, types.Errorf(types.CodeInvalidOption, "key value must be scalar, not array, composite, or json"))
			return
		}
		if t := f.args[k].Type; t.IsNumber() || t.Kind == types.Bool {
			f.buf = f.appendCast(f.buf[:0], k, i)
			doc = types.AppendJSONString(doc, f.buf)
		} else {
			doc = f.appendJSON(doc, k, i)
		}
		doc = f.appendJSON(append(doc, ':'), k+1, i)
	}
	dst, err := types.CanonicalJSON(f.begin(), append(doc, '}'))
	if err != nil {
		f.fail(i, err)
		return
	}
	f.end(i, dst)
})

var jsonBuildArray = appending(func(f *frame, i int32, dst []byte) []byte {
	dst = append(dst, '[')
	for k := range f.args {
		if k > 0 {
			dst = append(dst, ", "...)
		}
		dst = f.appendJSON(dst, k, i)
	}
	return append(dst, ']')
})

// appendStripped appends a document without null members of objects.
func appendStripped(dst, b []byte) []byte {
	m := membersOf(b)
	if m.b == nil {
		return append(dst, jsonTrim(b)...)
	}
	open, end := byte('['), byte(']')
	if m.object {
		open, end = '{', '}'
	}
	dst = append(dst, open)
	for first := true; ; {
		key, v, ok := m.next()
		if !ok {
			return append(dst, end)
		}
		if m.object && v[0] == 'n' {
			continue
		}
		if !first {
			dst = append(dst, ", "...)
		}
		first = false
		if m.object {
			dst = append(append(append(dst, '"'), key...), "\": "...)
		}
		dst = appendStripped(dst, v)
	}
}
