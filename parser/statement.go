package parser

import (
	"slices"
	"strings"

	"rhumb/types"
)

// statement reads one statement.
func (p *parser) statement() Statement {
	t := p.peek()
	switch {
	case p.queryNext():
		s := &SelectStmt{Pos: t.pos + 1}
		s.Query = p.topQuery()
		return s
	case t.is("create"):
		return p.create()
	case t.is("drop"):
		return p.drop()
	case t.is("explain"):
		return p.explain()
	}
	p.refuse()
	return nil
}

// queryNext reports whether a query comes next.
func (p *parser) queryNext() bool {
	return p.oneOf("select", "with", "values", "table", "(")
}

// topQuery reads a query with EMIT.
func (p *parser) topQuery() *Select {
	s := p.query()
	s.Emit = p.emitClause()
	return s
}

// foreign are the statements by their first words that Rhumb does not run yet, with what to do instead. Longer ones come first.
var foreign = []struct{ words, hint string }{
	{"create table", "reference data is not there yet; CREATE STREAM reads a topic"},
	{"create unlogged table", ""},
	{"create sink", "results are in their topic and in the store"},
	{"create source", "CREATE STREAM name (columns) WITH (connector = ...) declares a source"},
	{"create query", "write a CREATE STREAM ... AS for each query"},
	{"create continuous query", "CREATE STREAM name AS SELECT ... is a continuous query"},
	{"create function", "write the expression out, or put it into a view"},
	{"create procedure", ""}, {"create aggregate", ""}, {"create trigger", "CREATE STREAM name AS SELECT ... reacts to events"},
	{"create secret", "refer to a file or an environment variable in the options"},
	{"create role", ""}, {"create user", ""}, {"create group", ""},
	{"create index", "the store indexes ids, times and entities by itself"}, {"create unique index", ""},
	{"create database", ""}, {"create schema", "all objects are in the schema public"}, {"create extension", ""}, {"create type", ""},
	{"create domain", ""}, {"create sequence", ""}, {"create rule", ""}, {"create policy", ""}, {"create publication", ""},
	{"create subscription", ""}, {"create server", ""}, {"create foreign table", ""}, {"create statistics", ""}, {"create cast", ""},
	{"create operator", ""}, {"create collation", ""}, {"create language", ""}, {"create tablespace", ""}, {"create event trigger", ""},
	{"create temp", "objects are permanent; use WITH in the query"}, {"create temporary", "objects are permanent; use WITH in the query"},
	{"create recursive view", "use WITH RECURSIVE in the query"},
	{"alter stream", "CREATE OR REPLACE STREAM changes it"}, {"alter materialized view", "CREATE OR REPLACE changes it"},
	{"alter view", "CREATE OR REPLACE VIEW changes it"}, {"alter", ""},
	{"insert", "produce to the topic of the stream"}, {"update", "results are not changed by hand"}, {"delete", "results are not changed by hand"},
	{"merge", ""}, {"truncate", ""}, {"copy", ""},
	{"subscribe", "SELECT ... EMIT CHANGES reads a stream as it grows"},
	{"declare", ""}, {"fetch", ""}, {"move", ""}, {"close", ""},
	{"begin", "each statement is a transaction of its own"}, {"start transaction", "each statement is a transaction of its own"},
	{"commit", ""}, {"end", ""}, {"rollback", ""}, {"abort", ""}, {"savepoint", ""}, {"release", ""},
	{"set", ""}, {"reset", ""}, {"show", ""}, {"describe", ""}, {"desc", ""},
	{"grant", ""}, {"revoke", ""}, {"comment", ""}, {"security", ""}, {"reassign", ""},
	{"prepare", ""}, {"execute", ""}, {"deallocate", ""}, {"discard", ""}, {"listen", ""}, {"unlisten", ""}, {"notify", ""},
	{"vacuum", "there is nothing to vacuum"}, {"analyze", ""}, {"analyse", ""}, {"lock", ""}, {"refresh", "a materialized view is always up to date"},
	{"call", ""}, {"do", ""}, {"use", ""}, {"cluster", ""}, {"reindex", ""}, {"checkpoint", ""}, {"load", ""}, {"import", ""}, {"kill", ""},
	{"drop table", ""}, {"drop query", "a continuous query is dropped with its stream: DROP STREAM"}, {"drop sink", ""}, {"drop function", ""},
	{"drop role", ""}, {"drop user", ""}, {"drop secret", ""}, {"drop index", ""}, {"drop schema", ""}, {"drop database", ""}, {"drop type", ""},
	{"drop source", "DROP STREAM drops a source"}, {"drop owned", ""}, {"drop extension", ""}, {"drop sequence", ""}, {"drop trigger", ""},
	{"explain analyse", "write ANALYZE"},
}

// refuse fails at a statement that is not read: by name if it is known, or with the nearest name.
func (p *parser) refuse() {
	start := p.toks[p.i]
	for _, f := range foreign {
		words := strings.Fields(f.words)
		if p.next(words...) {
			if what := strings.ToUpper(f.words); f.words != "alter" || p.ahead(1).kind != tIdent {
				p.unsupported(&start, what, f.hint)
			}
			p.unsupported(&start, "ALTER "+upper(p.ahead(1).text), f.hint)
		}
	}
	e := p.syntaxError(p.i, "a statement: SELECT, CREATE STREAM, CREATE VIEW, CREATE MATERIALIZED VIEW, DROP or EXPLAIN")
	e.Hint = ""
	p.suggest(e, &start, 0)
	fail(e)
}

