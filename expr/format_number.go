package expr

import (
	"bytes"
	"strconv"
	"strings"

	"rhumb/types"
)

// numFormat is a template of to_char for numbers.
type numFormat struct {
	nodes       []formatNode
	pre, post   int  // digits before and behind the point
	zeroStart   int  // the first 0 before the point, counted from 0; -1 = none
	zeroEnd     int  // the last 0, counted from 1
	multi       int  // digits behind V
	lsign       byte // S: 'a' anchored before, 'b' behind the number, 0 none
	lsignPre    int  // digits before S
	point, fill bool
	plus, minus bool // PL, MI; both of SG
	bracket     bool // PR
	roman       bool
	exponent    bool // EEEE
}

var numKeys = []string{"EEEE", "FM", "MI", "PL", "PR", "RN", "SG", "SP", "TH", "B", "C", "D", "G", "L", "S", "V", ",", ".", "0", "9"}

func numKeyOf(s string) string {
	for _, k := range numKeys {
		if _, ok := cutFold(s, k); ok {
			return s[:len(k)]
		}
	}
	return ""
}

func numSyntax(format string, args ...any) *types.Error {
	return types.Errorf(types.CodeSyntax, format, args...)
}

// parseNumFormat divides a template.
func parseNumFormat(s string) (*numFormat, *types.Error) {
	t := &numFormat{zeroStart: -1}
	for s != "" {
		key := numKeyOf(s)
		if key == "" {
			t.nodes, s = appendLiteral(t.nodes, s)
			continue
		}
		s = s[len(key):]
		n := formatNode{key: key}
		if err := t.add(n.field()); err != nil {
			return nil, err
		}
		switch n.field() {
		case "FM", "B", "C", "SP", "V", "PR":
		default:
			t.nodes = append(t.nodes, n)
		}
	}
	if t.exponent && (t.fill || t.lsign != 0 || t.bracket || t.minus || t.plus || t.roman || t.multi > 0) {
		return nil, numSyntax("\"EEEE\" is incompatible with other formats").WithDetail("\"EEEE\" may only be used together with digit and decimal point patterns.")
	}
	return t, nil
}

// add takes account of a key.
func (t *numFormat) add(key string) *types.Error {
	if t.exponent && key != "S" {
		return numSyntax("\"EEEE\" must be the last pattern used")
	}
	switch key {
	case "9", "0":
		if t.bracket {
			return numSyntax("\"%s\" must be ahead of \"PR\"", key)
		}
		return t.addDigit(key == "0")
	case ".", "D":
		if t.point {
			return numSyntax("multiple decimal points")
		}
		if t.multi > 0 {
			return numSyntax("cannot use \"V\" and decimal point together")
		}
		t.point = true
	case "FM":
		t.fill = true
	case "S":
		switch {
		case t.lsign != 0:
			return numSyntax("cannot use \"S\" twice")
		case t.plus || t.minus || t.bracket:
			return numSyntax("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together")
		case t.point:
			t.lsign = 'b'
		default:
			t.lsign, t.lsignPre = 'a', t.pre
		}
	case "MI", "PL", "SG":
		if t.lsign != 0 {
			return numSyntax("cannot use \"S\" and \"%s\" together", key)
		}
		t.minus = t.minus || key != "PL"
		t.plus = t.plus || key != "MI"
	case "PR":
		if t.lsign != 0 || t.plus || t.minus {
			return numSyntax("cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together")
		}
		t.bracket = true
	case "RN":
		t.roman = true
	case "V":
		if t.point {
			return numSyntax("cannot use \"V\" and decimal point together")
		}
		t.multi = -1
	case "EEEE":
		t.exponent = true
	}
	return nil
}

func (t *numFormat) addDigit(zero bool) *types.Error {
	switch {
	case t.multi != 0:
		t.multi = max(t.multi, 0) + 1
		return nil
	case t.point:
		t.post++
	default:
		if zero && t.zeroStart < 0 {
			t.zeroStart = t.pre
		}
		t.pre++
	}
	if zero {
		t.zeroEnd = t.pre + t.post
	}
	return nil
}

