package expr

import (
	"bytes"
	"cmp"
	"math"

	"rhumb/types"
)

// newExtremeAcc returns min or max of a type, and bool_and or bool_or.
func newExtremeAcc(t types.Type, max bool) Accumulator {
	switch t.Layout() {
	case types.LBool, types.LInt, types.LFloat:
		return newWordExtreme(max)
	default:
		return &bytesExtreme{t: t.Base(), max: max}
	}
}

// wordExtreme is min or max of what fits 64 bits: eight bytes a group and a bit. Values are kept as integers of the same
// order, turned for max, so that the least is always wanted and no value is compared with a flag first.
type wordExtreme struct {
	turn  int64 // 0 for min, -1 for max
	least []int64
	has   groupBits
	rows  rowFilter
}

func newWordExtreme(max bool) *wordExtreme { return &wordExtreme{turn: -int64(boolInt(max))} }

// floatOrder maps floats to integers of the order that Postgres has for floats, NaN last; -0 comes before 0.
func floatOrder(f float64) int64 {
	if f != f {
		f = math.NaN()
	}
	b := int64(math.Float64bits(f))
	return b ^ int64(uint64(b>>63)>>1)
}

func floatOfOrder(x int64) float64 {
	return math.Float64frombits(uint64(x ^ int64(uint64(x>>63)>>1)))
}

func (a *wordExtreme) Resize(groups int) {
	a.least = resized(a.least, groups, math.MaxInt64)
	a.has.resize(groups)
}

func (a *wordExtreme) Update(_ *Ctx, groups []uint32, rows []int32, args, _ []*types.Vec, _ *types.Origin) {
	v := args[0]
	groups, rows = a.rows.notNull(v, groups, rows)
	least, has, turn := a.least, a.has, a.turn
	switch v.Type.Layout() {
	case types.LInt:
		in := v.I
		for j, g := range groups {
			if x := in[rows[j]] ^ turn; x <= least[g] {
				least[g] = x
				has[g>>6] |= 1 << (g & 63)
			}
		}
	case types.LFloat:
		in := v.F
		for j, g := range groups {
			if x := floatOrder(in[rows[j]]) ^ turn; x <= least[g] {
				least[g] = x
				has[g>>6] |= 1 << (g & 63)
			}
		}
	default:
		in := v.B
		for j, g := range groups {
			if x := int64(boolInt(in[rows[j]])) ^ turn; x <= least[g] {
				least[g] = x
				has[g>>6] |= 1 << (g & 63)
			}
		}
	}
}

func (a *wordExtreme) Merge(groups []uint32, from Accumulator) {
	f := from.(*wordExtreme)
	for i, x := range f.least {
		if g := groups[i]; f.has.has(uint32(i)) && x <= a.least[g] {
			a.least[g] = x
			a.has.set(g)
		}
	}
}

func (a *wordExtreme) Result(_ *Ctx, out *types.Vec, lo, hi int) {
	layout := out.Type.Layout()
	for g := lo; g < hi; g++ {
		x := a.least[g] ^ a.turn
		switch {
		case !a.has.has(uint32(g)):
			out.AppendNull()
		case layout == types.LInt:
			out.I = append(out.I, x)
		case layout == types.LFloat:
			out.F = append(out.F, floatOfOrder(x))
		default:
			out.B = append(out.B, x != 0)
		}
	}
}

func (a *wordExtreme) Save(e *types.Encoder) {
	types.EncodeSlice(e, a.least)
	types.EncodeSlice(e, a.has)
}

func (a *wordExtreme) Load(d *types.Decoder) {
	a.least = types.DecodeSlice[int64](d)
	a.has.load(d, len(a.least))
	if d.Err != nil {
		*a = wordExtreme{turn: a.turn}
	}
}

func (a *wordExtreme) Bytes() int { return cap(a.least)*8 + cap(a.has)*8 + a.rows.bytes() }

// bytesExtreme is min or max of intervals and of what lies in bytes. Of values that are equal but not the same (1.0 and 1.00)
// the one with the lesser encoding wins, whichever comes first.
type bytesExtreme struct {
	t     types.Type
	max   bool
	arena groupArena // each group's value as an array element; empty = none yet
	enc   []byte
	kept  types.Vec // scratch: the value that a group has
	rows  rowFilter
}

func (a *bytesExtreme) Resize(groups int) { a.arena.resize(groups) }

func (a *bytesExtreme) Update(_ *Ctx, groups []uint32, rows []int32, args, _ []*types.Vec, _ *types.Origin) {
	groups, rows = a.rows.notNull(args[0], groups, rows)
	if k := a.t.Kind; k == types.Text || k == types.Bytea || k == types.UUID {
		a.updateBytes(groups, rows, args[0])
		return
	}
	for j, g := range groups {
		a.add(g, args[0], int(rows[j]))
	}
}

// updateBytes is Update for kinds that are ordered as their bytes are. What is kept is compared behind its header.
func (a *bytesExtreme) updateBytes(groups []uint32, rows []int32, v *types.Vec) {
	for j, g := range groups {
		x, old := v.Str(int(rows[j])), a.arena.get(g)
		if len(old) > 0 {
			if c := bytes.Compare(x, elementBytes(old)); c == 0 || c < 0 == a.max {
				continue
			}
		}
		a.enc = types.AppendArrayRow(a.enc[:0], v, int(rows[j]))
		a.arena.set(g, a.enc)
	}
}

// elementBytes is the value within an encoded element that is not NULL.
func elementBytes(elem []byte) []byte {
	d := types.Decoder{B: elem[1:]}
	return d.Bytes()
}

