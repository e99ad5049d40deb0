package op

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sort"
	"strings"
	"testing"

	"rhumb/expr"
	"rhumb/types"
)

func TestWindowAggregate(t *testing.T) {
	for seed := range seeds() {
		r := rand.New(rand.NewPCG(seed, 1))
		spec, want := groupSpec(t, []int{-1, 4}[r.IntN(2)], true)
		c := newChecked(t, r, true, want, func() Operator { return NewWindowAggregate(spec, colStart, windowSize) })
		windows := map[int64][]*model{}
		var expected []string
		var late int
		closeTo := func(w int64) {
			var due []int64
			for s := range windows {
				if s+windowSize <= w {
					due = append(due, s)
				}
			}
			slices.Sort(due)
			for _, s := range due {
				for _, g := range windows[s] {
					expected = append(expected, g.String()+"|"+micros(s)+"|"+micros(s+windowSize))
				}
				delete(windows, s)
			}
		}
		var total, ended int64 = 0, Always
		for _, rows := range chunks(r, someRows(r, r.IntN(300))) {
			total += int64(len(rows))
			for _, x := range rows {
				s := Start(x.time, windowSize, 0)
				if s+windowSize <= c.x.Watermark || s <= ended {
					late++
					continue
				}
				i := slices.IndexFunc(windows[s], func(g *model) bool { return g.key == keyOf(x) })
				if i < 0 {
					windows[s] = append(windows[s], &model{key: keyOf(x)})
					i = len(windows[s]) - 1
				}
				windows[s][i].add(x)
			}
			c.process(batchOf(r, rows))
			w := max(c.watermark, rows[len(rows)-1].time-int64(r.IntN(12)))
			final := r.IntN(15) == 0
			if !final {
				closeTo(w)
				c.advance(Progress{Watermark: w})
				continue
			}
			// The end of the inputs, and on from the greatest event time.
			closeTo(Never)
			before := c.watermark
			c.advance(Progress{Watermark: Never, Final: true})
			ended = max(ended, rows[len(rows)-1].time)
			c.watermark, c.x.Watermark, c.x.Ended = max(before, ended), max(before, ended), ended
		}
		closeTo(Never)
		c.advance(Progress{Watermark: Never, Final: true})
		got := c.out
		if spec.LineageLimit >= 0 {
			got = nil
			for _, s := range c.out {
				cut, _, ok := strings.Cut(s, "|lineage ")
				if !ok {
					t.Fatalf("no lineage: %s", s)
				}
				got = append(got, cut)
			}
		}
		same(t, seed, got, expected)
		if l := c.x.Ledger; len(l.Dropped) != late || l.Used != total-int64(late) {
			t.Fatalf("seed %d: %d late and %d used, want %d and %d", seed, len(l.Dropped), l.Used, late, total-int64(late))
		}
	}
}

func TestGlobalAggregate(t *testing.T) {
	for seed := range seeds() {
		r := rand.New(rand.NewPCG(seed, 2))
		search := r.IntN(2) == 0
		spec, want := groupSpec(t, -1, false)
		c := newChecked(t, r, !search, want, func() Operator { return NewGlobalAggregate(spec, search, false) })
		var groups []*model
		changed := map[int]bool{}
		var expected []string
		flush := func() {
			for i, g := range groups {
				if search || changed[i] {
					expected = append(expected, g.String())
				}
			}
			clear(changed)
		}
		for _, rows := range chunks(r, someRows(r, r.IntN(200))) {
			for _, x := range rows {
				i := slices.IndexFunc(groups, func(g *model) bool { return g.key == keyOf(x) })
				if i < 0 {
					groups = append(groups, &model{key: keyOf(x)})
					i = len(groups) - 1
				}
				groups[i].add(x)
				changed[i] = true
			}
			c.process(batchOf(r, rows))
			if got := c.op.(*GlobalAggregate).Pending(); got != (!search && len(changed) > 0) {
				t.Fatalf("seed %d: pending %v", seed, got)
			}
			p := Progress{Watermark: c.watermark, Flush: r.IntN(3) == 0}
			if p.Flush && !search {
				flush()
			}
			c.advance(p)
		}
		flush()
		c.advance(Progress{Watermark: Never, Final: true})
		same(t, seed, c.out, expected)
	}
}

