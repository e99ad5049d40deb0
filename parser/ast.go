// Package parser turns SQL text into Rhumb's own small AST. TiDB's parser is inside; its AST never leaves this package.
package parser

import "rhumb/types"

// Pos is a byte offset in the statement's text, 1-based; 0 = unknown.
type Pos = int

// Ident is an identifier: lower-cased unless it was quoted.
type Ident struct {
	Name string
	Pos  Pos
}

// ---- expressions ----

// Expr is an expression. The set is closed: the types of this section. Parentheses leave no trace. A chain of more than 32 ANDs or ORs is a
// balanced tree.
type Expr interface{ Position() Pos }

type (
	// ColumnRef is a, t.a, or (with Star) * and t.*.
	ColumnRef struct {
		Parts []Ident
		Star  bool
		Pos   Pos
	}
	// Literal is a constant. Kind Unknown: a quoted string (Text). Int4, Int8, Numeric: a number as Postgres types it (Text holds its
	// digits, with a leading - where a minus stood before it: -5 is one literal). Bool: "true"/"false". Null: NULL.
	Literal struct {
		Kind types.Kind
		Text string
		Null bool
		Pos  Pos
	}
	// TypedLiteral is type 'text': INTERVAL '1 minute', TIMESTAMP '...', DATE '...'. For INTERVAL '5' MINUTE the field is appended to Text.
	TypedLiteral struct {
		Type TypeName
		Text string
		Pos  Pos
	}
	// Param is $n.
	Param struct {
		Number int
		Pos    Pos
	}
	// Unary is NOT x, - x, + x, ~ x.
	Unary struct {
		Op  string // "not", "-", "+", "~", or another prefix operator of Postgres (@, |/)
		Arg Expr
		Pos Pos
	}
	// Binary is an infix operator: and, or, =, <>, <, +, ||, ->, ->>, ~, <<=, "is distinct from", "is not distinct from", "at time zone" ...
	// in lower case; != is "<>". Pos is the operator's. x SIMILAR TO y is x ~ similar_to_escape(y), as in Postgres.
	Binary struct {
		Op   string
		L, R Expr
		Pos  Pos
	}
	// Like is x [NOT] LIKE|ILIKE pattern [ESCAPE e].
	Like struct {
		Arg, Pattern, Escape Expr // Escape nil = backslash
		ILike, Not           bool
		Pos                  Pos
	}
	// Is is x IS [NOT] NULL|TRUE|FALSE|UNKNOWN.
	Is struct {
		Arg  Expr
		What string
		Not  bool
		Pos  Pos
	}
	// Between is x [NOT] BETWEEN [SYMMETRIC] a AND b.
	Between struct {
		Arg, Lo, Hi    Expr
		Not, Symmetric bool
		Pos            Pos
	}
	// In is x [NOT] IN (list) or (query).
	In struct {
		Arg   Expr
		List  []Expr
		Query *Select
		Not   bool
		Pos   Pos
	}
	// Quantified is x op ANY|ALL (array or query); Op may also be "like", "not like", "ilike", "not ilike".
	Quantified struct {
		Op    string
		Arg   Expr
		All   bool
		Array Expr
		Query *Select
		Pos   Pos
	}
	// Call is a function call; Name may be qualified (schema.name; pg_catalog is left out). Functions with a syntax of their own come with
	// positional arguments: extract('f', x), substring(x, from, for), substring(x, re), position(part, text), overlay(x, new, from, for),
	// btrim|ltrim|rtrim(x, characters), overlaps(a, b, c, d); current_date, current_timestamp and the like without any. In GROUP BY
	// rollup, cube and "grouping sets" are calls, and () is a Row without elements.
	Call struct {
		Name     []Ident
		Args     []Expr
		ArgNames []string // of named arguments, "" where positional; nil = none
		Star     bool     // count(*)
		Distinct bool
		OrderBy  []OrderItem
		// WithinGroup says that OrderBy was WITHIN GROUP (ORDER BY ...): an ordered-set aggregate.
		WithinGroup bool
		Filter      Expr
		Over        *WindowSpec
		Pos         Pos
	}
	// Cast is CAST(x AS t) or x::t.
	Cast struct {
		Arg  Expr
		Type TypeName
		Pos  Pos
	}
	// Case is CASE [x] WHEN ... END.
	Case struct {
		Arg   Expr
		Whens []CaseWhen
		Else  Expr
		Pos   Pos
	}
	// CaseWhen is one branch of a Case.
	CaseWhen struct{ Cond, Then Expr }
	// ArrayLit is ARRAY[...].
	ArrayLit struct {
		Elems []Expr
		Pos   Pos
	}
	// Subscript is x[i].
	Subscript struct {
		Arg, Index Expr
		Pos        Pos
	}
	// Row is (a, b, ...).
	Row struct {
		Elems []Expr
		Pos   Pos
	}
	// Subquery is (SELECT ...) as a value, EXISTS (...), or ARRAY(...).
	Subquery struct {
		Kind  string // "scalar", "exists", "array"
		Query *Select
		Pos   Pos
	}
	// Field is (x).name or, with Star, (x).*: a field of a composite value.
	Field struct {
		Arg  Expr
		Name Ident
		Star bool
		Pos  Pos
	}
)

