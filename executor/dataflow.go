package executor

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"rhumb/catalog"
	"rhumb/connectors"
	"rhumb/executor/journal"
	"rhumb/executor/op"
	"rhumb/planner"
	"rhumb/types"
)

// Config is what a dataflow is given.
type Config struct {
	ID             string     // names the dataflow among all that there ever are in the data directory
	FS             journal.FS // the directory of its journal and checkpoints
	Broker         connectors.Broker
	Pool           *Pool
	Seed           uint64 // of the hash that spreads keys; for ever the same in a data directory
	Fingerprint    string // of everything that decides how a journalled step replays
	CatalogVersion uint64
	// DeadLetters is the object whose topic takes what is left out of the rows of a stream; nil = counted only.
	DeadLetters func(source *catalog.Object) *catalog.Object
	// Upstream is the producer of a derived stream in this process; nil = none.
	Upstream func(object uint32) Upstream
	// Published, if not nil, is called when results have been published or a watermark has moved, so that readers can be woken.
	Published func()
	// Clock is the wall clock, microseconds; nil = the system's.
	Clock func() int64

	QueryMemory     int64         // bytes of state that a query may hold; 0 = no limit
	ChunkRows       int           // rows of a chunk: 4,096
	StepBytes       int           // greatest size of a step's input: 32 MiB; between this and 1/128 of it it follows the measured time
	CheckpointEvery time.Duration // 10 s
	StopWait        time.Duration // 5 s: how long Stop waits for topics and disk that do not get on
	FetchBytes      int           // of one fetch: 4 MiB
	// Cut, in tests, cuts steps at random: it returns the greatest number of records that the next step may take of a partition.
	Cut func() int
	// Plant, in tests, plants a bug that the proofs must find.
	Plant Plant
}

// Upstream tells how far the producer of a derived stream is.
type Upstream interface {
	// Progress returns the end of each partition of the topic and the watermark of the rows that come after it.
	Progress() (ends map[int32]int64, watermark int64)
}

// Plant is a bug on purpose. The harness that proves recovery has to find each of them.
type Plant uint8

// The plants.
const (
	NoPlant Plant = iota
	PublishBeforeJournal
	CheckpointBeforeAck
	RepublishOnRecovery
	ClockNotJournalled
)

// Status is the state of a dataflow as operators see it.
type Status struct {
	State     string // recovering, running, paused, finished, failed, stopped
	Err       *types.Error
	Step      uint64
	Watermark int64
	Totals    []Totals                      // by query
	Defects   map[string]map[string]Defects // by stream and column
	Failed    []*types.Error
	Bytes     int // of state
	Lag       int64
	Idle      int
}

// Dataflow runs the continuous queries that were created together over the same streams.
type Dataflow struct {
	cfg     Config
	m       *machine
	sources []*flowSource
	writers []*flowWriter // by output; the dead letters' follow
	journal *journal.Journal
	step    uint64
	clock   int64
	saved   time.Time // of the last checkpoint
	budget  int
	dirty   bool // steps since the last checkpoint
	ended   bool // no row since the inputs last came to an end

	commits   chan *commit
	pending   atomic.Int64 // commits that are not done
	completed atomic.Int64 // commits that are
	bytes     atomic.Int64 // of results that wait to be published
	published chan struct{}
	wake      chan struct{}
	finish    chan *finishRequest
	wg        sync.WaitGroup
	cancel    context.CancelFunc
	done      chan struct{}

	mu       sync.Mutex
	status   Status
	progress map[int]progress // by output
}

type progress struct {
	ends      map[int32]int64
	watermark int64
}

// flowSource is a source of the dataflow.
type flowSource struct {
	source  connectors.Source
	readers []*reader
	dead    int      // index of the writer of its dead letters; -1 = none
	owed    progress // of a producer in this process: a watermark that will hold when its ends have been read
}

// flowWriter writes the topic of an output.
type flowWriter struct {
	out    *output
	writer connectors.Writer
	parts  int32
	last   []map[uint32]connectors.Position // by partition, when the dataflow was opened
	ends   map[int32]int64
}

// finishRequest asks for the end of the inputs: when all that is there now has been read, the watermark goes to the end.
type finishRequest struct {
	ends map[[2]int]int64 // by source and part; nil = to be asked
	done chan error
	also []*finishRequest // that came before, and are answered with it
}

// answer tells all who asked.
func (r *finishRequest) answer(err error) {
	r.done <- err
	for _, a := range r.also {
		a.answer(err)
	}
}

