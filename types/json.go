package types

import (
	"bytes"
	"cmp"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxJSONDepth is how deep JSON values may nest.
const MaxJSONDepth = 512

// A number's exponent is written out, as Postgres does, up to so many digits (all that DOUBLE PRECISION can hold); a longer one
// stays, for nine bytes of input must not become 131,072.
const maxJSONDigits = 400

// CanonicalJSON appends JSON in the one form that JSONB values have, as Postgres prints it: ", " and ": ", keys without
// duplicates (the last wins) ordered by length and then bytes, numbers without exponents, strings with the escapes that they
// need. Where Postgres refuses a string (NUL, half a surrogate pair, invalid UTF-8) the character becomes U+FFFD, and a number
// that no numeric can hold becomes a string: an attacker must not be able to hide a document by one byte of it.
func CanonicalJSON(dst, src []byte) ([]byte, *Error) {
	p := jsonParser{src: src, dst: dst}
	if err := p.value(0); err != nil {
		return dst, err
	}
	if p.space(); p.pos < len(src) {
		return dst, p.fail("Expected end of input")
	}
	return p.dst, nil
}

// jsonParser reads src once and appends to dst. The members of an object are appended as they come and put in order at its
// end, if they are not already.
type jsonParser struct {
	src, dst []byte
	pos      int
	members  []jsonMember // of all open objects
	keys     []byte       // their keys without escapes
	tmp      []byte
}

// jsonMember says where a member's key lies in keys, and the member (key, ": " and value) in dst.
type jsonMember struct{ keyOff, keyEnd, off, end int }

func (p *jsonParser) fail(expected string) *Error {
	e := Errorf(CodeInvalidText, "invalid input syntax for type json")
	switch {
	case p.pos >= len(p.src):
		return e.WithDetail("The input string ended unexpectedly.")
	default:
		near := p.src[p.pos:min(p.pos+20, len(p.src))]
		return e.WithDetail("%s at byte %d, but found \"%s\".", expected, p.pos+1, bytes.ToValidUTF8(near, []byte("?")))
	}
}

func (p *jsonParser) space() {
	for p.pos < len(p.src) {
		switch p.src[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// next skips white space and c, if c comes next.
func (p *jsonParser) next(c byte) bool {
	p.space()
	if p.pos < len(p.src) && p.src[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

func (p *jsonParser) value(depth int) *Error {
	p.space()
	if p.pos >= len(p.src) {
		return p.fail("Expected JSON value")
	}
	if depth > MaxJSONDepth {
		return Errorf(CodeTooComplex, "JSON is nested more than %d levels deep", MaxJSONDepth)
	}
	switch c := p.src[p.pos]; c {
	case '{':
		return p.object(depth)
	case '[':
		return p.array(depth)
	case '"':
		return p.str()
	case 't':
		return p.word("true")
	case 'f':
		return p.word("false")
	case 'n':
		return p.word("null")
	default:
		if c == '-' || c >= '0' && c <= '9' {
			return p.number()
		}
	}
	return p.fail("Expected JSON value")
}

func (p *jsonParser) word(w string) *Error {
	if len(p.src)-p.pos < len(w) || string(p.src[p.pos:p.pos+len(w)]) != w {
		return p.fail("Expected JSON value")
	}
	p.pos += len(w)
	p.dst = append(p.dst, w...)
	return nil
}

func (p *jsonParser) array(depth int) *Error {
	p.pos++
	p.dst = append(p.dst, '[')
	for n := 0; ; n++ {
		if n == 0 && p.next(']') {
			break
		}
		if n > 0 {
			p.dst = append(p.dst, ", "...)
		}
		if err := p.value(depth + 1); err != nil {
			return err
		}
		if p.next(']') {
			break
		}
		if !p.next(',') {
			return p.fail(`Expected "," or "]"`)
		}
	}
	p.dst = append(p.dst, ']')
	return nil
}

func (p *jsonParser) object(depth int) *Error {
	p.pos++
	p.dst = append(p.dst, '{')
	firstMember, firstKey, start := len(p.members), len(p.keys), len(p.dst)
	for n := 0; ; n++ {
		if n == 0 && p.next('}') {
			break
		}
		if n > 0 {
			p.dst = append(p.dst, ", "...)
		}
		if p.space(); p.pos >= len(p.src) || p.src[p.pos] != '"' {
			return p.fail("Expected string")
		}
		m := jsonMember{keyOff: len(p.keys), off: len(p.dst)}
		if err := p.key(); err != nil {
			return err
		}
		m.keyEnd = len(p.keys)
		if !p.next(':') {
			return p.fail(`Expected ":"`)
		}
		p.dst = append(p.dst, ": "...)
		if err := p.value(depth + 1); err != nil {
			return err
		}
		m.end = len(p.dst)
		p.members = append(p.members, m)
		if p.next('}') {
			break
		}
		if !p.next(',') {
			return p.fail(`Expected "," or "}"`)
		}
	}
	p.order(p.members[firstMember:], start)
	p.members, p.keys = p.members[:firstMember], p.keys[:firstKey]
	p.dst = append(p.dst, '}')
	return nil
}

// order puts the members that lie in dst from start on in order.
func (p *jsonParser) order(ms []jsonMember, start int) {
	compare := func(a, b jsonMember) int {
		if c := cmp.Compare(a.keyEnd-a.keyOff, b.keyEnd-b.keyOff); c != 0 {
			return c
		}
		return bytes.Compare(p.keys[a.keyOff:a.keyEnd], p.keys[b.keyOff:b.keyEnd])
	}
	sorted := true
	for i := 1; i < len(ms) && sorted; i++ {
		sorted = compare(ms[i-1], ms[i]) < 0
	}
	if sorted {
		return
	}
	slices.SortStableFunc(ms, compare)
	p.tmp = append(p.tmp[:0], p.dst[start:]...)
	p.dst = p.dst[:start]
	for i, m := range ms {
		if i+1 < len(ms) && compare(m, ms[i+1]) == 0 {
			continue // a later member of the same key wins
		}
		if len(p.dst) > start {
			p.dst = append(p.dst, ", "...)
		}
		p.dst = append(p.dst, p.tmp[m.off-start:m.end-start]...)
	}
}

// key appends a key to dst, and without escapes to keys.
func (p *jsonParser) key() *Error {
	start := len(p.keys)
	if err := p.unescape(); err != nil {
		return err
	}
	p.dst = AppendJSONString(p.dst, p.keys[start:])
	return nil
}

// str appends a string; most have nothing to escape.
func (p *jsonParser) str() *Error {
	n := p.pos + 1
	for n < len(p.src) && jsonPlain[p.src[n]] {
		n++
	}
	if n < len(p.src) && p.src[n] == '"' {
		p.dst = append(p.dst, p.src[p.pos:n+1]...)
		p.pos = n + 1
		return nil
	}
	start := len(p.keys)
	if err := p.unescape(); err != nil {
		return err
	}
	p.dst = AppendJSONString(p.dst, p.keys[start:])
	p.keys = p.keys[:start]
	return nil
}

// unescape appends the characters of the string that begins at pos to keys.
func (p *jsonParser) unescape() *Error {
	p.pos++
	for p.pos < len(p.src) {
		switch c := p.src[p.pos]; {
		case c == '"':
			p.pos++
			return nil
		case c == '\\':
			if err := p.escape(); err != nil {
				return err
			}
		case c < 0x20:
			return p.fail("Expected a character (control characters must be escaped)")
		case c < utf8.RuneSelf:
			p.keys = append(p.keys, c)
			p.pos++
		default:
			r, size := utf8.DecodeRune(p.src[p.pos:])
			p.keys = utf8.AppendRune(p.keys, r)
			p.pos += size
		}
	}
	return p.fail("Expected end of string")
}

func (p *jsonParser) escape() *Error {
	if p.pos+1 >= len(p.src) {
		p.pos = len(p.src)
		return p.fail("Expected end of string")
	}
	c := p.src[p.pos+1]
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return p.unicode()
	default:
		return p.fail("Expected an escape sequence")
	}
	p.keys = append(p.keys, c)
	p.pos += 2
	return nil
}

func (p *jsonParser) unicode() *Error {
	r, ok := hexRune(p.src[p.pos:])
	if !ok {
		return p.fail(`Expected "\u" and four hexadecimal digits`)
	}
	p.pos += 6
	if utf16.IsSurrogate(r) {
		low, ok := hexRune(p.src[p.pos:])
		if r = utf16.DecodeRune(r, low); ok && r != utf8.RuneError {
			p.pos += 6
		}
	}
	if r == 0 {
		r = utf8.RuneError
	}
	p.keys = utf8.AppendRune(p.keys, r)
	return nil
}

// hexRune reads "\u" and four hexadecimal digits.
func hexRune(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		d, ok := hexDigit(c)
		if !ok {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

func (p *jsonParser) number() *Error {
	start, n := p.pos, p.pos
	digits := func() bool {
		from := n
		for n < len(p.src) && p.src[n] >= '0' && p.src[n] <= '9' {
			n++
		}
		return n > from
	}
	at := func(c byte) bool { return n < len(p.src) && p.src[n] == c }
	if at('-') {
		n++
	}
	zero := at('0')
	if whole := n; !digits() || zero && n > whole+1 {
		return p.fail("Expected JSON number")
	}
	if at('.') {
		if n++; !digits() {
			return p.fail("Expected JSON number")
		}
	}
	exponent := at('e') || at('E')
	if exponent {
		if n++; at('+') || at('-') {
			n++
		}
		if !digits() {
			return p.fail("Expected JSON number")
		}
	}
	p.pos = n
	p.dst = appendJSONNumber(p.dst, p.src[start:n], exponent)
	return nil
}

// appendJSONNumber appends a number without exponent and without the sign of zero, or, if it is beyond all numerics, a string.
func appendJSONNumber(dst, b []byte, exponent bool) []byte {
	if exponent {
		s, err := ParseNumeric(string(b))
		if err != nil {
			return AppendJSONString(dst, b)
		}
		_, whole, frac, exp, _ := splitNumeric(string(b))
		if exp += int64(len(whole)); exp > maxJSONDigits || exp < -maxJSONDigits || len(whole)+len(frac) > maxJSONDigits {
			return append(dst, b...)
		}
		return append(dst, s...)
	}
	if b[0] == '-' && len(bytes.Trim(b, "-0.")) == 0 {
		b = b[1:]
	}
	return append(dst, b...)
}
