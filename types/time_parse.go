package types

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseTimestampISO reads "2018-03-24T17:15:20.865716Z" and its like: four digits of year, 'T' or a space, seconds and a fraction
// optional, then nothing, "Z", or an offset (+00, +0000, +00:00). The result is in UTC if hasZone. ok is
// false for all other texts, of which ParseValue may know more; nothing is allocated.
func ParseTimestampISO(b []byte) (micros int64, hasZone, ok bool) { return parseISO(b) }

func parseISO[T string | []byte](b T) (micros int64, hasZone, ok bool) {
	if len(b) < 16 || b[4] != '-' || b[7] != '-' || b[10] != 'T' && b[10] != ' ' || b[13] != ':' {
		return 0, false, false
	}
	y, m, d := two(b, 0)*100+two(b, 2), two(b, 5), two(b, 8)
	h, mi, s, us := two(b, 11), two(b, 14), 0, int64(0)
	rest := b[16:]
	if len(rest) >= 3 && rest[0] == ':' {
		s, rest = two(rest, 1), rest[3:]
		if len(rest) > 1 && rest[0] == '.' {
			n := 1
			for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
				n++
			}
			us, rest = parseMicros(rest[1:n]), rest[n:]
		}
	}
	const bad = 1 << 16 // what two returns of anything but digits is beyond all limits
	if y <= 0 || y >= bad || m < 1 || m > 12 || d < 1 || d > 28 && d > DaysInMonth(int64(y), m) || h > 23 || mi > 59 || s > 59 {
		return 0, false, false
	}
	micros = DaysFromCivil(int64(y), m, d)*MicrosPerDay + int64(h*3600+mi*60+s)*MicrosPerSecond + us
	if len(rest) == 0 {
		return micros, false, true
	}
	if len(rest) == 1 && (rest[0] == 'Z' || rest[0] == 'z') {
		return micros, true, true
	}
	offset, ok := isoOffset(rest)
	return micros - int64(offset)*MicrosPerSecond, true, ok
}

// two reads two digits; of anything else it returns more than any field may be.
func two[T string | []byte](b T, i int) int {
	hi, lo := b[i]-'0', b[i+1]-'0'
	if hi > 9 || lo > 9 {
		return 1 << 20
	}
	return int(hi)*10 + int(lo)
}

// isoOffset reads +hh, +hhmm or +hh:mm, in seconds.
func isoOffset[T string | []byte](b T) (int, bool) {
	h, m := 0, 0
	switch {
	case len(b) == 3:
		h = two(b, 1)
	case len(b) == 5:
		h, m = two(b, 1), two(b, 3)
	case len(b) == 6 && b[3] == ':':
		h, m = two(b, 1), two(b, 4)
	default:
		return 0, false
	}
	if h > 15 || m > 59 || b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	offset := h*3600 + m*60
	if b[0] == '-' {
		offset = -offset
	}
	return offset, true
}

// ToZone returns the local time of a zone (nil = UTC) at a point in time, as a timestamp without zone.
func ToZone(micros int64, zone *time.Location) int64 { return micros + zoneOffset(micros, zone) }

// zoneOffset is in microseconds.
func zoneOffset(micros int64, zone *time.Location) int64 {
	if zone == nil || zone == time.UTC {
		return 0
	}
	_, offset := time.UnixMicro(micros).In(zone).Zone()
	return int64(offset) * MicrosPerSecond
}

// FromZone returns the point in time of a local time of a zone. As in Postgres, a local time that does not exist is read with
// the offset before the gap, and one that exists twice with the offset after the change.
func FromZone(local int64, zone *time.Location) int64 {
	if zone == nil || zone == time.UTC {
		return local
	}
	before, after := local-zoneOffset(local-MicrosPerDay, zone), local-zoneOffset(local+MicrosPerDay, zone)
	if ToZone(after, zone) == local {
		return after
	}
	return before
}

// parseDate reads a DATE; a time of day is allowed and has no effect.
func parseDate(s string) (int64, *Error) {
	p := dateParser{all: s, s: s, typeName: "date"}
	if err := p.parse(); err != nil {
		return 0, err
	}
	if p.epoch {
		return 0, nil
	}
	if !p.hasDate {
		return 0, p.bad()
	}
	if p.day < minDay || p.day >= endDay {
		return 0, Errorf(CodeDatetimeOverflow, "date out of range: \"%s\"", clip(s))
	}
	return p.day, nil
}

// parseTime reads a TIME; a date or zone is allowed and has no effect.
func parseTime(s string) (int64, *Error) {
	p := dateParser{all: s, s: s, typeName: "time"}
	if err := p.parse(); err != nil {
		return 0, err
	}
	if !p.hasTime {
		return 0, p.bad()
	}
	return p.ofDay, nil
}

