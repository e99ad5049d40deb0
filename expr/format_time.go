package expr

import (
	"strconv"
	"strings"
	"time"

	"rhumb/types"
)

// The templates of to_char, to_timestamp and to_date ("Data Type Formatting Functions" in Postgres's manual).

// nodeKind says what a node of a template is.
type nodeKind uint8

const (
	nodeField nodeKind = iota
	nodeSpace
	nodeSeparator
	nodeText
)

// formatNode is a field with its modifiers, or a character that stands for itself.
type formatNode struct {
	kind nodeKind
	key  string // of a field, in the case that it was written in
	char string
	fm   bool // FM: no padding
	th   byte // 'T' of TH, 't' of th, 0 without
}

// field is the key in upper case.
func (n *formatNode) field() string { return strings.ToUpper(n.key) }

// timeKeys are the fields; a longer one stands before those it begins with.
var timeKeys = []string{"A.D.", "A.M.", "AD", "AM", "B.C.", "BC", "CC", "DAY", "DDD", "DD", "DY", "D", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6",
	"FX", "HH24", "HH12", "HH", "IDDD", "ID", "IW", "IYYY", "IYY", "IY", "I", "J", "MI", "MM", "MONTH", "MON", "MS", "OF", "P.M.", "PM", "Q", "RM",
	"SSSSS", "SSSS", "SS", "TZH", "TZM", "TZ", "US", "WW", "W", "Y,YYY", "YYYY", "YYY", "YY", "Y"}

// parseTimeFormat divides a template.
func parseTimeFormat(s string) []formatNode {
	var nodes []formatNode
	for s != "" {
		n := formatNode{}
		for {
			if rest, ok := cutFold(s, "FM"); ok {
				n.fm, s = true, rest
			} else if rest, ok := cutFold(s, "TM"); ok {
				s = rest // names are always English
			} else {
				break
			}
		}
		if s == "" {
			break
		}
		if key := timeKeyOf(s); key != "" {
			n.key, s = key, s[len(key):]
			if strings.HasPrefix(s, "TH") || strings.HasPrefix(s, "th") {
				n.th, s = s[0], s[2:]
			}
			nodes = append(nodes, n)
			continue
		}
		nodes, s = appendLiteral(nodes, s)
	}
	return nodes
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return s, false
}

// timeKeyOf is the field at the head of a template, as it is written.
func timeKeyOf(s string) string {
	for _, k := range timeKeys {
		if _, ok := cutFold(s, k); ok {
			return s[:len(k)]
		}
	}
	return ""
}

// appendLiteral reads a quoted text, an escaped character or a character.
func appendLiteral(nodes []formatNode, s string) ([]formatNode, string) {
	if s[0] == '"' {
		for s = s[1:]; s != ""; {
			if s[0] == '"' {
				return nodes, s[1:]
			}
			if s[0] == '\\' && len(s) > 1 {
				s = s[1:]
			}
			n := runePrefix([]byte(s), 1)
			nodes = append(nodes, formatNode{kind: nodeText, char: s[:n]})
			s = s[n:]
		}
		return nodes, s
	}
	if s[0] == '\\' && len(s) > 1 && s[1] == '"' {
		s = s[1:]
	}
	n := runePrefix([]byte(s), 1)
	kind := nodeText
	switch {
	case isSpaceByte(s[0]):
		kind = nodeSpace
	case isSeparator(s[0]):
		kind = nodeSeparator
	}
	return append(nodes, formatNode{kind: kind, char: s[:n]}), s[n:]
}

