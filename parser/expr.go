package parser

import (
	"strconv"
	"strings"

	"rhumb/types"
)

// Binding powers of operators, lowest first: the order of the %left, %right and %nonassoc lines of Postgres's gram.y.
const (
	precNone = iota
	precOr
	precAnd
	precNot
	precIs    // IS, ISNULL, NOTNULL; not associative
	precCmp   // < > = <= >= <>; not associative
	precLike  // BETWEEN, IN, LIKE, ILIKE, SIMILAR; not associative
	precOther // any other operator, also when it is a prefix
	precAdd
	precMul
	precPow
	precAt
	precCollate
	precUnary
	precCast
)

// expr reads an expression (Postgres's a_expr).
func (p *parser) expr() Expr { return p.checked(p.binary(precNone, false)) }

// restricted reads an expression in which AND, OR, NOT, IS NULL, IN, LIKE and BETWEEN need parentheses (Postgres's b_expr).
func (p *parser) restricted() Expr { return p.checked(p.binary(precNone, true)) }

// checked refuses a tree that visitors could not walk comfortably.
func (p *parser) checked(e Expr) Expr {
	if height(e) > maxChain {
		fail(types.Errorf(types.CodeTooComplex, "expression is too complex: more than %d operators in a chain", maxChain).At(e.Position()).
			WithHint("parenthesise parts of the chain"))
	}
	return e
}

// exprs reads a comma-separated list.
func (p *parser) exprs(what string) []Expr {
	list := []Expr{p.expr()}
	for p.accept(",") {
		list = append(list, p.expr())
		p.checkList(len(list), what, p.peek())
	}
	return list
}

// binary reads operators that bind at least as tightly as lowest (precedence climbing). bexpr leaves out what restricted does.
func (p *parser) binary(lowest int, bexpr bool) Expr {
	left := p.prefix(bexpr)
	closed := precNone // the level of the last operator, if it is not associative and ended with an operand
	for {
		prec := p.infix(bexpr)
		if prec == precNone || prec < lowest {
			return left
		}
		if prec == closed {
			fail(p.syntaxError(p.i, "").WithHint("operators of this kind do not chain: write AND between two comparisons, or parentheses"))
		}
		closed = precNone
		switch prec {
		case precOr, precAnd:
			left = p.logical(left, prec)
		case precIs:
			left, closed = p.is(left, bexpr)
		case precLike:
			left, closed = p.predicate(left)
		case precAt:
			t := p.take()
			p.i += 2
			left = &Binary{Op: "at time zone", L: left, R: p.binary(precAt+1, bexpr), Pos: t.pos + 1}
		case precCollate:
			p.collate()
		case precCast:
			t := p.take()
			left = &Cast{Arg: left, Type: p.typeName(), Pos: t.pos + 1}
		default:
			left, closed = p.operator(left, prec, bexpr)
		}
	}
}

// infix is the binding power of the next token after an operand, or precNone if it does not continue an expression.
func (p *parser) infix(bexpr bool) int {
	t := p.peek()
	switch t.kind {
	case tOp:
		return opPrec(t.text)
	case tPunct:
		if t.text == "::" {
			return precCast
		}
	case tIdent:
		if !t.quoted {
			return p.wordPrec(t, bexpr)
		}
	}
	return precNone
}

func opPrec(op string) int {
	switch op {
	case "<", ">", "=", "<=", ">=", "<>":
		return precCmp
	case "+", "-":
		return precAdd
	case "*", "/", "%":
		return precMul
	case "^":
		return precPow
	}
	return precOther
}

// wordPrec is infix for keywords.
func (p *parser) wordPrec(t *token, bexpr bool) int {
	switch t.text {
	case "operator":
		if p.ahead(1).is("(") {
			return precOther
		}
		return precNone
	case "is":
		if bexpr && !p.next("is", "distinct") && !p.next("is", "not", "distinct") {
			return precNone
		}
		return precIs
	}
	if bexpr {
		return precNone
	}
	switch t.text {
	case "or":
		return precOr
	case "and":
		return precAnd
	case "isnull", "notnull":
		return precIs
	case "between", "in", "like", "ilike", "similar", "overlaps":
		return precLike
	case "not":
		switch p.ahead(1).text {
		case "between", "in", "like", "ilike", "similar":
			return precLike
		}
	case "at":
		if p.next("at", "time", "zone") {
			return precAt
		}
	case "collate":
		return precCollate
	}
	return precNone
}

// logical reads the rest of a chain of AND or of OR. A long chain becomes a balanced tree, so that its height is no problem for those who
// walk it; both are associative, so it means the same.
func (p *parser) logical(left Expr, prec int) Expr {
	op := "and"
	if prec == precOr {
		op = "or"
	}
	operands, at := []Expr{left}, []Pos{0}
	for p.peek().is(op) {
		at = append(at, p.take().pos+1)
		operands = append(operands, p.binary(prec+1, false))
	}
	const leftDeep = 32
	if len(operands) > leftDeep {
		return balanced(op, operands, at)
	}
	for n, e := range operands[1:] {
		left = &Binary{Op: op, L: left, R: e, Pos: at[n+1]}
	}
	return left
}

