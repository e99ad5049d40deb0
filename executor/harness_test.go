package executor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"rhumb/catalog"
	"rhumb/connectors"
	"rhumb/connectors/kafka"
	"rhumb/executor/journal"
	"rhumb/executor/journal/faultfs"
	"rhumb/parser"
	"rhumb/planner"
	"rhumb/types"
)

// lab is an embedded broker and a catalog, over which a test opens dataflows. Dataflows die (crash) while the broker lives on.
type lab struct {
	t      testing.TB
	broker connectors.Broker
	cat    *catalog.Catalog
	made   int // output topics renamed
}

func newLab(t testing.TB) *lab {
	t.Helper()
	b, err := kafka.Embedded(filepath.Join(t.TempDir(), "broker"), kafka.EmbeddedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	c, err := catalog.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &lab{t: t, broker: b, cat: c}
}

func (l *lab) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	l.t.Cleanup(cancel)
	return ctx
}

// create carries out CREATE statements, with their topics.
func (l *lab) create(sql string) {
	l.t.Helper()
	stmts, err := parser.Parse(sql)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, p := range stmts {
		var o *catalog.Object
		spec := kafka.SourceOptions
		env := planner.Env{Catalog: l.cat.Snapshot()}
		switch s := p.Stmt.(type) {
		case *parser.CreateStream:
			o, err = planner.BindSource(s, env)
		case *parser.CreateAs:
			kind := catalog.Derived
			spec = kafka.StreamOptions
			if s.Kind == parser.KindMatView {
				kind, spec = catalog.MatView, kafka.ViewOptions
			}
			_, o, err = planner.BindContinuous(kind, s.Name.Name, s.Query, s.Options, env)
			if o != nil {
				o.Query = s.QueryText
			}
		}
		if err != nil {
			l.t.Fatalf("%s: %v", p.Text, err)
		}
		opts, fault := spec.Resolve(o.Options)
		if fault != nil {
			l.t.Fatal(fault.Err)
		}
		o.Options, o.Text, o.Canonical = opts, p.Text, p.Canonical
		if o.Topic = opts["topic"]; o.Topic == "" {
			o.Topic = o.Name
		}
		made, _, err := l.cat.Create(o, catalog.New)
		if err != nil {
			l.t.Fatal(err)
		}
		l.topic(made.Topic, int32(connectors.Options(opts).Int("partitions")))
		if made.Kind == catalog.Source {
			l.topic(catalog.DeadLetters(made).Topic, 1)
		}
	}
}

func (l *lab) topic(name string, partitions int32) {
	l.t.Helper()
	if _, err := l.broker.CreateTopic(l.ctx(), connectors.TopicSpec{Name: name, Partitions: partitions}); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) object(name string) *catalog.Object {
	o, ok := l.cat.Snapshot().Object(name)
	if !ok {
		l.t.Fatalf("no object %q", name)
	}
	return o
}

// plans binds the named queries as the engine does. rename gives the topic that an object's results go to.
func (l *lab) plans(rename func(string) string, names ...string) []planner.Node {
	l.t.Helper()
	var plans []planner.Node
	for _, name := range names {
		o := *l.object(name)
		sel, err := planner.ParseQuery(o.Query)
		if err != nil {
			l.t.Fatal(err)
		}
		out, _, err := planner.BindContinuous(o.Kind, o.Name, sel, nil, planner.Env{Catalog: l.cat.Snapshot().As(&o)})
		if err != nil {
			l.t.Fatal(err)
		}
		if rename != nil {
			o.Topic = rename(o.Topic)
		}
		out.Object = &o
		plans = append(plans, planner.Optimize(out, planner.Setting{}))
	}
	return plans
}

// config is a Config whose clock begins in 2015 and rises a little with each reading.
func (l *lab) config(fs journal.FS, workers int) Config {
	return Config{FS: fs, Broker: l.broker, Pool: NewPool(workers), Seed: 7, Fingerprint: "test", Clock: tickingClock(),
		CheckpointEvery: time.Hour, DeadLetters: func(o *catalog.Object) *catalog.Object {
			if o.Kind != catalog.Source {
				return nil
			}
			return catalog.DeadLetters(o)
		}}
}

const epoch = int64(1_420_070_400_000_000) // 2015-01-01, microseconds

