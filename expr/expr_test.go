package expr

import (
	"bytes"
	"errors"
	"flag"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"rhumb/types"
)

// oracle makes -rewrite take the expected values of testdata/pg_*.txt from Postgres: go test -rewrite -oracle 'psql -h ...'.
var oracle = flag.String("oracle", "", "psql command of a PostgreSQL 15 database (C collation, UTF8) that gives the expected values")

// TestPostgres evaluates expressions, one a line. The result is a line of type and value, or an SQLSTATE. The files pg_*.txt hold what
// PostgreSQL 15 said; rhumb_*.txt what is ours alone. Each expression is computed four times: as it is, folded, and with its
// constants replaced by columns, whose other rows are NULL or not selected.
func TestPostgres(t *testing.T) {
	for _, prefix := range []string{"pg_", "rhumb_"} {
		files, _ := filepath.Glob("testdata/" + prefix + "*.txt")
		for _, file := range files {
			t.Run(filepath.Base(file), func(t *testing.T) {
				datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
					if d.Cmd != "eval" {
						d.Fatalf(t, "unknown command %s", d.Cmd)
					}
					zone := time.UTC
					if d.HasArg("zone") {
						var name string
						d.ScanArgs(t, "zone", &name)
						var err error
						if zone, err = time.LoadLocation(name); err != nil {
							t.Fatal(err)
						}
					}
					lines := strings.Split(strings.TrimSpace(d.Input), "\n")
					if d.Rewrite && prefix == "pg_" {
						if *oracle == "" {
							return d.Expected // only Postgres may say what Postgres says
						}
						return askPostgres(t, zone, lines)
					}
					var out strings.Builder
					expected := strings.Split(d.Expected, "\n")
					for i, line := range lines {
						got := evalLine(t, line, zone)
						if !d.Rewrite && i < len(expected) && expected[i] != got {
							t.Errorf("%s:\n  got  %s\n  want %s", line, got, expected[i])
						}
						out.WriteString(got + "\n")
					}
					if d.Rewrite || len(expected) != len(lines)+1 {
						return out.String()
					}
					return d.Expected // the differences have been reported, line by line
				})
			})
		}
	}
}

// askPostgres asks for types and values in one session.
func askPostgres(t *testing.T, zone *time.Location, lines []string) string {
	var script bytes.Buffer
	script.WriteString("\\set VERBOSITY sqlstate\nset timezone = '" + zone.String() + "';\n")
	for _, line := range lines {
		script.WriteString("select format_type(pg_typeof(x), null), x from (select " + line + ") s(x);\n")
	}
	args := strings.Fields(*oracle)
	cmd := exec.Command(args[0], append(args[1:], "-XAtq", "-F", ":", "-P", "null=NULL")...)
	cmd.Stdin = &script
	got, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	return strings.ReplaceAll(string(got), "ERROR:  ", "error ")
}

// errorCode is the SQLSTATE of an error, as the goldens show it.
func errorCode(t *testing.T, line string, err error) string {
	var e *types.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: %v", line, err)
		return err.Error()
	}
	return "error " + e.Code
}

func evalLine(t *testing.T, line string, zone *time.Location) string {
	e, err := parseExpr(line)
	if err != nil {
		return errorCode(t, line, err)
	}
	ctx := &Ctx{Zone: zone, Now: 1700000000123456}
	want := evalWith(ctx, e, &types.Batch{N: 1}, rowZero)
	if got := evalWith(ctx, FoldIn(e, zone), &types.Batch{N: 1}, rowZero); got != want {
		t.Errorf("%s: folded: %s, not %s", line, got, want)
	}
	columns, b := constantsToColumns(e)
	if got := evalWith(ctx, columns, b, []int32{1}); got != want {
		t.Errorf("%s: of columns: %s, not %s", line, got, want)
	}
	if back, err := parseExpr(e.String()); err != nil {
		t.Errorf("%s: %s does not parse: %v", line, e, err)
	} else if got := evalWith(ctx, back, &types.Batch{N: 1}, rowZero); got != want {
		t.Errorf("%s: %s gives %s, not %s", line, e, got, want)
	}
	return want
}

// evalWith computes row sel[0] and prints its type and value, or its error.
func evalWith(ctx *Ctx, e Expr, b *types.Batch, sel []int32) string {
	ctx.Errs = ctx.Errs[:0]
	v := NewEvaluator(e).Eval(ctx, b, sel)
	if len(ctx.Errs) > 0 {
		return "error " + ctx.Errs[0].Err.Code
	}
	typ := e.Type()
	if typ.Kind == types.Unknown {
		typ = tText
	}
	i := int(sel[0])
	if v.Null(i) {
		return typ.Base().String() + ":NULL"
	}
	return typ.Base().String() + ":" + string(types.AppendText(nil, v, i, ctx.Zone))
}

// constantsToColumns makes a column of each constant: rows NULL, value, NULL.
func constantsToColumns(e Expr) (Expr, *types.Batch) {
	b := &types.Batch{N: 3}
	e = Map(e, func(e Expr) Expr {
		c, ok := e.(*Const)
		if !ok {
			return e
		}
		v := types.NewVec(c.Value.Type, 3)
		v.AppendNull()
		v.AppendValue(c.Value)
		v.AppendNull()
		b.Cols = append(b.Cols, v)
		return &Column{Index: len(b.Cols) - 1, T: c.Value.Type, Name: "c"}
	})
	return e, b
}
