package op

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"rhumb/expr"
	"rhumb/types"
)

// The rows of these tests.
type row struct {
	k     string
	v     int64
	kNull bool
	vNull bool
	arr   []int64 // nil = NULL
	time  int64
	off   int64
}

// The columns of their batches.
const (
	colK = iota
	colV
	colArr
	colTime
	colStart
	columns
)

const windowSize = 10

var (
	typeText, typeInt, typeTime = types.T(types.Text), types.T(types.Int8), types.T(types.Timestamptz)
	typeArr                     = types.ArrayOf(types.Int8)
	colTypes                    = []types.Type{typeText, typeInt, typeArr, typeTime, typeTime}
)

func someRows(r *rand.Rand, n int) []row {
	rows := make([]row, n)
	for i := range rows {
		x := &rows[i]
		x.k, x.v, x.off = fmt.Sprintf("key%d", r.IntN(9)), int64(r.IntN(40)-10), int64(i)
		if r.IntN(4) == 0 {
			x.k += strings.Repeat("-long", 5)
		}
		x.kNull, x.vNull = r.IntN(12) == 0, r.IntN(12) == 0
		x.time = int64(i/3 + r.IntN(15))
		for range r.IntN(4) {
			x.arr = append(x.arr, int64(r.IntN(5)))
		}
	}
	return rows
}

// batchOf makes a batch of rows between others that are not selected.
func batchOf(r *rand.Rand, rows []row) *types.Batch {
	b := &types.Batch{Origin: types.Origin{Object: 3}}
	for _, t := range colTypes {
		b.Cols = append(b.Cols, types.NewVec(t, len(rows)))
	}
	add := func(x row) {
		set := func(c int, null bool, v types.Value) {
			if null {
				b.Cols[c].AppendNull()
			} else {
				b.Cols[c].AppendValue(v)
			}
		}
		set(colK, x.kNull, types.TextValue(x.k))
		set(colV, x.vNull, types.IntValue(types.Int8, x.v))
		var elems []types.Value
		for _, e := range x.arr {
			elems = append(elems, types.IntValue(types.Int8, e))
		}
		set(colArr, x.arr == nil, types.Value{Type: typeArr, S: string(types.EncodeArray(elems))})
		set(colTime, false, types.IntValue(types.Timestamptz, x.time))
		set(colStart, false, types.IntValue(types.Timestamptz, Start(x.time, windowSize, 0)))
		b.Origin.Part, b.Origin.Off, b.Origin.Time = append(b.Origin.Part, 1), append(b.Origin.Off, x.off), append(b.Origin.Time, x.time)
		b.N++
	}
	all := r.IntN(3) == 0
	for _, x := range rows {
		for !all && r.IntN(4) == 0 {
			add(row{k: "dead", v: 999, time: 1 << 40, off: -1})
		}
		if !all {
			b.Sel = append(b.Sel, int32(b.N))
		}
		add(x)
	}
	if !all && b.Sel == nil {
		b.Sel = []int32{}
	}
	b.Hash = make([]uint64, b.N)
	types.HashRows(5, b.Cols[:1], b.Selection(nil), b.Hash)
	return b
}

// garble overwrites a borrowed batch's memory, as its owner may after the call.
func garble(b *types.Batch) {
	o := &b.Origin
	vecs := append(slices.Clone(b.Cols), o.ID, o.Lists)
	for _, v := range vecs {
		if v == nil {
			continue
		}
		scribble(v.I[:cap(v.I)], -0x5a5a5a5a)
		scribble(v.F[:cap(v.F)], -1e99)
		scribble(v.B[:cap(v.B)], true)
		scribble(v.Buf[:cap(v.Buf)], 0xA5)
		scribble(v.R[:cap(v.R)], types.StrRef{})
		scribble(v.Nulls[:cap(v.Nulls)], 0xA5A5A5A5A5A5A5A5)
	}
	scribble(o.Part, -7)
	scribble(o.Off, -7)
	scribble(o.Time, -7)
	scribble(o.Sub, -7)
	scribble(b.Sel, -7)
	scribble(b.Hash, 0xA5A5)
}

