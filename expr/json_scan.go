package expr

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// Reading of JSON text in place. JSONB columns hold valid canonical JSON; on anything else these functions give some answer,
// and never read beyond the text.

// jsonKind is jsonb_typeof of a value.
func jsonKind(b []byte) string {
	b = jsonTrim(b)
	if len(b) == 0 {
		return "null"
	}
	switch b[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}

// jsonScalar reports whether a value is neither object nor array.
func jsonScalar(b []byte) bool {
	b = jsonTrim(b)
	return len(b) == 0 || b[0] != '{' && b[0] != '['
}

func isJSONSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func jsonTrim(b []byte) []byte {
	for len(b) > 0 && isJSONSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isJSONSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// stringEnd returns the place behind the string that begins at b[pos].
func stringEnd(b []byte, pos int) int {
	for pos++; pos < len(b); pos++ {
		switch b[pos] {
		case '\\':
			pos++
		case '"':
			return pos + 1
		}
	}
	return len(b)
}

// valueEnd returns the place behind the value that begins at b[pos].
func valueEnd(b []byte, pos int) int {
	depth := 0
	for pos < len(b) {
		switch c := b[pos]; c {
		case '"':
			if pos = stringEnd(b, pos); depth == 0 {
				return pos
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return pos + 1
			}
			if depth < 0 {
				return pos
			}
		case ',', ':', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return pos
			}
		}
		pos++
	}
	return len(b)
}

// jsonMembers steps through an object or array: next returns each value, and of objects the raw key without its quotes.
type jsonMembers struct {
	b      []byte
	pos    int
	object bool
}

func membersOf(b []byte) jsonMembers {
	b = jsonTrim(b)
	if len(b) == 0 || b[0] != '{' && b[0] != '[' {
		return jsonMembers{}
	}
	return jsonMembers{b: b, pos: 1, object: b[0] == '{'}
}

func (m *jsonMembers) skip() {
	for m.pos < len(m.b) && (isJSONSpace(m.b[m.pos]) || m.b[m.pos] == ',' || m.b[m.pos] == ':') {
		m.pos++
	}
}

func (m *jsonMembers) next() (key, value []byte, ok bool) {
	m.skip()
	if m.pos >= len(m.b) || m.b[m.pos] == '}' || m.b[m.pos] == ']' {
		return nil, nil, false
	}
	if m.object {
		if m.b[m.pos] != '"' {
			return nil, nil, false
		}
		end := stringEnd(m.b, m.pos)
		key = m.b[m.pos+1 : max(end-1, m.pos+1)]
		m.pos = end
		m.skip()
	}
	end := valueEnd(m.b, m.pos)
	value = m.b[m.pos:end]
	if end == m.pos {
		return nil, nil, false
	}
	m.pos = end
	return key, value, true
}

// sameKey compares a raw key with a name.
func sameKey(raw, name []byte) bool {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw) == string(name)
	}
	return string(appendUnescaped(nil, raw)) == string(name)
}

// jsonField is object -> key.
func jsonField(b, key []byte) ([]byte, bool) {
	m := membersOf(b)
	if !m.object {
		return nil, false
	}
	for {
		k, v, ok := m.next()
		if !ok {
			return nil, false
		}
		if sameKey(k, key) {
			return v, true
		}
	}
}

// jsonElem is array -> index; negative indexes count from the end. As in Postgres, a scalar is an array of itself.
func jsonElem(b []byte, index int64) ([]byte, bool) {
	if jsonScalar(b) {
		return b, index == 0 || index == -1
	}
	m := membersOf(b)
	if m.b == nil || m.object {
		return nil, false
	}
	if index < 0 {
		if index += int64(jsonCount(b)); index < 0 {
			return nil, false
		}
	}
	for {
		_, v, ok := m.next()
		if !ok {
			return nil, false
		}
		if index == 0 {
			return v, true
		}
		index--
	}
}

// jsonCount is the number of members.
func jsonCount(b []byte) int {
	m, n := membersOf(b), 0
	for {
		if _, _, ok := m.next(); !ok {
			return n
		}
		n++
	}
}

// appendJSONText appends a value as ->> gives it: a string without quotes, others as they are. It is false for null.
func appendJSONText(dst, v []byte) ([]byte, bool) {
	v = jsonTrim(v)
	switch {
	case len(v) == 0 || v[0] == 'n':
		return dst, false
	case v[0] == '"':
		return appendUnescaped(dst, v[1:max(len(v)-1, 1)]), true
	}
	return append(dst, v...), true
}

// appendUnescaped appends the inside of a JSON string.
func appendUnescaped(dst, b []byte) []byte {
	for len(b) > 0 {
		k := bytes.IndexByte(b, '\\')
		if k < 0 || k+1 >= len(b) {
			return append(dst, b...)
		}
		dst = append(dst, b[:k]...)
		c := b[k+1]
		b = b[k+2:]
		switch c {
		case 'n':
			dst = append(dst, '\n')
		case 't':
			dst = append(dst, '\t')
		case 'r':
			dst = append(dst, '\r')
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'u':
			var r rune
			r, b = unescapeRune(b)
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// unescapeRune reads the digits behind \u, and a second escape if the two are a surrogate pair.
func unescapeRune(b []byte) (rune, []byte) {
	r, ok := hex4(b)
	if !ok {
		return utf8.RuneError, b
	}
	b = b[4:]
	if utf16.IsSurrogate(r) && len(b) >= 6 && b[0] == '\\' && b[1] == 'u' {
		if low, ok := hex4(b[2:]); ok {
			return utf16.DecodeRune(r, low), b[6:]
		}
	}
	return r, b
}

func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		if !isHex(c) {
			return 0, false
		}
		d := rune(c | 0x20)
		if d >= 'a' {
			d -= 'a' - 10
		} else {
			d -= '0'
		}
		r = r<<4 | d
	}
	return r, true
}
