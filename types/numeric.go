package types

import (
	"bytes"
	"cmp"
	"strconv"
	"strings"
)

// The limits of Postgres's numeric: digits before and after the decimal point.
const (
	MaxNumericIntDigits = 131072
	MaxNumericScale     = 16383
)

func numericOverflow() *Error {
	return Errorf(CodeOutOfRange, "value overflows numeric format").
		WithHint("A numeric has at most %d digits before and %d after the decimal point.", MaxNumericIntDigits, MaxNumericScale)
}

// ParseNumeric reads Postgres's text input of NUMERIC and returns its canonical form: an optional sign (never of zero), digits
// without leading zeros (at least one), and '.' and digits if the scale is not 0; or "NaN".
func ParseNumeric(s string) (string, *Error) {
	t := trimSpace(s)
	switch {
	case strings.EqualFold(t, "nan"):
		return "NaN", nil
	case isInfinity(t):
		return "", Errorf(CodeNotSupported, "numeric infinity is not supported").WithHint("Use double precision.")
	}
	neg, whole, frac, exp, ok := splitNumeric(t)
	if !ok {
		return "", invalidText("numeric", s)
	}
	whole = strings.TrimLeft(whole, "0")
	if exp == 0 && len(whole) <= MaxNumericIntDigits && len(frac) <= MaxNumericScale {
		return joinNumeric(neg, whole, frac), nil
	}
	if whole == "" && strings.Trim(frac, "0") == "" {
		exp = min(exp, int64(len(frac))) // zero times any power of ten
	}
	if exp > MaxNumericIntDigits || exp < -MaxNumericScale-MaxNumericIntDigits {
		return "", numericOverflow()
	}
	if exp > 0 {
		n := min(int(exp), len(frac))
		whole, frac = whole+frac[:n]+strings.Repeat("0", int(exp)-n), frac[n:]
	}
	if exp < 0 {
		if pad := int(-exp) - len(whole); pad > 0 {
			whole = strings.Repeat("0", pad) + whole
		}
		cut := len(whole) - int(-exp)
		whole, frac = whole[:cut], whole[cut:]+frac
	}
	whole = strings.TrimLeft(whole, "0")
	if len(whole) > MaxNumericIntDigits || len(frac) > MaxNumericScale {
		return "", numericOverflow()
	}
	return joinNumeric(neg, whole, frac), nil
}

// isInfinity reports whether s is one of the spellings of infinity, signed or not.
func isInfinity(s string) bool {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	return strings.EqualFold(s, "infinity") || strings.EqualFold(s, "inf")
}

// splitNumeric divides "[+-]digits[.digits][e[+-]digits]". Exponents beyond any use are cut to a few million.
func splitNumeric(s string) (neg bool, whole, frac string, exp int64, ok bool) {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		neg, s = s[0] == '-', s[1:]
	}
	n := leadingDigits(s)
	whole, s = s[:n], s[n:]
	if s != "" && s[0] == '.' {
		n = leadingDigits(s[1:])
		frac, s = s[1:1+n], s[1+n:]
	}
	if whole == "" && frac == "" {
		return
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		digits := s[1:]
		if digits != "" && (digits[0] == '+' || digits[0] == '-') {
			digits = digits[1:]
		}
		if n = leadingDigits(digits); n == 0 || n != len(digits) {
			return
		}
		e, err := strconv.ParseInt(s[1:], 10, 32)
		if err != nil {
			e = 1 << 30
			if s[1] == '-' {
				e = -e
			}
		}
		exp, s = e, ""
	}
	return neg, whole, frac, exp, s == ""
}

func leadingDigits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// joinNumeric makes the canonical form; whole has no leading zeros.
func joinNumeric(neg bool, whole, frac string) string {
	if neg && whole == "" && strings.Trim(frac, "0") == "" {
		neg = false
	}
	var b strings.Builder
	b.Grow(len(whole) + len(frac) + 3)
	if neg {
		b.WriteByte('-')
	}
	if whole == "" {
		whole = "0"
	}
	b.WriteString(whole)
	if frac != "" {
		b.WriteByte('.')
		b.WriteString(frac)
	}
	return b.String()
}

