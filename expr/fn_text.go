package expr

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"rhumb/types"
)

func textFuncs() []*Func {
	return []*Func{
		{Name: "||", Kind: Operator, Doc: "Concatenation of texts, arrays, JSON, or bytes.", Sigs: []Sig{
			sig(tText, concat2, tText, tText), sig(tText, concatAny, tText, anyNonArray), sig(tText, concatAny, anyNonArray, tText),
			sig(tBytea, concat2, tBytea, tBytea)}},
		{Name: "length", Doc: "Number of characters; of BYTEA, of bytes.", Sigs: []Sig{
			sig(tInt4, charLength, tText), sig(tInt4, byteLength, tBytea)}},
		{Name: "octet_length", Doc: "Number of bytes.", Sigs: []Sig{sig(tInt4, byteLength, tText), sig(tInt4, byteLength, tBytea)}},
		{Name: "bit_length", Doc: "Number of bits.", Sigs: []Sig{sig(tInt4, each(func(f *frame, i int32) { f.setInt(i, 8*int64(len(f.str(0, i)))) }), tText)}},
		{Name: "lower", Doc: "In lower case.", Sigs: []Sig{sig(tText, lowerKernel, tText)}},
		{Name: "upper", Doc: "In upper case.", Sigs: []Sig{sig(tText, upperKernel, tText)}},
		{Name: "initcap", Doc: "The first letter of each word in upper case, the rest in lower case.", Sigs: []Sig{sig(tText, appending(func(f *frame, i int32, dst []byte) []byte { return appendInitcap(dst, f.str(0, i)) }), tText)}},
		{Name: "btrim", Doc: "Removes characters (spaces) from both ends.", Sigs: trimSigs(true, true)},
		{Name: "trim", Doc: "Removes characters (spaces) from both ends.", Sigs: trimSigs(true, true)},
		{Name: "ltrim", Doc: "Removes characters (spaces) from the start.", Sigs: trimSigs(true, false)},
		{Name: "rtrim", Doc: "Removes characters (spaces) from the end.", Sigs: trimSigs(false, true)},
		{Name: "substring", Doc: "The part from a position, of a length; or the part that matches a regular expression.", Sigs: []Sig{
			sig(tText, substringText, tText, tInt4), sig(tText, substringText, tText, tInt4, tInt4),
			sig(tBytea, substringBytes, tBytea, tInt4), sig(tBytea, substringBytes, tBytea, tInt4, tInt4)}},
		{Name: "left", Doc: "The first n characters; with negative n, all but the last -n.", Sigs: []Sig{sig(tText, leftKernel, tText, tInt4)}},
		{Name: "right", Doc: "The last n characters; with negative n, all but the first -n.", Sigs: []Sig{sig(tText, rightKernel, tText, tInt4)}},
		{Name: "split_part", Doc: "The n-th part between delimiters; negative n counts from the end.", Sigs: []Sig{sig(tText, splitPart, tText, tText, tInt4)}},
		{Name: "strpos", Doc: "The position of the second argument in the first, or 0.", Sigs: []Sig{sig(tInt4, positionKernel(0, 1), tText, tText)}},
		{Name: "position", Doc: "The position of the first argument in the second, or 0: position(a in b).", Sigs: []Sig{
			sig(tInt4, positionKernel(1, 0), tText, tText), sig(tInt4, bytePosition, tBytea, tBytea)}},
		{Name: "replace", Doc: "Replaces each occurrence.", Sigs: []Sig{sig(tText, appending(func(f *frame, i int32, dst []byte) []byte {
			return appendReplaced(dst, f.str(0, i), f.str(1, i), f.str(2, i))
		}), tText, tText, tText)}},
		{Name: "translate", Doc: "Replaces each character of the second argument by its counterpart in the third.", Sigs: []Sig{sig(tText, translateKernel, tText, tText, tText)}},
		{Name: "concat", Doc: "The texts of all arguments; NULLs count nothing.", Sigs: []Sig{sig(tText, concatKernel, anyValue).variadic().nonStrict()}},
		{Name: "concat_ws", Doc: "The texts of the arguments that are not NULL, with the first between them.", Sigs: []Sig{sig(tText, concatWS, tText, anyValue).variadic().nonStrict()}},
		{Name: "lpad", Doc: "Fills up on the left, or cuts, to a length.", Sigs: padSigs(true)},
		{Name: "rpad", Doc: "Fills up on the right, or cuts, to a length.", Sigs: padSigs(false)},
		{Name: "repeat", Doc: "The text n times.", Sigs: []Sig{sig(tText, repeatKernel, tText, tInt4)}},
		{Name: "reverse", Doc: "The characters in reverse order.", Sigs: []Sig{sig(tText, appending(func(f *frame, i int32, dst []byte) []byte { return appendReversed(dst, f.str(0, i)) }), tText)}},
		{Name: "starts_with", Doc: "Whether the first argument begins with the second.", Sigs: []Sig{sig(tBool, startsWith, tText, tText)}},
		{Name: "^@", Kind: Operator, Doc: "Begins with.", Sigs: []Sig{sig(tBool, startsWith, tText, tText)}},
		{Name: "ascii", Doc: "The code of the first character.", Sigs: []Sig{sig(tInt4, asciiKernel, tText)}},
		{Name: "chr", Doc: "The character of a code.", Sigs: []Sig{sig(tText, chrKernel, tInt4)}},
		{Name: "overlay", Doc: "Replaces the part from a position, of a length.", Sigs: []Sig{
			sig(tText, overlayKernel, tText, tText, tInt4), sig(tText, overlayKernel, tText, tText, tInt4, tInt4)}},
		{Name: "text", Doc: "As text.", Sigs: []Sig{sig(tText, formatKernel, tInet), sig(tText, formatKernel, tBool)}},
	}
}

