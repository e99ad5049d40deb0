// Package expr holds typed expressions, the one table of functions and aggregates, and their vectorised evaluation.
package expr

import (
	"time"

	"rhumb/types"
)

// Expr is a typed expression over the columns of a batch. It is immutable; the planner's rules build new ones.
// The set of implementations is closed: Column, Const, Call, Logic, Not, Case, Coalesce, Cast, In.
type Expr interface {
	Type() types.Type
	// String is the expression as EXPLAIN prints it: Postgres syntax, columns by name.
	String() string
}

// Column is input column Index.
type Column struct {
	Index int
	T     types.Type
	Name  string
}

// Const is a constant.
type Const struct{ Value types.Value }

// Call is a strict or non-strict function or operator of the table, with arguments of exactly the types it wants.
type Call struct {
	Func *Func
	Args []Expr
	T    types.Type
	Pos  int // of the call in the statement, for errors
	sig  *Sig
}

// Logic is AND (Or=false) or OR over two or more operands, three-valued; later operands are evaluated only for the rows
// that the earlier ones leave undecided.
type Logic struct {
	Or   bool
	Args []Expr
}

// Not is NOT.
type Not struct{ Arg Expr }

// Case is CASE WHEN; a THEN is evaluated only for its rows.
type Case struct {
	Whens []When
	Else  Expr // nil = NULL
	T     types.Type
}

// When is one branch.
type When struct{ Cond, Then Expr }

// Coalesce returns its first argument that is not NULL; later ones are evaluated only for rows that need them.
type Coalesce struct {
	Args []Expr
	T    types.Type
}

// Cast converts, as CAST and :: do. An impossible value is a row error.
type Cast struct {
	Arg Expr
	To  types.Type
	Pos int
}

// In is membership in a list of constants (other lists are ORs).
type In struct {
	Arg    Expr
	Values []types.Value // of Arg's type, no NULLs
	HasNul bool          // the list holds a NULL: no match is NULL, not false
}

// SortKey orders rows. Postgres's default: NULLs are larger than everything.
type SortKey struct {
	Expr       Expr
	Desc       bool
	NullsFirst bool
}

// AggCall is an aggregate with its clauses.
type AggCall struct {
	Func     *AggFunc
	Args     []Expr // constant arguments (string_agg's separator) included
	Distinct bool
	OrderBy  []SortKey
	Filter   Expr // nil = all rows
	T        types.Type
	Pos      int
}

// Ctx is what evaluation may know of the world: the step's clock, the session's zone. It collects the errors of rows; an
// evaluator is used by one goroutine at a time, with a Ctx of its own.
type Ctx struct {
	Now  int64          // now(), microseconds
	Zone *time.Location // of TIMESTAMPTZ text; nil = UTC
	Errs []RowError     // rows whose value could not be computed; the value is NULL there
}

// RowError is the failure of an expression on one row. A search fails with it; a continuous query rejects the row into the
// ledger.
type RowError struct {
	Row int32
	Err *types.Error
}
