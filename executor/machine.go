package executor

import (
	"fmt"
	"runtime/debug"
	"slices"

	"rhumb/connectors"
	"rhumb/executor/decode"
	"rhumb/executor/op"
	"rhumb/expr"
	"rhumb/types"
)

// machine computes steps. It is the deterministic core that continuous dataflows and searches share: the same program, the same inputs and the same
// clock give the same outputs, whatever the pool.
type machine struct {
	prog      *program
	pool      *Pool
	seed      uint64
	chunkRows int
	sources   []*sourceState
	slots     []*slot
	ctxs      []op.Ctx // by worker, for shards
	ledgers   []op.Ledger
	search    bool
	bufs      bufPool
	memory    int64        // bytes of state that a query may hold; 0 = no limit
	pending   bool         // an operator has changes that a flush would emit
	lastFlush int64        // clock
	before    []Totals     // of the queries, before the step
	runErr    *types.Error // of a search: the first row error
}

// sourceState is how far a source has been read.
type sourceState struct {
	spec      *sourceSpec
	parts     []partState
	watermark int64
	ended     int64 // the greatest event time when the inputs last came to an end
	defects   map[string]Defects
}

// Defects counts the values of a column that could not be taken as they were: those that became NULL, and those in which characters were replaced.
type Defects struct{ Nulled, Replaced int64 }

// count adds what a chunk's decoding counted.
func (s *sourceState) count(c *decode.Counters) {
	for i := range c.Defects {
		if c.Defects[i] == 0 && c.Replaced[i] == 0 {
			continue
		}
		if s.defects == nil {
			s.defects = map[string]Defects{}
		}
		name := s.spec.object.Columns[s.spec.columns[i]].Name
		d := s.defects[name]
		s.defects[name] = Defects{d.Nulled + c.Defects[i], d.Replaced + c.Replaced[i]}
	}
}

type partState struct {
	partition int32
	next      int64 // offset
	watermark int64
	greatest  int64 // event time
	idle      bool
	active    int64 // clock of the last step that had records of it
	upstream  int64 // watermark handed over by the producer of a derived stream
	seen      map[uint32]connectors.Position
}

// segment is a partition's share of a step: records [lo, hi) of recs.
type segment struct {
	source, part int
	recs         *connectors.Records
	lo, hi       int
	from, to     int64 // the offsets [from, to) are consumed
	end          bool  // to is the partition's end
	idle         bool
	upstream     int64
	batch        *types.Batch // instead of recs, where the source is a table
}

// stepInput is everything that a step knows of the outside.
type stepInput struct {
	number uint64
	clock  int64
	final  bool
	flush  bool // set by step: operators write the revisions that they have coalesced
	segs   []segment
	failed []failure // of a replayed step
	replay bool      // which queries outgrow their memory stands in failed
}

type failure struct {
	query int
	err   *types.Error
}

// chunk is what one task of the stateless stage takes.
type chunk struct {
	seg    *segment
	lo, hi int
	skip   types.Bitmap // repeated positions
}

// slot is the memory of a chunk during a step: its columns stay valid until the step's end.
type slot struct {
	decoders []decode.Decoder // by source
	vecs     [][]*types.Vec   // by source
	computed [][]*expr.Evaluator
	wm       []*expr.Evaluator
	part     []int32
	sel      []int32
	ok       []int32
	batch    types.Batch
	ids      types.Vec // declared event ids, where they are not text
	rejects  []decode.Reject
	pipes    []pipeSlot
	source   op.Ledger // rows that the source leaves out, whatever the query
	ctx      op.Ctx

	// results
	watermark, greatest int64
	counters            *decode.Counters
}

// pipeSlot is a slot's share of one pipe.
type pipeSlot struct {
	chain  []op.Transform
	cols   []*types.Vec
	system []types.Vec
	ctx    op.Ctx
	ledger op.Ledger
	hash   []uint64
	routed routed
	has    bool
	out    *outBuf
	failed *types.Error
}

