package types

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Hash is a seeded hash of bytes after wyhash (Wang Yi, public domain). Keys are chosen by attackers, so the seed is random
// per data directory; it is kept, because state is sharded by hash.
func Hash(seed uint64, b []byte) uint64 {
	const p0, p1, p2 = 0xa0761d6478bd642f, 0xe7037ed1a0b428db, 0x8ebc6af09c88c6e3
	n := uint64(len(b))
	seed ^= p0
	for len(b) > 16 {
		seed = mix(binary.LittleEndian.Uint64(b)^p1, binary.LittleEndian.Uint64(b[8:])^seed)
		b = b[16:]
	}
	var x, y uint64
	switch {
	case len(b) >= 8:
		x, y = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[len(b)-8:])
	case len(b) >= 4:
		x, y = uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[len(b)-4:]))
	case len(b) > 0:
		x = uint64(b[0])<<16 | uint64(b[len(b)>>1])<<8 | uint64(b[len(b)-1])
	}
	return mix(p1^n, mix(x^p2, y^seed))
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// hashWord is Hash of one 8-byte word, without the loads.
func hashWord(seed, x uint64) uint64 {
	return mix(x^0xe7037ed1a0b428db, mix(x^0x8ebc6af09c88c6e3, seed^0xa0761d6478bd642f))
}

// HashRows hashes each selected row over the columns into out, which has one entry per physical row. NULLs are equal to
// each other, as in GROUP BY; so is all that has the same AppendKey (0 and -0, numerics that differ in scale).
func HashRows(seed uint64, cols []*Vec, sel []int32, out []uint64) {
	for _, i := range sel {
		out[i] = seed
	}
	var buf []byte
	for _, v := range cols {
		switch v.Type.Layout() {
		case LInt:
			for _, i := range sel {
				if v.Null(int(i)) {
					out[i] = hashWord(out[i], nullWord)
				} else {
					out[i] = hashWord(out[i], uint64(v.I[i]))
				}
			}
		case LStr:
			plain := !hasEqualBytes(v.Type)
			for _, i := range sel {
				switch {
				case v.Null(int(i)):
					out[i] = hashWord(out[i], nullWord)
				case plain:
					out[i] = Hash(out[i], v.Str(int(i)))
				default:
					out[i] = Hash(out[i], canonicalBytes(v.Type, v.Str(int(i))))
				}
			}
		default:
			for _, i := range sel {
				buf = AppendKey(buf[:0], v, int(i))
				out[i] = Hash(out[i], buf)
			}
		}
	}
}

const nullWord = 0x6e756c6c6e756c6c

// AppendKey appends row i of v in a form whose bytes are equal exactly when the values are (grouping equality), and that
// DecodeKey reads back (as one of the equal values: 1.50 as 1.5, 1 mon as 30 days): a byte 1 (NULL), or 0 and the value.
func AppendKey(dst []byte, v *Vec, i int) []byte {
	if v.Null(i) {
		return append(dst, 1)
	}
	dst = append(dst, 0)
	switch v.Type.Layout() {
	case LBool:
		if v.B[i] {
			return append(dst, 1)
		}
		return append(dst, 0)
	case LInt:
		return binary.LittleEndian.AppendUint64(dst, uint64(v.I[i]))
	case LFloat:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(canonicalFloat(v.F[i])))
	case LInterval:
		iv := canonicalInterval(v.V[i])
		dst = binary.LittleEndian.AppendUint32(dst, uint32(iv.Months))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(iv.Days))
		return binary.LittleEndian.AppendUint64(dst, uint64(iv.Micros))
	default:
		b := canonicalBytes(v.Type, v.Str(i))
		dst = binary.AppendUvarint(dst, uint64(len(b)))
		return append(dst, b...)
	}
}

// canonicalFloat makes one of 0 and -0, and one of all NaNs.
func canonicalFloat(f float64) float64 {
	switch {
	case f == 0:
		return 0
	case f != f:
		return math.NaN()
	}
	return f
}