func scribble[T any](s []T, x T) {
	for i := range s {
		s[i] = x
	}
}

// verify looks that a batch is what the contract says: types, lengths, and an ascending selection.
func verify(t *testing.T, b *types.Batch, want []types.Type) {
	t.Helper()
	if len(b.Cols) != len(want) {
		t.Fatalf("%d columns, want %d", len(b.Cols), len(want))
	}
	for i, c := range b.Cols {
		if c.Type != want[i] || c.Len() < b.N {
			t.Fatalf("column %d is %v of %d rows, want %v of %d", i, c.Type, c.Len(), want[i], b.N)
		}
		for _, ref := range c.R {
			if uint64(ref.Off)+uint64(ref.Len) > uint64(len(c.Buf)) {
				t.Fatalf("column %d: a value lies outside its buffer", i)
			}
		}
	}
	last := int32(-1)
	for _, s := range b.Sel {
		if s <= last || int(s) >= b.N {
			t.Fatalf("selection %v of %d rows", b.Sel, b.N)
		}
		last = s
	}
	if o := &b.Origin; o.Off != nil && (len(o.Off) < b.N || len(o.Part) < b.N || len(o.Time) < b.N) {
		t.Fatalf("origin of %d rows for %d", len(o.Off), b.N)
	}
}

// show renders the live rows.
func show(b *types.Batch) []string {
	var out []string
	for _, i := range b.Selection(nil) {
		var cells []string
		for _, c := range b.Cols {
			if c.Null(int(i)) {
				cells = append(cells, "NULL")
			} else {
				cells = append(cells, string(types.AppendText(nil, c, int(i), nil)))
			}
		}
		if l := b.Origin.Lists; l != nil {
			cells = append(cells, fmt.Sprintf("lineage %x", l.Str(int(i))))
		}
		out = append(out, strings.Join(cells, "|"))
	}
	return out
}

// checked wraps an operator: what it is handed is garbled after each call, what it emits is verified, the watermark never goes back, and at
// random moments it is saved, loaded into a new one, and saved again.
type checked struct {
	t         *testing.T
	op        Operator
	fresh     func() Operator
	want      []types.Type
	r         *rand.Rand
	saves     bool
	x         Ctx
	watermark int64
	out       []string
}

func newChecked(t *testing.T, r *rand.Rand, saves bool, want []types.Type, fresh func() Operator) *checked {
	c := &checked{t: t, op: fresh(), fresh: fresh, want: want, r: r, saves: saves, watermark: Always}
	c.x.Ledger = &Ledger{}
	c.x.Watermark, c.x.Ended = Always, Always
	return c
}

func (c *checked) emit(b *types.Batch) {
	verify(c.t, b, c.want)
	c.out = append(c.out, show(b)...)
}

func (c *checked) process(b *types.Batch) {
	c.op.Process(&c.x, b, c.emit)
	garble(b)
	scribble(c.x.sel[:cap(c.x.sel)], -7)
	if c.op.Bytes() < 0 {
		c.t.Fatal("negative memory")
	}
}

func (c *checked) advance(p Progress) {
	if p.Watermark < c.watermark {
		c.t.Fatalf("the watermark goes back from %d to %d", c.watermark, p.Watermark)
	}
	due, before := c.op.Due(), len(c.out)
	c.op.Advance(&c.x, p, c.emit)
	if len(c.out) > before && due > p.Watermark && !p.Final && !p.Flush {
		c.t.Fatalf("it has emitted at %d, but was due at %d", p.Watermark, due)
	}
	if now := c.op.Due(); now <= p.Watermark && now != Never {
		c.t.Fatalf("at %d it is still due at %d", p.Watermark, now)
	}
	c.watermark = p.Watermark
	c.x.Watermark = p.Watermark
	if c.saves && c.r.IntN(3) == 0 {
		c.reload()
	}
}