func balanced(op string, operands []Expr, at []Pos) Expr {
	if len(operands) == 1 {
		return operands[0]
	}
	mid := len(operands) / 2
	return &Binary{Op: op, L: balanced(op, operands[:mid], at[:mid]), R: balanced(op, operands[mid:], at[mid:]), Pos: at[mid]}
}

// operator reads a symbolic operator or OPERATOR(schema.op) and its right operand, or ANY/ALL.
func (p *parser) operator(left Expr, prec int, bexpr bool) (Expr, int) {
	op, pos := p.operatorName()
	if q := p.quantified(left, op, pos); q != nil {
		return q, precNone
	}
	e := &Binary{Op: op, L: left, R: p.binary(prec+1, bexpr), Pos: pos}
	if prec == precCmp {
		return e, precCmp
	}
	return e, precNone
}

// operatorName reads an operator.
func (p *parser) operatorName() (string, Pos) {
	t := p.take()
	if t.kind == tOp {
		if t.text == "==" {
			p.i--
			p.unexpected("")
		}
		return t.text, t.pos + 1
	}
	p.expect("(", "after OPERATOR")
	for p.peek().kind == tIdent {
		schema := p.take()
		if schema.text != "pg_catalog" {
			p.unsupported(schema, "an operator of another schema than pg_catalog", "")
		}
		p.expect(".", "after the schema of the operator")
	}
	op := p.peek()
	if op.kind != tOp {
		p.unexpected("an operator")
	}
	p.i++
	p.expect(")", "after the operator")
	return op.text, op.pos + 1
}

// quantified reads ANY (...), SOME (...) or ALL (...) after an operator; nil if none comes.
func (p *parser) quantified(left Expr, op string, pos Pos) Expr {
	if !p.oneOf("any", "some", "all") {
		return nil
	}
	q := &Quantified{Op: op, Arg: left, All: p.take().is("all"), Pos: pos}
	if !p.peek().is("(") {
		p.unexpected("an array or a query in parentheses")
	}
	if p.queryAt(p.i) {
		q.Query = p.subquery()
		return q
	}
	p.enter()
	defer p.leave()
	p.take()
	q.Array = p.binary(precNone, false)
	p.expect(")", "")
	return q
}

// is reads IS ..., ISNULL, NOTNULL.
func (p *parser) is(left Expr, bexpr bool) (Expr, int) {
	t := p.take()
	pos := t.pos + 1
	switch t.text {
	case "isnull":
		return &Is{Arg: left, What: "null", Pos: pos}, precNone
	case "notnull":
		return &Is{Arg: left, What: "null", Not: true, Pos: pos}, precNone
	}
	not := p.accept("not")
	switch w := p.peek(); {
	case p.oneOf("null", "true", "false", "unknown"):
		p.i++
		return &Is{Arg: left, What: w.text, Not: not, Pos: pos}, precNone
	case p.accept("distinct", "from"):
		op := "is distinct from"
		if not {
			op = "is not distinct from"
		}
		return &Binary{Op: op, L: left, R: p.binary(precIs+1, bexpr), Pos: pos}, precIs
	case p.oneOf("json", "document", "normalized", "nfc", "nfd", "nfkc", "nfkd", "of"):
		p.unsupported(w, "IS "+upper(w.text), "")
	}
	p.unexpected("NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM after IS")
	return nil, 0
}

// predicate reads [NOT] BETWEEN, IN, LIKE, ILIKE, SIMILAR TO, and OVERLAPS.
func (p *parser) predicate(left Expr) (Expr, int) {
	pos := p.peek().pos + 1
	not := p.accept("not")
	t := p.take()
	switch t.text {
	case "between":
		b := &Between{Arg: left, Not: not, Symmetric: p.accept("symmetric"), Pos: pos}
		if !b.Symmetric {
			p.accept("asymmetric")
		}
		b.Lo = p.binary(precNone, true)
		p.expect("and", "between the bounds of BETWEEN")
		b.Hi = p.binary(precLike+1, false)
		return b, precLike
	case "in":
		return p.in(left, not, pos), precNone
	case "similar":
		p.expect("to", "after SIMILAR")
		return p.similar(left, not, pos), precLike
	case "overlaps":
		return p.overlaps(left, pos), precNone
	}
	op := t.text
	if not {
		op = "not " + op
	}
	if q := p.quantified(left, op, pos); q != nil {
		return q, precNone
	}
	l := &Like{Arg: left, ILike: t.text == "ilike", Not: not, Pos: pos}
	l.Pattern, l.Escape = p.pattern()
	return l, precLike
}

