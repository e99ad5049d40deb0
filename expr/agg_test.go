// Long because the naive aggregates that are the oracle stand beside the tests that compare with them.

package expr

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"rhumb/types"
)

// aggInput is what a test hands to an aggregate: rows of one column with their canonical order, in groups.
type aggInput struct {
	arg    *types.Vec
	groups []uint32
	n      int // groups
	origin types.Origin
}

func (in *aggInput) args(c *AggCall) []*types.Vec {
	var out []*types.Vec
	for _, a := range c.Args {
		if _, isConst := a.(*Const); !isConst {
			out = append(out, in.arg)
			continue
		}
		v := types.NewVec(a.Type(), 0)
		for range in.arg.Len() {
			v.AppendValue(a.(*Const).Value)
		}
		out = append(out, v)
	}
	return out
}

// feed adds the rows in chunks of at most size.
func (in *aggInput) feed(c *AggCall, acc Accumulator, ctx *Ctx, rows []int32, size int) {
	args, order := in.args(c), []*types.Vec(nil)
	for range c.OrderBy {
		order = append(order, in.arg)
	}
	for len(rows) > 0 {
		k := min(size, len(rows))
		gs := make([]uint32, k)
		for j, r := range rows[:k] {
			gs[j] = in.groups[r]
		}
		acc.Update(ctx, gs, rows[:k], args, order, &in.origin)
		rows = rows[k:]
	}
}

// print returns the results as text.
func printAgg(c *AggCall, acc Accumulator, n int) []string {
	ctx := &Ctx{}
	out := types.NewVec(c.T, n)
	acc.Result(ctx, out, 0, n)
	text := make([]string, n)
	for i := range text {
		if text[i] = "<NULL>"; !out.Null(i) {
			text[i] = types.FormatValue(out.Value(i), nil)
		}
	}
	for _, e := range ctx.Errs {
		text[e.Row] = "ERROR " + e.Err.Code + " " + e.Err.Message
	}
	return text
}

// saveLoad returns a copy of acc that went through bytes.
func saveLoad(t *testing.T, c *AggCall, acc Accumulator) Accumulator {
	t.Helper()
	var e types.Encoder
	acc.Save(&e)
	d := types.Decoder{B: e.B}
	loaded := c.NewAccumulator()
	loaded.Load(&d)
	if d.Err != nil || len(d.B) > 0 {
		t.Fatalf("%s: load: %v, %d bytes left", c.Func.Name, d.Err, len(d.B))
	}
	return loaded
}

// aggModes are the ways to bring the same rows to an accumulator; all must give the same result. ordered ones keep the order
// of the rows, for sums of floats.
func (in *aggInput) modes(t *testing.T, c *AggCall, r *rand.Rand) map[string][]string {
	ctx := &Ctx{}
	all := make([]int32, in.arg.Len())
	for i := range all {
		all[i] = int32(i)
	}
	got := map[string][]string{}
	fresh := func() Accumulator {
		acc := c.NewAccumulator()
		acc.Resize(in.n)
		return acc
	}
	acc := fresh()
	in.feed(c, acc, ctx, all, len(all)+1)
	got["ordered: one update"] = printAgg(c, acc, in.n)

	acc.Resize(0)
	acc.Resize(in.n)
	in.feed(c, acc, ctx, all, 1)
	got["ordered: reused, row by row"] = printAgg(c, acc, in.n)

	acc = fresh()
	cut := r.IntN(len(all) + 1)
	in.feed(c, acc, ctx, all[:cut], 1+r.IntN(5))
	acc = saveLoad(t, c, acc)
	in.feed(c, acc, ctx, all[cut:], 1+r.IntN(5))
	got["ordered: saved in between"] = printAgg(c, saveLoad(t, c, acc), in.n)

	shuffled := append([]int32(nil), all...)
	r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	acc = fresh()
	in.feed(c, acc, ctx, shuffled, 1+r.IntN(5))
	got["shuffled"] = printAgg(c, acc, in.n)

	// Parts with their own group numbers, merged.
	acc = fresh()
	for rest := shuffled; len(rest) > 0; {
		k := 1 + r.IntN(len(rest))
		part := fresh()
		in.feed(c, part, ctx, rest[:k], 3)
		if r.IntN(2) == 0 {
			part = saveLoad(t, c, part)
		}
		to := make([]uint32, in.n)
		for g := range to {
			to[g] = uint32(g)
		}
		acc.Merge(to, part)
		rest = rest[k:]
	}
	got["merged"] = printAgg(c, acc, in.n)
	if acc.Bytes() < 8*in.n/64 {
		t.Errorf("%s: Bytes is %d", c.Func.Name, acc.Bytes())
	}
	if len(ctx.Errs) > 0 {
		t.Errorf("%s: %v", c.Func.Name, ctx.Errs[0].Err)
	}
	return got
}

