package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"rhumb/connectors"
	"rhumb/connectors/kafka"
	"rhumb/expr"
	"rhumb/parser"
)

var rewrite = flag.Bool("rewrite", false, "write docs/reference.md and the output in README.md anew")

// statements are what the reference says of each statement. Each example is run.
var statements = []struct{ title, syntax, doc, example string }{
	{"CREATE STREAM", `CREATE [OR REPLACE] STREAM [IF NOT EXISTS] name (
    column type [PATH '$.a.b'] [NOT NULL] [DEFAULT constant] [ENTITY ip|domain|user|host|hash|url], ...
    column type AS (expression), ...
    WATERMARK FOR column AS expression,
    EVENT ID (column)
) [WITH (option = 'value', ...)]`,
		"A source stream: the events of a Kafka topic. A declared column reads the member of its name from a JSON payload, or what PATH says; a computed one is an expression of the others. WATERMARK names the event " +
			"time and how late rows may come; without it the record's timestamp is taken. Rows whose payload cannot be read, whose NOT NULL column is NULL or that have no event time are in rhumb.rejected.",
		"CREATE STREAM sshd (ts timestamptz NOT NULL, src_ip inet PATH '$.src.ip', outcome text, port integer DEFAULT 22, failed boolean AS (outcome = 'failure'), WATERMARK FOR ts AS ts - INTERVAL '10 seconds') WITH (format = 'json')"},
	{"CREATE VIEW", "CREATE [OR REPLACE] VIEW [IF NOT EXISTS] name AS query", "A named query, expanded where it is used.",
		"CREATE VIEW failure AS SELECT ts, src_ip FROM sshd WHERE failed"},
	{"CREATE STREAM AS", "CREATE [OR REPLACE] STREAM [IF NOT EXISTS] name [WITH (option = 'value', ...)] AS query",
		"A continuous query whose results are facts: rows of streams that pass, or one row for each window and key when the window closes. It reads its sources from their beginning unless `start` says otherwise.",
		"CREATE STREAM brute_force WITH (lineage_limit = '20') AS SELECT src_ip, count(*) AS n, window_end FROM TUMBLE(failure, ts, INTERVAL '1 minute') GROUP BY src_ip, window_start, window_end HAVING count(*) >= 5"},
	{"CREATE MATERIALIZED VIEW", "CREATE [OR REPLACE] MATERIALIZED VIEW [IF NOT EXISTS] name [WITH (option = 'value', ...)] AS query",
		"A continuous query with one row for each key of its GROUP BY, updated for ever.",
		"CREATE MATERIALIZED VIEW attackers AS SELECT src_ip, count(*) AS n, max(ts) AS last_seen FROM failure GROUP BY src_ip"},
	{"SELECT", "[WITH ...] SELECT [DISTINCT] ... [FROM ...] [WHERE ...] [GROUP BY ...] [HAVING ...] [UNION [ALL] ...] [ORDER BY ...] [LIMIT n] [OFFSET n]",
		"A search: over results it reads the store, over a source stream the log, to its present end.",
		"SELECT src_ip, n FROM attackers WHERE n > 3 ORDER BY n DESC LIMIT 10"},
	{"EXPLAIN", "EXPLAIN [(FORMAT TEXT|JSON|DOT)] statement", "The plan of a SELECT or of a CREATE with a query: as bound, after the rules, and as it runs.",
		"EXPLAIN SELECT count(*) FROM brute_force WHERE n > 10"},
	{"DROP", "DROP STREAM|VIEW|MATERIALIZED VIEW [IF EXISTS] name [, ...] [CASCADE|RESTRICT] [PURGE]",
		"Removes objects. What depends on them is named, unless CASCADE says to remove it too. Topic and documents stay, unless PURGE says to remove them.", "DROP MATERIALIZED VIEW attackers PURGE"},
}

// TestReference: docs/reference.md is what the code says; -rewrite writes it.
func TestReference(t *testing.T) {
	path := repository(t, "docs/reference.md")
	want := reference()
	if *rewrite {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/reference.md is not up to date: go test ./cmd/rhumb -run TestReference -rewrite")
	}
}

// TestStatements runs the examples of the statements.
func TestStatements(t *testing.T) {
	var script strings.Builder
	for _, s := range statements {
		script.WriteString(s.example + ";\n")
	}
	if _, err := parser.Parse(script.String()); err != nil {
		t.Fatal(err)
	}
	if r := rhumb(t, files(t, map[string]string{"q.sql": script.String()}), "run", "q.sql"); r.code != 0 {
		t.Error(r.stderr)
	}
}

func reference() []byte {
	var b bytes.Buffer
	b.WriteString("# Reference\n\nGenerated from the code by `go test ./cmd/rhumb -run TestReference -rewrite`.\n\n## Statements\n")
	for _, s := range statements {
		fmt.Fprintf(&b, "\n### %s\n\n```\n%s\n```\n\n%s\n\n```sql\n%s;\n```\n", s.title, s.syntax, s.doc, s.example)
	}
	b.WriteString("\n## Options of WITH\n")
	for _, spec := range []connectors.Spec{kafka.SourceOptions, kafka.StreamOptions, kafka.ViewOptions} {
		b.WriteString("\n" + strings.TrimRight(spec.Reference(), "\n") + "\n")
	}
	docs := expr.Functions()
	for _, kind := range []struct{ kind, title string }{{"function", "Functions"}, {"operator", "Operators"}, {"set-returning function", "Set-returning functions"}} {
		var rows []expr.FuncDoc
		for _, d := range docs {
			if d.Kind == kind.kind {
				rows = append(rows, d)
			}
			for i, sig := range d.Signatures {
				// The rows are the elements of what the function computes.
				if args, array, ok := strings.Cut(sig, " → "); ok && d.Kind == "set-returning function" {
					d.Signatures[i] = args + " → setof " + strings.Replace(strings.TrimSuffix(array, "[]"), "anyarray", "anyelement", 1)
				}
			}
		}
		functionTable(&b, kind.title, rows)
	}
	functionTable(&b, "Aggregates", aggregates())
	return b.Bytes()
}

// aggregates puts the overloads of an aggregate together.
func aggregates() []expr.FuncDoc {
	var docs []expr.FuncDoc
	for _, f := range expr.AggFuncs() {
		if n := len(docs); n == 0 || docs[n-1].Name != f.Name {
			docs = append(docs, expr.FuncDoc{Name: f.Name})
		}
		d := &docs[len(docs)-1]
		d.Signatures = append(d.Signatures, f.Signature())
		if !strings.Contains(d.Doc, f.Doc) {
			d.Doc = strings.TrimSpace(d.Doc + " " + f.Doc)
		}
	}
	return docs
}

func functionTable(b *bytes.Buffer, title string, rows []expr.FuncDoc) {
	fmt.Fprintf(b, "\n## %s\n\n| name | takes and gives | |\n|---|---|---|\n", title)
	cell := strings.NewReplacer("|", `\|`, "\n", " ")
	for _, d := range rows {
		var sigs []string
		for _, s := range d.Signatures {
			sigs = append(sigs, "`"+cell.Replace(s)+"`")
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", cell.Replace(d.Name), strings.Join(sigs, "<br>"), cell.Replace(d.Doc))
	}
}
