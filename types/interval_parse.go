package types

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// ParseInterval reads the text input of INTERVAL: '1 day 02:03:04', '1.5 hours', '1 mon -2 days', '@ 1 day ago', '1h30m',
// '1-2' (years and months), a bare number of seconds, ISO 8601's 'P1DT2H' and 'P0001-02-03T04:05:06'.
func ParseInterval(s string) (Interval, *Error) {
	p := intervalParser{s: strings.ToLower(trimSpace(s))}
	var ok bool
	if strings.HasPrefix(p.s, "p") {
		ok = p.iso()
	} else {
		ok = p.postgres()
	}
	switch {
	case !ok:
		return Interval{}, Errorf(CodeInvalidDatetime, "invalid input syntax for type interval: \"%s\"", clip(s))
	case p.overflow:
		return Interval{}, intervalOverflow(s)
	}
	v, ok := p.result()
	if !ok {
		return Interval{}, intervalOverflow(s)
	}
	return v, nil
}

func intervalOverflow(s string) *Error {
	return Errorf(CodeIntervalOverflow, "interval field value out of range: \"%s\"", clip(s))
}

// intervalUnit is a unit's length in the one part of an interval that it belongs to.
type intervalUnit struct {
	months, days, micros int64
	field                uint16 // a bit; each may be given once
}

// Bits of intervalUnit.field.
const (
	fieldMicro = 1 << iota
	fieldMilli
	fieldSecond
	fieldMinute
	fieldHour
	fieldDay
	fieldWeek
	fieldMonth
	fieldYear
	fieldDecade
	fieldCentury
	fieldMillennium
	fieldClock = fieldSecond | fieldMinute | fieldHour
)

var (
	unitSecond = intervalUnit{micros: MicrosPerSecond, field: fieldSecond}
	unitMinute = intervalUnit{micros: MicrosPerMinute, field: fieldMinute}
	unitHour   = intervalUnit{micros: MicrosPerHour, field: fieldHour}
	unitDay    = intervalUnit{days: 1, field: fieldDay}
	unitWeek   = intervalUnit{days: 7, field: fieldWeek}
	unitMonth  = intervalUnit{months: 1, field: fieldMonth}
	unitYear   = intervalUnit{months: 12, field: fieldYear}
)

func unitOf(word string) (u intervalUnit, ok bool) {
	switch word {
	case "us", "usec", "usecs", "microsecond", "microseconds":
		return intervalUnit{micros: 1, field: fieldMicro}, true
	case "ms", "msec", "msecs", "millisecond", "milliseconds":
		return intervalUnit{micros: 1000, field: fieldMilli}, true
	case "s", "sec", "secs", "second", "seconds":
		return unitSecond, true
	case "m", "min", "mins", "minute", "minutes":
		return unitMinute, true
	case "h", "hr", "hrs", "hour", "hours":
		return unitHour, true
	case "d", "day", "days":
		return unitDay, true
	case "w", "week", "weeks":
		return unitWeek, true
	case "mon", "mons", "month", "months":
		return unitMonth, true
	case "y", "yr", "yrs", "year", "years":
		return unitYear, true
	case "dec", "decs", "decade", "decades":
		return intervalUnit{months: 120, field: fieldDecade}, true
	case "c", "cent", "century", "centuries":
		return intervalUnit{months: 1200, field: fieldCentury}, true
	case "mil", "mils", "millennium", "millennia":
		return intervalUnit{months: 12000, field: fieldMillennium}, true
	}
	return u, false
}

type intervalParser struct {
	s        string
	seen     uint16
	overflow bool
	ago      bool // turns every sign, wherever it stands
	// The parts are summed in 128 bits and more: only their end has to fit.
	months, days int64
	micros       big.Int
}

func (p *intervalParser) postgres() bool {
	p.skip()
	any := false
	for p.s != "" {
		if word := leadingWord(p.s); word != "" {
			if p.s = p.s[len(word):]; word != "ago" || !any {
				return false
			}
			p.ago = true
			p.skip()
			continue
		}
		if !p.quantity() {
			return false
		}
		any = true
		p.skip()
	}
	if p.ago {
		p.negate()
	}
	return any
}