// parseTimestamp reads a TIMESTAMP, in which a zone is allowed and has no effect, or a TIMESTAMPTZ.
func parseTimestamp(s string, tz bool, zone *time.Location) (int64, *Error) {
	if us, hasZone, ok := parseISO(trimSpace(s)); ok && hasZone == tz {
		return us, nil
	}
	p := dateParser{all: s, s: s, typeName: "timestamp"}
	if tz {
		p.typeName = "timestamp with time zone"
	}
	if err := p.parse(); err != nil {
		return 0, err
	}
	if p.epoch {
		return 0, nil
	}
	if !p.hasDate {
		return 0, p.bad()
	}
	outOfRange := func() *Error { return Errorf(CodeDatetimeOverflow, "timestamp out of range: \"%s\"", clip(s)) }
	if p.day < minDay || p.day > math.MaxInt64/MicrosPerDay {
		return 0, outOfRange()
	}
	us := p.day*MicrosPerDay + p.ofDay
	switch {
	case us < minTime:
		return 0, outOfRange() // the sum overflowed
	case tz && p.zone != nil:
		us = FromZone(us, p.zone)
	case tz && p.hasZone:
		us -= int64(p.offset) * MicrosPerSecond
	case tz:
		us = FromZone(us, zone)
	}
	if us < minTime || us == math.MaxInt64 {
		return 0, outOfRange()
	}
	return us, nil
}

// dateParser reads the words and numbers of a date, a time of day and a zone, in any order that Postgres takes.
type dateParser struct {
	all, s   string // the whole text, and what is left of it
	typeName string

	hasDate, hasTime, hasZone, epoch bool
	bc, am, pm, twoDigits            bool
	month                            int      // from its name
	free                             []string // numbers beside a month's name
	year                             int64
	mon, mday                        int
	clock                            [3]int
	fraction                         int64
	offset                           int            // seconds east of UTC
	zone                             *time.Location // of a zone's name

	err *Error // more exact than bad()

	day, ofDay int64 // the result
}

func (p *dateParser) bad() *Error {
	return Errorf(CodeInvalidDatetime, "invalid input syntax for type %s: \"%s\"", p.typeName, clip(p.all))
}

// timeOnly says that a TIME is read, in which digits alone are a time of day.
func (p *dateParser) timeOnly() bool { return p.typeName == "time" && p.month == 0 }

func (p *dateParser) outOfRange() *Error {
	return Errorf(CodeDatetimeOverflow, "date/time field value out of range: \"%s\"", clip(p.all))
}

func (p *dateParser) parse() *Error {
	for {
		p.s = strings.TrimLeft(p.s, " \t\n\v\f\r,")
		if p.s == "" {
			break
		}
		ok := false
		switch c := p.s[0]; {
		case c >= '0' && c <= '9':
			ok = p.number()
		case c == '+' || c == '-':
			ok = (p.hasTime || p.hasDate) && !p.hasZone && p.zoneOffset(1)
		default:
			w := leadingWord(strings.ToLower(p.s[:min(len(p.s), 64)]))
			if err := refusedWord(w, p.typeName); err != nil {
				return err
			}
			ok = w != "" && p.word(w)
		}
		if p.err != nil {
			return p.err
		}
		if !ok {
			return p.bad()
		}
	}
	if p.epoch {
		if p.hasDate || p.hasTime {
			return p.bad()
		}
		return nil
	}
	return p.finish()
}

func refusedWord(w, typeName string) *Error {
	switch w {
	case "now", "today", "tomorrow", "yesterday":
		return Errorf(CodeNotSupported, "\"%s\" as a %s is not supported", w, typeName).
			WithHint("Use now() or current_date, which read the clock of the step.")
	case "infinity", "inf":
		return Errorf(CodeNotSupported, "an infinite %s is not supported", typeName).WithHint("Use NULL, or leave the bound out.")
	}
	return nil
}

// word takes a month, weekday, era, half of the day or zone.
func (p *dateParser) word(w string) bool {
	rest := p.s[len(w):]
	switch w {
	case "t":
		p.s = rest
		return (p.hasDate || p.timeOnly()) && !p.hasTime && leadingDigits(rest) > 0
	case "epoch":
		p.s, p.epoch = rest, true
		return true
	case "am", "pm":
		p.s = rest
		ok := p.hasTime && !p.am && !p.pm
		p.am, p.pm = w == "am", w == "pm"
		return ok
	case "bc", "ad":
		p.s = rest
		p.bc = w == "bc"
		return true
	}
	if m := monthNumber(w); m > 0 {
		p.s = rest
		ok := p.month == 0 && !p.hasDate
		p.month = m
		return ok
	}
	if isWeekday(w) {
		p.s = strings.TrimPrefix(rest, ".")
		return true
	}
	return !p.hasZone && p.zoneName(w)
}

