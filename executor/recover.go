package executor

import (
	"context"
	"maps"

	"rhumb/connectors"
	"rhumb/executor/journal"
	"rhumb/executor/op"
	"rhumb/types"
)

// recover brings the dataflow to where the dead process was: the last checkpoint, then the journalled steps after it, computed again. What they put
// out must be what the journal says they put out; of it, what the topics lack is published.
func (d *Dataflow) recover(ctx context.Context) error {
	ckpt, err := journal.LoadCheckpoint(d.cfg.FS)
	if err != nil {
		return err
	}
	if ckpt != nil {
		err := d.restore(ckpt)
		_ = ckpt.Close()
		if err != nil {
			return err
		}
	}
	d.journal, err = journal.Open(d.cfg.FS, journal.Options{Fingerprint: d.cfg.Fingerprint, After: d.step})
	if err != nil {
		return err
	}
	err = d.journal.Replay(func(number uint64, rec []byte) error {
		step, err := journal.DecodeStep(rec)
		if err != nil {
			return err
		}
		d.dirty = true
		return d.replay(ctx, &step)
	})
	if err != nil {
		return err
	}
	if err := d.checkJournal(); err != nil {
		return err
	}
	if ckpt == nil && d.journal.Last() == 0 && d.startsElsewhere() {
		if err := d.save(d.snapshot()); err != nil {
			return err
		}
	}
	d.publishStatus()
	return d.resumeProgress(ctx)
}

// startsElsewhere reports whether a source is read from a place that the next start would not find again: the end of the log, a time.
func (d *Dataflow) startsElsewhere() bool {
	for _, s := range d.m.sources {
		if o := d.startOption(s)["start"]; o != "" && o != "earliest" {
			return true
		}
	}
	return false
}

// checkJournal verifies that no topic has results of steps after the journal's last: only journalled steps are published, so the end of the journal is
// lost, and steps computed anew could differ from those whose results are out.
func (d *Dataflow) checkJournal() error {
	for _, w := range d.writers {
		for p, last := range w.last {
			pos, ok := last[w.out.writer]
			if ok && pos.Version == w.out.version && pos.Step > d.step {
				return types.Errorf(types.CodeDataCorrupted, "topic %q partition %d has results of step %d, but the journal ends at step %d: its end is damaged or lost",
					w.out.object.Topic, p, pos.Step, d.step).
					WithHint("Restore the data directory from a backup that is newer than the results, or CREATE OR REPLACE the query, which computes them anew.")
			}
		}
	}
	return nil
}

// restore loads a checkpoint.
func (d *Dataflow) restore(c *journal.Checkpoint) error {
	if c.Meta.HashSeed != d.cfg.Seed {
		return types.Errorf(types.CodeDataCorrupted, "the checkpoint was made with another hash seed: it does not belong to this data directory")
	}
	d.step, d.clock = c.Meta.Step, c.Meta.Clock
	for _, p := range c.Meta.Sources {
		for i, s := range d.m.sources {
			now := d.sources[i].source.Info().Identity
			if s.spec.object.Number == p.Object && p.Identity != "" && now != "" && p.Identity != now {
				return types.Errorf(types.CodeNotInPrerequisite, "topic %q was deleted and created again under a running query", s.spec.object.Topic).
					WithHint("DROP the query and CREATE it anew to read the new topic from its beginning.")
			}
		}
	}
	data, err := c.Section(sourceSection, 0)
	if err != nil {
		return err
	}
	dec := types.Decoder{B: data}
	d.m.load(&dec)
	d.ended = dec.Bool()
	if dec.Err != nil {
		return dec.Err
	}
	for _, st := range d.m.prog.stages {
		if d.m.prog.queries[st.query].failed != nil {
			continue // it was not saved
		}
		for shard := range st.shards {
			data, err := c.Section(st.id, int32(shard))
			if err != nil {
				return err
			}
			if data == nil {
				return types.Errorf(types.CodeDataCorrupted, "the checkpoint lacks the state of operator %s", st.id)
			}
			dec := types.Decoder{B: data}
			st.ops[shard].Load(&dec)
			if dec.Err != nil {
				return dec.Err
			}
		}
	}
	d.m.pending = d.m.hasPending()
	return nil
}

// replay computes a journalled step again.
func (d *Dataflow) replay(ctx context.Context, step *journal.Step) error {
	in, err := d.replayInput(ctx, step)
	if err != nil {
		return err
	}
	if d.cfg.Plant == ClockNotJournalled {
		in.clock = max(d.clock, d.cfg.Clock())
	}
	out, err := d.m.step(in)
	if err != nil {
		return err
	}
	d.step, d.clock = in.number, in.clock
	d.ended = in.final || d.ended && !hasRows(in)
	c := d.newCommit(in, out)
	c.step = d.record(in, c)
	if err := sameOutputs(step, c.step); err != nil {
		return err
	}
	skip := func(w *flowWriter) func(int32, connectors.Position) bool {
		return func(part int32, p connectors.Position) bool {
			last, ok := w.last[part][p.Object]
			return ok && !p.After(last)
		}
	}
	if d.cfg.Plant == RepublishOnRecovery {
		skip = nil
	}
	return d.publish(ctx, []*commit{c}, skip)
}

