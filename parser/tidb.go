package parser

import (
	"fmt"
	"strconv"
	"strings"

	tidb "github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
	_ "github.com/pingcap/tidb/pkg/parser/test_driver" // the values of literals; only the numbers of LIMIT are read

	"rhumb/types"
)

// parse lets TiDB read the text of the query and makes our tree of its tree and the holes.
func (q *query) parse() *Select {
	if q.p.tidb == nil {
		q.p.tidb = tidb.New()
	}
	q.used = make([]bool, len(q.holes))
	stmt, err := q.p.tidb.ParseOneStmt(string(q.text), "", "")
	if err != nil {
		fail(q.relocate(err))
	}
	s := q.toSelect(stmt)
	q.checkUsed()
	return s
}

// checkUsed verifies that nothing which was read has been lost on the way through TiDB's tree.
func (q *query) checkUsed() {
	for i, h := range q.holes {
		switch h := h.(type) {
		case nil:
		case cteHole:
			if !q.used[i] {
				// TiDB keeps one of WITH a AS (...) (WITH b AS (...) SELECT ...).
				fail(types.Errorf(types.CodeSyntax, "multiple WITH clauses not allowed").At(h.name.Pos))
			}
		default:
			if !q.used[i] {
				fail(bug("hole %d (%T) is lost in %s", i, h, q.text))
			}
		}
	}
}

// bug is the error for what TiDB's parser must not do.
func bug(format string, args ...any) *types.Error {
	return types.Errorf(types.CodeInternal, "BUG: "+format, args...)
}

// open returns what a hole holds and remembers that it was read.
func (q *query) open(i int) any {
	if i < 0 || i >= len(q.holes) {
		fail(bug("no hole %d in %s", i, q.text))
	}
	q.used[i] = true
	return q.holes[i]
}

// relocate makes of TiDB's message, which is about the text that we wrote, an error at the user's token. TiDB names the end of the token
// that it could not read.
func (q *query) relocate(err error) *types.Error {
	p, tok := q.p, q.p.i
	var line, col int
	if n, _ := fmt.Sscanf(err.Error(), "line %d column %d near", &line, &col); n == 2 && !strings.HasSuffix(strings.TrimSpace(err.Error()), `near ""`) {
		for _, m := range q.marks {
			if m.off < col {
				tok = m.tok
			}
		}
	}
	return p.syntaxError(min(tok, len(p.toks)-1), "")
}

// toSelect converts a statement or a member of a set operation.
func (q *query) toSelect(n ast.Node) *Select {
	switch n := n.(type) {
	case *ast.SelectStmt:
		return q.options(q.core(n), n.With, n.OrderBy, n.Limit)
	case *ast.SetOprStmt:
		return q.options(q.setOperation(n.SelectList.Selects), n.With, n.OrderBy, n.Limit)
	case *ast.SetOprSelectList:
		with := n.With
		if len(n.Selects) == 1 {
			if s, ok := n.Selects[0].(*ast.SelectStmt); ok && s.With == with {
				with = nil // TiDB has copied it from the only member
			}
		}
		return q.options(q.setOperation(n.Selects), with, n.OrderBy, n.Limit)
	case *ast.SubqueryExpr:
		return q.toSelect(n.Query)
	}
	fail(bug("a %T in %s", n, q.text))
	return nil
}

// core converts one SELECT without ORDER BY and LIMIT.
func (q *query) core(n *ast.SelectStmt) *Select {
	first := q.expr(n.Fields.Fields[0].Expr).(itemHole)
	core := first.core
	s := &Select{Pos: core.pos, Values: core.values, Distinct: n.Distinct, On: core.on, Qualify: core.qualify}
	if core.table != nil {
		s.Items = []SelectItem{{Expr: &ColumnRef{Star: true, Pos: core.pos}, Pos: core.pos}}
		s.From = []TableExpr{core.table}
		return s
	}
	for _, f := range n.Fields.Fields {
		if h := q.expr(f.Expr).(itemHole); h.item != nil {
			s.Items = append(s.Items, *h.item)
		}
	}
	if n.From != nil {
		s.From = q.fromList(n.From.TableRefs)
	}
	if n.Where != nil {
		s.Where = q.expr(n.Where).(Expr)
	}
	if n.GroupBy != nil {
		for _, item := range n.GroupBy.Items {
			s.GroupBy = append(s.GroupBy, q.expr(item.Expr).(Expr))
		}
	}
	if n.Having != nil {
		s.Having = q.expr(n.Having.Expr).(Expr)
	}
	return s
}

// expr is what the hole of a TiDB expression holds.
func (q *query) expr(n ast.ExprNode) any { return q.named(n.(*ast.ColumnNameExpr).Name.Name.O) }

// named is what the hole of a name holds.
func (q *query) named(name string) any {
	i, err := strconv.Atoi(strings.TrimPrefix(name, "h"))
	if err != nil {
		fail(bug("no hole %q in %s", name, q.text))
	}
	return q.open(i)
}

