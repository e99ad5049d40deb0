package parser

import (
	"strconv"

	"rhumb/types"
)

// query turns the tokens of one query into text for TiDB's parser, which decides the structure of clauses: the order they may stand in,
// the nesting of joins, set operations and common table expressions. Everything else is kept from it. Expressions, names, tables and
// aliases become numbered names (`h3`) that index holes; what MySQL does not have (FULL JOIN, DISTINCT ON, VALUES, QUALIFY, NULLS FIRST,
// table functions ...) is written as a construct of the same place in the structure, and its hole says what it was.
//
//	SELECT a, b x FROM s LEFT JOIN TUMBLE(t, ...) w USING (k) WHERE a > 1 ORDER BY 1 DESC OFFSET 5
//	SELECT `h1`,`h2` FROM `h3` LEFT JOIN `h4` ON `h5` WHERE `h6` ORDER BY `h7` LIMIT 0 OFFSET 8
type query struct {
	p     *parser
	text  []byte
	marks []mark
	holes []any // hole 0 is "nothing"
	used  []bool
}

// mark says that the text from off on was made from token tok.
type mark struct{ off, tok int }

// What holes hold, besides Expr, OrderItem and TableExpr.
type (
	// selectCore is what one SELECT has that TiDB's does not; it is in the hole of the first item.
	selectCore struct {
		pos      Pos
		on       []Expr // DISTINCT ON
		qualify  Expr
		values   [][]Expr
		table    TableExpr // of TABLE name
		outer    []windowRef
		windows  map[string]*WindowSpec
		windowed bool // a WINDOW clause has been written
	}
	itemHole struct {
		core *selectCore // nil but for the first item
		item *SelectItem // nil: the list is empty
	}
	derivedHole struct {
		alias   *Alias
		lateral bool
		pos     Pos
	}
	joinHole struct {
		kind  string
		on    Expr
		using []Ident
		pos   Pos
	}
	cteHole struct {
		name    Ident
		columns []Ident
	}
)

// subquery reads (query).
func (p *parser) subquery() *Select {
	p.expect("(", "")
	p.enter()
	s := p.query()
	p.leave()
	if p.peek().is("emit") {
		fail(p.syntaxError(p.i, "").WithHint("EMIT stands at the end of the statement, not in a subquery"))
	}
	p.expect(")", "after the query")
	return s
}

// query reads a query up to what cannot continue it.
func (p *parser) query() *Select {
	q := &query{p: p, holes: []any{nil}}
	q.body()
	return q.parse()
}

// queryAt reports whether token i is a parenthesis that holds a query.
func (p *parser) queryAt(i int) bool {
	if !p.toks[i].is("(") {
		return false
	}
	switch t := &p.toks[i+1]; {
	case t.is("select"), t.is("with"), t.is("table"):
		return true
	case t.is("values"):
		return p.toks[i+2].is("(")
	case !t.is("("), !p.queryAt(i + 1):
		return false
	case t.match < 0:
		return true
	default:
		// A query in parentheses: whether this is a query too depends on how it goes on.
		after := &p.toks[t.match+1]
		return after.is(")") || after.is("order") || after.is("limit") || after.is("offset") || after.is("fetch") || after.is("for") || setOperator(after)
	}
}

func setOperator(t *token) bool { return t.is("union") || t.is("intersect") || t.is("except") }

// emit appends text that was made from token tok.
func (q *query) emit(tok int, text string) {
	q.marks = append(q.marks, mark{len(q.text), tok})
	q.text = append(q.text, text...)
}

// hole keeps a value and writes the name of its hole.
func (q *query) hole(tok int, v any) {
	q.emit(tok, " `h"+strconv.Itoa(len(q.holes))+"`")
	q.holes = append(q.holes, v)
}

