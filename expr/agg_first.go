package expr

import (
	"encoding/binary"
	"math"

	"rhumb/types"
)

// firstAcc is first and last: the value of the row that comes first (or last) by ORDER BY and then in canonical order. Of rows
// with the same place the one that arrived first (or last) counts.
type firstAcc struct {
	last  bool
	order sortOrder
	sorts bool // has ORDER BY: the arena holds entries, at is not used
	words bool // else, if values fit 64 bits, they are in word, or else in the arena as array elements
	t     types.Type
	at    []place
	word  []uint64
	arena groupArena
	enc   []byte
	rows  rowFilter
}

// place is where the row that is kept stands; has is false if there is none.
type place struct {
	coords
	has bool
}

func newFirstAcc(c *AggCall, last bool) *firstAcc {
	a := &firstAcc{last: last, order: newSortOrder(c.OrderBy), sorts: len(c.OrderBy) > 0, t: c.Args[0].Type().Base()}
	switch a.t.Layout() {
	case types.LBool, types.LInt, types.LFloat:
		a.words = !a.sorts
	}
	return a
}

func (a *firstAcc) Resize(groups int) {
	if !a.sorts {
		a.at = resized(a.at, groups, place{})
	}
	if a.words {
		a.word = resized(a.word, groups, 0)
	} else {
		a.arena.resize(groups)
	}
}

// better says whether a row whose place compares so with the one that is kept takes its place.
func (a *firstAcc) better(c int) bool { return c < 0 && !a.last || c >= 0 && a.last }

func (a *firstAcc) Update(_ *Ctx, groups []uint32, rows []int32, args, order []*types.Vec, o *types.Origin) {
	v := args[0]
	groups, rows = a.rows.notNull(v, groups, rows)
	if a.sorts {
		a.updateSorted(groups, rows, v, order, o)
		return
	}
	for j, g := range groups {
		c := coordsOf(o, rows[j])
		at := &a.at[g]
		if at.has && !a.better(c.compare(at.coords)) {
			continue
		}
		*at = place{c, true}
		if a.words {
			a.word[g] = wordOf(v, rows[j])
			continue
		}
		a.enc = types.AppendArrayRow(a.enc[:0], v, int(rows[j]))
		a.arena.set(g, a.enc)
	}
}

func (a *firstAcc) updateSorted(groups []uint32, rows []int32, v *types.Vec, order []*types.Vec, o *types.Origin) {
	for j, g := range groups {
		i, c := int(rows[j]), coordsOf(o, rows[j])
		if old := a.arena.get(g); len(old) > 0 && !a.better(a.order.compareRow(order, i, c, old)) {
			continue
		}
		a.enc = appendEntry(a.enc[:0], order, i, c)
		a.enc = types.AppendArrayRow(a.enc, v, i)
		a.arena.set(g, a.enc)
	}
}

func wordOf(v *types.Vec, i int32) uint64 {
	switch v.Type.Layout() {
	case types.LInt:
		return uint64(v.I[i])
	case types.LFloat:
		return math.Float64bits(v.F[i])
	default:
		return uint64(boolInt(v.B[i]))
	}
}

func (a *firstAcc) Merge(groups []uint32, from Accumulator) {
	f := from.(*firstAcc)
	for i := range f.at {
		g := groups[i]
		if !f.at[i].has || a.at[g].has && !a.better(f.at[i].compare(a.at[g].coords)) {
			continue
		}
		if a.at[g] = f.at[i]; a.words {
			a.word[g] = f.word[i]
		} else {
			a.arena.set(g, f.arena.get(uint32(i)))
		}
	}
	for i := 0; a.sorts && i < f.arena.groups(); i++ {
		entry, old := f.arena.get(uint32(i)), a.arena.get(groups[i])
		if len(entry) > 0 && (len(old) == 0 || a.better(a.order.compareEntries(entry, old))) {
			a.arena.set(groups[i], entry)
		}
	}
}

func (a *firstAcc) Result(_ *Ctx, out *types.Vec, lo, hi int) {
	for g := lo; g < hi; g++ {
		switch {
		case a.words && a.at[g].has:
			appendWord(out, a.word[g])
		case a.words:
			out.AppendNull()
		default:
			appendElement(out, a.element(uint32(g)))
		}
	}
}

// element returns the group's value in the arena; empty = none.
func (a *firstAcc) element(g uint32) []byte {
	b := a.arena.get(g)
	if a.sorts {
		_, b = a.order.split(b)
	}
	return b
}

// appendWord appends what wordOf returned.
func appendWord(out *types.Vec, w uint64) {
	switch out.Type.Layout() {
	case types.LInt:
		out.I = append(out.I, int64(w))
	case types.LFloat:
		out.F = append(out.F, math.Float64frombits(w))
	default:
		out.B = append(out.B, w != 0)
	}
}

func (a *firstAcc) Save(e *types.Encoder) {
	if a.words {
		types.EncodeSlice(e, a.word)
	} else {
		a.arena.save(e)
	}
	for _, p := range a.at {
		e.Bool(p.has)
		e.B = appendCoords(e.B, p.coords)
	}
}

