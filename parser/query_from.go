package parser

import (
	"slices"
	"strings"

	"rhumb/types"
)

// pendingJoin is a JOIN whose ON or USING has not come yet.
type pendingJoin struct {
	kind string
	tok  int
}

// tables reads the tables and joins of FROM, or (top false) of parentheses in it. It reports whether there was more than one.
func (q *query) tables(top bool) bool {
	p := q.p
	var pending []pendingJoin
	cross, crossTok := false, 0
	for n := 1; ; n++ {
		q.table()
		if cross {
			q.emit(crossTok, " ON")
			q.hole(crossTok, joinHole{kind: "cross", pos: p.toks[crossTok].pos + 1})
			cross = false
		}
		for len(pending) > 0 && p.oneOf("on", "using") {
			q.condition(pending[len(pending)-1])
			pending = pending[:len(pending)-1]
		}
		if n > maxTables {
			fail(errAt(p.peek().pos, types.CodeProgramLimit, "FROM has more than %d tables", maxTables))
		}
		at := p.i
		kind := p.joinKind()
		switch {
		case kind == "cross":
			q.emit(at, " JOIN")
			cross, crossTok = true, at
		case kind != "":
			q.emit(at, map[string]string{"inner": " JOIN", "left": " LEFT JOIN", "right": " RIGHT JOIN", "full": " LEFT JOIN"}[kind])
			pending = append(pending, pendingJoin{kind, at})
		case len(pending) > 0:
			p.unexpected("ON or USING for the JOIN at " + p.place(pending[len(pending)-1].tok))
		case top && p.peek().is(","):
			q.emit(at, ",")
			p.i++
		default:
			return n > 1
		}
	}
}

// joinKind reads [INNER|LEFT|RIGHT|FULL [OUTER]|CROSS] JOIN; "" if none comes.
func (p *parser) joinKind() string {
	t := p.peek()
	switch {
	case p.accept("join"), p.accept("inner", "join"):
		return "inner"
	case p.accept("cross", "join"):
		return "cross"
	case t.is("left"), t.is("right"), t.is("full"):
		p.i++
		p.accept("outer")
		p.expect("join", "after "+upper(t.text))
		return t.text
	case t.is("natural"):
		fail(errAt(t.pos, types.CodeNotSupported, "NATURAL JOIN is not supported").WithHint("name the columns: JOIN ... USING (column)"))
	case t.is("inner"), t.is("cross"):
		p.i++
		p.unexpected("JOIN after " + upper(t.text))
	}
	return ""
}

// condition reads ON expression or USING (columns). MySQL has no FULL JOIN and knows nothing of the expression: both are in the hole.
func (q *query) condition(join pendingJoin) {
	p := q.p
	at := p.i
	j := joinHole{kind: join.kind, pos: p.toks[join.tok].pos + 1}
	if p.accept("on") {
		j.on = p.expr()
	} else {
		p.i++
		j.using = p.names("a column")
		if p.peek().is("as") {
			p.unsupported(p.peek(), "JOIN ... USING (...) AS", "")
		}
	}
	q.emit(at, " ON")
	q.hole(at, j)
}

// table reads one member of FROM without joins.
func (q *query) table() {
	p := q.p
	t, at := p.peek(), p.i
	lateral := p.accept("lateral")
	switch {
	case p.queryAt(p.i):
		q.derived(lateral, t.pos+1)
	case p.peek().is("(") && !lateral:
		p.enter()
		p.i++
		q.emit(at, " (")
		if !q.tables(false) {
			p.unexpected("a join in the parentheses")
		}
		q.emit(p.i, ")")
		p.expect(")", "after the joined tables")
		p.leave()
		if p.peek().is("as") || p.aliasAt() {
			p.unsupported(p.peek(), "an alias of a join in parentheses", "give the tables inside aliases")
		}
	default:
		leaf := p.leaf(lateral)
		q.hole(at, leaf)
	}
}