func monthNumber(w string) int {
	const names = "january   february  march     april     may       june      july      august    september october   november  december  "
	if len(w) < 3 || len(w) > 9 {
		return 0
	}
	for m := range 12 {
		name := strings.TrimRight(names[m*10:m*10+10], " ")
		if w == name || w == name[:3] || w == "sept" && m == 8 {
			return m + 1
		}
	}
	return 0
}

func isWeekday(w string) bool {
	switch w {
	case "sun", "sunday", "mon", "monday", "tue", "tues", "tuesday", "wed", "weds", "wednesday", "thu", "thur", "thurs",
		"thursday", "fri", "friday", "sat", "saturday":
		return true
	}
	return false
}

// zoneName takes UTC and its like (with a POSIX offset, whose sign is reversed), a common abbreviation, or a name of the
// time zone database.
func (p *dateParser) zoneName(w string) bool {
	p.hasZone = true
	if hours, ok := zoneAbbreviation(w); ok {
		p.s = p.s[len(w):]
		p.offset = int(hours * 3600)
		if hours == 0 && w != "z" && len(p.s) > 1 && (p.s[0] == '+' || p.s[0] == '-') {
			return p.zoneOffset(-1)
		}
		return true
	}
	n := 0
	for n < len(p.s) && (p.s[n] == '/' || p.s[n] == '_' || p.s[n] == '-' || p.s[n] == '+' || isAlnum(p.s[n])) {
		n++
	}
	name := p.s[:n]
	if strings.EqualFold(name, "local") {
		return false // Go's word for the machine's zone
	}
	zone, err := time.LoadLocation(name)
	if err != nil && strings.IndexByte(name, '/') > 0 {
		p.err = Errorf(CodeInvalidOption, "time zone \"%s\" not recognized", clip(strings.ToLower(name)))
	}
	p.zone, p.s = zone, p.s[n:]
	return err == nil
}