func isSpaceByte(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// isSeparator: printable ASCII that is no letter or digit.
func isSeparator(c byte) bool {
	return c > ' ' && c < 0x7f && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9')
}

// moment is what to_char prints of: a local time, or the parts of an interval.
type moment struct {
	year           int64 // astronomical
	month, day     int
	hour, min, sec int64
	micros         int64
	dayNumber      int64 // days since 1970
	interval       bool
	zone           string
	offset         int
	zoned          bool
}

func momentOf(local int64) moment {
	day, t := types.SplitMicros(local)
	y, m, d := types.CivilFromDays(day)
	return moment{year: y, month: m, day: d, dayNumber: day, hour: t / types.MicrosPerHour, min: t / types.MicrosPerMinute % 60,
		sec: t / types.MicrosPerSecond % 60, micros: t % types.MicrosPerSecond}
}

func momentOfInterval(v types.Interval) moment {
	t := v.Micros
	return moment{year: int64(v.Months / 12), month: int(v.Months % 12), day: int(v.Days), interval: true, hour: t / types.MicrosPerHour,
		min: t / types.MicrosPerMinute % 60, sec: t / types.MicrosPerSecond % 60, micros: t % types.MicrosPerSecond}
}

var monthNames = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
var dayNames = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
var romanMonths = []string{"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"}

// appendTimeFormat is to_char.
func appendTimeFormat(dst []byte, nodes []formatNode, m *moment) ([]byte, *types.Error) {
	for k := range nodes {
		n := &nodes[k]
		if n.kind != nodeField {
			dst = append(dst, n.char...)
			continue
		}
		if m.interval && notOfInterval[n.field()] {
			return dst, types.Errorf(types.CodeInvalidDatetime, "invalid format specification for an interval value").
				WithHint("Intervals are not tied to specific calendar dates.")
		}
		start := len(dst)
		if name, width, ok := m.word(n); ok {
			dst = append(dst, name...)
			for !n.fm && len(dst)-start < width {
				dst = append(dst, ' ')
			}
			continue
		}
		dst = m.appendNumber(dst, n)
		if n.th != 0 && len(dst) > start {
			dst = append(dst, ordinalSuffix(dst[start:], n.th)...)
		}
	}
	return dst, nil
}

var notOfInterval = map[string]bool{"BC": true, "AD": true, "B.C.": true, "A.D.": true, "MONTH": true, "MON": true, "DAY": true, "DY": true,
	"D": true, "ID": true, "IW": true, "IYYY": true, "IYY": true, "IY": true, "I": true, "TZ": true, "TZH": true, "TZM": true, "OF": true, "IDDD": true}

// ordinalSuffix is st, nd, rd or th.
func ordinalSuffix(digits []byte, style byte) string {
	last := digits[len(digits)-1]
	s := "th"
	if len(digits) < 2 || digits[len(digits)-2] != '1' {
		switch last {
		case '1':
			s = "st"
		case '2':
			s = "nd"
		case '3':
			s = "rd"
		}
	}
	if style == 'T' {
		return strings.ToUpper(s)
	}
	return s
}

// caseLike gives a name the case of its key: MONTH, Month, month.
func caseLike(name, key string) string {
	switch {
	case key == strings.ToLower(key):
		return strings.ToLower(name)
	case len(key) > 1 && key[1] >= 'a':
		return name
	}
	return strings.ToUpper(name)
}

// word is the text of the fields that are words, and the width to which it is padded.
func (m *moment) word(n *formatNode) (s string, width int, ok bool) {
	switch key := n.field(); key {
	case "AM", "PM":
		return caseLike([]string{"Am", "Pm"}[boolInt(m.hour%24 >= 12)], n.key[:1]), 0, true
	case "A.M.", "P.M.":
		return caseLike([]string{"A.m.", "P.m."}[boolInt(m.hour%24 >= 12)], n.key[:1]), 0, true
	case "AD", "BC":
		return caseLike([]string{"Ad", "Bc"}[boolInt(m.year <= 0)], n.key[:1]), 0, true
	case "A.D.", "B.C.":
		return caseLike([]string{"A.d.", "B.c."}[boolInt(m.year <= 0)], n.key[:1]), 0, true
	case "MONTH":
		return caseLike(monthNames[m.month-1], n.key), 9, true
	case "MON":
		return caseLike(monthNames[m.month-1][:3], n.key), 0, true
	case "DAY":
		return caseLike(dayNames[weekday(m.dayNumber)], n.key), 9, true
	case "DY":
		return caseLike(dayNames[weekday(m.dayNumber)][:3], n.key), 0, true
	case "RM":
		if m.month == 0 {
			return "", 0, true
		}
		return caseLike(romanMonths[((m.month-1)%12+12)%12], n.key[:1]), 4, true
	case "TZ":
		return caseLike(m.zone, n.key[:1]), 0, true
	case "TZH", "TZM", "OF":
		return m.offsetWord(key), 0, true
	case "FX":
		return "", 0, true
	}
	return "", 0, false
}

func (m *moment) offsetWord(key string) string {
	sign, o := "+", m.offset
	if o < 0 {
		sign, o = "-", -o
	}
	two := func(n int) string { return string(appendPaddedInt(nil, int64(n), 2)) }
	switch {
	case key == "TZH":
		return sign + two(o/3600)
	case key == "TZM":
		return two(o / 60 % 60)
	case o/60%60 != 0:
		return sign + two(o/3600) + ":" + two(o/60%60)
	}
	return sign + two(o/3600)
}

// appendPaddedInt appends a number with zeros in front, to a width without the sign.
func appendPaddedInt(dst []byte, n int64, width int) []byte {
	if n < 0 {
		dst = append(dst, '-')
		n = -n
	}
	var buf [20]byte
	digits := strconv.AppendInt(buf[:0], n, 10)
	for k := len(digits); k < width; k++ {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// appendNumber appends a numeric field.
func (m *moment) appendNumber(dst []byte, n *formatNode) []byte {
	value, width := m.number(n.field())
	if n.field() == "Y,YYY" {
		dst = appendPaddedInt(dst, value/1000, 1)
		return appendPaddedInt(append(dst, ','), value%1000, 3)
	}
	if n.fm && n.field()[0] != 'F' && n.field() != "MS" && n.field() != "US" {
		width = 0
	}
	return appendPaddedInt(dst, value, width)
}

// number is a numeric field and its width.
func (m *moment) number(key string) (value int64, width int) {
	year := m.year
	if !m.interval && year <= 0 {
		year = 1 - year
	}
	switch key {
	case "HH", "HH12":
		h := m.hour % 12
		if h == 0 {
			h = 12
		}
		return h, 2
	case "HH24":
		return m.hour, 2
	case "MI":
		return m.min, 2
	case "SS":
		return m.sec, 2
	case "MS":
		return m.micros / 1000, 3
	case "US":
		return m.micros, 6
	case "FF1", "FF2", "FF3", "FF4", "FF5", "FF6":
		w := int(key[2] - '0')
		return m.micros / pow10[6-w], w
	case "SSSS", "SSSSS":
		return m.hour*3600 + m.min*60 + m.sec, 0
	case "MM":
		return int64(m.month), 2
	case "DD":
		return int64(m.day), 2
	case "DDD":
		if m.interval {
			return m.year*360 + int64(m.month)*30 + int64(m.day), 3
		}
		return dayOfYear(m.dayNumber, m.year), 3
	case "D":
		return weekday(m.dayNumber) + 1, 0
	case "ID":
		return (weekday(m.dayNumber)+6)%7 + 1, 0
	case "W":
		return int64(m.day-1)/7 + 1, 0
	case "WW":
		return (dayOfYear(m.dayNumber, m.year)-1)/7 + 1, 2
	case "Q":
		if m.month == 0 {
			return 0, 0
		}
		return int64(m.month-1)/3 + 1, 0
	case "CC":
		if m.interval {
			return m.year / 100, 2
		}
		return periodsOf(m.year, 100), 2
	case "J":
		return m.dayNumber + julianOf1970, 0
	case "Y,YYY", "YYYY":
		return year, 4
	case "YYY":
		return year % 1000, 3
	case "YY":
		return year % 100, 2
	case "Y":
		return year % 10, 1
	}
	return m.isoNumber(key)
}

// isoNumber is a field of the week date of ISO 8601.
func (m *moment) isoNumber(key string) (value int64, width int) {
	week, year := isoWeek(m.dayNumber)
	day := m.dayNumber - isoWeekStart(year, 1) + 1
	if year <= 0 {
		year = 1 - year
	}
	switch key {
	case "IW":
		return week, 2
	case "IDDD":
		return day, 3
	case "IYYY":
		return year, 4
	case "IYY":
		return year % 1000, 3
	case "IY":
		return year % 100, 2
	}
	return year % 10, 1 // I
}

// zoneAt names the zone of a point in time.
func (m *moment) zoneAt(x int64, zone *time.Location) {
	m.zone, m.zoned = "UTC", true
	if !isUTC(zone) {
		m.zone, m.offset = time.UnixMicro(x).In(zone).Zone()
	}
}
