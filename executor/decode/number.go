package decode

import (
	"bytes"
	"math"
	"strconv"

	"rhumb/types"
)

var pow10 = [20]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}

// eightDigits is the value of the n (1 to 8) digits that the little-endian word begins with (D. Lemire, "Quickly parsing eight
// digits", 2018, with the missing digits shifted in as leading zeros).
func eightDigits(x uint64, n int) uint64 {
	x = (x ^ '0'*ones) << (uint(8-n) * 8)
	x = x*10 + x>>8
	return (x&0x000000ff000000ff*0x000f424000000064 + x>>16&0x000000ff000000ff*0x0000271000000001) >> 32
}

// shortDigits reads up to 16 digits at i. n is their number; more digits may follow.
func shortDigits(p []byte, i int) (x uint64, n int) {
	if i+16 > len(p) {
		for n < 16 && i+n < len(p) && p[i+n]-'0' < 10 {
			x = x*10 + uint64(p[i+n]-'0')
			n++
		}
		return x, n
	}
	w := load64(p, i)
	if n = leadingDigits(w); n == 0 {
		return 0, 0
	}
	x = eightDigits(w, n)
	if n < 8 {
		return x, n
	}
	w = load64(p, i+8)
	m := leadingDigits(w)
	if m == 0 {
		return x, n
	}
	return x*pow10[m] + eightDigits(w, m), n + m
}

// decimal is a number as its digits (without leading zeros) and the power of ten that they are to be multiplied with.
type decimal struct {
	neg    bool
	digits []byte // may end in zeros
	exp    int64
}

// maxExponent bounds exponents, so that sums with them do not overflow.
const maxExponent = 1 << 40

// parseDecimal reads a JSON number. The digits are in buf, which is used again.
func parseDecimal(num, buf []byte) decimal {
	d := decimal{digits: buf[:0]}
	if num[0] == '-' {
		d.neg, num = true, num[1:]
	}
	if e := bytes.IndexAny(num, "eE"); e >= 0 {
		// Of an exponent beyond 64 bits ParseInt returns the nearest that fits.
		d.exp, _ = strconv.ParseInt(string(bytes.TrimPrefix(num[e+1:], []byte("+"))), 10, 64)
		d.exp = min(max(d.exp, -maxExponent), maxExponent)
		num = num[:e]
	}
	if dot := bytes.IndexByte(num, '.'); dot >= 0 {
		d.digits = append(d.digits, num[:dot]...)
		d.digits = append(d.digits, num[dot+1:]...)
		d.exp -= int64(len(num) - dot - 1)
	} else {
		d.digits = append(d.digits, num...)
	}
	zeros := 0
	for zeros < len(d.digits) && d.digits[zeros] == '0' {
		zeros++
	}
	d.digits = append(d.digits[:0], d.digits[zeros:]...)
	return d
}

// scaled is the number times 10^shift, rounded half away from zero; exact says that nothing was rounded. ok is false beyond int64.
func (d decimal) scaled(shift int) (x int64, exact, ok bool) {
	exp := d.exp + int64(shift)
	digits := bytes.TrimRight(d.digits, "0")
	exp += int64(len(d.digits) - len(digits))
	if len(digits) == 0 {
		return 0, true, true
	}
	whole := int64(len(digits)) + exp // digits before the point
	if whole > 19 {
		return 0, true, false
	}
	var u uint64
	for i := int64(0); i < whole; i++ {
		c := byte('0')
		if i < int64(len(digits)) {
			c = digits[i]
		}
		u = u*10 + uint64(c-'0')
	}
	exact = exp >= 0
	if whole >= 0 && whole < int64(len(digits)) && digits[whole] >= '5' {
		u++
	}
	if d.neg {
		return -int64(u), exact, u <= 1<<63
	}
	return int64(u), exact, u <= math.MaxInt64
}

// epochMicros is the time that a JSON number means, in microseconds since 1970: seconds below 1e11, milliseconds below 1e14,
// microseconds below 1e17, else nanoseconds. Exact: a double would lose the microseconds.
func epochMicros(d decimal) (int64, bool) {
	shift := 0
	switch n := int64(len(d.digits)) + d.exp; { // digits before the point
	case n <= 11:
		shift = 6
	case n <= 14:
		shift = 3
	case n <= 17:
		shift = 0
	default:
		shift = -3
	}
	x, _, ok := d.scaled(shift)
	return x, ok
}

// shortEpoch is epochMicros of a number of up to 16 digits, or up to 11 with up to 6 behind the point, and no exponent, which begins
// at p[i]; the place behind it, or 0 if it is of another form.
func shortEpoch(p []byte, i int) (micros int64, end int) {
	neg := p[i] == '-'
	if neg {
		i++
	}
	x, n := shortDigits(p, i)
	if n == 0 || n > 1 && p[i] == '0' {
		return 0, 0
	}
	i += n
	switch {
	case n <= 11:
		micros = int64(x) * 1e6
	case n <= 14:
		micros = int64(x) * 1e3
	default:
		micros = int64(x)
	}
	if i < len(p) && p[i] == '.' {
		f, m := shortDigits(p, i+1)
		if n > 11 || m == 0 || m > 6 {
			return 0, 0
		}
		micros += int64(f * pow10[6-m])
		i += 1 + m
	}
	if i < len(p) && (p[i]|0x20 == 'e' || p[i]-'0' < 10) {
		return 0, 0
	}
	if neg {
		micros = -micros
	}
	return micros, i
}

// intOf reads an integer from a JSON number: 12, 12.0 and 1.2e1 are the same.
func intOf(num, buf []byte) (int64, bool) {
	x, exact, ok := parseDecimal(num, buf).scaled(0)
	return x, exact && ok
}

// maxNumericExponent bounds what a NUMERIC may expand to, so that "1e131071" does not cost its writer 8 bytes and us 128 KiB.
const maxNumericExponent = 1000

// appendNumeric appends the canonical form of a number, as JSON or Postgres's text input writes it.
func appendNumeric(dst, num []byte) ([]byte, bool) {
	if plainNumber(num) && len(num) <= types.MaxNumericScale {
		// The digits as they are; but there is no negative zero.
		if num[0] == '-' && len(bytes.Trim(num, "-0.")) == 0 {
			num = num[1:]
		}
		return append(dst, num...), true
	}
	if e := bytes.LastIndexAny(num, "eE"); e >= 0 {
		// ParseInt of what is out of range is the nearest that is not; what is no number, ParseNumeric refuses.
		exp, _ := strconv.ParseInt(string(bytes.TrimSpace(num[e+1:])), 10, 64)
		if exp < -maxNumericExponent || exp > maxNumericExponent {
			return dst, false
		}
	}
	s, err := types.ParseNumeric(string(num))
	return append(dst, s...), err == nil
}

// plainNumber reports whether num is a JSON number without exponent.
func plainNumber(num []byte) bool {
	if len(num) > 0 && num[0] == '-' {
		num = num[1:]
	}
	n := digits(num, 0)
	if n == 0 || n > 1 && num[0] == '0' {
		return false
	}
	if n < len(num) && num[n] == '.' {
		m := digits(num, n+1)
		if m == n+1 {
			return false
		}
		n = m
	}
	return n == len(num)
}

// inTime reports whether a time is one that a TIMESTAMP holds.
func inTime(micros int64) bool {
	const first, last = -2440588 * types.MicrosPerDay, math.MaxInt64 - 1
	return micros >= first && micros <= last
}
