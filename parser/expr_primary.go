package parser

import (
	"strconv"

	"rhumb/types"
)

// primary reads an operand without operators (Postgres's c_expr).
func (p *parser) primary() Expr {
	t := p.peek()
	pos := t.pos + 1
	switch t.kind {
	case tNumber:
		p.i++
		return number(t.text, pos)
	case tString:
		p.i++
		return &Literal{Kind: types.Unknown, Text: t.text, Pos: pos}
	case tBits:
		p.unsupported(t, "a bit string", `bytes are written '\x1f'::bytea`)
	case tParam:
		p.i++
		n, err := strconv.Atoi(t.text)
		if err != nil || n < 1 || n > 65535 {
			fail(errAt(t.pos, "42P02", "there is no parameter $%s", clip(t.text)))
		}
		return p.indirection(&Param{Number: n, Pos: pos})
	case tPunct:
		if t.text == "(" {
			return p.parenthesised()
		}
	case tIdent:
		if t.quoted {
			return p.named()
		}
		if e := p.special(t); e != nil {
			return e
		}
		return p.named()
	}
	p.unexpected("an expression")
	return nil
}

// parenthesised reads (expression), (query), or a row (a, b); and what a dot picks from it.
func (p *parser) parenthesised() Expr {
	pos := p.peek().pos + 1
	if p.queryAt(p.i) {
		return p.indirection(&Subquery{Kind: "scalar", Query: p.subquery(), Pos: pos})
	}
	p.enter()
	defer p.leave()
	p.take()
	elems := []Expr{p.binary(precNone, false)}
	for p.accept(",") {
		elems = append(elems, p.binary(precNone, false))
		p.checkList(len(elems), "a row", p.peek())
	}
	p.expect(")", "")
	if len(elems) > 1 {
		return &Row{Elems: elems, Pos: pos}
	}
	return p.indirection(elems[0])
}

// indirection reads the [index], .name and .* that follow an operand of the kinds that may have them.
func (p *parser) indirection(e Expr) Expr {
	for {
		t := p.peek()
		switch {
		case t.is("["):
			e = p.subscript(e)
		case t.is("."):
			p.i++
			if p.accept("*") {
				return &Field{Arg: e, Star: true, Pos: t.pos + 1}
			}
			e = &Field{Arg: e, Name: p.label("the name of a field"), Pos: t.pos + 1}
		default:
			return e
		}
	}
}

// subscript reads [index].
func (p *parser) subscript(left Expr) Expr {
	t := p.take()
	p.enter()
	defer p.leave()
	if p.peek().is(":") {
		p.unsupported(p.peek(), "an array slice", "")
	}
	s := &Subscript{Arg: left, Index: p.binary(precNone, false), Pos: t.pos + 1}
	if p.peek().is(":") {
		p.unsupported(p.peek(), "an array slice", "")
	}
	p.expect("]", "after the subscript")
	return s
}

// special reads the constructs that begin with a keyword; nil if the word begins none here.
func (p *parser) special(t *token) Expr {
	pos := t.pos + 1
	if t.class == kwNone {
		return nil
	}
	switch t.text {
	case "null":
		p.i++
		return &Literal{Null: true, Pos: pos}
	case "true", "false":
		p.i++
		return &Literal{Kind: types.Bool, Text: t.text, Pos: pos}
	case "case":
		return p.caseExpr()
	case "cast":
		return p.cast()
	case "array":
		return p.array()
	case "current_date", "current_role", "current_user", "session_user", "user", "current_catalog":
		p.i++
		return call(pos, t.text)
	case "current_timestamp", "current_time", "localtime", "localtimestamp":
		p.i++
		if !p.accept("(") {
			return call(pos, t.text)
		}
		c := call(pos, t.text, p.restricted())
		p.expect(")", "")
		return c
	case "current_schema":
		if !p.ahead(1).is("(") {
			p.i++
			return call(pos, t.text)
		}
	}
	if p.ahead(1).is("(") {
		return p.specialCall(t)
	}
	return nil
}

// specialCall reads what looks like a call and has a syntax of its own; nil if it is an ordinary call.
func (p *parser) specialCall(t *token) Expr {
	pos := t.pos + 1
	switch t.text {
	case "exists":
		p.i++
		if !p.queryAt(p.i) {
			p.i++
			p.unexpected("a query after EXISTS (")
		}
		return &Subquery{Kind: "exists", Query: p.subquery(), Pos: pos}
	case "row":
		p.i += 2
		p.enter()
		defer p.leave()
		r := &Row{Pos: pos}
		if !p.peek().is(")") {
			r.Elems = p.exprs("a row")
		}
		p.expect(")", "after the row")
		return r
	case "extract", "substring", "position", "trim", "overlay":
		return p.functionSyntax(t)
	case "treat", "normalize", "collation", "xmlconcat", "xmlelement", "xmlexists", "xmlforest", "xmlparse", "xmlpi", "xmlroot", "xmlserialize":
		p.unsupported(t, upper(t.text), "")
	}
	return nil
}