// RoundNumeric rounds a canonical numeric to scale digits after the point (or, if negative, to zeros before it), half away from
// zero, as numeric(precision,scale) does; precision 0 checks nothing.
func RoundNumeric(s string, precision, scale int) (string, *Error) {
	if s == "NaN" {
		return s, nil
	}
	neg, whole, frac, _, ok := splitNumeric(s)
	if !ok {
		return "", invalidText("numeric", s)
	}
	whole = strings.TrimLeft(whole, "0")
	switch {
	case len(frac) <= scale:
		frac += strings.Repeat("0", scale-len(frac))
	case scale >= 0:
		up := frac[scale] >= '5'
		digits := []byte(whole + frac[:scale])
		if up {
			digits = incrementDigits(digits)
		}
		whole, frac = string(digits[:len(digits)-scale]), string(digits[len(digits)-scale:])
	default:
		whole, frac = roundWhole(whole, -scale), ""
	}
	if precision > 0 && numericWeight(whole, frac) > precision-scale && strings.Trim(whole+frac, "0") != "" {
		limit := "10^" + strconv.Itoa(precision-scale)
		if precision == scale {
			limit = "1"
		}
		return "", Errorf(CodeOutOfRange, "numeric field overflow").
			WithDetail("A field with precision %d, scale %d must round to an absolute value less than %s.", precision, scale, limit)
	}
	return joinNumeric(neg, whole, frac), nil
}

// numericWeight is the power of ten that a number is less than.
func numericWeight(whole, frac string) int {
	if whole != "" {
		return len(whole)
	}
	return len(strings.TrimLeft(frac, "0")) - len(frac)
}

// roundWhole rounds digits to a multiple of 10^n.
func roundWhole(whole string, n int) string {
	if len(whole) < n {
		return ""
	}
	digits := []byte(whole[:len(whole)-n])
	if whole[len(whole)-n] >= '5' {
		digits = incrementDigits(digits)
	}
	if len(digits) == 0 {
		return ""
	}
	return string(digits) + strings.Repeat("0", n)
}

// incrementDigits adds one to a number in decimal digits.
func incrementDigits(d []byte) []byte {
	for i := len(d) - 1; i >= 0; i-- {
		if d[i] != '9' {
			d[i]++
			return d
		}
		d[i] = '0'
	}
	return append([]byte{'1'}, d...)
}

// CompareNumeric orders canonical numerics by value; NaN is equal to itself and greater than all others.
func CompareNumeric(a, b []byte) int {
	an, bn := isNaN(a), isNaN(b)
	if an || bn {
		return boolInt(an) - boolInt(bn)
	}
	aNeg, aWhole, aFrac := numericParts(a)
	bNeg, bWhole, bFrac := numericParts(b)
	if aNeg != bNeg {
		return boolInt(bNeg) - boolInt(aNeg)
	}
	c := cmp.Compare(len(aWhole), len(bWhole))
	if c == 0 {
		c = bytes.Compare(aWhole, bWhole)
	}
	if c == 0 {
		c = bytes.Compare(aFrac, bFrac)
	}
	if aNeg {
		return -c
	}
	return c
}

func isNaN(b []byte) bool { return len(b) > 0 && b[0] == 'N' }

// numericParts divides a canonical numeric; the fraction loses its trailing zeros, so that equal values have equal parts.
func numericParts(b []byte) (neg bool, whole, frac []byte) {
	b = canonicalNumeric(b)
	if len(b) > 0 && b[0] == '-' {
		neg, b = true, b[1:]
	}
	if i := bytes.IndexByte(b, '.'); i >= 0 {
		return neg, b[:i], b[i+1:]
	}
	return neg, b, nil
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
