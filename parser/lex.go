package parser

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"rhumb/types"
)

type tokenKind uint8

const (
	tEOF    tokenKind = iota
	tIdent            // name or keyword
	tString           // '..', E'..', $$..$$; text is the value
	tBits             // B'..', X'..'
	tNumber           // text is as written
	tParam            // $n; text is n
	tOp               // an operator, also + - * / % ^ < > =
	tPunct            // ( ) [ ] , ; . : :: := => ..
)

// token is a lexical unit. Its offsets are 0-based and relative to the text that its list belongs to.
type token struct {
	kind     tokenKind
	quoted   bool    // a "quoted" identifier, never a keyword
	class    kwClass // of an identifier that is a keyword
	text     string
	pos, end int
	match    int // of ( and [ the index of the closing token, of ) and ] that of the opening one; -1 = none
}

// is reports whether the token is the keyword or symbol s.
func (t *token) is(s string) bool {
	return t.text == s && (t.kind == tIdent && !t.quoted || t.kind == tPunct || t.kind == tOp)
}

// lexer cuts SQL text into tokens by the rules of Postgres's scan.l with standard_conforming_strings on.
type lexer struct {
	src  string
	off  int
	open string // after an error: what was never closed: ' " /* or a dollar quote; "" = something else
}

// errAt makes a lexical error at a 0-based offset.
func errAt(off int, code, format string, args ...any) *types.Error {
	return types.Errorf(code, format, args...).At(off + 1)
}

func isIdentStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}
func isDigit(c byte) bool     { return c >= '0' && c <= '9' }
func isIdentCont(c byte) bool { return isIdentStart(c) || isDigit(c) || c == '$' }
func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}

const opChars = "~!@#^&|`?+-*/%<>="

// unterminated is the error for what began at start and never ends.
func (l *lexer) unterminated(start int, open, what, hint string) *types.Error {
	l.open = open
	return errAt(start, types.CodeSyntax, "unterminated %s at or near \"%s\"", what, clip(l.src[start:])).WithHint("%s", hint)
}

// at is the byte n places ahead, 0 at the end.
func (l *lexer) at(n int) byte {
	if l.off+n < len(l.src) {
		return l.src[l.off+n]
	}
	return 0
}

