package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"rhumb/types"
)

// An error says the file and line, the SQLSTATE, the place, and the remedy; statements before it are done, results before it are printed.
func TestErrors(t *testing.T) {
	const head = "CREATE STREAM s (line text, n bigint AS (length(line))) WITH (format = 'text');\nSELECT count(*) AS n FROM s;\n\n"
	for _, c := range []struct{ name, text, stdout, stderr string }{
		{"a name", head + "SELECT line,\n       nn FROM s", "n\n2\n", `q.sql:5: ERROR:  42703: column "nn" does not exist
LINE 2:        nn FROM s
               ^
HINT:  Did you mean n?
`},
		{"syntax", head + "SELECT FROM WHERE;", "", `q.sql:4: ERROR:  42601: syntax error at or near "WHERE"
LINE 4: SELECT FROM WHERE;
                    ^
DETAIL:  Expected a table.
`},
		{"an option", "CREATE STREAM s (line text) WITH (format = 'text', retentoin = '1GB')", "", `q.sql:1: ERROR:  22023: unknown option "retentoin"
LINE 1: CREATE STREAM s (line text) WITH (format = 'text', retentoin = '1GB')
                                                           ^
HINT:  Did you mean "retention"?
`},
		{"a row", head + "SELECT 10 / (n - 1) AS x FROM s WHERE line <> ''", "n\n2\n", "q.sql:4: ERROR:  22012: division by zero\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := files(t, map[string]string{"q.sql": c.text, "in.log": "a\nbc\n"})
			r := rhumb(t, dir, "run", "-o", "csv", "--load", "s=in.log", "q.sql")
			if r.code != 1 {
				t.Errorf("exit status %d", r.code)
			}
			same(t, "standard error", r.stderr, c.stderr)
			if !strings.HasPrefix(r.stdout, c.stdout) || c.stdout == "" && r.stdout != "" {
				t.Errorf("standard output %q", r.stdout)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	user := types.Errorf(types.CodeUndefinedColumn, "no \x1b[31mred").At(8).WithDetail("d\u202e").WithHint("h")
	for _, c := range []struct {
		name, stmt string
		err        error
		want       string
	}{
		{"in its statement", "SELECT \x1bred", user, "ERROR:  42703: no \\x1b[31mred\nLINE 1: SELECT  red\n               ^\nDETAIL:  d\\u202e\nHINT:  h"},
		{"wrapped", "", fmt.Errorf("query q: %w", user), "ERROR:  42703: query q: no \\x1b[31mred\nDETAIL:  d\\u202e\nHINT:  h"},
		{"of another statement", "SELECT red", elsewhere{user}, "ERROR:  42703: no \\x1b[31mred\nDETAIL:  d\\u202e\nHINT:  h"},
		{"a file", "", &fs.PathError{Op: "open", Path: "x", Err: fs.ErrPermission}, "ERROR:  58030: open x: permission denied"},
		{"a full disk", "", &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, "ERROR:  53100: write x: " + syscall.ENOSPC.Error()},
		{"a bug", "", errors.New("BUG: x"), "ERROR:  XX000: BUG: x"},
	} {
		same(t, c.name, describe(c.stmt, c.err), c.want)
	}
}
