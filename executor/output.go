package executor

import (
	"encoding/hex"
	"strconv"
	"sync"

	"github.com/zeebo/xxh3"

	"rhumb/catalog"
	"rhumb/connectors"
	"rhumb/executor/op"
	"rhumb/planner"
	"rhumb/types"
)

// output is the end of a continuous query: rows become records of the object's topic, or of a search: rows go to the caller.
type output struct {
	index, query int
	object       *catalog.Object // nil for a search
	// writer and version are the number under which positions are counted: the object's, except for dead letters.
	writer, version uint32
	cols            []int    // columns that are written: hidden ones only make ids
	names           [][]byte // `"name":` of each of cols
	id              planner.RowID
	keys            []int // columns that make the record's key; nil = the id
	lineage         bool
}

// outBuf is the encoded results of one task. Its bytes belong to whoever holds the buffer: the publisher, in the end.
type outBuf struct {
	buf     []byte
	rows    []outRow
	batches []*types.Batch // of a search
}

// outRow says where a result lies in the buffer: the key, the value, the encoded lineage, one after the other.
type outRow struct {
	id            xxh3.Uint128
	off           uint32
	key, val, lin uint32 // lengths
	time          int64  // event time
}

// bufPool keeps buffers that have been published for steps to come. A buffer has one owner at a time: the task that fills it, then the step's
// commit, then the pool.
type bufPool struct {
	mu   sync.Mutex
	free []*outBuf
}

// The buffers that a pool keeps: so many, of at most so many bytes.
const (
	pooledBuffers = 256
	pooledBytes   = 256 << 10
)

func (p *bufPool) get() *outBuf {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.free)
	if n == 0 {
		return &outBuf{}
	}
	b := p.free[n-1]
	p.free = p.free[:n-1]
	return b
}

func (p *bufPool) put(b *outBuf) {
	if cap(b.buf) > pooledBytes {
		return
	}
	b.buf, b.rows, b.batches = b.buf[:0], b.rows[:0], nil
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) < pooledBuffers {
		p.free = append(p.free, b)
	}
}

// encode appends the live rows of a batch.
func (o *output) encode(buf *outBuf, b *types.Batch, x *op.Ctx) {
	if o.object == nil {
		shown := *b
		shown.Cols = make([]*types.Vec, len(o.cols))
		for k, c := range o.cols {
			shown.Cols[k] = b.Cols[c]
		}
		buf.batches = append(buf.batches, compact(&shown))
		return
	}
	sel := b.Sel
	n := b.Rows()
	var scratch types.Encoder
	for j := range n {
		i := j
		if sel != nil {
			i = int(sel[j])
		}
		row := outRow{off: uint32(len(buf.buf)), time: b.Origin.Time[i]}
		row.id, scratch.B = o.rowID(scratch.B[:0], b, i)
		buf.buf = o.appendKey(buf.buf, b, i, row.id)
		row.key = uint32(len(buf.buf)) - row.off
		buf.buf = o.appendValue(buf.buf, b, i)
		row.val = uint32(len(buf.buf)) - row.off - row.key
		if o.lineage {
			e := types.Encoder{B: buf.buf}
			appendLineage(&e, &b.Origin, i)
			buf.buf = e.B
			row.lin = uint32(len(buf.buf)) - row.off - row.key - row.val
		}
		buf.rows = append(buf.rows, row)
	}
}

// rowID is the hash of the object and of what the plan says that a row is.
func (o *output) rowID(scratch []byte, b *types.Batch, i int) (xxh3.Uint128, []byte) {
	e := types.Encoder{B: scratch}
	e.Uvarint(uint64(o.object.Number))
	e.Uvarint(uint64(o.object.Version))
	if o.id.Origin {
		e.Uvarint(uint64(b.Origin.Object))
		e.Varint(int64(b.Origin.Part[i]))
		e.Varint(b.Origin.Off[i])
		e.Varint(int64(b.Origin.SubOf(int32(i))))
	}
	for _, c := range o.id.Cols {
		e.B = types.AppendKey(e.B, b.Cols[c], i)
	}
	return hash128(e.B), e.B
}

func hash128(b []byte) xxh3.Uint128 { return xxh3.Hash128(b) }

// appendID appends a result's id as documents have it.
func appendID(dst []byte, name string, id xxh3.Uint128) []byte {
	raw := id.Bytes()
	dst = append(dst, name...)
	dst = append(dst, ':')
	return hex.AppendEncode(dst, raw[:])
}

func (o *output) appendKey(dst []byte, b *types.Batch, i int, id xxh3.Uint128) []byte {
	switch len(o.keys) {
	case 0:
		return appendID(dst, o.object.Name, id)
	case 1:
		if v := b.Cols[o.keys[0]]; !v.Null(i) {
			return types.AppendText(dst, v, i, nil)
		}
		return dst
	}
	dst = append(dst, '[')
	for k, c := range o.keys {
		if k > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSON(dst, b.Cols[c], i)
	}
	return append(dst, ']')
}