var concat2 = appending(func(f *frame, i int32, dst []byte) []byte {
	return append(append(dst, f.str(0, i)...), f.str(1, i)...)
})

// appendAny appends the text of any argument.
func (f *frame) appendAny(dst []byte, k int, i int32) []byte {
	a := f.args[k]
	return types.AppendText(dst, a.Vec, a.at(i), f.ctx.Zone)
}

var concatAny = appending(func(f *frame, i int32, dst []byte) []byte {
	return f.appendCast(f.appendCast(dst, 0, i), 1, i)
})

var concatKernel = appending(func(f *frame, i int32, dst []byte) []byte {
	for k := range f.args {
		dst = f.appendAny(dst, k, i)
	}
	return dst
})

var concatWS = each(func(f *frame, i int32) {
	if f.isNull(0, i) {
		f.setNull(i)
		return
	}
	dst, first := f.begin(), true
	for k := 1; k < len(f.args); k++ {
		if f.isNull(k, i) {
			continue
		}
		if !first {
			dst = append(dst, f.str(0, i)...)
		}
		dst, first = f.appendAny(dst, k, i), false
	}
	f.end(i, dst)
})

var charLength = each(func(f *frame, i int32) { f.setInt(i, int64(utf8.RuneCount(f.str(0, i)))) })

var byteLength = each(func(f *frame, i int32) { f.setInt(i, int64(len(f.str(0, i)))) })

var lowerKernel = appending(func(f *frame, i int32, dst []byte) []byte { return appendLower(dst, f.str(0, i)) })

// upperKernel maps characters one to one, as Postgres does; ASCII goes without decoding.
var upperKernel = appending(func(f *frame, i int32, dst []byte) []byte {
	b, start := f.str(0, i), len(dst)
	dst = append(dst, b...)
	for k, c := range dst[start:] {
		if c >= utf8.RuneSelf {
			return appendRunes(dst[:start+k], b[k:], unicode.ToUpper)
		}
		if c-'a' < 26 {
			dst[start+k] = c - ('a' - 'A')
		}
	}
	return dst
})

func appendInitcap(dst, b []byte) []byte {
	inWord := false
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		b = b[size:]
		if inWord {
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		} else {
			dst = utf8.AppendRune(dst, unicode.ToUpper(r))
		}
		inWord = unicode.IsLetter(r) || unicode.IsDigit(r)
	}
	return dst
}

