package expr

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"rhumb/types"
)

// exprGen makes random expressions over a batch with two columns of each type.
type exprGen struct {
	r     *rand.Rand
	cols  []*Column
	byRet map[types.Type][]genSig
}

type genSig struct {
	f *Func
	s *Sig
}

func newExprGen(r *rand.Rand) *exprGen {
	g := &exprGen{r: r, byRet: map[types.Type][]genSig{}}
	for _, t := range append(slices.Clone(scalarTypes), tTextArray, types.ArrayOf(types.Int4)) {
		for k := range 2 {
			g.cols = append(g.cols, &Column{Index: len(g.cols), T: t, Name: fmt.Sprintf("c%d_%d", len(g.cols), k)})
		}
	}
	var names []string
	for name := range funcs {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		for i := range funcs[name].Sigs {
			s := &funcs[name].Sigs[i]
			if name != "array" && name != "regexp_matches" && name != "repeat" && name != "generate_series" {
				g.byRet[s.Ret] = append(g.byRet[s.Ret], genSig{funcs[name], s})
			}
		}
	}
	return g
}

func (g *exprGen) constant(t types.Type) Expr {
	list := samples[t.Kind]
	if t.Kind == types.Array {
		list = []string{"{}", "{1,2,NULL}", "{12}"}
	}
	if g.r.IntN(8) == 0 {
		return &Const{types.NullOf(t)}
	}
	v, err := types.ParseValue(t, list[g.r.IntN(len(list))], nil)
	if err != nil {
		return &Const{types.NullOf(t)}
	}
	return &Const{v}
}

// expr makes an expression of a type.
func (g *exprGen) expr(t types.Type, depth int) Expr {
	if depth == 0 || g.r.IntN(6) == 0 {
		if g.r.IntN(3) == 0 {
			return g.constant(t)
		}
		for {
			if c := g.cols[g.r.IntN(len(g.cols))]; c.T == t {
				return c
			}
		}
	}
	sub := func(t types.Type) Expr { return g.expr(t, depth-1) }
	switch g.r.IntN(10) {
	case 0:
		c := &Case{T: t, Whens: []When{{sub(tBool), sub(t)}, {sub(tBool), sub(t)}}}
		if g.r.IntN(2) == 0 {
			c.Else = sub(t)
		}
		return c
	case 1:
		return &Coalesce{T: t, Args: []Expr{sub(t), sub(t), sub(t)}}
	case 2:
		if from := scalarTypes[g.r.IntN(len(scalarTypes))]; from != t && levelOf(from, t) != castNone && t.Kind != types.Array {
			return &Cast{Arg: sub(from), To: t}
		}
	}
	if t == tBool {
		switch g.r.IntN(6) {
		case 0, 1:
			return &Logic{Or: g.r.IntN(2) == 0, Args: []Expr{sub(tBool), sub(tBool), sub(tBool)}}
		case 2:
			return &Not{sub(tBool)}
		case 3:
			return g.in(sub)
		}
	}
	return g.call(t, sub)
}

func (g *exprGen) in(sub func(types.Type) Expr) Expr {
	t := scalarTypes[g.r.IntN(len(scalarTypes))]
	in := &In{Arg: sub(t), HasNul: g.r.IntN(3) == 0}
	for range 1 + g.r.IntN(12) {
		if c := g.constant(t).(*Const); !c.Value.Null {
			in.Values = append(in.Values, c.Value)
		}
	}
	return in
}

// call is a call that returns t. Its own arguments are exactly what the overload wants, so there is nothing to resolve.
func (g *exprGen) call(t types.Type, sub func(types.Type) Expr) Expr {
	sigs := g.byRet[t]
	if len(sigs) == 0 {
		return sub(t)
	}
	pick := sigs[g.r.IntN(len(sigs))]
	ts := concrete(g.r, pick.s)
	args := make([]Expr, len(ts))
	for i, t := range ts {
		if t.Kind == types.Array && t != tTextArray {
			t = types.ArrayOf(types.Int4)
		}
		args[i] = sub(t)
	}
	if pick.s.prepare != nil {
		if _, err := pick.s.prepare(args); err != nil {
			return sub(t)
		}
	}
	return &Call{Func: pick.f, Args: args, T: t, sig: pick.s}
}

// batch makes random rows.
func (g *exprGen) batch(n int) *types.Batch {
	b := &types.Batch{N: n}
	for _, c := range g.cols {
		v := types.NewVec(c.T, n)
		for range n {
			v.AppendValue(g.constant(c.T).(*Const).Value)
		}
		b.Cols = append(b.Cols, v)
	}
	return b
}

func oneRow(b *types.Batch, i int32) *types.Batch {
	out := &types.Batch{N: 1}
	for _, v := range b.Cols {
		w := types.NewVec(v.Type, 1)
		w.AppendFrom(v, int(i))
		out.Cols = append(out.Cols, w)
	}
	return out
}

// failures returns the rows that have errors, each with its first.
func failures(errs []RowError) map[int32]string {
	out := map[int32]string{}
	for _, e := range errs {
		if _, ok := out[e.Row]; !ok {
			out[e.Row] = e.Err.Code
		}
	}
	return out
}

// TestVectorsAreRows: an expression over a batch gives in each selected row what it gives over that row alone, whatever the batch,
// the selection, and what the evaluator did before.
func TestVectorsAreRows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	g := newExprGen(r)
	targets := append(slices.Clone(scalarTypes), tBool, tBool, tText, tTextArray)
	for n := range 700 {
		e := g.expr(targets[n%len(targets)], 3)
		ev := NewEvaluator(e)
		for range 3 {
			checkRows(t, r, e, ev, g.batch(1+r.IntN(20)))
		}
		if t.Failed() {
			return
		}
	}
}

