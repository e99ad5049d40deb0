package executor

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"rhumb/executor/journal/faultfs"
)

// journalOf runs the proof queries to the end of the input with the checkpoint that ends it failing, so that the journal holds every step.
func (l *lab) journalOf(cut func() int, names ...string) *faultfs.FS {
	l.t.Helper()
	fs := faultfs.New(1)
	reached := make(chan struct{}, 1)
	fs.Fault = func(o faultfs.Op, name string) error {
		if o == faultfs.Open && strings.HasPrefix(name, "ckpt-") {
			select {
			case reached <- struct{}{}:
			default:
			}
			return errDead
		}
		return nil
	}
	cfg := l.config(fs, 2)
	cfg.Cut, cfg.ChunkRows = cut, 50
	d := l.open(cfg, l.plans(nil, names...))
	d.Start()
	ended := make(chan error, 1)
	go func() { ended <- d.Finish(l.ctx()) }()
	select {
	case <-reached:
	case err := <-ended:
		l.t.Errorf("the checkpoint at the end was not tried: %v", err)
	}
	kill(d)
	fs.Fault = nil
	return fs
}

// Invariant (a): the same journal gives the same outputs bit for bit, on any number of workers, however rows are cut into chunks and fetches.
func TestSameJournalSameOutputs(t *testing.T) {
	l := proofLab(t, 1, sizes(300, 800, 3000))
	r := rand.New(rand.NewPCG(3, 3))
	fs := l.journalOf(func() int { return 1 + r.IntN(300) }, proofNames...)
	topics := append([]string{"s.rejected"}, proofNames...)
	want := map[string][]record{}
	for _, name := range topics {
		want[name] = l.read(name)
		if len(want[name]) == 0 {
			t.Fatalf("%s has no records: the test proves nothing", name)
		}
	}
	fetches := []int{1 << 20, 4 << 10, 900}
	for i, chunk := range []int{4096, 1, 7, 64, 50, 333, 1000, 2} {
		if i >= sizes(3, 8, 8) {
			break
		}
		workers := 1 + i
		t.Run(fmt.Sprintf("chunk=%d,workers=%d", chunk, workers), func(t *testing.T) {
			rename := l.renamed()
			cfg := l.config(copyFS(fs, 1), workers)
			cfg.ChunkRows, cfg.FetchBytes = chunk, fetches[i%len(fetches)]
			l.deadTo(&cfg, rename)
			d := l.open(cfg, l.plans(rename, proofNames...)) // recovery replays the journal
			if err := d.Stop(); err != nil {
				t.Fatal(err)
			}
			suffix := fmt.Sprintf(".v%d", l.made)
			for _, name := range topics {
				sameRecords(t, name, l.read(name+suffix), want[name])
			}
		})
	}
}

// The same after crashes: a dataflow that dies at random operations (half-written files, unacknowledged requests) and is opened again on
// what reached the disk ends with the results of one that never died, each position once, up to a repeated request that a crash cut off.
func TestCrashes(t *testing.T) {
	l := proofLab(t, 5, sizes(150, 300, 1000))
	clean := l.renamed()
	cfg := l.config(dir(t), 2)
	l.deadTo(&cfg, clean)
	l.runToEnd(l.open(cfg, l.plans(clean, proofNames...)))
	suffix := fmt.Sprintf(".v%d", l.made)
	for seed := range uint64(sizes(2, 6, 60)) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { l.crashes(t, seed, suffix) })
	}
}

func (l *lab) crashes(t *testing.T, seed uint64, clean string) {
	r := rand.New(rand.NewPCG(seed, 9))
	rename := l.renamed()
	suffix := fmt.Sprintf(".v%d", l.made)
	fs := faultfs.New(seed)
	plans := l.plans(rename, proofNames...)
	clock := tickingClock()
	var dead Config
	l.deadTo(&dead, rename)
	var died, killed int
	for alive := false; !alive; {
		m := newMortal(l.broker, 1+int64(r.IntN(60)))
		if died+killed > 12 {
			m.left.Store(1 << 40)
		}
		fs.Fault = m.fault
		cfg := l.config(fs, 1+r.IntN(4))
		cfg.Broker, cfg.Clock, cfg.DeadLetters = mortalBroker{l.broker, m}, clock, dead.DeadLetters
		cfg.ChunkRows = 1 + r.IntN(100)
		cut := rand.New(rand.NewPCG(seed, uint64(died)))
		cfg.Cut = func() int { return 1 + cut.IntN(60) }
		cfg.CheckpointEvery = 1 // whenever it can
		if r.IntN(2) == 0 {
			cfg.CheckpointEvery = 1 << 50
		}
		d, err := Open(l.ctx(), cfg, plans)
		if err != nil {
			if !m.dead.Load() {
				t.Fatalf("after %d crashes: open: %s", died, detailed(err))
			}
			died++
			fs.Crash()
			continue
		}
		d.Start()
		done := make(chan error, 1)
		go func() { done <- d.Finish(l.ctx()) }()
		select {
		case <-m.died:
			died++
		case err := <-done:
			if err != nil {
				t.Fatalf("finish: %s", detailed(err))
			}
			if alive = died > 2 || m.left.Load() > 1<<30; !alive {
				killed++
			}
			m.die()
		}
		kill(d)
		fs.Crash()
	}
	topics := append([]string{"s.rejected"}, proofNames...)
	for _, name := range topics {
		got, repeated := dedup(l.read(name + suffix))
		if repeated > 0 {
			t.Errorf("%s: %d positions are there twice", name, repeated)
		}
		noGaps(t, name, got)
		_ = got
		if name == "s.rejected" {
			continue // its values have the clock of their step
		}
		sameStrings(t, name, l.results(name+suffix, name == "hosts"), l.results(name+clean, name == "hosts"))
	}
}

