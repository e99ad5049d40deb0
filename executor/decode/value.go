package decode

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"time"
	"unicode/utf8"
	"unsafe"

	"rhumb/types"
)

// op is a way to convert a JSON value.
type op uint8

const (
	opText op = iota
	opInt
	opFloat
	opBool
	opTimestamp
	opInet
	opNumeric
	opJSONB
	opArray
	opBytea
	opInput // whatever else: the text input of the type
)

// conv is the conversion of JSON values to a type.
//
//   - TEXT: a string's characters; of anything else its JSON text.
//   - Numbers: exact; a string is read as Postgres reads text. Integers also as 1.0 and 1e3.
//   - BOOLEAN: true, false, 0, 1, and strings as Postgres reads text.
//   - TIMESTAMP and TIMESTAMPTZ: a string without a zone is UTC, and one with a zone is taken to UTC; a number is an epoch (epochMicros).
//   - BYTEA: base64, or hexadecimal digits behind \x.
//   - JSONB: any value, canonical.
//   - Arrays: an array of values of the element type, or one such value.
//   - Other types: the characters of a string, or the JSON text of another scalar, as Postgres reads text.
type conv struct {
	op     op
	typ    types.Type
	elem   *conv
	lo, hi int64 // of integers
}

// outcome is what became of a value.
type outcome uint8

const (
	isNull   outcome = 1 << iota // the row has no value
	isBad                        // because the type cannot hold it
	replaced                     // characters were replaced
)

// valueReader converts values.
type valueReader struct {
	scanner
	chars  []byte // the characters of a string with escapes
	digits []byte
	text   []byte
	elems  []byte
	elem   types.Vec
}

// read converts the value at p[i], in which depth brackets are open already, into row of v, and returns the place behind the
// value, or -1 if it is no valid JSON. Row's null bit is for the caller to set.
func (r *valueReader) read(c *conv, v *types.Vec, row int, p []byte, i, depth int) (int, outcome) {
	if i >= len(p) {
		return r.unexpected(p, i, "a value"), isNull
	}
	if p[i] == 'n' {
		return r.literal(p, i, "null"), isNull
	}
	switch c.op {
	case opText:
		return r.readText(c, v, row, p, i, depth)
	case opInt:
		return r.readInt(c, v, row, p, i, depth)
	case opFloat:
		return r.readFloat(c, v, row, p, i, depth)
	case opBool:
		return r.readBool(c, v, row, p, i, depth)
	case opTimestamp:
		return r.readTimestamp(c, v, row, p, i, depth)
	case opNumeric:
		return r.readNumeric(c, v, row, p, i, depth)
	case opJSONB:
		return r.readJSONB(v, row, p, i, depth)
	case opArray:
		return r.readArray(c, v, row, p, i, depth)
	case opInet, opBytea:
		return r.readChars(c, v, row, p, i, depth)
	default:
		return r.readInput(c, v, row, p, i, depth)
	}
}

// characters returns the characters of the string that begins at p[i] and the place behind it. They are borrowed from p or r.chars.
func (r *valueReader) characters(p []byte, i int) (chars []byte, end int, out outcome) {
	stop := stringStop(p, i+1)
	if stop < len(p) && p[stop] == '"' && ascii(p[i+1:stop]) {
		return p[i+1 : stop], stop + 1, 0
	}
	end = r.strSlow(p, stop)
	if end < 0 {
		return nil, -1, 0
	}
	mended := false
	if r.chars, mended = appendUnescaped(r.chars[:0], p[i+1:end-1]); mended {
		out = replaced
	}
	return r.chars, end, out
}

// bad skips a value that the type cannot hold.
func (r *valueReader) bad(p []byte, i, depth int) (int, outcome) {
	return r.value(p, i, depth), isNull | isBad
}

func (r *valueReader) readText(c *conv, v *types.Vec, row int, p []byte, i, depth int) (int, outcome) {
	if p[i] != '"' {
		end := r.value(p, i, depth)
		if end < 0 {
			return -1, isNull
		}
		return end, putText(c, v, row, p[i:end])
	}
	// A string without escapes is copied once.
	if stop := stringStop(p, i+1); stop < len(p) && p[stop] == '"' {
		return stop + 1, putText(c, v, row, p[i+1:stop])
	}
	chars, end, out := r.characters(p, i)
	if end < 0 {
		return -1, isNull
	}
	return end, out | putText(c, v, row, chars)
}