func isAlnum(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' }

// zoneAbbreviation returns the offset in hours of the abbreviations that Postgres knows by default and that people use.
func zoneAbbreviation(w string) (hours float64, ok bool) {
	switch w {
	case "z", "utc", "gmt", "ut", "uct", "zulu", "wet":
		return 0, true
	case "cet", "bst", "west", "met":
		return 1, true
	case "cest", "eet", "sast", "mest":
		return 2, true
	case "eest", "msk":
		return 3, true
	case "ist":
		return 2, true // Israel, as in Postgres's default set
	case "sgt", "hkt":
		return 8, true
	case "jst", "kst":
		return 9, true
	case "aest":
		return 10, true
	case "aedt":
		return 11, true
	case "nzst":
		return 12, true
	case "nzdt":
		return 13, true
	case "ast", "edt":
		return -4, true
	case "est", "cdt":
		return -5, true
	case "cst", "mdt":
		return -6, true
	case "mst", "pdt":
		return -7, true
	case "pst", "akdt":
		return -8, true
	case "akst":
		return -9, true
	case "hst":
		return -10, true
	}
	return 0, false
}

// zoneOffset takes +h, +hh, +hhmm, +hhmmss or +hh:mm[:ss].
func (p *dateParser) zoneOffset(sign int) bool {
	p.hasZone = true
	if p.s[0] == '-' {
		sign = -sign
	}
	s := p.s[1:]
	n := leadingDigits(s)
	digits := s[:n]
	s = s[n:]
	if n == 1 || n == 3 || n == 5 {
		digits = "0" + digits
	}
	for n <= 2 && len(s) >= 3 && s[0] == ':' && leadingDigits(s[1:3]) == 2 {
		digits, s = digits+s[1:3], s[3:]
	}
	if len(digits) == 0 || len(digits) > 6 {
		return false
	}
	x, _ := strconv.Atoi(digits + "000000"[len(digits):])
	h, m, sec := x/10000, x/100%100, x%100
	p.offset, p.s = sign*(h*3600+m*60+sec), s
	if h > 15 || m > 59 || sec > 59 {
		p.err = Errorf(CodeZoneDisplacement, "time zone displacement out of range: \"%s\"", clip(p.all))
	}
	return true
}

// number takes a date, a time of day, or a number of a date whose month is a name.
func (p *dateParser) number() bool {
	n := leadingDigits(p.s)
	next := byte(0)
	if n < len(p.s) {
		next = p.s[n]
	}
	switch {
	case next == ':':
		return p.timeOfDay()
	case !p.hasDate && p.month == 0 && !(p.timeOnly() && next == '.') && (next == '-' || next == '/' || next == '.'):
		return p.delimitedDate(next)
	case !p.hasTime && (p.hasDate || p.timeOnly()) && (n == 6 || n == 4):
		for k := range n / 2 {
			p.clock[k], _ = strconv.Atoi(p.s[2*k : 2*k+2])
		}
		p.hasTime, p.s = true, p.s[n:]
		return n == 4 || p.secondFraction()
	case !p.hasDate && p.month == 0 && (n == 8 || n == 6):
		p.year, _ = strconv.ParseInt(p.s[:n-4], 10, 64)
		p.twoDigits = n == 6
		p.mon, _ = strconv.Atoi(p.s[n-4 : n-2])
		p.mday, _ = strconv.Atoi(p.s[n-2 : n])
		p.hasDate, p.s = true, p.s[n:]
		return true
	}
	p.free = append(p.free, p.s[:n])
	p.s = p.s[n:]
	return len(p.free) <= 2 && !p.hasDate
}

func (p *dateParser) timeOfDay() bool {
	if p.hasTime {
		return false
	}
	p.hasTime = true
	for k := range 3 {
		n := leadingDigits(p.s)
		if n == 0 || n > 9 {
			return false
		}
		p.clock[k], _ = strconv.Atoi(p.s[:n])
		if p.s = p.s[n:]; k == 2 || !strings.HasPrefix(p.s, ":") {
			break
		}
		p.s = p.s[1:]
	}
	return p.secondFraction()
}

func (p *dateParser) secondFraction() bool {
	if strings.HasPrefix(p.s, ".") {
		n := leadingDigits(p.s[1:])
		p.fraction, p.s = parseMicros(p.s[1:1+n]), p.s[1+n:]
	}
	return true
}

// delimitedDate takes year-month-day, or month/day/year, or day-month-year with a month's name.
func (p *dateParser) delimitedDate(sep byte) bool {
	var f [3]string
	rest := p.s
	for k := range f {
		n := 0
		for n < len(rest) && isAlnum(rest[n]) {
			n++
		}
		// The last field may touch a 'T' or the era.
		if digits := leadingDigits(rest); k != 1 && digits > 0 {
			n = digits
		}
		f[k] = rest[:n]
		if rest = rest[n:]; n == 0 || k < 2 && (rest == "" || rest[0] != sep) {
			return false
		}
		if k < 2 {
			rest = rest[1:]
		}
	}
	p.s, p.hasDate = rest, true
	year, month, day := f[0], f[1], f[2]
	if m := monthNumber(strings.ToLower(f[1])); m > 0 {
		p.mon, month = m, ""
		if len(f[0]) < 3 {
			year, day = f[2], f[0]
		}
	} else if len(f[0]) < 3 {
		year, month, day = f[2], f[0], f[1]
	}
	return p.setDate(year, month, day)
}

// setDate sets the date from digits; month "" leaves p.mon as it is.
func (p *dateParser) setDate(year, month, day string) bool {
	var err1, err2, err3 error
	p.year, err1 = strconv.ParseInt(year, 10, 64)
	if month != "" {
		p.mon, err2 = strconv.Atoi(month)
	}
	p.mday, err3 = strconv.Atoi(day)
	p.twoDigits = len(year) <= 2
	return err1 == nil && err2 == nil && err3 == nil && len(year) <= 7
}

// finish checks the fields and computes the day and the time of day.
func (p *dateParser) finish() *Error {
	if len(p.free) > 0 || p.month > 0 {
		if p.month == 0 || len(p.free) != 2 || p.hasDate {
			return p.bad()
		}
		p.hasDate, p.mon = true, p.month
		year, day := p.free[1], p.free[0]
		if len(day) > 2 {
			year, day = day, year
		}
		if !p.setDate(year, "", day) {
			return p.bad()
		}
	}
	if p.hasDate {
		y := p.year
		switch {
		case p.bc:
			y = 1 - y
		case p.twoDigits && y < 70:
			y += 2000
		case p.twoDigits:
			y += 1900
		}
		if p.year == 0 && !p.twoDigits || p.bc && p.year == 0 || p.mon < 1 || p.mon > 12 || p.mday < 1 || p.mday > DaysInMonth(y, p.mon) {
			return p.outOfRange()
		}
		p.day = DaysFromCivil(y, p.mon, p.mday)
	}
	if !p.hasTime {
		return nil
	}
	h, m, s := p.clock[0], p.clock[1], p.clock[2]
	if p.am || p.pm {
		if h > 12 {
			return p.outOfRange()
		}
		h %= 12
		if p.pm {
			h += 12
		}
	}
	if h > 24 || m > 59 || s > 60 || h == 24 && (m > 0 || s > 0 || p.fraction > 0) || s == 60 && p.fraction > 0 {
		return p.outOfRange()
	}
	p.ofDay = int64(h*3600+m*60+s)*MicrosPerSecond + p.fraction
	return nil
}
