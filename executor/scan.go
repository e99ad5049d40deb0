package executor

import (
	"rhumb/catalog"
	"rhumb/executor/decode"
	"rhumb/executor/op"
	"rhumb/types"
)

// decodeChunk turns a chunk's records into the columns of its source, finds each row's event time, and leaves out what the stream's declaration
// rejects. It computes the chunk's greatest watermark and event time.
func (m *machine) decodeChunk(in *stepInput, c *chunk, s *slot) {
	src := m.prog.sources[c.seg.source]
	s.source.Reset()
	s.watermark, s.greatest = op.Always, op.Always
	s.counters = decode.NewCounters(len(src.columns))
	if c.seg.batch != nil {
		s.batch = *c.seg.batch
		s.coordinates(s.batch.N)
		return
	}
	n := c.hi - c.lo
	values := c.seg.recs.Values[c.lo:c.hi]
	vecs := s.vecs[c.seg.source]
	s.rejects = s.decoders[c.seg.source].Decode(values, vecs[:len(src.columns)], s.rejects[:0], s.counters)
	for i, name := range src.system {
		fillSystem(vecs[len(src.columns)+i], name, src.object, c)
	}
	s.batch = types.Batch{N: n, Cols: vecs, Origin: types.Origin{
		Object: src.object.Number, Part: s.partition(c, m), Off: c.seg.recs.Offsets[c.lo:c.hi]}}
	o := &s.batch.Origin
	o.Time = c.seg.recs.Times[c.lo:c.hi]
	s.batch.Sel = s.alive(c, n)
	s.ctx.Ledger = &s.source
	s.ctx.Expr.Now = in.clock
	s.compute(c.seg.source, src)
	if src.eventID >= 0 {
		s.notNull(vecs[src.eventID], "the event id is NULL")
		o.ID = s.textIDs(vecs[src.eventID])
	}
	if src.time >= 0 {
		s.eventTime(vecs[src.time])
	}
	s.future(in.clock, src.maxFuture)
	s.advance(c.seg.source)
}

// coordinates gives the rows of a table, which are no records, coordinates of their own.
func (s *slot) coordinates(n int) {
	o := &s.batch.Origin
	if o.Off != nil {
		return
	}
	o.Part, o.Off, o.Time = make([]int32, n), make([]int64, n), make([]int64, n)
	for i := range o.Off {
		o.Off[i] = int64(i)
	}
}

// partition fills the partition column.
func (s *slot) partition(c *chunk, m *machine) []int32 {
	p := m.sources[c.seg.source].parts[c.seg.part].partition
	n := c.hi - c.lo
	if cap(s.part) < n {
		s.part = make([]int32, n, n+n/4)
	}
	s.part = s.part[:n]
	for i := range s.part {
		s.part[i] = p
	}
	return s.part
}

// alive returns the rows that were decoded and are not repeated; nil = all.
func (s *slot) alive(c *chunk, n int) []int32 {
	if len(s.rejects) == 0 && c.skip == nil {
		return nil
	}
	if s.sel = s.sel[:0]; s.sel == nil {
		s.sel = []int32{} // nil would be all rows
	}
	next := 0
	for i := range n {
		if c.skip.Has(i) {
			for next < len(s.rejects) && int(s.rejects[next].Row) == i {
				next++
			}
			continue
		}
		if next < len(s.rejects) && int(s.rejects[next].Row) == i {
			r := s.rejects[next]
			s.source.Drop(op.Rejected, &s.batch.Origin, r.Row, r.Err.Code, r.Err.Message)
			next++
			continue
		}
		s.sel = append(s.sel, int32(i))
	}
	return s.sel
}

// compute evaluates the computed columns. A value that cannot be computed is NULL, like one that cannot be decoded: whether a row is rejected
// depends on the stream's declaration (NOT NULL) alone, never on which queries happen to need the column.
func (s *slot) compute(source int, src *sourceSpec) {
	for i, ev := range s.computed[source] {
		sel := s.rows()
		v := ev.Eval(&s.ctx.Expr, &s.batch, sel)
		s.ctx.Expr.Errs = s.ctx.Expr.Errs[:0]
		s.vecs[source][len(src.columns)+len(src.system)+i] = v
		if c := &src.computed[i]; c.notNull {
			s.notNull(v, "column \""+c.name+"\" is NULL")
		}
	}
}

