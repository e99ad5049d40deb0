package parser

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"rhumb/types"
)

func repeat(s, sep string, n int) string { return strings.TrimSuffix(strings.Repeat(s+sep, n), sep) }

func nest(open, inner, end string, n int) string {
	return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name, sql, code string // code "" = it is read
	}{
		{"size", "select '" + strings.Repeat("x", maxStatement-10) + "'", ""},
		{"too long", "select '" + strings.Repeat("x", maxStatement) + "'", types.CodeProgramLimit},
		{"many statements", repeat("select 1", ";", 5_000), ""},
		{"parentheses", "select " + nest("(", "1", ")", 199), ""},
		{"too many parentheses", "select " + nest("(", "1", ")", 201), types.CodeTooComplex},
		{"many more", "select " + nest("(", "1", ")", 100_000), types.CodeTooComplex},
		{"only open", "select " + strings.Repeat("(", 100_000), types.CodeTooComplex},
		{"brackets", "select " + nest("array[", "1", "]", 300), types.CodeTooComplex},
		{"not", "select " + strings.Repeat("not ", 199) + "a", ""},
		{"too many not", "select " + strings.Repeat("not ", 50_000) + "a", types.CodeTooComplex},
		{"minus", "select " + strings.Repeat("- ", 100_000) + "a", types.CodeTooComplex},
		{"case", "select " + nest("case when ", "a", " then 1 end", 201), types.CodeTooComplex},
		{"else", "select " + nest("case when a then 1 else ", "a", " end", 201), types.CodeTooComplex},
		{"queries", "select " + nest("(select ", "1", ")", 190), ""},
		{"too many queries", "select " + nest("(select ", "1", ")", 250), types.CodeTooComplex},
		{"queries in from", nest("select * from (", "select 1", ") t", 190), ""},
		{"too many queries in from", nest("select * from (", "select 1", ") t", 250), types.CodeTooComplex},
		{"joins in parentheses", "select * from " + nest("(", "a cross join b", " cross join c)", 190), ""},
		{"and", "select " + repeat("a", " and ", 40_000), ""},
		{"or", "select " + repeat("a = 1", " or ", 20_000), ""},
		{"plus", "select " + repeat("1", "+", 4_999), ""},
		{"too many plus", "select " + repeat("1", "+", 6_000), types.CodeTooComplex},
		{"far too many plus", "select " + repeat("1", "+", 100_000), types.CodeTooComplex},
		{"casts", "select a" + strings.Repeat("::int", 6_000), types.CodeTooComplex},
		{"subscripts", "select a" + strings.Repeat("[1]", 6_000), types.CodeTooComplex},
		{"fields", "select (a)" + strings.Repeat(".b", 6_000), types.CodeTooComplex},
		{"is null", "select a" + strings.Repeat(" isnull", 6_000), types.CodeTooComplex},
		{"items", "select " + repeat("1", ",", maxList), ""},
		{"too many items", "select " + repeat("1", ",", maxList+1), types.CodeProgramLimit},
		{"in", "select a in (" + repeat("1", ",", maxList) + ")", ""},
		{"too many in", "select a in (" + repeat("1", ",", maxList+1) + ")", types.CodeProgramLimit},
		{"rows", "values " + repeat("(1)", ",", maxList), ""},
		{"too many rows", "values " + repeat("(1)", ",", maxList+1), types.CodeProgramLimit},
		{"too many arguments", "select f(" + repeat("1", ",", maxList+1) + ")", types.CodeProgramLimit},
		{"too many elements", "select array[" + repeat("1", ",", maxList+1) + "]", types.CodeProgramLimit},
		{"too many groups", "select 1 group by " + repeat("a", ",", maxList+1), types.CodeProgramLimit},
		{"too many orders", "select 1 order by " + repeat("a", ",", maxList+1), types.CodeProgramLimit},
		{"too many columns", "create stream s (" + repeat("a int", ",", maxList+1) + ")", types.CodeProgramLimit},
		{"tables", "select 1 from " + repeat("t", ",", maxTables), ""},
		{"too many tables", "select 1 from " + repeat("t", ",", maxTables+1), types.CodeProgramLimit},
		{"too many joins", "select 1 from t" + strings.Repeat(" cross join t", maxTables+1), types.CodeProgramLimit},
		{"unions", repeat("select 1", " union all ", maxSetOps), ""},
		{"too many unions", repeat("select 1", " union all ", maxSetOps+1), types.CodeProgramLimit},
		{"nul", "select 1\x00", types.CodeCharNotInRepertoire},
		{"utf8", "select '\xff'", types.CodeCharNotInRepertoire},
		{"utf8 by escape", `select E'\xff'`, types.CodeCharNotInRepertoire},
		{"nul by escape", `select E'\000'`, types.CodeCharNotInRepertoire},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(c.sql)
			switch {
			case c.code == "" && err != nil:
				t.Fatal(err)
			case c.code != "" && (err == nil || types.AsError(err).Code != c.code):
				t.Fatalf("error %v, want code %s", err, c.code)
			case err != nil:
				checkError(t, c.sql, err)
			}
		})
	}
}