// cast reads CAST(x AS type).
func (p *parser) cast() Expr {
	t := p.take()
	p.enter()
	defer p.leave()
	p.expect("(", "after CAST")
	c := &Cast{Arg: p.binary(precNone, false), Pos: t.pos + 1}
	p.expect("as", "and a type in CAST")
	c.Type = p.typeName()
	p.expect(")", "after the type of CAST")
	return c
}

// caseExpr reads CASE [x] WHEN ... END.
func (p *parser) caseExpr() Expr {
	c := &Case{Pos: p.take().pos + 1}
	p.enter()
	defer p.leave()
	if !p.peek().is("when") {
		c.Arg = p.binary(precNone, false)
	}
	for p.accept("when") {
		w := CaseWhen{Cond: p.binary(precNone, false)}
		p.expect("then", "after the condition of WHEN")
		w.Then = p.binary(precNone, false)
		c.Whens = append(c.Whens, w)
		p.checkList(len(c.Whens), "CASE", p.peek())
	}
	if c.Whens == nil {
		p.unexpected("WHEN")
	}
	if p.accept("else") {
		c.Else = p.binary(precNone, false)
	}
	p.expect("end", "of CASE")
	return c
}

// array reads ARRAY[...] or ARRAY(query).
func (p *parser) array() Expr {
	t := p.take()
	if p.queryAt(p.i) {
		return &Subquery{Kind: "array", Query: p.subquery(), Pos: t.pos + 1}
	}
	if !p.peek().is("[") {
		p.unexpected("[ or a query in parentheses after ARRAY")
	}
	a := p.elements()
	a.Pos = t.pos + 1
	return p.subscripts(a)
}

// elements reads [a, b] and [[a, b], [c, d]].
func (p *parser) elements() *ArrayLit {
	a := &ArrayLit{Pos: p.expect("[", "").pos + 1}
	p.enter()
	defer p.leave()
	if p.accept("]") {
		return a
	}
	for {
		if p.peek().is("[") {
			a.Elems = append(a.Elems, p.elements())
		} else {
			a.Elems = append(a.Elems, p.binary(precNone, false))
		}
		p.checkList(len(a.Elems), "an array", p.peek())
		if !p.accept(",") {
			p.expect("]", "or a comma")
			return a
		}
	}
}

// named reads what begins with a name: a column, a call, or type 'text'.
func (p *parser) named() Expr {
	t := p.peek()
	if p.typedLiteralAt() {
		return p.typedLiteral()
	}
	if !t.quoted {
		p.checkName(t)
	}
	ref := &ColumnRef{Parts: []Ident{p.take().ident()}, Pos: t.pos + 1}
	for p.peek().is(".") {
		p.i++
		if p.accept("*") {
			ref.Star = true
			return ref
		}
		ref.Parts = append(ref.Parts, p.label("a name or * after the dot"))
	}
	if p.peek().is("(") {
		return p.subscripts(p.call(ref))
	}
	return p.subscripts(ref)
}

// subscripts reads [index] ... after a column, a call or an array. Postgres wants parentheses around a call or array before it; clients
// of other engines do not.
func (p *parser) subscripts(e Expr) Expr {
	if p.peek().is("[") {
		return p.indirection(e)
	}
	return e
}

// checkName fails at a keyword that cannot begin a column or a call.
func (p *parser) checkName(t *token) {
	next := p.ahead(1)
	switch t.class {
	case kwReserved:
		if t.is("table") || t.is("select") || t.is("with") {
			fail(p.syntaxError(p.i, "an expression").WithHint("a query inside an expression stands in parentheses"))
		}
		p.unexpected("an expression")
	case kwTypeFunc:
		if !next.is("(") && !next.is(".") {
			p.unexpected("an expression")
		}
	case kwColumn:
		if next.is("(") && !isConditional(call(0, t.text)) {
			e := p.syntaxError(p.i+1, "")
			if kind, ok := types.ParseType(t.text); ok {
				e.WithHint("to convert write CAST(x AS %s) or x::%[1]s", kind)
			}
			fail(e)
		}
	}
}
