package parser

import (
	"strings"

	"rhumb/types"
)

// entities are what ENTITY may say that a column names.
var entities = []string{"ip", "domain", "user", "host", "hash", "url"}

// create reads CREATE [OR REPLACE] kind [IF NOT EXISTS] name ....
func (p *parser) create() Statement {
	verb := p.i
	pos := p.take().pos + 1
	orReplace := p.accept("or", "replace")
	kind := p.objectKind(verb)
	ifNotExists := p.accept("if", "not", "exists")
	if orReplace && ifNotExists {
		fail(types.Errorf(types.CodeSyntax, "OR REPLACE and IF NOT EXISTS exclude each other").At(pos))
	}
	name := p.objectName(kind)
	if p.peek().is("(") && kind == KindStream && !p.columnNames() {
		s := &CreateStream{Name: name, OrReplace: orReplace, IfNotExists: ifNotExists, Pos: pos}
		p.source(s)
		return s
	}
	if p.columnNames() {
		p.unsupported(p.peek(), "a list of column names here", "name the columns in the query: SELECT expression AS name")
	}
	c := &CreateAs{Kind: kind, Name: name, OrReplace: orReplace, IfNotExists: ifNotExists, Pos: pos}
	if t := p.peek(); p.accept("with") {
		if kind == KindView {
			fail(errAt(t.pos, types.CodeSyntax, "a view has no options").WithHint("options belong to streams and materialized views"))
		}
		c.Options = p.options()
	}
	if !p.accept("as") {
		expected := "AS and a query"
		if kind == KindStream {
			expected = "a list of columns in parentheses (a source), or AS and a query"
		}
		p.unexpected(expected)
	}
	start := p.i
	if !p.queryNext() {
		p.unexpected("a query after AS")
	}
	c.Query = p.topQuery()
	c.QueryText = p.textFrom(start)
	if p.next("with", "no", "data") || p.next("with", "data") {
		p.unsupported(p.peek(), "WITH [NO] DATA", "the option start says from where a query reads")
	}
	return c
}

// columnNames reports whether (name, ...) AS comes next: names without types.
func (p *parser) columnNames() bool {
	open := p.peek()
	return open.is("(") && open.match > 0 && p.toks[open.match+1].is("as") && (p.ahead(2).is(",") || p.ahead(2).is(")"))
}

// textFrom is the text from token start to the last one that was read.
func (p *parser) textFrom(start int) string { return p.src[p.toks[start].pos:p.toks[p.i-1].end] }

// source reads the elements of a source stream and its options.
func (p *parser) source(s *CreateStream) {
	p.take()
	for {
		p.element(s)
		if !p.accept(",") {
			break
		}
	}
	p.expect(")", "or a comma after a column")
	p.checkColumns(s)
	if p.accept("with") {
		s.Options = p.options()
	}
	if p.peek().is("as") {
		fail(p.syntaxError(p.i, "WITH (options) or the end of the statement").WithHint("a stream with declared columns is a source; one with AS takes its columns from the query"))
	}
}

// element reads a column, WATERMARK FOR or EVENT ID.
func (p *parser) element(s *CreateStream) {
	t := p.peek()
	switch {
	case p.accept("watermark", "for"):
		if s.WatermarkOn != nil {
			fail(errAt(t.pos, types.CodeSyntax, "WATERMARK FOR is given twice"))
		}
		col := p.name("the event-time column")
		s.WatermarkOn = &col
		p.expect("as", "and an expression in WATERMARK FOR column AS expression")
		s.Watermark, s.WatermarkText = p.exprText(p.expr)
	case p.accept("event", "id"):
		if s.EventID != nil {
			fail(errAt(t.pos, types.CodeSyntax, "EVENT ID is given twice"))
		}
		ids := p.names("the column of EVENT ID")
		if len(ids) != 1 {
			p.unsupported(t, "EVENT ID of more than one column", "declare a computed column: id text AS (a || '/' || b)")
		}
		s.EventID = &ids[0]
	case p.next("primary", "key"), p.next("unique"), p.next("constraint"), p.next("foreign", "key"), p.next("check"):
		p.unsupported(t, upper(t.text)+" in CREATE STREAM", "events are append-only; EVENT ID (column) names the column that identifies one")
	default:
		s.Columns = append(s.Columns, p.column())
		p.checkList(len(s.Columns), "the columns of CREATE STREAM", t)
	}
}

// exprText reads an expression and returns also its text.
func (p *parser) exprText(read func() Expr) (Expr, string) {
	start := p.i
	e := read()
	return e, p.textFrom(start)
}

