package expr

import (
	"fmt"
	"strconv"
	"strings"

	"rhumb/types"
)

// testParser reads the expressions of the tests. It is as small as they allow; the real parser may not be imported here.
type testParser struct {
	toks []token
	pos  int
	cols []*Column
}

type token struct {
	kind byte // i identifier, s string, n number, o operator, e end
	text string
}

func lex(s string) []token {
	var out []token
	for i := 0; i < len(s); {
		c := s[i]
		j := i + 1
		switch {
		case c == ' ' || c == '\t':
			i++
			continue
		case c == '\'' || (c == 'E' || c == 'e') && strings.HasPrefix(s[i+1:], "'"):
			esc := c != '\''
			if esc {
				j++
			}
			var b strings.Builder
			for ; j < len(s); j++ {
				if s[j] == '\'' {
					if j+1 < len(s) && s[j+1] == '\'' {
						j++
					} else {
						break
					}
				} else if esc && s[j] == '\\' {
					j++
					switch s[j] {
					case 'n':
						b.WriteByte('\n')
						continue
					case 't':
						b.WriteByte('\t')
						continue
					}
				}
				b.WriteByte(s[j])
			}
			out = append(out, token{'s', b.String()})
			i = j + 1
			continue
		case c == '"':
			for s[j] != '"' {
				j++
			}
			out = append(out, token{'i', s[i+1 : j]})
			i = j + 1
			continue
		case c >= '0' && c <= '9' || c == '.' && j < len(s) && s[j] >= '0' && s[j] <= '9':
			for j < len(s) && (s[j] >= '0' && s[j] <= '9' || s[j] == '.' || s[j] == 'e' || s[j] == 'E' ||
				(s[j] == '-' || s[j] == '+') && (s[j-1] == 'e' || s[j-1] == 'E')) {
				j++
			}
			out = append(out, token{'n', s[i:j]})
		case isWordByte(c):
			for j < len(s) && isWordByte(s[j]) {
				j++
			}
			out = append(out, token{'i', strings.ToLower(s[i:j])})
		case strings.IndexByte("()[],", c) >= 0:
			out = append(out, token{'o', s[i:j]})
		case c == ':':
			j++
			out = append(out, token{'o', "::"})
		default:
			for j < len(s) && strings.IndexByte("+-*/<>=~!@#%^&|?", s[j]) >= 0 {
				j++
			}
			// As in Postgres, an operator does not end in + or - unless it has one of the other characters.
			for j > i+1 && (s[j-1] == '-' || s[j-1] == '+') && !strings.ContainsAny(s[i:j], "~!@#%^&|?") {
				j--
			}
			out = append(out, token{'o', s[i:j]})
		}
		i = j
	}
	return append(out, token{'e', ""}, token{'e', ""}, token{'e', ""})
}

func parseExpr(s string, cols ...*Column) (e Expr, err error) {
	p := &testParser{toks: lex(s), cols: cols}
	defer func() {
		if r := recover(); r != nil {
			var ok bool
			if err, ok = r.(error); !ok {
				panic(r)
			}
		}
	}()
	e = p.expr(0)
	if p.peek().kind != 'e' {
		return nil, fmt.Errorf("unexpected %q in %s", p.peek().text, s)
	}
	return e, nil
}

func (p *testParser) peek() token { return p.toks[p.pos] }
func (p *testParser) next() token { p.pos++; return p.toks[p.pos-1] }
func (p *testParser) accept(words ...string) bool {
	for i, w := range words {
		if t := p.toks[min(p.pos+i, len(p.toks)-1)]; t.text != w || t.kind == 's' {
			return false
		}
	}
	p.pos += len(words)
	return true
}
func (p *testParser) expect(w string) {
	if !p.accept(w) {
		panic(fmt.Errorf("expected %q, got %q", w, p.peek().text))
	}
}

func must(e Expr, err error) Expr {
	if err != nil {
		panic(err)
	}
	return e
}

const (
	precOr = iota + 1
	precAnd
	precNot
	precIs
	precCompare
	precIn
	precOther
	precAdd
	precMul
	precPow
	precZone
	precUnary
)

