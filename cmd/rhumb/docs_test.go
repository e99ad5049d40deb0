package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"rhumb/parser"
)

// fence finds the blocks of a markdown file.
var fence = regexp.MustCompile("(?s)```([a-z]*)\n(.*?)```")

// TestReadme runs the example of README.md as a reader would, and compares what it prints.
func TestReadme(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the example is for a Unix shell")
	}
	b, err := os.ReadFile(repository(t, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(b), "<!-- example:")
	blocks := fence.FindAllStringSubmatch(text, 2)
	if !ok || len(blocks) != 2 || blocks[0][1] != "sql" || blocks[1][1] != "console" {
		t.Fatalf("the example is not where it was: %q", blocks)
	}
	var commands, want strings.Builder
	for line := range strings.Lines(blocks[1][2]) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			commands.WriteString(command)
		} else {
			want.WriteString(line)
		}
	}
	dir := files(t, map[string]string{"example.sql": blocks[0][2]})
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(dir, "bin", "rhumb")); err != nil {
		t.Fatal(err)
	}
	sh := exec.Command("sh", "-ec", commands.String())
	sh.Dir = dir
	got, err := sh.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	if *rewrite {
		text := strings.Replace(string(b), want.String(), string(got), 1)
		if err := os.WriteFile(repository(t, "README.md"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	same(t, "README.md", string(got), want.String())
}

// TestReadmeFlags: the table of flags has what --help has.
func TestReadmeFlags(t *testing.T) {
	b, err := os.ReadFile(repository(t, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	help := rhumb(t, "", "run", "--help").stderr
	flags := regexp.MustCompile(`(?m)^  (-\S+ \S+)`).FindAllStringSubmatch(help, -1)
	if len(flags) < 5 {
		t.Fatalf("flags are not found in\n%s", help)
	}
	for _, f := range flags {
		if !strings.Contains(string(b), "| `"+f[1]+"` |") {
			t.Errorf("README.md does not have the flag %s", f[1])
		}
	}
	if n := strings.Count(string(b), "\n| `-"); n != len(flags) {
		t.Errorf("README.md has %d flags, the program %d", n, len(flags))
	}
}

// TestQueries explains every saved query file: it parses, and each statement binds after those before it.
func TestQueries(t *testing.T) {
	var names []string
	err := filepath.WalkDir(repository(t, "queries"), func(name string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".sql") {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < 2 {
		t.Fatalf("only %d files were found: the test looks in the wrong place", len(names))
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			dir := files(t, map[string]string{"q.sql": explained(t, string(text))})
			r := rhumb(t, dir, "run", "q.sql")
			if r.code != 0 || !strings.Contains(r.stdout, "Plan after the rules:") || !strings.Contains(r.stdout, "Scan ") {
				t.Errorf("exit status %d\n%s\n%s", r.code, r.stdout, r.stderr)
			}
			// A comment at the top says what it finds and how it is run.
			if !strings.HasPrefix(string(text), "-- ") || !strings.Contains(string(text), "--   rhumb run --load ") {
				t.Error("it does not say what it is and how to run it")
			}
		})
	}
}

// explained is a script in which every query is explained instead of run, after the objects that it reads have been made.
func explained(t *testing.T, text string) string {
	t.Helper()
	parsed, err := parser.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for _, p := range parsed {
		_, isSource := p.Stmt.(*parser.CreateStream)
		if !isSource {
			script.WriteString("EXPLAIN " + p.Text + ";\n")
		}
		if _, isSelect := p.Stmt.(*parser.SelectStmt); !isSelect {
			script.WriteString(p.Text + ";\n")
		}
	}
	return script.String()
}

// TestNotThereYet: what README.md says is not there is refused by name, at its place.
func TestNotThereYet(t *testing.T) {
	const head = "CREATE STREAM s (line text, ts timestamptz, WATERMARK FOR ts AS ts);\nCREATE MATERIALIZED VIEW m AS SELECT line, count(*) AS n FROM s GROUP BY line;\n"
	for _, q := range []string{
		"SELECT * FROM s a JOIN s b ON a.line = b.line",
		"SELECT * FROM s WHERE line IN (SELECT line FROM s)",
		"SELECT row_number() OVER (ORDER BY ts) FROM s",
		"SELECT * FROM s QUALIFY row_number() OVER (ORDER BY ts) = 1",
		"SELECT * FROM HOP(s, ts, INTERVAL '1 minute', INTERVAL '5 minutes')",
		"SELECT * FROM CUMULATE(s, ts, INTERVAL '1 minute', INTERVAL '5 minutes')",
		"SELECT * FROM SESSION(s, ts, INTERVAL '1 minute')",
		"CREATE STREAM x AS SELECT count(*), window_end FROM TUMBLE(s, ts, INTERVAL '1 minute') GROUP BY window_start, window_end EMIT EARLY",
		"CREATE STREAM x AS SELECT count(*) FROM s EMIT CHANGES",
		"CREATE STREAM x AS SELECT line FROM m",
		"SELECT * FROM s MATCH_RECOGNIZE (PATTERN (a) DEFINE a AS true)",
		"CREATE TABLE t (a int, PRIMARY KEY (a))",
		"INSERT INTO s VALUES ('x', now())",
		"CREATE SINK k FROM s",
		"ALTER STREAM s PAUSE",
		"CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'a'",
		"EXPLAIN ANALYZE SELECT 1",
		"SELECT 1 INTERSECT SELECT 2",
		"SELECT 1 EXCEPT SELECT 2",
		"SELECT line, count(*) FROM s GROUP BY ROLLUP (line)",
		"SELECT line, count(*) FROM s GROUP BY CUBE (line)",
		"SELECT DISTINCT ON (line) ts FROM s",
		"SHOW STREAMS",
		"DESCRIBE s",
		"SUBSCRIBE s",
		"CREATE ROLE r",
		"SET timezone = 'UTC'",
	} {
		r := rhumb(t, files(t, map[string]string{"q.sql": head + q}), "run", "q.sql")
		if r.code != 1 || !strings.HasPrefix(r.stderr, "q.sql:3: ERROR:  0A000: ") || !strings.Contains(r.stderr, "\nLINE ") {
			t.Errorf("%s: exit status %d\n%s", q, r.code, r.stderr)
		}
	}
}
