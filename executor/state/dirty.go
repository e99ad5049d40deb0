package state

import "rhumb/types"

// Dirty is a set of dense ids in the order in which they were marked: the groups that changed since they were last written. The zero value
// is an empty set.
type Dirty struct {
	marks types.Bitmap
	ids   []uint32
}

// Mark adds id.
func (s *Dirty) Mark(id uint32) {
	w := int(id >> 6)
	if w >= len(s.marks) {
		// Twice as much as is needed, so that marking ids one after another costs a constant.
		grown := make(types.Bitmap, 2*w+1)
		copy(grown, s.marks)
		s.marks = grown
	}
	if bit := uint64(1) << (id & 63); s.marks[w]&bit == 0 {
		s.marks[w] |= bit
		s.ids = append(s.ids, id)
	}
}

// Has reports whether id is marked.
func (s *Dirty) Has(id uint32) bool { return s.marks.Has(int(id)) }

// Len is the number of marked ids.
func (s *Dirty) Len() int { return len(s.ids) }

// IDs returns the marked ids, oldest first, valid until the set changes.
func (s *Dirty) IDs() []uint32 { return s.ids }

// Clear removes all, in time proportional to their number.
func (s *Dirty) Clear() {
	for _, id := range s.ids {
		s.marks[id>>6] = 0
	}
	if roomy(cap(s.ids), len(s.ids)) {
		s.ids = nil
	}
	s.ids = s.ids[:0]
}

// Save appends the set.
func (s *Dirty) Save(e *types.Encoder) { types.EncodeSlice(e, s.ids) }

// Load reads what Save wrote into an empty set. All ids must be below n.
func (s *Dirty) Load(d *types.Decoder, n int) {
	for _, id := range types.DecodeSlice[uint32](d) {
		if uint64(id) >= uint64(n) || s.Has(id) {
			s.Clear()
			d.Err = corrupted("changed groups")
			return
		}
		s.Mark(id)
	}
}

// Bytes is the memory of the set.
func (s *Dirty) Bytes() int { return 4 * len(s.ids) }
