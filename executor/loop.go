package executor

import (
	"context"
	"slices"
	"time"

	"rhumb/executor/journal"
	"rhumb/executor/op"
)

// target is how long a step should take; its input is cut to fit.
const target = 20 * time.Millisecond

// mostPending is how many bytes of results may wait to be published before the next step has to wait.
const mostPending = 16 << 20

// loop makes steps until it is asked to stop.
func (d *Dataflow) loop(ctx context.Context) error {
	var req *finishRequest
	for ctx.Err() == nil {
		select {
		case r := <-d.finish:
			if r == nil {
				return nil
			}
			req = d.take(ctx, req, r)
		default:
		}
		in, wait, err := d.assemble(req)
		if err != nil {
			return err
		}
		if in != nil {
			if err := d.advance(ctx, in); err != nil {
				return err
			}
		}
		if req != nil && d.ended && d.reached(req) {
			err := d.checkpoint(ctx)
			d.waitCommits(ctx)
			req.answer(err)
			req = nil
			continue
		}
		if in != nil {
			if d.dirty && time.Since(d.saved) >= d.cfg.CheckpointEvery {
				if err := d.checkpoint(ctx); err != nil {
					return err
				}
			}
			continue
		}
		var stop bool
		if req, stop, err = d.sleep(ctx, req, wait); stop || err != nil {
			return err
		}
	}
	return ctx.Err()
}

// sleep waits until there may be something to do.
func (d *Dataflow) sleep(ctx context.Context, req *finishRequest, wait time.Duration) (*finishRequest, bool, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-d.wake:
	case <-timer.C:
	case <-ctx.Done():
	case r := <-d.finish:
		if r == nil {
			return req, true, nil
		}
		return d.take(ctx, req, r), false, nil
	}
	return req, false, nil
}

// take adds request r to the one that there is (nil = none).
func (d *Dataflow) take(ctx context.Context, req, r *finishRequest) *finishRequest {
	if err := d.targets(ctx, r); err != nil {
		r.answer(err)
		return req
	}
	if req != nil {
		r.also = append(r.also, req)
	}
	return r
}

// targets notes where the inputs end now.
func (d *Dataflow) targets(ctx context.Context, req *finishRequest) error {
	req.ends = map[[2]int]int64{}
	for i, s := range d.m.sources {
		for p := range s.parts {
			_, end, err := d.sources[i].source.Offsets(ctx, s.parts[p].partition)
			if err != nil {
				return err
			}
			req.ends[[2]int{i, p}] = end
		}
	}
	return nil
}

// reached reports whether all that a request asks for has been read.
func (d *Dataflow) reached(req *finishRequest) bool {
	for k, end := range req.ends {
		if d.m.sources[k[0]].parts[k[1]].next < end {
			return false
		}
	}
	return true
}

// assemble makes the input of the next step: nil if there is nothing to do, and then how long to wait at most.
func (d *Dataflow) assemble(req *finishRequest) (*stepInput, time.Duration, error) {
	in := &stepInput{number: d.step + 1, clock: max(d.clock, d.cfg.Clock())}
	handed := d.handed()
	rows, err := d.fill(in, req)
	if err != nil {
		return nil, 0, err
	}
	d.signals(in, handed)
	if req != nil && rows == 0 && !d.ended && d.reached(req) {
		in.final = true
	}
	if rows > 0 || len(in.segs) > 0 || in.final || d.m.flushDue(in.clock) {
		return in, 0, nil
	}
	wait := 100 * time.Millisecond
	if d.m.pending {
		wait = max(time.Millisecond, time.Duration(d.m.lastFlush+flushEvery-in.clock)*time.Microsecond)
	}
	return nil, wait, nil
}

// fill takes ready records, from the partition with the lowest watermark first, up to the step's budget.
func (d *Dataflow) fill(in *stepInput, req *finishRequest) (rows int, err error) {
	type part struct{ source, part int }
	var order []part
	for i, fs := range d.sources {
		for p, r := range fs.readers {
			ready, _, err := r.state()
			if !ready && err != nil {
				return 0, err
			}
			// Who asks for the present end does not get what comes after it, or steady input would put the end off for ever.
			if ready && (req == nil || d.m.sources[i].parts[p].next < req.ends[[2]int{i, p}]) {
				order = append(order, part{i, p})
			}
		}
	}
	low := func(p part) int64 { return d.m.sources[p.source].parts[p.part].watermark }
	slices.SortStableFunc(order, func(a, b part) int {
		switch {
		case low(a) < low(b):
			return -1
		case low(a) > low(b):
			return 1
		}
		return 0
	})
	left := d.budget
	for _, p := range order {
		if left <= 0 {
			break
		}
		most := int(^uint32(0) >> 1)
		if d.cfg.Cut != nil {
			most = d.cfg.Cut()
		}
		segs, bytes := d.sources[p.source].readers[p.part].take(left, most)
		left -= bytes
		for _, seg := range segs {
			seg.source, seg.part, seg.upstream = p.source, p.part, op.Always
			rows += seg.hi - seg.lo
			in.segs = append(in.segs, seg)
		}
	}
	// The canonical order of a step's rows is (source, partition, offset), whichever was taken first.
	slices.SortStableFunc(in.segs, func(a, b segment) int {
		if a.source != b.source {
			return a.source - b.source
		}
		return a.part - b.part
	})
	return rows, nil
}