// newMachine makes the machine of a program in its initial state.
func newMachine(p *program, pool *Pool, seed uint64, chunkRows int, search bool) *machine {
	m := &machine{prog: p, pool: pool, seed: seed, chunkRows: chunkRows, search: search,
		ctxs: make([]op.Ctx, pool.workers), ledgers: make([]op.Ledger, numShards)}
	for _, s := range p.sources {
		m.sources = append(m.sources, &sourceState{spec: s, watermark: op.Always, ended: op.Always})
	}
	for _, st := range p.stages {
		st.watermark, st.ended = op.Always, op.Always
		st.emitted = make([][]*types.Batch, st.shards)
		st.bytes = make([]int64, st.shards)
		for s := range st.shards {
			st.ops = append(st.ops, st.make(s))
		}
		st.chains = make([][]op.Transform, pool.workers)
		for w := range st.chains {
			st.chains[w] = instantiate(st.next.chain)
		}
	}
	return m
}

func instantiate(chain []transform) []op.Transform {
	ts := make([]op.Transform, len(chain))
	for i, f := range chain {
		ts[i] = f.make()
	}
	return ts
}

// newSlot makes a slot.
func (m *machine) newSlot() *slot {
	s := &slot{pipes: make([]pipeSlot, len(m.prog.pipes))}
	for _, src := range m.prog.sources {
		var dec decode.Decoder
		if src.decoder != nil {
			dec = src.decoder.Clone()
		}
		s.decoders = append(s.decoders, dec)
		vecs := make([]*types.Vec, len(src.types))
		for i := range vecs {
			vecs[i] = &types.Vec{}
		}
		s.vecs = append(s.vecs, vecs)
		var evs []*expr.Evaluator
		for _, c := range src.computed {
			evs = append(evs, expr.NewEvaluator(c.expr))
		}
		s.computed = append(s.computed, evs)
		var wm *expr.Evaluator
		if src.wm != nil {
			wm = expr.NewEvaluator(src.wm)
		}
		s.wm = append(s.wm, wm)
	}
	for i, p := range m.prog.pipes {
		s.pipes[i].chain = instantiate(p.chain)
		s.pipes[i].system = make([]types.Vec, len(p.system))
	}
	return s
}

// stepOutput is what a step gives.
type stepOutput struct {
	bufs   [][]*outBuf // by output: in order of chunks or shards
	failed []failure
	drops  []dropGroup
}

// dropGroup is the rows that one query (or, with query -1, the source itself) left out.
type dropGroup struct {
	query, source int
	rows          []op.Dropped
}

// step computes one step.
func (m *machine) step(in *stepInput) (*stepOutput, error) {
	out := &stepOutput{bufs: make([][]*outBuf, len(m.prog.outputs))}
	for _, f := range in.failed {
		m.prog.queries[f.query].failed = f.err
	}
	in.flush = m.flushDue(in.clock)
	m.before = m.before[:0]
	for _, q := range m.prog.queries {
		m.before = append(m.before, q.totals)
	}
	chunks := m.cut(in)
	for len(m.slots) < len(chunks) {
		m.slots = append(m.slots, m.newSlot())
	}
	errs := make([]*types.Error, len(chunks))
	m.pool.Run(len(chunks), func(_, i int) { errs[i] = guard(func() { m.decodeChunk(in, &chunks[i], m.slots[i]) }) })
	for _, err := range errs {
		if err != nil {
			return nil, err // without its rows no query can go on
		}
	}
	m.pool.Run(len(chunks), func(_, i int) { m.runPipes(in, &chunks[i], m.slots[i]) })
	m.gather(in, chunks, out)
	m.advanceSources(in, chunks)
	for _, st := range m.prog.stages {
		m.runStage(in, st, out)
	}
	if in.final {
		for _, s := range m.sources {
			s.end()
		}
	}
	if in.flush {
		m.lastFlush = in.clock
	}
	m.pending = m.hasPending()
	m.collectFailures(in, out)
	if m.search && m.runErr != nil {
		return nil, m.runErr
	}
	return out, nil
}

// end notes that the source has come to its present end: its watermark goes on from the greatest event time.
func (s *sourceState) end() {
	for i := range s.parts {
		s.ended = max(s.ended, s.parts[i].greatest)
	}
	if s.ended > s.watermark {
		s.watermark = s.ended
	}
}

// flushEvery is how long revisions are coalesced, microseconds of the step's clock.
const flushEvery = 200_000

// flushDue reports whether a step at the clock writes coalesced revisions. It follows from the state and the clock, so that a replay decides the
// same.
func (m *machine) flushDue(clock int64) bool { return m.pending && clock-m.lastFlush >= flushEvery }

