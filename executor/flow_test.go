package executor

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rhumb/connectors"
	"rhumb/executor/journal"
	"rhumb/executor/journal/faultfs"
	"rhumb/executor/op"
	"rhumb/expr"
	"rhumb/types"
)

// within fails the test if f takes longer than 15 seconds: what it tests for is hanging, not slowness.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(15 * time.Second):
		t.Fatalf("%s: hangs", what)
	}
}

// panicking is an operator that panics when it sees its nth batch.
type panicking struct {
	op.Operator
	left *atomic.Int64
}

func (p panicking) Process(x *op.Ctx, b *types.Batch, emit op.Emit) {
	p.Operator.Process(x, b, emit)
	if p.left.Add(-1) <= 0 {
		x.Expr.Errs = append(x.Expr.Errs, expr.RowError{Err: types.Errorf("XX000", "stale")}) // as an expression that was cut short leaves it
		panic("planted")
	}
}

func (p panicking) Pending() bool {
	g, ok := p.Operator.(pender)
	return ok && g.Pending()
}

// plant makes the operators of a query's stages panic.
func plant(d *Dataflow, query int, after int64) {
	left := &atomic.Int64{}
	left.Store(after)
	for _, st := range d.m.prog.stages {
		if st.query == query {
			for s := range st.ops {
				st.ops[s] = panicking{st.ops[s], left}
			}
		}
	}
}