func tickingClock() func() int64 {
	var n atomic.Int64
	n.Store(epoch + 86400_000_000)
	return func() int64 { return n.Add(1000) }
}

func (l *lab) open(cfg Config, plans []planner.Node) *Dataflow {
	l.t.Helper()
	d, err := Open(l.ctx(), cfg, plans)
	if err != nil {
		l.t.Fatalf("open: %v", detailed(err))
	}
	l.t.Cleanup(func() { // of a test that failed before it stopped it
		if d.cancel != nil {
			d.cancel()
			<-d.done
			d.wg.Wait()
		}
	})
	return d
}

func detailed(err error) string {
	e := types.AsError(err)
	return e.Message + " / " + e.Detail
}

// kill ends a dataflow as a crash does: nothing more is journalled, checkpointed or published. The caller's faults see to what the last
// operations did; see mortal.
func kill(d *Dataflow) {
	d.cancel()
	<-d.done
	d.wg.Wait()
	for _, s := range d.sources {
		_ = s.source.Close()
	}
	for _, w := range d.writers {
		_ = w.writer.Close()
	}
}

// produce appends values to a topic's partition, one batch a call.
func (l *lab) produce(topic string, partition int32, values ...string) {
	l.t.Helper()
	w, err := l.broker.Writer(l.ctx(), topic)
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	var msgs []connectors.Message
	for _, v := range values {
		msgs = append(msgs, connectors.Message{Value: []byte(v), Time: epoch})
	}
	if _, err := w.Publish(l.ctx(), partition, msgs); err != nil {
		l.t.Fatal(err)
	}
}

// record is a record of an output topic.
type record struct {
	partition  int32
	pos        connectors.Position
	key, value string
	id         string
	lineage    string
	detected   string
}

// read returns all records of a topic, partition by partition.
func (l *lab) read(topic string) []record {
	l.t.Helper()
	src, err := l.broker.Source(l.ctx(), topic)
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = src.Close() }()
	var all []record
	for p := range src.Info().Partitions {
		at, end, err := src.Offsets(l.ctx(), p)
		if err != nil {
			l.t.Fatal(err)
		}
		for at < end {
			recs, err := src.Fetch(l.ctx(), p, at, 1<<20, time.Second)
			if err != nil {
				l.t.Fatal(err)
			}
			for i := range recs.Offsets {
				all = append(all, decodeRecord(l.t, p, recs, i))
			}
			at = recs.Next
		}
	}
	return all
}

func decodeRecord(t testing.TB, p int32, recs *connectors.Records, i int) record {
	r := record{partition: p, key: string(recs.Keys[i]), value: string(recs.Values[i])}
	if recs.Headers == nil {
		return r
	}
	for _, h := range recs.Headers[i] {
		switch h.Key {
		case connectors.HeaderPosition:
			var err error
			if r.pos, err = connectors.DecodePosition(h.Value); err != nil {
				t.Fatal(err)
			}
		case connectors.HeaderID:
			r.id = string(h.Value)
		case connectors.HeaderLineage:
			r.lineage = string(h.Value)
		case connectors.HeaderDetected:
			r.detected = string(h.Value)
		}
	}
	return r
}

// values are the records' values in order.
func (l *lab) values(topic string) []string {
	l.t.Helper()
	var vs []string
	for _, r := range l.read(topic) {
		vs = append(vs, r.value)
	}
	return vs
}

// sameRecords compares what two topics hold, bit for bit.
func sameRecords(t testing.TB, what string, got, want []record) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d records, want %d", what, len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s: record %d is\n%+v, want\n%+v", what, i, got[i], want[i])
		}
	}
}

// dedup drops positions that are not after the last of their partition, and reports how many it dropped.
func dedup(recs []record) (kept []record, dropped int) {
	last := map[int32]connectors.Position{}
	for _, r := range recs {
		if l, ok := last[r.partition]; ok && !r.pos.After(l) {
			dropped++
			continue
		}
		last[r.partition] = r.pos
		kept = append(kept, r)
	}
	return kept, dropped
}

