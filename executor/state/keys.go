package state

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"rhumb/types"
)

// Keys gives group keys dense ids: 0, 1, 2 and so on in the order in which they are first seen.
//
// It is a table with open addressing and linear probing. A slot is a word: 32 bits of the hash as a tag, and the id + 1 (0 = empty). The key
// itself stands in an entry of two words by id; that 16 bytes fit there is what makes a lookup two cache lines:
//
//	inline   bytes 0..14 of the key, zero-padded | length (0..15) in the top byte
//	in arena offset in the arena                 | length in the low half, 0xFF in the top byte
//	NULL     0                                   | 0xFE in the top byte (single columns only)
//
// What the bytes are is decided by the columns: the value of a single LStr column, the 8 bytes of a single LInt column, and else the encoding
// of types.AppendKey. Memory is 24 bytes a key, 11 to 21 of slots, and for keys of more than 15 bytes those.
//
// Slots are chosen by the low bits of the hash, tags are its high half: an exchange that shards by the high bits leaves both effective.
type Keys struct {
	types  []types.Type
	form   keyForm
	slots  []uint64
	mask   uint64
	words  []uint64 // two a key
	hashes []uint64
	arena  []byte

	// Memory of one Find or Key.
	probes []uint64 // two a row: the entry that the row's key would have, but for the offset of a long one, which is into src
	found  []uint64 // the row's first slot
	src    []byte
	key    []byte
}

// keyForm says what the bytes of a key are.
type keyForm uint8

const (
	formStr keyForm = iota
	formInt
	formEncoded
)

const (
	inlineBytes = 15
	topByte     = 56
	topArena    = uint64(0xFF) << topByte
	topNull     = uint64(0xFE) << topByte
	topInt      = uint64(8) << topByte
	lowHalf     = 1<<32 - 1
	minSlots    = 64
)

// NewKeys returns an empty table for keys of these columns.
func NewKeys(columns []types.Type) *Keys {
	k := &Keys{types: columns, form: formEncoded}
	if len(columns) == 1 {
		switch {
		case columns[0].Layout() == types.LInt:
			k.form = formInt
		// Numerics that differ in scale are equal, but not their bytes.
		case columns[0].Layout() == types.LStr && columns[0].Kind != types.Numeric:
			k.form = formStr
		}
	}
	return k
}

// Len is the number of keys.
func (k *Keys) Len() int { return len(k.hashes) }

// Find sets out[j] to the id of the key of row rows[j], and gives new keys their ids; it returns how many were new: these are the last ids.
// hash has an entry per physical row, made by types.HashRows over the same columns and always with the same seed.
//
// It works through the rows in passes, so that the cache misses of different rows overlap: read the keys, read their first slots,
// then compare.
func (k *Keys) Find(cols []*types.Vec, hash []uint64, rows []int32, out []uint32) (added int) {
	n := len(rows)
	if n == 0 {
		return 0
	}
	if cap(k.probes) < 2*n {
		k.probes, k.found = make([]uint64, 2*n), make([]uint64, n)
	}
	if len(k.slots) == 0 {
		k.grow(minSlots)
	}
	probes, found := k.probes[:2*n], k.found[:n]
	src := k.read(cols, rows, probes)
	slots, mask := k.slots, k.mask
	for j, r := range rows {
		found[j] = slots[hash[r]&mask]
	}
	before := len(k.hashes)
	out = out[:n]
	for j, r := range rows {
		h, lo, hi := hash[r], probes[2*j], probes[2*j+1]
		// Entries never move, so a slot read before this loop that matches is right even if the table has grown since.
		if s := found[j]; s != 0 && s>>32 == h>>32 {
			id := uint32(s) - 1
			e := k.words[2*id : 2*id+2 : 2*id+2]
			if e[1] == hi && (e[0] == lo && hi < topArena || hi >= topArena && k.sameLong(e[0], lo, hi, src)) {
				out[j] = id
				continue
			}
		}
		out[j] = k.findSlow(h, lo, hi, src)
	}
	return len(k.hashes) - before
}

// read fills probes from the rows, and returns the bytes that long keys lie in.
func (k *Keys) read(cols []*types.Vec, rows []int32, probes []uint64) []byte {
	v := cols[0]
	switch k.form {
	case formInt:
		for j, r := range rows {
			if v.Null(int(r)) {
				probes[2*j], probes[2*j+1] = 0, topNull
			} else {
				probes[2*j], probes[2*j+1] = uint64(v.I[r]), topInt
			}
		}
		return nil
	case formStr:
		refs, buf := v.R, v.Buf
		for j, r := range rows {
			ref := refs[r]
			if v.Null(int(r)) {
				probes[2*j], probes[2*j+1] = 0, topNull
			} else {
				probes[2*j], probes[2*j+1] = probe(buf, uint64(ref.Off), uint64(ref.Len))
			}
		}
		return buf
	default:
		k.src = k.src[:0]
		// Twice over the rows: a probe of a long key is its place, and of a short one its bytes, and src may move while it grows.
		for j, r := range rows {
			probes[2*j] = uint64(len(k.src))
			for _, c := range cols {
				k.src = types.AppendKey(k.src, c, int(r))
			}
			probes[2*j+1] = uint64(len(k.src)) - probes[2*j]
		}
		for j := range rows {
			probes[2*j], probes[2*j+1] = probe(k.src, probes[2*j], probes[2*j+1])
		}
		return k.src
	}
}