// hasPending reports whether an operator has changes that a flush would emit.
func (m *machine) hasPending() bool {
	for _, st := range m.prog.stages {
		if g, ok := st.ops[0].(pender); !ok || m.prog.queries[st.query].failed != nil {
			continue
		} else if g.Pending() {
			return true
		}
		for _, o := range st.ops[1:] {
			if o.(pender).Pending() {
				return true
			}
		}
	}
	return false
}

// pender is an operator that coalesces revisions.
type pender interface{ Pending() bool }

// cut makes chunks of the step's segments.
func (m *machine) cut(in *stepInput) []chunk {
	var chunks []chunk
	for i := range in.segs {
		seg := &in.segs[i]
		if seg.batch != nil {
			chunks = append(chunks, chunk{seg: seg})
			continue
		}
		for lo := seg.lo; lo < seg.hi; lo += m.chunkRows {
			c := chunk{seg: seg, lo: lo, hi: min(lo+m.chunkRows, seg.hi)}
			if seg.recs.Headers != nil {
				c.skip = m.repeated(seg, c.lo, c.hi)
			}
			chunks = append(chunks, c)
		}
	}
	return chunks
}

// repeated finds the records whose position is not after the last that was seen of their object: appended twice by a crash.
func (m *machine) repeated(seg *segment, lo, hi int) (skip types.Bitmap) {
	p := &m.sources[seg.source].parts[seg.part]
	for i := lo; i < hi; i++ {
		for _, h := range seg.recs.Headers[i] {
			if h.Key != connectors.HeaderPosition {
				continue
			}
			pos, err := connectors.DecodePosition(h.Value)
			if err != nil {
				break // not ours: a foreign header of the same name
			}
			if last, ok := p.seen[pos.Object]; ok && !pos.After(last) {
				skip.Set(i - lo)
				break
			}
			if p.seen == nil {
				p.seen = map[uint32]connectors.Position{}
			}
			p.seen[pos.Object] = pos
			break
		}
	}
	return skip
}

// runPipes runs a chunk through the pipes of its source. A panic fails the query that it happened in.
func (m *machine) runPipes(in *stepInput, c *chunk, s *slot) {
	for i, p := range m.prog.pipes {
		ps := &s.pipes[i]
		ps.has, ps.out, ps.failed = false, nil, nil
		ps.ledger.Reset()
		if p.source != c.seg.source || m.prog.queries[p.query].failed != nil {
			continue
		}
		ps.failed = guard(func() { m.runPipe(in, p, c, s, ps) })
	}
}

// guard turns a panic into an error: a query that panics fails alone.
func guard(f func()) (err *types.Error) {
	defer func() {
		if r := recover(); r != nil {
			err = types.Errorf(types.CodeInternal, "BUG: %v", r).WithDetail("%s", debug.Stack())
		}
	}()
	f()
	return nil
}

func (m *machine) runPipe(in *stepInput, p *pipe, c *chunk, s *slot, ps *pipeSlot) {
	ps.ctx.Ledger = &ps.ledger
	ps.ctx.Expr.Now = in.clock
	b := m.scanBatch(p, c, s, ps)
	ps.ledger.In += int64(b.Rows())
	for _, t := range ps.chain {
		if b.Rows() == 0 {
			return
		}
		b = t.Apply(&ps.ctx, b)
	}
	if b.Rows() == 0 {
		return
	}
	ps.has = true
	if p.out != nil {
		ps.ledger.Used += int64(b.Rows())
		ps.out = m.bufs.get()
		p.out.encode(ps.out, b, &ps.ctx)
		return
	}
	ps.routed.batch = *b
	m.route(p, &ps.routed, &ps.hash)
}

// scanBatch is the batch that a pipe's chain begins with: the columns that its scan names.
func (m *machine) scanBatch(p *pipe, c *chunk, s *slot, ps *pipeSlot) *types.Batch {
	b := s.batch
	ps.cols = ps.cols[:0]
	for _, i := range p.pick {
		ps.cols = append(ps.cols, s.batch.Cols[i])
	}
	for i, name := range p.system {
		fillSystem(&ps.system[i], name, m.prog.sources[p.source].object, c)
		ps.cols = append(ps.cols, &ps.system[i])
	}
	b.Cols = ps.cols
	return &b
}

