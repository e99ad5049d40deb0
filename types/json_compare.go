package types

import (
	"bytes"
	"cmp"
)

// CompareJSON orders canonical JSON as Postgres orders jsonb: null < string < number < false < true < array < object; strings
// by their bytes, numbers by value, arrays and objects first by their size and then element by element (of objects key, value,
// key, value). As in Postgres, an empty array at the top is the least of all.
func CompareJSON(a, b []byte) int {
	if bytes.Equal(a, b) {
		return 0
	}
	if x, y := string(a) == "[]", string(b) == "[]"; x || y {
		return boolInt(y) - boolInt(x)
	}
	x, y := jsonReader{b: a}, jsonReader{b: b}
	return x.compare(&y)
}

// jsonReader walks canonical JSON. On bytes that are none it stops early, but never panics.
type jsonReader struct {
	b     []byte
	pos   int
	depth int
}

func (r *jsonReader) peek() byte {
	if r.pos < len(r.b) {
		return r.b[r.pos]
	}
	return 0
}

// jsonRank orders the kinds by their first byte.
func jsonRank(c byte) int {
	switch c {
	case '{':
		return 6
	case '[':
		return 5
	case 't':
		return 4
	case 'f':
		return 3
	case '"':
		return 1
	case 'n', 0:
		return 0
	default:
		return 2
	}
}

// compare compares the values at both positions. The positions are behind the values if they are equal, and of no use otherwise.
func (r *jsonReader) compare(o *jsonReader) int {
	c := r.peek()
	if d := cmp.Compare(jsonRank(c), jsonRank(o.peek())); d != 0 {
		return d
	}
	switch c {
	case '{', '[':
		return r.compareContainers(o)
	case '"':
		return compareJSONStrings(r.token(), o.token())
	case 't', 'f', 'n', 0:
		r.token()
		o.token()
		return 0
	default:
		return compareJSONNumbers(r.token(), o.token())
	}
}

func (r *jsonReader) compareContainers(o *jsonReader) int {
	n := r.size()
	if c := cmp.Compare(n, o.size()); c != 0 {
		return c
	}
	if r.depth++; r.depth > MaxJSONDepth+1 {
		return bytes.Compare(r.b, o.b) // not canonical
	}
	object := r.peek() == '{'
	r.pos++
	o.pos++
	for range n {
		if object {
			if c := compareJSONStrings(r.token(), o.token()); c != 0 {
				return c
			}
			r.pos += len(": ")
			o.pos += len(": ")
		}
		if c := r.compare(o); c != 0 {
			return c
		}
		if r.peek() == ',' {
			r.pos += len(", ")
		}
		if o.peek() == ',' {
			o.pos += len(", ")
		}
	}
	r.depth--
	r.pos++
	o.pos++
	return 0
}

// size counts the members of the array or object at the position.
func (r *jsonReader) size() int {
	s := jsonReader{b: r.b, pos: r.pos + 1}
	if c := s.peek(); c == ']' || c == '}' {
		return 0
	}
	depth, n := 0, 1
	for s.pos < len(s.b) {
		switch s.b[s.pos] {
		case '"':
			s.token()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return n
			}
		case ',':
			if depth == 0 {
				n++
			}
		}
		s.pos++
	}
	return n
}

// token reads the string (with its quotes), number or word at the position.
func (r *jsonReader) token() []byte {
	start := min(r.pos, len(r.b))
	if r.peek() == '"' {
		for r.pos++; r.pos < len(r.b) && r.b[r.pos] != '"'; r.pos++ {
			if r.b[r.pos] == '\\' {
				r.pos++
			}
		}
		r.pos = min(r.pos+1, len(r.b))
		return r.b[start:r.pos]
	}
	for r.pos < len(r.b) && bytes.IndexByte([]byte(",]}: "), r.b[r.pos]) < 0 {
		r.pos++
	}
	return r.b[start:min(max(r.pos, start), len(r.b))]
}

// compareJSONStrings compares quoted strings. Escapes are rare, so strings without them are compared as they are.
func compareJSONStrings(a, b []byte) int {
	if bytes.IndexByte(a, '\\') >= 0 || bytes.IndexByte(b, '\\') >= 0 {
		return bytes.Compare(unquoteJSON(a), unquoteJSON(b))
	}
	if len(a) < 2 || len(b) < 2 {
		return bytes.Compare(a, b)
	}
	return bytes.Compare(a[1:len(a)-1], b[1:len(b)-1])
}

func unquoteJSON(b []byte) []byte {
	p := jsonParser{src: b}
	if p.unescape() != nil {
		return b
	}
	return p.keys
}

func compareJSONNumbers(a, b []byte) int {
	return CompareNumeric(jsonNumeric(a), jsonNumeric(b))
}

// jsonNumeric is a JSON number as a canonical numeric; they differ only in exponents of more than maxJSONDigits.
func jsonNumeric(b []byte) []byte {
	if bytes.IndexByte(b, 'e') < 0 && bytes.IndexByte(b, 'E') < 0 {
		return b
	}
	s, err := ParseNumeric(string(b))
	if err != nil {
		return b
	}
	return []byte(s)
}

// canonicalJSONKey strips from a jsonb what does not change its value: trailing zeros of fractions.
func canonicalJSONKey(b []byte) []byte {
	if bytes.IndexByte(b, '.') < 0 && bytes.IndexByte(b, 'e') < 0 && bytes.IndexByte(b, 'E') < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	r := jsonReader{b: b}
	for r.pos < len(b) {
		c := b[r.pos]
		switch {
		case c == '"':
			out = append(out, r.token()...)
		case c == '-' || c >= '0' && c <= '9':
			out = append(out, canonicalNumeric(jsonNumeric(r.token()))...)
		default:
			out = append(out, c)
			r.pos++
		}
	}
	return out
}