// probe makes the entry of the key buf[off:off+n].
func probe(buf []byte, off, n uint64) (lo, hi uint64) {
	if n > inlineBytes {
		return off, topArena | n
	}
	b := buf[off : off+n]
	switch {
	case n >= 8:
		lo = binary.LittleEndian.Uint64(b)
		// The last 8 bytes, shifted so that what lo has falls out.
		hi = binary.LittleEndian.Uint64(b[n-8:]) >> (8 * (16 - n))
	case n >= 4:
		lo = uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<(8*(n-4))
	case n > 0:
		lo = uint64(b[0]) | uint64(b[n/2])<<(8*(n/2)) | uint64(b[n-1])<<(8*(n-1))
	}
	return lo, hi | n<<topByte
}

// sameLong compares a key in the arena with one in src. Their lengths are known to be equal.
func (k *Keys) sameLong(off, srcOff, hi uint64, src []byte) bool {
	n := hi & lowHalf
	return bytes.Equal(k.arena[off:off+n], src[srcOff:srcOff+n])
}

// findSlow probes from the first slot on, and adds the key if it is not there.
func (k *Keys) findSlow(h, lo, hi uint64, src []byte) uint32 {
	i := h & k.mask
	for ; k.slots[i] != 0; i = (i + 1) & k.mask {
		s := k.slots[i]
		if s>>32 != h>>32 {
			continue
		}
		id := uint64(uint32(s) - 1)
		if k.words[2*id+1] != hi {
			continue
		}
		if hi < topArena && k.words[2*id] == lo || hi >= topArena && k.sameLong(k.words[2*id], lo, hi, src) {
			return uint32(id)
		}
	}
	if hi >= topArena {
		n := hi & lowHalf
		src = src[lo : lo+n]
		lo = uint64(len(k.arena))
		k.arena = append(k.arena, src...)
	}
	id := len(k.hashes)
	k.hashes = append(k.hashes, h)
	k.words = append(k.words, lo, hi)
	if slotsFor(id+1) > len(k.slots) {
		k.grow(slotsFor(id + 1))
	} else {
		k.slots[i] = h>>32<<32 | uint64(id+1)
	}
	return uint32(id)
}

// slotsFor is the size of a table for n keys: the least power of two that they fill to at most three quarters.
func slotsFor(n int) int {
	return max(minSlots, 1<<bits.Len(uint(n+n/3)))
}

// grow makes a table of size slots, and puts every key in.
func (k *Keys) grow(size int) {
	k.slots, k.mask = make([]uint64, size), uint64(size-1)
	for id, h := range k.hashes {
		i := h & k.mask
		for k.slots[i] != 0 {
			i = (i + 1) & k.mask
		}
		k.slots[i] = h>>32<<32 | uint64(id+1)
	}
}

// bytesOf returns the bytes of a key; ok is false for NULL. They are in the arena, or in buf.
func (k *Keys) bytesOf(id int, buf *[16]byte) (b []byte, ok bool) {
	lo, hi := k.words[2*id], k.words[2*id+1]
	switch {
	case hi >= topArena:
		return k.arena[lo : lo+hi&lowHalf], true
	case hi >= topNull:
		return nil, false
	}
	binary.LittleEndian.PutUint64(buf[:], lo)
	binary.LittleEndian.PutUint64(buf[8:], hi)
	return buf[:hi>>topByte], true
}

// Decode appends the key columns of the ids [lo, hi) to out.
func (k *Keys) Decode(out []*types.Vec, lo, hi int) {
	var buf [16]byte
	for id := lo; id < hi; id++ {
		b, ok := k.bytesOf(id, &buf)
		switch {
		case !ok:
			out[0].AppendNull()
		case k.form == formStr:
			out[0].AppendStr(b)
		case k.form == formInt:
			out[0].I = append(out[0].I, int64(k.words[2*id]))
		default:
			for _, v := range out {
				b = types.DecodeKey(b, v)
			}
		}
	}
}

// Hash is the hash of a key.
func (k *Keys) Hash(id uint32) uint64 { return k.hashes[id] }

// Key returns the encoding of a key, that of types.AppendKey over its columns. It is valid until the next call.
func (k *Keys) Key(id uint32) []byte {
	var buf [16]byte
	b, ok := k.bytesOf(int(id), &buf)
	k.key = k.key[:0]
	switch {
	case k.form == formEncoded:
		k.key = append(k.key, b...)
	case !ok:
		k.key = append(k.key, 1)
	case k.form == formStr:
		k.key = append(k.key, 0)
		k.key = binary.AppendUvarint(k.key, uint64(len(b)))
		k.key = append(k.key, b...)
	default:
		k.key = append(k.key, 0)
		k.key = append(k.key, b...)
	}
	return k.key
}

// Reset removes all keys. Memory is kept for as many as there were.
func (k *Keys) Reset() {
	n := len(k.hashes)
	if roomy(cap(k.hashes), n) {
		k.hashes, k.words = nil, nil
	}
	if roomy(cap(k.arena), len(k.arena)) {
		k.arena = nil
	}
	if roomy(len(k.slots), slotsFor(n)) {
		k.slots = nil
	}
	clear(k.slots)
	k.hashes, k.words, k.arena = k.hashes[:0], k.words[:0], k.arena[:0]
}

// Bytes is the memory of the keys.
func (k *Keys) Bytes() int {
	n := len(k.hashes)
	if n == 0 {
		return 0
	}
	return 24*n + 8*slotsFor(n) + len(k.arena)
}
