package executor

import (
	"context"
	"maps"
	"slices"
	"time"

	"rhumb/connectors"
	"rhumb/executor/journal"
	"rhumb/types"
)

// snapshot is the state of a dataflow between two steps, in memory.
type snapshot struct {
	meta     journal.Meta
	sections []section
}

type section struct {
	operator string
	shard    int32
	data     []byte
}

// sourceSection names the section with how far the sources are.
const sourceSection = "sources"

// checkpoint takes a snapshot and waits until it is a valid checkpoint: until all outputs before it are acknowledged and it is on disk.
//
// The loop waits, so that there is one snapshot in memory at a time.
func (d *Dataflow) checkpoint(ctx context.Context) error {
	c := &commit{checkpoint: d.snapshot(), err: make(chan error, 1)}
	if err := d.send(ctx, c); err != nil {
		return err
	}
	select {
	case err := <-c.err:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	d.saved, d.dirty = time.Now(), false
	return nil
}

// snapshot copies the state; the shards of an operator side by side.
func (d *Dataflow) snapshot() *snapshot {
	s := &snapshot{meta: journal.Meta{Step: d.step, Clock: d.clock, CatalogVersion: d.cfg.CatalogVersion, HashSeed: d.cfg.Seed, Fingerprint: d.cfg.Fingerprint}}
	for i, src := range d.m.sources {
		for _, p := range src.parts {
			s.meta.Sources = append(s.meta.Sources, journal.SourcePosition{Object: src.spec.object.Number, Partition: p.partition,
				Next: p.next, Identity: d.sources[i].source.Info().Identity})
		}
	}
	var e types.Encoder
	d.m.save(&e)
	e.Bool(d.ended)
	s.sections = append(s.sections, section{sourceSection, 0, e.B})
	for _, st := range d.m.prog.stages {
		if d.m.prog.queries[st.query].failed != nil {
			continue // a panic may have left it half changed, and nothing will read it
		}
		data := make([][]byte, st.shards)
		d.cfg.Pool.Run(st.shards, func(_, shard int) {
			var e types.Encoder
			st.ops[shard].Save(&e)
			data[shard] = e.B
		})
		for shard, b := range data {
			s.sections = append(s.sections, section{st.id, int32(shard), b})
		}
	}
	total := 0
	for _, sec := range s.sections {
		total += len(sec.data)
	}
	d.mu.Lock()
	d.status.Bytes = total
	d.mu.Unlock()
	return s
}

// save writes a snapshot as a checkpoint and cuts the journal.
func (d *Dataflow) save(s *snapshot) error {
	w, err := journal.NewCheckpoint(d.cfg.FS, s.meta)
	if err != nil {
		return err
	}
	for _, sec := range s.sections {
		if err := w.Section(sec.operator, sec.shard, sec.data); err != nil {
			_ = w.Abort()
			return err
		}
	}
	if err := w.Finish(); err != nil {
		_ = w.Abort()
		return err
	}
	if err := w.Commit(); err != nil {
		return err
	}
	if err := d.journal.Rotate(); err != nil {
		return err
	}
	return d.journal.Cut(s.meta.Step)
}

// save appends how far the sources and the ledger are.
func (m *machine) save(e *types.Encoder) {
	e.Varint(m.lastFlush)
	e.Uvarint(uint64(len(m.prog.queries)))
	for _, q := range m.prog.queries {
		e.Uvarint(uint64(q.object.Number))
		t := &q.totals
		for _, n := range []int64{t.In, t.Used, t.Filtered, t.Late, t.Rejected, t.Future} {
			e.Varint(n)
		}
		e.Bool(q.failed != nil)
		if q.failed != nil {
			e.String(q.failed.Code)
			e.String(q.failed.Message)
		}
	}
	e.Uvarint(uint64(len(m.prog.stages)))
	for _, st := range m.prog.stages {
		e.String(st.id)
		e.Varint(st.watermark)
		e.Varint(st.ended)
	}
	for _, s := range m.sources {
		e.Varint(s.watermark)
		e.Varint(s.ended)
		e.Uvarint(uint64(len(s.defects)))
		for _, name := range slices.Sorted(maps.Keys(s.defects)) {
			e.String(name)
			e.Varint(s.defects[name].Nulled)
			e.Varint(s.defects[name].Replaced)
		}
		e.Uvarint(uint64(len(s.parts)))
		for i := range s.parts {
			s.parts[i].save(e)
		}
	}
}

func (p *partState) save(e *types.Encoder) {
	e.Varint(int64(p.partition))
	e.Varint(p.next)
	e.Varint(p.watermark)
	e.Varint(p.greatest)
	e.Bool(p.idle)
	e.Varint(p.active)
	e.Varint(p.upstream)
	objects := slices.Sorted(maps.Keys(p.seen))
	e.Uvarint(uint64(len(objects)))
	for _, o := range objects {
		p.seen[o].AppendTo(e)
	}
}

// load reads what save wrote. What is of queries that have been dropped since is passed over.
func (m *machine) load(d *types.Decoder) {
	m.lastFlush = d.Varint()
	queries := map[uint32]*query{}
	for _, q := range m.prog.queries {
		queries[q.object.Number] = q
	}
	for range d.Len(8) {
		q := queries[uint32(d.Uvarint())]
		if q == nil {
			q = &query{}
		}
		t := &q.totals
		for _, n := range []*int64{&t.In, &t.Used, &t.Filtered, &t.Late, &t.Rejected, &t.Future} {
			*n = d.Varint()
		}
		if d.Bool() {
			code := d.String()
			q.failed = types.Errorf(code, "%s", d.String())
		}
	}
	stages := map[string]*stage{}
	for _, st := range m.prog.stages {
		stages[st.id] = st
	}
	for range d.Len(3) {
		st := stages[d.String()]
		if st == nil {
			st = &stage{}
		}
		st.watermark, st.ended = d.Varint(), d.Varint()
	}
	for _, s := range m.sources {
		s.watermark, s.ended = d.Varint(), d.Varint()
		s.defects = map[string]Defects{}
		for range d.Len(3) {
			name := d.String()
			s.defects[name] = Defects{d.Varint(), d.Varint()}
		}
		parts := make([]partState, d.Len(8))
		for i := range parts {
			parts[i].load(d)
		}
		// Partitions that the topic has got since keep what open gave them.
		if len(parts) < len(s.parts) {
			parts = append(parts, s.parts[len(parts):]...)
		}
		s.parts = parts
	}
}

func (p *partState) load(d *types.Decoder) {
	p.partition = int32(d.Varint())
	p.next, p.watermark, p.greatest = d.Varint(), d.Varint(), d.Varint()
	p.idle, p.active, p.upstream = d.Bool(), d.Varint(), d.Varint()
	for range d.Len(4) {
		pos := connectors.Position{Object: uint32(d.Uvarint()), Version: uint32(d.Uvarint()), Step: d.Uvarint(), Ordinal: uint32(d.Uvarint())}
		if p.seen == nil {
			p.seen = map[uint32]connectors.Position{}
		}
		p.seen[pos.Object] = pos
	}
}
