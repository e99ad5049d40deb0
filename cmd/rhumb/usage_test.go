package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

const linesSQL = "CREATE STREAM s (line text) WITH (format = 'text');\nSELECT count(*) FROM s;\n"

func TestExitStatus(t *testing.T) {
	dir := files(t, map[string]string{"ok.sql": "SELECT 1 AS one;", "wrong.sql": "SELECT 1 / 0;", "s.sql": linesSQL, "in.log": "a\nb\n"})
	for _, c := range []struct {
		args   string
		code   int
		stderr string // that it contains; "" = it is empty
	}{
		{"run ok.sql", 0, ""},
		{"run -o csv ok.sql", 0, ""},
		{"run ok.sql -o csv", 0, ""},
		{"run ok.sql -o=csv ok.sql --workers 1", 0, ""},
		{"run -- ok.sql", 0, ""},
		{"run --load s=in.log s.sql", 0, ""},
		{"run s.sql --load s=in.log", 0, ""},
		{"version", 0, ""},
		{"help", 0, "Usage:"},
		{"run --help", 0, "--load STREAM=FILE"},
		{"generate --help", 0, "--seed S"},
		{"run wrong.sql", 1, "ERROR:  22012: division by zero"},
		{"run --load t=in.log s.sql", 1, `ERROR:  42P01: there is no stream "t" to load into`},
		{"run --data ok.sql s.sql", 1, "ERROR:  58030: could not create the data directory"},
		{"", 2, "Usage:"},
		{"rnu ok.sql", 2, `Did you mean "run"?`},
		{"run", 2, "no FILE.sql given"},
		{"run -- -o", 2, "no such file"},
		{"run none.sql", 2, "none.sql"},
		{"run .", 2, "is a directory"},
		{"run -o xml ok.sql", 2, "table, csv, json, jsonl"},
		{"run --nonsense ok.sql", 2, "-nonsense"},
		{"run --workers many ok.sql", 2, "many"},
		{"run --load s s.sql", 2, "STREAM=FILE"},
		{"run --load s= s.sql", 2, "STREAM=FILE"},
		{"run --load s=none.log s.sql", 2, "none.log"},
		{"run --load s=. s.sql", 2, ". is a directory"},
		{"run --load s=- -", 2, "standard input"},
		{"generate", 2, "sshd, dns"},
		{"generate ssh", 2, `"sshd"`},
		{"generate sshd --events -1", 2, "negative"},
		{"version 1", 2, "no arguments"},
	} {
		t.Run(c.args, func(t *testing.T) {
			r := rhumb(t, dir, strings.Fields(c.args)...)
			if r.code != c.code {
				t.Errorf("exit status %d, want %d\n%s", r.code, c.code, r.stderr)
			}
			if !strings.Contains(r.stderr, c.stderr) || c.stderr == "" && r.stderr != "" {
				t.Errorf("standard error %q, want %q in it", r.stderr, c.stderr)
			}
			if (c.code == 0 && c.stderr == "") != (r.stdout != "") {
				t.Errorf("standard output %q", r.stdout)
			}
			if c.code == 2 && strings.Count(r.stderr, "Usage:") != 1 {
				t.Errorf("the usage is not told once:\n%s", r.stderr)
			}
		})
	}
}

func TestGenerateIsSeeded(t *testing.T) {
	for _, kind := range []string{"sshd", "dns", "bench"} {
		one := good(t, "", "generate", kind, "--events", "50", "--seed", "3")
		same(t, kind, good(t, "", "generate", "--seed", "3", kind, "--events=50"), one)
		if n := strings.Count(one, "\n"); n != 50 {
			t.Errorf("%s: %d lines", kind, n)
		}
		if one == good(t, "", "generate", kind, "--events", "50", "--seed", "4") {
			t.Errorf("%s: another seed gives the same events", kind)
		}
	}
}

// A script and a load may come from standard input, but not both.
func TestScriptFromStandardInput(t *testing.T) {
	r := start(t, t.TempDir(), strings.NewReader("SELECT 'x' AS c"), "run", "-o", "csv", "-").end()
	if r.code != 0 || r.stdout != "c\nx\n" {
		t.Errorf("%+v", r)
	}
}

// Everything that dispatch prints about a command line goes through printable.
func TestHostileArguments(t *testing.T) {
	hostile := "\x1b[2J\u202e\u009b"
	for _, args := range [][]string{{hostile}, {"run", hostile}, {"run", "-o", hostile, "x.sql"}, {"generate", hostile}, {"run", "--" + hostile},
		{"run", "--load", hostile, "x.sql"}, {"run", "--load", hostile + "=" + hostile, "main.go"}} {
		var out, errs bytes.Buffer
		if code := dispatch(context.Background(), &environ{stdin: strings.NewReader(""), stdout: &out, stderr: &errs}, args); code != 2 {
			t.Errorf("%q: exit status %d", args, code)
		}
		if strings.ContainsAny(errs.String(), hostile[:1]+"\u202e\u009b") {
			t.Errorf("%q: %q", args, errs.String())
		}
	}
}