// skip passes over white space and the "@" of the verbose style.
func (p *intervalParser) skip() { p.s = strings.TrimLeft(p.s, " \t\n\v\f\r@,") }

// quantity reads a signed number with its unit, "hh:mm:ss" or "years-months".
func (p *intervalParser) quantity() bool {
	neg := false
	if p.s[0] == '+' || p.s[0] == '-' {
		neg = p.s[0] == '-'
		if p.s = strings.TrimLeft(p.s[1:], " \t\n\v\f\r"); p.s == "" {
			return false
		}
	}
	n := leadingDigits(p.s)
	if n < len(p.s) && n > 0 {
		switch p.s[n] {
		case ':':
			return p.clock(neg)
		case '-':
			if m := leadingDigits(p.s[n+1:]); m > 0 {
				return p.yearMonth(neg, n, m)
			}
		}
	}
	whole, frac, ok := p.number()
	if !ok {
		return false
	}
	p.s = strings.TrimLeft(p.s, " \t\n\v\f\r")
	unit := unitSecond
	if word := leadingWord(p.s); word != "" && word != "ago" {
		if unit, ok = unitOf(word); !ok {
			return false
		}
		p.s = p.s[len(word):]
	} else if p.s != "" && word != "ago" {
		// A bare number before a time of day is days; elsewhere it must be the last one, in seconds.
		rest := strings.TrimLeft(p.s, "+-")
		if n := leadingDigits(rest); n == 0 || n >= len(rest) || rest[n] != ':' {
			return false
		}
		unit = unitDay
	}
	return p.add(neg, whole, frac, unit)
}

func leadingWord(s string) string {
	n := 0
	for n < len(s) && s[n] >= 'a' && s[n] <= 'z' {
		n++
	}
	return s[:n]
}

// number reads digits with an optional fraction.
func (p *intervalParser) number() (whole, frac string, ok bool) {
	n := leadingDigits(p.s)
	whole, p.s = p.s[:n], p.s[n:]
	if strings.HasPrefix(p.s, ".") {
		n = leadingDigits(p.s[1:])
		frac, p.s = p.s[1:1+n], p.s[1+n:]
	}
	return whole, frac, whole != "" || frac != ""
}

// add adds a quantity of a unit. A fraction goes on into the smaller parts: of a year into whole months, of a month into
// days of a thirtieth and then time, of a day into time.
func (p *intervalParser) add(neg bool, whole, frac string, u intervalUnit) bool {
	if p.seen&u.field != 0 {
		return false
	}
	p.seen |= u.field
	var n int64
	if whole != "" {
		var err error
		if n, err = strconv.ParseInt(whole, 10, 64); err != nil || n > 1<<40 && u.micros == 0 {
			p.overflow = true
			return true
		}
	}
	sign := int64(1)
	if neg {
		sign = -1
	}
	p.months += sign * n * u.months
	p.days += sign * n * u.days
	p.addMicros(sign*n, u.micros)
	if strings.Trim(frac, "0") == "" {
		return true
	}
	f, _ := strconv.ParseFloat("0."+frac, 64)
	f *= float64(sign)
	switch {
	case u.months > 1:
		p.months += int64(math.RoundToEven(f * float64(u.months)))
		return true
	case u.months == 1, u.days == 7:
		days := f * float64(30*u.months+u.days)
		whole := math.Trunc(days)
		p.days += int64(whole)
		p.addMicros(int64(math.RoundToEven((days-whole)*MicrosPerDay)), 1)
	case u.micros == MicrosPerSecond:
		p.addMicros(sign, parseMicros(frac))
	default:
		p.addMicros(int64(math.RoundToEven(f*float64(u.days*MicrosPerDay+u.micros))), 1)
	}
	return true
}

func (p *intervalParser) addMicros(n, unit int64) {
	var x big.Int
	p.micros.Add(&p.micros, x.Mul(big.NewInt(n), big.NewInt(unit)))
}

// parseMicros reads the digits after a decimal point of seconds as microseconds. More than six are rounded as Postgres does,
// which goes through a float; fifteen digits are exact in one.
func parseMicros[T string | []byte](frac T) int64 {
	var us int64
	for i := range 6 {
		us *= 10
		if i < len(frac) {
			us += int64(frac[i] - '0')
		}
	}
	if len(frac) <= 6 {
		return us
	}
	n, unit := us, 1.0
	for i := 6; i < len(frac) && i < 15; i++ {
		n, unit = n*10+int64(frac[i]-'0'), unit*10
	}
	return int64(math.RoundToEven(float64(n) / (unit * 1e6) * 1e6))
}