// putText sets row of a TEXT column, cut to valid characters and checked against VARCHAR's length.
func putText(c *conv, v *types.Vec, row int, chars []byte) outcome {
	at := len(v.Buf)
	var out outcome
	var mended bool
	if v.Buf, mended = appendText(v.Buf, chars); mended {
		out = replaced
	}
	n := len(v.Buf) - at
	if limit := int(c.typ.Mod); limit > 0 && n > limit && utf8.RuneCount(v.Buf[at:]) > limit {
		// As in Postgres, spaces beyond the length are dropped.
		for n > 0 && v.Buf[at+n-1] == ' ' && utf8.RuneCount(v.Buf[at:at+n]) > limit {
			n--
		}
		if utf8.RuneCount(v.Buf[at:at+n]) > limit {
			v.Buf = v.Buf[:at]
			return isNull | isBad
		}
		v.Buf = v.Buf[:at+n]
	}
	v.R[row] = types.StrRef{Off: uint32(at), Len: uint32(n)}
	return out
}

func (r *valueReader) readInt(c *conv, v *types.Vec, row int, p []byte, i, depth int) (int, outcome) {
	j := i
	if p[j] == '-' {
		j++
	}
	if x, n := shortDigits(p, j); n > 0 && n < 16 && (n == 1 || p[j] != '0') {
		end := j + n
		if end >= len(p) || p[end] != '.' && p[end]|0x20 != 'e' {
			k := int64(x)
			if j > i {
				k = -k
			}
			v.I[row] = k
			if k < c.lo || k > c.hi {
				return end, isNull | isBad
			}
			return end, 0
		}
	}
	switch {
	case p[i] == '"':
		return r.readInput(c, v, row, p, i, depth)
	case p[i] != '-' && p[i]-'0' > 9:
		return r.bad(p, i, depth)
	}
	end := r.number(p, i)
	if end < 0 {
		return -1, isNull
	}
	k, ok := intOf(p[i:end], r.digits)
	if v.I[row] = k; !ok || k < c.lo || k > c.hi {
		return end, isNull | isBad
	}
	return end, 0
}

func (r *valueReader) readFloat(c *conv, v *types.Vec, row int, p []byte, i, depth int) (int, outcome) {
	switch {
	case p[i] == '"':
		return r.readInput(c, v, row, p, i, depth)
	case p[i] != '-' && p[i]-'0' > 9:
		return r.bad(p, i, depth)
	}
	end := r.number(p, i)
	if end < 0 {
		return -1, isNull
	}
	bits := 64
	if c.typ.Kind == types.Float4 {
		bits = 32
	}
	f, err := strconv.ParseFloat(borrow(p[i:end]), bits)
	if err != nil {
		return end, isNull | isBad
	}
	v.F[row] = f
	return end, 0
}

func (r *valueReader) readBool(c *conv, v *types.Vec, row int, p []byte, i, depth int) (int, outcome) {
	switch p[i] {
	case 't':
		v.B[row] = true
		return r.literal(p, i, "true"), 0
	case 'f':
		v.B[row] = false
		return r.literal(p, i, "false"), 0
	case '"':
		return r.readInput(c, v, row, p, i, depth)
	}
	end := r.value(p, i, depth)
	if end == i+1 && (p[i] == '0' || p[i] == '1') {
		v.B[row] = p[i] == '1'
		return end, 0
	}
	return end, isNull | isBad
}

func (r *valueReader) readTimestamp(c *conv, v *types.Vec, row int, p []byte, i, depth int) (int, outcome) {
	if p[i] == '"' {
		chars, end, _ := r.characters(p, i)
		if end < 0 {
			return -1, isNull
		}
		micros, _, ok := types.ParseTimestampISO(chars)
		if !ok {
			// A TIMESTAMP too is read with its zone, so that both forms of one time give one value.
			return end, input(types.T(types.Timestamptz), v, row, chars)
		}
		v.I[row] = micros
		return end, 0
	}
	if p[i] != '-' && p[i]-'0' > 9 {
		return r.bad(p, i, depth)
	}
	if micros, end := shortEpoch(p, i); end > 0 {
		v.I[row] = micros
		return end, 0
	}
	end := r.number(p, i)
	if end < 0 {
		return -1, isNull
	}
	micros, ok := epochMicros(parseDecimal(p[i:end], r.digits))
	if !ok || !inTime(micros) {
		return end, isNull | isBad
	}
	v.I[row] = micros
	return end, 0
}

func (r *valueReader) readNumeric(c *conv, v *types.Vec, row int, p []byte, i, depth int) (int, outcome) {
	var end int
	ok := true
	switch {
	case p[i] == '"':
		chars, e, _ := r.characters(p, i)
		if e < 0 {
			return -1, isNull
		}
		end = e
		r.text, ok = appendNumeric(r.text[:0], chars)
	case p[i] == '-' || p[i]-'0' < 10:
		if end = r.number(p, i); end < 0 {
			return -1, isNull
		}
		r.text, ok = appendNumeric(r.text[:0], p[i:end])
	default:
		return r.bad(p, i, depth)
	}
	if ok && c.typ.Mod > 0 {
		s, err := types.RoundNumeric(borrow(r.text), int(c.typ.Mod), int(c.typ.Scale))
		r.text, ok = append(r.text[:0], s...), err == nil
	}
	if !ok {
		return end, isNull | isBad
	}
	v.SetStr(row, r.text)
	return end, 0
}

