package decode

import (
	"math/bits"
	"unicode/utf8"
	"unsafe"

	"rhumb/types"
)

// scanner walks over the JSON of one payload. Its methods take the place where something begins and return the place behind it, or -1
// after noting what is wrong. All that they accept is valid JSON (RFC 8259), but for the UTF-8 within strings.
type scanner struct {
	maxDepth int
	open     []byte // the brackets that are open within the value being skipped
	keys     int    // keys met in this payload

	errPos int
	errMsg string // what was wrong first; "" = nothing
	errSQL string // its SQLSTATE
}

// fail notes what is wrong at byte i and returns -1.
func (s *scanner) fail(i int, msg string) int {
	if s.errMsg == "" {
		s.errPos, s.errMsg, s.errSQL = i, msg, types.CodeInvalidText
	}
	return -1
}

// unexpected is fail for a character, or the end, where wanted should be.
func (s *scanner) unexpected(p []byte, i int, wanted string) int {
	if i >= len(p) {
		return s.fail(len(p), "unexpected end, expected "+wanted)
	}
	r, _ := utf8.DecodeRune(p[i:])
	return s.fail(i, "unexpected "+quoteRune(r)+", expected "+wanted)
}

// tooDeep is fail for a bracket beyond the depth limit.
func (s *scanner) tooDeep(i int) int {
	if s.errMsg == "" {
		s.errPos, s.errMsg, s.errSQL = i, "nested too deeply", types.CodeProgramLimit
	}
	return -1
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// load64 reads eight bytes at i, which lie within p: whoever calls has compared i+8 with len(p), and i is never negative.
// Slicing checks that again and costs a tenth of the time of this package. The order of bytes is that of types.Words: little-endian.
func load64(p []byte, i int) uint64 {
	return *(*uint64)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(p)), i))
}

// stringStop finds the first quote, backslash or control character at or after i, or the end of p.
//
// Eight bytes at a time: x^0x02 takes '"' (0x22) to 0x20 and keeps control characters below 0x20, so one subtraction of 0x21
// finds both; a borrow reaches higher bytes only from a byte that is itself a hit, and the lowest hit is the one used.
func stringStop(p []byte, i int) int {
	for ; i+8 <= len(p); i += 8 {
		x := load64(p, i)
		if hit := (((x ^ 0x02*ones) - 0x21*ones) | ((x ^ 0x5c*ones) - ones)) &^ x & highs; hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
	}
	for i < len(p) && p[i] != '"' && p[i] != '\\' && p[i] >= 0x20 {
		i++
	}
	return i
}

// ascii reports whether all bytes are ASCII.
func ascii(p []byte) bool {
	var or uint64
	i := 0
	for ; i+8 <= len(p); i += 8 {
		or |= load64(p, i)
	}
	for ; i < len(p); i++ {
		or |= uint64(p[i])
	}
	return or&highs == 0
}

// str skips a string; i is behind its opening quote, and the result behind its closing one.
func (s *scanner) str(p []byte, i int) int {
	j := stringStop(p, i)
	if j < len(p) && p[j] == '"' {
		return j + 1
	}
	return s.strSlow(p, j)
}

// strSlow goes on with a string from a stop that is not its closing quote.
func (s *scanner) strSlow(p []byte, j int) int {
	for {
		switch {
		case j >= len(p):
			return s.fail(len(p), "unterminated string")
		case p[j] == '"':
			return j + 1
		case p[j] != '\\':
			return s.fail(j, "control character in a string")
		}
		n := escapeLen(p[j:])
		if n == 0 {
			return s.fail(j, "invalid escape sequence")
		}
		j = stringStop(p, j+n)
	}
}

// escapeLen is the length of the escape sequence that p begins with, or 0 if it is none.
func escapeLen(p []byte) int {
	if len(p) < 2 {
		return 0
	}
	switch p[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(p); ok {
			return 6
		}
	}
	return 0
}

