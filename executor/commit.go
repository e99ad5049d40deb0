package executor

import (
	"context"
	"sync"
	"time"

	"rhumb/connectors"
	"rhumb/executor/journal"
	"rhumb/executor/op"
	"rhumb/types"
)

// commit is a step on its way out: it is journalled, then its outputs are published; or it is a checkpoint, which is valid when all before it has
// been published.
type commit struct {
	step       *journal.Step
	outputs    []commitOutput
	failed     []failure
	watermarks []int64 // by output, after the step
	bytes      int64
	checkpoint *snapshot
	err        chan error // of a checkpoint
}

type commitOutput struct {
	writer int
	bufs   []*outBuf
}

// newCommit collects what a step gave.
func (d *Dataflow) newCommit(in *stepInput, out *stepOutput) *commit {
	c := &commit{failed: out.failed}
	for i, bufs := range out.bufs {
		if len(bufs) > 0 {
			c.outputs = append(c.outputs, commitOutput{i, bufs})
		}
	}
	c.outputs = append(c.outputs, d.deadLetters(in, out)...)
	for _, o := range c.outputs {
		for _, b := range o.bufs {
			c.bytes += int64(len(b.buf) + len(b.rows)*128)
		}
	}
	for _, o := range d.m.prog.outputs {
		c.watermarks = append(c.watermarks, d.m.watermarkOf(o))
	}
	return c
}

// watermarkOf is the watermark of an output's further rows. Of a query that has failed it is not known: its silence is no answer.
func (m *machine) watermarkOf(o *output) int64 {
	if m.prog.queries[o.query].failed != nil {
		return op.Always
	}
	w := op.Never
	for _, s := range m.inputsOf(o) {
		w = min(w, m.sources[s].watermark)
	}
	return w
}

// inputsOf returns the sources whose rows an output is made of.
func (m *machine) inputsOf(o *output) []int {
	var in []int
	for _, p := range m.prog.pipes {
		if p.query == o.query {
			in = append(in, p.source)
		}
	}
	return in
}

// send hands a commit over.
func (d *Dataflow) send(ctx context.Context, c *commit) error {
	d.pending.Add(1)
	d.bytes.Add(c.bytes)
	select {
	case d.commits <- c:
		return nil
	case <-ctx.Done():
		d.pending.Add(-1)
		return ctx.Err()
	}
}

// commitLoop journals and publishes, in order. What has come while it was busy goes together: one fsync for several steps. Behind a group that was
// given up nothing is committed: what a topic has after a gap would keep recovery from filling it.
func (d *Dataflow) commitLoop(ctx context.Context) {
	committed := true
	for c := range d.commits {
		group := []*commit{c}
		for more := true; more && len(group) < 64 && c.checkpoint == nil; {
			select {
			case next, ok := <-d.commits:
				if !ok {
					more = false
					break
				}
				group = append(group, next)
				more = next.checkpoint == nil
			default:
				more = false
			}
		}
		committed = committed && d.commitGroup(ctx, group)
		for _, c := range group {
			for _, o := range c.outputs {
				for _, b := range o.bufs {
					d.m.bufs.put(b)
				}
			}
			d.bytes.Add(-c.bytes)
			d.completed.Add(1)
			d.pending.Add(-1)
		}
		select {
		case d.published <- struct{}{}:
		default:
		}
	}
}

// commitGroup journals the steps of a group, then publishes their outputs, then takes the checkpoint at its end.
// It reports whether all of it was done.
func (d *Dataflow) commitGroup(ctx context.Context, group []*commit) bool {
	publish := func() bool {
		watched := connectors.WatchRetries(ctx, func(err error) { d.pause("publish", err) })
		return d.retry(ctx, "publish", func() error { return d.publish(watched, group, nil) })
	}
	if d.cfg.Plant == PublishBeforeJournal {
		if !publish() {
			return false
		}
		time.Sleep(20 * time.Millisecond) // a slow disk, so that the bug shows
	}
	var e types.Encoder
	for _, c := range group {
		if c.step == nil {
			continue
		}
		e.B = e.B[:0]
		c.step.AppendTo(&e)
		if !d.retry(ctx, "journal", func() error { return d.journal.Append(c.step.Number, e.B) }) {
			return false
		}
	}
	if !d.retry(ctx, "journal", d.journal.Sync) {
		return false
	}
	last := group[len(group)-1]
	if d.cfg.Plant == CheckpointBeforeAck {
		if last.checkpoint != nil {
			last.err <- d.save(last.checkpoint)
			last.checkpoint = nil
		}
		time.Sleep(30 * time.Millisecond) // a slow broker, so that the bug shows: results wait to be published
	}
	if d.cfg.Plant != PublishBeforeJournal && !publish() {
		return false
	}
	d.handOver(group)
	if last.checkpoint == nil {
		return true
	}
	if !d.retry(ctx, "checkpoint", func() error { return d.save(last.checkpoint) }) {
		return false // whoever waits for it sees ctx end
	}
	last.err <- nil
	return true
}

// retry calls f until it succeeds or the dataflow is stopped. Meanwhile the dataflow is paused, with the error for all to see: a full disk, a broker
// that is away.
func (d *Dataflow) retry(ctx context.Context, doing string, f func() error) bool {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := f()
		if err == nil {
			if s := d.Status(); s.State == "paused" {
				d.setState("running", nil)
			}
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		d.pause(doing, err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false
		}
	}
}

// pause shows what keeps the dataflow from going on.
func (d *Dataflow) pause(doing string, err error) {
	e := *types.AsError(err)
	e.Message = doing + ": " + e.Message
	d.setState("paused", &e)
}

// publish appends the outputs of the steps to their topics, partitions side by side, and returns when they are acknowledged.
func (d *Dataflow) publish(ctx context.Context, group []*commit, skip func(w *flowWriter) func(int32, connectors.Position) bool) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for i, w := range d.writers {
		byPart := map[int32][]connectors.Message{}
		for _, c := range group {
			for _, o := range c.outputs {
				if o.writer != i {
					continue
				}
				var f func(int32, connectors.Position) bool
				if skip != nil {
					f = skip(w)
				}
				for p, msgs := range w.out.messages(o.bufs, c.step.Number, c.step.Clock, w.parts, f) {
					byPart[p] = append(byPart[p], msgs...)
				}
			}
		}
		for p, msgs := range byPart {
			wg.Go(func() {
				next, err := w.writer.Publish(ctx, p, msgs)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					failed = err
					return
				}
				w.ends[p] = max(w.ends[p], next)
			})
		}
	}
	wg.Wait()
	return failed
}

// handOver makes the watermarks after the last step of a published group known to readers of the output topics in this process.
func (d *Dataflow) handOver(group []*commit) {
	last := group[len(group)-1]
	if last.step == nil && len(group) > 1 {
		last = group[len(group)-2]
	}
	if last.step == nil {
		return
	}
	for i, w := range d.writers[:len(d.m.prog.outputs)] {
		d.setProgress(i, w, last.watermarks[i])
	}
	if d.cfg.Published != nil {
		d.cfg.Published()
	}
}
