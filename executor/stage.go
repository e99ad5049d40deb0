package executor

import (
	"rhumb/executor/op"
	"rhumb/types"
)

// advanceSources moves the watermarks of the sources by what the step's chunks had, and by what their producers handed over.
func (m *machine) advanceSources(in *stepInput, chunks []chunk) {
	for i := range chunks {
		seg := chunks[i].seg
		if seg.batch != nil {
			continue
		}
		p := &m.sources[seg.source].parts[seg.part]
		p.watermark = max(p.watermark, m.slots[i].watermark)
		p.greatest = max(p.greatest, m.slots[i].greatest)
	}
	for i := range in.segs {
		seg := &in.segs[i]
		if seg.batch != nil {
			continue
		}
		p := &m.sources[seg.source].parts[seg.part]
		p.next = max(p.next, seg.to)
		p.idle = seg.idle
		p.upstream = max(p.upstream, seg.upstream)
		if seg.hi > seg.lo {
			p.active = in.clock
		}
	}
	if m.search {
		return // nothing is late for a search: windows close at its end
	}
	for _, s := range m.sources {
		s.advance(in.clock)
	}
}

// advance computes the stream's watermark: the least over the active partitions; it never goes back.
func (s *sourceState) advance(clock int64) {
	least, idle := op.Never, true
	for i := range s.parts {
		p := &s.parts[i]
		if !p.idle {
			idle = false
			least = min(least, max(p.watermark, p.upstream))
		}
		if s.spec.object.IsDerived() {
			// A derived stream's rows are not in the order of time: only its producer knows its watermark.
			least = min(least, p.upstream)
		}
	}
	switch {
	case s.spec.object.IsDerived():
		if least != op.Never {
			s.watermark = max(s.watermark, least)
		}
	case !idle && least != op.Never:
		s.watermark = max(s.watermark, least)
	case idle:
		if w, due := s.closing(clock); due {
			s.watermark = max(s.watermark, w)
		}
	}
}

// closing is the watermark to which close_after moves the stream, just past its greatest event time; due says that all partitions are idle, and that
// so long has passed since the last record.
func (s *sourceState) closing(clock int64) (w int64, due bool) {
	if s.spec.closeAfter <= 0 {
		return 0, false
	}
	last, newest := op.Always, op.Always
	for i := range s.parts {
		if !s.parts[i].idle {
			return 0, false
		}
		last, newest = max(last, s.parts[i].active), max(newest, s.parts[i].greatest)
	}
	return newest + 1, last != op.Always && clock-last >= s.spec.closeAfter
}

// edge is the watermark of a stage's input after the step.
func (m *machine) edge(st *stage) int64 {
	w := op.Never
	for _, s := range st.inputs {
		w = min(w, m.sources[s].watermark)
	}
	return w
}

// runStage runs a stateful operator: the shards that have rows, and those for which the watermark has brought something to do.
func (m *machine) runStage(in *stepInput, st *stage, out *stepOutput) {
	q := m.prog.queries[st.query]
	if q.failed != nil {
		return
	}
	p := op.Progress{Watermark: m.edge(st), Final: in.final, Flush: in.flush}
	if in.final {
		p.Watermark = op.Never
	}
	visit := make([]int, 0, st.shards)
	for s := range st.shards {
		if in.flush || in.final || st.hasRows(s) || st.ops[s].Due() <= p.Watermark {
			visit = append(visit, s)
		}
	}
	bufs := make([]*outBuf, st.shards)
	errs := make([]*types.Error, st.shards)
	m.pool.Run(len(visit), func(w, i int) {
		s := visit[i]
		m.ledgers[s].Reset()
		errs[s] = guard(func() { m.runShard(in, st, s, w, p, bufs) })
	})
	st.watermark = max(st.watermark, m.edge(st))
	if in.final {
		for _, s := range st.inputs {
			for i := range m.sources[s].parts {
				st.ended = max(st.ended, m.sources[s].parts[i].greatest)
			}
		}
	}
	for _, s := range visit {
		if errs[s] != nil {
			m.fail(in, out, st.query, errs[s])
			return
		}
	}
	for _, s := range visit {
		m.account(out, st.query, -1, &m.ledgers[s])
		if b := bufs[s]; b != nil {
			out.bufs[st.next.out.index] = append(out.bufs[st.next.out.index], b)
		}
	}
	if st.next.to != nil {
		m.forward(st, visit)
	}
	m.checkMemory(in, st, visit, out)
}