// body reads operands and the clauses and operators after them.
func (q *query) body() {
	p := q.p
	var core *selectCore
	sorted := false // ORDER BY or LIMIT have come since the last operand
	end := func() {
		if core != nil {
			p.resolveWindows(core)
			core = nil
		}
	}
	for operand := true; ; {
		if operand {
			core, operand = q.operand()
			continue
		}
		t := p.peek()
		switch {
		case setOperator(t):
			if sorted {
				fail(p.syntaxError(p.i, "").WithHint("a query with ORDER BY or LIMIT stands in parentheses before %s", upper(t.text)))
			}
			end()
			q.setOperator()
			operand = true
		case t.is("order") || t.is("limit") || t.is("offset") || t.is("fetch"):
			sorted = true
			q.sortOrLimit()
		case t.is("for") && !p.next("for", "system_time"):
			p.unsupported(t, "FOR "+upper(p.ahead(1).text), "queries take no locks: leave it out")
		case core == nil || !q.clause(core):
			end()
			return
		}
	}
}

// operand reads the beginning of a SELECT, a VALUES, a TABLE or a query in parentheses. more says that the operand is still to come (WITH
// has been read). core is nil after parentheses.
func (q *query) operand() (core *selectCore, more bool) {
	p := q.p
	t, at := p.peek(), p.i
	switch {
	case t.is("with"):
		q.with()
		return nil, true
	case t.is("("):
		p.enter()
		q.emit(p.i, "(")
		p.i++
		q.body()
		q.emit(p.i, ")")
		p.expect(")", "after the query")
		p.leave()
		return nil, false
	}
	core = &selectCore{pos: t.pos + 1, outer: p.windows}
	p.windows = nil
	q.emit(at, "SELECT")
	switch {
	case t.is("select"):
		p.i++
		q.selectList(core)
		return core, false
	case t.is("values"):
		core.values = p.values()
	case t.is("table"):
		p.i++
		core.table = &TableRef{Name: p.qualified("a table"), Pos: core.pos}
	default:
		p.unexpected("SELECT, VALUES or a query in parentheses")
	}
	q.hole(at, itemHole{core: core})
	return core, false
}

// values reads VALUES (...), ....
func (p *parser) values() [][]Expr {
	p.take()
	var rows [][]Expr
	for {
		t := p.expect("(", "before a row of VALUES")
		p.enter()
		rows = append(rows, p.exprs("a row of VALUES"))
		p.leave()
		p.expect(")", "after a row of VALUES")
		p.checkList(len(rows), "VALUES", t)
		if len(rows[0]) != len(rows[len(rows)-1]) {
			fail(errAt(t.pos, types.CodeSyntax, "VALUES lists must all be the same length"))
		}
		if !p.accept(",") {
			return rows
		}
	}
}

// selectList reads what stands between SELECT and FROM.
func (q *query) selectList(core *selectCore) {
	p := q.p
	distinct := false
	if at := p.i; p.accept("distinct") {
		distinct = true
		q.emit(at, " DISTINCT")
		if p.accept("on") {
			p.expect("(", "after DISTINCT ON")
			p.enter()
			core.on = p.exprs("DISTINCT ON")
			p.leave()
			p.expect(")", "after DISTINCT ON")
		}
	} else {
		p.accept("all")
	}
	if t := p.peek(); !distinct && (t.kind == tEOF || t.is(")") || startsClause(t) && !t.is("as")) {
		q.hole(p.i, itemHole{core: core})
	} else {
		for n := 1; ; n++ {
			at := p.i
			item := p.selectItem()
			q.hole(at, itemHole{core, item})
			core = nil
			p.checkList(n, "the list of SELECT", p.peek())
			if !p.peek().is(",") {
				break
			}
			q.emit(p.i, ",")
			p.i++
		}
	}
	if p.peek().is("into") {
		p.unsupported(p.peek(), "SELECT INTO", "CREATE STREAM name AS SELECT ... keeps results")
	}
	if !p.peek().is("from") {
		// MySQL wants a FROM before the clauses that follow; hole 0 is no table.
		q.emit(p.i, " FROM `h0`")
	}
}