// derived reads (query) [AS] alias [(columns)].
func (q *query) derived(lateral bool, pos Pos) {
	p := q.p
	q.emit(p.i, " (")
	p.take()
	p.enter()
	q.body()
	p.leave()
	q.emit(p.i, ")")
	if p.peek().is("emit") {
		fail(p.syntaxError(p.i, "").WithHint("EMIT stands at the end of the statement, not in a subquery"))
	}
	p.expect(")", "after the query")
	q.emit(p.i, " AS")
	q.hole(p.i, derivedHole{alias: p.alias(), lateral: lateral, pos: pos})
}

// leaf reads a table name or a function.
func (p *parser) leaf(lateral bool) TableExpr {
	t := p.peek()
	switch {
	case t.kind == tString:
		fail(p.syntaxError(p.i, "a table").WithHint("names stand in double quotes or in none"))
	case t.is("table") && p.ahead(1).is("("):
		p.i += 2
		p.enter()
		f := p.tableFunc(lateral)
		p.leave()
		p.expect(")", "after TABLE(function(...))")
		p.functionAlias(f)
		return f
	case p.next("rows", "from", "("):
		p.unsupported(t, "ROWS FROM", "")
	case t.is("values") && p.ahead(1).is("("):
		fail(p.syntaxError(p.i, "").WithHint("VALUES in FROM stands in parentheses: FROM (VALUES ...) AS t"))
	case t.is("only"):
		p.i++ // nothing here inherits
	}
	end := p.i + 1
	for p.toks[end-1].kind == tIdent && p.toks[end].is(".") && p.toks[end+1].kind == tIdent {
		end += 2
	}
	if p.toks[min(end, len(p.toks)-1)].is("(") && p.peek().kind == tIdent {
		f := p.tableFunc(lateral)
		p.functionAlias(f)
		return f
	}
	if lateral {
		p.unexpected("a query in parentheses or a function after LATERAL")
	}
	ref := &TableRef{Name: p.qualified("a table"), Pos: t.pos + 1}
	p.tableExtras()
	ref.Alias = p.alias()
	p.tableExtras()
	return ref
}

// tableExtras refuses what may stand after a table in Rhumb or elsewhere and would otherwise be taken for an alias.
func (p *parser) tableExtras() {
	t := p.peek()
	switch {
	case t.is("match_recognize"):
		p.unsupported(t, "MATCH_RECOGNIZE", "")
	case p.next("for", "system_time"):
		p.unsupported(t, "FOR SYSTEM_TIME AS OF", "a join without it takes the table as it is at the row's step")
	case t.is("tablesample"), t.is("final"), t.is("changes"), t.is("pivot") && p.ahead(1).is("("), t.is("unpivot") && p.ahead(1).is("("):
		p.unsupported(t, upper(t.text)+" after a table", "an alias of that name needs AS")
	}
}

// qualified reads name.name...
func (p *parser) qualified(what string) []Ident {
	parts := []Ident{p.name(what)}
	for p.accept(".") {
		parts = append(parts, p.label("a name after the dot"))
	}
	if len(parts) > 3 {
		fail(types.Errorf(types.CodeSyntax, "improper qualified name (too many dotted names)").At(parts[0].Pos))
	}
	return parts
}

// aliasAt reports whether an alias without AS comes next.
func (p *parser) aliasAt() bool { return p.peek().isName() && !p.emitAt() }

// alias reads [AS] name [(columns)]; nil if none comes.
func (p *parser) alias() *Alias {
	if !p.accept("as") && !p.aliasAt() {
		return nil
	}
	a := &Alias{Name: p.name("an alias")}
	if p.peek().is("(") {
		if p.ahead(1).kind == tIdent && p.ahead(2).kind == tIdent {
			p.unsupported(p.peek(), "an alias with column types", "")
		}
		a.Columns = p.names("a column")
	}
	return a
}