// TypeName is a type as written.
type TypeName struct {
	Type types.Type
	// Alias is the name of a type of Postgres's catalogs that Type only stands in for: oid, regclass, regtype ... (bigint), name, char
	// (text). A cast of text to a reg* type looks a name up. "" = Type is what was written.
	Alias string
	Pos   Pos
}

// WindowSpec is OVER (...).
type WindowSpec struct {
	Name        string // always "": names of the WINDOW clause have been put in
	PartitionBy []Expr
	OrderBy     []OrderItem
	Frame       string // in canonical form ("rows between 5 preceding and current row"), well formed; "" = none
	Pos         Pos
}

// OrderItem is a member of ORDER BY.
type OrderItem struct {
	Expr       Expr
	Desc       bool
	NullsFirst bool // resolved: Postgres's default is NULLS LAST for ASC, NULLS FIRST for DESC
}

// ---- queries ----

// Select is a query: one SELECT core, or a set operation of two, with ORDER BY and LIMIT.
type Select struct {
	With []CTE
	// Recursive is WITH RECURSIVE.
	Recursive bool
	Distinct  bool
	On        []Expr // DISTINCT ON
	Items     []SelectItem
	From      []TableExpr // comma list; empty = one row without columns
	Where     Expr
	GroupBy   []Expr
	Having    Expr
	Qualify   Expr
	SetOp     string // "", "union", "union all", "intersect", ...
	Left      *Select
	Right     *Select
	Values    [][]Expr // VALUES (...), (...)
	OrderBy   []OrderItem
	Limit     Expr // nil = none
	Offset    Expr
	Emit      *Emit
	Pos       Pos
}

// CTE is a WITH member.
type CTE struct {
	Name    Ident
	Columns []Ident
	Query   *Select
}

// SelectItem is expr [AS alias] (a ColumnRef with Star for *).
type SelectItem struct {
	Expr  Expr
	Alias *Ident
	Pos   Pos
}

// Emit is EMIT ...: Kind "on window close", "early", "early once", "every", "changes".
type Emit struct {
	Kind  string
	Every Expr // EVERY, REARM
	Pos   Pos
}

// TableExpr is a member of FROM. Closed: TableRef, TableFunc, DerivedTable, Join.
type TableExpr interface{ Position() Pos }

type (
	// TableRef is a name.
	TableRef struct {
		Name  []Ident
		Alias *Alias
		Pos   Pos
	}
	// TableFunc is a function in FROM: TUMBLE(s, ts, INTERVAL '1 minute'), unnest(x), lineage('s', 'id'). Input is the first argument of a window
	// function (a name, a parenthesised query, or TABLE s); Args are the rest, DESCRIPTOR(ts) as its column.
	TableFunc struct {
		Name        Ident
		Input       TableExpr // only for window functions: tumble, hop, cumulate, session, tumble_rows, hop_rows
		PartitionBy []Expr
		Args        []Expr
		Ordinality  bool
		Lateral     bool
		Alias       *Alias
		Pos         Pos
	}
	// DerivedTable is (SELECT ...) AS t.
	DerivedTable struct {
		Query   *Select
		Lateral bool
		Alias   *Alias
		Pos     Pos
	}
	// Join is l [kind] JOIN r ON/USING.
	Join struct {
		Kind  string // "inner", "left", "right", "full", "cross"
		L, R  TableExpr
		On    Expr
		Using []Ident
		Pos   Pos
	}
)

// Alias is AS t (c1, c2).
type Alias struct {
	Name    Ident
	Columns []Ident
}

// ---- statements ----

// Statement is one statement. Closed: the types of this section.
type Statement interface{ Position() Pos }

