package types

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ParseValue reads the text input of a type as Postgres 15 does (DateStyle ISO, MDY), with the modifiers of varchar(n) and
// numeric(p,s) applied as a cast applies them: text is cut, numbers are rounded. A timestamptz without a zone is in zone
// (nil = UTC).
//
// Deviations: words that need a clock (now, today) and infinite dates are refused; arrays have one dimension; a cast to
// jsonb mends strings (CanonicalJSON).
func ParseValue(t Type, s string, zone *time.Location) (Value, *Error) {
	v := Value{Type: t}
	var err *Error
	switch t.Kind {
	case Bool:
		var b bool
		b, err = parseBool(s)
		v.I = int64(boolInt(b))
	case Int2:
		v.I, err = parseInt(s, 16, t)
	case Int4:
		v.I, err = parseInt(s, 32, t)
	case Int8:
		v.I, err = parseInt(s, 64, t)
	case Float4:
		v.F, err = parseFloat(s, 32, t)
	case Float8:
		v.F, err = parseFloat(s, 64, t)
	case Date:
		v.I, err = parseDate(s)
	case Time:
		v.I, err = parseTime(s)
	case Timestamp:
		v.I, err = parseTimestamp(s, false, nil)
	case Timestamptz:
		v.I, err = parseTimestamp(s, true, zone)
	case IntervalKind:
		v.Iv, err = ParseInterval(s)
	default:
		v.S, err = parseStrKind(t, s, zone)
	}
	if err != nil {
		return NullOf(t), err
	}
	return v, nil
}

func parseStrKind(t Type, s string, zone *time.Location) (string, *Error) {
	switch t.Kind {
	case Text:
		if err := checkText(s); err != nil {
			return "", err
		}
		return truncateText(s, int(t.Mod)), nil
	case Numeric:
		n, err := ParseNumeric(s)
		if err == nil && t.Mod > 0 {
			n, err = RoundNumeric(n, int(t.Mod), int(t.Scale))
		}
		return n, err
	case Bytea:
		return parseBytea(s)
	case UUID:
		return parseUUID(s)
	case Inet, Cidr:
		b, err := ParseInet(s, t.Kind == Cidr)
		return string(b), err
	case JSONB:
		b, err := CanonicalJSON(nil, []byte(s))
		if err != nil {
			return "", err
		}
		return string(b), nil
	case Array:
		return parseArray(t.Elem, s, zone)
	default: // an untyped literal
		return s, nil
	}
}

func invalidText(typeName, s string) *Error {
	return Errorf(CodeInvalidText, "invalid input syntax for type %s: \"%s\"", typeName, clip(s))
}

// clip shortens a text for an error message.
func clip(s string) string {
	const limit = 200
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}

// trimSpace removes what C's isspace calls white space in ASCII.
func trimSpace(s string) string { return strings.Trim(s, " \t\n\v\f\r") }

func parseBool(s string) (bool, *Error) {
	t := strings.ToLower(trimSpace(s))
	switch {
	case t == "":
	case strings.HasPrefix("true", t), strings.HasPrefix("yes", t), t == "on", t == "1":
		return true, nil
	case strings.HasPrefix("false", t), strings.HasPrefix("no", t), t == "of", t == "off", t == "0":
		return false, nil
	}
	return false, invalidText("boolean", s)
}

func parseInt(s string, bits int, t Type) (int64, *Error) {
	x, err := strconv.ParseInt(trimSpace(s), 10, bits)
	switch {
	case err == nil:
		return x, nil
	case errors.Is(err, strconv.ErrRange):
		return 0, Errorf(CodeOutOfRange, "value \"%s\" is out of range for type %s", clip(s), t)
	}
	return 0, invalidText(t.String(), s)
}

func parseFloat(s string, bits int, t Type) (float64, *Error) {
	text := trimSpace(s)
	if strings.IndexByte(text, '_') >= 0 {
		return 0, invalidText(t.String(), s)
	}
	f, err := strconv.ParseFloat(text, bits)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return 0, invalidText(t.String(), s)
	case err != nil, f == 0 && strings.ContainsAny(mantissa(text), "123456789"):
		return 0, Errorf(CodeOutOfRange, "\"%s\" is out of range for type %s", clip(text), t)
	}
	return f, nil
}

// mantissa is a float's text before its exponent.
func mantissa(s string) string {
	if i := strings.IndexAny(s, "eEpP"); i >= 0 {
		return s[:i]
	}
	return s
}

// checkText refuses what no text may hold.
func checkText(s string) *Error {
	if strings.IndexByte(s, 0) >= 0 {
		return Errorf(CodeCharNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": 0x00")
	}
	for rest := s; ; {
		i := strings.IndexFunc(rest, func(r rune) bool { return r == utf8.RuneError })
		if i < 0 {
			return nil
		}
		if _, size := utf8.DecodeRuneInString(rest[i:]); size == 1 {
			return Errorf(CodeCharNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": 0x%02x", rest[i])
		}
		rest = rest[i+len("\uFFFD"):]
	}
}

