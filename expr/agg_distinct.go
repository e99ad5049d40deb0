package expr

import (
	"encoding/binary"
	"hash/maphash"

	"rhumb/types"
)

// distinctAcc is any aggregate with DISTINCT: one set of (group, arguments) for all groups, and the aggregate itself, to which
// the members are added as they are found. Members are kept in the form in which equal values are the same, and handed on
// in that form, so that it does not matter which of several equal values (1.0 and 1.00) came first.
//
// An aggregate that depends on order gets its members ordered by ORDER BY and then by value.
type distinctAcc struct {
	call    *AggCall
	inner   Accumulator
	innerBy []int // the arguments by which inner orders
	set     keySet
	groups  int
	// Scratch: a key; the members that an update adds.
	key  []byte
	args []*types.Vec
	by   []*types.Vec
	gs   []uint32
	rs   []int32
}

func newDistinctAcc(c *AggCall) *distinctAcc {
	a := &distinctAcc{call: c, set: newKeySet()}
	plain := *c
	plain.Distinct = false
	if c.Func.sorts {
		plain.OrderBy = nil
		for _, k := range c.OrderBy {
			a.innerBy = append(a.innerBy, indexOfExpr(c.Args, k.Expr))
			plain.OrderBy = append(plain.OrderBy, k)
		}
		for i, arg := range c.Args {
			a.innerBy = append(a.innerBy, i)
			plain.OrderBy = append(plain.OrderBy, SortKey{Expr: arg})
		}
	}
	a.inner = c.Func.make(&plain)
	for _, arg := range c.Args {
		a.args = append(a.args, &types.Vec{Type: arg.Type()})
	}
	for _, i := range a.innerBy {
		a.by = append(a.by, a.args[i])
	}
	return a
}

func (a *distinctAcc) Resize(groups int) {
	a.groups = groups
	if groups == 0 {
		a.set.reset()
	}
	a.inner.Resize(groups)
}

func (a *distinctAcc) Update(ctx *Ctx, groups []uint32, rows []int32, args, _ []*types.Vec, _ *types.Origin) {
	a.begin()
	skipNull := a.call.Func.Result != types.Array // array_agg alone takes NULLs
	for j, g := range groups {
		i := int(rows[j])
		if skipNull && args[0].Null(i) {
			continue
		}
		a.key = binary.AppendUvarint(a.key[:0], uint64(g))
		for _, v := range args {
			a.key = types.AppendKey(a.key, v, i)
		}
		a.member(a.key)
	}
	a.flush(ctx)
}

func (a *distinctAcc) begin() {
	for _, v := range a.args {
		v.Reset(v.Type)
	}
	a.gs, a.rs = a.gs[:0], a.rs[:0]
}

// member puts a key into the set and, if it is new, its values into the scratch batch.
func (a *distinctAcc) member(key []byte) {
	if !a.set.add(key) {
		return
	}
	g, n := binary.Uvarint(key)
	key = key[n:]
	for _, v := range a.args {
		key = types.DecodeKey(key, v)
	}
	a.rs = append(a.rs, int32(len(a.gs)))
	a.gs = append(a.gs, uint32(g))
}

func (a *distinctAcc) flush(ctx *Ctx) {
	if len(a.gs) > 0 {
		a.inner.Update(ctx, a.gs, a.rs, a.args, a.by, nil)
	}
}

func (a *distinctAcc) Merge(groups []uint32, from Accumulator) {
	f := from.(*distinctAcc)
	a.begin()
	for e := range f.set.len() {
		key := f.set.key(e)
		g, n := binary.Uvarint(key)
		a.key = binary.AppendUvarint(a.key[:0], uint64(groups[g]))
		a.key = append(a.key, key[n:]...)
		a.member(a.key)
	}
	a.flush(&Ctx{}) // an update's errors come with the result
}

func (a *distinctAcc) Result(ctx *Ctx, out *types.Vec, lo, hi int) { a.inner.Result(ctx, out, lo, hi) }

