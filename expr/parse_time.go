package expr

import (
	"cmp"
	"strings"
	"time"

	"rhumb/types"
)

// scanField is what a field of a template sets.
type scanField uint8

const (
	scanHour scanField = iota
	scanMinute
	scanSecond
	scanOfDay
	scanMonth
	scanDayOfYear
	scanDay
	scanWeekday
	scanWeek
	scanQuarter
	scanCentury
	scanYear
	scanWeekOfMonth
	scanJulian
	scanMillis
	scanMicros
	scanZoneHour
	scanZoneMinute
	scanFields
)

// timeScan reads a text by a template, as to_timestamp does. Fields that the text does not give have the defaults of Postgres:
// year 1 BC (astronomically 0), month and day 1, midnight.
type timeScan struct {
	in    string // what is left
	all   string
	fx    bool
	extra int // characters skipped beyond those of the template

	f         [scanFields]int64 // 0 = not given
	isoWeek   bool
	gregorian bool
	clock12   bool
	pm, bc    bool
	yearSize  int
	zoneSign  int64
}

func badFormat(format string, args ...any) *types.Error {
	return types.Errorf(types.CodeInvalidDatetime, format, args...)
}

// scanTime returns the local time that s says, and the offset in seconds that it names, if it does.
func scanTime(nodes []formatNode, s string) (local int64, offset int, hasOffset bool, err *types.Error) {
	p := timeScan{in: s, all: s}
	if err = p.scan(nodes); err != nil {
		return
	}
	if local, err = p.local(); err != nil {
		return
	}
	if p.zoneSign != 0 {
		h, m := p.f[scanZoneHour], p.f[scanZoneMinute]
		if h > 15 || m > 59 {
			return 0, 0, false, types.Errorf("22009", "time zone displacement out of range: \"%s\"", s)
		}
		return local, int(p.zoneSign * (h*3600 + m*60)), true, nil
	}
	return local, 0, false, nil
}

func (p *timeScan) overflow() *types.Error {
	return types.Errorf(types.CodeDatetimeOverflow, "date/time field value out of range: \"%s\"", p.all)
}

func (p *timeScan) skipSpace() (n int) {
	for p.in != "" && isSpaceByte(p.in[0]) {
		p.in = p.in[1:]
		n++
	}
	return n
}

// scan steps through the template. Without FX, white space of the text is skipped before and behind fields; one separator of the
// template takes one of the text, if there is one, and other characters take one each, unless more have been skipped.
func (p *timeScan) scan(nodes []formatNode) *types.Error {
	for k := 0; k < len(nodes) && p.in != ""; k++ {
		n := &nodes[k]
		if !p.fx && (n.kind == nodeField || k == 0) {
			p.extra += p.skipSpace()
		}
		switch {
		case n.kind == nodeField:
		case p.fx:
			p.drop()
			continue
		case n.kind != nodeText:
			if p.extra--; p.in != "" && (isSpaceByte(p.in[0]) || isSeparator(p.in[0])) {
				p.in = p.in[1:]
				p.extra++
			}
			continue
		case p.extra > 0:
			p.extra--
			continue
		default:
			p.drop()
			continue
		}
		if err := p.field(nodes, k); err != nil {
			return err
		}
		if !p.fx {
			p.extra = p.skipSpace()
		}
	}
	return nil
}

func (p *timeScan) drop() { p.in = p.in[runePrefix([]byte(p.in), 1):] }

// set records a field; two different values contradict.
func (p *timeScan) set(what scanField, value int64, n *formatNode) *types.Error {
	if old := p.f[what]; old != value && old != 0 {
		return badFormat("conflicting values for \"%s\" field in formatting string", n.key).
			WithDetail("This value contradicts a previous setting for the same field type.")
	}
	p.f[what] = value
	return nil
}

// fieldOf says what the numeric fields set, and how many digits they have.
var fieldOf = map[string]struct {
	what scanField
	size int
}{
	"HH": {scanHour, 2}, "HH12": {scanHour, 2}, "HH24": {scanHour, 2}, "MI": {scanMinute, 2}, "SS": {scanSecond, 2}, "SSSS": {scanOfDay, 4}, "SSSSS": {scanOfDay, 5},
	"MM": {scanMonth, 2}, "DDD": {scanDayOfYear, 3}, "IDDD": {scanDayOfYear, 3}, "DD": {scanDay, 2}, "D": {scanWeekday, 1}, "ID": {scanWeekday, 1}, "WW": {scanWeek, 2}, "IW": {scanWeek, 2},
	"Q": {scanQuarter, 1}, "CC": {scanCentury, 2}, "YYYY": {scanYear, 4}, "YYY": {scanYear, 3}, "YY": {scanYear, 2}, "Y": {scanYear, 1},
	"IYYY": {scanYear, 4}, "IYY": {scanYear, 3}, "IY": {scanYear, 2}, "I": {scanYear, 1}, "W": {scanWeekOfMonth, 1}, "J": {scanJulian, 1},
	"MS": {scanMillis, 3}, "US": {scanMicros, 6}, "FF1": {scanMicros, 1}, "FF2": {scanMicros, 2}, "FF3": {scanMicros, 3}, "FF4": {scanMicros, 4}, "FF5": {scanMicros, 5}, "FF6": {scanMicros, 6},
	"TZH": {scanZoneHour, 2}, "TZM": {scanZoneMinute, 2},
}