// selectItem reads expression [[AS] label].
func (p *parser) selectItem() *SelectItem {
	t := p.peek()
	item := &SelectItem{Pos: t.pos + 1}
	if p.accept("*") {
		item.Expr = &ColumnRef{Star: true, Pos: item.Pos}
		return item
	}
	item.Expr = p.expr()
	t = p.peek()
	switch {
	case p.accept("as"):
		label := p.label("a label after AS")
		item.Alias = &label
	case t.kind == tIdent && (t.quoted || !keywords[t.text].asOnly) && !p.emitAt():
		label := p.label("")
		item.Alias = &label
	}
	return item
}

// with reads WITH [RECURSIVE] name [(columns)] AS (query), ....
func (q *query) with() {
	p := q.p
	q.emit(p.i, "WITH")
	p.i++
	if at := p.i; p.peek().is("recursive") && !p.ahead(1).is("as") && !p.ahead(1).is("(") {
		p.i++
		q.emit(at, " RECURSIVE")
	}
	for n := 1; ; n++ {
		at := p.i
		c := cteHole{name: p.name("the name of a WITH query")}
		if p.peek().is("(") {
			c.columns = p.names("a column")
		}
		q.hole(at, c)
		p.expect("as", "in WITH name AS (query)")
		if !p.accept("materialized") {
			p.accept("not", "materialized")
		}
		q.emit(p.i, " AS (")
		p.expect("(", "before the query of WITH")
		if p.oneOf("insert", "update", "delete", "merge") {
			p.unsupported(p.peek(), upper(p.peek().text)+" in WITH", "")
		}
		p.enter()
		q.body()
		p.leave()
		q.emit(p.i, ")")
		p.expect(")", "after the query of WITH")
		if p.oneOf("search", "cycle") {
			p.unsupported(p.peek(), upper(p.peek().text)+" in WITH RECURSIVE", "")
		}
		p.checkList(n, "WITH", p.peek())
		if !p.peek().is(",") {
			q.emit(p.i, " ")
			return
		}
		q.emit(p.i, ",")
		p.i++
	}
}

// setOperator reads UNION, INTERSECT or EXCEPT [ALL|DISTINCT].
func (q *query) setOperator() {
	p := q.p
	q.emit(p.i, " "+upper(p.take().text))
	if at := p.i; p.accept("all") {
		q.emit(at, " ALL")
	} else {
		p.accept("distinct")
	}
	q.emit(p.i, " ")
}

// clause reads one clause of a SELECT; false if none comes. TiDB judges whether it may stand there.
func (q *query) clause(core *selectCore) bool {
	p := q.p
	t, at := p.peek(), p.i
	if core.values != nil || core.table != nil {
		return false
	}
	switch {
	case t.is("from"):
		p.i++
		q.emit(at, " FROM")
		q.tables(true)
	case t.is("where"):
		p.i++
		q.emit(at, " WHERE")
		q.hole(at, p.expr())
	case t.is("group"):
		p.i++
		p.expect("by", "after GROUP")
		q.emit(at, " GROUP BY")
		q.groupBy()
	case t.is("having"):
		p.i++
		q.emit(at, " HAVING")
		q.hole(at, p.expr())
	case t.is("window"):
		p.i++
		p.windowClause(core)
		q.windowed(at, core)
	case t.is("qualify"):
		p.i++
		if core.qualify != nil {
			fail(p.syntaxError(at, ""))
		}
		core.qualify = p.expr()
		q.windowed(at, core)
	default:
		return false
	}
	return true
}

// windowed writes a WINDOW clause in place of WINDOW and QUALIFY: it stands where they may.
func (q *query) windowed(at int, core *selectCore) {
	if core.windowed {
		q.emit(at, ",")
	} else {
		q.emit(at, " WINDOW")
	}
	core.windowed = true
	q.hole(at, nil)
	q.emit(at, " AS ()")
}

