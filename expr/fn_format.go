package expr

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"rhumb/types"
)

func formatFuncs() []*Func {
	return []*Func{
		{Name: "quote_ident", Doc: "Quoted as an identifier, if it must be.", Sigs: []Sig{sig(tText, appending(func(f *frame, i int32, dst []byte) []byte {
			return appendQuotedIdent(dst, f.str(0, i))
		}), tText)}},
		{Name: "quote_literal", Doc: "Quoted as a text constant.", Sigs: []Sig{sig(tText, quoteKernel(""), anyValue)}},
		{Name: "quote_nullable", Doc: "Quoted as a text constant, or NULL.", Sigs: []Sig{sig(tText, quoteKernel("NULL"), anyValue).nonStrict()}},
		{Name: "format", Doc: "Fills in a format: %s text, %I identifier, %L literal; %n$s the n-th argument, %-10s a width.", Sigs: []Sig{
			sig(tText, formatText, tText).nonStrict(), sig(tText, formatText, tText, anyValue).variadic().nonStrict()}},
	}
}

func quoteKernel(null string) kernel {
	return appending(func(f *frame, i int32, dst []byte) []byte {
		if f.isNull(0, i) {
			return append(dst, null...)
		}
		f.buf = f.appendCast(f.buf[:0], 0, i)
		return appendQuotedLiteral(dst, f.buf)
	})
}

var formatText = each(func(f *frame, i int32) {
	if f.isNull(0, i) {
		f.setNull(i)
		return
	}
	dst, err := f.appendFormat(f.begin(), i)
	if err != nil {
		f.fail(i, err)
		return
	}
	f.end(i, dst)
})

func badSpecifier(format string, args ...any) *types.Error {
	return types.Errorf(types.CodeInvalidOption, format, args...)
}

// appendFormat is format(): %[position$][-][width]type.
func (f *frame) appendFormat(dst []byte, i int32) ([]byte, *types.Error) {
	s, next := f.str(0, i), 1
	for len(s) > 0 {
		if s[0] != '%' {
			dst, s = append(dst, s[0]), s[1:]
			continue
		}
		if s = s[1:]; len(s) > 0 && s[0] == '%' {
			dst, s = append(dst, '%'), s[1:]
			continue
		}
		pos, left, width := 0, false, 0
		if n, rest, ok := leadingInt(s); ok && len(rest) > 0 && rest[0] == '$' {
			if pos, s = n, rest[1:]; pos == 0 {
				return dst, badSpecifier("format specifies argument 0, but arguments are numbered from 1")
			}
		}
		for len(s) > 0 && s[0] == '-' {
			left, s = true, s[1:]
		}
		var err *types.Error
		if width, s, next, err = f.formatWidth(s, i, next); err != nil {
			return dst, err
		}
		if width < 0 {
			left, width = true, -width
		}
		if len(s) == 0 {
			return dst, badSpecifier("unterminated format() type specifier").WithHint("For a single \"%%\" use \"%%%%\".")
		}
		if pos == 0 {
			pos, next = next, next+1
		}
		if pos >= len(f.args) {
			return dst, badSpecifier("too few arguments for format()")
		}
		start := len(dst)
		if dst, err = f.appendSpecifier(dst, s[0], pos, i); err != nil {
			return dst, err
		}
		s = s[1:]
		dst = padField(dst, start, width, left)
	}
	return dst, nil
}

func leadingInt(s []byte) (n int, rest []byte, ok bool) {
	for len(s) > 0 && s[0] >= '0' && s[0] <= '9' && n < 1e8 {
		n, s, ok = n*10+int(s[0]-'0'), s[1:], true
	}
	return n, s, ok
}

// formatWidth reads a width: digits, or * for the value of an argument.
func (f *frame) formatWidth(s []byte, i int32, next int) (width int, rest []byte, nextArg int, err *types.Error) {
	if len(s) == 0 || s[0] != '*' {
		width, s, _ = leadingInt(s)
		if width > maxResult {
			err = tooLong()
		}
		return width, s, next, err
	}
	s = s[1:]
	pos := next
	if n, rest, ok := leadingInt(s); ok && len(rest) > 0 && rest[0] == '$' {
		pos, s = n, rest[1:]
	} else {
		next++
	}
	if pos < 1 || pos >= len(f.args) {
		return 0, s, next, badSpecifier("too few arguments for format()")
	}
	if !f.isNull(pos, i) {
		n, convErr := strconv.Atoi(string(f.appendAny(nil, pos, i)))
		if convErr != nil || n > maxResult || n < -maxResult {
			return 0, s, next, badSpecifier("number is out of range")
		}
		width = n
	}
	return width, s, next, nil
}

func (f *frame) appendSpecifier(dst []byte, kind byte, pos int, i int32) ([]byte, *types.Error) {
	switch kind {
	case 's', 'I', 'L':
	default:
		return dst, badSpecifier("unrecognized format() type specifier \"%c\"", kind).WithHint("For a single \"%%\" use \"%%%%\".")
	}
	if f.isNull(pos, i) {
		switch kind {
		case 'I':
			return dst, types.Errorf("22004", "null values cannot be formatted as an SQL identifier")
		case 'L':
			return append(dst, "NULL"...), nil
		}
		return dst, nil
	}
	f.buf = f.appendAny(f.buf[:0], pos, i)
	switch kind {
	case 'I':
		return appendQuotedIdent(dst, f.buf), nil
	case 'L':
		return appendQuotedLiteral(dst, f.buf), nil
	}
	return append(dst, f.buf...), nil
}

