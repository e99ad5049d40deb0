package decode

import (
	"encoding/binary"
)

// Events of one kind have the same keys in the same order. The shape cache is an automaton that learns this: a state is a value within an
// object of the trie, and from it lead the few pieces of text, *glue*, that were seen between that value and the next
// ("," key ":" and whatever closes or is blank). Comparing eight bytes at a time with what came last time replaces reading a key and looking
// it up. Every byte is still compared: what is not known glue goes the general way (jsonDecoder.glue), which learns it.
//
//	open(root) --{"ts":--> ts --,"src":--> (open src) --{"ip":--> src.ip --},"msg":--> msg --}--> end
//
// Because a state is the value's place and not the history of the event, optional fields, several kinds of events in one topic and nested objects
// cost one glue more at the place where they differ, not one shape more.

// state is a place between glue: a value that comes next, or an object that is opened.
type state struct {
	kind  stateKind
	learn bool   // what follows it is worth learning
	col   int32  // kindText, kindColumn
	node  int32  // kindNode: the node of the trie that the value is
	ctx   int32  // the object that the value, or the first key, is in; -1 at the end
	depth int32  // brackets that are open where the value begins
	first glue   // what is tried first
	more  []glue // what is tried after it

	misses int // times that the glue was not known
}

type stateKind uint8

const (
	kindSkip   stateKind = iota // a value that nobody wants
	kindText                    // the value of one TEXT column without a length, with nothing wanted below
	kindColumn                  // the same of another type
	kindNode                    // any other value on the trie
	kindOpen                    // before the '{' of an object on the trie
	kindEnd                     // behind the payload's closing bracket
)

// glue is a known text and the state that it leads to. Its first eight bytes are head and its last eight tail; of text shorter than
// that, both are the whole, under mask.
type glue struct {
	next             *state
	head, tail, mask uint64
	n, span          int    // length, and the bytes that head and tail are compared with
	mid              string // what is between, if n > 16
	hits             int    // since it last changed places
}

// matches reports whether g is at p[i]. Where fewer than eight bytes are left it says no.
func (g *glue) matches(p []byte, i int) bool {
	end := i + g.span
	return end <= len(p) && ((load64(p, i)^g.head)|(load64(p, end-8)^g.tail))&g.mask == 0 &&
		(g.n <= 16 || string(p[i+8:end-8]) == g.mid)
}

// noGlue matches nothing.
var noGlue = glue{span: 1 << 40}

// Limits of what is learnt. Keys are chosen by attackers, or come in no order: a place that was missed maxMisses times is given up, and learning
// stops after maxLearnt pieces of glue. All is forgotten, to learn afresh, when relearnAfter payloads have passed since.
const (
	maxGlue      = 8   // per state
	maxGlueBytes = 256 // longer is not learnt
	maxLearnt    = 4096
	maxMisses    = 256
	relearnAfter = 1 << 16
	promoteAfter = 16 // hits until glue is tried earlier
)

// shapes is the automaton. It has a state for each node and each open object of the trie, one for skipped values per object, and what
// was learnt.
type shapes struct {
	planned []*state // those that are not learnt
	openAt  []*state // by node: opens it as an object; nil if it has no keys
	valueAt []*state // by node: its value
	skipAt  []*state // by node: a value of an unwanted key in it
	end     *state
	named   map[string]*state // values of unwanted keys, by object and key
	learnt  int
	givenUp bool
	since   int // payloads since all was forgotten
	enabled bool
}

func newShapes(p *plan) *shapes {
	s := &shapes{enabled: !p.opts.NoShapeCache, named: map[string]*state{}}
	s.openAt, s.valueAt, s.skipAt = make([]*state, len(p.nodes)), make([]*state, len(p.nodes)), make([]*state, len(p.nodes))
	// In the shared states of unwanted values nothing is learnt: too many keys follow them.
	s.end = s.add(state{kind: kindEnd, ctx: -1})
	for i := range p.nodes {
		n, node := &p.nodes[i], int32(i)
		// The root is always read as an object: its keys are validated even if none is wanted.
		if i == 0 || len(n.keys.slots) > 0 {
			s.openAt[i] = s.add(state{kind: kindOpen, ctx: node, learn: true})
			s.skipAt[i] = s.add(state{kind: kindSkip, ctx: node, depth: n.depth})
		}
		st := state{kind: kindNode, node: node, ctx: n.parent, depth: n.depth - 1, learn: true}
		if len(n.kids) == 0 && len(n.terms) == 1 && !n.terms[0].alt && !n.terms[0].dotted {
			st.kind, st.col = kindColumn, n.terms[0].col
			if c := p.convs[st.col]; c.op == opText && c.typ.Mod == 0 {
				st.kind = kindText
			}
		}
		s.valueAt[i] = s.add(st)
	}
	return s
}

