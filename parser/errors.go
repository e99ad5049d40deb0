package parser

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"rhumb/types"
)

// clip shortens source text for a message.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	n := most
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}

// bail is how the parser leaves its recursion with an error; guard turns it into a return value. Nothing else is recovered.
type bail struct{ err *types.Error }

// fail stops parsing.
func fail(err *types.Error) { panic(bail{err}) }

// guard runs f and returns the error that it failed with.
func guard(f func()) (err *types.Error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case bail:
			err = r.err
		default:
			panic(r)
		}
	}()
	f()
	return nil
}

// syntaxError is "syntax error at or near" a token. expected says what could have stood there, "" if that is not known.
func (p *parser) syntaxError(i int, expected string) *types.Error {
	t := &p.toks[i]
	var e *types.Error
	if t.kind == tEOF {
		e = types.Errorf(types.CodeSyntax, "syntax error at end of input")
	} else {
		e = types.Errorf(types.CodeSyntax, `syntax error at or near "%s"`, clip(p.src[t.pos:t.end]))
	}
	e.At(t.pos + 1)
	if expected != "" {
		e.WithDetail("Expected %s.", expected)
	}
	if hint := p.slip(i, expected); hint != "" {
		e.WithHint("%s", hint)
	}
	return e
}

// slip recognises the common mistakes around the token that could not be read.
func (p *parser) slip(i int, expected string) string {
	t, prev, prev2 := &p.toks[i], &token{}, &token{}
	if i > 0 {
		prev = &p.toks[i-1]
	}
	if i > 1 {
		prev2 = &p.toks[i-2]
	}
	if t.is(")") && t.match < 0 {
		return "there is no ( for this )"
	}
	if open := p.unclosed(); open >= 0 && (t.kind == tEOF || t.is(";") || open < i) {
		return "the " + p.toks[open].text + " at " + p.place(open) + " is not closed"
	}
	switch {
	case t.is(",") && (prev.is(",") || prev.is("select")), prev.is(",") && startsClause(t), prev.is(",") && (t.is(")") || t.kind == tEOF):
		return "one comma too many"
	case t.is("=") && prev.is("="), t.is("=="):
		return "equality is ="
	case t.kind == tIdent && t.quoted && (prev.is("like") || prev.is("ilike") || prev.is("interval") || prev.is("=") || prev.is("timestamp") || prev.is("date") || prev.is("path")):
		return `"..." is a name; text stands in '...'`
	case p.meantAsName(i):
		return reservedHint(t)
	case (prev.is("order") || prev.is("group")) && !t.is("by") && (prev2.is("select") || prev2.is(",")):
		return reservedHint(prev)
	case prev.is("emit"):
		return "EMIT is followed by ON WINDOW CLOSE, EARLY, EARLY ONCE, EVERY interval or CHANGES"
	case misspelled(prev) != "" && expected == "":
		return "did you mean " + misspelled(prev) + " before this?"
	case t.is("&") && prev.is("&"), t.is("&&"):
		return "logical and is AND"
	case expected == "" && (t.is("limit") || t.is("where") || t.is("group") || t.is("having") || t.is("order") || t.is("from")):
		return "the clauses stand in the order SELECT, FROM, WHERE, GROUP BY, HAVING, QUALIFY, ORDER BY, LIMIT, EMIT"
	case operandLike(t) && !t.is(")") && operandLike(prev) && i > 1:
		return "is a comma, an operator or a keyword missing before this?"
	}
	return ""
}

func reservedHint(t *token) string {
	return `"` + t.text + `" is a reserved word: as a name it is written ` + Quote(t.text)
}

// misspelled is the keyword of a clause that an identifier resembles, or "".
func misspelled(t *token) string {
	if t.kind != tIdent || t.quoted || len(t.text) < 3 || t.class == kwReserved {
		return ""
	}
	s := types.Suggest(t.text, []string{"from", "where", "group", "having", "order", "limit", "join", "union", "select", "qualify", "emit"})
	if s == "" || s == t.text || s[0] != t.text[0] {
		return ""
	}
	return upper(s)
}