// padField fills what begins at start to a width with spaces.
func padField(dst []byte, start, width int, left bool) []byte {
	pad := width - utf8.RuneCount(dst[start:])
	if pad <= 0 {
		return dst
	}
	dst = append(dst, strings.Repeat(" ", pad)...)
	if !left {
		copy(dst[start+pad:], dst[start:len(dst)-pad])
		copy(dst[start:], strings.Repeat(" ", pad))
	}
	return dst
}

// withFormat is an overload whose last argument is a template; a constant one is parsed once.
func withFormat[F any](ret types.Type, parse func(s string) (F, *types.Error), row func(f *frame, i int32, format F), args ...types.Type) Sig {
	at := len(args) - 1
	varying := each(func(f *frame, i int32) {
		format, err := parse(string(f.str(at, i)))
		if err != nil {
			f.fail(i, err)
			return
		}
		row(f, i, format)
	})
	return sig(ret, varying, args...).preparing(func(exprs []Expr) (kernel, *types.Error) {
		v, ok := constantArg(exprs, at)
		if !ok {
			return nil, nil
		}
		format, err := parse(v.S)
		if err != nil {
			return nil, err
		}
		return each(func(f *frame, i int32) { row(f, i, format) }), nil
	})
}

func timeFormatFuncs() []*Func {
	timeFormat := func(s string) ([]formatNode, *types.Error) { return parseTimeFormat(s), nil }
	toChar := func(of func(f *frame, i int32) (moment, bool), t types.Type) Sig {
		return withFormat(tText, timeFormat, func(f *frame, i int32, nodes []formatNode) {
			m, ok := of(f, i)
			if !ok || len(nodes) == 0 {
				f.setNull(i)
				return
			}
			dst, err := appendTimeFormat(f.begin(), nodes, &m)
			if err != nil {
				f.fail(i, err)
				return
			}
			f.end(i, dst)
		}, t, tText)
	}
	number := func(t types.Type) Sig { return withFormat(tText, parseNumFormat, numberRow(t), t, tText) }
	return []*Func{
		{Name: "to_char", Doc: "Formatted by a template.", Sigs: []Sig{
			toChar(func(f *frame, i int32) (moment, bool) { return momentOf(f.int(0, i)), !infinite(f.int(0, i)) }, tTimestamp),
			toChar(func(f *frame, i int32) (moment, bool) {
				x := f.int(0, i)
				m := momentOf(types.ToZone(x, f.ctx.Zone))
				m.zoneAt(x, f.ctx.Zone)
				return m, !infinite(x)
			}, tTimestamptz),
			toChar(func(f *frame, i int32) (moment, bool) { return momentOfInterval(f.iv(0, i)), true }, tInterval),
			number(tInt4), number(tInt8), number(tFloat4), number(tFloat8), number(tNumeric)}},
		{Name: "to_timestamp", Sigs: []Sig{withFormat(tTimestamptz, timeFormat, func(f *frame, i int32, nodes []formatNode) {
			f.scanRow(i, nodes, func(local int64, offset int, hasOffset bool) int64 {
				return zoneOfText(local, offset, hasOffset, f.ctx.Zone)
			})
		}, tText, tText)}},
		{Name: "to_date", Doc: "The date of a text in a format.", Sigs: []Sig{withFormat(tDate, timeFormat, func(f *frame, i int32, nodes []formatNode) {
			f.scanRow(i, nodes, func(local int64, _ int, _ bool) int64 {
				day, _ := types.SplitMicros(local)
				return day
			})
		}, tText, tText)}},
	}
}

func (f *frame) scanRow(i int32, nodes []formatNode, result func(local int64, offset int, hasOffset bool) int64) {
	local, offset, hasOffset, err := scanTime(nodes, string(f.str(0, i)))
	if err != nil {
		f.fail(i, err)
		return
	}
	f.setInt(i, result(local, offset, hasOffset))
}

// numberRow is to_char of a type of number.
func numberRow(t types.Type) func(f *frame, i int32, format *numFormat) {
	return func(f *frame, i int32, format *numFormat) {
		var num []byte
		minus := false
		switch {
		case t.IsInt():
			num = strconv.AppendInt(f.buf[:0], f.int(0, i), 10)
		case t.IsFloat():
			var ok bool
			if num, format, ok = floatForFormat(f.buf[:0], f.float(0, i), t.Kind, format); !ok {
				num = append(num, nan...)
			}
			minus = f.float(0, i) < 0
		default:
			num = append(f.buf[:0], f.str(0, i)...)
		}
		f.buf = num
		dst, err := format.format(f.begin(), num, minus)
		if err != nil {
			f.fail(i, err)
			return
		}
		f.end(i, dst)
	}
}

// floatForFormat is a float with as many digits as it has: 15, or 6 of REAL. Digits behind the point beyond those are not shown.
func floatForFormat(dst []byte, x float64, k types.Kind, t *numFormat) ([]byte, *numFormat, bool) {
	if x != x || isInf(x) {
		return dst, t, false
	}
	limit := 15
	if k == types.Float4 {
		limit = 6
	}
	if t.exponent {
		s, err := types.ParseNumeric(strconv.FormatFloat(x, 'e', t.post, 64))
		return append(dst, s...), t, err == nil
	}
	whole := len(strconv.FormatFloat(max(x, -x), 'f', 0, 64))
	if whole+t.post > limit {
		short := *t
		short.post = max(limit-whole, 0)
		t = &short
	}
	s, err := types.ParseNumeric(strconv.FormatFloat(x, 'f', t.post, 64))
	return append(dst, s...), t, err == nil
}
