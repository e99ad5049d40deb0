package types

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"
)

// AppendText appends the text that Postgres 15 prints of row i of v (DateStyle ISO, IntervalStyle postgres, bytea_output
// hex); timestamptz in zone, nil being UTC. It appends nothing for NULL.
func AppendText(dst []byte, v *Vec, i int, zone *time.Location) []byte {
	if v.Null(i) {
		return dst
	}
	switch v.Type.Layout() {
	case LBool:
		return appendBool(dst, v.B[i])
	case LInt:
		return appendIntKind(dst, v.Type.Kind, v.I[i], zone)
	case LFloat:
		return AppendFloat(dst, v.F[i], v.Type.Kind)
	case LInterval:
		return AppendInterval(dst, v.V[i])
	default:
		return appendStrKind(dst, v.Type, v.Str(i), zone)
	}
}

// FormatValue is AppendText of a scalar.
func FormatValue(v Value, zone *time.Location) string {
	if v.Null {
		return ""
	}
	if v.Type.Kind == Text || v.Type.Kind == Unknown {
		return v.S
	}
	return string(appendValueText(nil, v, zone))
}

func appendValueText(dst []byte, v Value, zone *time.Location) []byte {
	switch v.Type.Layout() {
	case LBool:
		return appendBool(dst, v.I != 0)
	case LInt:
		return appendIntKind(dst, v.Type.Kind, v.I, zone)
	case LFloat:
		return AppendFloat(dst, v.F, v.Type.Kind)
	case LInterval:
		return AppendInterval(dst, v.Iv)
	default:
		return appendStrKind(dst, v.Type, []byte(v.S), zone)
	}
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 't')
	}
	return append(dst, 'f')
}

func appendIntKind(dst []byte, k Kind, x int64, zone *time.Location) []byte {
	switch k {
	case Date:
		return AppendDate(dst, x)
	case Time:
		return AppendTime(dst, x)
	case Timestamp:
		return AppendTimestamp(dst, x)
	case Timestamptz:
		return AppendTimestamptz(dst, x, zone)
	default:
		return strconv.AppendInt(dst, x, 10)
	}
}

func appendStrKind(dst []byte, t Type, b []byte, zone *time.Location) []byte {
	switch t.Kind {
	case Bytea:
		return hex.AppendEncode(append(dst, '\\', 'x'), b)
	case UUID:
		return AppendUUID(dst, b)
	case Inet, Cidr:
		return AppendInet(dst, b, t.Kind == Cidr)
	case Array:
		return appendArrayText(dst, t.Elem, b, zone)
	default: // text, numeric and jsonb are kept as they are printed
		return append(dst, b...)
	}
}

// AppendFloat appends the shortest digits that read back as the same REAL (kind Float4) or DOUBLE PRECISION, in the form that
// Postgres chooses: an exponent below 1e-4 and from 1e15 (1e6 for REAL).
func AppendFloat(dst []byte, f float64, kind Kind) []byte {
	if kind == Float4 {
		f = float64(float32(f))
	}
	switch {
	case f != f:
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	case f == 0:
		if math.Signbit(f) {
			dst = append(dst, '-')
		}
		return append(dst, '0')
	}
	bits, limit := 64, 15
	if kind == Float4 {
		bits, limit = 32, 6
	}
	// The exponent is known only after rounding to the shortest digits, so it is read from the text.
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, bits)
	e := len(dst) - 1
	for dst[e] != 'e' {
		e--
	}
	exp := 0
	for _, c := range dst[e+2:] {
		exp = exp*10 + int(c-'0')
	}
	if dst[e+1] == '-' {
		exp = -exp
	}
	if exp >= -4 && exp < limit {
		return strconv.AppendFloat(dst[:start], f, 'f', -1, bits)
	}
	return dst
}

