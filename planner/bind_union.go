package planner

import (
	"slices"
	"strconv"
	"strings"

	"rhumb/expr"
	"rhumb/parser"
	"rhumb/types"
)

// setOperation binds UNION [ALL] with its ORDER BY and LIMIT.
func (b *binder) setOperation(q *parser.Select, sh shape) (Node, error) {
	switch {
	case q.SetOp == "union" && b.env.Continuous:
		return nil, notYet(q.Pos, "UNION without ALL in a continuous query is", "It would have to remember every row for ever. UNION ALL keeps duplicates.")
	case q.SetOp != "union" && q.SetOp != "union all":
		return nil, notYet(q.Pos, strings.ToUpper(q.SetOp)+" is", "UNION and UNION ALL are.")
	}
	branches := flattenUnion(q)
	nodes := make([]*Project, len(branches))
	for i, br := range branches {
		n, err := b.query(br, shape{keepUnknown: sh.keepUnknown || q.SetOp != ""})
		if err != nil {
			return nil, err
		}
		if err := appendOnly(n, "UNION ALL", br.Pos); err != nil {
			return nil, err
		}
		nodes[i] = b.asProject(n)
		if b.env.Continuous && !n.Props().ID.Origin {
			return nil, notYet(br.Pos, "UNION ALL of aggregations in a continuous query is", "Make each branch a stream of its own, and read the UNION ALL of those.")
		}
		if len(nodes[i].Exprs) != len(nodes[0].Exprs) {
			return nil, types.Errorf(types.CodeSyntax, "each UNION query must have the same number of columns").At(br.Pos).
				WithHint("The first has %d, this one %d.", len(nodes[0].Exprs), len(nodes[i].Exprs))
		}
	}
	if err := b.unify(nodes, branches, sh); err != nil {
		return nil, err
	}
	var n Node = b.union(nodes)
	if q.SetOp == "union" {
		n = &Distinct{Input: n, P: *n.Props()}
	}
	order, err := orderByResult(q, n.Props().Schema)
	if err != nil {
		return nil, err
	}
	return b.sortLimit(n, order, q)
}

// flattenUnion lists the branches of a chain of UNION ALL. (A chain of UNION nests: what it removes depends on the nesting only where
// ALL is mixed in.)
func flattenUnion(q *parser.Select) []*parser.Select {
	var out []*parser.Select
	for _, side := range []*parser.Select{q.Left, q.Right} {
		plain := side.SetOp == q.SetOp && len(side.With) == 0 && len(side.OrderBy) == 0 && side.Limit == nil && side.Offset == nil && side.Emit == nil
		if plain {
			out = append(out, flattenUnion(side)...)
		} else {
			out = append(out, side)
		}
	}
	return out
}

// asProject is the node itself, if it is a projection, or one over it.
func (b *binder) asProject(n Node) *Project {
	if p, ok := n.(*Project); ok {
		return p
	}
	s := n.Props().Schema
	var exprs []expr.Expr
	var fields []types.Field
	for i, f := range s {
		if !f.Hidden {
			exprs = append(exprs, &expr.Column{Index: i, T: f.Type, Name: f.Name})
			fields = append(fields, f)
		}
	}
	return b.project(n, exprs, fields)
}

// unify casts the columns of the branches to common types.
func (b *binder) unify(nodes []*Project, branches []*parser.Select, sh shape) error {
	for col := range nodes[0].Exprs {
		var column []expr.Expr
		for _, n := range nodes {
			column = append(column, n.Exprs[col])
		}
		pos := columnPos(branches[len(branches)-1], col)
		t, err := expr.CommonType(pos, column...)
		if err != nil {
			return err
		}
		if t.Kind == types.Unknown {
			if sh.keepUnknown {
				continue
			}
			t = types.T(types.Text)
		}
		for i, n := range nodes {
			if n.Exprs[col].Type() == t {
				continue
			}
			if n.Exprs[col], err = expr.Coerce(n.Exprs[col], t, columnPos(branches[i], col)); err != nil {
				return err
			}
			n.P.Schema[col].Type = t
			if n.P.TimeCol == col {
				n.P.TimeCol = -1
			}
		}
	}
	return nil
}

// columnPos is where a column of a query stands in the statement, as near as is known.
func columnPos(q *parser.Select, col int) int {
	if pos := itemPositions(q); col < len(pos) {
		return pos[col]
	}
	return q.Pos
}

