package state

import (
	"encoding/binary"

	"rhumb/types"
)

// Save appends the keys and their hashes; the slots are made anew from those.
func (k *Keys) Save(e *types.Encoder) {
	types.EncodeSlice(e, k.hashes)
	types.EncodeSlice(e, k.words)
	e.Bytes(k.arena)
}

// Load reads what Save wrote into an empty table of the same columns. On an error (d.Err) the table is empty.
func (k *Keys) Load(d *types.Decoder) {
	hashes := types.DecodeSlice[uint64](d)
	words := types.DecodeSlice[uint64](d)
	arena := append([]byte(nil), d.Bytes()...)
	if d.Err != nil {
		return
	}
	if len(words) != 2*len(hashes) || uint64(len(hashes)) >= lowHalf {
		d.Err = corrupted("number of keys")
		return
	}
	k.hashes, k.words, k.arena = hashes, words, arena
	for id := range hashes {
		if !k.sound(id) {
			k.hashes, k.words, k.arena = nil, nil, nil
			d.Err = corrupted("key")
			return
		}
	}
	k.grow(slotsFor(len(hashes)))
}

// sound verifies that a loaded key can be decoded.
func (k *Keys) sound(id int) bool {
	lo, hi := k.words[2*id], k.words[2*id+1]
	switch {
	case hi >= topArena:
		n := hi & lowHalf
		if hi != topArena|n || n <= inlineBytes || lo > uint64(len(k.arena)) || n > uint64(len(k.arena))-lo {
			return false
		}
	case hi >= topNull:
		return k.form != formEncoded && hi == topNull && lo == 0
	case hi>>topByte > inlineBytes:
		return false
	}
	switch k.form {
	case formInt:
		return hi == topInt
	case formStr:
		return true
	}
	var buf [16]byte
	b, _ := k.bytesOf(id, &buf)
	return soundKey(b, k.types)
}

// soundKey reports whether b is the encoding of a key of these columns, which types.DecodeKey takes for granted.
func soundKey(b []byte, columns []types.Type) bool {
	for _, t := range columns {
		if len(b) == 0 || b[0] > 1 {
			return false
		}
		null := b[0] == 1
		b = b[1:]
		if null {
			continue
		}
		size := uint64(0)
		switch t.Layout() {
		case types.LBool:
			size = 1
		case types.LInt, types.LFloat:
			size = 8
		case types.LInterval:
			size = 16
		case types.LStr:
			n, w := binary.Uvarint(b)
			if w <= 0 {
				return false
			}
			b, size = b[w:], n
		}
		if size > uint64(len(b)) {
			return false
		}
		b = b[size:]
	}
	return len(b) == 0
}
