package planner

import (
	"strconv"
	"strings"

	"rhumb/parser"
	"rhumb/types"
)

// formatExpr writes an expression as SQL that parses to the same tree; the catalog keeps expressions so. Operators are in parentheses,
// so that precedence plays no part.
func formatExpr(e parser.Expr) string {
	var f formatter
	f.expr(e)
	return f.String()
}

type formatter struct{ strings.Builder }

func (f *formatter) write(parts ...string) {
	for _, p := range parts {
		f.WriteString(p)
	}
}

func (f *formatter) list(es []parser.Expr) {
	for i, e := range es {
		if i > 0 {
			f.write(", ")
		}
		f.expr(e)
	}
}

func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func (f *formatter) expr(e parser.Expr) {
	switch e := e.(type) {
	case *parser.ColumnRef:
		for i, p := range e.Parts {
			if i > 0 {
				f.write(".")
			}
			f.write(parser.Quote(p.Name))
		}
	case *parser.Literal:
		switch {
		case e.Null:
			f.write("NULL")
		case e.Kind == types.Unknown:
			f.write(quoteText(e.Text))
		default:
			f.write(e.Text)
		}
	case *parser.TypedLiteral:
		f.write("CAST(", quoteText(e.Text), " AS ", e.Type.Type.String(), ")")
	case *parser.Param:
		f.write("$", strconv.Itoa(e.Number))
	case *parser.Cast:
		f.write("CAST(")
		f.expr(e.Arg)
		f.write(" AS ", e.Type.Type.String(), ")")
	case *parser.ArrayLit:
		f.write("ARRAY[")
		f.list(e.Elems)
		f.write("]")
	case *parser.Subscript:
		f.write("(")
		f.expr(e.Arg)
		f.write(")[")
		f.expr(e.Index)
		f.write("]")
	case *parser.Row:
		f.write("(")
		f.list(e.Elems)
		f.write(")")
	case *parser.Call:
		f.call(e)
	case *parser.Case:
		f.caseWhen(e)
	default:
		f.write("(")
		f.operator(e)
		f.write(")")
	}
}

// operator writes the infix and prefix forms, without their parentheses.
func (f *formatter) operator(e parser.Expr) {
	not := func(b bool) string {
		if b {
			return " NOT"
		}
		return ""
	}
	switch e := e.(type) {
	case *parser.Unary:
		f.write(e.Op, " ")
		f.expr(e.Arg)
	case *parser.Binary:
		f.expr(e.L)
		f.write(" ", e.Op, " ")
		f.expr(e.R)
	case *parser.Like:
		f.expr(e.Arg)
		op := " LIKE "
		if e.ILike {
			op = " ILIKE "
		}
		f.write(not(e.Not), op)
		f.expr(e.Pattern)
		if e.Escape != nil {
			f.write(" ESCAPE ")
			f.expr(e.Escape)
		}
	case *parser.Is:
		f.expr(e.Arg)
		f.write(" IS", not(e.Not), " ", strings.ToUpper(e.What))
	case *parser.Between:
		f.expr(e.Arg)
		f.write(not(e.Not), " BETWEEN ")
		if e.Symmetric {
			f.write("SYMMETRIC ")
		}
		f.expr(e.Lo)
		f.write(" AND ")
		f.expr(e.Hi)
	case *parser.In:
		f.expr(e.Arg)
		f.write(not(e.Not), " IN (")
		f.list(e.List)
		f.write(")")
	case *parser.Quantified:
		f.expr(e.Arg)
		how := " ANY ("
		if e.All {
			how = " ALL ("
		}
		f.write(" ", e.Op, how)
		f.expr(e.Array)
		f.write(")")
	}
}

func (f *formatter) call(c *parser.Call) {
	for i, p := range c.Name {
		if i > 0 {
			f.write(".")
		}
		f.write(parser.Quote(p.Name))
	}
	f.write("(")
	f.list(c.Args)
	f.write(")")
}

func (f *formatter) caseWhen(e *parser.Case) {
	f.write("CASE")
	if e.Arg != nil {
		f.write(" ")
		f.expr(e.Arg)
	}
	for _, w := range e.Whens {
		f.write(" WHEN ")
		f.expr(w.Cond)
		f.write(" THEN ")
		f.expr(w.Then)
	}
	if e.Else != nil {
		f.write(" ELSE ")
		f.expr(e.Else)
	}
	f.write(" END")
}