// skip passes over space and comments.
func (l *lexer) skip() *types.Error {
	for l.off < len(l.src) {
		switch c := l.src[l.off]; {
		case isSpace(c):
			l.off++
		case c == '-' && l.at(1) == '-':
			if n := strings.IndexAny(l.src[l.off:], "\n\r"); n >= 0 {
				l.off += n
			} else {
				l.off = len(l.src)
			}
		case c == '/' && l.at(1) == '*':
			if err := l.blockComment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

func (l *lexer) blockComment() *types.Error {
	start, depth := l.off, 0
	for l.off < len(l.src) {
		switch {
		case l.at(0) == '/' && l.at(1) == '*':
			depth++
			l.off += 2
		case l.at(0) == '*' && l.at(1) == '/':
			depth--
			l.off += 2
			if depth == 0 {
				return nil
			}
		default:
			l.off++
		}
	}
	return l.unterminated(start, "/*", "/* comment", "end it with */; comments nest")
}

// next returns the next token; at the end one of kind tEOF.
func (l *lexer) next() (token, *types.Error) {
	if err := l.skip(); err != nil {
		return token{}, err
	}
	t := token{pos: l.off, match: -1}
	if l.off == len(l.src) {
		t.end = l.off
		return t, nil
	}
	var err *types.Error
	switch c := l.src[l.off]; {
	case c == '\'':
		t.kind = tString
		t.text, err = l.stringChain(false)
	case (c == 'e' || c == 'E') && l.at(1) == '\'':
		l.off++
		t.kind = tString
		t.text, err = l.stringChain(true)
	case (c == 'n' || c == 'N') && l.at(1) == '\'':
		l.off++
		t.kind = tString
		t.text, err = l.stringChain(false)
	case strings.IndexByte("bBxX", c) >= 0 && l.at(1) == '\'':
		l.off++
		t.kind = tBits
		t.text, err = l.stringChain(false)
	case (c == 'u' || c == 'U') && l.at(1) == '&' && (l.at(2) == '\'' || l.at(2) == '"'):
		err = errAt(l.off, types.CodeNotSupported, "U& literals are not supported").WithHint(`write the character itself, or E'\uXXXX'`)
	case c == '"':
		t.kind, t.quoted = tIdent, true
		t.text, err = l.quotedIdent()
	case isIdentStart(c):
		err = l.ident(&t)
	case isDigit(c) || c == '.' && isDigit(l.at(1)):
		t.kind = tNumber
		t.text, err = l.number()
	case c == '$':
		err = l.dollar(&t)
	default:
		err = l.symbol(&t)
	}
	t.end = l.off
	return t, err
}

func (l *lexer) ident(t *token) *types.Error {
	start, upper := l.off, false
	for l.off < len(l.src) && isIdentCont(l.src[l.off]) {
		c := l.src[l.off]
		upper = upper || c >= 'A' && c <= 'Z'
		if c >= 0x80 {
			r, n := utf8.DecodeRuneInString(l.src[l.off:])
			if hint := lookalike(r); hint != "" {
				return errAt(l.off, types.CodeSyntax, "syntax error at or near \"%c\"", r).WithHint("%s", hint)
			}
			l.off += n - 1
		}
		l.off++
	}
	t.kind, t.text = tIdent, l.src[start:l.off]
	if upper {
		t.text = foldASCII(t.text)
	}
	t.class = keywords[t.text].class
	return nil
}

// lookalike says what to type in place of a character that word processors and web pages put for a plain one.
func lookalike(r rune) string {
	switch r {
	case '\u00a0', '\u2007', '\u202f', '\u200b', '\ufeff', '\u3000':
		return fmt.Sprintf("this is a no-break, wide or zero-width space (U+%04X): type a plain space", r)
	case '\u2018', '\u2019', '\u201a', '\u2032':
		return "this is a typographic quote: type '"
	case '\u201c', '\u201d', '\u201e', '\u2033':
		return `this is a typographic quote: type ' around text and " around names`
	case '\u2212', '\u2013', '\u2014':
		return "this is a typographic dash: type -"
	}
	return ""
}

// foldASCII folds as Postgres does in UTF-8: ASCII letters only.
func foldASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func (l *lexer) quotedIdent() (string, *types.Error) {
	start := l.off
	l.off++
	var sb strings.Builder
	for {
		n := strings.IndexByte(l.src[l.off:], '"')
		if n < 0 {
			l.off = len(l.src)
			return "", l.unterminated(start, `"`, "quoted identifier", `end it with "; write "" for a quote inside`)
		}
		sb.WriteString(l.src[l.off : l.off+n])
		l.off += n + 1
		if l.at(0) != '"' {
			break
		}
		sb.WriteByte('"')
		l.off++
	}
	if sb.Len() == 0 {
		return "", errAt(start, types.CodeSyntax, `zero-length delimited identifier at or near """"`).WithHint("an empty string is written ''")
	}
	return sb.String(), nil
}

// stringChain reads a quoted string and those that continue it: strings apart only by space with a line break are one.
func (l *lexer) stringChain(escapes bool) (string, *types.Error) {
	s, err := l.quotedString(escapes)
	for err == nil {
		save := l.off
		for l.off < len(l.src) && isSpace(l.src[l.off]) {
			l.off++
		}
		if l.at(0) != '\'' || !strings.ContainsAny(l.src[save:l.off], "\n\r") {
			l.off = save
			break
		}
		var more string
		more, err = l.quotedString(escapes)
		s += more
	}
	return s, err
}

func (l *lexer) quotedString(escapes bool) (string, *types.Error) {
	start := l.off
	l.off++
	var sb strings.Builder
	for l.off < len(l.src) {
		switch c := l.src[l.off]; {
		case c == '\'' && l.at(1) == '\'':
			sb.WriteByte('\'')
			l.off += 2
		case c == '\'':
			l.off++
			if !utf8.ValidString(sb.String()) || strings.IndexByte(sb.String(), 0) >= 0 {
				return "", errAt(start, types.CodeCharNotInRepertoire, `invalid byte sequence for encoding "UTF8" in an escape string`)
			}
			return sb.String(), nil
		case c == '\\' && escapes:
			if err := l.escape(&sb); err != nil {
				return "", err
			}
		default:
			sb.WriteByte(c)
			l.off++
		}
	}
	return "", l.unterminated(start, "'", "quoted string", "end it with '; write '' for a quote inside")
}

// escape reads one backslash escape of an E'..' string.
func (l *lexer) escape(sb *strings.Builder) *types.Error {
	start := l.off
	l.off++
	c := l.at(0)
	l.off = min(l.off+1, len(l.src))
	switch c {
	case 'b', 'f', 'n', 'r', 't', 'v':
		sb.WriteByte("\b\f\n\r\t\v"[strings.IndexByte("bfnrtv", c)])
	case 'u', 'U':
		n := 4
		if c == 'U' {
			n = 8
		}
		r, width := l.digits(16, n)
		if width < n || !utf8.ValidRune(rune(r)) || r == 0 || r > utf8.MaxRune {
			return errAt(start, types.CodeSyntax, "invalid Unicode escape").WithHint(`Unicode escapes are \uXXXX or \UXXXXXXXX`)
		}
		sb.WriteRune(rune(r))
	case 'x':
		if b, width := l.digits(16, 2); width > 0 {
			sb.WriteByte(byte(b))
		} else {
			sb.WriteByte('x')
		}
	case '0', '1', '2', '3', '4', '5', '6', '7':
		l.off--
		b, _ := l.digits(8, 3)
		sb.WriteByte(byte(b))
	case 0: // the end of the text: the caller finds the string unterminated
	default:
		sb.WriteByte(c)
	}
	return nil
}

// digits reads at most n digits of a base.
func (l *lexer) digits(base uint64, n int) (value uint64, width int) {
	for width < n {
		d := uint64(strings.IndexByte("0123456789abcdef", l.at(0)|0x20))
		if isDigit(l.at(0)) {
			d = uint64(l.at(0) - '0')
		}
		if d >= base {
			break
		}
		value = value*base + d
		width++
		l.off++
	}
	return value, width
}

func (l *lexer) number() (string, *types.Error) {
	start := l.off
	digits := func() {
		for isDigit(l.at(0)) {
			l.off++
		}
	}
	digits()
	if l.at(0) == '.' && l.at(1) != '.' {
		l.off++
		digits()
	}
	if c := l.at(0); c == 'e' || c == 'E' {
		n := 1
		if s := l.at(1); s == '+' || s == '-' {
			n = 2
		}
		if isDigit(l.at(n)) {
			l.off += n
			digits()
		}
	}
	if isIdentStart(l.at(0)) {
		for isIdentCont(l.at(0)) {
			l.off++
		}
		e := errAt(start, types.CodeSyntax, "trailing junk after numeric literal at or near %q", clip(l.src[start:l.off]))
		if strings.Contains(l.src[start:l.off], "_") {
			e.WithHint("write numbers without _")
		}
		return "", e
	}
	return l.src[start:l.off], nil
}

// dollar reads $n or a dollar-quoted string.
func (l *lexer) dollar(t *token) *types.Error {
	start := l.off
	if isDigit(l.at(1)) {
		l.off++
		for isDigit(l.at(0)) {
			l.off++
		}
		t.kind, t.text = tParam, l.src[start+1:l.off]
		if isIdentStart(l.at(0)) {
			return errAt(start, types.CodeSyntax, "trailing junk after parameter at or near %q", clip(l.src[start:l.off+1]))
		}
		return nil
	}
	n := 1
	for c := l.at(n); isIdentStart(c) || n > 1 && isDigit(c); c = l.at(n) {
		n++
	}
	if l.at(n) != '$' {
		return errAt(start, types.CodeSyntax, `syntax error at or near "$"`).WithHint("parameters are $1, $2, ...; dollar-quoted strings are $$...$$")
	}
	tag := l.src[start : start+n+1]
	body := start + n + 1
	end := strings.Index(l.src[body:], tag)
	if end < 0 {
		l.off = len(l.src)
		return l.unterminated(start, tag, "dollar-quoted string", "end it with "+tag)
	}
	t.kind, t.text = tString, l.src[body:body+end]
	l.off = body + end + len(tag)
	return nil
}

// symbol reads punctuation or an operator: the longest run of operator characters that holds no comment, without trailing + or -
// unless a character occurs in it that SQL's own operators do not have.
func (l *lexer) symbol(t *token) *types.Error {
	t.kind = tPunct
	c := l.src[l.off]
	two := ""
	if l.off+2 <= len(l.src) {
		two = l.src[l.off : l.off+2]
	}
	switch {
	case two == "::" || two == ":=" || two == "..":
		t.text = two
	case strings.IndexByte("()[],;.:", c) >= 0:
		t.text = l.src[l.off : l.off+1]
	case strings.IndexByte(opChars, c) >= 0:
		n := 1
		for strings.IndexByte(opChars, l.at(n)) >= 0 && l.off+n < len(l.src) {
			n++
		}
		op := l.src[l.off : l.off+n]
		for _, comment := range []string{"--", "/*"} {
			if i := strings.Index(op, comment); i >= 0 { // never 0: skip has passed over comments
				op = op[:i]
			}
		}
		for len(op) > 1 && (op[len(op)-1] == '+' || op[len(op)-1] == '-') && !strings.ContainsAny(op, "~!@#^&|`?%") {
			op = op[:len(op)-1]
		}
		t.kind, t.text = tOp, op
		l.off += len(op)
		switch op {
		case "=>":
			t.kind = tPunct
		case "!=":
			t.text = "<>"
		}
		return nil
	default:
		return errAt(l.off, types.CodeSyntax, "syntax error at or near \"%c\"", c)
	}
	l.off += len(t.text)
	return nil
}