func (s *shapes) add(st state) *state {
	st.first = noGlue
	s.planned = append(s.planned, &st)
	return &st
}

// begin is called before each payload.
func (s *shapes) begin() {
	s.since++
	if s.since > relearnAfter && (s.givenUp || s.learnt >= maxLearnt) {
		for _, st := range s.planned {
			st.first, st.more, st.misses = noGlue, nil, 0
			st.learn = st.kind != kindSkip
		}
		clear(s.named)
		s.learnt, s.since, s.givenUp = 0, 0, false
	}
}

// learning reports whether there is room for more.
func (s *shapes) learning() bool { return s.enabled && s.learnt < maxLearnt }

// missed notes that what follows a state is not known.
func (s *shapes) missed(st *state) {
	if st.misses++; st.misses == maxMisses && st.learn {
		st.first, st.more, st.learn = noGlue, nil, false
		s.givenUp = true
	}
}

// unwanted returns the state of the value of an unwanted key, as it is written, in object ctx. It is the key's own only if the way from the state
// before it can be learnt.
func (s *shapes) unwanted(from *state, ctx int32, key []byte) *state {
	if !from.learn || !s.learning() || len(key) > maxGlueBytes {
		return s.skipAt[ctx]
	}
	name := string(append(binary.AppendUvarint(nil, uint64(ctx)), key...))
	st := s.named[name]
	if st == nil {
		st = &state{kind: kindSkip, ctx: ctx, depth: s.skipAt[ctx].depth, learn: true, first: noGlue}
		s.named[name] = st
	}
	return st
}

// note learns that text leads from one state to another.
func (s *shapes) note(from, to *state, text []byte) {
	if !from.learn || !s.learning() || len(text) > maxGlueBytes {
		return
	}
	s.learnt++
	switch g := newGlue(text, to); {
	case from.first.n == 0:
		from.first = g
	case len(from.more) < maxGlue-1:
		from.more = append(from.more, g)
	default:
		from.more[len(from.more)-1] = g
	}
}

func newGlue(text []byte, next *state) glue {
	n := len(text)
	var head [8]byte
	copy(head[:], text)
	g := glue{next: next, n: n, span: max(n, 8), head: load64(head[:], 0), mask: ^uint64(0)}
	g.tail = g.head
	if n < 8 {
		g.mask = 1<<(8*n) - 1
	} else {
		g.tail = load64(text, n-8)
	}
	if n > 16 {
		g.mid = string(text[8 : n-8])
	}
	return g
}

// follow finds the glue at p[i] among those known from a state, and returns the next state and the place behind it, or nil.
func (st *state) follow(p []byte, i int) (*state, int) {
	if i+8 > len(p) {
		// Near the end of the payload, a copy with eight bytes to spare.
		var tail [16]byte
		n := copy(tail[:], p[i:])
		if next, end := st.follow(tail[:], 0); next != nil && end <= n {
			return next, i + end
		}
		return nil, i
	}
	if g := &st.first; g.matches(p, i) {
		return g.next, i + g.n
	}
	x := load64(p, i)
	for k := range st.more {
		if g := &st.more[k]; (x^g.head)&g.mask == 0 && g.matches(p, i) {
			next, end := g.next, i+g.n
			st.promote(k)
			return next, end
		}
	}
	return nil, i
}

// promote moves glue that is met often towards the front.
func (st *state) promote(k int) {
	g, before := &st.more[k], &st.first
	if k > 0 {
		before = &st.more[k-1]
	}
	if g.hits++; g.hits >= promoteAfter {
		g.hits, before.hits = 0, 0
		*g, *before = *before, *g
	}
}