// AppendDate appends a day number as "2018-03-24"; years before 1 as "0044-03-15 BC".
func AppendDate(dst []byte, days int64) []byte {
	dst, bc := appendCivil(dst, days)
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

// appendCivil appends year, month and day, and reports whether the year is one before Christ.
func appendCivil(dst []byte, days int64) ([]byte, bool) {
	y, m, d := CivilFromDays(days)
	bc := y <= 0
	if bc {
		y = 1 - y
	}
	if y < 10000 {
		dst = append2(append2(dst, int(y/100)), int(y%100))
	} else {
		dst = strconv.AppendInt(dst, y, 10)
	}
	dst = append2(append(dst, '-'), m)
	return append2(append(dst, '-'), d), bc
}

func append2(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

// AppendTime appends microseconds since midnight as "17:15:20.8657".
func AppendTime(dst []byte, micros int64) []byte {
	dst = appendClock(dst, micros)
	return appendFraction(dst, micros%MicrosPerSecond)
}

func appendClock(dst []byte, micros int64) []byte {
	s := micros / MicrosPerSecond
	dst = append2(dst, int(s/3600))
	dst = append2(append(dst, ':'), int(s/60%60))
	return append2(append(dst, ':'), int(s%60))
}

// appendFraction appends a fraction of a second without trailing zeros, or nothing.
func appendFraction(dst []byte, micros int64) []byte {
	if micros == 0 {
		return dst
	}
	dst = appendMicros(dst, micros)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// appendMicros appends a point and six digits.
func appendMicros(dst []byte, micros int64) []byte {
	dst = append2(append(dst, '.'), int(micros/10000))
	return append2(append2(dst, int(micros/100%100)), int(micros%100))
}

// AppendTimestamp appends a timestamp without zone. The greatest and the least int64, which the engine uses as the end and the
// beginning of time, are infinity and -infinity.
func AppendTimestamp(dst []byte, micros int64) []byte {
	if s, ok := infiniteTime(micros); ok {
		return append(dst, s...)
	}
	day, ofDay := SplitMicros(micros)
	dst, bc := appendCivil(dst, day)
	dst = AppendTime(append(dst, ' '), ofDay)
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

func infiniteTime(micros int64) (string, bool) {
	switch micros {
	case math.MaxInt64:
		return "infinity", true
	case math.MinInt64:
		return "-infinity", true
	}
	return "", false
}

// AppendTimestamptz appends a timestamp in a zone (nil = UTC) with the zone's offset at that time.
func AppendTimestamptz(dst []byte, micros int64, zone *time.Location) []byte {
	if s, ok := infiniteTime(micros); ok {
		return append(dst, s...)
	}
	offset := 0
	if zone != nil && zone != time.UTC {
		_, offset = time.UnixMicro(micros).In(zone).Zone()
	}
	// The offset is added to the parts, for at the ends of the range the sum would overflow.
	day, ofDay := SplitMicros(micros)
	carry, ofDay := SplitMicros(ofDay + int64(offset)*MicrosPerSecond)
	dst, bc := appendCivil(dst, day+carry)
	dst = AppendTime(append(dst, ' '), ofDay)
	dst = appendOffset(dst, offset)
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

// appendOffset appends a zone's offset in seconds as "+00", "+05:30" or "-00:44:30".
func appendOffset(dst []byte, offset int) []byte {
	sign := byte('+')
	if offset < 0 {
		sign, offset = '-', -offset
	}
	dst = append2(append(dst, sign), offset/3600)
	if offset%3600 != 0 {
		dst = append2(append(dst, ':'), offset/60%60)
	}
	if offset%60 != 0 {
		dst = append2(append(dst, ':'), offset%60)
	}
	return dst
}

// AppendInterval appends an interval in the style "postgres": "1 year 2 mons -3 days +04:05:06.7".
func AppendInterval(dst []byte, v Interval) []byte {
	empty, before := true, false
	part := func(n int64, unit string) {
		if n == 0 {
			return
		}
		if !empty {
			dst = append(dst, ' ')
		}
		if before && n > 0 {
			dst = append(dst, '+')
		}
		dst = strconv.AppendInt(dst, n, 10)
		dst = append(append(dst, ' '), unit...)
		if n != 1 {
			dst = append(dst, 's')
		}
		empty, before = false, n < 0
	}
	part(int64(v.Months)/12, "year")
	part(int64(v.Months)%12, "mon")
	part(int64(v.Days), "day")
	if v.Micros == 0 && !empty {
		return dst
	}
	if !empty {
		dst = append(dst, ' ')
	}
	us := uint64(v.Micros)
	switch {
	case v.Micros < 0:
		us = -us
		dst = append(dst, '-')
	case before:
		dst = append(dst, '+')
	}
	if us < 10*MicrosPerHour {
		dst = append(dst, '0')
	}
	dst = strconv.AppendUint(dst, us/MicrosPerHour, 10)
	dst = append2(append(dst, ':'), int(us/MicrosPerMinute%60))
	dst = append2(append(dst, ':'), int(us/MicrosPerSecond%60))
	return appendFraction(dst, int64(us%MicrosPerSecond))
}

// AppendUUID appends 16 bytes in the usual groups.
func AppendUUID(dst, b []byte) []byte {
	if len(b) != 16 {
		return hex.AppendEncode(dst, b)
	}
	for i, part := range [5][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return dst
}

// appendArrayText appends {a,"b c",NULL}.
func appendArrayText(dst []byte, elem Kind, b []byte, zone *time.Location) []byte {
	dst = append(dst, '{')
	for i, v := range DecodeArray(elem, b) {
		if i > 0 {
			dst = append(dst, ',')
		}
		if v.Null {
			dst = append(dst, "NULL"...)
			continue
		}
		start := len(dst)
		dst = appendValueText(dst, v, zone)
		if s := string(dst[start:]); needsArrayQuotes(s) {
			dst = appendArrayQuoted(dst[:start], s)
		}
	}
	return append(dst, '}')
}

func needsArrayQuotes(s string) bool {
	return s == "" || strings.ContainsAny(s, "\"\\{}, \t\n\r\v\f") || strings.EqualFold(s, "null")
}

func appendArrayQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}