// column reads name type [PATH '...'] [NOT NULL] [DEFAULT e] [ENTITY kind] [AS (e)].
func (p *parser) column() ColumnDef {
	t := p.peek()
	c := ColumnDef{Name: p.name("a column, WATERMARK FOR or EVENT ID"), Pos: t.pos + 1}
	if p.peek().is(",") || p.peek().is(")") {
		p.unexpected("the type of column " + Quote(c.Name.Name))
	}
	c.Type = p.typeName()
	null := false
	for {
		t := p.peek()
		again := false
		switch {
		case p.accept("path"):
			again = c.Path != ""
			c.Path = p.stringValue("a path such as '$.a.b' after PATH")
			if c.Path == "" {
				fail(errAt(t.pos, types.CodeSyntax, "PATH is empty"))
			}
		case p.accept("not", "null"):
			again = c.NotNull || null
			c.NotNull = true
		case p.accept("null"):
			again = c.NotNull || null
			null = true
		case p.accept("default"):
			again = c.Default != nil
			c.Default, c.DefaultText = p.exprText(p.restricted)
		case p.accept("entity"):
			again = c.Entity != ""
			c.Entity = p.entity()
		case t.is("as") || p.next("generated", "always", "as"):
			again = c.As != nil
			p.computed(&c)
		case p.oneOf("primary", "unique", "references", "check", "constraint", "collate"):
			p.unsupported(t, upper(t.text)+" on a column", "")
		default:
			if c.As != nil && (c.Path != "" || c.Default != nil) {
				fail(types.Errorf(types.CodeSyntax, "column %q is computed: it has no PATH and no DEFAULT", c.Name.Name).At(c.Pos))
			}
			return c
		}
		if again {
			fail(errAt(t.pos, types.CodeSyntax, "conflicting or repeated %s of column %q", upper(t.text), c.Name.Name))
		}
	}
}

// computed reads [GENERATED ALWAYS] AS (expression) [STORED].
func (p *parser) computed(c *ColumnDef) {
	p.accept("generated", "always")
	p.take()
	p.expect("(", "before the expression of a computed column")
	p.enter()
	c.As, c.AsText = p.exprText(p.expr)
	p.leave()
	p.expect(")", "after the expression of a computed column")
	p.accept("stored")
}

func (p *parser) stringValue(what string) string {
	t := p.peek()
	if t.kind != tString {
		p.unexpected(what)
	}
	p.i++
	return t.text
}

func (p *parser) entity() string {
	t := p.peek()
	what := "one of " + strings.Join(entities, ", ") + " after ENTITY"
	if t.kind != tIdent && t.kind != tString {
		p.unexpected(what)
	}
	for _, e := range entities {
		if strings.EqualFold(t.text, e) {
			p.i++
			return e
		}
	}
	e := p.syntaxError(p.i, what)
	if s := types.Suggest(t.text, entities); s != "" {
		e.WithHint("did you mean %s?", s)
	}
	fail(e)
	return ""
}

// checkColumns verifies what the names within the statement promise.
func (p *parser) checkColumns(s *CreateStream) {
	if len(s.Columns) == 0 {
		fail(types.Errorf(types.CodeSyntax, "stream %q has no column", s.Name.Name).At(s.Name.Pos))
	}
	names := make([]string, 0, len(s.Columns))
	seen := make(map[string]bool, len(s.Columns))
	for _, c := range s.Columns {
		if seen[c.Name.Name] {
			fail(types.Errorf(types.CodeDuplicateColumn, "column %q specified more than once", c.Name.Name).At(c.Pos))
		}
		seen[c.Name.Name] = true
		names = append(names, c.Name.Name)
	}
	for _, id := range []*Ident{s.WatermarkOn, s.EventID} {
		if id != nil && !seen[id.Name] && !strings.HasPrefix(id.Name, "_") {
			e := types.Errorf(types.CodeUndefinedColumn, "column %q does not exist", id.Name).At(id.Pos)
			if n := types.Suggest(id.Name, names); n != "" {
				e.WithHint("did you mean %s?", Quote(n))
			}
			fail(e)
		}
	}
}

// options reads (name = value, ...).
func (p *parser) options() []Option {
	p.expect("(", "before the options")
	opts := []Option{}
	seen := map[string]bool{}
	if p.accept(")") {
		return opts
	}
	for {
		o := p.option()
		if seen[o.Name] {
			fail(types.Errorf(types.CodeSyntax, "option %q is given twice", o.Name).At(o.Pos))
		}
		seen[o.Name] = true
		opts = append(opts, o)
		p.checkList(len(opts), "the options", p.peek())
		if !p.accept(",") {
			p.expect(")", "or a comma after an option")
			return opts
		}
	}
}

// option reads name = literal; the name may be dotted or in quotes.
func (p *parser) option() Option {
	t := p.peek()
	o := Option{Pos: t.pos + 1}
	if t.kind == tString {
		p.i++
		o.Name = t.text
	} else {
		o.Name = p.label("the name of an option").Name
		for p.accept(".") {
			o.Name += "." + p.label("the rest of the name of an option").Name
		}
	}
	p.expect("=", "and a value after the name of an option")
	o.VPos = p.peek().pos + 1
	o.Value, o.Quote = p.optionValue()
	return o
}

// optionValue reads a string, a number, TRUE, FALSE, ON, OFF, or type 'text'.
func (p *parser) optionValue() (value string, quoted bool) {
	t := p.peek()
	switch {
	case t.kind == tString:
		p.i++
		return t.text, true
	case t.kind == tNumber:
		p.i++
		return t.text, false
	case (t.is("-") || t.is("+")) && p.ahead(1).kind == tNumber:
		p.i += 2
		return strings.TrimPrefix(t.text, "+") + p.toks[p.i-1].text, false
	case p.oneOf("true", "false", "on", "off"):
		p.i++
		return t.text, false
	case t.kind == tIdent && p.typedLiteralAt():
		return p.typedLiteral().(*TypedLiteral).Text, true
	case t.kind == tIdent:
		fail(p.syntaxError(p.i, "a literal").WithHint("put text into single quotes: %s", quoteString(t.text)))
	}
	p.unexpected("a literal: 'text', a number, TRUE or FALSE")
	return "", false
}
