package expr

import (
	"strings"

	"rhumb/types"
)

// String of each node is Postgres syntax that means the same.
func (c *Column) String() string { return quoteIdent(c.Name) }

func (c *Const) String() string { return literal(c.Value) }

func (c *Call) String() string {
	switch c.Func.Kind {
	case Operator:
		return c.operatorString()
	case Construct:
		return c.constructString()
	}
	return callString(c.Func.Name, c.Args)
}

func callString(name string, args []Expr) string {
	switch {
	case name == "position" && len(args) == 2:
		return "position(" + operand(args[0]) + " IN " + operand(args[1]) + ")"
	case name == "extract" && len(args) == 2:
		if field, ok := constantArg(args, 0); ok {
			return "extract(" + quoteIdent(field.S) + " FROM " + args[1].String() + ")"
		}
	case len(args) == 0 && (name == "current_date" || name == "localtimestamp" || name == "localtime"):
		return name
	}
	return name + "(" + joined(args, ", ", Expr.String) + ")"
}

func joined(args []Expr, sep string, each func(Expr) string) string {
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = each(a)
	}
	return strings.Join(parts, sep)
}

func (c *Call) operatorString() string {
	name := c.Func.Name
	if isWordByte(name[0]) {
		name = strings.ToUpper(name)
	}
	switch len(c.Args) {
	case 1:
		return name + operand(c.Args[0])
	case 3:
		return operand(c.Args[0]) + " " + name + " " + operand(c.Args[1]) + " ESCAPE " + operand(c.Args[2])
	}
	l, r := operand(c.Args[0]), operand(c.Args[1])
	if name == "||" && c.Args[0].Type() != c.Args[1].Type() { // beside an array, an untyped literal would be one
		l, r = typedText(c.Args[0], l), typedText(c.Args[1], r)
	}
	return l + " " + name + " " + r
}

// typedText adds the type to a text constant.
func typedText(e Expr, s string) string {
	if c, ok := e.(*Const); ok && !c.Value.Null && c.Value.Type.Kind == types.Text {
		return s + "::text"
	}
	return s
}

func (c *Call) constructString() string {
	name := c.Func.Name
	switch {
	case name == "array":
		return "ARRAY[" + joined(c.Args, ", ", Expr.String) + "]"
	case name == "[]":
		return "(" + c.Args[0].String() + ")[" + c.Args[1].String() + "]"
	case len(c.Args) == 1:
		return operand(c.Args[0]) + " " + strings.ToUpper(name)
	case strings.HasSuffix(name, " ANY"), strings.HasSuffix(name, " ALL"):
		return operand(c.Args[0]) + " " + strings.ToUpper(name) + " (" + c.Args[1].String() + ")"
	}
	return operand(c.Args[0]) + " " + strings.ToUpper(name) + " " + operand(c.Args[1])
}

func (c *Logic) String() string {
	sep := " AND "
	if c.Or {
		sep = " OR "
	}
	return joined(c.Args, sep, func(e Expr) string {
		switch e := e.(type) {
		case *Logic, *Not:
			return "(" + e.String() + ")"
		}
		return e.String()
	})
}

func (c *Not) String() string { return "NOT " + operand(c.Arg) }

func (c *Case) String() string {
	var b strings.Builder
	b.WriteString("CASE")
	for _, w := range c.Whens {
		b.WriteString(" WHEN " + w.Cond.String() + " THEN " + w.Then.String())
	}
	if c.Else != nil {
		b.WriteString(" ELSE " + c.Else.String())
	}
	return b.String() + " END"
}

func (c *Coalesce) String() string { return callString("COALESCE", c.Args) }

func (c *Cast) String() string { return typedText(c.Arg, operand(c.Arg)) + "::" + c.To.String() }

func (c *In) String() string {
	parts := make([]string, 0, len(c.Values)+1)
	for _, v := range c.Values {
		parts = append(parts, literal(v))
	}
	if c.HasNul {
		parts = append(parts, "NULL")
	}
	return operand(c.Arg) + " IN (" + strings.Join(parts, ", ") + ")"
}

// operand is e as an operand of another operator: in parentheses unless it is a unit.
func operand(e Expr) string {
	s := e.String()
	switch e := e.(type) {
	case *Column, *Coalesce, *Cast:
		return s
	case *Const:
		if s[0] != '-' {
			return s
		}
	case *Call:
		if e.Func.Kind == Function || e.Func.Name == "array" || e.Func.Name == "[]" {
			return s
		}
	}
	return "(" + s + ")"
}

// literal is a value as a constant of its type.
func literal(v types.Value) string {
	if v.Null {
		if v.Type.Kind == types.Unknown {
			return "NULL"
		}
		return "NULL::" + v.Type.String()
	}
	text := types.FormatValue(v, nil)
	switch v.Type.Kind {
	case types.Bool:
		if v.I != 0 {
			return "true"
		}
		return "false"
	case types.Int4:
		return text
	case types.Numeric:
		// A number with a point is numeric; one without would be read as an integer.
		if strings.ContainsRune(text, '.') {
			return text
		}
	case types.Int8:
		if v.I > 1<<31-1 || v.I < -1<<31 {
			return text
		}
	case types.Text, types.Unknown:
		return quoteLiteral(text)
	}
	return quoteLiteral(text) + "::" + v.Type.String()
}

// quoteLiteral is quote_literal: with E before it if there is a backslash.
func quoteLiteral(s string) string { return string(appendQuotedLiteral(nil, []byte(s))) }

func appendQuotedLiteral(dst, s []byte) []byte {
	for _, c := range s {
		if c == '\\' {
			dst = append(dst, 'E')
			break
		}
	}
	dst = append(dst, '\'')
	for _, c := range s {
		if c == '\'' || c == '\\' {
			dst = append(dst, c)
		}
		dst = append(dst, c)
	}
	return append(dst, '\'')
}

// quoteIdent is quote_ident: quoted if it is not a plain lower-case word or is a keyword.
func quoteIdent(s string) string { return string(appendQuotedIdent(nil, []byte(s))) }

func appendQuotedIdent(dst, s []byte) []byte {
	plain := len(s) > 0 && (s[0] == '_' || s[0] >= 'a' && s[0] <= 'z')
	for _, c := range s {
		plain = plain && (c == '_' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9')
	}
	if plain && !keywords[string(s)] {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for _, c := range s {
		if c == '"' {
			dst = append(dst, c)
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// keywords are the words that Postgres 15 quotes: all keywords but the unreserved ones.
var keywords = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`all analyse analyze and any array as asc asymmetric authorization between bigint binary
		bit boolean both case cast char character check coalesce collate collation column concurrently constraint create cross
		current_catalog current_date current_role current_schema current_time current_timestamp current_user dec decimal default
		deferrable desc distinct do else end except exists extract false fetch float for foreign freeze from full grant greatest
		group grouping having ilike in initially inner inout int integer intersect interval into is isnull join lateral leading
		least left like limit localtime localtimestamp national natural nchar none normalize not notnull null nullif numeric
		offset on only or order out outer overlaps overlay placing position precision primary real references returning right
		row select session_user setof similar smallint some substring symmetric table tablesample then time timestamp to trailing
		treat trim true union unique user using values varchar variadic verbose when where window with xmlattributes xmlconcat
		xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable`) {
		m[w] = true
	}
	return m
}()