// TestChainsAreBalanced verifies that a long AND or OR is no deep tree and keeps its operands in order.
func TestChainsAreBalanced(t *testing.T) {
	var terms []string
	for i := range 1000 {
		terms = append(terms, fmt.Sprintf("c%d", i))
	}
	e, err := ParseExpr(strings.Join(terms, " or "))
	if err != nil {
		t.Fatal(err)
	}
	if h := height(e); h > 12 {
		t.Errorf("height %d", h)
	}
	var got []string
	Walk(e, func(e Expr) bool {
		if c, ok := e.(*ColumnRef); ok {
			got = append(got, c.Parts[0].Name)
		}
		return true
	})
	if strings.Join(got, " ") != strings.Join(terms, " ") {
		t.Errorf("operands are out of order: %v", got)
	}
}

// TestScriptPositions verifies that errors count from the beginning of the script and trees from that of their statement.
func TestScriptPositions(t *testing.T) {
	script := "  select 1 ;\n-- ä\n select b, ;"
	_, err := Parse(script)
	if e := types.AsError(err); e.Pos != strings.LastIndex(script, ";")+1-1 && e.Pos != len(script) {
		t.Errorf("position %d of %v", e.Pos, e)
	}
	parsed, err := Parse("  select 1 ;\n-- ä\n select b ; ")
	if err != nil {
		t.Fatal(err)
	}
	if len(parsed) != 2 || parsed[1].Text != "select b" || parsed[1].Start != 21 {
		t.Fatalf("%+v", parsed)
	}
	if pos := parsed[1].Stmt.(*SelectStmt).Query.Items[0].Expr.Position(); pos != 8 {
		t.Errorf("position %d of b", pos)
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"a": "a", "a_1": "a_1", "A": `"A"`, "select": `"select"`, "a b": `"a b"`, `a"b`: `"a""b"`, "": `""`, "1a": `"1a"`, "name": "name",
		"timestamp": `"timestamp"`, "left": `"left"`, "qualify": `"qualify"`, "emit": "emit", "ä": `"ä"`, "source.ip": `"source.ip"`,
	} {
		if got := Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
		if in == "" {
			continue
		}
		if e, err := ParseExpr(Quote(in)); err != nil || e.(*ColumnRef).Parts[0].Name != in {
			t.Errorf("%s reads back as %v, %v", Quote(in), e, err)
		}
	}
}

// TestContextualWords verifies that each word which the grammar asks for is a keyword or contextual: the canonical text drops the quotes
// of other identifiers.
func TestContextualWords(t *testing.T) {
	files, _ := filepath.Glob("*.go")
	call := regexp.MustCompile(`\b(?:is|accept|next|oneOf|expect)\(((?:"[^"]*"(?:, )?)+)`)
	word := regexp.MustCompile(`"([a-z_]+)"`)
	found := 0
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") || f == "errors.go" { // words there only choose a hint
			continue
		}
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range call.FindAllStringSubmatch(string(src), -1) {
			for _, w := range word.FindAllStringSubmatch(m[1], -1) {
				found++
				if keywords[w[1]].class == kwNone && !contextual(w[1]) {
					t.Errorf("%s: %q is neither keyword nor contextual", f, w[1])
				}
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d words found", found)
	}
}

// TestConcurrent verifies that parsing shares nothing (run with -race).
func TestConcurrent(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 50 {
				sql := fmt.Sprintf("select a%d from (select b from t%d) x join u using (k) where a in (select %d)", i, j, i*j)
				p, err := Parse(sql)
				if err != nil || p[0].Canonical != sql {
					t.Errorf("%s: %v", sql, err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkParse(b *testing.B) {
	for _, c := range []struct{ name, sql string }{
		{"filter", "SELECT src_ip, count(*) FROM sshd WHERE outcome = 'failure' AND port > 1024"},
		{"tumble", `CREATE STREAM ssh_brute_force AS SELECT src_ip AS ip, count(*) AS attempts, min(ts) AS first_seen, max(ts) AS last_seen,
			window_end FROM TUMBLE(sshd, ts, INTERVAL '1 minute') WHERE outcome = 'failure' GROUP BY src_ip, window_start, window_end HAVING count(*) >= 5`},
		{"in10000", "SELECT a IN (" + repeat("'192.168.100.100'", ",", 10_000) + ") FROM t"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.sql)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(c.sql); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
