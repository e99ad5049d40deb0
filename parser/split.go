package parser

import (
	"strings"
	"unicode/utf8"

	tidb "github.com/pingcap/tidb/pkg/parser"

	"rhumb/types"
)

// Piece is one statement of a script, not parsed.
type Piece struct {
	Text  string // without the semicolon and the space and comments around it
	Start Pos    // where Text begins in the script
	// Open says what keeps the last piece from being complete: ' " /* a dollar quote or ( that is not closed, or ";" when only the
	// semicolon is missing. "" = the statement ends with a semicolon.
	Open string
}

// Split cuts a script at the semicolons outside of strings, quoted names, comments and parentheses. Pieces without a token are left out,
// but for one that ends in an open comment. It parses nothing; a prompt uses it to know whether a statement is complete. The error is
// about the text as a whole: encoding, size, or a character that no statement may have; its Pos is in the script.
func Split(script string) ([]Piece, error) {
	s := scanner{lex: lexer{src: script}}
	if err := checkText(script); err != nil {
		return nil, err
	}
	var pieces []Piece
	for {
		st, err := s.statement()
		switch {
		case err != nil && s.lex.open != "":
			rest := strings.TrimSpace(script[st.start:])
			return append(pieces, Piece{rest, strings.LastIndex(script, rest) + 1, s.lex.open}), nil
		case err != nil:
			return nil, err
		case st == nil:
			return pieces, nil
		}
		pieces = append(pieces, Piece{st.text(script), st.start + 1, st.open})
	}
}

// Parse reads a script: statements separated by semicolons. Statements without a token yield nothing. Positions in the trees count from
// the beginning of Parsed.Text; the position of the error, which is a *types.Error, counts from the beginning of the script. At the first
// error nothing is returned.
func Parse(script string) ([]Parsed, error) {
	if err := checkText(script); err != nil {
		return nil, err
	}
	s := scanner{lex: lexer{src: script}}
	var out []Parsed
	var shared *tidb.Parser
	for {
		st, err := s.statement()
		if err != nil {
			return nil, err
		}
		if st == nil {
			return out, nil
		}
		text := st.text(script)
		p := &parser{src: text, toks: st.toks, tidb: shared}
		parsed := Parsed{Text: text, Start: st.start + 1}
		err = guard(func() {
			parsed.Stmt = p.statement()
			p.end()
		})
		shared = p.tidb
		if err != nil {
			err.Pos += st.start
			return nil, err
		}
		parsed.Canonical = canonical(st.toks[:len(st.toks)-1])
		out = append(out, parsed)
	}
}

