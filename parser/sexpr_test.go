package parser

import (
	"fmt"
	"strings"

	"rhumb/types"
)

// sexpr prints a tree compactly: expressions as (op args), queries clause by clause.
type sexpr struct{ strings.Builder }

func statementString(s Statement) string {
	var w sexpr
	w.statement(s)
	return w.String()
}

func exprString(e Expr) string {
	var w sexpr
	w.expr(e)
	return w.String()
}

func (w *sexpr) f(format string, args ...any) { fmt.Fprintf(&w.Builder, format, args...) }

func idents(ids []Ident) string {
	var s []string
	for _, id := range ids {
		s = append(s, Quote(id.Name))
	}
	return strings.Join(s, ".")
}

func identList(ids []Ident) string { return strings.ReplaceAll(idents(ids), ".", " ") }

func typeString(t TypeName) string {
	if t.Alias != "" {
		return t.Alias + "~" + t.Type.String()
	}
	return t.Type.String()
}

func (w *sexpr) list(head string, es []Expr) {
	w.f("(%s", head)
	for _, e := range es {
		w.f(" ")
		w.expr(e)
	}
	w.f(")")
}

func not(n bool) string {
	if n {
		return "not "
	}
	return ""
}

func (w *sexpr) expr(e Expr) {
	switch e := e.(type) {
	case nil:
		w.f("nil")
	case *ColumnRef:
		w.f("%s", idents(e.Parts))
		if e.Star {
			if len(e.Parts) > 0 {
				w.f(".")
			}
			w.f("*")
		}
	case *Literal:
		switch {
		case e.Null:
			w.f("null")
		case e.Kind == 0:
			w.f("%s", quoteString(e.Text))
		default:
			w.f("%s", e.Text)
			switch types.T(e.Kind).String() {
			case "bigint":
				w.f("L")
			case "numeric":
				w.f("N")
			}
		}
	case *TypedLiteral:
		w.f("(%s %s)", typeString(e.Type), quoteString(e.Text))
	case *Param:
		w.f("$%d", e.Number)
	case *Unary:
		w.list(e.Op, []Expr{e.Arg})
	case *Binary:
		w.list(e.Op, []Expr{e.L, e.R})
	case *Like:
		head := not(e.Not) + "like"
		if e.ILike {
			head = not(e.Not) + "ilike"
		}
		args := []Expr{e.Arg, e.Pattern}
		if e.Escape != nil {
			args = append(args, e.Escape)
		}
		w.list(head, args)
	case *Is:
		w.list("is "+not(e.Not)+e.What, []Expr{e.Arg})
	case *Between:
		head := not(e.Not) + "between"
		if e.Symmetric {
			head += " symmetric"
		}
		w.list(head, []Expr{e.Arg, e.Lo, e.Hi})
	case *In:
		w.f("(%sin ", not(e.Not))
		w.expr(e.Arg)
		if e.Query != nil {
			w.f(" ")
			w.query(e.Query)
		}
		for _, x := range e.List {
			w.f(" ")
			w.expr(x)
		}
		w.f(")")
	case *Quantified:
		q := "any"
		if e.All {
			q = "all"
		}
		w.f("(%s %s ", e.Op, q)
		w.expr(e.Arg)
		w.f(" ")
		if e.Query != nil {
			w.query(e.Query)
		} else {
			w.expr(e.Array)
		}
		w.f(")")
	case *Call:
		w.call(e)
	case *Cast:
		w.list("::"+typeString(e.Type), []Expr{e.Arg})
	case *Case:
		w.f("(case")
		if e.Arg != nil {
			w.f(" ")
			w.expr(e.Arg)
		}
		for _, c := range e.Whens {
			w.f(" ")
			w.list("when", []Expr{c.Cond, c.Then})
		}
		if e.Else != nil {
			w.f(" ")
			w.list("else", []Expr{e.Else})
		}
		w.f(")")
	case *ArrayLit:
		w.list("array", e.Elems)
	case *Subscript:
		w.list("[]", []Expr{e.Arg, e.Index})
	case *Row:
		w.list("row", e.Elems)
	case *Field:
		w.f("(field ")
		w.expr(e.Arg)
		if e.Star {
			w.f(" *)")
		} else {
			w.f(" %s)", Quote(e.Name.Name))
		}
	case *Subquery:
		w.f("(%s ", e.Kind)
		w.query(e.Query)
		w.f(")")
	default:
		panic(fmt.Sprintf("%T", e))
	}
}

