package planner

import (
	"fmt"
	"slices"
	"testing"

	"rhumb/catalog"
	"rhumb/connectors"
	"rhumb/expr"
	"rhumb/parser"
	"rhumb/types"
)

func parse[S parser.Statement](t *testing.T, text string) S {
	t.Helper()
	p, err := parser.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p[0].Stmt.(S)
}

// The texts that the catalog keeps bind to what the statement said.
func TestBindSourceExprs(t *testing.T) {
	stmt := parse[*parser.CreateStream](t, `CREATE STREAM s ("User Name" text, ts timestamptz, port smallint DEFAULT 22, low text AS (lower("User Name")),
		key_size bigint AS (length(_key)), WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE)`)
	o, err := BindSource(stmt, Env{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := BindSourceExprs(o)
	if err != nil {
		t.Fatal(err)
	}
	s := SourceSchema(o)
	if len(s) != 5+5 || s[8].Name != "_key" {
		t.Fatalf("schema %v", s)
	}
	if got.Computed[0] != nil || got.Computed[3].String() != `lower("User Name")` || !slices.Equal(expr.Columns(got.Computed[3]), []int{0}) {
		t.Errorf("computed: %v", got.Computed)
	}
	if got.Computed[4].Type() != types.T(types.Int8) || !slices.Equal(expr.Columns(got.Computed[4]), []int{8}) {
		t.Errorf("key_size: %v", got.Computed[4])
	}
	if d := got.Defaults[2]; d == nil || d.Value != types.IntValue(types.Int2, 22) || got.Defaults[0] != nil {
		t.Errorf("defaults: %v", got.Defaults)
	}
	if got.Watermark.Type() != types.T(types.Timestamptz) || !slices.Equal(expr.Columns(got.Watermark), []int{1}) {
		t.Errorf("watermark: %v", got.Watermark)
	}
	b := batch(rows{{types.TextValue("ROOT"), types.IntValue(types.Timestamptz, 120_000_000), types.NullOf(s[2].Type), types.NullOf(s[3].Type),
		types.NullOf(s[4].Type), types.NullOf(s[5].Type), types.NullOf(s[6].Type), types.NullOf(s[7].Type), types.TextValue("key"), types.NullOf(s[9].Type)}}, s)
	for _, c := range []struct {
		e    expr.Expr
		want types.Value
	}{{got.Computed[3], types.TextValue("root")}, {got.Computed[4], types.IntValue(types.Int8, 3)}, {got.Watermark, types.IntValue(types.Timestamptz, 60_000_000)}} {
		if v := expr.NewEvaluator(c.e).Eval(&expr.Ctx{}, b, []int32{0}).Value(0); v != c.want {
			t.Errorf("%s is %v, want %v", c.e, v, c.want)
		}
	}
}

// A query bound through Snapshot.As means what it meant when it was created.
func TestBindAsCreated(t *testing.T) {
	c, err := catalog.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{c}
	const stream = "CREATE STREAM d AS SELECT port FROM v2"
	w.each(`CREATE STREAM s (port int, user_name text); CREATE VIEW v AS SELECT port FROM s WHERE port > 1;
		CREATE VIEW v2 AS SELECT port FROM v; `+stream+`; CREATE OR REPLACE VIEW v AS SELECT port FROM s WHERE port > 2`, w.create)
	d, _ := c.Snapshot().Object("d")
	as := parse[*parser.CreateAs](t, stream)
	plan := func(l catalog.Lookup) string {
		out, _, err := BindContinuous(catalog.Derived, "d", as.Query, nil, Env{Catalog: l})
		if err != nil {
			t.Fatal(err)
		}
		return Explain(Optimize(out, Setting{}), false)
	}
	const want = "Output d\n  Scan s\n      from: topic s\n      reads: port\n      filter: port > "
	if got := plan(c.Snapshot().As(d)); got != want+"1\n" {
		t.Errorf("as created: %s", got)
	}
	if got := plan(c.Snapshot()); got != want+"2\n" {
		t.Errorf("now: %s", got)
	}
}

func TestResolveOptions(t *testing.T) {
	spec := connectors.Spec{Options: []connectors.OptionSpec{
		{Name: "topic", Type: connectors.OptionString, Required: true}, {Name: "partitions", Type: connectors.OptionInt, Min: 1, Default: "1"}}}
	opts := func(with string) []parser.Option {
		return parse[*parser.CreateStream](t, "CREATE STREAM s (a int) WITH ("+with+")").Options
	}
	got, err := ResolveOptions(spec, opts("topic = 't'"))
	if err != nil || got["topic"] != "t" || got["partitions"] != "1" {
		t.Fatal(got, err)
	}
	for _, c := range []struct {
		with string
		pos  int
	}{{"topic = 't', partitions = 0", 57}, {"topic = 't', partition = 2", 44}, {"partitions = 3", 0}} {
		_, err := ResolveOptions(spec, opts(c.with))
		if e := types.AsError(err); err == nil || e.Code != "22023" || e.Pos != c.pos {
			t.Errorf("%s: %v at %d, want 22023 at %d", c.with, err, e.Pos, c.pos)
		}
	}
}

// The relations that a statement may reach are bounded, also where WITH doubles them.
func TestTooManyRelations(t *testing.T) {
	text := "WITH c0 AS (SELECT 1 AS a)"
	for i := range 28 {
		text += fmt.Sprintf(", c%d AS (SELECT a FROM c%d UNION ALL SELECT a FROM c%d)", i+1, i, i)
	}
	sel := parse[*parser.SelectStmt](t, text+" SELECT a FROM c28")
	c, err := catalog.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = BindSearch(sel.Query, Env{Catalog: c.Snapshot()})
	if e := types.AsError(err); err == nil || e.Code != types.CodeTooComplex {
		t.Fatal(err)
	}
}