// replayInput reads the inputs of a journalled step again.
func (d *Dataflow) replayInput(ctx context.Context, step *journal.Step) (*stepInput, error) {
	in := &stepInput{number: step.Number, clock: step.Clock, final: step.Final, replay: true}
	for _, f := range step.Failed {
		for q, query := range d.m.prog.queries {
			if query.object.Number == f.Object {
				in.failed = append(in.failed, failure{q, types.Errorf(f.Code, "%s", f.Message)})
			}
		}
	}
	for i := range step.Inputs {
		r := &step.Inputs[i]
		s, p := d.partOf(r)
		if s < 0 {
			return nil, types.Errorf(types.CodeDataCorrupted, "step %d read partition %d of object %d, which is not a source of the dataflow", step.Number, r.Partition, r.Object)
		}
		segs, err := readRange(ctx, d.sources[s].source, r.Partition, r.From, r.To, d.cfg.FetchBytes)
		if err != nil {
			return nil, err
		}
		if len(segs) == 0 {
			segs = []segment{{from: r.From, to: r.To, upstream: op.Always}}
		}
		var count int64
		for k := range segs {
			count += int64(segs[k].hi - segs[k].lo)
			segs[k].source, segs[k].part, segs[k].idle = s, p, r.Idle
			segs[k].upstream, segs[k].end = r.Upstream, r.EndReached
		}
		if count != r.Count {
			return nil, lost(d.m.sources[s].spec.object.Topic, r.Partition, r.From, r.To).
				WithDetail("Step %d had %d records there, now there are %d.", step.Number, r.Count, count)
		}
		in.segs = append(in.segs, segs...)
	}
	return in, nil
}

// partOf finds the source and partition of a journalled input.
func (d *Dataflow) partOf(r *journal.Input) (source, part int) {
	for i, s := range d.m.sources {
		if s.spec.object.Number != r.Object {
			continue
		}
		for p := range s.parts {
			if s.parts[p].partition == r.Partition {
				return i, p
			}
		}
	}
	return -1, -1
}

// lost is the error of records that a dataflow has to read and that are gone.
func lost(topic string, partition int32, from, to int64) *types.Error {
	return types.Errorf(types.CodeNotInPrerequisite, "topic %q partition %d no longer has the records of offsets %d to %d", topic, partition, from, to).
		WithHint("Retention has removed them. DROP the query and CREATE it anew, with a longer retention of the topic.")
}

// sameOutputs compares what a replayed step put out with what the journal says. A difference is an error, never a silent fork.
func sameOutputs(was, is *journal.Step) error {
	same := len(was.Outputs) == len(is.Outputs)
	for i := 0; same && i < len(was.Outputs); i++ {
		same = was.Outputs[i] == is.Outputs[i]
	}
	if same {
		return nil
	}
	return types.Errorf(types.CodeDataCorrupted, "step %d, computed again, gives other results than it gave before", was.Number).
		WithDetail("before: %s; now: %s", describe(was.Outputs), describe(is.Outputs)).
		WithHint("Open the data directory with the version of Rhumb that wrote it, stop it cleanly, and then upgrade; if it is that version, this is a bug.")
}

func describe(outs []journal.Output) string {
	s := ""
	for _, o := range outs {
		s += types.Errorf("", "object %d: %d rows, %x; ", o.Object, o.Rows, o.Digest[:4]).Message
	}
	return s
}

// resumeProgress makes the watermarks known with which the dataflow goes on.
func (d *Dataflow) resumeProgress(ctx context.Context) error {
	for i, o := range d.m.prog.outputs {
		fw := d.writers[i]
		src, err := d.cfg.Broker.Source(ctx, o.object.Topic)
		if err != nil {
			return err
		}
		for p := range fw.parts {
			_, end, err := src.Offsets(ctx, p)
			if err != nil {
				return err
			}
			fw.ends[p] = end
		}
		_ = src.Close()
		d.setProgress(i, fw, d.m.watermarkOf(o))
	}
	return nil
}

// setProgress publishes how far an output is: the ends of its topic's partitions, and the watermark of what comes after.
func (d *Dataflow) setProgress(i int, w *flowWriter, watermark int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.progress[i] = progress{maps.Clone(w.ends), watermark}
}
