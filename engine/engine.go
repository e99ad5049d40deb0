// Package engine is what the front doors talk to: it executes statements, runs the continuous queries and the cursors on their topics, and answers
// searches. It knows no technology, only the contracts of package connectors.
package engine

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"rhumb/catalog"
	"rhumb/connectors"
	"rhumb/executor"
	"rhumb/executor/journal"
	"rhumb/types"
)

// Version is the semantic version of the engine: what a journalled step computes may change only with it.
const Version = "0.1.0"

// Config is what an engine is given.
type Config struct {
	Dir    string // the data directory; the caller holds its lock
	Broker connectors.Broker
	Store  connectors.Store
	// Options verifies the WITH clause of a kind of object and fills in defaults.
	Options func(kind catalog.Kind) connectors.Spec
	Workers int // 0 = GOMAXPROCS
	Log     *slog.Logger
	// Flow is what tests change of the dataflows: sizes, cuts, planted bugs.
	Flow executor.Config
	// PlantCursor plants a bug: cursors save their position apart from the documents.
	PlantCursor bool
}

// Engine runs a data directory's objects. Safe for concurrent use.
type Engine struct {
	cfg  Config
	cat  *catalog.Catalog
	pool *executor.Pool

	ctx    context.Context // of the cursors
	cancel context.CancelFunc

	mu      sync.Mutex // held by DDL, and while flows and cursors change
	flows   []*flow
	pending []*catalog.Object // queries that have been created and not started: they may share a dataflow
	cursors map[uint32]*cursor

	upmu sync.RWMutex // guards ups, which dataflows read while they run
	ups  map[uint32]executor.Upstream
}

// flow is a dataflow and the queries that run in it.
type flow struct {
	id      string // number and version of its first query, when it was made; names its directory
	objects []*catalog.Object
	df      *executor.Dataflow
}

// Open opens the objects of a data directory and starts their queries where they were.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cat, err := catalog.Open(cfg.Dir)
	if err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg, cat: cat, pool: executor.NewPool(cfg.Workers), cursors: map[uint32]*cursor{}, ups: map[uint32]executor.Upstream{}}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	if err := e.reopen(ctx); err != nil {
		_ = e.Close()
		return nil, err
	}
	return e, nil
}