func (w *sexpr) call(e *Call) {
	w.f("(%s", strings.ReplaceAll(idents(e.Name), `"`, ""))
	if e.Star {
		w.f(" *")
	}
	if e.Distinct {
		w.f(" distinct")
	}
	for i, a := range e.Args {
		w.f(" ")
		if e.ArgNames != nil && e.ArgNames[i] != "" {
			w.f("%s=>", e.ArgNames[i])
		}
		w.expr(a)
	}
	if e.WithinGroup {
		w.f(" within-group")
	}
	w.order(e.OrderBy)
	if e.Filter != nil {
		w.f(" ")
		w.list("filter", []Expr{e.Filter})
	}
	if o := e.Over; o != nil {
		w.f(" (over")
		if o.Name != "" {
			w.f(" name=%s", o.Name)
		}
		if o.PartitionBy != nil {
			w.f(" ")
			w.list("partition", o.PartitionBy)
		}
		w.order(o.OrderBy)
		if o.Frame != "" {
			w.f(" {%s}", o.Frame)
		}
		w.f(")")
	}
	w.f(")")
}

func (w *sexpr) order(items []OrderItem) {
	if items == nil {
		return
	}
	w.f(" (order")
	for _, o := range items {
		w.f(" ")
		w.expr(o.Expr)
		if o.Desc {
			w.f("-desc")
		}
		if o.NullsFirst != o.Desc {
			w.f("-nulls-%s", map[bool]string{true: "first", false: "last"}[o.NullsFirst])
		}
	}
	w.f(")")
}

func (w *sexpr) clause(name string, es ...Expr) {
	if len(es) > 0 && es[0] != nil {
		w.f(" ")
		w.list(name, es)
	}
}

func (w *sexpr) query(s *Select) {
	w.f("(")
	if s.With != nil {
		w.f("with")
		if s.Recursive {
			w.f(" recursive")
		}
		for _, c := range s.With {
			w.f(" [%s", Quote(c.Name.Name))
			if c.Columns != nil {
				w.f(" (%s)", identList(c.Columns))
			}
			w.f(" ")
			w.query(c.Query)
			w.f("]")
		}
		w.f(" ")
	}
	switch {
	case s.SetOp != "":
		w.f("%s ", s.SetOp)
		w.query(s.Left)
		w.f(" ")
		w.query(s.Right)
	case s.Values != nil:
		w.f("values")
		for _, r := range s.Values {
			w.f(" ")
			w.list("row", r)
		}
	default:
		w.core(s)
	}
	w.order(s.OrderBy)
	w.clause("limit", s.Limit)
	w.clause("offset", s.Offset)
	if s.Emit != nil {
		w.f(" (emit %s", s.Emit.Kind)
		if s.Emit.Every != nil {
			w.f(" ")
			w.expr(s.Emit.Every)
		}
		w.f(")")
	}
	w.f(")")
}

func (w *sexpr) core(s *Select) {
	w.f("select")
	if s.Distinct {
		w.f(" distinct")
	}
	w.clause("on", s.On...)
	for _, it := range s.Items {
		w.f(" ")
		w.expr(it.Expr)
		if it.Alias != nil {
			w.f(":%s", Quote(it.Alias.Name))
		}
	}
	if s.From != nil {
		w.f(" (from")
		for _, t := range s.From {
			w.f(" ")
			w.table(t)
		}
		w.f(")")
	}
	w.clause("where", s.Where)
	w.clause("group", s.GroupBy...)
	w.clause("having", s.Having)
	w.clause("qualify", s.Qualify)
}

