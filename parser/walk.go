package parser

// children calls f for each expression directly below e, in the order of the text. Queries inside e are not entered.
func children(e Expr, f func(Expr)) {
	opt := func(e Expr) {
		if e != nil {
			f(e)
		}
	}
	all := func(es []Expr) {
		for _, e := range es {
			f(e)
		}
	}
	order := func(items []OrderItem) {
		for _, o := range items {
			f(o.Expr)
		}
	}
	switch e := e.(type) {
	case *ColumnRef, *Literal, *TypedLiteral, *Param, *Subquery:
	case *Unary:
		f(e.Arg)
	case *Binary:
		f(e.L)
		f(e.R)
	case *Like:
		f(e.Arg)
		f(e.Pattern)
		opt(e.Escape)
	case *Is:
		f(e.Arg)
	case *Between:
		f(e.Arg)
		f(e.Lo)
		f(e.Hi)
	case *In:
		f(e.Arg)
		all(e.List)
	case *Quantified:
		f(e.Arg)
		opt(e.Array)
	case *Call:
		all(e.Args)
		order(e.OrderBy)
		opt(e.Filter)
		if e.Over != nil {
			all(e.Over.PartitionBy)
			order(e.Over.OrderBy)
		}
	case *Cast:
		f(e.Arg)
	case *Case:
		opt(e.Arg)
		for _, w := range e.Whens {
			f(w.Cond)
			f(w.Then)
		}
		opt(e.Else)
	case *ArrayLit:
		all(e.Elems)
	case *Subscript:
		f(e.Arg)
		f(e.Index)
	case *Row:
		all(e.Elems)
	case *Field:
		f(e.Arg)
	default:
		panic("BUG: unknown expression")
	}
}

// Walk calls visit for e and the expressions below it in the order of the text; where visit returns false it does not go below. Queries
// inside e (Subquery, In, Quantified) are not entered.
func Walk(e Expr, visit func(Expr) bool) {
	if visit(e) {
		children(e, func(c Expr) { Walk(c, visit) })
	}
}

// height is the number of expressions on the longest way down from e.
func height(e Expr) int {
	n := 0
	children(e, func(c Expr) { n = max(n, height(c)) })
	return n + 1
}