func checkRows(t *testing.T, r *rand.Rand, e Expr, ev *Evaluator, b *types.Batch) {
	t.Helper()
	var sel []int32
	for i := range b.N {
		if r.IntN(3) > 0 {
			sel = append(sel, int32(i))
		}
	}
	ctx := Ctx{Now: 1700000000123456}
	v := ev.Eval(&ctx, b, sel)
	got := failures(ctx.Errs)
	var wantRows []int32
	for _, i := range sel {
		one := Ctx{Now: ctx.Now}
		w := NewEvaluator(e).Eval(&one, oneRow(b, i), rowZero)
		x, y := v.Value(int(i)), w.Value(0)
		if x.Null != y.Null || !x.Null && types.CompareValues(x, y) != 0 {
			t.Errorf("%s\nrow %d: %v, alone %v", e, i, x, y)
			return
		}
		if code := failures(one.Errs)[0]; code != got[i] {
			t.Errorf("%s\nrow %d: error %q, alone %q", e, i, got[i], code)
			return
		}
		if y.Type.Kind == types.Bool && !y.Null && y.I != 0 {
			wantRows = append(wantRows, i)
		}
	}
	for i := range got {
		if !slices.Contains(sel, i) {
			t.Errorf("%s\nerror on row %d, which is not selected", e, i)
		}
	}
	if e.Type().Kind == types.Bool {
		if rows := ev.Filter(&Ctx{Now: ctx.Now}, b, sel, nil); !slices.Equal(rows, wantRows) {
			t.Errorf("%s\nfilter %v, want %v", e, rows, wantRows)
		}
		if rows := ev.Filter(&Ctx{Now: ctx.Now}, b, sel, sel); !slices.Equal(rows, wantRows) {
			t.Errorf("%s\nfilter in place %v, want %v", e, rows, wantRows)
		}
	}
}

// TestFoldKeepsMeaning: folding changes no result.
func TestFoldKeepsMeaning(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	g := newExprGen(r)
	for n := range 700 {
		e := g.expr(scalarTypes[n%len(scalarTypes)], 3)
		folded := Fold(e)
		b := g.batch(1)
		var before, after Ctx
		x := NewEvaluator(e).Eval(&before, b, rowZero).Value(0)
		y := NewEvaluator(folded).Eval(&after, b, rowZero).Value(0)
		if len(before.Errs) > 0 { // folding may drop an operand that fails, where a later one decides
			continue
		}
		if len(after.Errs) > 0 || x.Null != y.Null || !x.Null && types.CompareValues(x, y) != 0 {
			t.Fatalf("%s is %v\nfolded %s is %v %v", e, x, folded, y, after.Errs)
		}
	}
}

// TestNoAllocations: an evaluator at work allocates nothing.
func TestNoAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector, which runs with -short, allocates by itself")
	}
	if testing.Short() {
		t.Skip("the race detector, which is run with -short, makes the pools of package regexp forget")
	}
	r := rand.New(rand.NewPCG(5, 6))
	g := newExprGen(r)
	b := g.batch(100)
	sel := b.Selection(nil)
	col := map[types.Kind]*Column{}
	var cols []*Column
	for _, c := range g.cols {
		if col[c.T.Kind] == nil {
			k := *c
			k.Name = "c_" + scalarName(c.T)
			col[c.T.Kind], cols = &k, append(cols, &k)
		}
	}
	for _, text := range []string{
		"c_int4 > 5 and c_text = 'abc'", "c_int8 + 5 * c_int4 < 1000", "c_text like '%b%' or c_text ilike 'a%'", "c_text ~ '[a-c]+'",
		"lower(c_text) || 'x' = 'abcx'", "substring(c_text from 2 for 3)", "c_jsonb ->> 'a' = '1'", "c_inet << '10.0.0.0/8'",
		"c_ts + interval '1 hour' > '2024-01-01'", "c_tstz > now() - interval '1 hour'", "date_trunc('hour', c_tstz)", "c_text in ('a', 'b', 'abc')",
		"case when c_int4 > 0 then c_text else 'none' end", "coalesce(c_text, 'none')", "c_int4::numeric + 1.5 > 2", "c_int4::text", "split_part(c_text, ',', 2)",
		"(c_jsonb ->> 'a') is not null and not c_bool", "c_float8 * 2.5::float8 between 1 and 10", "is_private(c_inet)", "c_int4::numeric",
		"extract(epoch from c_tstz)", "to_char(c_ts, 'YYYY-MM-DD HH24:MI')",
	} {
		e, err := parseExpr(text, cols...)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		ev := NewEvaluator(Fold(e))
		ctx := Ctx{}
		run := func() { ctx.Errs = ctx.Errs[:0]; ev.Eval(&ctx, b, sel) }
		run()
		if len(ctx.Errs) > 0 {
			continue // a failure may allocate
		}
		if n := testing.AllocsPerRun(10, run); n > 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

// scalarName is a short name of a type.
func scalarName(t types.Type) string {
	switch t.Kind {
	case types.Int2:
		return "int2"
	case types.Int4:
		return "int4"
	case types.Int8:
		return "int8"
	case types.Bool:
		return "bool"
	case types.Float8:
		return "float8"
	case types.Timestamp:
		return "ts"
	case types.Timestamptz:
		return "tstz"
	}
	return t.String()
}