// route gives each row of r.batch its shard: rows are sorted by it, otherwise in order.
func (m *machine) route(p *pipe, r *routed, hashes *[]uint64) {
	b := &r.batch
	rows := b.Selection(r.rows[:0])
	if p.to.shards == 1 {
		r.rows = append(r.rows[:0:0], rows...)
		return
	}
	if cap(*hashes) < b.N {
		*hashes = make([]uint64, b.N)
	}
	h := (*hashes)[:b.N]
	cols := make([]*types.Vec, len(p.keys))
	for i, k := range p.keys {
		cols[i] = b.Cols[k]
	}
	types.HashRows(m.seed, cols, rows, h)
	b.Hash = h
	var counts [numShards + 1]int32
	for _, i := range rows {
		counts[shardOf(h[i])+1]++
	}
	for s := range numShards {
		counts[s+1] += counts[s]
	}
	r.offs = counts
	sorted := make([]int32, len(rows))
	for _, i := range rows {
		s := shardOf(h[i])
		sorted[counts[s]] = i
		counts[s]++
	}
	r.rows = sorted
}

// gather collects, in the order of chunks, what the pipes of the stateless stage gave.
func (m *machine) gather(in *stepInput, chunks []chunk, out *stepOutput) {
	for _, st := range m.prog.stages {
		st.routed = st.routed[:0]
	}
	for i := range chunks {
		src := chunks[i].seg.source
		m.addDrops(out, -1, src, m.slots[i].source.Dropped)
		m.sources[src].count(m.slots[i].counters)
	}
	// Pipe by pipe: chunk by chunk, the order of two pipes' rows (UNION ALL) would follow from where chunks are cut.
	for j, p := range m.prog.pipes {
		for i := range chunks {
			src := chunks[i].seg.source
			if p.source != src {
				continue
			}
			s := m.slots[i]
			ps := &s.pipes[j]
			q := m.prog.queries[p.query]
			if ps.failed != nil && q.failed == nil {
				m.fail(in, out, p.query, ps.failed)
			}
			if q.failed != nil {
				continue
			}
			m.account(out, p.query, src, &ps.ledger)
			q.totals.countDrops(s.source.Dropped)
			q.totals.In += int64(len(s.source.Dropped))
			switch {
			case !ps.has:
			case p.out != nil:
				out.bufs[p.out.index] = append(out.bufs[p.out.index], ps.out)
			default:
				p.to.routed = append(p.to.routed, ps.routed)
			}
		}
	}
}

// account adds a task's ledger to its query's.
func (m *machine) account(out *stepOutput, q, src int, l *op.Ledger) {
	t := &m.prog.queries[q].totals
	t.In += l.In
	t.Used += l.Used
	t.Filtered += l.Filtered
	t.countDrops(l.Dropped)
	m.addDrops(out, q, src, l.Dropped)
}

func (t *Totals) countDrops(drops []op.Dropped) {
	for i := range drops {
		switch drops[i].Reason {
		case op.Rejected:
			t.Rejected++
		case op.Late:
			t.Late++
		case op.Future:
			t.Future++
		}
	}
}

func (m *machine) addDrops(out *stepOutput, q, src int, drops []op.Dropped) {
	if len(drops) == 0 {
		return
	}
	if m.search && m.runErr == nil && q >= 0 {
		m.runErr = types.Errorf(drops[0].Code, "%s", drops[0].Why)
	}
	out.drops = append(out.drops, dropGroup{query: q, source: src, rows: append([]op.Dropped(nil), drops...)})
}

// fail makes a query fail in this step.
func (m *machine) fail(in *stepInput, out *stepOutput, q int, err *types.Error) {
	query := m.prog.queries[q]
	if query.failed != nil {
		return
	}
	query.failed = err
	err.Message = fmt.Sprintf("%s (failed at step %d)", err.Message, in.number)
	out.failed = append(out.failed, failure{q, err})
}

// collectFailures discards what queries that failed in this step have given: outputs, dead letters and counts, for a replay computes none of them.
func (m *machine) collectFailures(in *stepInput, out *stepOutput) {
	out.failed = append(out.failed, in.failed...)
	for _, f := range out.failed {
		for _, o := range m.prog.outputs {
			if o.query == f.query {
				out.bufs[o.index] = nil
			}
		}
		out.drops = slices.DeleteFunc(out.drops, func(g dropGroup) bool { return g.query == f.query })
		m.prog.queries[f.query].totals = m.before[f.query]
	}
}