// format appends a number, given as canonical numeric text. minus says that it is negative even if it is rounded to 0, as a
// float is.
func (t *numFormat) format(dst, num []byte, minus bool) ([]byte, *types.Error) {
	switch {
	case t.roman:
		return t.appendRoman(dst, num), nil
	case t.exponent:
		return t.appendExponent(dst, num), nil
	}
	pre := t.pre
	if t.multi > 0 {
		var err *types.Error
		if num, err = numMul(nil, num, tenTo(t.multi).Append(nil, 10)); err != nil {
			return dst, err
		}
		pre += t.multi
	}
	s, err := types.RoundNumeric(text(num), 0, t.post) // NaN stays
	if err != nil {
		return dst, err
	}
	w := numWriter{t: t, pre: pre, dst: dst, negative: minus || strings.HasPrefix(s, "-"), digits: strings.TrimPrefix(s, "-")}
	whole, _, _ := strings.Cut(w.digits, ".")
	w.spaces = max(pre-len(whole), 0)
	if len(whole) > pre {
		w.digits = strings.Repeat("#", pre) + "." + strings.Repeat("#", t.post)
	}
	return w.write(), nil
}

// numWriter writes one number by a template. It goes through the template's digits from the left; cur counts them. The number's own
// digits begin after so many spaces.
type numWriter struct {
	t        *numFormat
	pre      int
	dst      []byte
	digits   string
	pos      int // in digits
	negative bool
	spaces   int
	cur      int
	last     int // FM: the last digit that matters; -1 = all do
	signed   bool
	inNumber bool
	lsign    byte
	bracket  bool
}

func (w *numWriter) write() []byte {
	t := w.t
	w.lsign, w.bracket = t.lsign, t.bracket && (w.negative || !t.fill)
	if t.plus || t.minus {
		w.signed = !t.plus || t.minus
	} else {
		w.signed = !w.negative && t.fill && t.lsign == 0
		if w.lsign == 'a' && w.pre == t.lsignPre {
			w.lsign = 'b'
		}
	}
	w.last = -1
	if t.fill && t.point {
		w.findLast()
	}
	count := t.post + w.pre - 1
	if !w.signed && w.spaces == 0 {
		count++
	}
	for k := range t.nodes {
		w.node(&t.nodes[k], count)
	}
	return w.dst
}

// findLast finds the last digit behind the point that is not a 0 to be left out.
func (w *numWriter) findLast() {
	point := strings.IndexByte(w.digits, '.')
	if point < 0 {
		return
	}
	w.last = len(strings.TrimRight(w.digits, "0")) - 1
	if w.t.zeroEnd > w.spaces {
		w.last = max(w.last, min(len(w.digits)-1, w.t.zeroEnd-w.spaces))
	}
}

// node writes one node of the template; count is the number of the template's digits.
func (w *numWriter) node(n *formatNode, count int) {
	if n.kind != nodeField {
		w.dst = append(w.dst, n.char...)
		return
	}
	fill := w.t.fill
	blank := func(c byte, show bool) {
		if show {
			w.dst = append(w.dst, c)
		} else if !fill {
			w.dst = append(w.dst, ' ')
		}
	}
	switch n.field() {
	case "9", "0", ".", "D":
		w.digit(n.field(), count)
	case ",", "G":
		blank(',', w.inNumber)
	case "L":
		w.dst = append(w.dst, ' ')
	case "MI":
		blank('-', w.negative)
	case "PL":
		blank('+', !w.negative)
	case "SG":
		w.dst = append(w.dst, signByte(w.negative))
	case "TH":
		whole, _, _ := strings.Cut(w.digits, ".")
		if w.negative || whole == "" || whole[0] == '#' || w.t.point {
			return
		}
		w.dst = append(w.dst, ordinalSuffix([]byte(whole), n.key[0])...)
	}
}

func signByte(negative bool) byte {
	if negative {
		return '-'
	}
	return '+'
}

// leadingZero reports whether the next digit is the 0 before the point of a number below 1, which 9 does not show.
func (w *numWriter) leadingZero() bool {
	return w.t.zeroStart < 0 && w.pos == 0 && strings.HasPrefix(w.digits, "0") && w.t.post != 0
}

// bare reports whether nothing behind the point matters.
func (w *numWriter) bare() bool { return w.last >= 0 && w.digits[w.last] == '.' }