// noGaps verifies that the ordinals of each step are 0, 1, 2 ... over the partitions of a topic.
func noGaps(t *testing.T, name string, recs []record) {
	t.Helper()
	seen := map[uint64]map[uint32]bool{}
	for _, r := range recs {
		if seen[r.pos.Step] == nil {
			seen[r.pos.Step] = map[uint32]bool{}
		}
		seen[r.pos.Step][r.pos.Ordinal] = true
	}
	for step, ordinals := range seen {
		for i := range uint32(len(ordinals)) {
			if !ordinals[i] {
				t.Errorf("%s: step %d has %d records but not number %d", name, step, len(ordinals), i)
				break
			}
		}
	}
}

// Invariant (b): different journals over the same input give the same final results when nothing is late.
func TestDifferentJournalsSameResults(t *testing.T) {
	l := proofLab(t, 11, sizes(150, 400, 2000))
	var want map[string][]string
	for seed := range uint64(sizes(3, 8, 60)) {
		r := rand.New(rand.NewPCG(seed, 4))
		rename := l.renamed()
		suffix := fmt.Sprintf(".v%d", l.made)
		cfg := l.config(dir(t), 1+r.IntN(4))
		l.deadTo(&cfg, rename)
		most := []int{1, 5, 40, 1000}[r.IntN(4)]
		if seed > 0 {
			cfg.Cut = func() int { return 1 + r.IntN(most) }
			cfg.StepBytes = 1 << (8 + r.IntN(14))
			cfg.ChunkRows = 1 + r.IntN(50)
		}
		d := l.open(cfg, l.plans(rename, proofNames...))
		l.runToEnd(d)
		for i, q := range d.Status().Totals {
			if q.Late != 0 {
				t.Fatalf("%s: %d rows were late", proofNames[i], q.Late)
			}
			if q.In != q.Used+q.Filtered+q.Late+q.Rejected+q.Future {
				t.Errorf("%s: the ledger does not add up: %+v", proofNames[i], q)
			}
		}
		got := map[string][]string{}
		for _, name := range proofNames {
			got[name] = l.results(name+suffix, name == "hosts")
			if seed > 0 {
				sameStrings(t, fmt.Sprintf("seed %d: %s", seed, name), got[name], want[name])
			}
		}
		if seed == 0 {
			want = got
		}
	}
}

// A full disk pauses the dataflow with the error for all to see; when there is room it goes on, and nothing is lost.
func TestJournalDiskFull(t *testing.T) {
	l := proofLab(t, 13, 60)
	clean := l.renamed()
	cfg := l.config(dir(t), 2)
	l.deadTo(&cfg, clean)
	l.runToEnd(l.open(cfg, l.plans(clean, proofNames...)))
	want := fmt.Sprintf(".v%d", l.made)
	rename := l.renamed()
	suffix := fmt.Sprintf(".v%d", l.made)
	fs := faultfs.New(3)
	var full atomic.Bool
	fs.Fault = func(o faultfs.Op, _ string) error {
		if full.Load() && (o == faultfs.Write || o == faultfs.Sync) {
			return errNoSpace
		}
		return nil
	}
	cfg = l.config(fs, 2)
	cfg.Cut = func() int { return 10 }
	l.deadTo(&cfg, rename)
	d := l.open(cfg, l.plans(rename, proofNames...))
	full.Store(true)
	d.Start()
	until(t, "paused", func() bool { s := d.Status(); return s.State == "paused" })
	if s := d.Status(); s.Err == nil || s.Err.Code != "53100" || !strings.Contains(s.Err.Message, "journal") || s.Err.Hint == "" {
		t.Errorf("the error is %+v", s.Err)
	}
	for _, name := range proofNames {
		if n := len(l.read(name + suffix)); n > 0 {
			t.Errorf("%s: %d results of steps that are not journalled were published", name, n)
		}
	}
	full.Store(false)
	if err := d.Finish(l.ctx()); err != nil {
		t.Fatal(err)
	}
	if s := d.Status(); s.State != "running" || s.Err != nil {
		t.Errorf("after there is room: %s, %v", s.State, s.Err)
	}
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, name := range proofNames {
		sameStrings(t, name, l.results(name+suffix, name == "hosts"), l.results(name+want, name == "hosts"))
	}
}