func trimSigs(left, right bool) []Sig {
	run := func(f *frame, sel []int32) {
		for _, i := range sel {
			set := " "
			if len(f.args) > 1 {
				set = text(f.str(1, i))
			}
			b := f.str(0, i)
			if left {
				b = bytes.TrimLeft(b, set)
			}
			if right {
				b = bytes.TrimRight(b, set)
			}
			f.setStr(i, b)
		}
	}
	return []Sig{sig(tText, run, tText), sig(tText, run, tText, tText)}
}

func negativeLength() *types.Error {
	return types.Errorf("22011", "negative substring length not allowed")
}

// substringKernel is the part that begins at a position (from 1) and has a length, in the units that prefix measures: it returns
// the length in bytes of the first n units.
func substringKernel(prefix func(b []byte, n int) int) kernel {
	return each(func(f *frame, i int32) {
		b, from := f.str(0, i), f.int(1, i)
		count := int64(len(b))
		if len(f.args) > 2 {
			if count = f.int(2, i); count < 0 {
				f.fail(i, negativeLength())
				return
			}
			count = max(count+min(from-1, 0), 0) // what lies before the text counts
		}
		b = b[prefix(b, int(min(max(from-1, 0), int64(len(b))))):]
		f.setStr(i, b[:prefix(b, int(min(count, int64(len(b)))))])
	})
}

var substringText = substringKernel(runePrefix)

var substringBytes = substringKernel(func(b []byte, n int) int { return min(n, len(b)) })

// firstChars counts the characters that left(b, n) keeps.
func firstChars(b []byte, n int64) int64 {
	if n < 0 {
		n = max(int64(utf8.RuneCount(b))+n, 0)
	}
	return min(n, int64(len(b)))
}

var leftKernel = each(func(f *frame, i int32) {
	b := f.str(0, i)
	f.setStr(i, b[:runePrefix(b, int(firstChars(b, f.int(1, i))))])
})

var rightKernel = each(func(f *frame, i int32) {
	b, n := f.str(0, i), f.int(1, i)
	skip := -n
	if n >= 0 {
		skip = max(int64(utf8.RuneCount(b))-n, 0)
	}
	f.setStr(i, b[runePrefix(b, int(min(skip, int64(len(b))))):])
})

var splitPart = each(func(f *frame, i int32) {
	b, sep, n := f.str(0, i), f.str(1, i), f.int(2, i)
	if n == 0 {
		f.fail(i, types.Errorf(types.CodeInvalidOption, "field position must not be zero"))
		return
	}
	if len(sep) == 0 {
		if n == 1 || n == -1 {
			f.setStr(i, b)
		}
		return
	}
	if n < 0 {
		n += int64(bytes.Count(b, sep)) + 2
	}
	for ; n > 1; n-- {
		k := bytes.Index(b, sep)
		if k < 0 {
			return
		}
		b = b[k+len(sep):]
	}
	if n < 1 {
		return
	}
	if k := bytes.Index(b, sep); k >= 0 {
		b = b[:k]
	}
	f.setStr(i, b)
})

func positionKernel(in, what int) kernel {
	return each(func(f *frame, i int32) {
		b := f.str(in, i)
		k := bytes.Index(b, f.str(what, i))
		if k >= 0 {
			k = utf8.RuneCount(b[:k])
		}
		f.setInt(i, int64(k+1))
	})
}

var bytePosition = each(func(f *frame, i int32) { f.setInt(i, int64(bytes.Index(f.str(1, i), f.str(0, i))+1)) })

func appendReplaced(dst, b, old, by []byte) []byte {
	for len(old) > 0 {
		k := bytes.Index(b, old)
		if k < 0 {
			break
		}
		dst = append(append(dst, b[:k]...), by...)
		b = b[k+len(old):]
	}
	return append(dst, b...)
}