// A query whose operator panics fails alone; the other goes on with the results that it would have had; the failure survives restarts,
// by replay and by checkpoint.
func TestOneQueryFails(t *testing.T) {
	l := proofLab(t, 21, 300)
	names := []string{"win", "wide", "plain"}
	r := rand.New(rand.NewPCG(1, 1))
	fs := l.journalOf(func() int { return 1 + r.IntN(40) }, names...) // the undisturbed run
	wide, plain := l.read("wide"), l.read("plain")

	rename := l.renamed()
	suffix := fmt.Sprintf(".v%d", l.made)
	failing := faultfs.New(1)
	m := newMortal(l.broker, 1<<40)
	failing.Fault = func(o faultfs.Op, name string) error {
		if o == faultfs.Open && strings.HasPrefix(name, "ckpt-") {
			m.die()
			return errDead
		}
		return m.fault(o, name)
	}
	r = rand.New(rand.NewPCG(1, 1))
	cfg := l.config(failing, 4)
	cfg.Cut, cfg.ChunkRows = func() int { return 1 + r.IntN(40) }, 50
	l.deadTo(&cfg, rename)
	dead := cfg.DeadLetters
	plans := l.plans(rename, names...)
	d := l.open(cfg, plans)
	plant(d, 0, 40)
	d.Start()
	go func() { _ = d.Finish(l.ctx()) }()
	<-m.died
	kill(d)
	failedAt := func(d *Dataflow) string {
		t.Helper()
		s := d.Status()
		if s.Failed[0] == nil || s.Failed[1] != nil || s.Failed[2] != nil {
			t.Fatalf("failed: %v", s.Failed)
		}
		return s.Failed[0].Message
	}
	said := failedAt(d)
	if !strings.Contains(said, "planted") || !strings.Contains(said, "failed at step") {
		t.Errorf("it says %q", said)
	}
	totals := d.Status().Totals
	failing.Fault = nil
	failures := 0
	replayed, err := journal.Open(copyFS(failing, 1), journal.Options{Fingerprint: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := replayed.Replay(func(_ uint64, rec []byte) error {
		s, err := journal.DecodeStep(rec)
		failures += len(s.Failed)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if failures != 1 {
		t.Errorf("%d failures are journalled, want 1", failures)
	}
	// By replay; then Stop makes a checkpoint, from which the next start loads it.
	for _, how := range []string{"replay", "checkpoint"} {
		cfg = l.config(failing, 2)
		cfg.DeadLetters = dead
		d = l.open(cfg, plans)
		if got := failedAt(d); got != said {
			t.Errorf("after a %s: %q, was %q", how, got, said)
		}
		if got := d.Status().Totals; fmt.Sprint(got) != fmt.Sprint(totals) {
			t.Errorf("after a %s the ledger is %v, was %v", how, got, totals)
		}
		l.runToEnd(d)
	}
	// Steps were cut alike only up to what the fetches gave, so the results are compared, not the positions.
	_ = fs
	sameStrings(t, "wide", l.results("wide"+suffix, false), l.results("wide", false))
	sameStrings(t, "plain", l.results("plain"+suffix, false), l.results("plain", false))
	if len(wide) == 0 || len(plain) == 0 {
		t.Error("no results: the test proves nothing")
	}
}

// What a failed query had left out in its last step is no dead letter, for a replay does not compute it.
func TestFailedQueryReplaysAlike(t *testing.T) {
	l := newLab(t)
	l.create(streamS + proofQueries)
	l.produce("s", 0, `{"ts":"2015-01-01T00:00:00Z","host":"a","v":0}`, `{"ts":"2015-01-01T00:00:01Z","host":"a","v":5}`)
	fs := faultfs.New(1)
	m := newMortal(l.broker, 1<<40)
	fs.Fault = func(o faultfs.Op, name string) error {
		if o == faultfs.Open && strings.HasPrefix(name, "ckpt-") {
			m.die()
			return errDead
		}
		return m.fault(o, name)
	}
	d := l.open(l.config(fs, 1), l.plans(nil, "win", "wide"))
	plant(d, 0, 1)
	d.Start()
	go func() { _ = d.Finish(l.ctx()) }()
	<-m.died
	kill(d)
	if n := len(l.read("s.rejected")); n != 0 {
		t.Errorf("%d dead letters of the step in which the query failed", n)
	}
	fs.Fault = nil
	d = l.open(l.config(fs, 1), l.plans(nil, "win", "wide")) // fails if the replay gives anything else
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
}

// A journal that does not give what it says is an error that names the step, and nothing of the step is published.
func TestReplayOfOtherResults(t *testing.T) {
	l := proofLab(t, 23, 100)
	fs := l.journalOf(func() int { return 20 }, "plain")
	changed := faultfs.New(1)
	from, err := journal.Open(fs, journal.Options{Fingerprint: "test"})
	if err != nil {
		t.Fatal(err)
	}
	to, err := journal.Open(changed, journal.Options{Fingerprint: "test"})
	if err != nil {
		t.Fatal(err)
	}
	var at uint64
	err = from.Replay(func(n uint64, rec []byte) error {
		s, err := journal.DecodeStep(rec)
		if err != nil {
			return err
		}
		if n >= 3 && at == 0 && len(s.Outputs) > 0 {
			s.Outputs[0].Digest[5] ^= 1
			at = n
		}
		var e types.Encoder
		s.AppendTo(&e)
		return to.Append(n, e.B)
	})
	if err != nil || to.Close() != nil || at == 0 {
		t.Fatalf("%v, changed step %d", err, at)
	}
	rename := l.renamed()
	cfg := l.config(changed, 1)
	l.deadTo(&cfg, rename)
	_, err = Open(l.ctx(), cfg, l.plans(rename, "plain"))
	if err == nil || types.AsError(err).Code != types.CodeDataCorrupted || !strings.Contains(err.Error(), fmt.Sprintf("step %d", at)) {
		t.Fatalf("the error is %v, want one that names step %d", err, at)
	}
	for _, r := range l.read("plain" + fmt.Sprintf(".v%d", l.made)) {
		if r.pos.Step >= at {
			t.Errorf("%+v was published", r)
		}
	}
}

// Records that are gone, and a topic that was made again, are errors that say so.
func TestInputIsGone(t *testing.T) {
	l := proofLab(t, 25, 50)
	fs := l.journalOf(func() int { return 10 }, "plain")
	for _, c := range []struct {
		name string
		b    connectors.Broker
		want []string
	}{
		{"retention", goneBroker{l.broker, 30}, []string{`"s"`, "30"}},
		{"fewer records", thinBroker{l.broker}, []string{`"s"`, "offsets"}},
	} {
		cfg := l.config(copyFS(fs, 1), 1)
		cfg.Broker = c.b
		_, err := Open(l.ctx(), cfg, l.plans(nil, "plain"))
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: the error %q does not name %s", c.name, err, w)
			}
		}
	}
	// A clean stop, then the topic is made again.
	flow := dir(t)
	rename := l.renamed()
	cfg := l.config(flow, 1)
	l.deadTo(&cfg, rename)
	plans := l.plans(rename, "wide")
	l.runToEnd(l.open(cfg, plans))
	if err := l.broker.DeleteTopic(l.ctx(), "s"); err != nil {
		t.Fatal(err)
	}
	l.topic("s", 3)
	_, err := Open(l.ctx(), cfg, plans)
	if err == nil || !strings.Contains(err.Error(), `"s"`) || !strings.Contains(err.Error(), "created again") {
		t.Errorf("a recreated topic: %v", err)
	}
}

// goneBroker is a broker whose topics have lost the records before an offset.
type goneBroker struct {
	connectors.Broker
	first int64
}

func (b goneBroker) Source(ctx context.Context, topic string) (connectors.Source, error) {
	s, err := b.Broker.Source(ctx, topic)
	return goneSource{s, b.first}, err
}

type goneSource struct {
	connectors.Source
	first int64
}

func (s goneSource) Fetch(ctx context.Context, p int32, from int64, most int, wait time.Duration) (*connectors.Records, error) {
	if from < s.first {
		return nil, types.Errorf(types.CodeNotInPrerequisite, "topic %q partition %d begins at offset %d", s.Info().Name, p, s.first)
	}
	return s.Source.Fetch(ctx, p, from, most, wait)
}

// thinBroker is a broker whose topics have lost single records.
type thinBroker struct{ connectors.Broker }

func (b thinBroker) Source(ctx context.Context, topic string) (connectors.Source, error) {
	s, err := b.Broker.Source(ctx, topic)
	return thinSource{s}, err
}

type thinSource struct{ connectors.Source }

func (s thinSource) Fetch(ctx context.Context, p int32, from int64, most int, wait time.Duration) (*connectors.Records, error) {
	r, err := s.Source.Fetch(ctx, p, from, most, wait)
	if err != nil || len(r.Offsets) < 2 {
		return r, err
	}
	c := *r
	c.Offsets, c.Times, c.Keys, c.Values = r.Offsets[1:], r.Times[1:], r.Keys[1:], r.Values[1:]
	if r.Headers != nil {
		c.Headers = r.Headers[1:]
	}
	return &c, nil
}

// gateBroker is a broker whose writers wait at a gate.
type gateBroker struct {
	connectors.Broker
	g *gate
}

type gate struct {
	open chan struct{}
	fail atomic.Bool // instead of waiting
	asks atomic.Int64
}

func newGate() *gate { return &gate{open: make(chan struct{})} }

func (b gateBroker) Writer(ctx context.Context, topic string) (connectors.Writer, error) {
	w, err := b.Broker.Writer(ctx, topic)
	return gateWriter{w, b.g}, err
}

type gateWriter struct {
	connectors.Writer
	g *gate
}

func (w gateWriter) Publish(ctx context.Context, p int32, msgs []connectors.Message) (int64, error) {
	w.g.asks.Add(1)
	if w.g.fail.Load() {
		return 0, types.Errorf("08006", "the broker is away")
	}
	select {
	case <-w.g.open:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return w.Writer.Publish(ctx, p, msgs)
}

// While a topic takes nothing, steps stop when so much waits; nothing is lost when it goes on.
func TestBackpressure(t *testing.T) {
	if testing.Short() {
		t.Skip("publishes 80 MB")
	}
	l := newLab(t)
	l.create(`CREATE STREAM s (ts timestamptz, k text, WATERMARK FOR ts AS ts) WITH (partitions = 1);
		CREATE STREAM copy AS SELECT ts, k, repeat(k, 1000) AS a FROM s;`)
	const rows = 16_000 // 16,000 results of 5 kB are more than may wait
	var batch []string
	for i := range rows {
		batch = append(batch, fmt.Sprintf(`{"ts":"2015-01-01T00:00:00Z","k":"%05d"}`, i))
		if len(batch) == 1000 {
			l.produce("s", 0, batch...)
			batch = batch[:0]
		}
	}
	g := newGate()
	cfg := l.config(dir(t), 2)
	cfg.Broker, cfg.Cut = gateBroker{l.broker, g}, func() int { return 500 }
	d := l.open(cfg, l.plans(nil, "copy"))
	d.Start()
	until(t, "backpressure", func() bool { return d.bytes.Load() > mostPending })
	step := d.Status().Step
	time.Sleep(50 * time.Millisecond)
	if got := d.Status().Step; got > step+1 {
		t.Errorf("steps go on: %d, then %d", step, got)
	}
	if got := d.bytes.Load(); got > mostPending+8<<20 {
		t.Errorf("%d bytes wait", got)
	}
	close(g.open)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := d.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	if n := len(l.read("copy")); n != rows {
		t.Errorf("%d results, want %d", n, rows)
	}
}

// Stop returns although a topic takes nothing (it hangs, or it fails); what was journalled is published by the next start.
func TestStopWhileBlocked(t *testing.T) {
	for _, how := range []string{"hangs", "fails"} {
		t.Run(how, func(t *testing.T) {
			l := proofLab(t, 31, 100)
			want := l.renamed()
			cfg := l.config(dir(t), 1)
			l.deadTo(&cfg, want)
			l.runToEnd(l.open(cfg, l.plans(want, "plain", "win")))
			wanted := fmt.Sprintf(".v%d", l.made)

			rename := l.renamed()
			suffix := fmt.Sprintf(".v%d", l.made)
			g := newGate()
			g.fail.Store(how == "fails")
			flow := dir(t)
			cfg = l.config(flow, 1)
			cfg.Broker, cfg.Cut, cfg.StopWait = gateBroker{l.broker, g}, func() int { return 10 }, 200*time.Millisecond
			l.deadTo(&cfg, rename)
			dead := cfg.DeadLetters
			d := l.open(cfg, l.plans(rename, "plain", "win"))
			d.Start()
			finish := make(chan error, 1)
			go func() { finish <- d.Finish(l.ctx()) }()
			until(t, "commits wait", func() bool { return d.pending.Load() > 1 })
			within(t, "Stop", func() { _ = d.Stop() })
			within(t, "Finish after Stop", func() {
				if err := <-finish; err == nil {
					t.Error("Finish says that all is in its topics")
				}
			})
			cfg = l.config(flow, 2)
			cfg.DeadLetters = dead
			l.runToEnd(l.open(cfg, l.plans(rename, "plain", "win")))
			for _, name := range []string{"plain", "win"} {
				sameStrings(t, name, l.results(name+suffix, false), l.results(name+wanted, false))
			}
		})
	}
}

// lateWriter is a topic that refuses the first request and would take the next: a commit that was given up must not be overtaken, for what
// the topic has after it is never published again.
type lateWriter struct {
	connectors.Writer
	refused *atomic.Int64
	cancel  *atomic.Pointer[Dataflow]
}

type lateBroker struct {
	connectors.Broker
	refused *atomic.Int64
	cancel  *atomic.Pointer[Dataflow]
}

func (b lateBroker) Writer(ctx context.Context, topic string) (connectors.Writer, error) {
	w, err := b.Broker.Writer(ctx, topic)
	return lateWriter{w, b.refused, b.cancel}, err
}

func (w lateWriter) Publish(ctx context.Context, p int32, msgs []connectors.Message) (int64, error) {
	if w.Info().Name == "merged" && w.refused.Add(-1) >= 0 {
		until(nil, "a second commit waits", func() bool { return w.cancel.Load().pending.Load() > 65 })
		w.cancel.Load().cancel()
		return 0, errDead
	}
	return w.Writer.Publish(context.Background(), p, msgs) // the request was on its way
}

func TestCommitsAreNotOvertaken(t *testing.T) {
	l := proofLab(t, 33, 300)
	want := l.renamed()
	cfg := l.config(dir(t), 1)
	l.deadTo(&cfg, want)
	l.runToEnd(l.open(cfg, l.plans(want, "merged")))
	wanted := fmt.Sprintf(".v%d", l.made)
	b := lateBroker{l.broker, &atomic.Int64{}, &atomic.Pointer[Dataflow]{}}
	b.refused.Store(1)
	flow := dir(t)
	cfg = l.config(flow, 1)
	cfg.Broker, cfg.Cut = b, func() int { return 1 }
	d := l.open(cfg, l.plans(nil, "merged"))
	b.cancel.Store(d)
	d.Start()
	within(t, "the end", func() { <-d.done; d.wg.Wait() })
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	if b.refused.Load() > 0 {
		t.Fatal("no request was refused: the test proves nothing")
	}
	t.Logf("%d results were published behind the refused ones", len(l.read("merged")))
	l.runToEnd(l.open(l.config(flow, 1), l.plans(nil, "merged")))
	sameStrings(t, "merged", l.results("merged", false), l.results("merged"+wanted, false))
}

// A dataflow that has failed stays failed, whatever the commits that were still on their way do.
func TestFailedStaysFailed(t *testing.T) {
	l := proofLab(t, 35, 50)
	g := newGate()
	g.fail.Store(true)
	cfg := l.config(dir(t), 1)
	cfg.Broker = gateBroker{l.broker, g}
	d := l.open(cfg, l.plans(nil, "plain"))
	d.Start()
	until(t, "paused", func() bool { return d.Status().State == "paused" })
	d.setState("failed", types.Errorf("XX000", "planted"))
	asked := g.asks.Load()
	until(t, "it is tried again", func() bool { return g.asks.Load() > asked+2 })
	close(g.open)
	g.fail.Store(false)
	until(t, "the commits are done", func() bool { return d.pending.Load() == 0 })
	if s := d.Status(); s.State != "failed" || s.Err == nil {
		t.Errorf("it is %s, %v", s.State, s.Err)
	}
	if err := d.Stop(); err == nil {
		t.Error("Stop does not say that it failed")
	}
}

// Two callers that ask for the end of the inputs both get an answer.
func TestTwoFinish(t *testing.T) {
	l := proofLab(t, 37, 200)
	cfg := l.config(dir(t), 1)
	cfg.Cut = func() int { return 3 }
	d := l.open(cfg, l.plans(nil, "win"))
	d.Start()
	within(t, "two Finish", func() {
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := d.Finish(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
}

// Nothing of ours runs on after Stop, after a failed Open, or after a dataflow has failed.
func TestNoGoroutinesLeft(t *testing.T) {
	l := proofLab(t, 41, 100)
	settle := func() int {
		n := runtime.NumGoroutine()
		for range 100 {
			time.Sleep(5 * time.Millisecond)
			if now := ours(); now == 0 {
				return 0
			}
			n = ours()
		}
		return n
	}
	for range 3 {
		rename := l.renamed()
		cfg := l.config(dir(t), 4)
		l.deadTo(&cfg, rename)
		l.runToEnd(l.open(cfg, l.plans(rename, proofNames...)))
	}
	rename := l.renamed()
	cfg := l.config(dir(t), 1)
	l.deadTo(&cfg, rename)
	cfg.Broker = goneBroker{l.broker, 1 << 40}
	d := l.open(cfg, l.plans(rename, "plain"))
	d.Start()
	until(t, "failed", func() bool { return d.Status().State == "failed" })
	if err := d.Stop(); err == nil || !strings.Contains(err.Error(), `"s"`) {
		t.Errorf("Stop of a failed dataflow: %v", err)
	}
	if n := settle(); n != 0 {
		buf := make([]byte, 1<<20)
		t.Errorf("%d goroutines are left:\n%s", n, buf[:runtime.Stack(buf, true)])
	}
}

// ours is the number of goroutines that run code of a dataflow.
func ours() int {
	buf := make([]byte, 4<<20)
	n := 0
	for _, g := range bytes.Split(buf[:runtime.Stack(buf, true)], []byte("\n\n")) {
		if bytes.Contains(g, []byte("executor.(*Dataflow)")) || bytes.Contains(g, []byte("executor.startReader")) {
			n++
		}
	}
	return n
}
