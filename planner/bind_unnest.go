package planner

import (
	"slices"

	"rhumb/expr"
	"rhumb/parser"
	"rhumb/types"
)

// unnestFrom binds unnest(array, ...) or another set-returning function, [WITH ORDINALITY] AS a(column, ...), over what stands before it in
// FROM.
func (b *binder) unnestFrom(left Node, f *parser.TableFunc) (Node, error) {
	if left == nil {
		if b.env.Continuous {
			return nil, types.Errorf(types.CodeNotSupported, "a continuous query needs a stream to read").At(f.Pos).
				WithHint("Name the stream first: FROM s, unnest(s.array) AS a(element).")
		}
		left = oneRow()
	}
	if err := appendOnly(left, f.Name.Name, f.Pos); err != nil {
		return nil, err
	}
	list, err := b.scope(left.Props().Schema, "functions in FROM").elements(f)
	if err != nil {
		return nil, err
	}
	qualifier := f.Name.Name
	if f.Alias != nil {
		qualifier = f.Alias.Name.Name
		// As in Postgres, the alias of a function with one column names that column too, unless the function names it.
		if len(list) == 1 && list[0].field.Name == f.Name.Name {
			list[0].field.Name = qualifier
		}
	}
	if err := sameQualifier(left.Props().Schema, qualifier, f.Pos); err != nil {
		return nil, err
	}
	b.functions[qualifier] = true
	n := b.unnestNode(left, list, f.Ordinality, false)
	return n, nameUnnested(n, len(left.Props().Schema), qualifier, f)
}

// elements binds the arrays of a function in FROM: unnest takes several, which run in parallel.
func (s *scope) elements(f *parser.TableFunc) ([]unnesting, error) {
	args, err := s.exprs(f.Args)
	if err != nil {
		return nil, err
	}
	calls := [][]expr.Expr{args}
	if f.Name.Name == "unnest" && len(args) > 1 {
		calls = nil
		for _, a := range args {
			calls = append(calls, []expr.Expr{a})
		}
	}
	var list []unnesting
	for _, c := range calls {
		u, err := s.setReturning(f.Name.Name, c, f.Pos)
		if err != nil {
			return nil, err
		}
		list = append(list, u)
	}
	return list, nil
}

// setReturning resolves a set-returning function: an array, and the column of its elements.
func (s *scope) setReturning(name string, args []expr.Expr, pos int) (unnesting, error) {
	array, err := expr.NewSetReturning(name, args, pos)
	if err != nil {
		return unnesting{}, err
	}
	t, ok := expr.UnnestType(array.Type())
	if !ok {
		return unnesting{}, types.Errorf(types.CodeInternal, "BUG: %s yields %s, not an array", name, array.Type()).At(pos)
	}
	f := types.Field{Name: name, Type: t}
	switch name {
	case "jsonb_array_elements", "jsonb_array_elements_text", "json_array_elements", "json_array_elements_text":
		f.Name = "value" // as Postgres names it
	}
	if c, ok := array.(*expr.Column); ok && c.Index < len(s.schema) {
		f.Entity = s.schema[c.Index].Entity
	}
	if f.Entity == "" && t.Kind == types.Inet {
		f.Entity = "ip"
	}
	return unnesting{array, f}, nil
}

// sameQualifier refuses a table name that is there already.
func sameQualifier(s types.Schema, name string, pos int) error {
	if slices.ContainsFunc(s, func(f types.Field) bool { return f.Qualifier == name && f.Name != "" }) {
		return types.Errorf("42712", "table name %q specified more than once", name).At(pos).WithHint("Give it an alias of its own with AS.")
	}
	return nil
}

// nameUnnested names the columns from first on.
func nameUnnested(n *Unnest, first int, qualifier string, f *parser.TableFunc) error {
	for i := first; i < len(n.P.Schema); i++ {
		n.P.Schema[i].Qualifier = qualifier
	}
	if f.Alias == nil {
		return nil
	}
	for i, name := range f.Alias.Columns {
		if first+i >= len(n.P.Schema) || n.P.Schema[first+i].Hidden {
			return types.Errorf("42P10", "table %q has %d columns available but %d columns specified", qualifier, i, len(f.Alias.Columns)).At(name.Pos)
		}
		n.P.Schema[first+i].Name = name.Name
	}
	return nil
}

// unnestNode puts an Unnest over a node. Where rows are not identified by the coordinates of a record, the element's number becomes
// part of the id; hiddenOrdinal says that nobody asked for it.
func (b *binder) unnestNode(in Node, list []unnesting, ordinality, hiddenOrdinal bool) *Unnest {
	p := *in.Props()
	n := &Unnest{Input: in, Ordinality: ordinality}
	p.Schema = slices.Clone(p.Schema)
	for _, u := range list {
		n.Arrays = append(n.Arrays, u.array)
		p.Schema = append(p.Schema, u.field)
	}
	if b.env.Continuous && !p.ID.Origin && !ordinality {
		n.Ordinality, hiddenOrdinal = true, true
	}
	if n.Ordinality {
		f := types.Field{Name: "ordinality", Type: types.T(types.Int8), Hidden: hiddenOrdinal}
		if hiddenOrdinal {
			f.Name = ""
		}
		p.Schema = append(p.Schema, f)
		if !p.ID.Origin {
			p.ID.Cols = append(slices.Clone(p.ID.Cols), len(p.Schema)-1)
		}
	}
	n.P = p
	b.windows[n] = b.windowsOf(in)
	return n
}

// placeUnnests puts the select list's unnests over a node and returns a function that replaces what stood for their elements.
func (b *binder) placeUnnests(in Node, list []unnesting, pos int) (Node, func(expr.Expr) expr.Expr, error) {
	if len(list) == 0 {
		return in, func(e expr.Expr) expr.Expr { return e }, nil
	}
	if err := appendOnly(in, "unnest", pos); err != nil {
		return nil, nil, err
	}
	width := len(in.Props().Schema)
	return b.unnestNode(in, list, false, false), func(e expr.Expr) expr.Expr {
		return mapColumns(e, func(c *expr.Column) expr.Expr {
			if c.Index < unnestCol {
				return c
			}
			return &expr.Column{Index: width + c.Index - unnestCol, T: c.T, Name: c.Name}
		})
	}, nil
}

// mapColumns rebuilds an expression with its columns replaced.
func mapColumns(e expr.Expr, f func(*expr.Column) expr.Expr) expr.Expr {
	return expr.Map(e, func(x expr.Expr) expr.Expr {
		if c, ok := x.(*expr.Column); ok {
			return f(c)
		}
		return x
	})
}
