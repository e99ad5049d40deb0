package executor

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"rhumb/executor/op"
)

const minuteQuery = `CREATE STREAM m AS SELECT k, count(*) AS n, window_start FROM TUMBLE(s, ts, INTERVAL '1 minute') GROUP BY k, window_start, window_end;`

func row(at int, k string) string {
	return fmt.Sprintf(`{"ts":%q,"k":%q}`, time.UnixMicro(epoch).UTC().Add(time.Duration(at)*time.Second).Format(time.RFC3339), k)
}

// source makes the stream of these tests.
func (l *lab) source(partitions int, options string) {
	l.create(fmt.Sprintf(`CREATE STREAM s (ts timestamptz, k text, WATERMARK FOR ts AS ts) WITH (partitions = %d, idle_timeout = '%s');`,
		partitions, options) + minuteQuery)
}

func at(seconds int64) int64 { return epoch + seconds*1_000_000 }

// watermarkIs waits until the dataflow's watermark is t, and looks that it goes no further.
func watermarkIs(t *testing.T, d *Dataflow, want int64) {
	t.Helper()
	until(t, fmt.Sprintf("watermark %d, it is %d", want, d.Status().Watermark), func() bool { return d.Status().Watermark >= want })
	time.Sleep(20 * time.Millisecond)
	if got := d.Status().Watermark; got != want {
		t.Fatalf("watermark %d s, want %d s", (got-epoch)/1_000_000, (want-epoch)/1_000_000)
	}
}

// The slowest partition holds the watermark; one without any record does until it is idle, and holds it again when records come.
func TestWatermarkOfPartitions(t *testing.T) {
	l := newLab(t)
	l.source(3, "1h")
	d := l.open(l.config(dir(t), 2), l.plans(nil, "m"))
	d.Start()
	defer func() { _ = d.Stop() }()
	l.produce("s", 0, row(10, "a"), row(200, "a"))
	l.produce("s", 1, row(70, "b"))
	until(t, "steps", func() bool { s := d.Status(); return len(s.Totals) > 0 && s.Totals[0].In == 3 })
	if w := d.Status().Watermark; w != op.Always {
		t.Errorf("partition 2 has no record, yet the watermark is %d", w)
	}
	l.produce("s", 2, row(130, "c"))
	watermarkIs(t, d, at(70))
	l.produce("s", 1, row(500, "b"))
	watermarkIs(t, d, at(130))
	l.produce("s", 2, row(100, "c")) // no row takes it back
	l.produce("s", 0, row(201, "a"))
	watermarkIs(t, d, at(130))
}

func TestIdlePartitions(t *testing.T) {
	l := newLab(t)
	l.source(2, "300ms")
	d := l.open(l.config(dir(t), 2), l.plans(nil, "m"))
	d.Start()
	defer func() { _ = d.Stop() }()
	until(t, "both idle", func() bool { return d.Status().Idle == 2 })
	if w := d.Status().Watermark; w != op.Always {
		t.Errorf("all are idle and nothing came, yet the watermark is %d", w)
	}
	l.produce("s", 0, row(100, "a"))
	watermarkIs(t, d, at(100)) // partition 1 is idle and holds nothing back
	until(t, "both idle again", func() bool { return d.Status().Idle == 2 })
	watermarkIs(t, d, at(100)) // all are idle: it does not move
	l.produce("s", 1, row(300, "b"))
	until(t, "the row is taken", func() bool { return d.Status().Totals[0].In == 2 })
	watermarkIs(t, d, at(300)) // partition 0 is idle
}

// close_after counts the steps' clock from the last record of a stream of which every partition is idle.
func TestCloseAfter(t *testing.T) {
	l := newLab(t)
	l.source(2, "100ms', close_after = '60s")
	var clock atomic.Int64
	clock.Store(at(86400))
	cfg := l.config(dir(t), 2)
	cfg.Clock = clock.Load
	d := l.open(cfg, l.plans(nil, "m"))
	d.Start()
	defer func() { _ = d.Stop() }()
	until(t, "both idle before the first record", func() bool { return d.Status().Idle == 2 })
	l.produce("s", 0, row(59, "a"))
	until(t, "the row is taken", func() bool { s := d.Status(); return len(s.Totals) > 0 && s.Totals[0].In == 1 })
	until(t, "both idle", func() bool { return d.Status().Idle == 2 })
	clock.Add(59_000_000)
	watermarkIs(t, d, at(59))
	clock.Add(1_000_000)
	watermarkIs(t, d, at(59)+1) // just past the latest event
	l.produce("s", 1, row(125, "b"))
	watermarkIs(t, d, at(125))
	until(t, "the first window", func() bool { return len(l.read("m")) == 1 })
}