// field reads nodes[k].
func (p *timeScan) field(nodes []formatNode, k int) *types.Error {
	n := &nodes[k]
	key := n.field()
	if err := p.convention(key); err != nil {
		return err
	}
	switch key {
	case "FX":
		p.fx = true
		return nil
	case "AM", "PM", "A.M.", "P.M.":
		words := []string{"am", "pm"}
		if len(key) == 4 {
			words = []string{"a.m.", "p.m."}
		}
		i, err := p.word(words, 0, n)
		p.pm, p.clock12 = i == 1, true
		return err
	case "AD", "BC", "A.D.", "B.C.":
		words := []string{"ad", "bc"}
		if len(key) == 4 {
			words = []string{"a.d.", "b.c."}
		}
		i, err := p.word(words, 0, n)
		p.bc = i == 1
		return err
	case "MONTH", "MON", "DAY", "DY", "RM":
		return p.name(key, n)
	case "TZ", "OF":
		return types.Errorf(types.CodeNotSupported, "formatting field \"%s\" is only supported in to_char", n.key).WithHint("Use TZH:TZM for an offset.")
	case "Y,YYY":
		return p.thousands(n)
	case "TZH":
		p.sign()
	case "TZM":
		if p.zoneSign == 0 {
			p.zoneSign = 1
		}
	}
	return p.numeric(nodes, k, key)
}

// convention refuses a mixture of the Gregorian calendar and ISO weeks.
func (p *timeScan) convention(key string) *types.Error {
	switch key {
	case "IYYY", "IYY", "IY", "I", "IW", "ID", "IDDD":
		p.isoWeek = true
	case "MONTH", "MON", "DAY", "DY", "RM", "MM", "DDD", "DD", "D", "WW", "W", "Q", "CC", "YYYY", "YYY", "YY", "Y", "Y,YYY", "J", "BC", "AD", "B.C.", "A.D.":
		// Day names and eras have no convention in Postgres.
		p.gregorian = p.gregorian || key != "DAY" && key != "DY" && len(key) > 0 && key != "BC" && key != "AD" && key != "B.C." && key != "A.D." && key != "J"
	}
	if p.isoWeek && p.gregorian {
		return badFormat("invalid combination of date conventions").
			WithHint("Do not mix Gregorian and ISO week date conventions in a formatting template.")
	}
	return nil
}

// word reads one of some words, of at most size letters (0 = whole), without regard to case.
func (p *timeScan) word(words []string, size int, n *formatNode) (int, *types.Error) {
	for i, w := range words {
		if size > 0 {
			w = w[:size]
		}
		if rest, ok := cutFold(p.in, w); ok {
			p.in = rest
			return i, nil
		}
	}
	shown, _, _ := strings.Cut(p.in, " ")
	return 0, badFormat("invalid value \"%s\" for \"%s\"", shown, n.key).
		WithDetail("The given value did not match any of the allowed values for this field.")
}

func (p *timeScan) name(key string, n *formatNode) *types.Error {
	var i int
	var err *types.Error
	what := scanMonth
	switch key {
	case "MONTH":
		i, err = p.word(monthNames, 0, n)
	case "MON":
		i, err = p.word(monthNames, 3, n)
	case "RM":
		// From the longest: VIII before VII before VI.
		for _, m := range []int{7, 2, 6, 11, 1, 3, 5, 8, 10, 0, 4, 9} {
			if rest, ok := cutFold(p.in, romanMonths[m]); ok {
				p.in = rest
				return p.set(what, int64(m+1), n)
			}
		}
		_, err = p.word(nil, 0, n)
	case "DAY":
		i, err = p.word(dayNames, 0, n)
		what = scanWeekday
	case "DY":
		i, err = p.word(dayNames, 3, n)
		what = scanWeekday
	}
	if err != nil {
		return err
	}
	return p.set(what, int64(i+1), n)
}