func binaryPrec(t token) int {
	if t.kind == 'i' {
		switch t.text {
		case "or":
			return precOr
		case "and":
			return precAnd
		case "is":
			return precIs
		case "in", "like", "ilike", "between", "similar", "not":
			return precIn
		case "at":
			return precZone
		}
		return 0
	}
	if t.kind != 'o' {
		return 0
	}
	switch t.text {
	case ")", "]", ",", "(", "[", "::":
		return 0
	case "<", ">", "=", "<=", ">=", "<>", "!=":
		return precCompare
	case "+", "-":
		return precAdd
	case "*", "/", "%":
		return precMul
	case "^":
		return precPow
	}
	return precOther
}

func (p *testParser) expr(min int) Expr {
	l := p.unary()
	for {
		t := p.peek()
		prec := binaryPrec(t)
		if prec == 0 || prec <= min {
			return l
		}
		p.next()
		l = p.binary(l, t, prec)
	}
}

func (p *testParser) binary(l Expr, t token, prec int) Expr {
	switch t.text {
	case "or":
		return NewOr(l, p.expr(prec))
	case "and":
		return NewAnd(l, p.expr(prec))
	case "is":
		return p.is(l)
	case "at":
		p.expect("time")
		p.expect("zone")
		return must(NewCall("timezone", []Expr{p.expr(prec), l}, 0))
	}
	if t.kind == 'i' {
		not := t.text == "not"
		if not {
			t = p.next()
		}
		e := p.predicate(l, t.text, prec)
		if not {
			return NewNot(e)
		}
		return e
	}
	for _, word := range []string{"any", "all"} {
		if p.accept(word, "(") {
			e := must(NewQuantified(t.text, word == "all", l, p.expr(0), 0))
			p.expect(")")
			return e
		}
	}
	return must(NewCall(t.text, []Expr{l, p.expr(prec)}, 0))
}

func (p *testParser) predicate(l Expr, word string, prec int) Expr {
	switch word {
	case "in":
		p.expect("(")
		return must(NewIn(l, p.list(")"), 0))
	case "between":
		lo := p.expr(precIn)
		p.expect("and")
		hi := p.expr(precIn)
		return NewAnd(must(NewCall(">=", []Expr{l, lo}, 0)), must(NewCall("<=", []Expr{l, hi}, 0)))
	case "similar":
		p.expect("to")
		args := []Expr{p.expr(prec)}
		if p.accept("escape") {
			args = append(args, p.expr(prec))
		}
		return must(NewCall("~", []Expr{l, must(NewCall("similar_to_escape", args, 0))}, 0))
	}
	for _, quantifier := range []string{"any", "all"} {
		if p.accept(quantifier, "(") {
			e := must(NewQuantified(word, quantifier == "all", l, p.expr(0), 0))
			p.expect(")")
			return e
		}
	}
	args := []Expr{l, p.expr(prec)}
	if p.accept("escape") {
		args = append(args, p.expr(prec))
	}
	return must(NewCall(word, args, 0))
}

func (p *testParser) is(l Expr) Expr {
	not := p.accept("not")
	if p.accept("distinct", "from") {
		return must(NewIsDistinct(l, p.expr(precIs), not, 0))
	}
	if p.accept("null") {
		return NewIsNull(l, not)
	}
	return must(NewIsBool(l, p.next().text, not))
}

func (p *testParser) list(end string) []Expr {
	var out []Expr
	for !p.accept(end) {
		if len(out) > 0 {
			p.expect(",")
		}
		out = append(out, p.expr(0))
	}
	return out
}

func (p *testParser) unary() Expr {
	switch {
	case p.accept("not"):
		return NewNot(p.expr(precNot))
	case p.peek().text == "-" && p.peek().kind == 'o' && p.toks[p.pos+1].kind == 'n' && p.toks[p.pos+2].text != "::":
		// A sign belongs to the number, so that -2147483648 is an integer.
		p.pos += 2
		p.toks[p.pos-1].text = "-" + p.toks[p.pos-1].text
		p.pos--
	case p.accept("-"):
		return must(NewCall("-", []Expr{p.expr(precUnary)}, 0))
	case p.accept("+"):
		return must(NewCall("+", []Expr{p.expr(precUnary)}, 0))
	case p.accept("~"):
		return must(NewCall("~", []Expr{p.expr(precOther)}, 0))
	}
	e := p.primary()
	for {
		switch {
		case p.accept("::"):
			e = must(NewCast(e, p.typeName(), 0))
		case p.accept("["):
			e = must(NewSubscript(e, p.expr(0), 0))
			p.expect("]")
		default:
			return e
		}
	}
}

