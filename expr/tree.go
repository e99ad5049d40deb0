package expr

import (
	"slices"
	"time"

	"rhumb/types"
)

// Type of each node.
func (c *Column) Type() types.Type   { return c.T }
func (c *Const) Type() types.Type    { return c.Value.Type }
func (c *Call) Type() types.Type     { return c.T }
func (c *Logic) Type() types.Type    { return tBool }
func (c *Not) Type() types.Type      { return tBool }
func (c *Case) Type() types.Type     { return c.T }
func (c *Coalesce) Type() types.Type { return c.T }
func (c *Cast) Type() types.Type     { return c.To }
func (c *In) Type() types.Type       { return tBool }

// children returns the operands of a node, in order; a CASE's as cond, then, cond, then, ..., else.
func children(e Expr) []Expr {
	switch e := e.(type) {
	case *Call:
		return e.Args
	case *Logic:
		return e.Args
	case *Not:
		return []Expr{e.Arg}
	case *Case:
		out := make([]Expr, 0, 2*len(e.Whens)+1)
		for _, w := range e.Whens {
			out = append(out, w.Cond, w.Then)
		}
		if e.Else != nil {
			out = append(out, e.Else)
		}
		return out
	case *Coalesce:
		return e.Args
	case *Cast:
		return []Expr{e.Arg}
	case *In:
		return []Expr{e.Arg}
	}
	return nil
}

// withChildren is a copy of e with other operands.
func withChildren(e Expr, kids []Expr) Expr {
	switch e := e.(type) {
	case *Call:
		c := *e
		c.Args = kids
		return &c
	case *Logic:
		return &Logic{Or: e.Or, Args: kids}
	case *Not:
		return &Not{Arg: kids[0]}
	case *Case:
		c := &Case{T: e.T, Whens: make([]When, len(e.Whens))}
		for i := range c.Whens {
			c.Whens[i] = When{kids[2*i], kids[2*i+1]}
		}
		if e.Else != nil {
			c.Else = kids[len(kids)-1]
		}
		return c
	case *Coalesce:
		return &Coalesce{Args: kids, T: e.T}
	case *Cast:
		c := *e
		c.Arg = kids[0]
		return &c
	case *In:
		c := *e
		c.Arg = kids[0]
		return &c
	}
	return e
}

// Walk visits e and its operands in pre-order; f returns false to leave out a node's operands.
func Walk(e Expr, f func(Expr) bool) {
	if e == nil || !f(e) {
		return
	}
	for _, k := range children(e) {
		Walk(k, f)
	}
}

// Map rebuilds e bottom-up: f gets each node, its operands already mapped. Nodes that do not change are shared.
func Map(e Expr, f func(Expr) Expr) Expr {
	if e == nil {
		return nil
	}
	kids := children(e)
	var changed []Expr
	for i, k := range kids {
		if m := Map(k, f); m != k {
			if changed == nil {
				changed = slices.Clone(kids)
			}
			changed[i] = m
		}
	}
	if changed != nil {
		e = withChildren(e, changed)
	}
	return f(e)
}

// Equal reports whether two expressions are the same, whatever their positions and the names of their columns.
func Equal(a, b Expr) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	switch a := a.(type) {
	case *Column:
		b, ok := b.(*Column)
		return ok && a.Index == b.Index && a.T == b.T
	case *Const:
		b, ok := b.(*Const)
		return ok && a.Value == b.Value
	case *Call:
		b, ok := b.(*Call)
		if !ok || a.Func.Name != b.Func.Name || a.T != b.T {
			return false
		}
	case *Logic:
		if b, ok := b.(*Logic); !ok || a.Or != b.Or {
			return false
		}
	case *Not:
		if _, ok := b.(*Not); !ok {
			return false
		}
	case *Case:
		if b, ok := b.(*Case); !ok || len(a.Whens) != len(b.Whens) || a.T != b.T {
			return false
		}
	case *Coalesce:
		if b, ok := b.(*Coalesce); !ok || a.T != b.T {
			return false
		}
	case *Cast:
		if b, ok := b.(*Cast); !ok || a.To != b.To {
			return false
		}
	case *In:
		if b, ok := b.(*In); !ok || a.HasNul != b.HasNul || !slices.Equal(a.Values, b.Values) {
			return false
		}
	}
	return slices.EqualFunc(children(a), children(b), Equal)
}

// Columns returns the indexes of the columns that e reads, each once, ascending.
func Columns(e Expr) []int {
	var out []int
	Walk(e, func(e Expr) bool {
		if c, ok := e.(*Column); ok {
			out = append(out, c.Index)
		}
		return true
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// Volatile reports whether e depends on the clock.
func Volatile(e Expr) bool {
	found := false
	Walk(e, func(e Expr) bool {
		if c, ok := e.(*Call); ok && c.sig.Volatile {
			found = true
		}
		return !found
	})
	return found
}

// Fold computes what is constant, in UTC. What fails to compute stays as it is, so that the error comes when (and if) it is
// evaluated.
func Fold(e Expr) Expr { return FoldIn(e, nil) }

// FoldIn is Fold for a session of another zone.
func FoldIn(e Expr, zone *time.Location) Expr {
	return Map(e, func(e Expr) Expr { return foldNode(e, zone) })
}

func foldNode(e Expr, zone *time.Location) Expr {
	switch e := e.(type) {
	case *Column, *Const:
		return e
	case *Call:
		if e.sig.Volatile {
			return e
		}
	case *Logic:
		return foldLogic(e)
	case *Case:
		return foldCase(e)
	case *Coalesce:
		return foldCoalesce(e)
	}
	for _, k := range children(e) {
		if _, ok := k.(*Const); !ok {
			return e
		}
	}
	if v, err := constValue(e, zone); err == nil {
		return &Const{v}
	}
	return e
}

// foldLogic leaves out operands that do not matter, and stops at one that decides.
func foldLogic(e *Logic) Expr {
	var kept []Expr
	for _, a := range e.Args {
		if c, ok := a.(*Const); ok && !c.Value.Null {
			if (c.Value.I != 0) == e.Or {
				// Earlier operands may fail on a row, but whether they do is not promised by SQL.
				return c
			}
			continue
		}
		kept = append(kept, a)
	}
	switch {
	case len(kept) == len(e.Args):
		return e
	case len(kept) == 0:
		return &Const{types.BoolValue(!e.Or)}
	}
	return newLogic(e.Or, kept)
}

func foldCase(e *Case) Expr {
	c := &Case{T: e.T, Else: e.Else}
	for _, w := range e.Whens {
		k, ok := w.Cond.(*Const)
		if !ok {
			c.Whens = append(c.Whens, w)
			continue
		}
		if !k.Value.Null && k.Value.I != 0 {
			c.Else = w.Then // nothing behind it is reached
			break
		}
	}
	switch {
	case len(c.Whens) == len(e.Whens):
		return e
	case len(c.Whens) > 0:
		return c
	case c.Else == nil:
		return &Const{types.NullOf(c.T)}
	}
	return c.Else
}

func foldCoalesce(e *Coalesce) Expr {
	var kept []Expr
	for _, a := range e.Args {
		c, ok := a.(*Const)
		if ok && c.Value.Null {
			continue
		}
		if kept = append(kept, a); ok {
			break
		}
	}
	switch len(kept) {
	case 0:
		return &Const{types.NullOf(e.T)}
	case 1:
		return kept[0]
	case len(e.Args):
		return e
	}
	return &Coalesce{Args: kept, T: e.T}
}