func (q *query) groupBy() {
	p := q.p
	if p.oneOf("all", "distinct") {
		p.unsupported(p.peek(), "GROUP BY "+upper(p.peek().text), "")
	}
	for n := 1; ; n++ {
		at := p.i
		q.hole(at, p.groupItem())
		p.checkList(n, "GROUP BY", p.peek())
		if !p.peek().is(",") {
			return
		}
		q.emit(p.i, ",")
		p.i++
	}
}

// groupItem reads an expression, () or GROUPING SETS (...), which is a call of "grouping sets" with rows and expressions; () is a Row
// without elements. ROLLUP and CUBE are calls already.
func (p *parser) groupItem() Expr {
	t := p.peek()
	switch {
	case p.accept("(", ")"):
		return &Row{Pos: t.pos + 1}
	case p.next("grouping", "sets"):
		p.i += 2
		p.expect("(", "after GROUPING SETS")
		p.enter()
		defer p.leave()
		c := call(t.pos+1, "grouping sets", p.groupItem())
		for p.accept(",") {
			c.Args = append(c.Args, p.groupItem())
			p.checkList(len(c.Args), "GROUPING SETS", p.peek())
		}
		p.expect(")", "after GROUPING SETS")
		return c
	}
	return p.expr()
}

// sortOrLimit reads ORDER BY, or LIMIT, OFFSET and FETCH, which may come in any order.
func (q *query) sortOrLimit() {
	p := q.p
	if at := p.i; p.peek().is("order") {
		if !p.next("order", "by") {
			p.i++
			p.unexpected("BY after ORDER")
		}
		q.emit(at, " ORDER BY")
		for n, o := range p.orderBy() {
			if n > 0 {
				q.emit(at, ",")
			}
			q.hole(at, o)
		}
		return
	}
	at := p.i
	var limit, offset Expr
	for seenLimit, seenOffset := false, false; ; {
		t := p.peek()
		switch {
		case !seenLimit && p.accept("limit"):
			seenLimit = true
			if !p.accept("all") {
				limit = p.limitCount()
			}
			if p.peek().is(",") {
				fail(errAt(p.peek().pos, types.CodeSyntax, "LIMIT #,# syntax is not supported").WithHint("use separate LIMIT and OFFSET clauses: LIMIT count OFFSET start"))
			}
		case !seenOffset && p.accept("offset"):
			seenOffset = true
			offset = p.limitCount()
			if !p.accept("rows") {
				p.accept("row")
			}
		case !seenLimit && p.accept("fetch"):
			seenLimit = true
			limit = p.fetch()
		case t.is("limit") || t.is("offset") || t.is("fetch"):
			p.unexpected("")
		default:
			q.emit(at, " LIMIT "+q.number(limit)+" OFFSET "+q.number(offset))
			return
		}
	}
}

// limitCount reads the expression of LIMIT and OFFSET; NULL means none.
func (p *parser) limitCount() Expr {
	e := p.expr()
	if lit, ok := e.(*Literal); ok && lit.Null {
		return nil
	}
	return e
}

// fetch reads the rest of FETCH FIRST [n] ROWS ONLY.
func (p *parser) fetch() Expr {
	if !p.accept("first") && !p.accept("next") {
		p.unexpected("FIRST or NEXT")
	}
	var n Expr = &Literal{Kind: types.Int4, Text: "1", Pos: p.peek().pos + 1}
	if !p.oneOf("row", "rows") {
		n = p.binary(precUnary, true)
	}
	if !p.accept("row") && !p.accept("rows") {
		p.unexpected("ROW or ROWS")
	}
	if p.next("with", "ties") {
		p.unsupported(p.peek(), "FETCH ... WITH TIES", "use rank() with QUALIFY")
	}
	p.expect("only", "after FETCH FIRST n ROWS")
	return n
}

// number keeps an expression and returns the number of its hole, for LIMIT, where names cannot stand; 0 is none.
func (q *query) number(e Expr) string {
	if e == nil {
		return "0"
	}
	q.holes = append(q.holes, e)
	return strconv.Itoa(len(q.holes) - 1)
}
