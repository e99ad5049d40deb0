package expr

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"rhumb/types"
)

// testColumns are a of each type that the tests below name.
func testColumns() []*Column {
	return []*Column{{0, tInt4, "a"}, {1, tInt8, "b"}, {2, tText, "t"}, {3, tBool, "f"}, {4, tTimestamptz, "ts"}, {5, tNumeric, "n"}, {6, tJSONB, "j"},
		{7, tInet, "ip"}, {8, tTextArray, "tags"}, {9, tDate, "d"}, {10, tText, "Odd Name"}, {11, tText, "select"}, {12, tFloat8, "x"}}
}

func TestString(t *testing.T) {
	for _, c := range [][2]string{
		{"a + 1", "a + 1"},
		{"(a + 1) * 2", "(a + 1) * 2"},
		{"a - -5", "a - (-5)"},
		{"-a", "-a"},
		{"b = 5", "b = 5"},
		{"n > 1", "n > '1'::numeric"},
		{"n > 1.5", "n > 1.5"},
		{"a = 1.5", "a::numeric = 1.5"},
		{"t = 'it''s'", "t = 'it''s'"},
		{"t like 'a%' escape '#'", "t LIKE 'a%' ESCAPE '#'"},
		{"t not like 'a%'", "NOT (t LIKE 'a%')"},
		{"a = 1 and (b = 2 or f)", "a = 1 AND (b = 2 OR f)"},
		{"a = 1 and b = 2 and f", "a = 1 AND b = 2 AND f"},
		{"not f", "NOT f"},
		{"a in (1, 2, null)", "a IN (1, 2, NULL)"},
		{"t in ('x', t)", "t = 'x' OR t = t"},
		{"f is true", "f IS TRUE"},
		{"a is not null", "a IS NOT NULL"},
		{"a is distinct from b", "a IS DISTINCT FROM b"},
		{"case when f then 'x' else t end", "CASE WHEN f THEN 'x' ELSE t END"},
		{"coalesce(a, 0)", "COALESCE(a, 0)"},
		{"a::text", "a::text"},
		{"(a + 1)::numeric(5,2)", "(a + 1)::numeric(5,2)"},
		{"lower(t) || 'x'", "lower(t) || 'x'"},
		{"\"Odd Name\" = \"select\"", "\"Odd Name\" = \"select\""},
		{"ts > '2024-01-15 10:00+00'", "ts > '2024-01-15 10:00:00+00'::timestamp with time zone"},
		{"ts > '2024-01-15 10:00'", "ts > '2024-01-15 10:00'::text::timestamp with time zone"},
		{"ts + interval '1 day'", "ts + '1 day'::interval"},
		{"j -> 'a' ->> 'b'", "(j -> 'a') ->> 'b'"},
		{"ip << '10.0.0.0/8'", "ip << '10.0.0.0/8'::inet"},
		{"array[a, 1]", "ARRAY[a, 1]"},
		{"tags[1]", "(tags)[1]"},
		{"'x' = any(tags)", "'x' = ANY (tags)"},
		{"a = any('{1,2}')", "a IN (1, 2)"},
		{"a > all('{1,2}')", "a > 1 AND a > 2"},
		{"t like any('{a%,b%}')", "t LIKE 'a%' OR t LIKE 'b%'"},
		{"extract(epoch from ts)", "extract(epoch FROM ts)"},
		{"position('a' in t)", "position('a' IN t)"},
		{"now() - ts", "now() - ts"},
		{"d = '2024-01-15'", "d = '2024-01-15'::date"},
		{"t = E'a\\\\b'", "t = E'a\\\\b'"},
		{"null::int + a", "NULL::integer + a"},
		{"t ~ '^a.*b$'", "t ~ '^a.*b$'"},
	} {
		e, err := parseExpr(c[0], testColumns()...)
		if err != nil {
			t.Errorf("%s: %v", c[0], err)
			continue
		}
		if e.String() != c[1] {
			t.Errorf("%s: printed as %s, not %s", c[0], e, c[1])
		}
		back, err := parseExpr(e.String(), testColumns()...)
		if err != nil || !Equal(Fold(back), Fold(e)) {
			t.Errorf("%s: read again it is %v (%v)", e, back, err)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ text, code, message, hint string }{
		{"lowr(t)", "42883", "function lowr(text) does not exist", "Did you mean lower?"},
		{"lower(a)", "42883", "function lower(integer) does not exist", "lower(text)"},
		{"a + f", "42883", "operator does not exist: integer + boolean", "explicit cast"},
		{"a <=> b", "42883", "operator does not exist: integer <=> bigint", ""},
		{"'1' + '2'", "42725", "operator is not unique: unknown + unknown", "explicit type casts"},
		{"f::date", "42846", "cannot cast type boolean to date", ""},
		{"a = 'x'", "22P02", "invalid input syntax for type integer: \"x\"", ""},
		{"t ~ '('", "2201B", "invalid regular expression", ""},
		{"t ~ '(a)\\1'", "2201B", "back-references", "RE2"},
		{"t ~ 'a(?=b)'", "2201B", "lookahead", "AND"},
		{"case when a then 1 end", "42804", "must be type boolean", ""},
		{"case when f then 1 else t end", "42804", "types text and integer cannot be matched", "explicit cast"},
		{"coalesce(a, f)", "42804", "types integer and boolean cannot be matched", ""},
		{"random()", "0A000", "random", "replayed"},
		{"date_trunc('hours ago', ts)", "22023", "not recognized", ""},
		{"extract(yaer from ts)", "22023", "unit \"yaer\" not recognized", "Did you mean year?"},
		{"timezone('Mars', ts)", "22023", "time zone \"Mars\" not recognized", "Europe/Vienna"},
		{"array[array[1]]", "0A000", "multidimensional", "JSONB"},
		{"t[1]", "42804", "cannot subscript type text", ""},
		{"tags['x']", "22P02", "invalid input syntax for type integer", ""},
		{"a = any(b)", "42809", "requires array on right side", ""},
		{"greatest(1, t)", "42883", "function greatest(integer, text) does not exist", ""},
		{"f is true and a is true", "42804", "must be type boolean, not type integer", ""},
	} {
		_, err := parseExpr(c.text, testColumns()...)
		var e *types.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if e.Code != c.code || !strings.Contains(e.Message, c.message) || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%s: %s %q (hint %q)", c.text, e.Code, e.Message, e.Hint)
		}
	}
}