// results are the records of a topic without what depends on how the input was cut into steps: for an upsert topic the last of each id.
func (l *lab) results(topic string, upsert bool) []string {
	l.t.Helper()
	last := map[string]string{}
	var all []string
	for _, r := range l.read(topic) {
		s := fmt.Sprintf("%s %s %s %x", r.id, r.key, r.value, r.lineage)
		if upsert {
			last[r.id] = s
		} else {
			all = append(all, s)
		}
	}
	for _, s := range last {
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

func sameStrings(t testing.TB, what string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s: %d results, want %d; the first that differs, %d:\n%s, want\n%s", what, len(got), len(want), i, got[i], want[i])
		}
	}
	t.Fatalf("%s: %d results, want %d", what, len(got), len(want))
}

// mortal is what a dying process's file system and broker are: after a number of operations that change something all fail. The
// operation at which it dies is half done, or done without the caller hearing of it.
type mortal struct {
	left   atomic.Int64
	dead   atomic.Bool
	died   chan struct{}
	once   sync.Once
	broker connectors.Broker
}

var (
	errDead    = errors.New("the process is dead")
	errNoSpace = syscall.ENOSPC
)

func newMortal(b connectors.Broker, operations int64) *mortal {
	m := &mortal{died: make(chan struct{}), broker: b}
	m.left.Store(operations)
	return m
}

// hit reports whether an operation is the last (now), or comes after it.
func (m *mortal) hit() (now, dead bool) {
	n := m.left.Add(-1)
	if n <= 0 {
		m.die()
	}
	return n == 0, n <= 0
}

func (m *mortal) die() {
	m.dead.Store(true)
	m.once.Do(func() { close(m.died) })
}

// fault is for faultfs.FS.
func (m *mortal) fault(o faultfs.Op, _ string) error {
	if o == faultfs.Read || o == faultfs.List || o == faultfs.Open {
		if m.dead.Load() {
			return errDead
		}
		return nil
	}
	if _, dead := m.hit(); dead {
		return errDead
	}
	return nil
}

// mortalBroker is a broker whose writers die.
type mortalBroker struct {
	connectors.Broker
	m *mortal
}

func (b mortalBroker) Writer(ctx context.Context, topic string) (connectors.Writer, error) {
	w, err := b.Broker.Writer(ctx, topic)
	return mortalWriter{w, b.m}, err
}

type mortalWriter struct {
	connectors.Writer
	m *mortal
}

func (w mortalWriter) Publish(ctx context.Context, p int32, msgs []connectors.Message) (int64, error) {
	now, dead := w.m.hit()
	if now {
		// The request reaches the broker, at least in part; its answer does not come.
		_, _ = w.Writer.Publish(context.Background(), p, msgs[:(len(msgs)+1)/2])
	}
	if dead {
		return 0, errDead
	}
	return w.Writer.Publish(ctx, p, msgs)
}

// runToEnd finishes a dataflow and stops it.
func (l *lab) runToEnd(d *Dataflow) {
	l.t.Helper()
	d.Start()
	if err := d.Finish(l.ctx()); err != nil {
		l.t.Fatalf("finish: %v", detailed(err))
	}
	if err := d.Stop(); err != nil {
		l.t.Fatalf("stop: %v", detailed(err))
	}
}

// copyFS copies a directory as it is.
func copyFS(fs *faultfs.FS, seed uint64) *faultfs.FS {
	c := faultfs.New(seed)
	files, _ := fs.List()
	for _, f := range files {
		c.Put(f.Name, bytes.Clone(fs.Bytes(f.Name)))
	}
	return c
}

func (l *lab) renamed() func(string) string {
	l.made++
	suffix := fmt.Sprintf(".v%d", l.made)
	made := map[string]bool{}
	return func(topic string) string {
		if made[topic] {
			return topic + suffix
		}
		made[topic] = true
		info, err := l.broker.Topic(l.ctx(), topic)
		if err != nil {
			l.t.Fatal(err)
		}
		l.topic(topic+suffix, info.Partitions)
		return topic + suffix
	}
}

// deadTo makes a config's dead letters go to a topic of their own.
func (l *lab) deadTo(cfg *Config, rename func(string) string) {
	topics := map[uint32]*catalog.Object{}
	cfg.DeadLetters = func(o *catalog.Object) *catalog.Object {
		if o.Kind != catalog.Source {
			return nil
		}
		if topics[o.Number] == nil {
			dead := catalog.DeadLetters(o)
			dead.Topic = rename(dead.Topic)
			topics[o.Number] = dead
		}
		return topics[o.Number]
	}
}