// sign reads the sign of TZH; it may have been skipped as a separator.
func (p *timeScan) sign() {
	p.zoneSign = 1
	switch {
	case p.in != "" && strings.IndexByte("+- ", p.in[0]) >= 0:
		if p.in[0] == '-' {
			p.zoneSign = -1
		}
		p.in = p.in[1:]
	case p.extra > 0 && len(p.in) < len(p.all) && p.all[len(p.all)-len(p.in)-1] == '-':
		p.zoneSign = -1
	}
}

// thousands reads Y,YYY.
func (p *timeScan) thousands(n *formatNode) *types.Error {
	before, rest, ok := strings.Cut(p.in, ",")
	high, ok1 := shortInt([]byte(before))
	low, ok2 := shortInt([]byte(rest[:min(3, len(rest))]))
	if !ok || !ok1 || !ok2 || high > 1e6 {
		return badFormat("invalid input string for \"Y,YYY\"")
	}
	p.in = rest[min(3, len(rest)):]
	p.yearSize = 4
	p.skipOrdinal(n)
	return p.set(scanYear, high*1000+low, n)
}

func (p *timeScan) skipOrdinal(n *formatNode) {
	if n.th != 0 {
		p.in = p.in[min(2, len(p.in)):]
	}
}

// numeric reads a numeric field.
func (p *timeScan) numeric(nodes []formatNode, k int, key string) *types.Error {
	n := &nodes[k]
	def := fieldOf[key]
	value, used, err := p.integer(nodes, k, def.size)
	if err != nil {
		return err
	}
	p.skipOrdinal(n)
	switch {
	case key == "Q": // which day of the quarter is meant is not clear, so it is ignored
		return nil
	case key == "HH" || key == "HH12":
		p.clock12 = true
	case def.what == scanMillis:
		value *= pow10[max(3-used, 0)]
	case def.what == scanMicros:
		value *= pow10[max(6-used, 0)]
	case key == "ID":
		value = value%7 + 1 // Sunday is 1 in "d"
	case def.what == scanYear:
		p.yearSize = len(strings.TrimPrefix(key, "I"))
		if key[0] == 'I' {
			p.yearSize = len(key)
		}
		if p.yearSize < 4 && used < 4 {
			value = nearYear(value)
		}
	}
	return p.set(def.what, value, n)
}

// nearYear completes a year of one to three digits to the nearest to 2020.
func nearYear(y int64) int64 {
	switch {
	case y < 70:
		return y + 2000
	case y < 100:
		return y + 1900
	case y < 520:
		return y + 2000
	case y < 1000:
		return y + 1000
	}
	return y
}

// integer reads a number: of exactly size digits if another digit may follow, else as far as it goes.
func (p *timeScan) integer(nodes []formatNode, k, size int) (value int64, used int, err *types.Error) {
	n := &nodes[k]
	p.skipSpace()
	open := n.fm || separated(nodes, k)
	limit := len(p.in)
	if !open {
		if limit < size {
			return 0, 0, badFormat("source string too short for \"%s\" formatting field", n.key).
				WithDetail("Field requires %d characters, but only %d remain.", size, limit).
				WithHint("If your source string is not fixed-width, try using the \"FM\" modifier.")
		}
		limit = size
	}
	pos := 0
	if pos < limit && (p.in[0] == '-' || p.in[0] == '+') {
		pos++
	}
	digits := pos
	for pos < limit && p.in[pos] >= '0' && p.in[pos] <= '9' {
		pos++
	}
	shown := p.in[:min(len(p.in), size)]
	switch {
	case pos == digits:
		return 0, 0, badFormat("invalid value \"%s\" for \"%s\"", shown, n.key).WithDetail("Value must be an integer.")
	case !open && pos < size:
		return 0, 0, badFormat("invalid value \"%s\" for \"%s\"", shown, n.key).
			WithDetail("Field requires %d characters, but only %d could be parsed.", size, pos).
			WithHint("If your source string is not fixed-width, try using the \"FM\" modifier.")
	case pos-digits > 9:
		return 0, 0, types.Errorf(types.CodeDatetimeOverflow, "value for \"%s\" in source string is out of range", n.key)
	}
	value, _ = shortInt([]byte(strings.TrimPrefix(p.in[:pos], "+")))
	p.in = p.in[pos:]
	return value, pos, nil
}

// separated reports whether what follows nodes[k] in the template cannot begin with a digit.
func separated(nodes []formatNode, k int) bool {
	if nodes[k].th != 0 || k+1 == len(nodes) {
		return true
	}
	next := &nodes[k+1]
	if next.kind == nodeField {
		_, digits := fieldOf[next.field()]
		return !digits && next.field() != "Y,YYY" || next.field() == "TZH"
	}
	return !(next.char[0] >= '0' && next.char[0] <= '9')
}