// digit writes a digit or the point, and the sign where it belongs.
func (w *numWriter) digit(key string, count int) {
	t := w.t
	zero := t.zeroStart >= 0
	w.inNumber = false
	if !w.signed && (w.cur >= w.spaces || zero && t.zeroStart == w.cur) && (!w.leadingZero() || w.bare()) {
		w.sign()
	}
	switch {
	case w.cur < w.spaces && (!zero || t.zeroStart > w.cur):
		if !t.fill {
			w.dst = append(w.dst, ' ')
		}
	case w.cur < w.spaces:
		w.dst = append(w.dst, '0')
		w.inNumber = true
	default:
		w.own(key)
	}
	end := count + boolInt(w.spaces > 0) + boolInt(t.point)
	if w.last >= 0 && w.last == w.pos {
		end = w.cur
	}
	if w.cur+1 == end {
		switch {
		case w.signed && w.bracket:
			w.dst = append(w.dst, " >"[boolInt(w.negative)])
		case w.lsign == 'b':
			w.dst = append(w.dst, signByte(w.negative))
		}
	}
	w.cur++
}

// sign writes the sign before the number.
func (w *numWriter) sign() {
	t := w.t
	switch {
	case w.lsign == 'b':
		return
	case w.lsign == 'a':
		w.dst = append(w.dst, signByte(w.negative))
	case w.bracket:
		w.dst = append(w.dst, " <"[boolInt(w.negative)])
	case w.negative:
		w.dst = append(w.dst, '-')
	case !t.fill:
		w.dst = append(w.dst, ' ')
	}
	w.signed = true
}

// own writes the number's own next digit, or its point.
func (w *numWriter) own(key string) {
	if w.pos >= len(w.digits) {
		return
	}
	c := w.digits[w.pos]
	switch {
	case c == '.':
		if w.last < 0 || !w.bare() || w.t.fill {
			w.dst = append(w.dst, '.')
		}
	case w.last >= 0 && w.pos > w.last && key != "0":
	case w.leadingZero():
		if !w.t.fill {
			w.dst = append(w.dst, ' ')
		} else if w.bare() {
			w.dst = append(w.dst, '0')
		}
	default:
		w.dst = append(w.dst, c)
		w.inNumber = true
	}
	w.pos++
}

// appendRoman appends 1 to 3999 in Roman numerals, 15 wide; # for others.
func (t *numFormat) appendRoman(dst, num []byte) []byte {
	n, ok := numToInt(num)
	start := len(dst)
	if !ok || n < 1 || n > 3999 {
		return append(dst, strings.Repeat("#", 15)...)
	}
	if !t.fill {
		dst = append(dst, bytes.Repeat([]byte(" "), 15)...)
	}
	body := len(dst)
	for _, r := range []struct {
		n int64
		s string
	}{{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}} {
		for ; n >= r.n; n -= r.n {
			dst = append(dst, r.s...)
		}
	}
	if t.fill {
		return dst
	}
	// The numeral takes the place of as many spaces.
	length := len(dst) - body
	copy(dst[start+15-length:], dst[body:])
	return dst[:start+15]
}

// appendExponent appends scientific notation.
func (t *numFormat) appendExponent(dst, num []byte) []byte {
	if isNaN(num) {
		return append(dst, strings.Repeat("#", 2+t.post+6)...)
	}
	d := toDecimal(num)
	var digits []byte
	exp := 0
	if d.IsZero() {
		digits = bytes.Repeat([]byte("0"), t.post+1)
	} else {
		c := decimalContext(uint32(t.post + 1))
		_, _ = c.Round(d, d)
		digits = d.Coeff.Append(nil, 10)
		exp = len(digits) - 1 + int(d.Exponent)
		for len(digits) < t.post+1 {
			digits = append(digits, '0')
		}
		digits = digits[:t.post+1]
	}
	if len(num) > 0 && num[0] == '-' {
		dst = append(dst, '-')
	} else {
		dst = append(dst, ' ')
	}
	dst = append(dst, digits[0])
	if t.point && t.post > 0 {
		dst = append(append(dst, '.'), digits[1:]...)
	}
	sign := byte('+')
	if exp < 0 {
		sign, exp = '-', -exp
	}
	dst = append(dst, 'e', sign)
	if exp < 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, int64(exp), 10)
}
