package types

import (
	"errors"
	"fmt"
)

// Error is an error that a user sees: what is wrong, where in the statement, and how to mend it.
type Error struct {
	Code    string // SQLSTATE
	Message string
	Detail  string
	Hint    string
	Pos     int // byte offset in the statement, 1-based; 0 = none
}

func (e *Error) Error() string {
	if e.Hint != "" {
		return e.Message + " (hint: " + e.Hint + ")"
	}
	return e.Message
}

// The SQLSTATEs that Rhumb uses, under Postgres's names.
const (
	CodeSyntax              = "42601"
	CodeUndefinedColumn     = "42703"
	CodeUndefinedFunction   = "42883"
	CodeUndefinedTable      = "42P01"
	CodeUndefinedObject     = "42704"
	CodeDuplicateTable      = "42P07"
	CodeDuplicateColumn     = "42701"
	CodeAmbiguousColumn     = "42702"
	CodeAmbiguousFunction   = "42725"
	CodeGrouping            = "42803"
	CodeWindowing           = "42P20"
	CodeDatatypeMismatch    = "42804"
	CodeCannotCoerce        = "42846"
	CodeWrongObjectType     = "42809"
	CodeReservedName        = "42939"
	CodeInvalidDefinition   = "42P17"
	CodeInvalidOption       = "22023"
	CodeNotSupported        = "0A000"
	CodeOutOfRange          = "22003"
	CodeDivisionByZero      = "22012"
	CodeInvalidText         = "22P02"
	CodeInvalidDatetime     = "22007"
	CodeDatetimeOverflow    = "22008"
	CodeIntervalOverflow    = "22015"
	CodeZoneDisplacement    = "22009"
	CodeInvalidRegexp       = "2201B"
	CodeArraySubscript      = "2202E"
	CodeCharNotInRepertoire = "22021"
	CodeNotNull             = "23502"
	CodeTooComplex          = "54001"
	CodeProgramLimit        = "54000"
	CodeDependent           = "2BP01"
	CodeObjectInUse         = "55006"
	CodeNotInPrerequisite   = "55000"
	CodeOutOfMemory         = "53200"
	CodeDiskFull            = "53100"
	CodeIO                  = "58030"
	CodeDataCorrupted       = "XX001"
	CodeCanceled            = "57014"
	CodeConnection          = "08006"
	CodeInternal            = "XX000"
)

// Errorf makes an Error.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// At sets the position if there is none yet, and returns e.
func (e *Error) At(pos int) *Error {
	if e.Pos == 0 {
		e.Pos = pos
	}
	return e
}

// WithHint sets the hint and returns e.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// WithDetail sets the detail and returns e.
func (e *Error) WithDetail(format string, args ...any) *Error {
	e.Detail = fmt.Sprintf(format, args...)
	return e
}

// AsError finds the *Error in err, or wraps err as an internal error.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: CodeInternal, Message: err.Error()}
}

// Suggest returns the candidate nearest to name by edit distance, or "" if none is near.
func Suggest(name string, candidates []string) string {
	best, bestDist := "", len(name)/3+2
	for _, c := range candidates {
		if d := editDistance(name, c); d < bestDist || d == bestDist && best != "" && c < best {
			best, bestDist = c, d
		}
	}
	return best
}

// editDistance is the Levenshtein distance (Wagner and Fischer 1974, two rows).
func editDistance(a, b string) int {
	prev, cur := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
		}
		prev, cur = cur, prev
	}
	return prev[len(b)]
}