// fromList converts FROM: members separated by commas are joins without a condition on the left spine.
func (q *query) fromList(n ast.ResultSetNode) []TableExpr {
	if j, ok := n.(*ast.Join); ok && j.On == nil && !j.ExplicitParens {
		list := q.fromList(j.Left)
		if j.Right != nil {
			list = append(list, q.fromList(j.Right)...)
		}
		return list
	}
	if t := q.tableExpr(n); t != nil {
		return []TableExpr{t}
	}
	return nil
}

// tableExpr converts a table or join; nil is the missing FROM.
func (q *query) tableExpr(n ast.ResultSetNode) TableExpr {
	switch n := n.(type) {
	case *ast.Join:
		if n.Right == nil {
			return q.tableExpr(n.Left)
		}
		if n.On == nil {
			fail(bug("a join without condition in %s", q.text))
		}
		h := q.expr(n.On.Expr).(joinHole)
		return &Join{Kind: h.kind, L: q.tableExpr(n.Left), R: q.tableExpr(n.Right), On: h.on, Using: h.using, Pos: h.pos}
	case *ast.TableSource:
		if name, ok := n.Source.(*ast.TableName); ok {
			t, _ := q.named(name.Name.O).(TableExpr)
			return t
		}
		h := q.named(n.AsName.O).(derivedHole)
		return &DerivedTable{Query: q.toSelect(n.Source), Alias: h.alias, Lateral: h.lateral, Pos: h.pos}
	}
	fail(bug("a %T in FROM of %s", n, q.text))
	return nil
}

// options adds WITH, ORDER BY and LIMIT. As in Postgres those outside of parentheses belong to the query inside.
func (q *query) options(s *Select, with *ast.WithClause, order *ast.OrderByClause, limit *ast.Limit) *Select {
	if with != nil {
		if s.With != nil {
			fail(types.Errorf(types.CodeSyntax, "multiple WITH clauses not allowed").At(s.Pos))
		}
		s.Recursive = with.IsRecursive
		for _, c := range with.CTEs {
			h := q.named(c.Name.O).(cteHole)
			s.With = append(s.With, CTE{Name: h.name, Columns: h.columns, Query: q.toSelect(c.Query.Query)})
		}
	}
	if order != nil {
		for i, item := range order.Items {
			o := q.expr(item.Expr).(OrderItem)
			if i == 0 && s.OrderBy != nil {
				fail(types.Errorf(types.CodeSyntax, "multiple ORDER BY clauses not allowed").At(o.Expr.Position()))
			}
			s.OrderBy = append(s.OrderBy, o)
		}
	}
	if limit != nil {
		q.limit(s, limit)
	}
	return s
}

func (q *query) limit(s *Select, n *ast.Limit) {
	inner := s.Limit != nil || s.Offset != nil
	s.Limit, s.Offset = q.count(n.Count, s.Limit), q.count(n.Offset, s.Offset)
	if inner {
		fail(types.Errorf(types.CodeSyntax, "multiple LIMIT clauses not allowed").At(s.Pos).WithHint("put the inner query into FROM: SELECT * FROM (...) AS t"))
	}
}

// count is the expression of LIMIT or OFFSET, whose hole's number stands in the text; hole 0 is none.
func (q *query) count(n ast.ExprNode, old Expr) Expr {
	v, ok := n.(ast.ValueExpr)
	if !ok {
		return old
	}
	i, _ := v.GetValue().(uint64)
	if e, ok := q.open(int(i)).(Expr); ok {
		return e
	}
	return old
}

// setOperation folds the flat list that TiDB makes of set operations: INTERSECT binds more tightly, all associate to the left.
func (q *query) setOperation(list []ast.Node) *Select {
	if len(list) > maxSetOps {
		fail(types.Errorf(types.CodeProgramLimit, "a set operation has more than %d operands", maxSetOps).At(1))
	}
	var terms []*Select
	var ops []string
	for i, n := range list {
		s := q.toSelect(n)
		op := ""
		switch n := n.(type) {
		case *ast.SelectStmt:
			op = operatorOf(n.AfterSetOperator)
		case *ast.SetOprSelectList:
			op = operatorOf(n.AfterSetOperator)
		}
		if i > 0 && strings.HasPrefix(op, "intersect") {
			last := len(terms) - 1
			terms[last] = &Select{SetOp: op, Left: terms[last], Right: s, Pos: terms[last].Pos}
			continue
		}
		terms, ops = append(terms, s), append(ops, op)
	}
	s := terms[0]
	for i, t := range terms[1:] {
		s = &Select{SetOp: ops[i+1], Left: s, Right: t, Pos: s.Pos}
	}
	return s
}

func operatorOf(op *ast.SetOprType) string {
	if op == nil {
		return ""
	}
	return strings.ToLower(op.String())
}