// canonicalInterval makes one of all intervals that Compare calls equal: months become 30 days, and time becomes days, as far as
// they fit; days and time have the same sign.
func canonicalInterval(v Interval) Interval {
	if v.Months == 0 && v.Micros < MicrosPerDay && v.Micros > -MicrosPerDay && (v.Days == 0 || v.Micros == 0 || (v.Days < 0) == (v.Micros < 0)) {
		return v
	}
	days, micros := int64(v.Months)*30+int64(v.Days)+v.Micros/MicrosPerDay, v.Micros%MicrosPerDay
	switch {
	case days > 0 && micros < 0:
		days, micros = days-1, micros+MicrosPerDay
	case days < 0 && micros > 0:
		days, micros = days+1, micros-MicrosPerDay
	}
	// What does not fit into days goes to months, and what does not fit there is less than what micros hold.
	var months int64
	if days != int64(int32(days)) {
		months = min(max(days/30, math.MinInt32), math.MaxInt32)
	}
	rest := days - months*30
	days = min(max(rest, math.MinInt32), math.MaxInt32)
	return Interval{Months: int32(months), Days: int32(days), Micros: micros + (rest-days)*MicrosPerDay}
}

// hasEqualBytes says that values of an LStr kind can be equal in different bytes.
func hasEqualBytes(t Type) bool {
	switch t.Kind {
	case Numeric, JSONB:
		return true
	case Array:
		return t.Elem == Float4 || t.Elem == Float8 || t.Elem == IntervalKind || t.Elem == Numeric || t.Elem == JSONB
	}
	return false
}

// canonicalBytes returns the bytes that stand for all that are equal to b.
func canonicalBytes(t Type, b []byte) []byte {
	switch t.Kind {
	case Numeric:
		return canonicalNumeric(b)
	case JSONB:
		return canonicalJSONKey(b)
	case Array:
		return canonicalArray(t.Elem, b)
	}
	return b
}

func canonicalArray(elem Kind, b []byte) []byte {
	if !hasEqualBytes(ArrayOf(elem)) {
		return b
	}
	vs := DecodeArray(elem, b)
	for i := range vs {
		v := &vs[i]
		v.F, v.Iv, v.S = canonicalFloat(v.F), canonicalInterval(v.Iv), string(canonicalBytes(v.Type, []byte(v.S)))
	}
	return EncodeArray(vs)
}

// DecodeKey appends the value at the head of a key to out (whose Type says what it is), and returns the rest of the key.
func DecodeKey(key []byte, out *Vec) []byte {
	null := key[0] == 1
	key = key[1:]
	if null {
		out.AppendNull()
		return key
	}
	switch out.Type.Layout() {
	case LBool:
		out.B = append(out.B, key[0] == 1)
		return key[1:]
	case LInt:
		out.I = append(out.I, int64(binary.LittleEndian.Uint64(key)))
		return key[8:]
	case LFloat:
		out.F = append(out.F, math.Float64frombits(binary.LittleEndian.Uint64(key)))
		return key[8:]
	case LInterval:
		out.V = append(out.V, Interval{int32(binary.LittleEndian.Uint32(key)), int32(binary.LittleEndian.Uint32(key[4:])), int64(binary.LittleEndian.Uint64(key[8:]))})
		return key[16:]
	default:
		n, w := binary.Uvarint(key)
		out.AppendStr(key[w : w+int(n)])
		return key[w+int(n):]
	}
}

// canonicalNumeric strips what does not change a decimal's value: trailing zeros of the fraction, the sign of zero.
func canonicalNumeric(b []byte) []byte {
	for i := range b {
		if b[i] == '.' {
			end := len(b)
			for end > i && b[end-1] == '0' {
				end--
			}
			if end-1 == i {
				end--
			}
			b = b[:end]
			break
		}
	}
	if len(b) == 2 && b[0] == '-' && b[1] == '0' {
		b = b[1:]
	}
	return b
}