// functionAlias reads what follows a function in FROM.
func (p *parser) functionAlias(f *TableFunc) {
	if p.accept("with", "ordinality") {
		f.Ordinality = true
	}
	if p.next("as", "(") {
		p.unsupported(p.ahead(1), "an alias with column types", "")
	}
	f.Alias = p.alias()
	p.tableExtras()
}

// tableFunc reads a function in FROM.
func (p *parser) tableFunc(lateral bool) *TableFunc {
	t := p.peek()
	if t.kind != tIdent || !t.quoted && (t.class == kwReserved || t.class == kwColumn) {
		p.unexpected("a table or a function")
	}
	f := &TableFunc{Name: p.label(""), Lateral: lateral, Pos: t.pos + 1}
	for p.accept(".") {
		if f.Name.Name != "pg_catalog" {
			p.unsupported(t, "a function of schema "+Quote(f.Name.Name)+" in FROM", "")
		}
		f.Name = p.label("a function")
	}
	p.expect("(", "")
	p.enter()
	defer p.leave()
	if params, ok := windowParams[f.Name.Name]; ok {
		p.windowFunc(f, params)
	} else if !p.peek().is(")") {
		c := &Call{}
		p.arguments(c)
		if c.Star || c.Distinct || c.OrderBy != nil || c.ArgNames != nil {
			p.unsupported(t, "this form of arguments of a function in FROM", "")
		}
		f.Args = c.Args
	}
	p.expect(")", "or a comma after the arguments")
	return f
}

// windowParams are the window functions of FROM with the names of their arguments after the input; those after "?" may be left out.
var windowParams = map[string][]string{
	"tumble":      {"timecol", "size", "?", "offset"},
	"hop":         {"timecol", "slide", "size", "?", "offset"},
	"cumulate":    {"timecol", "step", "size"},
	"session":     {"timecol", "gap", "?", "max_span"},
	"tumble_rows": {"size"},
	"hop_rows":    {"slide", "size"},
}

// windowFunc reads the arguments of a window function: input [PARTITION BY keys], then the rest by position or name.
func (p *parser) windowFunc(f *TableFunc, params []string) {
	if p.peek().is(")") {
		p.unexpected("a stream, view or query as the first argument of " + upper(f.Name.Name))
	}
	named := map[string]Expr{}
	if p.peek().is("data") && p.ahead(1).is("=>") {
		p.i += 2
	}
	if t := p.peek(); t.kind == tIdent && p.ahead(1).is("=>") {
		fail(errAt(t.pos, types.CodeSyntax, "DATA must be the first argument of %s", upper(f.Name.Name)))
	}
	f.Input = p.windowInput()
	var keys []Expr
	partitioned := p.accept("partition", "by")
	if partitioned {
		if keys = []Expr{p.windowArg()}; isRow(keys[0]) {
			f.PartitionBy, keys, partitioned = keys[0].(*Row).Elems, nil, false
		}
	}
	f.Args = keys
	for p.accept(",") {
		t := p.peek()
		if t.kind == tIdent && p.ahead(1).is("=>") {
			p.i += 2
			if named[t.text] != nil || !slices.Contains(params, t.text) {
				e := errAt(t.pos, types.CodeSyntax, "%s has no argument %q here", upper(f.Name.Name), t.text)
				fail(e.WithHint("%s", f.signature(params)))
			}
			named[t.text] = p.windowArg()
			continue
		}
		if len(named) > 0 {
			fail(errAt(t.pos, types.CodeSyntax, "positional argument cannot follow named argument"))
		}
		f.Args = append(f.Args, p.windowArg())
		p.checkList(len(f.Args), "a window function", t)
	}
	if partitioned {
		p.splitKeys(f, params, named)
	}
	f.placeNamed(params, named)
}

func isRow(e Expr) bool { _, ok := e.(*Row); return ok }