// suggest adds "did you mean" for the word t, which is the word number nth of a statement.
func (p *parser) suggest(e *types.Error, t *token, nth int) {
	if t.kind != tIdent {
		return
	}
	words := []string{"select", "with", "values", "table", "create", "drop", "explain"}
	if nth == 1 {
		words = []string{"stream", "view", "materialized"}
	}
	for _, f := range foreign {
		if w := strings.Fields(f.words); len(w) > nth && (nth == 0 || w[0] == p.toks[p.i-1].text) && !slices.Contains(words, w[nth]) {
			words = append(words, w[nth])
		}
	}
	slices.Sort(words)
	if s := types.Suggest(t.text, words); s != "" && s != t.text {
		e.WithHint("did you mean %s?", upper(s))
	}
}

// objectKind reads STREAM, VIEW or MATERIALIZED VIEW after CREATE or DROP; verb is the index of that.
func (p *parser) objectKind(verb int) string {
	switch {
	case p.accept("stream"):
		return KindStream
	case p.accept("view"):
		return KindView
	case p.accept("materialized", "view"):
		return KindMatView
	}
	here := p.i
	for _, f := range foreign {
		words := strings.Fields(f.words)
		if len(words) > 1 && p.toks[verb].is(words[0]) && p.next(words[1:]...) {
			p.unsupported(&p.toks[verb], strings.ToUpper(f.words), f.hint)
		}
	}
	e := p.syntaxError(here, "STREAM, VIEW or MATERIALIZED VIEW")
	e.Hint = ""
	p.suggest(e, &p.toks[here], 1)
	if p.toks[here-1].is("materialized") || p.toks[here].is("materialized") {
		e.WithHint("did you mean MATERIALIZED VIEW?")
	}
	fail(e)
	return ""
}

// objectName reads the name of an object of the schema public.
func (p *parser) objectName(kind string) Ident {
	what := "the name of a " + strings.ToLower(kind)
	t := p.peek()
	if t.kind == tString {
		fail(p.syntaxError(p.i, what).WithHint("names stand in double quotes or in none"))
	}
	id := p.name(what)
	if p.accept(".") {
		if id.Name != "public" {
			fail(types.Errorf(types.CodeNotSupported, "schema %q is not supported", id.Name).At(id.Pos).WithHint("all objects are in the schema public"))
		}
		id = p.label(what)
	}
	return id
}

// drop reads DROP kind [IF EXISTS] name, ... [IF EXISTS] [CASCADE|RESTRICT] [PURGE].
func (p *parser) drop() *Drop {
	verb := p.i
	d := &Drop{Pos: p.take().pos + 1}
	d.Kind = p.objectKind(verb)
	d.IfExists = p.accept("if", "exists")
	for {
		d.Names = append(d.Names, p.objectName(d.Kind))
		p.checkList(len(d.Names), "DROP", p.peek())
		if !p.accept(",") {
			break
		}
	}
	if p.accept("if", "exists") {
		d.IfExists = true
	}
	for restrict := false; ; {
		switch {
		case !d.Cascade && !restrict && p.accept("cascade"):
			d.Cascade = true
		case !d.Cascade && !restrict && p.accept("restrict"):
			restrict = true
		case !d.Purge && p.accept("purge"):
			d.Purge = true
		default:
			return d
		}
	}
}

// explain reads EXPLAIN [ANALYZE] [VERBOSE] [(options)] statement.
func (p *parser) explain() *Explain {
	e := &Explain{Format: "text", Pos: p.take().pos + 1}
	if p.peek().is("(") && !p.queryAt(p.i) && !p.ahead(1).is("(") {
		p.explainOptions(e)
	} else {
		if p.accept("analyze") {
			e.Analyze = true
		}
		p.accept("verbose")
	}
	t := p.peek()
	if t.is("explain") {
		p.unexpected("SELECT or CREATE")
	}
	e.Stmt = p.statement()
	if _, ok := e.Stmt.(*Drop); ok {
		p.unsupported(t, "EXPLAIN DROP", "")
	}
	return e
}

// explainOptions reads (ANALYZE [boolean], FORMAT TEXT|JSON|DOT, ...). What Postgres has besides is accepted and changes nothing.
func (p *parser) explainOptions(e *Explain) {
	p.take()
	for {
		t := p.peek()
		name := p.label("an option of EXPLAIN").Name
		switch name {
		case "analyze":
			e.Analyze = p.switchValue()
		case "format":
			v := p.peek()
			e.Format = strings.ToLower(v.text)
			if v.kind != tIdent && v.kind != tString {
				p.unexpected("TEXT, JSON or DOT")
			}
			if p.i++; e.Format != "text" && e.Format != "json" && e.Format != "dot" {
				fail(errAt(v.pos, types.CodeInvalidOption, "unrecognized value for EXPLAIN option \"format\": %q", v.text).WithHint("formats are TEXT, JSON and DOT"))
			}
		case "verbose", "costs", "settings", "buffers", "wal", "timing", "summary":
			p.switchValue()
		default:
			err := errAt(t.pos, types.CodeSyntax, "unrecognized EXPLAIN option %q", name)
			if s := types.Suggest(name, []string{"analyze", "format", "verbose"}); s != "" {
				err.WithHint("did you mean %s?", upper(s))
			}
			fail(err)
		}
		if !p.accept(",") {
			p.expect(")", "or a comma after an option of EXPLAIN")
			return
		}
	}
}

// switchValue reads an optional boolean; none is true.
func (p *parser) switchValue() bool {
	t := p.peek()
	if t.is(",") || t.is(")") {
		return true
	}
	p.i++
	switch strings.ToLower(t.text) {
	case "true", "on", "1":
		return true
	case "false", "off", "0":
		return false
	}
	p.i--
	p.unexpected("TRUE or FALSE")
	return false
}
