package planner

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"

	"rhumb/catalog"
	"rhumb/connectors"
	"rhumb/expr"
	"rhumb/types"
)

// interpreter runs a plan over made-up rows, one node after the other, as plainly as can be. The golden tests run each plan before and
// after every rule: the rows must be the same, in the same order.
type interpreter struct{ errs int }

type rows [][]types.Value

// sameRows verifies that the rules do not change the result of a plan.
func sameRows(n Node, s Setting) error {
	first := interpreter{}
	want := first.run(n)
	for _, r := range Rules(s) {
		n = r.Apply(n)
		now := interpreter{}
		got := now.run(n)
		if first.errs+now.errs > 0 {
			continue // which rows fail may depend on the order of evaluation
		}
		if a, b := rowsText(want), rowsText(got); a != b {
			return fmt.Errorf("BUG: the rule %q changed the result from\n%s\nto\n%s\nby\n%s", r.Name, a, b, Explain(n, false))
		}
	}
	return nil
}

func rowsText(rs rows) string {
	var b strings.Builder
	for _, r := range rs {
		for _, v := range r {
			fmt.Fprintf(&b, "%s | ", (&expr.Const{Value: v}).String())
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (in *interpreter) run(n Node) rows {
	var below rows
	if ins := n.Inputs(); len(ins) == 1 {
		below = in.run(ins[0])
	}
	switch n := n.(type) {
	case *Scan:
		return in.scan(n)
	case *Filter:
		return in.filter(below, n.Input.Props().Schema, n.Pred)
	case *Project:
		return in.project(below, n.Input.Props().Schema, n.Exprs)
	case *Unnest:
		return in.unnest(n, below)
	case *Window:
		for i, r := range below {
			t := r[n.Time]
			w := []types.Value{types.NullOf(t.Type), types.NullOf(t.Type), types.NullOf(t.Type)}
			if !t.Null {
				rest := (t.I - n.Offset) % n.Size
				if rest < 0 {
					rest += n.Size
				}
				for j, us := range []int64{t.I - rest, t.I - rest + n.Size, t.I - rest + n.Size - 1} {
					w[j] = types.IntValue(t.Type.Kind, us)
				}
			}
			below[i] = append(slices.Clone(r), w...)
		}
		return below
	case *Aggregate:
		return in.aggregate(n, below)
	case *Distinct:
		return distinct(below)
	case *Sort:
		keys := in.project(below, n.Input.Props().Schema, exprsOf(n.Keys))
		order := sortedBy(keys, func(i int) (desc, nullsFirst bool) { return n.Keys[i].Desc, n.Keys[i].NullsFirst })
		return cut(pick(below, order), 0, n.Limit)
	case *Limit:
		return cut(below, n.Offset, n.Count)
	case *Values:
		var out rows
		for _, r := range n.Rows {
			out = append(out, in.project(rows{{}}, nil, r)[0])
		}
		return out
	case *Union:
		for _, br := range n.In {
			below = append(below, in.run(br)...)
		}
		return below
	case *Output:
		return below
	}
	panic("BUG: unknown node")
}

func exprsOf(keys []expr.SortKey) []expr.Expr {
	var out []expr.Expr
	for _, k := range keys {
		out = append(out, k.Expr)
	}
	return out
}

func cut(rs rows, offset, count int64) rows {
	rs = rs[min(offset, int64(len(rs))):]
	if count >= 0 {
		rs = rs[:min(count, int64(len(rs)))]
	}
	return rs
}

func pick(rs rows, order []int) rows {
	var out rows
	for _, i := range order {
		out = append(out, rs[i])
	}
	return out
}

// sortedBy is the stable order of rows by their columns, as Postgres orders.
func sortedBy(keys rows, how func(int) (desc, nullsFirst bool)) []int {
	order := identity(len(keys))
	slices.SortStableFunc(order, func(a, b int) int {
		for i := range keys[a] {
			desc, nullsFirst := how(i)
			x, y := keys[a][i], keys[b][i]
			if x.Null || y.Null {
				if x.Null == y.Null {
					continue
				}
				if x.Null == nullsFirst {
					return -1
				}
				return 1
			}
			if c := types.CompareValues(x, y); c != 0 {
				if desc {
					return -c
				}
				return c
			}
		}
		return 0
	})
	return order
}

func distinct(rs rows) rows {
	seen := map[string]bool{}
	var out rows
	for _, r := range rs {
		if k := rowsText(rows{r}); !seen[k] {
			seen[k] = true
			out = append(out, r)
		}
	}
	return out
}

func batch(rs rows, s types.Schema) *types.Batch {
	b := &types.Batch{N: len(rs)}
	for c, f := range s {
		v := types.NewVec(f.Type, len(rs))
		for _, r := range rs {
			v.AppendValue(r[c])
		}
		b.Cols = append(b.Cols, v)
	}
	for i := range rs {
		b.Origin.Part = append(b.Origin.Part, 0)
		b.Origin.Off = append(b.Origin.Off, int64(i))
		b.Origin.Time = append(b.Origin.Time, int64(i))
	}
	return b
}

func (in *interpreter) project(rs rows, s types.Schema, es []expr.Expr) rows {
	out := make(rows, len(rs))
	b := batch(rs, s)
	for _, e := range es {
		ctx := &expr.Ctx{Now: 1_767_225_600_000_000}
		v := expr.NewEvaluator(e).Eval(ctx, b, b.Selection(nil))
		in.errs += len(ctx.Errs)
		for i := range rs {
			out[i] = append(out[i], v.Value(i))
		}
	}
	return out
}

func (in *interpreter) filter(rs rows, s types.Schema, pred expr.Expr) rows {
	ctx := &expr.Ctx{Now: 1_767_225_600_000_000}
	b := batch(rs, s)
	var order []int
	for _, i := range expr.NewEvaluator(pred).Filter(ctx, b, b.Selection(nil), nil) {
		order = append(order, int(i))
	}
	in.errs += len(ctx.Errs)
	return pick(rs, order)
}

func (in *interpreter) unnest(n *Unnest, below rows) rows {
	arrays := in.project(below, n.Input.Props().Schema, n.Arrays)
	var out rows
	for i, r := range below {
		var lists [][]types.Value
		longest := 0
		for _, a := range arrays[i] {
			var l []types.Value
			if !a.Null {
				l = types.DecodeArray(a.Type.Elem, []byte(a.S))
			}
			lists, longest = append(lists, l), max(longest, len(l))
		}
		for j := range longest {
			row := slices.Clone(r)
			for k, l := range lists {
				e := types.NullOf(types.T(n.Arrays[k].Type().Elem))
				if j < len(l) {
					e = l[j]
				}
				row = append(row, e)
			}
			if n.Ordinality {
				row = append(row, types.IntValue(types.Int8, int64(j+1)))
			}
			out = append(out, row)
		}
	}
	return out
}

func (in *interpreter) aggregate(n *Aggregate, below rows) rows {
	s := n.Input.Props().Schema
	keys := in.project(below, s, n.Keys)
	groups := map[string][]int{}
	var first []string
	for i, k := range keys {
		text := rowsText(rows{k})
		if groups[text] == nil {
			first = append(first, text)
		}
		groups[text] = append(groups[text], i)
	}
	if len(n.Keys) == 0 && len(below) == 0 {
		first = []string{"none"}
	}
	var out rows
	for _, g := range first {
		members := pick(below, groups[g])
		row := []types.Value{}
		if len(n.Keys) > 0 {
			row = slices.Clone(keys[groups[g][0]])
		}
		for _, a := range n.Aggs {
			row = append(row, in.aggCall(a, members, s))
		}
		out = append(out, row)
	}
	return out
}

func (in *interpreter) aggCall(a *expr.AggCall, members rows, s types.Schema) types.Value {
	if a.Filter != nil {
		members = in.filter(members, s, a.Filter)
	}
	b := batch(members, s)
	sel := b.Selection(nil)
	ctx := &expr.Ctx{}
	eval := func(es []expr.Expr) []*types.Vec {
		var out []*types.Vec
		for _, e := range es {
			out = append(out, expr.NewEvaluator(e).Eval(ctx, b, sel))
		}
		return out
	}
	acc := a.NewAccumulator()
	acc.Resize(1)
	acc.Update(ctx, make([]uint32, len(members)), sel, eval(a.Args), eval(exprsOf(a.OrderBy)), &b.Origin)
	v := types.NewVec(a.T, 1)
	acc.Result(ctx, v, 0, 1)
	in.errs += len(ctx.Errs)
	return v.Value(0)
}

func (in *interpreter) scan(n *Scan) rows {
	system := systemColumns(n.Object, n.Access)
	full := madeUp(n.Object, append(n.Object.Schema(""), system...))
	place := func(name string) int {
		for i, c := range n.Object.Columns {
			if c.Name == name {
				return i
			}
		}
		return len(n.Object.Columns) + slices.IndexFunc(system, func(f types.Field) bool { return f.Name == name })
	}
	full = slices.DeleteFunc(full, func(r []types.Value) bool {
		return slices.ContainsFunc(n.Where, func(c connectors.Cond) bool { return !holds(c, r[place(c.Column)]) })
	})
	if len(n.OrderBy) > 0 {
		keys := make(rows, len(full))
		for i, r := range full {
			for _, o := range n.OrderBy {
				keys[i] = append(keys[i], r[place(o.Column)])
			}
		}
		full = pick(full, sortedBy(keys, func(i int) (bool, bool) { return n.OrderBy[i].Desc, n.OrderBy[i].NullsFirst }))
	}
	full = cut(full, 0, n.Limit)
	out := make(rows, len(full))
	for i, r := range full {
		for _, c := range n.Columns {
			out[i] = append(out[i], r[c])
		}
		for _, name := range n.System {
			out[i] = append(out[i], r[place(name)])
		}
	}
	if n.Filter != nil {
		out = in.filter(out, n.P.Schema, n.Filter)
	}
	return out
}

// holds evaluates a store's condition by itself, without the kernels that the filter would have used.
func holds(c connectors.Cond, v types.Value) bool {
	switch c.Op {
	case "is null":
		return v.Null
	case "is not null":
		return !v.Null
	}
	if v.Null {
		return false
	}
	for _, w := range c.Values {
		if w.Type.Base() != v.Type.Base() {
			panic(fmt.Sprintf("BUG: column %s of type %s is compared with a %s", c.Column, v.Type, w.Type))
		}
		cmp := types.CompareValues(v, w)
		if map[string]bool{"=": cmp == 0, "in": cmp == 0, "<>": cmp != 0, "<": cmp < 0, "<=": cmp <= 0, ">": cmp > 0, ">=": cmp >= 0}[c.Op] {
			return true
		}
	}
	return false
}

// madeUp is forty rows for an object, the same each time, of few different values.
func madeUp(o *catalog.Object, s types.Schema) rows {
	h := fnv.New64()
	h.Write([]byte(o.Name))
	rng := rand.New(rand.NewPCG(h.Sum64(), 1))
	out := make(rows, 40)
	for i := range out {
		for _, f := range s {
			out[i] = append(out[i], someValue(rng, f.Type))
		}
	}
	return out
}

func someValue(rng *rand.Rand, t types.Type) types.Value {
	if rng.IntN(8) == 0 {
		return types.NullOf(t)
	}
	one := func(vals ...string) types.Value {
		v, err := types.ParseValue(t.Base(), vals[rng.IntN(len(vals))], nil)
		if err != nil {
			panic(err)
		}
		v.Type = t
		return v
	}
	switch t.Kind {
	case types.Array:
		elems := make([]types.Value, rng.IntN(4))
		for i := range elems {
			elems[i] = someValue(rng, types.T(t.Elem))
		}
		return types.Value{Type: t, S: string(types.EncodeArray(elems))}
	case types.Inet:
		return one("10.0.0.1", "10.1.2.3", "192.168.0.7", "2001:db8::1")
	case types.Timestamptz, types.Timestamp:
		return one("2025-12-31 23:59:30", "2026-01-01 00:00:00", "2026-01-01 00:00:05", "2026-01-01 07:30:00", "2026-01-02 01:00:00")
	case types.JSONB:
		return one(`{}`, `{"a": 1}`, `[1, 2]`)
	case types.Text:
		return one("failure", "root", "Root", "x", "y", "a", "aab", "final", "sshd", "0", "")
	case types.Bytea:
		return one("a", "b")
	}
	return one("0", "1", "2", "5", "9", "10", "11", "22", "80", "1025")
}
