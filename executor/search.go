package executor

import (
	"context"
	"sync"

	"rhumb/connectors"
	"rhumb/executor/op"
	"rhumb/planner"
	"rhumb/types"
)

// SearchConfig is what a search is given.
type SearchConfig struct {
	Broker connectors.Broker
	Pool   *Pool
	Seed   uint64
	Now    int64
	// Rows hands over the rows of a scan that is not of a log: of the store, or of a virtual table.
	Rows      func(ctx context.Context, scan *planner.Scan, fn func(*types.Batch) error) error
	ChunkRows int
	Memory    int64 // bytes that sorting and grouping may take; 0 = no limit
}

// Search runs a bounded dataflow: it steps until its inputs are exhausted and then sees the final watermark. Rows go to fn in the order of the
// result; a batch is borrowed for the call. A row whose expressions fail is an error of the search.
func Search(ctx context.Context, cfg SearchConfig, plan planner.Node, fn func(*types.Batch) error) error {
	prog, err := build([]planner.Node{plan}, true)
	if err != nil {
		return err
	}
	if cfg.ChunkRows == 0 {
		cfg.ChunkRows = 4096
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &search{cfg: cfg, m: newMachine(prog, cfg.Pool, cfg.Seed, cfg.ChunkRows, true), fn: fn}
	s.m.memory = cfg.Memory
	for i, src := range prog.sources {
		var err error
		switch {
		case src.values != nil:
			err = s.step(segment{source: i, batch: src.values})
		case src.scan != nil:
			err = cfg.Rows(ctx, src.scan, func(b *types.Batch) error {
				if s.satisfied() {
					return errSatisfied
				}
				return s.step(segment{source: i, batch: b})
			})
		default:
			err = s.readLog(ctx, i)
		}
		if err != nil && err != errSatisfied {
			return err
		}
	}
	return s.run(&stepInput{final: true})
}

// errSatisfied ends the reading of an input when LIMIT has all its rows.
var errSatisfied = types.Errorf(types.CodeInternal, "satisfied")

type search struct {
	cfg    SearchConfig
	m      *machine
	fn     func(*types.Batch) error
	number uint64
}

// step runs a step over one segment.
func (s *search) step(seg segment) error { return s.run(&stepInput{segs: []segment{seg}}) }

func (s *search) run(in *stepInput) error {
	s.number++
	in.number, in.clock = s.number, s.cfg.Now
	out, err := s.m.step(in)
	if err != nil {
		return err
	}
	if len(out.failed) > 0 {
		return out.failed[0].err
	}
	for _, buf := range out.bufs[0] {
		for _, b := range buf.batches {
			if err := s.fn(b); err != nil {
				return err
			}
		}
	}
	return nil
}

// satisfied reports whether no further row can change the result.
func (s *search) satisfied() bool {
	stages := s.m.prog.stages
	if len(stages) == 0 {
		return false
	}
	// Only the last stage decides: a LIMIT below an aggregate ends its own input alone.
	l, ok := stages[len(stages)-1].ops[0].(*op.Limit)
	return ok && l.Done()
}

// readLog reads a topic from its beginning to its present end, partition after partition.
func (s *search) readLog(ctx context.Context, i int) error {
	st := s.m.sources[i]
	src, err := s.cfg.Broker.Source(ctx, st.spec.object.Topic)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	wake := make(chan struct{}, 1)
	for p := range src.Info().Partitions {
		start, end, err := src.Offsets(ctx, p)
		if err != nil {
			return err
		}
		st.parts = append(st.parts, partState{partition: p, next: start, watermark: op.Always, greatest: op.Always, active: op.Always, upstream: op.Always})
		if err := s.readPartition(ctx, src, i, int(p), start, end, wake); err != nil {
			return err
		}
	}
	return nil
}

func (s *search) readPartition(ctx context.Context, src connectors.Source, i, p int, start, end int64, wake chan struct{}) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	const fetch = 4 << 20
	r := startReader(ctx, &wg, src, int32(p), start, end, fetch, 2*fetch, func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	for at := start; at < end && !s.satisfied(); {
		segs, _ := r.take(8<<20, int(^uint32(0)>>1))
		if len(segs) == 0 {
			if _, _, err := r.state(); err != nil {
				return err
			}
			select {
			case <-wake:
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		}
		for k := range segs {
			seg := &segs[k]
			seg.source, seg.part, seg.upstream = i, p, op.Always
			for seg.hi > seg.lo && seg.recs.Offsets[seg.hi-1] >= end {
				seg.hi--
			}
			at = seg.to
		}
		if err := s.run(&stepInput{segs: segs}); err != nil {
			return err
		}
	}
	return nil
}