// local computes the local time from the fields.
func (p *timeScan) local() (int64, *types.Error) {
	t, err := p.timeOfDay()
	if err != nil {
		return 0, err
	}
	day, err := p.date()
	if err != nil {
		return 0, err
	}
	if day > maxTimestamp/types.MicrosPerDay || day < minTimestamp/types.MicrosPerDay {
		return 0, outOfRange(types.Timestamp)
	}
	return day*types.MicrosPerDay + t, nil
}

func (p *timeScan) timeOfDay() (int64, *types.Error) {
	h, m, s := p.f[scanOfDay]/3600, p.f[scanOfDay]/60%60, p.f[scanOfDay]%60
	h, m, s = cmp.Or(p.f[scanHour], h), cmp.Or(p.f[scanMinute], m), cmp.Or(p.f[scanSecond], s)
	if p.clock12 {
		if h < 1 || h > 12 {
			return 0, badFormat("hour \"%d\" is invalid for the 12-hour clock", h).
				WithHint("Use the 24-hour clock, or give an hour between 1 and 12.")
		}
		switch {
		case p.pm && h < 12:
			h += 12
		case !p.pm && h == 12:
			h = 0
		}
	}
	us := p.f[scanMillis]*1000 + p.f[scanMicros]
	if h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 59 || us < 0 || us >= types.MicrosPerSecond {
		return 0, p.overflow()
	}
	return (h*3600+m*60+s)*types.MicrosPerSecond + us, nil
}

// year is the astronomical year, from the year and the century.
func (p *timeScan) year() (y int64, set bool) {
	y, cc := p.f[scanYear], p.f[scanCentury]
	if p.bc {
		cc = -cc
	}
	switch {
	case y != 0 && cc != 0 && p.yearSize <= 2:
		if y %= 100; y == 0 {
			return cc*100 + int64(boolInt(cc < 0)), true
		}
		if cc >= 0 {
			return y + (cc-1)*100, true
		}
		return (cc+1)*100 - y + 1, true
	case y != 0:
		if p.bc {
			y = -y
		}
		if y < 0 {
			y++
		}
		return y, true
	case cc > 0:
		return (cc-1)*100 + 1, true
	case cc < 0:
		return cc*100 + 1, true
	}
	return 0, false
}

// date is the day number that the fields say.
func (p *timeScan) date() (int64, *types.Error) {
	y, _ := p.year()
	m, d := int64(1), int64(1)
	if j := p.f[scanJulian]; j != 0 {
		yy, mm, dd := types.CivilFromDays(j - julianOf1970)
		y, m, d = yy, int64(mm), int64(dd)
	}
	ddd := p.f[scanDayOfYear]
	if ww := p.f[scanWeek]; ww != 0 {
		if p.isoWeek {
			day := isoWeekStart(y, ww)
			if wd := p.f[scanWeekday]; wd != 0 {
				day += (wd + 5) % 7
			}
			return day, nil
		}
		ddd = (ww-1)*7 + 1
	}
	if w := p.f[scanWeekOfMonth]; w != 0 {
		d = (w-1)*7 + 1
	}
	if v := p.f[scanDay]; v != 0 {
		d = v
	}
	if v := p.f[scanMonth]; v != 0 {
		m = v
	}
	if ddd != 0 && (m <= 1 || d <= 1) {
		return p.dayOfYear(y, m, d, ddd)
	}
	if m < 1 || m > 12 || d < 1 || d > int64(types.DaysInMonth(y, int(m))) {
		return 0, p.overflow()
	}
	return types.DaysFromCivil(y, int(m), int(d)), nil
}

// dayOfYear fills in what the day of the year says of month and day.
func (p *timeScan) dayOfYear(y, m, d, ddd int64) (int64, *types.Error) {
	if y == 0 && !p.bc {
		return 0, badFormat("cannot calculate day of year without year information")
	}
	if p.isoWeek {
		return isoWeekStart(y, 1) + ddd - 1, nil
	}
	day := types.DaysFromCivil(y, 1, 1) + ddd - 1
	yy, mm, dd := types.CivilFromDays(day)
	if yy != y || ddd < 1 {
		return 0, p.overflow()
	}
	if m > 1 {
		mm = int(m)
	}
	if d > 1 {
		dd = int(d)
	}
	if dd > types.DaysInMonth(y, mm) {
		return 0, p.overflow()
	}
	return types.DaysFromCivil(y, mm, dd), nil
}

// zoneOfText is the point in time of a local time with the offset of the text, or else in the session's zone.
func zoneOfText(local int64, offset int, hasOffset bool, zone *time.Location) int64 {
	if hasOffset {
		return local - int64(offset)*types.MicrosPerSecond
	}
	return types.FromZone(local, zone)
}
