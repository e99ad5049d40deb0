package planner

import (
	"fmt"

	"rhumb/expr"
	"rhumb/types"
)

// sound verifies what must hold of every plan: expressions read columns that are there with their types, schemas have the types of
// what computes them, and properties point into schemas. The rules must not change the root's result.
func sound(n, was Node) error {
	if got, want := visible(n), visible(was); got != want {
		return fmt.Errorf("BUG: the result was %s, now %s", want, got)
	}
	return check(n)
}

func visible(n Node) string {
	s := ""
	for _, f := range n.Props().Schema {
		if !f.Hidden {
			s += f.Name + " " + f.Type.String() + ", "
		}
	}
	return s
}

func check(n Node) error {
	for _, in := range n.Inputs() {
		if err := check(in); err != nil {
			return err
		}
	}
	p := n.Props()
	if p.TimeCol >= len(p.Schema) {
		return fmt.Errorf("BUG: %T: event time column %d of %d", n, p.TimeCol, len(p.Schema))
	}
	for _, c := range p.ID.Cols {
		if c < 0 || c >= len(p.Schema) {
			return fmt.Errorf("BUG: %T: row id column %d of %d", n, c, len(p.Schema))
		}
	}
	want, reads, over := layout(n)
	for _, e := range reads {
		if err := checkExpr(n, e, over); err != nil {
			return err
		}
	}
	if len(want) != len(p.Schema) {
		return fmt.Errorf("BUG: %T: %d columns, schema of %d", n, len(want), len(p.Schema))
	}
	for i, t := range want {
		if p.Schema[i].Type != t {
			return fmt.Errorf("BUG: %T: column %d %q is %s, schema says %s", n, i, p.Schema[i].Name, t, p.Schema[i].Type)
		}
	}
	return nil
}

func checkExpr(n Node, e expr.Expr, over types.Schema) error {
	var fault error
	expr.Walk(e, func(x expr.Expr) bool {
		c, ok := x.(*expr.Column)
		switch {
		case !ok:
		case c.Index < 0 || c.Index >= len(over):
			fault = fmt.Errorf("BUG: %T reads column %d (%s) of %d", n, c.Index, c.Name, len(over))
		case over[c.Index].Type != c.T:
			fault = fmt.Errorf("BUG: %T reads column %d (%s) as %s, it is %s", n, c.Index, c.Name, c.T, over[c.Index].Type)
		}
		return true
	})
	return fault
}

func typesOf(s types.Schema) []types.Type {
	var out []types.Type
	for _, f := range s {
		out = append(out, f.Type)
	}
	return out
}

// layout is the types of a node's columns as its clauses make them, its expressions, and the schema that those are over.
func layout(n Node) (cols []types.Type, reads []expr.Expr, over types.Schema) {
	if ins := n.Inputs(); len(ins) > 0 {
		over = ins[0].Props().Schema
	}
	cols = typesOf(over)
	switch n := n.(type) {
	case *Scan:
		for _, c := range n.Columns {
			cols = append(cols, n.Object.Columns[c].Type)
		}
		for _, name := range n.System {
			for _, f := range systemColumns(n.Object, n.Access) {
				if f.Name == name {
					cols = append(cols, f.Type)
				}
			}
		}
		if n.Filter != nil {
			reads = append(reads, n.Filter)
		}
		over = n.P.Schema
	case *Filter:
		reads = append(reads, n.Pred)
	case *Project:
		cols, reads = nil, n.Exprs
		for _, e := range n.Exprs {
			cols = append(cols, e.Type())
		}
	case *Unnest:
		reads = n.Arrays
		for _, a := range n.Arrays {
			t, _ := expr.UnnestType(a.Type())
			cols = append(cols, t)
		}
		if n.Ordinality {
			cols = append(cols, types.T(types.Int8))
		}
	case *Window:
		t := over[n.Time].Type.Base()
		cols = append(cols, t, t, t)
	case *Aggregate:
		cols, reads = nil, append(reads, n.Keys...)
		for _, k := range n.Keys {
			cols = append(cols, k.Type())
		}
		for _, a := range n.Aggs {
			cols = append(cols, a.T)
			reads = append(reads, a.Args...)
			if a.Filter != nil {
				reads = append(reads, a.Filter)
			}
		}
	case *Sort:
		for _, k := range n.Keys {
			reads = append(reads, k.Expr)
		}
	case *Values:
		for _, f := range n.P.Schema {
			cols = append(cols, f.Type)
		}
	}
	return cols, reads, over
}