// truncateText cuts s to n characters; 0 = no limit.
func truncateText(s string, n int) string {
	if n <= 0 || len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// parseBytea reads the hex format (\x and digits, white space between bytes) or the escape format (\\ and \ooo).
func parseBytea(s string) (string, *Error) {
	if digits, ok := strings.CutPrefix(s, `\x`); ok {
		return parseHexBytes(digits)
	}
	if strings.IndexByte(s, '\\') < 0 {
		return s, nil
	}
	var b bytes.Buffer
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\':
			b.WriteByte(s[i])
		case strings.HasPrefix(s[i:], `\\`):
			b.WriteByte('\\')
			i++
		default:
			x, err := strconv.ParseUint(s[i+1:min(i+4, len(s))], 8, 8)
			if err != nil || i+4 > len(s) {
				return "", Errorf(CodeInvalidText, "invalid input syntax for type bytea")
			}
			b.WriteByte(byte(x))
			i += 3
		}
	}
	return b.String(), nil
}

func parseHexBytes(digits string) (string, *Error) {
	b := make([]byte, 0, len(digits)/2)
	for i := 0; i < len(digits); {
		if strings.IndexByte(" \t\n\r", digits[i]) >= 0 {
			i++
			continue
		}
		var x byte
		for range 2 {
			if i == len(digits) {
				return "", Errorf(CodeInvalidOption, "invalid hexadecimal data: odd number of digits")
			}
			d, ok := hexDigit(digits[i])
			if !ok {
				return "", Errorf(CodeInvalidOption, "invalid hexadecimal digit: \"%s\"", strings.ToValidUTF8(digits[i:i+1], "?"))
			}
			x = x<<4 | d
			i++
		}
		b = append(b, x)
	}
	return string(b), nil
}

// parseUUID reads 32 hexadecimal digits, with a hyphen after any group of four, in braces or not.
func parseUUID(s string) (string, *Error) {
	t := s
	if strings.HasPrefix(t, "{") {
		var ok bool
		if t, ok = strings.CutSuffix(t[1:], "}"); !ok {
			return "", invalidText("uuid", s)
		}
	}
	b := make([]byte, 0, 16)
	for len(b) < 16 {
		if len(b) > 0 && len(b)%2 == 0 && strings.HasPrefix(t, "-") {
			t = t[1:]
		}
		if len(t) < 2 {
			return "", invalidText("uuid", s)
		}
		hi, ok1 := hexDigit(t[0])
		lo, ok2 := hexDigit(t[1])
		if !ok1 || !ok2 {
			return "", invalidText("uuid", s)
		}
		b, t = append(b, hi<<4|lo), t[2:]
	}
	if t != "" {
		return "", invalidText("uuid", s)
	}
	return string(b), nil
}

// parseArray reads {a,"b c",NULL}.
func parseArray(elem Kind, s string, zone *time.Location) (string, *Error) {
	malformed := func(detail string) *Error {
		return Errorf(CodeInvalidText, "malformed array literal: \"%s\"", clip(s)).WithDetail("%s", detail)
	}
	t := trimSpace(s)
	if strings.HasPrefix(t, "[") {
		return "", Errorf(CodeNotSupported, "arrays with bounds are not supported").WithHint("Write the elements alone: {a,b}.")
	}
	t, ok := strings.CutPrefix(t, "{")
	if !ok {
		return "", malformed("Array value must start with \"{\" or dimension information.")
	}
	var elems []Value
	for first := true; ; first = false {
		t = strings.TrimLeft(t, " \t\n\v\f\r")
		if first && strings.HasPrefix(t, "}") {
			t = t[1:]
			break
		}
		if strings.HasPrefix(t, "{") {
			return "", Errorf(CodeNotSupported, "arrays of more than one dimension are not supported")
		}
		text, rest, quoted, ok := arrayElement(t)
		if !ok {
			return "", malformed("Unexpected array element.")
		}
		if !quoted && strings.EqualFold(text, "null") {
			elems = append(elems, NullOf(T(elem)))
		} else {
			v, err := ParseValue(T(elem), text, zone)
			if err != nil {
				return "", err
			}
			elems = append(elems, v)
		}
		end := rest[0]
		if t = rest[1:]; end == '}' {
			break
		}
	}
	if t != "" {
		return "", malformed("Junk after closing right brace.")
	}
	return string(EncodeArray(elems)), nil
}

// arrayElement reads one element and what follows it; rest begins with ',' or '}'.
func arrayElement(t string) (text, rest string, quoted, ok bool) {
	if strings.HasPrefix(t, `"`) {
		var b strings.Builder
		for i := 1; i < len(t); i++ {
			switch {
			case t[i] == '\\' && i+1 < len(t):
				i++
				b.WriteByte(t[i])
			case t[i] == '"':
				rest = strings.TrimLeft(t[i+1:], " \t\n\v\f\r")
				return b.String(), rest, true, rest != "" && (rest[0] == ',' || rest[0] == '}')
			default:
				b.WriteByte(t[i])
			}
		}
		return "", "", true, false
	}
	var b strings.Builder
	keep := 0 // length up to the last character that is escaped or no white space
	for i := 0; i < len(t); i++ {
		switch c := t[i]; c {
		case ',', '}':
			text = b.String()[:keep]
			return text, t[i:], strings.IndexByte(t[:i], '\\') >= 0, text != ""
		case '"', '{':
			return "", "", false, false
		case '\\':
			if i++; i == len(t) {
				return "", "", false, false
			}
			b.WriteByte(t[i])
			keep = b.Len()
		default:
			b.WriteByte(c)
			if strings.IndexByte(" \t\n\v\f\r", c) < 0 {
				keep = b.Len()
			}
		}
	}
	return "", "", false, false
}