// A grouping without keys has one row even of no input, in a search.
func TestGlobalAggregateOfNothing(t *testing.T) {
	spec, _ := groupSpec(t, -1, false)
	spec.Keys, spec.KeyTypes, spec.Out = nil, nil, spec.Out[1:]
	for _, c := range []struct {
		empty bool
		want  []string
	}{{true, []string{"0|0|NULL|NULL|NULL"}}, {false, nil}} {
		a := NewGlobalAggregate(spec, true, c.empty)
		var got []string
		a.Advance(&Ctx{Ledger: &Ledger{}}, Progress{Watermark: Never, Final: true}, func(b *types.Batch) { got = append(got, show(b)...) })
		same(t, 0, got, c.want)
	}
}

func TestSort(t *testing.T) {
	for seed := range seeds() {
		r := rand.New(rand.NewPCG(seed, 3))
		rows := someRows(r, r.IntN(3000))
		limit := int64(-1)
		if r.IntN(2) == 0 {
			limit = int64(r.IntN(50))
		}
		desc, first := r.IntN(2) == 0, r.IntN(2) == 0
		keys := []SortKey{{Col: colV, Desc: desc, NullsFirst: first}, {Col: colK}}
		byKey := r.IntN(2) == 0 // or rows with the same v stay in the order in which they came
		if !byKey {
			keys = keys[:1]
		}
		c := newChecked(t, r, false, []types.Type{typeText, typeInt}, func() Operator { return NewSort(keys, limit, 2) })
		for _, part := range chunks(r, rows) {
			c.process(batchOf(r, part))
			c.advance(Progress{Watermark: c.watermark})
		}
		c.advance(Progress{Watermark: Never, Final: true})
		sort.SliceStable(rows, func(i, j int) bool {
			a, b := rows[i], rows[j]
			switch {
			case a.vNull != b.vNull:
				return a.vNull == first
			case !a.vNull && a.v != b.v:
				return (a.v < b.v) != desc
			case !byKey:
				return false
			case a.kNull != b.kNull:
				return b.kNull
			}
			return !a.kNull && a.k < b.k
		})
		if limit >= 0 {
			rows = rows[:min(int(limit), len(rows))]
		}
		var expected []string
		for _, x := range rows {
			expected = append(expected, keyOf(x)+"|"+valueOf(x))
		}
		same(t, seed, c.out, expected)
	}
}

func valueOf(x row) string {
	if x.vNull {
		return "NULL"
	}
	return fmt.Sprint(x.v)
}

func TestLimit(t *testing.T) {
	for seed := range seeds() {
		r := rand.New(rand.NewPCG(seed, 4))
		rows := someRows(r, r.IntN(100))
		count, offset := int64(r.IntN(60)-1), int64(r.IntN(40))
		c := newChecked(t, r, false, colTypes, func() Operator { return NewLimit(count, offset) })
		for _, part := range chunks(r, rows) {
			c.process(batchOf(r, part))
		}
		rest := rows[min(int(offset), len(rows)):]
		if count >= 0 {
			rest = rest[:min(int(count), len(rest))]
		}
		if len(c.out) != len(rest) {
			t.Fatalf("seed %d: %d rows, want %d", seed, len(c.out), len(rest))
		}
		for i, x := range rest {
			if !strings.HasPrefix(c.out[i], keyOf(x)+"|"+valueOf(x)+"|") {
				t.Fatalf("seed %d: row %d is %s", seed, i, c.out[i])
			}
		}
		if done := c.op.(*Limit).Done(); done != (count >= 0 && len(rest) == int(count)) {
			t.Fatalf("seed %d: done is %v", seed, done)
		}
	}
}

// apply hands a transform's batch to it, compares, and garbles it; the same instance is used again and again.
func apply(t *testing.T, seed uint64, x *Ctx, f Transform, b *types.Batch, want []types.Type, expected []string) {
	t.Helper()
	out := f.Apply(x, b)
	verify(t, out, want)
	same(t, seed, show(out), expected)
	garble(b)
}