// reopen makes what the catalog says true again: topics, cursors, dataflows.
func (e *Engine) reopen(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	snap := e.cat.Snapshot()
	groups, err := e.loadGroups(snap)
	if err != nil {
		return err
	}
	grouped := map[uint32]bool{}
	for _, g := range groups {
		for _, o := range g.objects {
			grouped[o.Number] = true
		}
	}
	// Objects in the order of their numbers: what a query reads was created before it.
	for _, o := range objects(snap) {
		if err := e.prepare(ctx, o); err != nil {
			return err
		}
		if o.IsDerived() && !grouped[o.Number] {
			e.pending = append(e.pending, o)
		}
	}
	for _, g := range groups {
		if err := e.startFlow(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// objects returns the catalog's objects in the order of their numbers.
func objects(s *catalog.Snapshot) []*catalog.Object {
	var all []*catalog.Object
	for _, n := range s.Names() {
		o, _ := s.Object(n)
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b *catalog.Object) int { return int(a.Number) - int(b.Number) })
	return all
}

// prepare makes an object's topics, if they are not there, and starts its cursor.
func (e *Engine) prepare(ctx context.Context, o *catalog.Object) error {
	switch {
	case o.Kind == catalog.Source:
		if err := e.ensureTopic(ctx, o.Topic, o); err != nil {
			return err
		}
		dead := catalog.DeadLetters(o)
		if err := e.ensureTopic(ctx, dead.Topic, dead); err != nil {
			return err
		}
		return e.startCursor(ctx, dead)
	case o.IsDerived():
		if err := e.ensureTopic(ctx, o.Topic, o); err != nil {
			return err
		}
		return e.startCursor(ctx, o)
	}
	return nil
}

// ensureTopic creates a topic if there is none of the name.
func (e *Engine) ensureTopic(ctx context.Context, name string, o *catalog.Object) error {
	_, err := e.cfg.Broker.Topic(ctx, name)
	if err == nil || types.AsError(err).Code != types.CodeUndefinedTable {
		return err
	}
	opts := connectors.Options(o.Options)
	spec := connectors.TopicSpec{Name: name, Partitions: int32(max(opts.Int("partitions"), 1)), RetentionBytes: opts.Bytes("retention"), Compact: o.Upsert()}
	_, err = e.cfg.Broker.CreateTopic(ctx, spec)
	return err
}

// startCursor starts the cursor that brings an object's topic into the store.
func (e *Engine) startCursor(ctx context.Context, o *catalog.Object) error {
	topics := map[uint32]string{}
	for _, src := range objects(e.cat.Snapshot()) {
		topics[src.Number] = src.Topic
	}
	c, err := openCursor(ctx, o, topics, e.cfg.Store, e.cfg.Broker, e.cfg.PlantCursor)
	if err != nil {
		return err
	}
	e.cursors[o.Number] = c
	c.start(e.ctx)
	return nil
}

// fingerprint names everything that decides how a journalled step replays.
func (e *Engine) fingerprint() string {
	return fmt.Sprintf("rhumb %s, %s, seed %016x", Version, runtime.Version(), e.cat.Snapshot().Seed())
}

// StartPending starts the queries that were created since the last call. Those that read the same streams share a dataflow.
func (e *Engine) StartPending(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.startPending(ctx)
}

func (e *Engine) startPending(ctx context.Context) error {
	pending := e.pending
	e.pending = nil
	var order []string
	groups := map[string]*flow{}
	for _, o := range pending {
		key := e.reads(o)
		g := groups[key]
		if g == nil {
			g = &flow{id: member(o)}
			groups[key] = g
			order = append(order, key)
		}
		g.objects = append(g.objects, o)
	}
	for _, key := range order {
		g := groups[key]
		if err := e.saveGroup(g); err != nil {
			return err
		}
		if err := e.startFlow(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// reads is the set of streams that a query reads, and from where: queries of which it is the same can share a dataflow.
func (e *Engine) reads(o *catalog.Object) string {
	return e.sourceNames(o) + "\x00" + o.Options["start"]
}

// sourceNames lists the streams that a query reads.
func (e *Engine) sourceNames(o *catalog.Object) string {
	var names []string
	lookup := e.cat.Snapshot().As(o)
	for _, n := range o.DependsOn {
		if dep, ok := lookup.ByNumber(n); ok && dep.Kind != catalog.View {
			names = append(names, dep.Name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// startFlow opens and starts a dataflow.
func (e *Engine) startFlow(ctx context.Context, g *flow) error {
	plans, err := e.plans(g)
	if err != nil {
		return err
	}
	cfg := e.cfg.Flow
	if cfg.FS, err = journal.Dir(e.flowDir(g.id)); err != nil {
		return err
	}
	snap := e.cat.Snapshot()
	cfg.ID = g.id
	cfg.Broker, cfg.Pool, cfg.Seed, cfg.Fingerprint, cfg.CatalogVersion = e.cfg.Broker, e.pool, snap.Seed(), e.fingerprint(), snap.Version()
	cfg.DeadLetters = func(src *catalog.Object) *catalog.Object {
		if src.Kind != catalog.Source {
			return nil
		}
		return catalog.DeadLetters(src)
	}
	cfg.Upstream = func(object uint32) executor.Upstream {
		e.upmu.RLock()
		defer e.upmu.RUnlock()
		return e.ups[object]
	}
	cfg.Published = e.wakeFlows
	if g.df, err = executor.Open(ctx, cfg, plans); err != nil {
		return inDir(e.flowDir(g.id), err)
	}
	e.upmu.Lock()
	for _, o := range g.objects {
		e.ups[o.Number] = g.df.Upstream(o.Number)
	}
	e.flows = append(e.flows, g)
	e.upmu.Unlock()
	g.df.Start()
	return nil
}

// inDir says which directory the files are in that an error is about.
func inDir(dir string, err error) error {
	e := *types.AsError(err)
	if e.Code != types.CodeDataCorrupted {
		return err
	}
	e.Message = "in " + dir + ": " + e.Message
	return &e
}

// wakeFlows tells dataflows that read derived streams that there may be more.
func (e *Engine) wakeFlows() {
	e.upmu.RLock()
	defer e.upmu.RUnlock()
	for _, f := range e.flows {
		f.df.Wake()
	}
}

func (e *Engine) flowDir(id string) string { return filepath.Join(e.cfg.Dir, "flows", id) }

// Finish lets every query run to the present end of its inputs, with the final watermark, upstream before downstream.
func (e *Engine) Finish(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.startPending(ctx); err != nil {
		return err
	}
	for _, f := range e.flowsInOrder() {
		if err := f.df.Finish(ctx); err != nil {
			return fmt.Errorf("query %q: %w", f.objects[0].Name, err)
		}
		if err := f.failure(); err != nil {
			return err
		}
	}
	return nil
}

// flowsInOrder returns the dataflows so that each comes after those that it reads from. Numbers rise along dependencies, so the greatest number of
// what is read decides.
func (e *Engine) flowsInOrder() []*flow {
	depth := map[uint32]int{}
	snap := e.cat.Snapshot()
	var of func(n uint32) int
	of = func(n uint32) int {
		if d, ok := depth[n]; ok {
			return d
		}
		d := 0
		if o, ok := snap.ByNumber(n); ok {
			for _, m := range o.DependsOn {
				d = max(d, of(m)+1)
			}
		}
		depth[n] = d
		return d
	}
	e.upmu.RLock()
	flows := slices.Clone(e.flows)
	e.upmu.RUnlock()
	slices.SortStableFunc(flows, func(a, b *flow) int { return a.depth(of) - b.depth(of) })
	return flows
}

func (f *flow) depth(of func(uint32) int) int {
	d := 0
	for _, o := range f.objects {
		d = max(d, of(o.Number))
	}
	return d
}

// failure is the error of the first query of the flow that has failed.
func (f *flow) failure() error {
	s := f.df.Status()
	if s.Err != nil && s.State == "failed" {
		return s.Err
	}
	for i, err := range s.Failed {
		if err != nil {
			return fmt.Errorf("query %q has failed: %w", f.objects[i].Name, err)
		}
	}
	return nil
}

// WaitStored returns when the store has all that is in the topics of the objects now.
func (e *Engine) WaitStored(ctx context.Context, numbers ...uint32) error {
	for _, n := range numbers {
		e.mu.Lock()
		c := e.cursors[n]
		e.mu.Unlock()
		if c == nil {
			continue
		}
		if err := c.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Stored returns the objects that have a cursor into the store.
func (e *Engine) Stored() []uint32 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Sorted(maps.Keys(e.cursors))
}

// Close stops the queries with a checkpoint, and the cursors.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var first error
	flows := e.flowsInOrder()
	slices.Reverse(flows)
	for _, f := range flows {
		if err := f.df.Stop(); err != nil && first == nil {
			first = err
		}
	}
	e.cancel()
	for _, c := range e.cursors {
		c.stop()
	}
	e.upmu.Lock()
	e.flows = nil
	e.upmu.Unlock()
	return first
}

// Paused returns what keeps queries from going on, by query: a full disk, a broker that is away.
func (e *Engine) Paused() map[string]error {
	e.upmu.RLock()
	defer e.upmu.RUnlock()
	out := map[string]error{}
	for _, f := range e.flows {
		if s := f.df.Status(); s.State == "paused" {
			out[f.objects[0].Name] = s.Err
		}
	}
	return out
}

// purge removes what a dropped query left in the data directory. Its topic and documents stay.
func (e *Engine) purge(id string) error { return os.RemoveAll(e.flowDir(id)) }

// stopTimeout is how long a statement waits for a dataflow to stop.
const stopTimeout = 30 * time.Second