// readJSONB keeps any value.
func (r *valueReader) readJSONB(v *types.Vec, row int, p []byte, i, depth int) (int, outcome) {
	end := r.value(p, i, depth)
	if end < 0 {
		return -1, isNull
	}
	var out outcome
	src := p[i:end]
	if !utf8.Valid(src) || r.mendedEscape(src) {
		out = replaced
	}
	text, err := types.CanonicalJSON(r.text[:0], src)
	if len(text) <= maxSize(len(src)) {
		r.text = text // else it is not worth keeping the memory
	}
	if err != nil || len(text) > maxSize(len(src)) {
		return end, isNull | isBad
	}
	v.SetStr(row, text)
	return end, out
}

// mendedEscape reports whether an escape sequence of JSON text stands for a character that becomes U+FFFD.
func (r *valueReader) mendedEscape(src []byte) bool {
	for i := bytes.IndexByte(src, '\\'); i >= 0; {
		_, end, mended := appendEscape(r.chars[:0], src, i)
		if mended {
			return true
		}
		next := bytes.IndexByte(src[end:], '\\')
		if next < 0 {
			break
		}
		i = end + next
	}
	return false
}

// readChars is for types whose values are strings: INET and BYTEA.
func (r *valueReader) readChars(c *conv, v *types.Vec, row int, p []byte, i, depth int) (int, outcome) {
	if p[i] != '"' {
		return r.bad(p, i, depth)
	}
	chars, end, out := r.characters(p, i)
	switch {
	case end < 0:
		return -1, isNull
	case c.op == opBytea:
		return end, r.putBytea(v, row, chars)
	}
	if a, ok := dottedQuad(chars); ok {
		v.R[row] = types.StrRef{Off: uint32(len(v.Buf)), Len: 6}
		v.Buf = append(v.Buf, 4, 32, byte(a>>24), byte(a>>16), byte(a>>8), byte(a))
		return end, 0
	}
	return end, out&^replaced | input(c.typ, v, row, chars)
}

// dottedQuad reads an IPv4 address without a mask.
func dottedQuad(b []byte) (addr uint32, ok bool) {
	i := 0
	for part := range 4 {
		if part > 0 {
			if i >= len(b) || b[i] != '.' {
				return 0, false
			}
			i++
		}
		if i >= len(b) || b[i]-'0' > 9 {
			return 0, false
		}
		octet := uint32(b[i] - '0')
		for i++; i < len(b) && b[i]-'0' < 10 && octet < 100; i++ {
			octet = octet*10 + uint32(b[i]-'0')
		}
		if octet > 255 {
			return 0, false
		}
		addr = addr<<8 | octet
	}
	return addr, i == len(b)
}

func (r *valueReader) putBytea(v *types.Vec, row int, chars []byte) outcome {
	var err error
	if bytes.HasPrefix(chars, []byte(`\x`)) {
		r.text, err = hex.AppendDecode(r.text[:0], chars[2:])
	} else {
		r.text, err = base64.StdEncoding.AppendDecode(r.text[:0], chars)
	}
	if err != nil {
		return isNull | isBad
	}
	v.SetStr(row, r.text)
	return 0
}

// readInput reads the characters of a string, or the JSON text of another scalar, as Postgres reads text.
func (r *valueReader) readInput(c *conv, v *types.Vec, row int, p []byte, i, depth int) (int, outcome) {
	if p[i] == '"' {
		chars, end, _ := r.characters(p, i)
		if end < 0 {
			return -1, isNull
		}
		return end, input(c.typ, v, row, chars)
	}
	end := r.value(p, i, depth)
	if end < 0 || p[i] == '{' || p[i] == '[' {
		return end, isNull | isBad
	}
	return end, input(c.typ, v, row, p[i:end])
}

// input sets row of v by the type's text input.
func input(t types.Type, v *types.Vec, row int, chars []byte) outcome {
	x, err := types.ParseValue(t, borrow(chars), time.UTC)
	if err != nil || x.Null {
		return isNull | isBad
	}
	put(v, row, x)
	return 0
}

// put sets row of v, which is of x's layout.
func put(v *types.Vec, row int, x types.Value) {
	switch x.Type.Layout() {
	case types.LBool:
		v.B[row] = x.I != 0
	case types.LInt:
		v.I[row] = x.I
	case types.LFloat:
		v.F[row] = x.F
	case types.LStr:
		v.SetString(row, x.S)
	case types.LInterval:
		v.V[row] = x.Iv
	}
}

// borrow is a string that lasts as long as b is not written: for calls that do not keep it.
func borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