// clock reads "hh:mm", "hh:mm:ss.f" or "mm:ss.f".
func (p *intervalParser) clock(neg bool) bool {
	if p.seen&fieldClock != 0 {
		return false
	}
	var part [3]string
	n, frac := 0, ""
	for {
		d := leadingDigits(p.s)
		if d == 0 || n == 3 {
			return false
		}
		part[n], p.s = p.s[:d], p.s[d:]
		if n++; !strings.HasPrefix(p.s, ":") {
			break
		}
		p.s = p.s[1:]
	}
	if n == 1 {
		return false
	}
	if strings.HasPrefix(p.s, ".") {
		d := leadingDigits(p.s[1:])
		frac, p.s = p.s[1:1+d], p.s[1+d:]
		if n == 2 {
			part = [3]string{"0", part[0], part[1]}
		}
	}
	if part[2] == "" {
		part[2] = "0"
	}
	if len(part[1]) > 2 || part[1] > "59" && len(part[1]) == 2 || len(part[2]) > 2 || part[2] > "60" && len(part[2]) == 2 {
		p.overflow = true
		return true
	}
	return p.add(neg, part[0], "", unitHour) && p.add(neg, part[1], "", unitMinute) && p.add(neg, part[2], frac, unitSecond)
}

func (p *intervalParser) yearMonth(neg bool, n, m int) bool {
	years, months := p.s[:n], p.s[n+1:n+1+m]
	if p.s = p.s[n+1+m:]; p.s != "" && strings.IndexByte(" \t", p.s[0]) < 0 {
		return false
	}
	if x, err := strconv.Atoi(months); err != nil || x > 11 {
		p.overflow = true
	}
	return p.add(neg, years, "", unitYear) && p.add(neg, months, "", unitMonth)
}

func (p *intervalParser) negate() {
	p.months, p.days = -p.months, -p.days
	p.micros.Neg(&p.micros)
}

// iso reads "P1Y2M3W4DT5H6M7.5S" or "P0001-02-03T04:05:06".
func (p *intervalParser) iso() bool {
	p.s = p.s[1:]
	date, clock, hasClock := strings.Cut(p.s, "t")
	if date == "" && clock == "" || hasClock && clock == "" {
		return false
	}
	ok := true
	if strings.Count(strings.TrimPrefix(date, "-"), "-") == 2 && leadingWord(strings.TrimLeft(date, "-0123456789")) == "" {
		parts := strings.Split(date, "-")
		for i, u := range []intervalUnit{unitYear, unitMonth, unitDay} {
			if i >= len(parts) || parts[i] == "" || leadingDigits(parts[i]) != len(parts[i]) {
				return false
			}
			ok = ok && p.add(false, parts[i], "", u)
		}
	} else {
		ok = p.isoParts(date, "ymwd", []intervalUnit{unitYear, unitMonth, unitWeek, unitDay})
	}
	if strings.IndexByte(clock, ':') >= 0 {
		p.s = clock
		return ok && p.clock(false) && p.s == ""
	}
	return ok && p.isoParts(clock, "hms", []intervalUnit{unitHour, unitMinute, unitSecond})
}

func (p *intervalParser) isoParts(s, letters string, units []intervalUnit) bool {
	for p.s = s; p.s != ""; p.s = p.s[1:] {
		neg := p.s[0] == '-'
		if neg || p.s[0] == '+' {
			p.s = p.s[1:]
		}
		whole, frac, ok := p.number()
		if !ok || p.s == "" {
			return false
		}
		k := strings.IndexByte(letters, p.s[0])
		if k < 0 || !p.add(neg, whole, frac, units[k]) {
			return false
		}
	}
	return true
}

func (p *intervalParser) result() (Interval, bool) {
	fits := p.months == int64(int32(p.months)) && p.days == int64(int32(p.days)) && p.micros.IsInt64()
	return Interval{Months: int32(p.months), Days: int32(p.days), Micros: p.micros.Int64()}, fits
}