func (w *sexpr) alias(a *Alias) {
	if a == nil {
		return
	}
	w.f(" as %s", Quote(a.Name.Name))
	if a.Columns != nil {
		w.f("(%s)", identList(a.Columns))
	}
}

func (w *sexpr) table(t TableExpr) {
	switch t := t.(type) {
	case *TableRef:
		if t.Alias == nil {
			w.f("%s", idents(t.Name))
			return
		}
		w.f("[%s", idents(t.Name))
		w.alias(t.Alias)
		w.f("]")
	case *TableFunc:
		w.f("[")
		if t.Lateral {
			w.f("lateral ")
		}
		w.f("%s(", Quote(t.Name.Name))
		if t.Input != nil {
			w.f("input ")
			w.table(t.Input)
			w.f("; ")
		}
		if t.PartitionBy != nil {
			w.list("partition", t.PartitionBy)
			w.f("; ")
		}
		for i, a := range t.Args {
			if i > 0 {
				w.f(" ")
			}
			w.expr(a)
		}
		w.f(")")
		if t.Ordinality {
			w.f(" ordinality")
		}
		w.alias(t.Alias)
		w.f("]")
	case *DerivedTable:
		w.f("[")
		if t.Lateral {
			w.f("lateral ")
		}
		w.query(t.Query)
		w.alias(t.Alias)
		w.f("]")
	case *Join:
		w.f("(%s-join ", t.Kind)
		w.table(t.L)
		w.f(" ")
		w.table(t.R)
		if t.On != nil {
			w.f(" ")
			w.list("on", []Expr{t.On})
		}
		if t.Using != nil {
			w.f(" using(%s)", identList(t.Using))
		}
		w.f(")")
	default:
		panic(fmt.Sprintf("%T", t))
	}
}

func (w *sexpr) options(opts []Option) {
	for _, o := range opts {
		v := o.Value
		if o.Quote {
			v = quoteString(v)
		}
		w.f("\n  with %s = %s", o.Name, v)
	}
}

func flags(pairs ...any) string {
	s := ""
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1].(bool) {
			s += " " + pairs[i].(string)
		}
	}
	return s
}

func (w *sexpr) statement(s Statement) {
	switch s := s.(type) {
	case *SelectStmt:
		w.query(s.Query)
	case *CreateStream:
		w.f("create-stream %s%s", Quote(s.Name.Name), flags("or-replace", s.OrReplace, "if-not-exists", s.IfNotExists))
		for _, c := range s.Columns {
			w.f("\n  %s %s", Quote(c.Name.Name), typeString(c.Type))
			if c.Path != "" {
				w.f(" path=%s", c.Path)
			}
			w.f("%s", flags("not-null", c.NotNull))
			if c.Default != nil {
				w.f(" default=%s {%s}", exprString(c.Default), c.DefaultText)
			}
			if c.Entity != "" {
				w.f(" entity=%s", c.Entity)
			}
			if c.As != nil {
				w.f(" as=%s {%s}", exprString(c.As), c.AsText)
			}
		}
		if s.WatermarkOn != nil {
			w.f("\n  watermark %s = %s {%s}", Quote(s.WatermarkOn.Name), exprString(s.Watermark), s.WatermarkText)
		}
		if s.EventID != nil {
			w.f("\n  event-id %s", Quote(s.EventID.Name))
		}
		w.options(s.Options)
	case *CreateAs:
		w.f("create-as %s %s%s", s.Kind, Quote(s.Name.Name), flags("or-replace", s.OrReplace, "if-not-exists", s.IfNotExists))
		w.options(s.Options)
		w.f("\n  ")
		w.query(s.Query)
		w.f("\n  text {%s}", s.QueryText)
	case *Drop:
		w.f("drop %s %s%s", s.Kind, identList(s.Names), flags("if-exists", s.IfExists, "cascade", s.Cascade, "purge", s.Purge))
	case *Explain:
		w.f("explain %s%s\n", s.Format, flags("analyze", s.Analyze))
		w.statement(s.Stmt)
	default:
		panic(fmt.Sprintf("%T", s))
	}
}