// textIDs is a column of declared ids as text.
func (s *slot) textIDs(v *types.Vec) *types.Vec {
	if v.Type.Kind == types.Text {
		return v
	}
	s.ids.Resize(types.T(types.Text), s.batch.N)
	for _, i := range s.rows() {
		if v.Null(int(i)) {
			s.ids.SetNull(int(i))
			continue
		}
		start := len(s.ids.Buf)
		s.ids.Buf = types.AppendText(s.ids.Buf, v, int(i), nil)
		s.ids.R[i] = types.StrRef{Off: uint32(start), Len: uint32(len(s.ids.Buf) - start)}
	}
	return &s.ids
}

// rows returns the live rows of the chunk.
func (s *slot) rows() []int32 {
	if s.batch.Sel == nil {
		s.ok = s.batch.Selection(s.ok)
		return s.ok
	}
	return s.batch.Sel
}

// keep makes the batch's rows those of sel for which f holds.
func (s *slot) keep(sel []int32, f func(int32) bool) {
	kept := make([]int32, 0, len(sel))
	for _, i := range sel {
		if f(i) {
			kept = append(kept, i)
		}
	}
	s.batch.Sel = kept
}

// eventTime takes the column as the rows' event time; rows where it is NULL are rejected.
func (s *slot) eventTime(t *types.Vec) {
	s.batch.Origin.Time = t.I
	if !t.Nulls.Any() {
		return
	}
	for _, i := range s.rows() {
		if t.Null(int(i)) {
			t.I[i] = 0
		}
	}
	s.notNull(t, "the event time is NULL")
}

// notNull rejects the rows in which v is NULL.
func (s *slot) notNull(v *types.Vec, why string) {
	if !v.Nulls.Any() {
		return
	}
	sel := s.rows()
	for _, i := range sel {
		if v.Null(int(i)) {
			s.source.Drop(op.Rejected, &s.batch.Origin, i, types.CodeNotNull, why)
		}
	}
	s.keep(sel, func(i int32) bool { return !v.Null(int(i)) })
}

// future leaves out rows that are further ahead of the clock than the stream allows; they never move the watermark.
func (s *slot) future(clock, most int64) {
	limit := clock + most
	times := s.batch.Origin.Time
	if most <= 0 || greatest(times, s.batch.Sel) <= limit {
		return
	}
	sel := s.rows()
	for _, i := range sel {
		if times[i] > limit {
			s.source.Drop(op.Future, &s.batch.Origin, i, "", "the event time is too far in the future")
		}
	}
	s.keep(sel, func(i int32) bool { return times[i] <= limit })
}

// advance computes the greatest event time and watermark of the live rows.
func (s *slot) advance(source int) {
	sel := s.batch.Sel
	times := s.batch.Origin.Time
	s.greatest = greatest(times, sel)
	ev := s.wm[source]
	if ev == nil {
		s.watermark = s.greatest
		return
	}
	all := s.rows()
	v := ev.Eval(&s.ctx.Expr, &s.batch, all)
	s.ctx.Expr.Errs = s.ctx.Expr.Errs[:0] // a row whose watermark cannot be computed does not move it
	if !v.Nulls.Any() {
		s.watermark = greatest(v.I, sel)
		return
	}
	for _, i := range all {
		if !v.Null(int(i)) {
			s.watermark = max(s.watermark, v.I[i])
		}
	}
}

// greatest is the maximum over the rows of sel (nil = all); op.Always if there are none.
func greatest(times []int64, sel []int32) int64 {
	g := op.Always
	if sel == nil {
		for _, t := range times {
			g = max(g, t)
		}
		return g
	}
	for _, i := range sel {
		g = max(g, times[i])
	}
	return g
}

// fillSystem computes a system column of a source.
func fillSystem(v *types.Vec, name string, object *catalog.Object, c *chunk) {
	recs, n := c.seg.recs, c.hi-c.lo
	switch name {
	case "_topic":
		v.Resize(types.T(types.Text), n)
		v.Buf = append(v.Buf, object.Topic...)
		for i := range v.R {
			v.R[i] = types.StrRef{Len: uint32(len(object.Topic))}
		}
	case "_partition":
		v.Resize(types.T(types.Int4), n)
		for i := range v.I {
			v.I[i] = int64(recs.Partition)
		}
	case "_offset":
		v.Resize(types.T(types.Int8), n)
		copy(v.I, recs.Offsets[c.lo:c.hi])
	case "_timestamp":
		v.Resize(types.T(types.Timestamptz), n)
		copy(v.I, recs.Times[c.lo:c.hi])
	case "_key":
		v.Resize(types.T(types.Text), n)
		for i := range n {
			if k := recs.Keys[c.lo+i]; k == nil {
				v.SetNull(i)
			} else {
				v.SetString(i, printable(k))
			}
		}
	}
}