func (a *firstAcc) Load(d *types.Decoder) {
	if a.words {
		a.word = types.DecodeSlice[uint64](d)
	} else {
		a.arena.load(d)
	}
	if groups := max(len(a.word), a.arena.groups()); !a.sorts {
		a.at = make([]place, groups)
	}
	for g := range a.at {
		a.at[g].has = d.Bool()
		a.at[g].coords = readCoords(d)
	}
	for g := range a.arena.groups() {
		elem := a.element(uint32(g))
		checkElement(d, a.t, elem, false)
		if has := a.sorts && len(a.arena.get(uint32(g))) > 0 || !a.sorts && a.at[g].has; has != (len(elem) > 0) {
			d.Fail("aggregate's value")
		}
	}
	if d.Err != nil {
		*a = firstAcc{last: a.last, order: a.order, sorts: a.sorts, words: a.words, t: a.t}
	}
}

func (a *firstAcc) Bytes() int {
	return cap(a.at)*32 + cap(a.word)*8 + a.arena.bytes() + cap(a.enc) + a.rows.bytes()
}

// argAcc is arg_min and arg_max: first, ordered by the second argument.
type argAcc struct {
	*firstAcc
	rows rowFilter
}

func newArgAcc(c *AggCall, max bool) Accumulator {
	by := *c
	by.OrderBy = []SortKey{{Expr: c.Args[1], Desc: max}}
	return &argAcc{firstAcc: newFirstAcc(&by, false)}
}

func (a *argAcc) Update(ctx *Ctx, groups []uint32, rows []int32, args, _ []*types.Vec, o *types.Origin) {
	groups, rows = a.rows.notNull(args[1], groups, rows)
	a.firstAcc.Update(ctx, groups, rows, args[:1], args[1:], o)
}

func (a *argAcc) Merge(groups []uint32, from Accumulator) {
	a.firstAcc.Merge(groups, from.(*argAcc).firstAcc)
}

func (a *argAcc) Bytes() int { return a.firstAcc.Bytes() + a.rows.bytes() }

// An entry is a row of an ordered aggregate: its ORDER BY keys as array elements, its coordinates, and a value.

// appendEntry appends an entry without its value.
func appendEntry(dst []byte, order []*types.Vec, i int, c coords) []byte {
	for _, v := range order {
		dst = types.AppendArrayRow(dst, v, i)
	}
	return appendCoords(dst, c)
}

func appendCoords(dst []byte, c coords) []byte {
	dst = binary.AppendVarint(dst, c.time)
	dst = binary.AppendVarint(dst, int64(c.part))
	dst = binary.AppendVarint(dst, c.off)
	return binary.AppendVarint(dst, int64(c.sub))
}

func readCoords(d *types.Decoder) coords {
	return coords{time: d.Varint(), part: int32(d.Varint()), off: d.Varint(), sub: int32(d.Varint())}
}

// sortOrder is ORDER BY within an aggregate, followed by the canonical order.
type sortOrder struct {
	keys []SortKey
	a, b []types.Vec // scratch
}

func newSortOrder(keys []SortKey) sortOrder {
	o := sortOrder{keys: keys, a: make([]types.Vec, len(keys)), b: make([]types.Vec, len(keys))}
	o.reset(o.a)
	o.reset(o.b)
	return o
}

func (o *sortOrder) reset(vs []types.Vec) {
	for k := range vs {
		vs[k].Reset(o.keys[k].Expr.Type())
	}
}

// read appends an entry's keys to vs, and returns its coordinates and value.
func (o *sortOrder) read(entry []byte, vs []types.Vec) (coords, []byte) {
	d := types.Decoder{B: entry}
	for k := range vs {
		types.ReadArrayRow(&d, &vs[k])
	}
	c := readCoords(&d)
	return c, d.B
}

// split returns an entry's coordinates and value.
func (o *sortOrder) split(entry []byte) (coords, []byte) {
	o.reset(o.a)
	return o.read(entry, o.a)
}

// compareRow compares row i of the evaluated keys with an entry.
func (o *sortOrder) compareRow(order []*types.Vec, i int, c coords, entry []byte) int {
	o.reset(o.a)
	d, _ := o.read(entry, o.a)
	for k := range o.keys {
		if x := o.compareKey(k, order[k], i, &o.a[k], 0); x != 0 {
			return x
		}
	}
	return c.compare(d)
}

func (o *sortOrder) compareEntries(x, y []byte) int {
	o.reset(o.a)
	o.reset(o.b)
	c, _ := o.read(x, o.a)
	d, _ := o.read(y, o.b)
	for k := range o.keys {
		if r := o.compareKey(k, &o.a[k], 0, &o.b[k], 0); r != 0 {
			return r
		}
	}
	return c.compare(d)
}

// compareKey compares two values of key k as ORDER BY does.
func (o *sortOrder) compareKey(k int, a *types.Vec, i int, b *types.Vec, j int) int {
	key := &o.keys[k]
	an, bn := a.Null(i), b.Null(j)
	switch {
	case an && bn:
		return 0
	case an || bn:
		if an == key.NullsFirst {
			return -1
		}
		return 1
	}
	c := types.Compare(a, i, b, j)
	if key.Desc {
		return -c
	}
	return c
}
