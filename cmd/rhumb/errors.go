package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"rhumb/parser"
	"rhumb/types"
)

// elsewhere is an error that came up during a statement and is not about its text: a position in it counts in another text.
type elsewhere struct{ error }

func (e elsewhere) Unwrap() error { return e.error }

// describe shows an error as psql does with VERBOSITY verbose: the SQLSTATE and the message, the line of the statement with a caret under the
// position (if there is one), DETAIL and HINT.
func describe(stmt string, err error) string {
	e := *userError(err)
	// What wraps the error says what was being done; the hint stands apart.
	msg := strings.TrimSuffix(err.Error(), " (hint: "+e.Hint+")")
	e.Message = e.Code + ": " + msg
	if errors.As(err, &elsewhere{}) || stmt == "" {
		e.Pos = 0
	}
	lines := strings.Split(parser.Caret(stmt, &e), "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}

// userError finds the *types.Error in err, or makes one of what the operating system said.
func userError(err error) *types.Error {
	var path *fs.PathError
	switch e := types.AsError(err); {
	case e.Code != types.CodeInternal:
		return e
	case errors.Is(err, context.Canceled):
		return types.Errorf(types.CodeCanceled, "canceled")
	case errors.Is(err, syscall.ENOSPC):
		return types.Errorf(types.CodeDiskFull, "disk full")
	case errors.As(err, &path), errors.Is(err, syscall.EPIPE):
		return types.Errorf(types.CodeIO, "input or output failed")
	default:
		return e
	}
}

// statementError prints an error of a statement with the place where it is, and returns errReported.
func statementError(env *environ, name, text string, start parser.Pos, stmt string, err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return err
	}
	at := start - 1
	if e := userError(err); e.Pos > 0 && !errors.As(err, &elsewhere{}) {
		at += e.Pos - 1
	}
	line := 1 + strings.Count(text[:min(max(at, 0), len(text))], "\n")
	fmt.Fprintf(env.stderr, "%s:%d: %s\n", printable(name), line, describe(stmt, err))
	return errReported
}