func (a *bytesExtreme) add(g uint32, v *types.Vec, i int) {
	a.enc = types.AppendArrayRow(a.enc[:0], v, i)
	if old := a.arena.get(g); len(old) > 0 {
		a.kept.Reset(a.t)
		d := types.Decoder{B: old}
		types.ReadArrayRow(&d, &a.kept)
		c := types.Compare(v, i, &a.kept, 0)
		if c == 0 {
			c = bytes.Compare(a.enc, old)
		}
		if c == 0 || c < 0 == a.max {
			return
		}
	}
	a.arena.set(g, a.enc)
}

func (a *bytesExtreme) Merge(groups []uint32, from Accumulator) {
	f := from.(*bytesExtreme)
	v := types.Vec{Type: a.t}
	for i := range f.arena.groups() {
		elem := f.arena.get(uint32(i))
		if len(elem) == 0 {
			continue
		}
		v.Reset(a.t)
		d := types.Decoder{B: elem}
		types.ReadArrayRow(&d, &v)
		a.add(groups[i], &v, 0)
	}
}

func (a *bytesExtreme) Result(_ *Ctx, out *types.Vec, lo, hi int) {
	for g := lo; g < hi; g++ {
		appendElement(out, a.arena.get(uint32(g)))
	}
}

// appendElement appends an encoded element, or NULL if it is empty.
func appendElement(out *types.Vec, elem []byte) {
	if len(elem) == 0 {
		out.AppendNull()
		return
	}
	d := types.Decoder{B: elem}
	types.ReadArrayRow(&d, out)
}

func (a *bytesExtreme) Save(e *types.Encoder) { a.arena.save(e) }

func (a *bytesExtreme) Load(d *types.Decoder) {
	a.arena.load(d)
	for g := range a.arena.groups() {
		checkElement(d, a.t, a.arena.get(uint32(g)), false)
	}
	if d.Err != nil {
		*a = bytesExtreme{t: a.t, max: a.max}
	}
}

// checkElement verifies that elem, if there is one, is one element of t, after coordinates if it has them.
func checkElement(d *types.Decoder, t types.Type, elem []byte, nulls bool) {
	if len(elem) == 0 || d.Err != nil {
		return
	}
	v := types.Vec{Type: t}
	in := types.Decoder{B: elem}
	types.ReadArrayRow(&in, &v)
	if in.Err != nil || len(in.B) > 0 || !nulls && v.Null(0) {
		d.Fail("aggregate's value")
	}
}

func (a *bytesExtreme) Bytes() int {
	return a.arena.bytes() + cap(a.enc) + a.kept.Bytes() + a.rows.bytes()
}

// groupArena holds one string of bytes per group in one buffer. Bytes of values that were replaced are garbage, and when they
// are more than half of the buffer, it is written anew.
type groupArena struct {
	off     []uint64
	n       []uint32
	buf     []byte
	garbage int
}

func (a *groupArena) groups() int { return len(a.n) }

func (a *groupArena) resize(groups int) {
	a.off, a.n = resized(a.off, groups, 0), resized(a.n, groups, 0)
	if groups == 0 {
		a.buf, a.garbage = a.buf[:0], 0
	}
}

// get returns the group's bytes, which are valid until the next set.
func (a *groupArena) get(g uint32) []byte {
	off, n := a.off[g], uint64(a.n[g])
	return a.buf[off : off+n : off+n]
}

// set copies b.
func (a *groupArena) set(g uint32, b []byte) {
	old := int(a.n[g])
	a.n[g] = uint32(len(b))
	if len(b) <= old {
		a.garbage += old - len(b)
		copy(a.buf[a.off[g]:], b)
	} else {
		a.garbage += old
		a.off[g] = uint64(len(a.buf))
		a.buf = append(a.buf, b...)
	}
	if a.garbage > 4096 && a.garbage > len(a.buf)/2 {
		a.compact()
	}
}

func (a *groupArena) compact() {
	buf := make([]byte, 0, len(a.buf)-a.garbage+len(a.buf)/4)
	for g := range a.n {
		b := a.get(uint32(g))
		a.off[g] = uint64(len(buf))
		buf = append(buf, b...)
	}
	a.buf, a.garbage = buf, 0
}

func (a *groupArena) save(e *types.Encoder) {
	types.EncodeSlice(e, a.n)
	for g := range a.n {
		e.B = append(e.B, a.get(uint32(g))...)
	}
}

func (a *groupArena) load(d *types.Decoder) {
	a.n = types.DecodeSlice[uint32](d)
	a.off = make([]uint64, len(a.n))
	total := uint64(0)
	for g, n := range a.n {
		a.off[g] = total
		total += uint64(n)
	}
	if total > uint64(len(d.B)) {
		d.Fail("bytes of groups")
		*a = groupArena{}
		return
	}
	a.buf = append([]byte(nil), d.B[:total]...)
	d.B = d.B[total:]
	a.garbage = 0
}

func (a *groupArena) bytes() int { return cap(a.off)*8 + cap(a.n)*4 + cap(a.buf) }

// coords is a row's place in the canonical order.
type coords struct {
	time, off int64
	part, sub int32
}

// coordsOf returns the row's coordinates; what the batch has not is 0.
func coordsOf(o *types.Origin, i int32) (c coords) {
	if o == nil {
		return c
	}
	if int(i) < len(o.Time) {
		c.time = o.Time[i]
	}
	if int(i) < len(o.Part) {
		c.part = o.Part[i]
	}
	if int(i) < len(o.Off) {
		c.off = o.Off[i]
	}
	if int(i) < len(o.Sub) {
		c.sub = o.Sub[i]
	}
	return c
}

func (c coords) compare(d coords) int {
	return cmp.Or(cmp.Compare(c.time, d.time), cmp.Compare(c.part, d.part), cmp.Compare(c.off, d.off), cmp.Compare(c.sub, d.sub))
}