// hex4 reads the digits of a "\uXXXX" that p begins with.
func hex4(p []byte) (rune, bool) {
	if len(p) < 6 {
		return 0, false
	}
	var r rune
	for _, c := range p[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// space skips white space.
func space(p []byte, i int) int {
	for i < len(p) && p[i] <= ' ' && (p[i] == ' ' || p[i] == '\n' || p[i] == '\r' || p[i] == '\t') {
		i++
	}
	return i
}

// digits skips decimal digits.
func digits(p []byte, i int) int {
	for ; i+8 <= len(p); i += 8 {
		if n := leadingDigits(load64(p, i)); n < 8 {
			return i + n
		}
	}
	for i < len(p) && p[i]-'0' < 10 {
		i++
	}
	return i
}

// leadingDigits counts the decimal digits that the little-endian word begins with. A byte t = c^'0' is a digit's if it is
// below 10; the carry of a sum above 0xff comes only from a byte that is a hit itself.
func leadingDigits(x uint64) int {
	t := x ^ '0'*ones
	return bits.TrailingZeros64((t+0x76*ones|t)&highs) >> 3
}

// number skips a number.
func (s *scanner) number(p []byte, i int) int {
	j := i
	if p[j] == '-' {
		j++
	}
	switch {
	case j >= len(p) || p[j]-'0' > 9:
		return s.unexpected(p, j, "a digit")
	case p[j] == '0':
		j++
	default:
		j = digits(p, j+1)
	}
	if j < len(p) && p[j] == '.' {
		k := digits(p, j+1)
		if k == j+1 {
			return s.unexpected(p, k, "a digit")
		}
		j = k
	}
	if j < len(p) && p[j]|0x20 == 'e' {
		j++
		if j < len(p) && (p[j] == '+' || p[j] == '-') {
			j++
		}
		k := digits(p, j)
		if k == j {
			return s.unexpected(p, k, "a digit")
		}
		j = k
	}
	return j
}

// literal skips true, false or null, of which word is the one that begins with p[i].
func (s *scanner) literal(p []byte, i int, word string) int {
	if len(p)-i >= len(word) && string(p[i:i+len(word)]) == word {
		return i + len(word)
	}
	return s.fail(i, "invalid literal, expected "+word)
}

// value skips a value in which depth brackets are open already.
func (s *scanner) value(p []byte, i int, depth int) int {
	if i >= len(p) {
		return s.unexpected(p, i, "a value")
	}
	switch c := p[i]; c {
	case '"':
		return s.str(p, i+1)
	case '{', '[':
		return s.container(p, i, depth)
	case 't':
		return s.literal(p, i, "true")
	case 'f':
		return s.literal(p, i, "false")
	case 'n':
		return s.literal(p, i, "null")
	default:
		if c == '-' || c-'0' < 10 {
			return s.number(p, i)
		}
		return s.unexpected(p, i, "a value")
	}
}

// container skips an object or array, without recursion.
func (s *scanner) container(p []byte, i int, depth int) int {
	s.open = s.open[:0]
	for {
		// A value begins at i.
		if i >= len(p) {
			return s.unexpected(p, i, "a value")
		}
		switch c := p[i]; c {
		case '{', '[':
			if depth+len(s.open) >= s.maxDepth {
				return s.tooDeep(i)
			}
			s.open = append(s.open, c)
			i = space(p, i+1)
			if i < len(p) && p[i] == c+2 { // '}' is '{' + 2, ']' is '[' + 2
				break
			}
			if c == '{' {
				if i = s.key(p, i); i < 0 {
					return -1
				}
			}
			continue
		default:
			if i = s.value(p, i, 0); i < 0 {
				return -1
			}
		}
		// Behind a value, or at a bracket that closes an empty one: close what is to be closed, up to the next value.
		for {
			i = space(p, i)
			top := s.open[len(s.open)-1]
			if i < len(p) && p[i] == ',' {
				i = space(p, i+1)
				if top == '{' {
					if i = s.key(p, i); i < 0 {
						return -1
					}
				}
				break
			}
			if i >= len(p) || p[i] != top+2 {
				if top == '{' {
					return s.unexpected(p, i, "',' or '}'")
				}
				return s.unexpected(p, i, "',' or ']'")
			}
			i++
			s.open = s.open[:len(s.open)-1]
			if len(s.open) == 0 {
				return i
			}
		}
	}
}

// key skips a key, its colon and the space up to the value.
func (s *scanner) key(p []byte, i int) int {
	if i >= len(p) || p[i] != '"' {
		return s.unexpected(p, i, "a key")
	}
	if i = s.str(p, i+1); i < 0 {
		return -1
	}
	return s.colon(p, i)
}

// colon skips the colon behind a key, and the space around it.
func (s *scanner) colon(p []byte, i int) int {
	i = space(p, i)
	if i >= len(p) || p[i] != ':' {
		return s.unexpected(p, i, "':'")
	}
	s.keys++
	return space(p, i+1)
}