func TestTransforms(t *testing.T) {
	divide := call(t, "/", constant(100), column(colV))
	for seed := range seeds() {
		r := rand.New(rand.NewPCG(seed, 5))
		filter := NewFilter(call(t, ">", divide, constant(7)), false)
		project := NewProject([]expr.Expr{divide, column(colK)})
		tumble := NewTumble(colTime, windowSize, 3)
		unnest := NewUnnest([]expr.Expr{column(colArr)}, true)
		for _, rows := range chunks(r, someRows(r, 60)) {
			var kept, quotients, windows, elems []string
			var failed, filtered, empty, made int
			for _, x := range rows {
				head := keyOf(x) + "|" + valueOf(x) + "|" + arrayOf(x) + "|" + micros(x.time) + "|" + micros(Start(x.time, windowSize, 0))
				q := "NULL"
				switch {
				case x.vNull:
					filtered++
				case x.v == 0:
					failed++
				default:
					q = fmt.Sprint(100 / x.v)
					if 100/x.v > 7 {
						kept = append(kept, head)
					} else {
						filtered++
					}
				}
				if x.vNull || x.v != 0 {
					quotients = append(quotients, q+"|"+keyOf(x))
				}
				s := x.time - (x.time+7)%windowSize // the offset of 3: windows begin at -7, 3, 13
				windows = append(windows, head+"|"+micros(s)+"|"+micros(s+windowSize)+"|"+micros(s+windowSize-1))
				for i, e := range x.arr {
					elems = append(elems, fmt.Sprintf("%s|%d|%d", head, e, i+1))
				}
				if made += len(x.arr); len(x.arr) == 0 {
					empty++
				}
			}
			ledger := func(want Ledger, dropped int) *Ctx {
				l := &Ledger{}
				t.Cleanup(func() {
					if l.In != want.In || l.Filtered != want.Filtered || len(l.Dropped) != dropped {
						t.Errorf("seed %d: the ledger is %+v, want %+v and %d dropped", seed, *l, want, dropped)
					}
				})
				return &Ctx{Ledger: l, Watermark: Always, Ended: Always}
			}
			apply(t, seed, ledger(Ledger{Filtered: int64(filtered)}, failed), filter, batchOf(r, rows), colTypes, kept)
			apply(t, seed, ledger(Ledger{}, failed), project, batchOf(r, rows), []types.Type{typeInt, typeText}, quotients)
			apply(t, seed, ledger(Ledger{}, 0), tumble, batchOf(r, rows), append(slices.Clone(colTypes), typeTime, typeTime, typeTime), windows)
			apply(t, seed, ledger(Ledger{In: int64(made - (len(rows) - empty)), Filtered: int64(empty)}, 0), unnest, batchOf(r, rows),
				append(slices.Clone(colTypes), typeInt, typeInt), elems)
		}
	}
}

func arrayOf(x row) string {
	if x.arr == nil {
		return "NULL"
	}
	return "{" + strings.Trim(strings.ReplaceAll(fmt.Sprint(x.arr), " ", ","), "[]") + "}"
}

// What a damaged checkpoint holds is an error or a state that can be used, never a panic.
func TestLoadOfDamagedState(t *testing.T) {
	spec, _ := groupSpec(t, 4, true)
	global, _ := groupSpec(t, 4, false)
	for name, fresh := range map[string]func() Operator{
		"window": func() Operator { return NewWindowAggregate(spec, colStart, windowSize) },
		"global": func() Operator { return NewGlobalAggregate(global, false, false) },
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 6))
			x := &Ctx{Ledger: &Ledger{}, Watermark: Always, Ended: Always}
			o := fresh()
			o.Process(x, batchOf(r, someRows(r, 60)), nil)
			var e types.Encoder
			o.Save(&e)
			use := func(what string, b []byte) {
				defer func() {
					if p := recover(); p != nil {
						t.Fatalf("%s: panic: %v\n%s", what, p, debug.Stack())
					}
				}()
				o := fresh()
				d := types.Decoder{B: b}
				o.Load(&d)
				if d.Err != nil {
					return
				}
				o.Process(x, batchOf(r, someRows(r, 5)), nil)
				o.Advance(x, Progress{Watermark: Never, Final: true, Flush: true}, func(b *types.Batch) { _ = show(b) })
			}
			for n := range len(e.B) {
				use(fmt.Sprintf("the first %d bytes", n), bytes.Clone(e.B[:n]))
			}
			for i := range min(64, len(e.B)) { // the counts at the beginning, which random flips seldom hit
				for bit := range 8 {
					b := bytes.Clone(e.B)
					b[i] ^= 1 << bit
					use(fmt.Sprintf("bit %d of byte %d", bit, i), b)
				}
			}
			for i := range int(min(seeds()*10, 4000)) {
				b := bytes.Clone(e.B)
				for range 1 + r.IntN(3) {
					b[r.IntN(len(b))] ^= 1 << r.IntN(8)
				}
				use(fmt.Sprintf("corruption %d", i), b)
			}
		})
	}
}