// After the final watermark windows that begin at or before the greatest event time have closed: their later rows are late; others are not.
func TestMoreAfterTheEnd(t *testing.T) {
	l := newLab(t)
	l.source(2, "1h")
	flow := dir(t)
	for i, c := range []struct {
		rows []string
		want []string
		late int64
	}{
		{[]string{row(10, "a"), row(70, "a")}, []string{`00:00 1`, `01:00 1`}, 0},
		{[]string{row(119, "a"), row(60, "a"), row(20, "a"), row(120, "a")}, []string{`00:00 1`, `01:00 1`, `02:00 1`}, 3},
		{[]string{row(179, "a"), row(180, "a"), row(181, "b")}, []string{`00:00 1`, `01:00 1`, `02:00 1`, `03:00 1`, `03:00 1`}, 4},
	} {
		l.produce("s", int32(i%2), c.rows...)
		d := l.open(l.config(flow, 2), l.plans(nil, "m")) // a restart between the ends
		l.runToEnd(d)
		var got []string
		for _, r := range l.read("m") {
			var hour, minute, second, n int
			k := r.value[6:7]
			if _, err := fmt.Sscanf(r.value, `{"k":"`+k+`","n":%d,"window_start":"2015-01-01T%d:%d:%d`, &n, &hour, &minute, &second); err != nil {
				t.Fatalf("%s: %v", r.value, err)
			}
			got = append(got, fmt.Sprintf("%02d:%02d %d", minute, second, n))
		}
		sameStrings(t, fmt.Sprintf("end %d", i), got, c.want)
		if late := d.Status().Totals[0].Late; late != c.late {
			t.Errorf("end %d: %d rows were late, want %d", i, late, c.late)
		}
	}
}

