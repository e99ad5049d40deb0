package types

import (
	"encoding/base64"
	"math"
	"unicode/utf8"
)

// AppendJSON appends row i of v as it stands in an output topic: numbers exactly; NUMERIC as a string of its digits; NaN and
// infinities as strings; dates and timestamps as ISO 8601 with six digits of microseconds, TIMESTAMPTZ with Z; BYTEA as base64;
// JSONB and arrays as JSON; all else as the text that Postgres prints.
func AppendJSON(dst []byte, v *Vec, i int) []byte {
	if v.Null(i) {
		return append(dst, "null"...)
	}
	switch v.Type.Layout() {
	case LBool:
		return appendJSONBool(dst, v.B[i])
	case LInt:
		return appendIntJSON(dst, v.Type.Kind, v.I[i])
	case LFloat:
		return appendJSONFloat(dst, v.F[i], v.Type.Kind)
	case LInterval:
		return append(AppendInterval(append(dst, '"'), v.V[i]), '"')
	default:
		return appendStrJSON(dst, v.Type, v.Str(i))
	}
}

func appendValueJSON(dst []byte, v Value) []byte {
	if v.Null {
		return append(dst, "null"...)
	}
	switch v.Type.Layout() {
	case LBool:
		return appendJSONBool(dst, v.I != 0)
	case LInt:
		return appendIntJSON(dst, v.Type.Kind, v.I)
	case LFloat:
		return appendJSONFloat(dst, v.F, v.Type.Kind)
	case LInterval:
		return append(AppendInterval(append(dst, '"'), v.Iv), '"')
	default:
		return appendStrJSON(dst, v.Type, []byte(v.S))
	}
}

func appendJSONBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, "true"...)
	}
	return append(dst, "false"...)
}

func appendJSONFloat(dst []byte, f float64, kind Kind) []byte {
	if f != f || math.IsInf(f, 0) {
		return append(AppendFloat(append(dst, '"'), f, kind), '"')
	}
	return AppendFloat(dst, f, kind)
}

func appendIntJSON(dst []byte, k Kind, x int64) []byte {
	switch k {
	case Timestamp, Timestamptz:
		return append(appendISOTime(append(dst, '"'), x, k == Timestamptz), '"')
	case Date, Time:
		return append(appendIntKind(append(dst, '"'), k, x, nil), '"')
	default:
		return appendIntKind(dst, k, x, nil)
	}
}

// appendISOTime appends "2018-03-24T17:15:20.865716", with a Z if it is a point in time.
func appendISOTime(dst []byte, micros int64, z bool) []byte {
	if s, ok := infiniteTime(micros); ok {
		return append(dst, s...)
	}
	day, ofDay := SplitMicros(micros)
	dst, bc := appendCivil(dst, day)
	dst = appendClock(append(dst, 'T'), ofDay)
	dst = appendMicros(dst, ofDay%MicrosPerSecond)
	if z {
		dst = append(dst, 'Z')
	}
	if bc { // ISO 8601's own form, -0043, is none that Postgres reads
		dst = append(dst, " BC"...)
	}
	return dst
}

func appendStrJSON(dst []byte, t Type, b []byte) []byte {
	switch t.Kind {
	case Text, Unknown:
		return AppendJSONString(dst, b)
	case JSONB:
		return append(dst, b...)
	case Bytea:
		return append(base64.StdEncoding.AppendEncode(append(dst, '"'), b), '"')
	case Array:
		dst = append(dst, '[')
		for k, v := range DecodeArray(t.Elem, b) {
			if k > 0 {
				dst = append(dst, ',')
			}
			dst = appendValueJSON(dst, v)
		}
		return append(dst, ']')
	default: // the text of numeric, uuid, inet and cidr needs no escapes
		return append(appendStrKind(append(dst, '"'), t, b, nil), '"')
	}
}

// jsonPlain says of each byte whether it stands for itself within a JSON string.
var jsonPlain = func() (t [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// AppendJSONString appends b as a JSON string. Valid UTF-8 is kept, what is not becomes U+FFFD; only quotes, backslashes and
// control characters are escaped.
func AppendJSONString(dst, b []byte) []byte {
	return append(appendJSONChars(append(dst, '"'), b), '"')
}

func appendJSONChars(dst, b []byte) []byte {
	for len(b) > 0 {
		n := 0
		for n < len(b) && jsonPlain[b[n]] {
			n++
		}
		dst = append(dst, b[:n]...)
		if b = b[n:]; len(b) == 0 {
			break
		}
		if b[0] < utf8.RuneSelf {
			dst = appendJSONEscape(dst, b[0])
			b = b[1:]
			continue
		}
		r, size := utf8.DecodeRune(b)
		dst = utf8.AppendRune(dst, r)
		b = b[size:]
	}
	return dst
}

func appendJSONEscape(dst []byte, c byte) []byte {
	const hexDigits = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\t':
		return append(dst, '\\', 't')
	case '\r':
		return append(dst, '\\', 'r')
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
