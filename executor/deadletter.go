package executor

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"rhumb/executor/op"
	"rhumb/types"
)

// deadLetters makes the records of the rows that a step left out: one for each, in the topic of its stream's dead letters, with its bytes.
func (d *Dataflow) deadLetters(in *stepInput, out *stepOutput) []commitOutput {
	var all []commitOutput
	for i, s := range d.sources {
		if s.dead < 0 {
			continue
		}
		w := d.writers[s.dead]
		buf := &outBuf{}
		for _, r := range droppedOf(out, d.m.sources[i].spec.object.Number) {
			d.deadLetter(buf, w.out, in, i, r.query, r.row)
		}
		if len(buf.rows) > 0 {
			all = append(all, commitOutput{s.dead, []*outBuf{buf}})
		}
	}
	return all
}

// droppedRow is a row that a query (or, with -1, the source) left out.
type droppedRow struct {
	query int
	row   *op.Dropped
}

// droppedOf returns the rows of a stream that were left out, in an order that does not depend on where chunks were cut: an operator sees a
// chunk's rows before the next operator does.
func droppedOf(out *stepOutput, object uint32) []droppedRow {
	var all []droppedRow
	for _, g := range out.drops {
		for k := range g.rows {
			if g.rows[k].Object == object {
				all = append(all, droppedRow{g.query, &g.rows[k]})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b droppedRow) int {
		x, y := a.row, b.row
		return cmp.Or(cmp.Compare(a.query, b.query), cmp.Compare(x.Part, y.Part), cmp.Compare(x.Off, y.Off), cmp.Compare(x.Sub, y.Sub),
			cmp.Compare(x.Reason, y.Reason), cmp.Compare(x.Why, y.Why))
	})
	return all
}

// deadLetter appends one.
func (d *Dataflow) deadLetter(buf *outBuf, o *output, in *stepInput, source, query int, r *op.Dropped) {
	spec := d.m.sources[source].spec
	who := ""
	var e types.Encoder
	e.Uvarint(uint64(spec.object.Number))
	e.Varint(int64(r.Part))
	e.Varint(r.Off)
	if query >= 0 {
		// What the stream's declaration rejects is one row, whoever reads it; what a query leaves out is a row of that query.
		q := d.m.prog.queries[query].object
		who = q.Name
		e.Uvarint(uint64(q.Number))
		e.Varint(int64(r.Sub))
	}
	row := outRow{off: uint32(len(buf.buf)), time: r.Time, id: hash128(e.B)}
	buf.buf = appendID(buf.buf, o.object.Name, row.id)
	row.key = uint32(len(buf.buf)) - row.off
	buf.buf = appendDead(buf.buf, spec.object.Name, spec.object.Topic, who, in.clock, r, payload(in, source, d.m.sources[source], r))
	row.val = uint32(len(buf.buf)) - row.off - row.key
	le := types.Encoder{B: buf.buf}
	l := types.Lineage{Total: 1, First: r.Time, Last: r.Time, Events: []types.EventRef{{Object: spec.object.Number, Part: r.Part, Off: r.Off, Time: r.Time}}}
	l.AppendTo(&le)
	buf.buf = le.B
	row.lin = uint32(len(buf.buf)) - row.off - row.key - row.val
	buf.rows = append(buf.rows, row)
}

// appendDead appends the value of a dead letter: the columns of catalog.DeadLetters.
func appendDead(dst []byte, stream, topic, query string, clock int64, r *op.Dropped, raw []byte) []byte {
	text := func(name, s string) {
		dst = append(dst, name...)
		dst = types.AppendJSONString(dst, []byte(s))
	}
	text(`{"stream":`, stream)
	if query == "" {
		dst = append(dst, `,"query":null`...)
	} else {
		text(`,"query":`, query)
	}
	text(`,"topic":`, topic)
	v := types.Vec{Type: types.T(types.Int8), I: []int64{int64(r.Part), r.Off}}
	dst = types.AppendJSON(append(dst, `,"partition":`...), &v, 0)
	dst = types.AppendJSON(append(dst, `,"offset":`...), &v, 1)
	at := types.Vec{Type: types.T(types.Timestamptz), I: []int64{r.Time, clock}}
	dst = types.AppendJSON(append(dst, `,"ts":`...), &at, 0)
	text(`,"kind":`, r.Reason.String())
	text(`,"reason":`, r.Why)
	text(`,"payload":`, printable(raw))
	b := types.NewVec(types.T(types.Bytea), 1)
	b.AppendStr(raw)
	dst = types.AppendJSON(append(dst, `,"raw":`...), b, 0)
	dst = types.AppendJSON(append(dst, `,"at":`...), &at, 1)
	return append(dst, '}')
}

// payload finds the bytes of a row's record among the inputs of the step.
func payload(in *stepInput, source int, s *sourceState, r *op.Dropped) []byte {
	for i := range in.segs {
		seg := &in.segs[i]
		if seg.source != source || seg.recs == nil || s.parts[seg.part].partition != r.Part {
			continue
		}
		offs := seg.recs.Offsets[seg.lo:seg.hi]
		if k := sort.Search(len(offs), func(k int) bool { return offs[k] >= r.Off }); k < len(offs) && offs[k] == r.Off {
			return seg.recs.Values[seg.lo+k]
		}
	}
	return nil
}

// printable is the payload as text: what is not UTF-8 is replaced, for the bytes themselves are in another column.
func printable(raw []byte) string {
	return strings.ReplaceAll(strings.ToValidUTF8(string(raw), "\uFFFD"), "\x00", "\uFFFD")
}
