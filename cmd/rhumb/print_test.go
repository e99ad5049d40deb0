package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"rhumb/types"
)

const typesSQL = `
SELECT 1 AS n, 9007199254740993::bigint AS big, 2.50::numeric AS num, 'a "q", b' AS text, true AS yes, NULL::text AS nothing, '' AS empty,
       '1.2.3.4'::inet AS ip, timestamptz '2015-12-10 07:13:43.5+01' AS ts, ARRAY['x', NULL, 'y,z'] AS arr, 0.1::float8 AS f,
       E'one\ntwo\x1b[31m' AS lines;
SELECT x AS "a b" FROM unnest(ARRAY['', NULL, 'z']) AS u(x);
SELECT 1 AS none WHERE false;
`

func formatted(t *testing.T, format string) string {
	return good(t, files(t, map[string]string{"q.sql": typesSQL}), "run", "-o", format, "q.sql")
}

func TestTable(t *testing.T) {
	got := formatted(t, "table")
	want := `
 n |       big        | num  |   text   | yes | nothing | empty |   ip    |            ts            |      arr       |  f  |      lines
---+------------------+------+----------+-----+---------+-------+---------+--------------------------+----------------+-----+------------------
 1 | 9007199254740993 | 2.50 | a "q", b | t   |         |       | 1.2.3.4 | 2015-12-10 06:13:43.5+00 | {x,NULL,"y,z"} | 0.1 | one\ntwo\x1b[31m
(1 row)

 a b
-----


 z
(3 rows)

 none
------
(0 rows)
`
	same(t, "table", "\n"+got, want)
}

func TestCSV(t *testing.T) {
	got := formatted(t, "csv")
	results := strings.Split(got, "\n\n")
	if len(results) != 3 {
		t.Fatalf("%d results:\n%s", len(results), got)
	}
	want := [][][]string{
		{{"n", "big", "num", "text", "yes", "nothing", "empty", "ip", "ts", "arr", "f", "lines"},
			{"1", "9007199254740993", "2.50", `a "q", b`, "t", "", "", "1.2.3.4", "2015-12-10 06:13:43.5+00", `{x,NULL,"y,z"}`, "0.1", "one\ntwo\x1b[31m"}},
		{{"a b"}, {""}, {""}, {"z"}},
		{{"none"}},
	}
	for i, text := range results {
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil {
			t.Errorf("result %d: %v\n%s", i, err, text)
		}
		if !slices.EqualFunc(rows, want[i], slices.Equal) {
			t.Errorf("result %d: %q, want %q", i, rows, want[i])
		}
	}
	if !strings.Contains(got, `,t,,"",1.2.3.4`) {
		t.Errorf("NULL and the empty text are the same:\n%s", got)
	}
}

const jsonRow = `{"n":1,"big":9007199254740993,"num":"2.50","text":"a \"q\", b","yes":true,"nothing":null,"empty":"","ip":"1.2.3.4",` +
	`"ts":"2015-12-10T06:13:43.500000Z","arr":["x",null,"y,z"],"f":0.1,"lines":"one\ntwo\u001b[31m"}`

func TestJSON(t *testing.T) {
	d := json.NewDecoder(strings.NewReader(formatted(t, "json")))
	for i, want := range []string{"[" + jsonRow + "]", `[{"a b":""},{"a b":null},{"a b":"z"}]`, "[]"} {
		var got json.RawMessage
		if err := d.Decode(&got); err != nil {
			t.Fatalf("result %d: %v", i, err)
		}
		var b bytes.Buffer
		if err := json.Compact(&b, got); err != nil {
			t.Fatal(err)
		}
		same(t, "json", b.String(), want)
	}
	if d.More() {
		t.Error("there is more than three results")
	}
}

func TestJSONL(t *testing.T) {
	got := formatted(t, "jsonl")
	same(t, "jsonl", got, jsonRow+"\n"+`{"a b":""}`+"\n"+`{"a b":null}`+"\n"+`{"a b":"z"}`+"\n")
	for line := range strings.Lines(got) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

// What attackers write into logs does not reach a terminal, in any format; what is no terminal gets the true values.
func TestHostileText(t *testing.T) {
	const text = "a\x1b]0;title\x07\u009b31m\u202etxt.exe\u2066\u200f\u2028\r\n\t\x7fz"
	col := types.NewVec(types.T(types.Text), 1)
	col.AppendStr([]byte(text))
	batch := &types.Batch{N: 1, Cols: []*types.Vec{col}}
	for _, format := range formats() {
		for _, screen := range []bool{true, false} {
			var out bytes.Buffer
			p := newPrinter(format, &environ{stdout: &out, screen: screen})
			for _, err := range []error{p.begin(types.Schema{{Name: "c\x1b", Type: types.T(types.Text)}}), p.rows(batch), p.finish()} {
				if err != nil {
					t.Fatal(err)
				}
			}
			if !screen && format != "table" {
				if format == "csv" && !strings.Contains(out.String(), text) {
					t.Errorf("csv: %q", out.String())
				}
				continue
			}
			if i := strings.IndexFunc(strings.ReplaceAll(out.String(), "\n", ""), hostile); i >= 0 || strings.Count(out.String(), "\n") > 4 {
				t.Errorf("%s: %q", format, out.String())
			}
			if format == "jsonl" {
				var row map[string]string
				if err := json.Unmarshal(out.Bytes(), &row); err != nil || row["c\x1b"] != text {
					t.Errorf("jsonl on a terminal is another value: %q, %v", row, err)
				}
			}
		}
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "plain ä 日本 😀": "plain ä 日本 😀", "\x00": `\x00`, "\x1b[2J": `\x1b[2J`, "\u0085": `\x85`, "\xff": `\xff`, "\ufffd": "\ufffd",
		"a\u202eb": `a\u202eb`, "\r\n\t": `\r\n\t`, "\u2028": `\u2028`, "\u061c": `\u061c`,
	} {
		if got := printable(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