// TestPositions: errors know where in the statement they are.
func TestPositions(t *testing.T) {
	a := testColumns()[0]
	text := &Const{types.Value{Type: tUnknown, S: "x"}}
	for name, f := range map[string]func() (Expr, error){
		"call":    func() (Expr, error) { return NewCall("nosuch", []Expr{a}, 7) },
		"literal": func() (Expr, error) { return NewCall("=", []Expr{a, text}, 7) },
		"cast":    func() (Expr, error) { return NewCast(text, tInt4, 7) },
		"coerce":  func() (Expr, error) { return Coerce(&Const{types.BoolValue(true)}, tInt4, 7) },
		"regexp":  func() (Expr, error) { return NewCall("~", []Expr{text, &Const{types.TextValue("(")}}, 7) },
		"in":      func() (Expr, error) { return NewIn(a, []Expr{&Const{types.BoolValue(true)}}, 7) },
		"array":   func() (Expr, error) { return NewArray([]Expr{a, &Const{types.BoolValue(true)}}, 7) },
	} {
		_, err := f()
		if err == nil || types.AsError(err).Pos != 7 {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Rows that fail know it too.
	e, _ := NewCall("/", []Expr{a, &Const{types.IntValue(types.Int4, 0)}}, 9)
	v := types.NewVec(tInt4, 1)
	v.AppendValue(types.IntValue(types.Int4, 1))
	ctx := Ctx{}
	NewEvaluator(e).Eval(&ctx, &types.Batch{N: 1, Cols: []*types.Vec{v}}, rowZero)
	if len(ctx.Errs) != 1 || ctx.Errs[0].Err.Pos != 9 || ctx.Errs[0].Err.Code != types.CodeDivisionByZero {
		t.Errorf("%+v", ctx.Errs)
	}
}

func TestTree(t *testing.T) {
	parse := func(s string) Expr {
		e, err := parseExpr(s, testColumns()...)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := parse("case when a > 1 and t like 'x%' then b else coalesce(b, a::bigint) end")
	if got := Columns(e); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("columns %v", got)
	}
	if !Equal(e, parse("case when a > 1 and t like 'x%' then b else coalesce(b, a::bigint) end")) {
		t.Error("not equal to itself")
	}
	for _, other := range []string{"case when a > 2 and t like 'x%' then b else coalesce(b, a::bigint) end",
		"case when a > 1 or t like 'x%' then b else coalesce(b, a::bigint) end", "case when a > 1 and t like 'x%' then b end",
		"case when a >= 1 and t like 'x%' then b else coalesce(b, a::bigint) end"} {
		if Equal(e, parse(other)) {
			t.Errorf("equal to %s", other)
		}
	}
	if Map(e, func(e Expr) Expr { return e }) != e {
		t.Error("a mapping that changes nothing makes a copy")
	}
	moved := Map(e, func(e Expr) Expr {
		if c, ok := e.(*Column); ok {
			return &Column{c.Index + 10, c.T, c.Name}
		}
		return e
	})
	if got := Columns(moved); !slices.Equal(got, []int{10, 11, 12}) || !slices.Equal(Columns(e), []int{0, 1, 2}) {
		t.Errorf("columns %v", got)
	}
	if Volatile(e) || !Volatile(parse("ts > now() - interval '1 hour'")) || !Volatile(parse("coalesce(current_date, d)")) {
		t.Error("volatile")
	}
}

func TestFold(t *testing.T) {
	for _, c := range [][2]string{
		{"1 + 2 * 3", "7"},
		{"a + (1 + 2)", "a + 3"},
		{"1 / 0", "1 / 0"},
		{"a = 1 and true", "a = 1"},
		{"a = 1 and 1 = 2", "false"},
		{"a = 1 or 1 = 1", "true"},
		{"null and a = 1", "NULL::boolean AND a = 1"},
		{"case when 1 = 2 then a when f then 2 else 3 end", "CASE WHEN f THEN 2 ELSE 3 END"},
		{"case when f then 1 when true then 2 else 3 end", "CASE WHEN f THEN 1 ELSE 2 END"},
		{"case when false then a end", "NULL::integer"},
		{"coalesce(null, a, 5, b)", "COALESCE(a::bigint, '5'::bigint)"},
		{"coalesce(5, a)", "5"},
		{"now() > '2024-01-01 00:00+00'", "now() > '2024-01-01 00:00:00+00'::timestamp with time zone"},
		{"ts > '2024-01-15 10:00'", "ts > '2024-01-15 10:00:00+00'::timestamp with time zone"},
		{"lower('ABC') || t", "'abc' || t"},
		{"5 in (1, 5)", "true"},
		{"not true", "false"},
		{"null is null", "true"},
	} {
		e, err := parseExpr(c[0], testColumns()...)
		if err != nil {
			t.Errorf("%s: %v", c[0], err)
		} else if got := Fold(e).String(); got != c[1] {
			t.Errorf("%s: folded %s, not %s", c[0], got, c[1])
		}
	}
}

// TestFunctions: each function has a description and a signature, and the list is ordered.
func TestFunctions(t *testing.T) {
	last := ""
	for _, d := range Functions() {
		if d.Doc == "" || len(d.Signatures) == 0 || d.Kind == "" {
			t.Errorf("%+v", d)
		}
		if d.Name <= last {
			t.Errorf("%s behind %s", d.Name, last)
		}
		last = d.Name
	}
	if !IsSetReturning("unnest") || IsSetReturning("lower") || IsSetReturning("nosuch") {
		t.Error("set-returning")
	}
}

// TestCommonType is Postgres's table for UNION and CASE.
func TestCommonType(t *testing.T) {
	for _, c := range []struct {
		in   []types.Type
		want types.Type
	}{
		{[]types.Type{tUnknown, tUnknown}, tText}, {[]types.Type{tInt4, tUnknown}, tInt4}, {[]types.Type{tInt4, tInt8}, tInt8},
		{[]types.Type{tInt8, tNumeric}, tNumeric}, {[]types.Type{tNumeric, tFloat8}, tFloat8}, {[]types.Type{tFloat4, tNumeric}, tFloat4}, {[]types.Type{tFloat8, tInt4}, tFloat8},
		{[]types.Type{tDate, tTimestamptz}, tTimestamptz}, {[]types.Type{tTimestamp, tTimestamptz}, tTimestamptz}, {[]types.Type{tCidr, tInet}, tInet},
		{[]types.Type{{Kind: types.Numeric, Mod: 5, Scale: 2}, {Kind: types.Numeric, Mod: 5, Scale: 2}}, types.Type{Kind: types.Numeric, Mod: 5, Scale: 2}},
		{[]types.Type{{Kind: types.Numeric, Mod: 5, Scale: 2}, tNumeric}, tNumeric},
	} {
		got, err := commonType(1, c.in)
		if err != nil || got != c.want {
			t.Errorf("%v: %v %v, want %v", c.in, got, err, c.want)
		}
	}
	for _, in := range [][]types.Type{{tInt4, tText}, {tBool, tInt4}, {tDate, tInterval}, {tTextArray, tText}} {
		if got, err := commonType(1, in); err == nil {
			t.Errorf("%v: %v", in, got)
		}
	}
}
