package parser

import (
	tidb "github.com/pingcap/tidb/pkg/parser"

	"rhumb/types"
)

// Limits that are checked before TiDB's parser sees anything.
const (
	maxStatement = 256 << 10 // bytes of one statement
	maxNesting   = 200       // brackets, CASE, prefix operators and queries inside each other
	maxChain     = 5000      // height of one expression's tree, which left-associative operators make as high as they are many
	maxList      = 10_000    // members of one list
	maxTables    = 1000      // members of one FROM, whose joins are a tree of that height
	maxSetOps    = 1000      // operands of a set operation, whose tree is of that height
)

// parser reads one statement. Errors leave it by fail; their positions are those of src.
type parser struct {
	src   string
	toks  []token // ends with one of kind tEOF
	i     int     // the next token
	depth int
	tidb  *tidb.Parser // made when first needed, for all statements of a script; it must not be shared between goroutines
	// windows are the OVER specifications of the SELECT being read that name a window of its WINDOW clause.
	windows []windowRef
}

func (p *parser) peek() *token { return &p.toks[p.i] }

// ahead is the token n places after the next one; past the end it is the last.
func (p *parser) ahead(n int) *token { return &p.toks[min(p.i+n, len(p.toks)-1)] }

// take returns the next token and passes over it; the end stays.
func (p *parser) take() *token {
	t := &p.toks[p.i]
	if t.kind != tEOF {
		p.i++
	}
	return t
}

// accept passes over the words (or symbols) if they come next, all of them.
func (p *parser) accept(words ...string) bool {
	if !p.next(words...) {
		return false
	}
	p.i += len(words)
	return true
}

// next reports whether the words come next.
func (p *parser) next(words ...string) bool {
	for n, w := range words {
		if !p.ahead(n).is(w) {
			return false
		}
	}
	return true
}

// oneOf reports whether the next token is one of the words.
func (p *parser) oneOf(words ...string) bool {
	for _, w := range words {
		if p.peek().is(w) {
			return true
		}
	}
	return false
}

// expect passes over a word or symbol that must come. context ends the sentence "Expected x ...".
func (p *parser) expect(word, context string) *token {
	if !p.peek().is(word) {
		shown := word
		if word[0] >= 'a' && word[0] <= 'z' {
			shown = upper(word)
		} else {
			shown = `"` + word + `"`
		}
		if context != "" {
			shown += " " + context
		}
		p.unexpected(shown)
	}
	return p.take()
}

// unexpected fails at the next token.
func (p *parser) unexpected(expected string) { fail(p.syntaxError(p.i, expected)) }

// unsupported fails because Rhumb does not have something of the language.
func (p *parser) unsupported(t *token, what, hint string) {
	e := types.Errorf(types.CodeNotSupported, "%s is not supported yet", what).At(t.pos + 1)
	if hint != "" {
		e.WithHint("%s", hint)
	}
	fail(e)
}

// enter counts a level of nesting; leave goes back.
func (p *parser) enter() {
	p.depth++
	if p.depth > maxNesting {
		fail(tooDeep(p.peek().pos))
	}
}
func (p *parser) leave() { p.depth-- }

func tooDeep(off int) *types.Error {
	return errAt(off, types.CodeTooComplex, "statement is nested too deeply").WithDetail("At most %d levels are read.", maxNesting).
		WithHint("move the inner parts into views or WITH queries")
}

// checkList fails when a list has grown too long; t is a token of its last member.
func (p *parser) checkList(n int, what string, t *token) {
	if n > maxList {
		fail(errAt(t.pos, types.CodeProgramLimit, "%s has more than %d members", what, maxList).WithHint("keep long lists in a table or stream and join it"))
	}
}

// isName reports whether a token may name a column or table.
func (t *token) isName() bool {
	return t.kind == tIdent && (t.quoted || t.class != kwReserved && t.class != kwTypeFunc)
}

// name reads an identifier that names a column, table or the like; what ends "Expected ...".
func (p *parser) name(what string) Ident {
	t := p.peek()
	if !t.isName() {
		p.unexpected(what)
	}
	p.i++
	return t.ident()
}

func (t *token) ident() Ident { return Ident{Name: t.text, Pos: t.pos + 1} }

// label reads any word: what follows a dot or AS.
func (p *parser) label(what string) Ident {
	t := p.peek()
	if t.kind != tIdent {
		p.unexpected(what)
	}
	p.i++
	return t.ident()
}

// names reads a parenthesised list of names.
func (p *parser) names(what string) []Ident {
	p.expect("(", "before "+what)
	ids := []Ident{p.name(what)}
	for p.accept(",") {
		ids = append(ids, p.name(what))
		p.checkList(len(ids), what, p.peek())
	}
	p.expect(")", "after "+what)
	return ids
}

// upper writes a keyword as messages show it.
func upper(word string) string {
	b := []byte(word)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}