// meantAsName reports whether token i is a reserved word where a name would make sense.
func (p *parser) meantAsName(i int) bool {
	t := &p.toks[i]
	if t.class != kwReserved || i == 0 || i+1 >= len(p.toks) {
		return false
	}
	switch t.text {
	case "not", "and", "or", "in", "case", "when", "then", "else", "any", "all", "some", "distinct", "select", "from", "where", "as":
		return false
	}
	prev, next := &p.toks[i-1], &p.toks[i+1]
	before := prev.is("select") || prev.is(",") || prev.is(".") || prev.is("(") || prev.is("as") || prev.is("by")
	return before && (next.is(",") || next.is(")") || next.is("from") || next.is("as") || next.is(".") || next.kind == tOp || next.kind == tEOF || next.kind == tIdent && prev.is("("))
}

// operandLike reports whether a token may be a value by itself.
func operandLike(t *token) bool {
	return t.kind == tString || t.kind == tNumber || t.kind == tParam || t.kind == tIdent && (t.quoted || t.class != kwReserved) || t.is(")")
}

func startsClause(t *token) bool {
	switch {
	case t.is("from"), t.is("where"), t.is("group"), t.is("having"), t.is("order"), t.is("limit"), t.is("offset"), t.is("fetch"),
		t.is("union"), t.is("except"), t.is("intersect"), t.is("window"), t.is("qualify"), t.is("as"):
		return true
	}
	return false
}

// unclosed is the index of the last bracket that is never closed, or -1.
func (p *parser) unclosed() int {
	for i := len(p.toks) - 1; i >= 0; i-- {
		if t := &p.toks[i]; t.match < 0 && (t.is("(") || t.is("[")) {
			return i
		}
	}
	return -1
}

// place names the line and column of a token, in characters.
func (p *parser) place(i int) string {
	line, col := lineCol(p.src, p.toks[i].pos)
	return "line " + strconv.Itoa(line) + ", column " + strconv.Itoa(col)
}

// lineCol finds the 1-based line and column, in characters, of a 0-based byte offset.
func lineCol(text string, off int) (line, col int) {
	before := text[:min(max(off, 0), len(text))]
	line = strings.Count(before, "\n") + 1
	return line, utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
}

// Caret shows an error as psql does: the message, the line of text with a caret under the position, then DETAIL and HINT. text is what
// err.Pos counts in. It ends without a line break.
func Caret(text string, err *types.Error) string {
	var sb strings.Builder
	sb.WriteString("ERROR:  " + err.Message)
	if err.Pos > 0 {
		writeCaret(&sb, text, min(err.Pos-1, len(text)))
	}
	if err.Detail != "" {
		sb.WriteString("\nDETAIL:  " + err.Detail)
	}
	if err.Hint != "" {
		sb.WriteString("\nHINT:  " + err.Hint)
	}
	return sb.String()
}

// writeCaret writes the line that holds off, cut to a width that a terminal shows, and the caret line.
func writeCaret(sb *strings.Builder, text string, off int) {
	const before, after = 50, 28
	start := strings.LastIndexAny(text[:off], "\n\r") + 1
	end := len(text)
	if n := strings.IndexAny(text[off:], "\n\r"); n >= 0 {
		end = off + n
	}
	left, right := []rune(plain(text[start:off])), []rune(plain(text[off:end]))
	prefix, suffix := "", ""
	if len(left) > before && len(left)+len(right) > before+after {
		left, prefix = left[len(left)-before+3:], "..."
	}
	if len(right) > after && len(left)+len(right) > before+after {
		right, suffix = right[:after-3], "..."
	}
	label := "\nLINE " + strconv.Itoa(strings.Count(text[:start], "\n")+1) + ": " + prefix
	sb.WriteString(label + string(left) + string(right) + suffix + "\n")
	sb.WriteString(strings.Repeat(" ", utf8.RuneCountInString(label)-1+width(left)) + "^")
}

// plain replaces what would move a terminal's cursor: a tab or control character takes one column.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// width is the number of columns that characters take: East Asian wide ones take two, combining ones none.
func width(rs []rune) int {
	n := 0
	for _, r := range rs {
		switch {
		case r >= 0x300 && r <= 0x36f || r == 0x200d || r >= 0xfe00 && r <= 0xfe0f:
		case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3, r >= 0xf900 && r <= 0xfaff,
			r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6, r >= 0x1f300 && r <= 0x1f64f, r >= 0x1f900 && r <= 0x1f9ff,
			r >= 0x20000 && r <= 0x3fffd:
			n += 2
		default:
			n++
		}
	}
	return n
}