// A stream over a stream has the watermark of its producer, which its own rows do not tell; also after either was started again.
func TestHandOver(t *testing.T) {
	l := newLab(t)
	l.source(1, "1h")
	l.create(`CREATE STREAM big AS SELECT k, count(*) AS c, window_start FROM TUMBLE(m, _timestamp, INTERVAL '10 minutes') GROUP BY k, window_start, window_end;`)
	upFS, downFS := dir(t), dir(t)
	var up *Dataflow
	open := func() (*Dataflow, *Dataflow) {
		up = l.open(l.config(upFS, 2), l.plans(nil, "m"))
		cfg := l.config(downFS, 2)
		m := l.object("m").Number
		cfg.Upstream = func(o uint32) Upstream {
			if o == m {
				return up.Upstream(m)
			}
			return nil
		}
		down := l.open(cfg, l.plans(nil, "big"))
		up.Start()
		down.Start()
		return up, down
	}
	u, d := open()
	l.produce("s", 0, row(5, "a"), row(61, "a"))
	watermarkIs(t, d, at(61))
	l.produce("s", 0, row(650, "b"))
	watermarkIs(t, d, at(650))
	for _, df := range []*Dataflow{d, u} {
		if err := df.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	u, d = open()
	watermarkIs(t, d, at(650)) // known again without a new row
	l.produce("s", 0, row(1300, "b"))
	watermarkIs(t, d, at(1300))
	for _, df := range []*Dataflow{u, d} {
		if err := df.Finish(l.ctx()); err != nil {
			t.Fatal(err)
		}
	}
	for _, df := range []*Dataflow{d, u} {
		if err := df.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(l.read("big")); n != 3 {
		t.Errorf("%d results, want 3: %v", n, l.values("big"))
	}
}

// ahead is a producer that has always published more than its reader has read when it is asked.
type ahead struct {
	l *lab
	n atomic.Int64
}

func (a *ahead) Progress() (map[int32]int64, int64) {
	n := a.n.Add(1)
	return map[int32]int64{0: n + 5}, at(n)
}

// A reader that is always a little behind its producer still gets on: it takes over the watermark of the place that it has come to.
func TestHandOverToASlowReader(t *testing.T) {
	l := newLab(t)
	l.source(1, "1h")
	l.create(`CREATE STREAM big AS SELECT k, count(*) AS c, window_start FROM TUMBLE(m, _timestamp, INTERVAL '10 minutes') GROUP BY k, window_start, window_end;`)
	for i := range 400 {
		l.produce("m", 0, fmt.Sprintf(`{"k":"a","n":%d,"window_start":"2015-01-01T00:00:00Z"}`, i))
	}
	a := &ahead{l: l}
	cfg := l.config(dir(t), 1)
	cfg.Upstream = func(uint32) Upstream { return a }
	cfg.Cut = func() int { return 1 }
	d := l.open(cfg, l.plans(nil, "big"))
	d.Start()
	defer func() { _ = d.Stop() }()
	until(t, "a watermark", func() bool { return d.Status().Watermark > op.Always || a.n.Load() > 1200 })
	if a.n.Load() > 1200 {
		t.Error("the watermark was never handed over")
	}
}

// start = 'latest' is decided once: what comes between the first start and a crash is not passed over.
func TestStartLatestSurvivesACrash(t *testing.T) {
	l := newLab(t)
	l.create(`CREATE STREAM s (ts timestamptz, k text, WATERMARK FOR ts AS ts) WITH (partitions = 1, start = 'latest');
		CREATE STREAM copy AS SELECT ts, k FROM s;`)
	l.produce("s", 0, row(1, "before"))
	flow := dir(t)
	d := l.open(l.config(flow, 1), l.plans(nil, "copy"))
	d.Start()
	kill(d) // before the first step
	l.produce("s", 0, row(2, "after"))
	l.runToEnd(l.open(l.config(flow, 1), l.plans(nil, "copy")))
	if got := l.values("copy"); len(got) != 1 {
		t.Errorf("results %v, want the one of \"after\"", got)
	}
}

// A query that has failed hands no watermark over: its readers would take its silence for an answer.
func TestFailedQueryHandsNothingOver(t *testing.T) {
	l := newLab(t)
	l.source(1, "1h")
	d := l.open(l.config(dir(t), 1), l.plans(nil, "m"))
	plant(d, 0, 1)
	d.Start()
	defer func() { _ = d.Stop() }()
	l.produce("s", 0, row(5, "a"))
	until(t, "failed", func() bool { s := d.Status(); return len(s.Failed) > 0 && s.Failed[0] != nil })
	l.produce("s", 0, row(500, "a"))
	watermarkIs(t, d, at(500))
	until(t, "commits", func() bool { return d.pending.Load() == 0 })
	if _, w := d.Upstream(l.object("m").Number).Progress(); w > at(5) {
		t.Errorf("it hands over %d s", (w-epoch)/1_000_000)
	}
}

// told is a producer that has come to an end.
type told struct {
	ends      map[int32]int64
	watermark int64
}

func (p told) Progress() (map[int32]int64, int64) { return p.ends, p.watermark }

// The watermark that was handed over is journalled, also when a step takes several fetches of a partition: a replay has it without the producer.
func TestHandOverIsJournalled(t *testing.T) {
	l := newLab(t)
	l.source(1, "1h")
	l.create(`CREATE STREAM big AS SELECT k, count(*) AS c, window_start FROM TUMBLE(m, _timestamp, INTERVAL '10 minutes') GROUP BY k, window_start, window_end;`)
	const rows = 3
	cfg := l.config(dir(t), 1)
	cfg.Upstream = func(uint32) Upstream { return told{map[int32]int64{0: rows}, at(6000)} }
	d := l.open(cfg, l.plans(nil, "big"))
	ctx, cancel := context.WithCancel(l.ctx())
	d.startReaders(ctx)
	for i := range rows { // each is fetched alone, and all are there when the step is assembled
		l.produce("m", 0, fmt.Sprintf(`{"k":"a","n":%d,"window_start":"2015-01-01T00:00:00Z"}`, i))
		until(t, "it is fetched", func() bool {
			r := d.sources[0].readers[0]
			r.mu.Lock()
			defer r.mu.Unlock()
			return len(r.queue) == i+1
		})
	}
	in, _, err := d.assemble(nil)
	if err != nil || len(in.segs) < 2 {
		t.Fatalf("%v, %d segments: the test proves nothing", err, len(in.segs))
	}
	out, err := d.m.step(in)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.record(in, d.newCommit(in, out)).Inputs; len(got) != 1 || got[0].Upstream != at(6000) {
		t.Errorf("journalled: %+v", got)
	}
	cancel()
	d.wg.Wait()
	d.close()
}
