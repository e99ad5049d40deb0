package planner

import "rhumb/parser"

// collectNames adds the last part of each column reference of a query, and of the queries in it, to names.
func collectNames(sel *parser.Select, names map[string]bool) {
	w := walker{visit: func(e parser.Expr) {
		if r, ok := e.(*parser.ColumnRef); ok && !r.Star && len(r.Parts) > 0 {
			names[r.Parts[len(r.Parts)-1].Name] = true
		}
	}}
	w.query(sel)
}

// walker visits every expression of a query, also those of its subqueries.
type walker struct{ visit func(parser.Expr) }

func (w walker) query(s *parser.Select) {
	if s == nil {
		return
	}
	for _, c := range s.With {
		w.query(c.Query)
	}
	w.exprs(s.On...)
	for _, it := range s.Items {
		w.exprs(it.Expr)
	}
	for _, t := range s.From {
		w.table(t)
	}
	w.exprs(s.Where)
	w.exprs(s.GroupBy...)
	w.exprs(s.Having, s.Qualify)
	w.query(s.Left)
	w.query(s.Right)
	for _, row := range s.Values {
		w.exprs(row...)
	}
	w.order(s.OrderBy)
	w.exprs(s.Limit, s.Offset)
}

func (w walker) table(t parser.TableExpr) {
	switch t := t.(type) {
	case *parser.TableFunc:
		if t.Input != nil {
			w.table(t.Input)
		}
		w.exprs(t.PartitionBy...)
		w.exprs(t.Args...)
	case *parser.DerivedTable:
		w.query(t.Query)
	case *parser.Join:
		w.table(t.L)
		w.table(t.R)
		w.exprs(t.On)
	}
}

func (w walker) order(items []parser.OrderItem) {
	for _, o := range items {
		w.exprs(o.Expr)
	}
}

func (w walker) exprs(es ...parser.Expr) {
	for _, e := range es {
		if e != nil {
			parser.Walk(e, w.one)
		}
	}
}

// one visits an expression, and the query in it if it has one: parser.Walk does not enter those.
func (w walker) one(e parser.Expr) bool {
	w.visit(e)
	switch e := e.(type) {
	case *parser.In:
		w.query(e.Query)
	case *parser.Quantified:
		w.query(e.Query)
	case *parser.Subquery:
		w.query(e.Query)
	}
	return true
}
