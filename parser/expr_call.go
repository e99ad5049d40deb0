package parser

import (
	"strings"

	"rhumb/types"
)

// call reads the arguments of a call and what may follow them.
func (p *parser) call(name *ColumnRef) Expr {
	c := &Call{Name: name.Parts, Pos: name.Pos}
	if len(c.Name) == 2 && c.Name[0].Name == "pg_catalog" {
		c.Name = c.Name[1:]
	}
	p.enter()
	defer p.leave()
	p.take()
	if p.peek().is(")") && isConditional(c) {
		p.unexpected("an expression")
	}
	p.arguments(c)
	if c.Name[0].Name == "nullif" && isConditional(c) && len(c.Args) != 2 {
		p.unexpected("two expressions in NULLIF")
	}
	p.expect(")", "or a comma after the arguments")
	p.suffixes(c)
	return c
}

// isConditional reports whether a call is one of those that Postgres's grammar has in place of functions.
func isConditional(c *Call) bool {
	if len(c.Name) > 1 {
		return false
	}
	switch c.Name[0].Name {
	case "coalesce", "greatest", "least", "nullif", "grouping":
		return true
	}
	return false
}

// arguments reads what stands between the parentheses of a call.
func (p *parser) arguments(c *Call) {
	if p.peek().is("*") && p.ahead(1).is(")") {
		p.i++
		c.Star = true
		return
	}
	if p.peek().is(")") {
		return
	}
	if p.accept("distinct") {
		c.Distinct = true
	} else {
		p.accept("all")
	}
	for {
		p.argument(c)
		p.checkList(len(c.Args), "a call", p.peek())
		if !p.accept(",") {
			break
		}
	}
	if p.next("order", "by") {
		c.OrderBy = p.orderBy()
	}
}

// argument reads x or name => x.
func (p *parser) argument(c *Call) {
	t := p.peek()
	if t.is("variadic") {
		p.unsupported(t, "VARIADIC", "")
	}
	if t.kind == tIdent && (p.ahead(1).is("=>") || p.ahead(1).is(":=")) {
		p.i += 2
		if c.ArgNames == nil {
			c.ArgNames = make([]string, len(c.Args))
		}
		c.Args, c.ArgNames = append(c.Args, p.binary(precNone, false)), append(c.ArgNames, t.text)
		return
	}
	if c.ArgNames != nil {
		fail(errAt(t.pos, types.CodeSyntax, "positional argument cannot follow named argument"))
	}
	c.Args = append(c.Args, p.binary(precNone, false))
}

// suffixes reads WITHIN GROUP, FILTER and OVER.
func (p *parser) suffixes(c *Call) {
	if p.accept("within", "group", "(") {
		t := p.peek()
		switch {
		case c.OrderBy != nil:
			fail(errAt(t.pos, types.CodeSyntax, "cannot use multiple ORDER BY clauses with WITHIN GROUP"))
		case c.Distinct:
			fail(errAt(t.pos, types.CodeSyntax, "cannot use DISTINCT with WITHIN GROUP"))
		case !p.next("order", "by"):
			p.unexpected("ORDER BY")
		}
		c.WithinGroup, c.OrderBy = true, p.orderBy()
		p.expect(")", "after WITHIN GROUP")
	}
	if p.accept("filter", "(") {
		p.expect("where", "in FILTER")
		c.Filter = p.binary(precNone, false)
		p.expect(")", "after FILTER")
	}
	if t := p.peek(); p.next("ignore", "nulls") || p.next("respect", "nulls") {
		p.unsupported(t, upper(t.text)+" NULLS", "")
	}
	if t := p.peek(); t.is("over") && (p.ahead(1).is("(") || p.ahead(1).isName()) {
		p.i++
		c.Over = p.over(t)
	}
}

// over reads what follows OVER: the name of a window, or its specification.
func (p *parser) over(t *token) *WindowSpec {
	var w *WindowSpec
	bare := !p.peek().is("(")
	if bare {
		w = &WindowSpec{Name: p.name("a window").Name}
	} else {
		w = p.window()
	}
	w.Pos = t.pos + 1
	if w.Name != "" {
		p.windows = append(p.windows, windowRef{w, bare})
	}
	return w
}

// window reads ([name] [PARTITION BY ...] [ORDER BY ...] [frame]).
func (p *parser) window() *WindowSpec {
	w := &WindowSpec{Pos: p.expect("(", "").pos + 1}
	p.enter()
	defer p.leave()
	if p.peek().isName() && !p.next("partition", "by") && !p.oneOf("rows", "range", "groups") {
		w.Name = p.name("").Name
	}
	if p.accept("partition", "by") {
		w.PartitionBy = p.exprs("PARTITION BY")
	}
	if p.next("order", "by") {
		w.OrderBy = p.orderBy()
	}
	if p.oneOf("rows", "range", "groups") {
		start := p.i
		p.frame()
		w.Frame = canonical(p.toks[start:p.i])
	}
	p.expect(")", "after the window")
	return w
}