// handed asks the producers of derived streams how far they are. It is asked before records are taken: what was published meanwhile may be
// missing from the answer, never the other way round.
func (d *Dataflow) handed() []progress {
	all := make([]progress, len(d.m.sources))
	for i, s := range d.m.sources {
		all[i].watermark = op.Always
		if !s.spec.object.IsDerived() || d.cfg.Upstream == nil {
			continue
		}
		if u := d.cfg.Upstream(s.spec.object.Number); u != nil {
			all[i].ends, all[i].watermark = u.Progress()
		}
	}
	return all
}

// signals adds what is to be known besides records: partitions that have become idle, and watermarks handed over.
func (d *Dataflow) signals(in *stepInput, handed []progress) {
	next := map[[2]int]int{}
	for i := range in.segs {
		next[[2]int{in.segs[i].source, in.segs[i].part}] = i
	}
	for i, s := range d.m.sources {
		upstream := d.handedOver(in, i, handed[i])
		closing, due := s.closing(in.clock)
		due = due && closing > s.watermark
		for p := range s.parts {
			st := &s.parts[p]
			k, has := next[[2]int{i, p}]
			if has {
				in.segs[k].upstream = upstream
				continue
			}
			_, empty, _ := d.sources[i].readers[p].state()
			idle := st.idle || !empty.IsZero() && s.spec.idleTimeout > 0 && time.Since(empty).Microseconds() >= s.spec.idleTimeout
			if idle != st.idle || upstream > st.upstream || due {
				in.segs = append(in.segs, segment{source: i, part: p, from: st.next, to: st.next, idle: idle, upstream: upstream, end: true})
			}
		}
	}
}

// handedOver is the watermark that source i takes over from its producer after this step's records; op.Always if none. Of a producer that is always
// a little ahead the last answer is never reached, so an earlier one is kept until it is.
func (d *Dataflow) handedOver(in *stepInput, i int, h progress) int64 {
	s := d.sources[i]
	if h.watermark > op.Always && d.readAll(in, i, h.ends) {
		s.owed = progress{watermark: op.Always}
		return h.watermark
	}
	w := op.Always
	if s.owed.ends != nil && d.readAll(in, i, s.owed.ends) {
		w, s.owed = s.owed.watermark, progress{watermark: op.Always}
	}
	if s.owed.ends == nil && h.watermark > op.Always {
		s.owed = h
	}
	return w
}

// readAll reports whether, after this step's records, source i is at the ends.
func (d *Dataflow) readAll(in *stepInput, i int, ends map[int32]int64) bool {
	s := d.m.sources[i]
	for p := range s.parts {
		at := s.parts[p].next
		for k := range in.segs {
			if in.segs[k].source == i && in.segs[k].part == p {
				at = max(at, in.segs[k].to)
			}
		}
		if at < ends[s.parts[p].partition] {
			return false
		}
	}
	return true
}

// advance computes a step and hands it to be journalled and published.
func (d *Dataflow) advance(ctx context.Context, in *stepInput) error {
	for d.bytes.Load() > mostPending && ctx.Err() == nil {
		select {
		case <-d.published:
		case <-ctx.Done():
		}
	}
	began := time.Now()
	out, err := d.m.step(in)
	if err != nil {
		return err
	}
	d.step, d.clock, d.dirty = in.number, in.clock, true
	d.ended = in.final || d.ended && !hasRows(in)
	c := d.newCommit(in, out)
	c.step = d.record(in, c)
	d.adapt(time.Since(began), in)
	d.publishStatus()
	return d.send(ctx, c)
}

func hasRows(in *stepInput) bool {
	for i := range in.segs {
		if in.segs[i].hi > in.segs[i].lo {
			return true
		}
	}
	return false
}

// adapt lets the size of a step follow the time that steps take.
func (d *Dataflow) adapt(took time.Duration, in *stepInput) {
	switch {
	case took > target*5/4:
		d.budget = max(1, d.cfg.StepBytes/128, d.budget*3/4)
	case took < target*3/4 && len(in.segs) > 0:
		d.budget = min(d.cfg.StepBytes, d.budget*5/4+1)
	}
}

// record is the journal's record of a step.
func (d *Dataflow) record(in *stepInput, c *commit) *journal.Step {
	s := &journal.Step{Number: in.number, Clock: in.clock, CatalogVersion: d.cfg.CatalogVersion, Final: in.final}
	for i := range in.segs {
		seg := &in.segs[i]
		src := d.m.sources[seg.source]
		part := src.parts[seg.part].partition
		n := len(s.Inputs)
		if n == 0 || s.Inputs[n-1].Object != src.spec.object.Number || s.Inputs[n-1].Partition != part {
			s.Inputs = append(s.Inputs, journal.Input{Object: src.spec.object.Number, Partition: part, From: seg.from, Upstream: seg.upstream})
			n++
		}
		r := &s.Inputs[n-1]
		r.To, r.EndReached, r.Idle = seg.to, seg.end, seg.idle
		r.Upstream = max(r.Upstream, seg.upstream) // it comes with the last segment of a partition
		r.Count += int64(seg.hi - seg.lo)
	}
	for _, b := range c.outputs {
		rows, sum := digest(b.bufs)
		if rows > 0 {
			s.Outputs = append(s.Outputs, journal.Output{Object: d.writers[b.writer].out.writer, Rows: rows, Digest: sum})
		}
	}
	for _, f := range c.failed {
		s.Failed = append(s.Failed, journal.Failure{Object: d.m.prog.queries[f.query].object.Number, Code: f.err.Code, Message: f.err.Message})
	}
	return s
}
