package generate

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
)

type benchRecord struct {
	TS      int64          `json:"ts"`
	ID      string         `json:"event_id"`
	SrcIP   string         `json:"src_ip"`
	Outcome string         `json:"outcome"`
	DstPort int            `json:"dst_port"`
	Geo     map[string]any `json:"geo"`
}

func TestBenchRecords(t *testing.T) {
	if testing.Short() {
		t.Skip("shares need many records")
	}
	for _, opt := range []BenchOptions{{}, {Rate: 100_000}, {Keys: 10, Pass: 0.5, OutOfOrder: 500}, {Keys: 1 << 30, OutOfOrder: -1}} {
		const rows = 50_000
		g := NewBench(5, opt)
		passed, failures, ssh, newest, worst := 0, 0, 0, int64(0), int64(0)
		keys := map[string]bool{}
		var first, last benchRecord
		for i := range rows {
			row := g.Next(nil)
			if len(row) != BenchSize {
				t.Fatalf("%+v: record %d has %d bytes: %s", opt, i, len(row), row)
			}
			var r benchRecord
			if err := json.Unmarshal(row, &r); err != nil {
				t.Fatalf("%s: %v", row, err)
			}
			if len(r.Geo) == 0 {
				t.Fatalf("no nested object: %s", row)
			}
			newest = max(newest, r.TS)
			worst = max(worst, newest-r.TS)
			keys[r.SrcIP] = true
			if r.Outcome == "failure" {
				failures++
			}
			if r.DstPort == 22 {
				ssh++
			}
			if r.Outcome == "failure" && r.DstPort == 22 {
				passed++
			}
			if i == 0 {
				first = r
			}
			last = r
		}
		o := g.opt
		if share := float64(passed) / rows; math.Abs(share-o.Pass) > 0.01 {
			t.Errorf("%+v: %v pass", opt, share)
		}
		if failures < passed+rows/20 || ssh < passed+rows/20 {
			t.Errorf("%+v: half of the filter decides alone: %d pass, %d failures, %d to port 22", opt, passed, failures, ssh)
		}
		if bound := max(o.OutOfOrder, 0); worst >= max(bound, 1) || worst < bound*8/10 {
			t.Errorf("%+v: out of order by up to %d ms, want just under %d", opt, worst, bound)
		}
		if want := int64(rows * 1000 / o.Rate); math.Abs(float64(last.TS-first.TS-want)) > 2000 {
			t.Errorf("%+v: %d ms of event time, want %d", opt, last.TS-first.TS, want)
		}
		if want := float64(o.Keys) * -math.Expm1(-rows/float64(o.Keys)); math.Abs(float64(len(keys))-want) > want/50 {
			t.Errorf("%+v: %d keys seen, want about %.0f", opt, len(keys), want)
		}
	}
}

func TestBenchFields(t *testing.T) {
	var fields map[string]any
	row := NewBench(1, BenchOptions{}).Next(nil)
	d := json.NewDecoder(bytes.NewReader(row))
	if err := d.Decode(&fields); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"ts", "event_id", "src_ip", "dst_ip", "src_port", "dst_port", "proto", "action", "outcome", "user", "host",
		"bytes_in", "bytes_out", "severity", "url", "user_agent"} {
		if _, ok := fields[f]; !ok {
			t.Errorf("no field %q in %s", f, row)
		}
	}
	if len(fields) < 20 {
		t.Errorf("%d fields", len(fields))
	}
}

func TestBenchDoesNotAllocate(t *testing.T) {
	g := NewBench(1, BenchOptions{})
	buf := make([]byte, 0, BenchSize)
	if n := testing.AllocsPerRun(1000, func() { buf = g.Next(buf[:0]) }); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}

func BenchmarkBench(b *testing.B) {
	g := NewBench(1, BenchOptions{})
	buf := make([]byte, 0, BenchSize)
	b.SetBytes(BenchSize)
	for b.Loop() {
		buf = g.Next(buf[:0])
	}
}