func (c *checked) reload() {
	var e, again types.Encoder
	c.op.Save(&e)
	saved := bytes.Clone(e.B)
	d := types.Decoder{B: e.B}
	c.op = c.fresh()
	c.op.Load(&d)
	if d.Err != nil || len(d.B) != 0 {
		c.t.Fatalf("load: %v, %d bytes are left", d.Err, len(d.B))
	}
	scribble(e.B, 0xA5) // what was loaded must not lie in what it was read from
	c.op.Save(&again)
	if !bytes.Equal(again.B, saved) {
		c.t.Fatal("saved, loaded and saved again it is not the same")
	}
}

func column(i int) expr.Expr { return &expr.Column{Index: i, T: colTypes[i], Name: fmt.Sprint("c", i)} }

func call(t *testing.T, name string, args ...expr.Expr) expr.Expr {
	t.Helper()
	e, err := expr.NewCall(name, args, 0)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func constant(i int64) expr.Expr { return &expr.Const{Value: types.IntValue(types.Int8, i)} }

// groupSpec is count(*), count(v), sum(v), min(v), max(v) FILTER (v > 5) by k; the FILTER is evaluated into no column of its own here.
func groupSpec(t *testing.T, lineage int, windowed bool) (*GroupSpec, []types.Type) {
	t.Helper()
	s := &GroupSpec{Keys: []int{colK}, KeyTypes: []types.Type{typeText}, LineageLimit: lineage}
	var out []types.Type
	add := func(from OutFrom, i int, tp types.Type) {
		s.Out = append(s.Out, OutCol{From: from, I: i, T: tp})
		out = append(out, tp)
	}
	add(FromKey, 0, typeText)
	for i, name := range []string{"count", "count", "sum", "min", "max"} {
		var args []expr.Expr
		slot := AggSlot{Filter: -1}
		if i > 0 {
			args, slot.Args = []expr.Expr{column(colV)}, []int{colV}
		}
		a, err := expr.NewAgg(name, args, false, nil, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		slot.Call = a
		s.Aggs = append(s.Aggs, slot)
		add(FromAgg, i, a.T)
	}
	if windowed {
		add(FromStart, 0, typeTime)
		add(FromEnd, 0, typeTime)
	}
	return s, out
}

// model is the naive group.
type model struct {
	key                   string
	rows, n, sum, min_, m int64
}

func (g *model) add(x row) {
	g.rows++
	if x.vNull {
		return
	}
	if g.n == 0 {
		g.min_, g.m = x.v, x.v
	}
	g.n, g.sum, g.min_, g.m = g.n+1, g.sum+x.v, min(g.min_, x.v), max(g.m, x.v)
}

func (g *model) String() string {
	s := fmt.Sprintf("%s|%d|%d|NULL|NULL|NULL", g.key, g.rows, g.n)
	if g.n > 0 {
		s = fmt.Sprintf("%s|%d|%d|%d|%d|%d", g.key, g.rows, g.n, g.sum, g.min_, g.m)
	}
	return s
}

func keyOf(x row) string {
	if x.kNull {
		return "NULL"
	}
	return x.k
}

func micros(x int64) string {
	v := types.NewVec(typeTime, 1)
	v.I = append(v.I, x)
	return string(types.AppendText(nil, v, 0, nil))
}

func seeds() uint64 {
	switch {
	case os.Getenv("RHUMB_LONG") != "":
		return 5000
	case testing.Short():
		return 60
	}
	return 400
}

func same(t *testing.T, seed uint64, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("seed %d: %d rows, want %d; from row %d:\n%v, want\n%v", seed, len(got), len(want), i, got[min(i, len(got)):], want[min(i, len(want)):])
		}
	}
}

// chunks cuts rows at random.
func chunks(r *rand.Rand, rows []row) [][]row {
	var out [][]row
	for len(rows) > 0 {
		n := min(len(rows), 1+r.IntN(30))
		out = append(out, rows[:n])
		rows = rows[n:]
	}
	return out
}