// sameResult compares texts; floats within rounding if the rows did not come in order.
func sameResult(c *AggCall, ordered bool, a, b string) bool {
	if a == b || ordered || !c.Func.OrderSensitive || !c.T.IsFloat() {
		return a == b
	}
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	return err1 == nil && err2 == nil && math.Abs(x-y) <= 1e-6*(1+math.Abs(x))
}

func testAgg(t testing.TB, name, typeName, order string) *AggCall {
	t.Helper()
	typ, ok := types.ParseType(typeName)
	if !ok {
		t.Fatalf("type %s", typeName)
	}
	col := &Column{Index: 0, T: typ, Name: "x"}
	name, distinct := strings.CutSuffix(name, " distinct")
	args := []Expr{col}
	switch name {
	case "count(*)":
		name, args = "count", nil
	case "string_agg":
		v := types.TextValue(", ")
		v.Type = typ
		args = append(args, &Const{Value: v})
	}
	var keys []SortKey
	switch order {
	case "asc":
		keys = []SortKey{{Expr: col}}
	case "desc":
		keys = []SortKey{{Expr: col, Desc: true, NullsFirst: true}}
	case "descnl":
		keys = []SortKey{{Expr: col, Desc: true}}
	case "ascnf":
		keys = []SortKey{{Expr: col, NullsFirst: true}}
	}
	c, err := NewAgg(name, args, distinct, keys, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAggIsPostgres(t *testing.T) {
	b, err := os.ReadFile("testdata/agg_postgres.txt")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for n, line := range strings.Split(strings.TrimRight(string(b), "\n"), "\n") {
		f := strings.Split(line, "\t")
		if strings.HasPrefix(line, "#") {
			continue
		}
		c := testAgg(t, f[0], f[1], f[2])
		var vals []*string
		if err := json.Unmarshal([]byte(f[3]), &vals); err != nil {
			t.Fatal(err)
		}
		in := &aggInput{arg: types.NewVec(mustType(t, f[1]), 0), n: 1, groups: make([]uint32, len(vals))}
		for i, s := range vals {
			in.origin.Time = append(in.origin.Time, int64(i/2))
			in.origin.Off = append(in.origin.Off, int64(i))
			if s == nil {
				in.arg.AppendNull()
				continue
			}
			v, perr := types.ParseValue(in.arg.Type, *s, nil)
			if perr != nil {
				t.Fatal(perr)
			}
			in.arg.AppendValue(v)
		}
		in.origin.Part = make([]int32, len(vals))
		want := strings.NewReplacer(`\\`, `\`).Replace(f[4])
		for mode, got := range in.modes(t, c, r) {
			if !sameResult(c, strings.HasPrefix(mode, "ordered"), want, got[0]) {
				t.Errorf("line %d, %s: %s(%s) order %q of %s:\n got %s\nwant %s", n+1, mode, f[0], f[1], f[2], f[3], got[0], want)
			}
		}
	}
}

func mustType(t testing.TB, name string) types.Type {
	typ, ok := types.ParseType(name)
	if !ok {
		t.Fatalf("unknown type %s", name)
	}
	return typ
}

// randomValues make a few distinct values of each type, equal ones in several forms among them.
func randomValue(r *rand.Rand, t types.Type) types.Value {
	if r.IntN(6) == 0 {
		return types.NullOf(t)
	}
	v := types.Value{Type: t}
	k := int64(r.IntN(7)) - 3
	switch t.Kind {
	case types.Bool:
		v.I = k & 1
	case types.Float4, types.Float8:
		v.F = float64(k) / 4
	case types.Numeric:
		v.S = fmt.Sprintf("%d.%s", k, strings.Repeat("0", 1+r.IntN(3)))
		if k == 0 {
			v.S = "0"
		}
	case types.IntervalKind:
		v.Iv = types.Interval{Days: int32(k) * 30}
		if r.IntN(2) == 0 {
			v.Iv = types.Interval{Months: int32(k)}
		}
	case types.UUID:
		v.S = strings.Repeat(string(rune('a'+k+3)), 16)
	case types.Inet:
		v.S = string([]byte{4, byte(24 + r.IntN(2)), 10, 0, 0, byte(k + 3)})
	case types.JSONB:
		v.S = []string{"1", "1.0", `"a"`, "[1, 2]", `{"a": 1}`, "null", "true"}[k+3]
	case types.Text, types.Bytea:
		v.S = strings.Repeat(string(rune('a'+k+3)), r.IntN(3)) + strconv.Itoa(int(k))
	default:
		v.I = k
	}
	return v
}

// TestAggChunking compares many groups in all modes with each group alone, which TestAggIsPostgres covers.
func TestAggChunking(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	typeNames := []string{"smallint", "integer", "bigint", "real", "double precision", "numeric", "text", "boolean", "date",
		"timestamptz", "interval", "inet", "bytea", "uuid", "jsonb"}
	for _, typeName := range typeNames {
		typ := mustType(t, typeName)
		for _, f := range AggFuncs() {
			if len(f.Args) == 2 && f.Args[1] == AnyKind || len(f.Args) > 0 && f.Args[0] != typ.Kind && f.Args[0] != AnyKind {
				continue
			}
			for _, order := range []string{"", "asc", "desc", "descnl", "ascnf"} {
				for _, distinct := range []string{"", " distinct"} {
					if !f.sorts && order != "" || len(f.Args) == 0 && distinct != "" {
						continue
					}
					name := f.Name
					if len(f.Args) == 0 {
						name = "count(*)"
					}
					c := testAgg(t, name+distinct, typeName, order)
					in := randomInput(r, typ, 1+r.IntN(40), 1+r.IntN(5))
					var want []string
					for g := range in.n {
						one := in.only(uint32(g))
						want = append(want, one.modes(t, c, r)["ordered: one update"][0])
					}
					for mode, got := range in.modes(t, c, r) {
						for g := range got {
							if !sameResult(c, false, want[g], got[g]) {
								t.Fatalf("%s, %s, group %d:\n got %s\nwant %s", c, mode, g, got[g], want[g])
							}
						}
					}
				}
			}
		}
	}
}

func randomInput(r *rand.Rand, typ types.Type, rows, groups int) *aggInput {
	in := &aggInput{arg: types.NewVec(typ, rows), n: groups}
	for i := range rows {
		in.arg.AppendValue(randomValue(r, typ))
		in.groups = append(in.groups, uint32(r.IntN(groups)))
		in.origin.Time = append(in.origin.Time, int64(r.IntN(4)))
		in.origin.Part = append(in.origin.Part, int32(r.IntN(2)))
		in.origin.Off = append(in.origin.Off, int64(i/2))
		in.origin.Sub = append(in.origin.Sub, int32(i%2))
	}
	return in
}

// only is the rows of one group, as group 0.
func (in *aggInput) only(g uint32) *aggInput {
	out := &aggInput{arg: types.NewVec(in.arg.Type, 0), n: 1}
	for i, x := range in.groups {
		if x != g {
			continue
		}
		out.arg.AppendFrom(in.arg, i)
		out.groups = append(out.groups, 0)
		out.origin.Time = append(out.origin.Time, in.origin.Time[i])
		out.origin.Part = append(out.origin.Part, in.origin.Part[i])
		out.origin.Off = append(out.origin.Off, in.origin.Off[i])
		out.origin.Sub = append(out.origin.Sub, in.origin.Sub[i])
	}
	return out
}

// TestAggNaive compares the commonest aggregates with Go maps over many groups.
func TestAggNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		in := randomInput(r, types.T(types.Int4), 1+r.IntN(3000), 1+r.IntN(500))
		count, sum, least, distinct := map[uint32]int64{}, map[uint32]int64{}, map[uint32]int64{}, map[[2]int64]bool{}
		perGroup := map[uint32]int64{}
		for i, g := range in.groups {
			if in.arg.Null(i) {
				continue
			}
			x := in.arg.I[i]
			if old, ok := least[g]; !ok || x < old {
				least[g] = x
			}
			count[g]++
			sum[g] += x
			if !distinct[[2]int64{int64(g), x}] {
				distinct[[2]int64{int64(g), x}] = true
				perGroup[g]++
			}
		}
		for name, want := range map[string]map[uint32]int64{"count": count, "sum": sum, "min": least, "count distinct": perGroup} {
			for mode, got := range in.modes(t, testAgg(t, name, "integer", ""), r) {
				for g := range got {
					w, ok := want[uint32(g)]
					text := strconv.FormatInt(w, 10)
					if !ok && !strings.HasPrefix(name, "count") {
						text = "<NULL>"
					}
					if got[g] != text {
						t.Fatalf("%s, %s, group %d: got %s, want %s", name, mode, g, got[g], text)
					}
				}
			}
		}
	}
}

func TestAggOverflow(t *testing.T) {
	for _, tc := range []struct{ agg, typ, vals, want string }{
		{"sum", "double precision", "1.7e308 1.7e308", "ERROR 22003 value out of range: overflow"},
		{"sum", "double precision", "Infinity 1.7e308", "Infinity"},
		{"sum", "real", "3e38 3e38", "ERROR 22003 value out of range: overflow"},
		{"avg", "double precision", "1.7e308 1.7e308", "ERROR 22003 value out of range: overflow"},
		{"stddev", "double precision", "1.7e308 -1.7e308", "ERROR 22003 value out of range: overflow"},
		{"sum", "bigint", "9223372036854775807 9223372036854775807", "18446744073709551614"},
		{"sum", "bigint", "-9223372036854775808 -9223372036854775808", "-18446744073709551616"},
		{"avg", "bigint", "9223372036854775807 9223372036854775807", "9223372036854775807"},
		{"sum", "interval", "2147483647days 1day", "ERROR 22008 interval out of range"},
		{"sum", "numeric", "1e38 1e38", "2" + strings.Repeat("0", 38)},
		{"sum", "numeric", "1e-30 1e38", "1" + strings.Repeat("0", 38) + "." + strings.Repeat("0", 29) + "1"},
		{"sum", "numeric", "170141183460469231731687303715884105727 -1 1", "170141183460469231731687303715884105727"},
		{"sum", "numeric", "-170141183460469231731687303715884105728 -1 0.50", "-170141183460469231731687303715884105728.50"},
	} {
		c := testAgg(t, tc.agg, tc.typ, "")
		in := &aggInput{arg: types.NewVec(mustType(t, tc.typ), 0), n: 1}
		for _, s := range strings.Fields(tc.vals) {
			v, err := types.ParseValue(in.arg.Type, s, nil)
			if err != nil {
				t.Fatal(err)
			}
			in.arg.AppendValue(v)
			in.groups = append(in.groups, 0)
		}
		for mode, got := range in.modes(t, c, rand.New(rand.NewPCG(1, 1))) {
			if got[0] != tc.want {
				t.Errorf("%s(%s) of %s, %s: got %s, want %s", tc.agg, tc.typ, tc.vals, mode, got[0], tc.want)
			}
		}
	}
}

// TestSumIntegerOverflow needs more rows of integers than a test has, so it sets the state.
func TestSumIntegerOverflow(t *testing.T) {
	acc := &sumIntAcc{}
	acc.Resize(1)
	acc.sum[0] = math.MaxInt64 - 1
	v := types.NewVec(types.T(types.Int4), 0)
	v.I = append(v.I, 1)
	c := testAgg(t, "sum", "integer", "")
	acc.Update(nil, []uint32{0}, []int32{0}, []*types.Vec{v}, nil, nil)
	if got := printAgg(c, acc, 1)[0]; got != "9223372036854775807" {
		t.Error(got)
	}
	acc.Update(nil, []uint32{0}, []int32{0}, []*types.Vec{v}, nil, nil)
	if got := printAgg(c, acc, 1)[0]; got != "ERROR 22003 bigint out of range" {
		t.Error(got)
	}
}

// TestAggArrival says that rows without coordinates keep the order in which they came.
func TestAggArrival(t *testing.T) {
	v := types.NewVec(types.T(types.Int8), 0)
	v.I = append(v.I, 5, 3, 9)
	for agg, want := range map[string]string{"array_agg": "{5,3,9}", "first": "5", "last": "9"} {
		c := testAgg(t, agg, "bigint", "")
		acc := c.NewAccumulator()
		acc.Resize(1)
		acc.Update(&Ctx{}, []uint32{0, 0}, []int32{0, 1}, []*types.Vec{v}, nil, nil)
		acc.Update(&Ctx{}, []uint32{0}, []int32{2}, []*types.Vec{v}, nil, &types.Origin{})
		if got := printAgg(c, acc, 1)[0]; got != want {
			t.Errorf("%s: got %s, want %s", agg, got, want)
		}
	}
}

func TestArgMinMax(t *testing.T) {
	x := vecOfText("a", "b", "c", "", "e", "f")
	x.SetNull(3)
	y := types.NewVec(types.T(types.Int4), 0)
	y.I = append(y.I, 5, 2, 2, 1, 9, 9)
	y.SetNull(4)
	o := &types.Origin{Time: []int64{1, 9, 8, 1, 1, 3}}
	col := func(k types.Kind) Expr { return &Column{T: types.T(k), Name: "x"} }
	for name, want := range map[string]string{"arg_min": "c", "arg_max": "f"} {
		c, err := NewAgg(name, []Expr{col(types.Text), col(types.Int4)}, false, nil, nil, 1)
		if err != nil {
			t.Fatal(err)
		}
		all, half := c.NewAccumulator(), c.NewAccumulator()
		all.Resize(2)
		half.Resize(1)
		all.Update(nil, []uint32{0, 0, 0}, []int32{4, 3, 1}, []*types.Vec{x, y}, nil, o)
		half.Update(nil, []uint32{0, 0, 0}, []int32{5, 0, 2}, []*types.Vec{x, y}, nil, o)
		all.Merge([]uint32{0}, saveLoad(t, c, half))
		if got := printAgg(c, all, 2); got[0] != want || got[1] != "<NULL>" {
			t.Errorf("%s: got %v, want %s", name, got, want)
		}
	}
}

func vecOfText(ss ...string) *types.Vec {
	v := types.NewVec(types.T(types.Text), len(ss))
	for _, s := range ss {
		v.AppendStr([]byte(s))
	}
	return v
}

func TestNewAggErrors(t *testing.T) {
	col := func(k types.Kind) Expr { return &Column{T: types.T(k), Name: "x"} }
	unknown := &Const{Value: types.Value{Type: types.T(types.Unknown), S: "1"}}
	for _, tc := range []struct {
		name     string
		args     []Expr
		distinct bool
		order    []SortKey
		want     string
	}{
		{"sum", []Expr{col(types.Text)}, false, nil, "42883 function sum(text) does not exist"},
		{"sum", nil, false, nil, "42883 function sum() does not exist"},
		{"sum", []Expr{unknown}, false, nil, "42725 function sum(unknown) is not unique"},
		{"bool_and", []Expr{col(types.Int4)}, false, nil, "42883 function bool_and(integer) does not exist"},
		{"array_ag", []Expr{col(types.Int4)}, false, nil, "42883 function array_ag(integer) does not exist"},
		{"string_agg", []Expr{col(types.Int4), col(types.Text)}, false, nil, "42883 function string_agg(integer, text) does not exist"},
		{"count", nil, true, nil, "42601 DISTINCT needs an argument"},
		{"array_agg", []Expr{col(types.Int4)}, true, []SortKey{{Expr: &Column{Index: 1, T: types.T(types.Int4), Name: "y"}}},
			"42P10 in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list"},
		{"array_agg", []Expr{&Column{T: types.ArrayOf(types.Int4)}}, false, nil, "0A000 array_agg of arrays is not supported"},
	} {
		_, err := NewAgg(tc.name, tc.args, tc.distinct, tc.order, nil, 7)
		if err == nil {
			t.Errorf("%s: no error", tc.want)
			continue
		}
		e := types.AsError(err)
		if got := e.Code + " " + e.Message; got != tc.want || e.Pos != 7 || e.Hint == "" {
			t.Errorf("got %s at %d hint %q, want %s", got, e.Pos, e.Hint, tc.want)
		}
	}
}

func TestAggTypes(t *testing.T) {
	for _, tc := range [][3]string{
		{"sum", "smallint", "bigint"}, {"sum", "integer", "bigint"}, {"sum", "bigint", "numeric"}, {"sum", "real", "real"},
		{"avg", "integer", "numeric"}, {"avg", "real", "double precision"}, {"count", "jsonb", "bigint"}, {"min", "inet", "inet"},
		{"array_agg", "uuid", "uuid[]"}, {"first", "text[]", "text[]"}, {"stddev", "integer", "numeric"}, {"every", "boolean", "boolean"},
	} {
		if c := testAgg(t, tc[0], tc[1], ""); c.T.String() != tc[2] {
			t.Errorf("%s(%s) is %s, want %s", tc[0], tc[1], c.T, tc[2])
		}
	}
}

// FuzzAggLoad says that no bytes make Load panic, and that what it takes can be used.
func FuzzAggLoad(f *testing.F) {
	r := rand.New(rand.NewPCG(9, 9))
	type target struct{ name, typ, order string }
	targets := []target{{"count", "text", ""}, {"sum", "integer", ""}, {"sum", "bigint", ""}, {"sum", "numeric", ""}, {"stddev", "numeric", ""},
		{"sum", "double precision", ""}, {"var_pop", "real", ""}, {"sum", "interval", ""}, {"min", "bigint", ""}, {"max", "inet", ""},
		{"min", "text", ""}, {"first", "bigint", ""}, {"last", "text", ""}, {"first", "jsonb", "desc"}, {"array_agg", "boolean", "asc"},
		{"string_agg", "text", "desc"}, {"count distinct", "inet", ""}, {"array_agg distinct", "numeric", "desc"}, {"bool_or", "boolean", ""},
		{"min", "interval", ""}, {"array_agg", "interval", ""}, {"sum distinct", "double precision", ""}}
	seedFor := func(t testing.TB, k int) []byte {
		tg := targets[k]
		typ, _ := types.ParseType(tg.typ)
		c := testAgg(t, tg.name, tg.typ, tg.order)
		in := randomInput(r, typ, 20, 3)
		acc := c.NewAccumulator()
		acc.Resize(3)
		rows := make([]int32, 20)
		for i := range rows {
			rows[i] = int32(i)
		}
		in.feed(c, acc, &Ctx{}, rows, 7)
		var e types.Encoder
		acc.Save(&e)
		return e.B
	}
	for k := range targets {
		f.Add(uint8(k), seedFor(f, k))
	}
	f.Fuzz(func(t *testing.T, k uint8, b []byte) {
		tg := targets[int(k)%len(targets)]
		c := testAgg(t, tg.name, tg.typ, tg.order)
		acc := c.NewAccumulator()
		d := types.Decoder{B: b}
		acc.Load(&d)
		var e types.Encoder
		acc.Save(&e)
		n := 0
		if d.Err == nil {
			n = aggGroups(acc)
			printAgg(c, acc, n)
		} else if len(e.B) > 16 {
			t.Fatalf("%d bytes of state after a failed Load", len(e.B))
		}
		acc.Resize(n + 2)
		in := randomInput(rand.New(rand.NewPCG(1, 1)), c.argType(), 5, n+2)
		in.feed(c, acc, &Ctx{}, []int32{0, 1, 2, 3, 4}, 2)
		printAgg(c, saveLoad(t, c, acc), n+2)
	})
}

func (c *AggCall) argType() types.Type { return c.Args[0].Type() }

func aggGroups(acc Accumulator) int {
	switch a := acc.(type) {
	case *countAcc:
		return len(a.n)
	case *sumIntAcc:
		return len(a.sum)
	case *sumWideAcc:
		return len(a.n)
	case *floatAcc:
		return len(a.n)
	case *decimalAcc:
		return len(a.n)
	case *floatStatAcc:
		return len(a.n)
	case *intervalAcc:
		return len(a.n)
	case *wordExtreme:
		return len(a.least)
	case *bytesExtreme:
		return a.arena.groups()
	case *firstAcc:
		return max(len(a.at), a.arena.groups())
	case *listAcc:
		return len(a.head)
	case *distinctAcc:
		return a.groups
	}
	panic("unknown accumulator")
}
