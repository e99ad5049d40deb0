package sqlite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rhumb/connectors"
	"rhumb/types"
)

const benchBatch = 20_000 // documents in a transaction, as cursors write them

// benchTable is a detection: documents of about 1 KB with 14 events of lineage, indexed by id, time and address.
func benchTable() connectors.Table {
	col := func(name string, k types.Kind) types.Field { return types.Field{Name: name, Type: types.T(k)} }
	return connectors.Table{Object: 41, Version: 1, Name: "ssh_brute_force", Kind: "stream", Query: "SELECT", Topics: map[uint32]string{9: "sshd"},
		Columns: types.Schema{col("ip", types.Inet), col("attempts", types.Int8), col("first_seen", types.Timestamptz), col("last_seen", types.Timestamptz),
			col("window_start", types.Timestamptz), col("window_end", types.Timestamptz), col("host", types.Text), col("login", types.Text),
			col("score", types.Float8), col("user_agent", types.Text)}}
}

// benchDocs makes batches of which half replace a document that was there before, with later times.
type benchDocs struct {
	rng *rand.Rand
	ids []string
	now int64
}

func (g *benchDocs) next() *connectors.Docs {
	t := benchTable()
	d := &connectors.Docs{Lineage: make([]types.Lineage, benchBatch), Positions: make([]connectors.Position, benchBatch)}
	for _, f := range t.Columns {
		d.Cols = append(d.Cols, types.NewVec(f.Type, benchBatch))
	}
	agent := []byte(strings.Repeat("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 ", 8))[:380]
	known := len(g.ids)
	for i := range benchBatch {
		g.now += 1000
		id := fmt.Sprintf("ssh_brute_force:%016x%016x", g.rng.Uint64(), g.rng.Uint64())
		k := g.rng.IntN(1 << 30)
		if known > 0 && i%2 == 1 {
			k = g.rng.IntN(known)
			id = g.ids[k]
		} else {
			g.ids = append(g.ids, id)
		}
		d.IDs, d.States, d.Detected = append(d.IDs, id), append(d.States, "final"), append(d.Detected, g.now)
		d.Cols[0].AppendStr([]byte{4, 32, 203, byte(k >> 16 & 15), byte(k >> 8), byte(k)})
		d.Cols[1].I = append(d.Cols[1].I, 14)
		for c := 2; c < 6; c++ {
			d.Cols[c].I = append(d.Cols[c].I, g.now-int64(c)*1e6)
		}
		d.Cols[6].AppendStr(fmt.Appendf(nil, "host%d.example", k&0xffff))
		d.Cols[7].AppendStr([]byte("root"))
		d.Cols[8].F = append(d.Cols[8].F, 0.5)
		d.Cols[9].AppendStr(agent)
		l := &d.Lineage[i]
		l.Total, l.First, l.Last = 14, g.now-60e6, g.now
		for e := range 14 {
			l.Events = append(l.Events, types.EventRef{Object: 9, Part: 3, Off: 10_211 + int64(e), Time: l.First + int64(e)*4_123_456})
		}
	}
	return d
}

// BenchmarkApply writes transactions of 20,000 documents, half of them replacing:
//
//	go test -bench Apply -benchtime 100x ./connectors/sqlite    # 2 M upserts, to 1 M documents
func BenchmarkApply(b *testing.B) {
	path := filepath.Join(b.TempDir(), "documents.db")
	s, err := Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Define(context.Background(), benchTable()); err != nil {
		b.Fatal(err)
	}
	g := &benchDocs{rng: rand.New(rand.NewPCG(1, 2)), now: 1_700_000_000_000_000}
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		docs := g.next()
		b.StartTimer()
		if err := s.Apply(context.Background(), 41, docs, []byte{1}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*benchBatch)/b.Elapsed().Seconds(), "upserts/s")
	if info, err := os.Stat(path); err == nil {
		b.ReportMetric(float64(info.Size())/float64(len(g.ids)), "bytes/doc")
	}
}

// BenchmarkScan reads 100,000 of them: all columns of all, and the latest of one address.
func BenchmarkScan(b *testing.B) {
	s, err := Open(filepath.Join(b.TempDir(), "documents.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	if err := s.Define(ctx, benchTable()); err != nil {
		b.Fatal(err)
	}
	g := &benchDocs{rng: rand.New(rand.NewPCG(1, 2)), now: 1_700_000_000_000_000}
	for range 8 {
		if err := s.Apply(ctx, 41, g.next(), []byte{1}); err != nil {
			b.Fatal(err)
		}
	}
	var columns []string
	for _, f := range benchTable().Columns {
		columns = append(columns, f.Name)
	}
	ip, _ := types.ParseValue(types.T(types.Inet), "203.0.1.1", nil)
	for _, c := range []struct {
		name string
		scan connectors.Scan
	}{
		{"all", connectors.Scan{Columns: columns, Limit: -1}},
		{"one column", connectors.Scan{Columns: []string{"attempts"}, Limit: -1}},
		{"events", connectors.Scan{Columns: []string{"_events"}, Limit: -1}},
		{"latest of an address", connectors.Scan{Columns: columns, Limit: 20, Where: []connectors.Cond{{Column: "ip", Op: "=", Values: []types.Value{ip}}},
			OrderBy: []connectors.Order{{Column: "_last_event", Desc: true, NullsFirst: true}}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			rows := 0
			for b.Loop() {
				if err := s.Scan(ctx, 41, c.scan, func(batch *types.Batch) error { rows += batch.N; return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