// pattern reads the right side of LIKE and SIMILAR TO.
func (p *parser) pattern() (pattern, escape Expr) {
	pattern = p.binary(precLike+1, false)
	if p.accept("escape") {
		escape = p.binary(precLike+1, false)
	}
	return pattern, escape
}

// similar makes of x SIMILAR TO y what Postgres makes of it: x ~ similar_to_escape(y [, escape]).
func (p *parser) similar(left Expr, not bool, pos Pos) Expr {
	pattern, escape := p.pattern()
	op := "~"
	if not {
		op = "!~"
	}
	args := []Expr{pattern}
	if escape != nil {
		args = append(args, escape)
	}
	return &Binary{Op: op, L: left, R: call(pos, "similar_to_escape", args...), Pos: pos}
}

// overlaps reads (a, b) OVERLAPS (c, d), a function of four arguments.
func (p *parser) overlaps(left Expr, pos Pos) Expr {
	l, ok := left.(*Row)
	if !ok || len(l.Elems) != 2 {
		fail(types.Errorf(types.CodeSyntax, "wrong number of parameters on left side of OVERLAPS expression").At(pos))
	}
	at := p.peek()
	r, ok := p.prefix(false).(*Row)
	if !ok || len(r.Elems) != 2 {
		fail(errAt(at.pos, types.CodeSyntax, "wrong number of parameters on right side of OVERLAPS expression"))
	}
	return call(pos, "overlaps", append(l.Elems[:2:2], r.Elems...)...)
}

func (p *parser) in(left Expr, not bool, pos Pos) Expr {
	e := &In{Arg: left, Not: not, Pos: pos}
	if p.queryAt(p.i) {
		e.Query = p.subquery()
		return e
	}
	p.enter()
	defer p.leave()
	p.expect("(", "after IN")
	if p.peek().is(")") {
		p.unexpected("at least one value in the list of IN")
	}
	e.List = []Expr{p.binary(precNone, false)}
	for p.accept(",") {
		e.List = append(e.List, p.binary(precNone, false))
		p.checkList(len(e.List), "the list of IN", p.peek())
	}
	p.expect(")", "after the list of IN")
	return e
}

// collate reads COLLATE and the name of a collation that orders by bytes, which is how Rhumb orders text; it changes nothing.
func (p *parser) collate() {
	p.take()
	name := p.label("the name of a collation")
	if name.Name == "pg_catalog" && p.accept(".") {
		name = p.label("the name of a collation")
	}
	switch name.Name {
	case "C", "c", "POSIX", "posix", "default", "ucs_basic":
		return
	}
	fail(types.Errorf(types.CodeNotSupported, "collation %q is not supported", name.Name).At(name.Pos).WithHint(`text is ordered by its bytes: COLLATE "C"`))
}

// prefix reads an operand with its prefix operators.
func (p *parser) prefix(bexpr bool) Expr {
	t := p.peek()
	switch {
	case t.kind == tOp && (t.text == "-" || t.text == "+"):
		p.i++
		arg := p.nested(precUnary, bexpr)
		if lit, ok := arg.(*Literal); ok && t.text == "-" && types.T(lit.Kind).IsNumber() {
			return negated(lit, t.pos+1)
		}
		return &Unary{Op: t.text, Arg: arg, Pos: t.pos + 1}
	case t.kind == tOp && opPrec(t.text) == precOther && t.text != "==", t.is("operator") && p.ahead(1).is("("):
		op, pos := p.operatorName()
		return &Unary{Op: op, Arg: p.nested(precOther+1, bexpr), Pos: pos}
	case t.is("not") && !bexpr:
		p.i++
		return &Unary{Op: "not", Arg: p.nested(precNot, false), Pos: t.pos + 1}
	}
	return p.primary()
}

// nested reads the operand of a prefix operator.
func (p *parser) nested(lowest int, bexpr bool) Expr {
	p.enter()
	defer p.leave()
	return p.binary(lowest, bexpr)
}

// number makes a literal of digits, typed as Postgres does: integer if it fits, then bigint, then numeric.
func number(text string, pos Pos) *Literal {
	if !strings.ContainsAny(text, ".eE") {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			kind := types.Int8
			if int64(int32(n)) == n {
				kind = types.Int4
			}
			return &Literal{Kind: kind, Text: strconv.FormatInt(n, 10), Pos: pos}
		}
	}
	return &Literal{Kind: types.Numeric, Text: text, Pos: pos}
}

// negated applies a minus to a number literal, as Postgres does before typing it: -9223372036854775808 is a bigint.
func negated(lit *Literal, pos Pos) *Literal {
	if rest, negative := strings.CutPrefix(lit.Text, "-"); negative {
		return number(rest, pos)
	}
	return number("-"+lit.Text, pos)
}

func call(pos Pos, name string, args ...Expr) *Call {
	return &Call{Name: []Ident{{Name: name, Pos: pos}}, Args: args, Pos: pos}
}