func dir(t testing.TB) journal.FS {
	t.Helper()
	fs, err := journal.Dir(filepath.Join(t.TempDir(), "flow"))
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

// events makes n rows of stream s for a partition: event times rise by up to 7 seconds with disorder below the stream's delay of 10. Of
// a hundred rows some are undecodable, have no time, or fail in an expression of a query.
func events(r *rand.Rand, n int) []string {
	var out []string
	at := 0
	for range n {
		at += r.IntN(7)
		ts := time.UnixMicro(epoch).UTC().Add(time.Duration(at-r.IntN(9)) * time.Second).Format("2006-01-02T15:04:05Z")
		v, host := r.IntN(100), r.IntN(12)
		switch k := r.IntN(100); k {
		case 0:
			out = append(out, `{"ts": "`+ts+`", "host": "h`)
		case 1:
			out = append(out, fmt.Sprintf(`{"ts": null, "host": "h%d", "v": %d}`, host, v))
		case 2:
			out = append(out, fmt.Sprintf(`{"ts": %q, "host": null, "v": null, "tags": null}`, ts))
		default:
			tags := strings.Repeat(`"a",`, r.IntN(3)) + `"z"`
			if r.IntN(5) == 0 {
				tags = ""
			}
			out = append(out, fmt.Sprintf(`{"ts": %q, "host": "h%d", "v": %d, "tags": [%s]}`, ts, host, v, tags))
		}
	}
	return out
}

const streamS = `CREATE STREAM s (ts timestamptz, host text, v bigint, tags text[], WATERMARK FOR ts AS ts - INTERVAL '10 seconds') WITH (partitions = 3);`

// The queries of the proofs: every operator of continuous queries, and rows that each of them rejects (100 / v).
const proofQueries = `
CREATE STREAM plain WITH (partitions = 2) AS SELECT host, 100 / v AS q, ts FROM s WHERE v < 60;
CREATE STREAM tags AS SELECT ts, host, t FROM s, unnest(tags) AS x(t) WHERE v > 20;
CREATE STREAM merged AS SELECT ts, host, v FROM s WHERE v < 10 UNION ALL SELECT ts, host, 1000 / v FROM s WHERE v < 30;
CREATE STREAM win WITH (partitions = 2) AS SELECT host, count(*) AS n, sum(v) AS sum, min(v) AS least, array_agg(v) AS vs, window_end
  FROM TUMBLE(s, ts, INTERVAL '1 minute') WHERE 100 / v >= 1 GROUP BY host, window_start, window_end HAVING count(*) > 1;
CREATE STREAM wide AS SELECT count(*) AS n, count(DISTINCT host) AS hosts, window_end FROM TUMBLE(s, ts, INTERVAL '5 minutes') GROUP BY window_start, window_end;
CREATE MATERIALIZED VIEW hosts AS SELECT host, count(*) AS n, max(ts) AS last, first(v) AS f FROM s GROUP BY host;`

var proofNames = []string{"plain", "tags", "merged", "win", "wide", "hosts"}

// proofLab has the stream and the queries of the proofs, and n events a partition.
func proofLab(t testing.TB, seed uint64, n int) *lab {
	l := newLab(t)
	l.create(streamS + proofQueries)
	r := rand.New(rand.NewPCG(seed, 2))
	for p := range int32(3) {
		rows := events(r, n)
		for len(rows) > 0 { // batches of several sizes
			k := min(len(rows), 1+r.IntN(80))
			l.produce("s", p, rows[:k]...)
			rows = rows[k:]
		}
	}
	return l
}

func long() bool { return os.Getenv("RHUMB_LONG") != "" }

// sizes picks the size of a test: -short, default, RHUMB_LONG=1.
func sizes(short, normal, more int) int {
	switch {
	case long():
		return more
	case testing.Short():
		return short
	}
	return normal
}

// until waits for a condition.
func until(t testing.TB, what string, f func() bool) {
	if t != nil {
		t.Helper()
	}
	for end := time.Now().Add(15 * time.Second); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			if t == nil { // a goroutine that is not the test's
				return
			}
			t.Fatalf("timed out: %s", what)
		}
	}
}
