package parser

import (
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"rhumb/types"
)

// TestGolden reads testdata/*.txt. Commands: parse (a script), expr (one expression a line), split, canonical.
func TestGolden(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "parse":
				return parseGolden(d.Input)
			case "expr":
				return exprGolden(d.Input)
			case "canonical":
				return canonicalGolden(d.Input)
			case "split":
				return splitGolden(d.Input)
			}
			d.Fatalf(t, "unknown command %s", d.Cmd)
			return ""
		})
	})
}

func parseGolden(input string) string {
	parsed, err := Parse(input)
	if err != nil {
		return errorGolden(input, err)
	}
	var sb strings.Builder
	for _, st := range parsed {
		sb.WriteString(statementString(st.Stmt) + "\n")
	}
	return sb.String()
}

// errorGolden shows an error and its code.
func errorGolden(text string, err error) string {
	e := types.AsError(err)
	return e.Code + " " + Caret(text, e) + "\n"
}

// exprGolden reads each line as an expression; \n in a line stands for a line break.
func exprGolden(input string) string {
	var sb strings.Builder
	for _, line := range strings.Split(input, "\n") {
		if e, err := ParseExpr(line); err != nil {
			sb.WriteString(errorGolden(line, err))
		} else {
			sb.WriteString(exprString(e) + "\n")
		}
	}
	return sb.String()
}

func canonicalGolden(input string) string {
	parsed, err := Parse(input)
	if err != nil {
		return errorGolden(input, err)
	}
	var sb strings.Builder
	for _, st := range parsed {
		sb.WriteString(st.Canonical + "\n")
	}
	return sb.String()
}

func splitGolden(input string) string {
	pieces, err := Split(input)
	if err != nil {
		return errorGolden(input, err)
	}
	var sb strings.Builder
	for _, p := range pieces {
		sb.WriteString("[" + p.Text + "]")
		if p.Open != "" {
			sb.WriteString(" open " + p.Open)
		}
		sb.WriteString("\n")
	}
	return sb.String()
}