// Open makes a dataflow of plans (each an Output) and recovers it: its last checkpoint, the journalled steps after it, and what of their outputs the
// topics lack.
func Open(ctx context.Context, cfg Config, plans []planner.Node) (*Dataflow, error) {
	prog, err := build(plans, false)
	if err != nil {
		return nil, err
	}
	cfg.fill()
	d := &Dataflow{cfg: cfg, m: newMachine(prog, cfg.Pool, cfg.Seed, cfg.ChunkRows, false), commits: make(chan *commit, 64),
		wake: make(chan struct{}, 1), published: make(chan struct{}, 1), finish: make(chan *finishRequest), done: make(chan struct{}), saved: time.Now(),
		budget: max(1, cfg.StepBytes/16), progress: map[int]progress{}}
	d.m.memory = cfg.QueryMemory
	d.status.State = "recovering"
	if err := d.open(ctx); err != nil {
		d.close()
		return nil, err
	}
	if err := d.recover(ctx); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (c *Config) fill() {
	if c.Clock == nil {
		c.Clock = func() int64 { return time.Now().UnixMicro() }
	}
	if c.ChunkRows == 0 {
		c.ChunkRows = 4096
	}
	if c.StepBytes == 0 {
		c.StepBytes = 32 << 20
	}
	if c.CheckpointEvery == 0 {
		c.CheckpointEvery = 10 * time.Second
	}
	if c.StopWait == 0 {
		c.StopWait = 5 * time.Second
	}
	if c.FetchBytes == 0 {
		c.FetchBytes = 1 << 20
	}
}

// open opens the topics.
func (d *Dataflow) open(ctx context.Context) error {
	for i, s := range d.m.sources {
		src, err := d.cfg.Broker.Source(ctx, s.spec.object.Topic)
		if err != nil {
			return err
		}
		fs := &flowSource{source: src, dead: -1}
		d.sources = append(d.sources, fs)
		if id := s.spec.object.Identity; id != "" && src.Info().Identity != "" && id != src.Info().Identity {
			return types.Errorf(types.CodeNotInPrerequisite, "topic %q of stream %q was deleted and created again", s.spec.object.Topic, s.spec.object.Name).
				WithHint("Create the stream anew (CREATE OR REPLACE STREAM) to read the new topic from its beginning.")
		}
		if err := d.addParts(ctx, i); err != nil {
			return err
		}
	}
	for _, o := range d.m.prog.outputs {
		if err := d.openWriter(ctx, o); err != nil {
			return err
		}
	}
	if d.cfg.DeadLetters == nil {
		return nil
	}
	for i, s := range d.m.sources {
		if dead := d.cfg.DeadLetters(s.spec.object); dead != nil {
			d.sources[i].dead = len(d.writers)
			o := &output{index: len(d.writers), object: dead, writer: deadWriter(d.cfg.ID), version: 1}
			if err := d.openWriter(ctx, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// deadWriter is the number under which a dataflow counts the positions of its dead letters, which other dataflows write to the same topic.
func deadWriter(id string) uint32 { return 1<<31 | uint32(types.Hash(0, []byte(id))) }

// addParts adds the partitions of a source, at their beginnings (or, where the stream or query says so, elsewhere).
func (d *Dataflow) addParts(ctx context.Context, i int) error {
	s, fs := d.m.sources[i], d.sources[i]
	for p := int32(len(s.parts)); p < fs.source.Info().Partitions; p++ {
		start, err := startOffset(ctx, fs.source, p, d.startOption(s))
		if err != nil {
			return err
		}
		s.parts = append(s.parts, partState{partition: p, next: start, watermark: op.Always, greatest: op.Always, active: op.Always, upstream: op.Always})
	}
	return nil
}

// startOption is where the first query of the dataflow, or else the stream, says that reading begins.
func (d *Dataflow) startOption(s *sourceState) connectors.Options {
	if o := connectors.Options(d.m.prog.queries[0].object.Options); o["start"] != "" {
		return o
	}
	return s.spec.object.Options
}

// startOffset resolves earliest, latest or a time.
func startOffset(ctx context.Context, src connectors.Source, p int32, o connectors.Options) (int64, error) {
	start, end, err := src.Offsets(ctx, p)
	if err != nil {
		return 0, err
	}
	word, at := o.Time("start")
	switch {
	case word == "latest":
		return end, nil
	case at.IsZero():
		return start, nil
	}
	return src.OffsetForTime(ctx, p, at.UnixMicro())
}

func (d *Dataflow) openWriter(ctx context.Context, o *output) error {
	w, err := d.cfg.Broker.Writer(ctx, o.object.Topic)
	if err != nil {
		return err
	}
	fw := &flowWriter{out: o, writer: w, parts: w.Info().Partitions, ends: map[int32]int64{}}
	d.writers = append(d.writers, fw)
	for p := range fw.parts {
		last, err := w.Last(ctx, p, []uint32{o.writer})
		if err != nil {
			return err
		}
		fw.last = append(fw.last, last)
	}
	return nil
}

// Start runs the dataflow until Stop, or until it fails.
func (d *Dataflow) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	d.startReaders(ctx)
	d.setState("running", nil)
	d.wg.Go(func() { d.commitLoop(ctx) })
	go func() {
		defer close(d.done)
		err := d.loop(ctx)
		if err == nil && d.dirty {
			err = d.checkpoint(ctx)
		}
		close(d.commits)
		if err != nil && !errors.Is(err, context.Canceled) {
			d.setState("failed", types.AsError(err))
		}
	}()
}

func (d *Dataflow) startReaders(ctx context.Context) {
	parts := 0
	for _, s := range d.m.sources {
		parts += len(s.parts)
	}
	fetch := max(256<<10, min(d.cfg.FetchBytes, (64<<20)/max(parts, 1)))
	for i, s := range d.m.sources {
		fs := d.sources[i]
		for p := range s.parts {
			fs.readers = append(fs.readers, startReader(ctx, &d.wg, fs.source, s.parts[p].partition, s.parts[p].next, -1, fetch, 2*fetch, d.wakeUp))
		}
	}
}

func (d *Dataflow) wakeUp() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Wake tells the dataflow that a producer of one of its streams has got on.
func (d *Dataflow) Wake() { d.wakeUp() }

// Stop ends the dataflow with a checkpoint. Where topics or the disk do not get on it does without after Config.StopWait: what was journalled is
// published by the next start.
func (d *Dataflow) Stop() error {
	if d.cancel == nil {
		d.close()
		return nil
	}
	stopped := make(chan struct{})
	go d.giveUp(stopped)
	select {
	case d.finish <- nil: // the loop ends after the step that it is in
	case <-d.done:
	}
	<-d.done
	d.waitCommits(context.Background())
	d.cancel()
	d.wg.Wait()
	close(stopped)
	d.close()
	if s := d.Status(); s.State == "failed" {
		return s.Err
	}
	d.setState("stopped", nil)
	return nil
}

// giveUp cancels the dataflow if, until stopped, no commit gets done for Config.StopWait.
func (d *Dataflow) giveUp(stopped <-chan struct{}) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	done, since := d.completed.Load(), time.Now()
	for {
		select {
		case <-stopped:
			return
		case <-tick.C:
		}
		if now := d.completed.Load(); now != done || d.pending.Load() == 0 {
			done, since = now, time.Now()
		} else if time.Since(since) >= d.cfg.StopWait {
			d.cancel()
			return
		}
	}
}

// waitCommits waits until all that was committed is published, or ctx ends.
func (d *Dataflow) waitCommits(ctx context.Context) {
	for d.pending.Load() > 0 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
}

func (d *Dataflow) close() {
	for _, s := range d.sources {
		_ = s.source.Close()
	}
	for _, w := range d.writers {
		_ = w.writer.Close()
	}
	if d.journal != nil {
		_ = d.journal.Close()
	}
}

// Finish lets the dataflow run to the present end of its inputs, gives it the final watermark, and returns when all results are in their topics
// and the state is saved.
func (d *Dataflow) Finish(ctx context.Context) error {
	req := &finishRequest{done: make(chan error, 1)}
	select {
	case d.finish <- req:
	case <-d.done:
		return d.failure()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-req.done:
		return err
	case <-d.done:
		return d.failure()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *Dataflow) failure() error {
	if s := d.Status(); s.Err != nil {
		return s.Err
	}
	return types.Errorf(types.CodeNotInPrerequisite, "the dataflow has been stopped")
}

// Status returns the present state.
func (d *Dataflow) Status() Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status
}

func (d *Dataflow) setState(state string, err *types.Error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.status.State == "failed" {
		return // commits that are still on their way do not make it well
	}
	d.status.State, d.status.Err = state, err
}

// publishStatus shows the totals of the queries.
func (d *Dataflow) publishStatus() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status.Step = d.step
	d.status.Totals = d.status.Totals[:0:0]
	d.status.Failed = nil
	for _, q := range d.m.prog.queries {
		d.status.Totals = append(d.status.Totals, q.totals)
		d.status.Failed = append(d.status.Failed, q.failed)
	}
	d.status.Watermark, d.status.Idle = op.Never, 0
	d.status.Defects = map[string]map[string]Defects{}
	for _, s := range d.m.sources {
		d.status.Defects[s.spec.object.Name] = maps.Clone(s.defects)
		d.status.Watermark = min(d.status.Watermark, s.watermark)
		for i := range s.parts {
			if s.parts[i].idle {
				d.status.Idle++
			}
		}
	}
}

// Upstream returns the producer's side of an output, by its object.
func (d *Dataflow) Upstream(object uint32) Upstream {
	for i, o := range d.m.prog.outputs {
		if o.object.Number == object {
			return upstream{d, i}
		}
	}
	return nil
}

type upstream struct {
	d      *Dataflow
	output int
}

// Progress implements Upstream.
func (u upstream) Progress() (map[int32]int64, int64) {
	u.d.mu.Lock()
	defer u.d.mu.Unlock()
	p, ok := u.d.progress[u.output]
	if !ok {
		return nil, op.Always
	}
	return p.ends, p.watermark
}