func (o *output) appendValue(dst []byte, b *types.Batch, i int) []byte {
	dst = append(dst, '{')
	for k, name := range o.names {
		if k > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, name...)
		dst = appendJSON(dst, b.Cols[o.cols[k]], i)
	}
	return append(dst, '}')
}

func appendJSON(dst []byte, v *types.Vec, i int) []byte {
	if v.Null(i) {
		return append(dst, "null"...)
	}
	if v.Type.IsInt() {
		return strconv.AppendInt(dst, v.I[i], 10)
	}
	return types.AppendJSON(dst, v, i)
}

// appendLineage appends what row i was made of.
func appendLineage(e *types.Encoder, o *types.Origin, i int) {
	if o.Lists != nil {
		e.B = append(e.B, o.Lists.Str(i)...)
		return
	}
	ref := types.EventRef{Object: o.Object, Part: o.Part[i], Off: o.Off[i], Time: o.Time[i]}
	if o.ID != nil && !o.ID.Null(i) {
		ref.ID = string(o.ID.Str(i))
	}
	l := types.Lineage{Total: 1, First: ref.Time, Last: ref.Time, Events: []types.EventRef{ref}}
	l.AppendTo(e)
}

// key, value and lineage are the parts of a row.
func (b *outBuf) key(r *outRow) []byte { return b.buf[r.off : r.off+r.key : r.off+r.key] }
func (b *outBuf) value(r *outRow) []byte {
	lo := r.off + r.key
	return b.buf[lo : lo+r.val : lo+r.val]
}
func (b *outBuf) lineage(r *outRow) []byte {
	lo := r.off + r.key + r.val
	return b.buf[lo : lo+r.lin : lo+r.lin]
}

// digest is the 128-bit hash of an object's outputs in a step, by which a replay is compared with the journal. It does not depend on how the rows
// lie in buffers, which follows the cutting of chunks.
func digest(bufs []*outBuf) (rows uint32, sum [16]byte) {
	ids, bytes := xxh3.New(), xxh3.New()
	for _, b := range bufs {
		for i := range b.rows {
			r := &b.rows[i]
			id := r.id.Bytes()
			_, _ = ids.Write(id[:])
			_, _ = ids.Write([]byte{byte(r.key), byte(r.key >> 8), byte(r.key >> 16), byte(r.key >> 24),
				byte(r.val), byte(r.val >> 8), byte(r.val >> 16), byte(r.val >> 24)})
		}
		_, _ = bytes.Write(b.buf)
		rows += uint32(len(b.rows))
	}
	x, y := ids.Sum128(), bytes.Sum128()
	return rows, xxh3.Uint128{Hi: x.Hi ^ y.Lo, Lo: x.Lo ^ y.Hi}.Bytes()
}

// state of a result, as documents have it.
const stateFinal = "final"

// messages makes the records of an object's outputs in a step, by partition of its topic; skip tells positions that the topic has already.
func (o *output) messages(bufs []*outBuf, step uint64, clock int64, partitions int32, skip func(partition int32, p connectors.Position) bool) map[int32][]connectors.Message {
	byPart := make(map[int32][]connectors.Message, partitions)
	ordinal := uint32(0)
	state, detected := []byte(stateFinal), types.Encoder{}
	detected.Varint(clock)
	for _, b := range bufs {
		// One allocation for the headers of a buffer: a record has five.
		headers := make([]connectors.Header, 0, len(b.rows)*5)
		var aux []byte
		for i := range b.rows {
			r := &b.rows[i]
			key := b.key(r)
			part := int32(0)
			if partitions > 1 {
				part = int32(types.Hash(0, key) % uint64(partitions))
			}
			pos := connectors.Position{Object: o.writer, Version: o.version, Step: step, Ordinal: ordinal}
			ordinal++
			if skip != nil && skip(part, pos) {
				continue
			}
			start := len(aux)
			e := types.Encoder{B: aux}
			pos.AppendTo(&e)
			mid := len(e.B)
			aux = appendID(e.B, o.object.Name, r.id)
			h := append(headers[len(headers):], connectors.Header{Key: connectors.HeaderPosition, Value: aux[start:mid:mid]},
				connectors.Header{Key: connectors.HeaderID, Value: aux[mid:len(aux):len(aux)]},
				connectors.Header{Key: connectors.HeaderState, Value: state},
				connectors.Header{Key: connectors.HeaderDetected, Value: detected.B})
			if r.lin > 0 {
				h = append(h, connectors.Header{Key: connectors.HeaderLineage, Value: b.lineage(r)})
			}
			headers = headers[:len(headers)+len(h)]
			byPart[part] = append(byPart[part], connectors.Message{Key: key, Value: b.value(r), Headers: h[:len(h):len(h)], Time: max(r.time, 0)})
		}
	}
	return byPart
}
