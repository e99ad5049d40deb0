package expr

import (
	"slices"

	"rhumb/types"
)

// listAcc is array_agg and string_agg: all rows of all groups as entries in one buffer, those of a group chained. The value of
// an entry is an array element; of string_agg the text and then the delimiter.
//
//	head, tail [group] -> entry+1     next [entry] -> entry+1     end [entry] -> end of its bytes in buf
type listAcc struct {
	joined     bool // string_agg
	t, delim   types.Type
	order      sortOrder
	head, tail []uint32
	next       []uint32
	end        []uint64
	buf        []byte
	rows       rowFilter
	// Scratch of Result.
	keys   []types.Vec
	items  []listItem
	values []types.Vec
}

// listItem is an entry that is being sorted; key is its row in the keys' vectors.
type listItem struct {
	coords
	key   int
	value []byte
}

func newListAcc(c *AggCall, joined bool) Accumulator {
	a := &listAcc{joined: joined, t: c.Args[0].Type().Base(), order: newSortOrder(c.OrderBy), keys: make([]types.Vec, len(c.OrderBy))}
	if joined {
		a.delim = c.Args[1].Type().Base()
	}
	return a
}

func (a *listAcc) Resize(groups int) {
	a.head, a.tail = resized(a.head, groups, 0), resized(a.tail, groups, 0)
	if groups == 0 {
		a.next, a.end, a.buf = a.next[:0], a.end[:0], a.buf[:0]
	}
}

func (a *listAcc) Update(_ *Ctx, groups []uint32, rows []int32, args, order []*types.Vec, o *types.Origin) {
	if a.joined {
		groups, rows = a.rows.notNull(args[0], groups, rows)
	}
	for j, g := range groups {
		i := int(rows[j])
		a.buf = appendEntry(a.buf, order, i, coordsOf(o, rows[j]))
		for _, v := range args {
			a.buf = types.AppendArrayRow(a.buf, v, i)
		}
		a.link(g)
	}
}

// link makes the bytes at the end of buf an entry of the group.
func (a *listAcc) link(g uint32) {
	a.next, a.end = append(a.next, 0), append(a.end, uint64(len(a.buf)))
	entry := uint32(len(a.next))
	if a.tail[g] == 0 {
		a.head[g] = entry
	} else {
		a.next[a.tail[g]-1] = entry
	}
	a.tail[g] = entry
}

// entry returns the bytes of entry e, counted from 1.
func (a *listAcc) entry(e uint32) []byte {
	start := uint64(0)
	if e > 1 {
		start = a.end[e-2]
	}
	return a.buf[start:a.end[e-1]]
}

func (a *listAcc) Merge(groups []uint32, from Accumulator) {
	f := from.(*listAcc)
	for i, e := range f.head {
		for ; e != 0; e = f.next[e-1] {
			a.buf = append(a.buf, f.entry(e)...)
			a.link(groups[i])
		}
	}
}

func (a *listAcc) Result(_ *Ctx, out *types.Vec, lo, hi int) {
	for g := lo; g < hi; g++ {
		if a.head[g] == 0 {
			out.AppendNull()
			continue
		}
		a.sort(uint32(g))
		if a.joined {
			appendRow(out, a.join)
			continue
		}
		appendRow(out, func(b []byte) []byte {
			b = types.AppendArrayHeader(b, len(a.items))
			for _, it := range a.items {
				b = append(b, it.value...)
			}
			return b
		})
	}
}

// sort fills items with the group's entries in order.
func (a *listAcc) sort(g uint32) {
	a.order.reset(a.keys)
	a.items = a.items[:0]
	for e := a.head[g]; e != 0; e = a.next[e-1] {
		c, value := a.order.read(a.entry(e), a.keys)
		a.items = append(a.items, listItem{c, len(a.items), value})
	}
	slices.SortStableFunc(a.items, func(x, y listItem) int {
		for k := range a.keys {
			if c := a.order.compareKey(k, &a.keys[k], x.key, &a.keys[k], y.key); c != 0 {
				return c
			}
		}
		return x.compare(y.coords)
	})
}

// join appends the texts of items, each but the first after its delimiter.
func (a *listAcc) join(b []byte) []byte {
	if a.values == nil {
		a.values = make([]types.Vec, 2)
	}
	text, delim := &a.values[0], &a.values[1]
	for n, it := range a.items {
		text.Reset(a.t)
		delim.Reset(a.delim)
		d := types.Decoder{B: it.value}
		types.ReadArrayRow(&d, text)
		types.ReadArrayRow(&d, delim)
		if n > 0 && !delim.Null(0) {
			b = append(b, delim.Str(0)...)
		}
		b = append(b, text.Str(0)...)
	}
	return b
}

func (a *listAcc) Save(e *types.Encoder) {
	types.EncodeSlice(e, a.head)
	types.EncodeSlice(e, a.tail)
	types.EncodeSlice(e, a.next)
	types.EncodeSlice(e, a.end)
	e.Bytes(a.buf)
}

func (a *listAcc) Load(d *types.Decoder) {
	a.head = types.DecodeSlice[uint32](d)
	a.tail = loadColumn[uint32](d, len(a.head))
	a.next = types.DecodeSlice[uint32](d)
	a.end = loadColumn[uint64](d, len(a.next))
	a.buf = append([]byte(nil), d.Bytes()...)
	if d.Err == nil && !a.sound() {
		d.Fail("lists of groups")
	}
	if d.Err != nil {
		*a = listAcc{joined: a.joined, t: a.t, delim: a.delim, order: a.order, keys: a.keys}
	}
}

// sound reports whether all chains end, each entry is in one of them, and each entry can be read.
func (a *listAcc) sound() bool {
	last := uint64(0)
	for _, end := range a.end {
		if end < last || end > uint64(len(a.buf)) {
			return false
		}
		last = end
	}
	seen := 0
	for g, e := range a.head {
		prev := uint32(0)
		// Entries are appended, so that a chain always goes forward.
		for ; e != 0; prev, e = e, a.next[e-1] {
			if e <= prev || int(e) > len(a.next) || !a.readable(e) {
				return false
			}
			seen++
		}
		if a.tail[g] != prev || seen > len(a.next) {
			return false
		}
	}
	return seen == len(a.next) && last == uint64(len(a.buf))
}

func (a *listAcc) readable(e uint32) bool {
	_, value := a.order.split(a.entry(e))
	if a.joined {
		d := types.Decoder{B: value}
		text, delim := types.Vec{Type: a.t}, types.Vec{Type: a.delim}
		types.ReadArrayRow(&d, &text)
		types.ReadArrayRow(&d, &delim)
		return d.Err == nil && len(d.B) == 0 && !text.Null(0)
	}
	var d types.Decoder
	checkElement(&d, a.t, value, true)
	return d.Err == nil && len(value) > 0
}

func (a *listAcc) Bytes() int {
	n := cap(a.head)*4 + cap(a.tail)*4 + cap(a.next)*4 + cap(a.end)*8 + cap(a.buf) + cap(a.items)*64 + a.rows.bytes()
	for k := range a.keys {
		n += a.keys[k].Bytes()
	}
	return n
}