// checkMemory fails a query whose state has outgrown its account. The count is of our own bytes, never of the Go heap, so a replay decides the same.
func (m *machine) checkMemory(in *stepInput, st *stage, visit []int, out *stepOutput) {
	for _, s := range visit {
		n := int64(st.ops[s].Bytes())
		st.total += n - st.bytes[s]
		st.bytes[s] = n
	}
	total := int64(0)
	for _, other := range m.prog.stages {
		if other.query == st.query {
			total += other.total
		}
	}
	// How much a table has room for depends on how it came to its size, and after a checkpoint is loaded it may be another.
	if m.memory > 0 && !in.replay && total > m.memory {
		m.fail(in, out, st.query, types.Errorf(types.CodeOutOfMemory, "the query's state has grown to %d MB, its limit is %d MB", total>>20, m.memory>>20).
			WithHint("Narrow its keys or windows, or give queries more memory (--query-memory)."))
	}
}

// hasRows reports whether rows of the shard have come.
func (st *stage) hasRows(s int) bool {
	if st.shards == 1 {
		return len(st.routed) > 0
	}
	for i := range st.routed {
		if st.routed[i].offs[s+1] > st.routed[i].offs[s] {
			return true
		}
	}
	return false
}

// runShard takes the shard's rows through the operator, then the step's progress; what it emits goes down the chain that follows.
func (m *machine) runShard(in *stepInput, st *stage, s, w int, p op.Progress, bufs []*outBuf) {
	x := &m.ctxs[w]
	x.Ledger = &m.ledgers[s]
	x.Expr.Now = in.clock
	x.Expr.Errs = x.Expr.Errs[:0] // what a query that panicked left behind is not of this one
	x.Watermark, x.Ended = st.watermark, st.ended
	st.emitted[s] = st.emitted[s][:0]
	emit := func(b *types.Batch) {
		for _, t := range st.chains[w] {
			if b.Rows() == 0 {
				return
			}
			b = t.Apply(x, b)
		}
		if b.Rows() == 0 {
			return
		}
		if st.next.out == nil {
			st.emitted[s] = append(st.emitted[s], compact(b))
			return
		}
		if bufs[s] == nil {
			bufs[s] = m.bufs.get()
		}
		st.next.out.encode(bufs[s], b, x)
	}
	for i := range st.routed {
		r := &st.routed[i]
		b := r.batch
		b.Sel = r.rows
		if st.shards > 1 {
			b.Sel = r.rows[r.offs[s]:r.offs[s+1]]
		}
		if len(b.Sel) > 0 {
			st.ops[s].Process(x, &b, emit)
		}
	}
	st.ops[s].Advance(x, p, emit)
}

// compact copies the live rows of a borrowed batch.
func compact(b *types.Batch) *types.Batch {
	rows := b.Selection(nil)
	c := &types.Batch{N: len(rows), Origin: types.Origin{Object: b.Origin.Object}}
	for _, v := range b.Cols {
		c.Cols = append(c.Cols, compactVec(v, rows))
	}
	o, src := &c.Origin, &b.Origin
	if src.Off == nil {
		return c
	}
	for _, r := range rows {
		o.Part, o.Off, o.Time = append(o.Part, src.Part[r]), append(o.Off, src.Off[r]), append(o.Time, src.Time[r])
		if src.Sub != nil {
			o.Sub = append(o.Sub, src.Sub[r])
		}
	}
	o.ID, o.Lists = compactVec(src.ID, rows), compactVec(src.Lists, rows)
	return c
}

func compactVec(v *types.Vec, rows []int32) *types.Vec {
	if v == nil {
		return nil
	}
	nv := types.NewVec(v.Type, len(rows))
	for _, r := range rows {
		nv.AppendFrom(v, int(r))
	}
	return nv
}

// forward routes what a stage emitted to the next stage, in the order of shards.
func (m *machine) forward(st *stage, visit []int) {
	to := st.next.to
	for _, s := range visit {
		for _, b := range st.emitted[s] {
			var hash []uint64
			r := routed{batch: *b}
			m.route(st.next, &r, &hash)
			to.routed = append(to.routed, r)
		}
	}
}