// Kinds of named objects, as CREATE, DROP and ALTER spell them.
const (
	KindStream  = "STREAM"
	KindView    = "VIEW"
	KindMatView = "MATERIALIZED VIEW"
	KindTable   = "TABLE"
	KindQuery   = "QUERY"
	KindSink    = "SINK"
)

// Option is name = value in WITH (...). Value is the literal's text; names may be dotted.
type Option struct {
	Name  string
	Value string
	Quote bool // it was a string literal
	Pos   Pos
	VPos  Pos
}

// ColumnDef is a column of CREATE STREAM (...).
type ColumnDef struct {
	Name        Ident
	Type        TypeName
	Path        string // PATH '$.a.b'; "" = by name
	NotNull     bool
	Default     Expr
	DefaultText string // Default as written, for the catalog; ParseExpr reads it back
	Entity      string
	As          Expr   // column type AS (expr)
	AsText      string // As as written
	Pos         Pos
}

type (
	// CreateStream is CREATE STREAM name (columns) WITH (...): a source.
	CreateStream struct {
		Name        Ident
		OrReplace   bool
		IfNotExists bool
		Columns     []ColumnDef
		WatermarkOn *Ident // WATERMARK FOR col AS expr; nil = none
		Watermark   Expr
		// WatermarkText is Watermark as written, for the catalog; ParseExpr reads it back.
		WatermarkText string
		EventID       *Ident
		Options       []Option
		Pos           Pos
	}
	// CreateAs is CREATE STREAM|VIEW|MATERIALIZED VIEW name ... AS query.
	CreateAs struct {
		Kind        string
		Name        Ident
		OrReplace   bool
		IfNotExists bool
		Options     []Option
		Query       *Select
		QueryText   string // the query as written
		Pos         Pos
	}
	// Drop is DROP kind name, ... .
	Drop struct {
		Kind     string
		Names    []Ident
		IfExists bool
		Cascade  bool
		Purge    bool
		Pos      Pos
	}
	// SelectStmt is a search.
	SelectStmt struct {
		Query *Select
		Pos   Pos
	}
	// Explain is EXPLAIN [(options)] statement.
	Explain struct {
		Analyze bool
		Format  string // "text" (default), "json", "dot"
		Stmt    Statement
		Pos     Pos
	}
)

// Parsed is a statement with the text that it was parsed from.
type Parsed struct {
	Stmt Statement
	Text string // without the semicolon and surrounding space
	// Canonical is the text without comments and insignificant space, keywords and names folded: two statements with the same Canonical
	// are the same text for "exists already".
	Canonical string
	Start     Pos // where Text begins in the script, so that positions can be shown in it
}

// Position methods.
func (e *ColumnRef) Position() Pos    { return e.Pos }
func (e *Literal) Position() Pos      { return e.Pos }
func (e *TypedLiteral) Position() Pos { return e.Pos }
func (e *Param) Position() Pos        { return e.Pos }
func (e *Unary) Position() Pos        { return e.Pos }
func (e *Binary) Position() Pos       { return e.Pos }
func (e *Like) Position() Pos         { return e.Pos }
func (e *Is) Position() Pos           { return e.Pos }
func (e *Between) Position() Pos      { return e.Pos }
func (e *In) Position() Pos           { return e.Pos }
func (e *Quantified) Position() Pos   { return e.Pos }
func (e *Call) Position() Pos         { return e.Pos }
func (e *Cast) Position() Pos         { return e.Pos }
func (e *Case) Position() Pos         { return e.Pos }
func (e *ArrayLit) Position() Pos     { return e.Pos }
func (e *Subscript) Position() Pos    { return e.Pos }
func (e *Row) Position() Pos          { return e.Pos }
func (e *Subquery) Position() Pos     { return e.Pos }
func (e *Field) Position() Pos        { return e.Pos }
func (t *TableRef) Position() Pos     { return t.Pos }
func (t *TableFunc) Position() Pos    { return t.Pos }
func (t *DerivedTable) Position() Pos { return t.Pos }
func (t *Join) Position() Pos         { return t.Pos }
func (s *CreateStream) Position() Pos { return s.Pos }
func (s *CreateAs) Position() Pos     { return s.Pos }
func (s *Drop) Position() Pos         { return s.Pos }
func (s *SelectStmt) Position() Pos   { return s.Pos }
func (s *Explain) Position() Pos      { return s.Pos }