// ParseExpr reads one expression, as the catalog keeps them as text. Positions count from the beginning of text.
func ParseExpr(text string) (Expr, error) {
	if err := checkText(text); err != nil {
		return nil, err
	}
	s := scanner{lex: lexer{src: text}, single: true}
	st, err := s.statement()
	if err != nil {
		return nil, err
	}
	if st == nil {
		return nil, types.Errorf(types.CodeSyntax, "syntax error at end of input").At(len(text) + 1).WithDetail("Expected an expression.")
	}
	p := &parser{src: text[:st.end], toks: st.toks}
	for i := range p.toks {
		p.toks[i].pos += st.start
		p.toks[i].end += st.start
	}
	var e Expr
	err = guard(func() {
		e = p.expr()
		p.end()
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// end fails unless everything has been read.
func (p *parser) end() {
	if p.peek().kind != tEOF {
		p.unexpected("")
	}
	if len(p.windows) > 0 {
		w := p.windows[0].spec
		fail(types.Errorf(types.CodeUndefinedObject, "window %q does not exist", w.Name).At(w.Pos))
	}
}

// checkText refuses what is no text.
func checkText(s string) error {
	if i := strings.IndexByte(s, 0); i >= 0 {
		return errAt(i, types.CodeCharNotInRepertoire, `invalid byte sequence for encoding "UTF8": 0x00`)
	}
	if utf8.ValidString(s) {
		return nil
	}
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			return errAt(i, types.CodeCharNotInRepertoire, `invalid byte sequence for encoding "UTF8": 0x%02x`, s[i])
		}
		i += n
	}
	return nil
}

// scanner cuts a script into statements of tokens.
type scanner struct {
	lex    lexer
	single bool // the text is one statement: semicolons do not end it
}

// statementTokens is one statement of a script; toks count from start and end with one of kind tEOF.
type statementTokens struct {
	start, end int // 0-based offsets in the script
	toks       []token
	open       string // as Piece.Open
}

func (st *statementTokens) text(script string) string { return script[st.start:st.end] }

// statement returns the next statement that has a token, or nil. After an error st.start is where the faulty statement begins.
func (s *scanner) statement() (st *statementTokens, err *types.Error) {
	st = &statementTokens{start: len(s.lex.src), open: ";"}
	var stack []int
	for {
		if len(st.toks) == 0 {
			st.start = s.lex.off
		}
		t, err := s.lex.next()
		if err != nil {
			if len(st.toks) == 0 && s.lex.open != "/*" {
				st.start = max(st.start, err.Pos-1)
			}
			return st, err
		}
		if t.kind == tEOF && len(st.toks) == 0 {
			return nil, nil
		}
		if end := t.is(";") && len(stack) == 0 && !s.single; end && len(st.toks) == 0 {
			continue
		} else if end {
			st.open = ""
			break
		}
		if t.kind == tEOF {
			break
		}
		if len(st.toks) == 0 {
			st.start = t.pos
		}
		if t.end-st.start > maxStatement {
			return st, errAt(st.start, types.CodeProgramLimit, "statement is longer than %d bytes", maxStatement).WithHint("split it, or keep its data in a stream or table")
		}
		t.pos -= st.start
		t.end -= st.start
		if stack, err = st.bracket(&t, stack); err != nil {
			return st, err
		}
		st.toks = append(st.toks, t)
	}
	if len(stack) > 0 {
		st.open = "("
	}
	last := st.toks[len(st.toks)-1].end
	st.end = st.start + last
	st.toks = append(st.toks, token{pos: last, end: last, match: -1})
	return st, nil
}

// bracket matches parentheses and brackets; stack holds the indexes of those that are open.
func (st *statementTokens) bracket(t *token, stack []int) ([]int, *types.Error) {
	if t.kind != tPunct {
		return stack, nil
	}
	here := len(st.toks)
	switch t.text {
	case "(", "[":
		if len(stack) >= maxNesting {
			return stack, tooDeep(st.start + t.pos)
		}
		return append(stack, here), nil
	case ")", "]":
		if len(stack) == 0 {
			return stack, nil
		}
		open := &st.toks[stack[len(stack)-1]]
		if open.text == "(" != (t.text == ")") {
			return stack, nil // the parser meets it as an error
		}
		t.match, open.match = stack[len(stack)-1], here
		return stack[:len(stack)-1], nil
	}
	return stack, nil
}

// canonical writes tokens in one way: one space between them where they do not cling together, words in lower case, no comments.
func canonical(toks []token) string {
	var sb strings.Builder
	for i := range toks {
		t := &toks[i]
		if i > 0 && !clings(&toks[i-1], t) {
			sb.WriteByte(' ')
		}
		switch {
		case t.kind == tString:
			sb.WriteString(quoteString(t.text))
		case t.kind == tParam:
			sb.WriteString("$" + t.text)
		case t.quoted && keywords[t.text].class == kwNone && !contextual(t.text):
			sb.WriteString(Quote(t.text))
		case t.quoted:
			sb.WriteString(`"` + strings.ReplaceAll(t.text, `"`, `""`) + `"`)
		default:
			sb.WriteString(t.text)
		}
	}
	return sb.String()
}

// clings reports whether b follows a without space.
func clings(a, b *token) bool {
	switch {
	case a.is("("), a.is("["), a.is("."), a.is("::"), b.is(")"), b.is("]"), b.is("."), b.is("::"), b.is(","):
		return true
	case b.is("("), b.is("["):
		return a.kind == tIdent && a.class != kwReserved
	}
	return false
}
