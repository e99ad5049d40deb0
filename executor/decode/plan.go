package decode

import (
	"encoding/binary"
	"strconv"
	"strings"

	"rhumb/types"
)

// plan is what is wanted, as a trie over the keys. It does not change and is shared by the clones of a decoder.
type plan struct {
	opts      Options
	cols      []Column
	convs     []*conv
	nodes     []node // nodes[0] is the root
	all       mask   // every column
	notNull   mask
	defaulted mask // columns with a default
	fixed     int  // the longest default
}

// node is a place in the payload that is wanted, or on the way to one.
type node struct {
	parent int32 // -1 above the root
	depth  int32 // brackets open within the node if it is an object; the root's is 1
	terms  []term
	keys   keyTable
	elems  []elem // wanted elements of an array, by index
	kids   []int32
}

// term is a column that a node's value is for.
type term struct {
	col int32
	// alt is set at the end of the path that a dotted name stands for if there is no key of that name.
	alt bool
	// dotted is set at the key whose name has dots: it wins over the path.
	dotted bool
}

type elem struct {
	index int
	node  int32
}

// mask is a set of columns.
type mask []uint64

func newMask(n int) mask        { return make(mask, (n+63)/64) }
func (m mask) set(i int32)      { m[i>>6] |= 1 << (uint(i) & 63) }
func (m mask) unset(i int32)    { m[i>>6] &^= 1 << (uint(i) & 63) }
func (m mask) has(i int32) bool { return m[i>>6]>>(uint(i)&63)&1 != 0 }

func newPlan(cols []Column, opts Options) (*plan, error) {
	p := &plan{opts: opts, cols: cols, nodes: []node{{parent: -1, depth: 1}},
		all: newMask(len(cols)), notNull: newMask(len(cols)), defaulted: newMask(len(cols))}
	names := []map[string]int32{{}}
	for i, c := range cols {
		col := int32(i)
		cv, err := newConv(c.Type)
		if err != nil {
			return nil, err
		}
		p.convs = append(p.convs, cv)
		p.all.set(col)
		if c.NotNull {
			p.notNull.set(col)
		}
		if c.Default != nil && !c.Default.Null {
			p.defaulted.set(col)
			p.fixed = max(p.fixed, len(c.Default.S))
		}
		path, dotted := c.Path, false
		if path == nil {
			path = []string{c.Name}
			dotted = strings.Contains(c.Name, ".")
		}
		n := p.place(&names, path)
		p.nodes[n].terms = append(p.nodes[n].terms, term{col: col, dotted: dotted})
		if dotted {
			n = p.place(&names, strings.Split(c.Name, "."))
			p.nodes[n].terms = append(p.nodes[n].terms, term{col: col, alt: true})
		}
	}
	for i := range p.nodes {
		p.nodes[i].keys = newKeyTable(names[i])
	}
	return p, nil
}

// place returns the node of a path, made as needed. names are the keys of each node.
func (p *plan) place(names *[]map[string]int32, path []string) int32 {
	at := int32(0)
	for _, step := range path {
		next, ok := int32(0), false
		index, isIndex := arrayIndex(step)
		if isIndex {
			next, ok = p.nodes[at].elem(index)
		} else {
			next, ok = (*names)[at][step]
		}
		if !ok {
			next = int32(len(p.nodes))
			p.nodes = append(p.nodes, node{parent: at, depth: p.nodes[at].depth + 1})
			*names = append(*names, map[string]int32{})
			p.nodes[at].kids = append(p.nodes[at].kids, next)
			if isIndex {
				p.nodes[at].elems = append(p.nodes[at].elems, elem{index, next})
			} else {
				(*names)[at][step] = next
			}
		}
		at = next
	}
	return at
}

// arrayIndex reads a path element "[n]".
func arrayIndex(step string) (int, bool) {
	if len(step) < 3 || step[0] != '[' || step[len(step)-1] != ']' {
		return 0, false
	}
	n, err := strconv.ParseUint(step[1:len(step)-1], 10, 31)
	return int(n), err == nil
}

func (n *node) elem(index int) (int32, bool) {
	for _, e := range n.elems {
		if e.index == index {
			return e.node, true
		}
	}
	return 0, false
}

// keyTable finds a key among a node's: open addressing, at most half full. Its keys are the plan's, not the payload's,
// so nobody can fill it with collisions.
type keyTable struct {
	shift uint
	slots []keySlot
}

type keySlot struct {
	key  string
	node int32 // 0 = empty: the root is nobody's child
}

func newKeyTable(names map[string]int32) keyTable {
	if len(names) == 0 {
		return keyTable{}
	}
	bits := uint(2)
	for 1<<bits < 2*len(names) {
		bits++
	}
	t := keyTable{shift: 64 - bits, slots: make([]keySlot, 1<<bits)}
	for name, n := range names {
		h := t.home([]byte(name))
		for t.slots[h].node != 0 {
			h = (h + 1) & (len(t.slots) - 1)
		}
		t.slots[h] = keySlot{name, n}
	}
	return t
}

// home is the first slot for a key: a hash of its length and its first and last bytes.
func (t *keyTable) home(key []byte) int {
	var a, b uint64
	switch n := len(key); {
	case n >= 8:
		a, b = binary.LittleEndian.Uint64(key), binary.LittleEndian.Uint64(key[n-8:])
	case n >= 4:
		a, b = uint64(binary.LittleEndian.Uint32(key)), uint64(binary.LittleEndian.Uint32(key[n-4:]))
	case n > 0:
		a, b = uint64(key[0])<<8|uint64(key[n-1]), uint64(key[n/2])
	}
	return int(((a*0x9e3779b97f4a7c15 ^ b + uint64(len(key))) * 0xa0761d6478bd642f) >> t.shift)
}

// find returns the node of a key, or 0.
func (t *keyTable) find(key []byte) int32 {
	if len(t.slots) == 0 {
		return 0
	}
	for h := t.home(key); ; h = (h + 1) & (len(t.slots) - 1) {
		s := &t.slots[h]
		if s.node == 0 || s.key == string(key) {
			return s.node
		}
	}
}

// newConv plans the conversion of values to a type.
func newConv(t types.Type) (*conv, error) {
	ops := map[types.Kind]op{
		types.Bool: opBool, types.Int2: opInt, types.Int4: opInt, types.Int8: opInt, types.Float4: opFloat, types.Float8: opFloat,
		types.Numeric: opNumeric, types.Text: opText, types.Bytea: opBytea, types.Timestamp: opTimestamp, types.Timestamptz: opTimestamp,
		types.Date: opInput, types.Time: opInput, types.IntervalKind: opInput, types.UUID: opInput, types.Cidr: opInput,
		types.Inet: opInet, types.JSONB: opJSONB, types.Array: opArray,
	}
	o, ok := ops[t.Kind]
	if !ok {
		return nil, types.Errorf(types.CodeNotSupported, "a payload cannot be decoded to type %s", t)
	}
	c := &conv{op: o, typ: t}
	switch t.Kind {
	case types.Int2:
		c.lo, c.hi = -1<<15, 1<<15-1
	case types.Int4:
		c.lo, c.hi = -1<<31, 1<<31-1
	case types.Int8:
		c.lo, c.hi = -1<<63, 1<<63-1
	case types.Array:
		e, err := newConv(types.Type{Kind: t.Elem, Mod: t.Mod, Scale: t.Scale})
		if err != nil {
			return nil, err
		}
		if e.op == opArray {
			return nil, types.Errorf(types.CodeNotSupported, "a payload cannot be decoded to an array of arrays")
		}
		c.elem = e
	}
	return c, nil
}