// windowInput reads the first argument: s, TABLE s, (query) or TABLE (query).
func (p *parser) windowInput() TableExpr {
	p.accept("table")
	t := p.peek()
	if p.queryAt(p.i) {
		return &DerivedTable{Query: p.subquery(), Pos: t.pos + 1}
	}
	if t.is("select") || t.is("with") || t.is("values") && p.ahead(1).is("(") {
		fail(p.syntaxError(p.i, "").WithHint("a query as the input of a window stands in parentheses of its own: TUMBLE((SELECT ...), ...)"))
	}
	ref := &TableRef{Name: p.qualified("a stream, a view or a query in parentheses"), Pos: t.pos + 1}
	if p.peek().is("(") {
		fail(p.syntaxError(p.i, "").WithHint("the input of a window is a stream, a view or a query in parentheses: (SELECT * FROM %s(...))", ref.Name[len(ref.Name)-1].Name))
	}
	return ref
}

// windowArg reads an argument after the input: an expression, or DESCRIPTOR(column).
func (p *parser) windowArg() Expr {
	if !p.next("descriptor", "(") {
		return p.expr()
	}
	p.i += 2
	e := &ColumnRef{Parts: []Ident{p.label("a column")}, Pos: p.toks[p.i-1].pos + 1}
	for p.accept(".") {
		e.Parts = append(e.Parts, p.label("a column"))
	}
	p.expect(")", "after DESCRIPTOR(column)")
	return e
}

// splitKeys parts the keys of PARTITION BY, which commas separate as they separate the arguments that follow.
func (p *parser) splitKeys(f *TableFunc, params []string, named map[string]Expr) {
	keys := -1
	constant := slices.IndexFunc(f.Args, isConstant)
	switch {
	case params[0] != "timecol":
		keys = len(f.Args) + len(named) - len(params)
	case named["timecol"] != nil:
		keys = len(f.Args)
	case constant >= 0: // the time column stands before the first constant
		keys = constant - 1
	case len(named) > 0:
		keys = len(f.Args) - 1
	}
	if keys < 1 || keys > len(f.Args) {
		fail(types.Errorf(types.CodeSyntax, "cannot tell the keys of PARTITION BY from the arguments of %s", upper(f.Name.Name)).At(f.Pos).
			WithHint("put the keys into parentheses: PARTITION BY (a, b)"))
	}
	f.PartitionBy, f.Args = f.Args[:keys:keys], f.Args[keys:]
}

// isConstant reports whether an expression is a literal or parameter, perhaps cast.
func isConstant(e Expr) bool {
	switch e := e.(type) {
	case *Literal, *TypedLiteral, *Param:
		return true
	case *Cast:
		return isConstant(e.Arg)
	}
	return false
}

// signature shows how a window function is called.
func (f *TableFunc) signature(params []string) string {
	args := strings.Join(params, ", ")
	if required, optional, ok := strings.Cut(args, ", ?, "); ok {
		args = required + " [, " + optional + "]"
	}
	return upper(f.Name.Name) + "(data, " + args + ")"
}

// placeNamed puts named arguments to their positions and checks their number.
func (f *TableFunc) placeNamed(params []string, named map[string]Expr) {
	optional := slices.Index(params, "?")
	order := slices.DeleteFunc(slices.Clone(params), func(s string) bool { return s == "?" })
	least := len(order)
	if optional >= 0 {
		least = optional
	}
	wrong := func(format string, args ...any) {
		fail(types.Errorf(types.CodeSyntax, format, args...).At(f.Pos).WithHint("%s", f.signature(params)))
	}
	for len(f.Args) < len(order) && named[order[len(f.Args)]] != nil {
		name := order[len(f.Args)]
		f.Args = append(f.Args, named[name])
		delete(named, name)
	}
	switch {
	case len(named) > 0:
		wrong("%s lacks the argument %q, or has it twice", upper(f.Name.Name), order[min(len(f.Args), len(order)-1)])
	case len(f.Args) < least:
		wrong("%s lacks the argument %q", upper(f.Name.Name), order[len(f.Args)])
	case len(f.Args) > len(order):
		wrong("%s has too many arguments", upper(f.Name.Name))
	}
}
