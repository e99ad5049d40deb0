package planner

import (
	"slices"
	"testing"

	"rhumb/parser"
)

func TestParsePath(t *testing.T) {
	good := map[string][]string{
		"$":                     {},
		"$.a":                   {"a"},
		"$.source.ip":           {"source", "ip"},
		`$["source.ip"]`:        {"source.ip"},
		`$['it\'s'].b`:          {"it's", "b"},
		`$["a\\b\"c"]`:          {`a\b"c`},
		"$.answers[0].ttl":      {"answers", "[0]", "ttl"},
		"$[12]":                 {"[12]"},
		"$.@timestamp.x-y_Z.ü1": {"@timestamp", "x-y_Z", "ü1"},
		`$[""]`:                 {""},
		" $.a ":                 {"a"},
	}
	for text, want := range good {
		if got, err := ParsePath(text); err != nil || !slices.Equal(got, want) || got == nil {
			t.Errorf("%s: %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", "a", "$a", "$.", "$..a", "$.a b", "$[", "$[]", "$[a]", "$[-1]", "$[01]", `$["a]`, `$["a"`, `$['a"]`,
		"$[99999999999]", `$["a"x]`, "$.a.", `$["a\`} {
		if got, err := ParsePath(text); err == nil {
			t.Errorf("%s was read as %q", text, got)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	f.Add(`$.a["b.c"][0]['\'']`)
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := ParsePath(text); err == nil && p == nil {
			t.Fatal("neither path nor error")
		}
	})
}

// What formatExpr writes parses to what it was written from: writing it again gives the same.
func TestFormatExpr(t *testing.T) {
	for _, text := range []string{
		"a + b * c - -d", "not a and (b or c) is not true", `"Weird ""name" || 'it''s'`, "x between symmetric 1 and 2", "x not in (1, 2.5, null)",
		"x not ilike 'a!%' escape '!'", "x::numeric(10,2)", "interval '5' minute", "timestamptz '2026-01-01 00:00:00+00'", "date '2026-01-01'",
		"case a when 1 then 'x' else null end", "case when a is null then 1 end", "array[1,2][1]", "(a, b) = (1, 2)", "x = any (array['a','b'])",
		"extract(epoch from ts)", "substring(a from 2 for 3)", "position('a' in b)", "trim(leading 'x' from y)", "overlay(a placing b from 1)",
		"coalesce(a, nullif(b, ''))", "ts at time zone 'UTC'", "a is distinct from b", "payload ->> 'x' #> '{a,b}'", "current_timestamp",
		"ip <<= '10.0.0.0/8'::cidr", "a similar to 'b%'", "left(a, 3)", `"select"`, "x::text[]", "x::varchar(5)", "true and false", "-9223372036854775808",
		"1e10", "@ x", "a ~ 'x' collate \"C\"",
	} {
		e, err := parser.ParseExpr(text)
		if err != nil {
			t.Errorf("%s: %s", text, err)
			continue
		}
		once := formatExpr(e)
		again, err := parser.ParseExpr(once)
		if err != nil {
			t.Errorf("%s was written as %s: %s", text, once, err)
			continue
		}
		if twice := formatExpr(again); twice != once {
			t.Errorf("%s was written as %s, that as %s", text, once, twice)
		}
	}
}