// typeName reads the longest type name.
func (p *testParser) typeName() types.Type {
	best, bestAt := types.Type{}, -1
	name := ""
	for i := p.pos; p.toks[i].kind == 'i'; i++ {
		name = strings.TrimSpace(name + " " + p.toks[i].text)
		if t, ok := types.ParseType(name); ok {
			best, bestAt = t, i
		}
	}
	if bestAt < 0 {
		panic(fmt.Errorf("no type %q", p.peek().text))
	}
	p.pos = bestAt + 1
	if p.peek().text == "(" && (best.Kind == types.Text || best.Kind == types.Numeric) {
		p.next()
		mod := p.list(")")
		best.Mod = int32(mod[0].(*Const).Value.I)
		if len(mod) > 1 {
			best.Scale = int32(mod[1].(*Const).Value.I)
		}
	}
	if p.accept("[", "]") {
		best = types.ArrayOf(best.Kind)
	}
	return best
}

func (p *testParser) number(s string) Expr {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n != int64(int32(n)) {
			return &Const{types.IntValue(types.Int8, n)}
		}
		return &Const{types.IntValue(types.Int4, n)}
	}
	v, err := types.ParseValue(tNumeric, s, nil)
	if err != nil {
		panic(error(err))
	}
	return &Const{v}
}

func (p *testParser) primary() Expr {
	t := p.next()
	switch t.kind {
	case 's':
		return &Const{types.Value{Type: tUnknown, S: t.text}}
	case 'n':
		return p.number(t.text)
	}
	switch {
	case t.text == "(":
		e := p.expr(0)
		p.expect(")")
		return e
	case t.kind != 'i':
		panic(fmt.Errorf("unexpected %q", t.text))
	case t.text == "null":
		return &Const{types.NullOf(tUnknown)}
	case t.text == "true" || t.text == "false":
		return &Const{types.BoolValue(t.text == "true")}
	case t.text == "case":
		return p.caseExpr()
	case t.text == "array" && p.accept("["):
		return must(NewArray(p.list("]"), 0))
	case p.peek().text == "(" && p.peek().kind == 'o':
		p.next()
		return p.call(t.text)
	case p.peek().kind == 's':
		p.pos--
		to := p.typeName()
		return must(NewCast(&Const{types.Value{Type: tUnknown, S: p.next().text}}, to, 0))
	}
	for _, c := range p.cols {
		if c.Name == t.text {
			return c
		}
	}
	return must(NewCall(t.text, nil, 0))
}

func (p *testParser) caseExpr() Expr {
	var whens []When
	var els, arg Expr
	if p.peek().text != "when" {
		arg = p.expr(0)
	}
	for p.accept("when") {
		cond := p.expr(0)
		if arg != nil {
			cond = must(NewCall("=", []Expr{arg, cond}, 0))
		}
		p.expect("then")
		whens = append(whens, When{cond, p.expr(0)})
	}
	if p.accept("else") {
		els = p.expr(0)
	}
	p.expect("end")
	return must(NewCase(whens, els, 0))
}

// call reads the arguments of a function, in the SQL standard's forms too.
func (p *testParser) call(name string) Expr {
	switch name {
	case "coalesce":
		return must(NewCoalesce(p.list(")"), 0))
	case "cast":
		e := p.expr(0)
		p.expect("as")
		e = must(NewCast(e, p.typeName(), 0))
		p.expect(")")
		return e
	case "extract":
		field := p.next().text
		p.expect("from")
		e := p.expr(0)
		p.expect(")")
		return must(NewCall("extract", []Expr{&Const{types.TextValue(field)}, e}, 0))
	case "position":
		a := p.expr(precIn)
		p.expect("in")
		b := p.expr(0)
		p.expect(")")
		return must(NewCall("position", []Expr{a, b}, 0))
	}
	var args []Expr
	for !p.accept(")") {
		for len(args) > 0 && !p.accept(",") && !p.accept("from") && !p.accept("for") && !p.accept("placing") {
			panic(fmt.Errorf("expected , got %q", p.peek().text))
		}
		args = append(args, p.expr(0))
	}
	if f := lookup(name); f != nil && f.Kind == SetReturning {
		return must(NewSetReturning(name, args, 0))
	}
	return must(NewCall(name, args, 0))
}