// union makes the node. Names are those of the first branch; a row is its branch and what it is there.
func (b *binder) union(nodes []*Project) *Union {
	first := nodes[0].P
	u := &Union{P: Props{Schema: slices.Clone(first.Schema), TimeCol: first.TimeCol, Watermark: true, ID: RowID{Origin: b.env.Continuous}}}
	for i := range u.P.Schema {
		u.P.Schema[i].Qualifier = ""
	}
	branchCol := len(u.P.Schema)
	for i, n := range nodes {
		if n.P.TimeCol != u.P.TimeCol {
			u.P.TimeCol = -1
		}
		u.P.Watermark = u.P.Watermark && n.P.Watermark
		for c, f := range n.P.Schema {
			if f.Entity != u.P.Schema[c].Entity {
				u.P.Schema[c].Entity = ""
			}
		}
		if b.env.Continuous {
			n.Exprs = append(n.Exprs, &expr.Const{Value: types.IntValue(types.Int4, int64(i))})
			n.P.Schema = append(n.P.Schema, types.Field{Type: types.T(types.Int4), Hidden: true})
			n.P.ID.Cols = append(n.P.ID.Cols, branchCol)
		}
		u.In = append(u.In, n)
	}
	if b.env.Continuous {
		u.P.Schema = append(u.P.Schema, types.Field{Type: types.T(types.Int4), Hidden: true})
		u.P.ID.Cols = []int{branchCol}
	}
	return u
}

// orderByResult binds the ORDER BY of a set operation or VALUES: names and ordinals of the result's columns.
func orderByResult(q *parser.Select, s types.Schema) ([]expr.SortKey, error) {
	var keys []expr.SortKey
	for _, o := range q.OrderBy {
		col := -1
		switch e := o.Expr.(type) {
		case *parser.Literal:
			i, err := ordinal(e, "ORDER BY", len(s))
			if err != nil {
				return nil, err
			}
			col = i
		case *parser.ColumnRef:
			if len(e.Parts) == 1 {
				col = slices.IndexFunc(s, func(f types.Field) bool { return f.Name == e.Parts[0].Name })
			}
			if col < 0 {
				return nil, types.Errorf(types.CodeUndefinedColumn, "column %q does not exist in the result", figureName(e)).At(e.Pos)
			}
		default:
			return nil, types.Errorf(types.CodeNotSupported, "invalid UNION/INTERSECT/EXCEPT ORDER BY clause").At(o.Expr.Position()).
				WithDetail("Only result column names can be used, not expressions or functions.").
				WithHint("Put the UNION into a subquery and sort that.")
		}
		keys = append(keys, expr.SortKey{Expr: &expr.Column{Index: col}, Desc: o.Desc, NullsFirst: o.NullsFirst})
	}
	return keys, nil
}

// values binds VALUES (...), (...).
func (b *binder) values(q *parser.Select, sh shape) (Node, error) {
	n := &Values{P: Props{TimeCol: -1}}
	for _, row := range q.Values {
		if len(row) != len(q.Values[0]) {
			return nil, types.Errorf(types.CodeSyntax, "VALUES lists must all be the same length").At(q.Pos)
		}
		xs, err := b.scope(nil, "VALUES").exprs(row)
		if err != nil {
			return nil, err
		}
		n.Rows = append(n.Rows, xs)
	}
	for col := range q.Values[0] {
		t, err := unifyColumn(n.Rows, col, q, sh)
		if err != nil {
			return nil, err
		}
		n.P.Schema = append(n.P.Schema, types.Field{Name: "column" + strconv.Itoa(col+1), Type: t})
	}
	order, err := orderByResult(q, n.P.Schema)
	if err != nil {
		return nil, err
	}
	return b.sortLimit(n, order, q)
}

func unifyColumn(rows [][]expr.Expr, col int, q *parser.Select, sh shape) (types.Type, error) {
	var column []expr.Expr
	for _, r := range rows {
		column = append(column, r[col])
	}
	t, err := expr.CommonType(q.Values[0][col].Position(), column...)
	if err != nil {
		return t, err
	}
	if t.Kind == types.Unknown {
		t = types.T(types.Text)
	}
	for i, r := range rows {
		if r[col], err = expr.Coerce(r[col], t, q.Values[i][col].Position()); err != nil {
			return t, err
		}
	}
	return t, nil
}