var translateKernel = appending(func(f *frame, i int32, dst []byte) []byte {
	from, to := f.str(1, i), f.str(2, i)
	for b := f.str(0, i); len(b) > 0; {
		r, size := utf8.DecodeRune(b)
		k := bytes.IndexRune(from, r)
		switch {
		case k < 0:
			dst = append(dst, b[:size]...)
		default:
			// The counterpart is the character of the same number in to; none removes the character.
			if at := runePrefix(to, utf8.RuneCount(from[:k])); utf8.RuneCount(to) > utf8.RuneCount(from[:k]) {
				_, n := utf8.DecodeRune(to[at:])
				dst = append(dst, to[at:at+n]...)
			}
		}
		b = b[size:]
	}
	return dst
})

func padSigs(left bool) []Sig {
	run := each(func(f *frame, i int32) {
		fill := []byte(" ")
		if len(f.args) > 2 {
			fill = f.str(2, i)
		}
		b, n := f.str(0, i), f.int(1, i)
		if len(fill) == 0 {
			n = min(n, int64(len(b)))
		}
		if n > maxResult {
			f.fail(i, tooLong())
			return
		}
		f.end(i, appendPadded(f.begin(), b, int(max(n, 0)), fill, left))
	})
	return []Sig{sig(tText, run, tText, tInt4), sig(tText, run, tText, tInt4, tText)}
}

func appendPadded(dst, b []byte, n int, fill []byte, left bool) []byte {
	have := utf8.RuneCount(b)
	if have >= n {
		return append(dst, b[:runePrefix(b, n)]...)
	}
	if !left {
		dst = append(dst, b...)
	}
	rest := fill
	for k := have; k < n && len(fill) > 0; k++ {
		if len(rest) == 0 {
			rest = fill
		}
		_, size := utf8.DecodeRune(rest)
		dst, rest = append(dst, rest[:size]...), rest[size:]
	}
	if left {
		dst = append(dst, b...)
	}
	return dst
}

var repeatKernel = each(func(f *frame, i int32) {
	b, n := f.str(0, i), f.int(1, i)
	if n <= 0 || len(b) == 0 {
		return
	}
	if int64(len(b))*n > maxResult {
		f.fail(i, tooLong())
		return
	}
	dst := f.begin()
	for range n {
		dst = append(dst, b...)
	}
	f.end(i, dst)
})

func appendReversed(dst, b []byte) []byte {
	for len(b) > 0 {
		_, size := utf8.DecodeLastRune(b)
		dst = append(dst, b[len(b)-size:]...)
		b = b[:len(b)-size]
	}
	return dst
}

var startsWith = each(func(f *frame, i int32) { f.setBool(i, bytes.HasPrefix(f.str(0, i), f.str(1, i))) })

var asciiKernel = each(func(f *frame, i int32) {
	b := f.str(0, i)
	if len(b) == 0 {
		f.setInt(i, 0)
		return
	}
	r, _ := utf8.DecodeRune(b)
	f.setInt(i, int64(r))
})

var chrKernel = each(func(f *frame, i int32) {
	n := f.int(0, i)
	switch {
	case n == 0:
		f.fail(i, types.Errorf(types.CodeProgramLimit, "null character not permitted"))
	case n < 0:
		f.fail(i, types.Errorf(types.CodeInvalidOption, "character number must be positive"))
	case n > unicode.MaxRune || !utf8.ValidRune(rune(n)):
		f.fail(i, types.Errorf(types.CodeProgramLimit, "requested character not valid for encoding: %d", n))
	default:
		f.end(i, utf8.AppendRune(f.begin(), rune(n)))
	}
})

var overlayKernel = each(func(f *frame, i int32) {
	b, by, from := f.str(0, i), f.str(1, i), f.int(2, i)
	count := int64(utf8.RuneCount(by))
	if len(f.args) > 3 {
		count = f.int(3, i)
	}
	if from <= 0 {
		f.fail(i, negativeLength())
		return
	}
	head := b[:runePrefix(b, int(min(from-1, int64(len(b)))))]
	skip := min(max(from-1+count, 0), int64(len(b)))
	f.end(i, append(append(append(f.begin(), head...), by...), b[runePrefix(b, int(skip)):]...))
})