// Save keeps the set; the aggregate follows from it.
func (a *distinctAcc) Save(e *types.Encoder) {
	var used groupBits // and the warrant for the number of groups
	used.resize(a.groups)
	for i := range a.set.len() {
		g, _ := binary.Uvarint(a.set.key(i))
		used.set(uint32(g))
	}
	e.Uvarint(uint64(a.groups))
	types.EncodeSlice(e, used)
	e.Uvarint(uint64(a.set.len()))
	for i := range a.set.len() {
		e.Bytes(a.set.key(i))
	}
}

func (a *distinctAcc) Load(d *types.Decoder) {
	groups := d.Uvarint()
	if groups > uint64(len(d.B))*8 {
		d.Fail("number of groups")
	}
	var used groupBits
	used.load(d, int(groups))
	n := d.Len(2)
	if d.Err != nil {
		return
	}
	a.begin()
	for range n {
		key := d.Bytes()
		if d.Err == nil && !a.validKey(key, groups, used) {
			d.Fail("distinct value")
		}
		if d.Err != nil {
			a.Resize(0)
			return
		}
		a.member(key)
	}
	a.Resize(int(groups))
	a.flush(&Ctx{})
}

// validKey reports whether DecodeKey can read the arguments of key.
func (a *distinctAcc) validKey(key []byte, groups uint64, used groupBits) bool {
	d := types.Decoder{B: key}
	if g := d.Uvarint(); g >= groups || !used.has(uint32(g)) {
		return false
	}
	for _, v := range a.args {
		x := types.Vec{Type: v.Type}
		types.ReadArrayRow(&d, &x)
	}
	return d.Err == nil && len(d.B) == 0
}

func (a *distinctAcc) Bytes() int {
	n := a.set.bytes() + a.inner.Bytes() + cap(a.key) + cap(a.gs)*4 + cap(a.rs)*4
	for _, v := range a.args {
		n += v.Bytes()
	}
	return n
}

// keySet is a set of byte strings in the order of their arrival: an open-addressing table of entry numbers (linear probing,
// at most half full) over one buffer. The hash is seeded at random, for the keys are chosen by attackers; nothing that the
// set returns depends on it.
type keySet struct {
	seed  maphash.Seed
	slots []uint32 // entry+1; 0 = free
	hash  []uint64
	end   []uint64
	buf   []byte
}

func newKeySet() keySet { return keySet{seed: maphash.MakeSeed()} }

func (s *keySet) len() int { return len(s.end) }

func (s *keySet) reset() {
	clear(s.slots)
	s.hash, s.end, s.buf = s.hash[:0], s.end[:0], s.buf[:0]
}

// key returns entry e, valid until the next add.
func (s *keySet) key(e int) []byte {
	start := uint64(0)
	if e > 0 {
		start = s.end[e-1]
	}
	return s.buf[start:s.end[e]]
}

// add reports whether key is new, and keeps a copy of it.
func (s *keySet) add(key []byte) bool {
	if len(s.end)*2 >= len(s.slots) {
		s.grow()
	}
	h := maphash.Bytes(s.seed, key)
	mask := uint64(len(s.slots) - 1)
	i := h & mask
	for ; s.slots[i] != 0; i = (i + 1) & mask {
		if e := int(s.slots[i] - 1); s.hash[e] == h && string(s.key(e)) == string(key) {
			return false
		}
	}
	s.buf = append(s.buf, key...)
	s.hash, s.end = append(s.hash, h), append(s.end, uint64(len(s.buf)))
	s.slots[i] = uint32(len(s.end))
	return true
}

func (s *keySet) grow() {
	s.slots = make([]uint32, max(64, 2*len(s.slots)))
	mask := uint64(len(s.slots) - 1)
	for e, h := range s.hash {
		i := h & mask
		for s.slots[i] != 0 {
			i = (i + 1) & mask
		}
		s.slots[i] = uint32(e + 1)
	}
}

func (s *keySet) bytes() int { return cap(s.slots)*4 + cap(s.hash)*8 + cap(s.end)*8 + cap(s.buf) }