// frame passes over a frame clause that is well formed.
func (p *parser) frame() {
	p.take()
	if p.accept("between") {
		p.frameBound()
		p.expect("and", "between the bounds of the frame")
	}
	p.frameBound()
	if p.accept("exclude") {
		switch {
		case p.accept("current", "row"), p.accept("group"), p.accept("ties"), p.accept("no", "others"):
		default:
			p.unexpected("CURRENT ROW, GROUP, TIES or NO OTHERS")
		}
	}
}

func (p *parser) frameBound() {
	if p.accept("current", "row") {
		return
	}
	if !p.accept("unbounded") {
		p.binary(precNone, false)
	}
	if !p.accept("preceding") && !p.accept("following") {
		p.unexpected("PRECEDING or FOLLOWING")
	}
}

// orderBy reads ORDER BY and its list.
func (p *parser) orderBy() []OrderItem {
	p.i += 2
	items := []OrderItem{p.orderItem()}
	for p.accept(",") {
		items = append(items, p.orderItem())
		p.checkList(len(items), "ORDER BY", p.peek())
	}
	return items
}

func (p *parser) orderItem() OrderItem {
	o := OrderItem{Expr: p.expr()}
	if p.peek().is("using") {
		p.unsupported(p.peek(), "ORDER BY ... USING", "use ASC or DESC")
	}
	o.Desc = p.accept("desc")
	if !o.Desc {
		p.accept("asc")
	}
	o.NullsFirst = o.Desc
	switch {
	case p.accept("nulls", "first"):
		o.NullsFirst = true
	case p.accept("nulls", "last"):
		o.NullsFirst = false
	}
	return o
}

// functionSyntax reads the functions whose arguments the standard separates by words.
func (p *parser) functionSyntax(t *token) Expr {
	p.i += 2
	p.enter()
	defer p.leave()
	c := call(t.pos+1, t.text)
	switch t.text {
	case "extract":
		c.Args = p.extractArgs()
	case "position":
		c.Args = []Expr{p.binary(precNone, true)}
		p.expect("in", "in POSITION(part IN text)")
		c.Args = append(c.Args, p.binary(precNone, true))
	case "trim":
		c.Args = p.trimArgs(c)
	case "substring":
		p.arguments(c)
		c.Args = p.substringArgs(c)
	case "overlay":
		p.arguments(c)
		if p.accept("placing") {
			c.Args = append(c.Args, p.binary(precNone, false))
			p.expect("from", "in OVERLAY(text PLACING new FROM start)")
			c.Args = append(c.Args, p.binary(precNone, false))
			if p.accept("for") {
				c.Args = append(c.Args, p.binary(precNone, false))
			}
		}
	}
	p.expect(")", "after the arguments")
	return c
}

// extractArgs reads field FROM x.
func (p *parser) extractArgs() []Expr {
	t := p.peek()
	if t.kind != tIdent && t.kind != tString {
		p.unexpected("a field such as epoch, year or hour")
	}
	p.i++
	p.expect("from", "in EXTRACT(field FROM time)")
	return []Expr{&Literal{Kind: types.Unknown, Text: strings.ToLower(t.text), Pos: t.pos + 1}, p.binary(precNone, false)}
}

// substringArgs reads FROM a FOR b, FOR b FROM a, or SIMILAR pattern ESCAPE e after the text.
func (p *parser) substringArgs(c *Call) []Expr {
	args := c.Args
	var from, length Expr
	for from == nil && p.accept("from") || length == nil && p.accept("for") {
		if p.toks[p.i-1].is("from") {
			from = p.binary(precNone, false)
		} else {
			length = p.binary(precNone, false)
		}
	}
	switch {
	case from == nil && length != nil:
		from = &Literal{Kind: types.Int4, Text: "1", Pos: length.Position()}
	case from == nil && p.peek().is("similar"):
		p.unsupported(p.peek(), "SUBSTRING ... SIMILAR", "use substring(text FROM 'regular expression')")
	case from == nil:
		return args
	}
	if args = append(args, from); length != nil {
		args = append(args, length)
	}
	return args
}

// trimArgs reads [BOTH|LEADING|TRAILING] [characters] FROM text; c gets the name of Postgres's function.
func (p *parser) trimArgs(c *Call) []Expr {
	name := "btrim"
	switch {
	case p.accept("leading"):
		name = "ltrim"
	case p.accept("trailing"):
		name = "rtrim"
	default:
		p.accept("both")
	}
	c.Name[0].Name = name
	if p.accept("from") {
		return p.exprs("TRIM")
	}
	args := p.exprs("TRIM")
	if p.accept("from") {
		// The characters come first in the syntax and last in the function.
		args = append(p.exprs("TRIM"), args...)
	}
	return args
}
