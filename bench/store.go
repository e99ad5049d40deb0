package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"rhumb/connectors"
	"rhumb/connectors/sqlite"
	"rhumb/types"
)

// storeUpserts writes documents of 1 KB with the indexes of docs (id, last event, two entities): half of the upserts replace a random earlier
// document.
func storeUpserts(ctx context.Context, _ connectors.Broker, _ *topic, events int) (int64, error) {
	dir, err := os.MkdirTemp("", "rhumb-bench-store-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s, err := sqlite.Open(filepath.Join(dir, "store.db"))
	if err != nil {
		return 0, err
	}
	defer func() { _ = s.Close() }()
	table := connectors.Table{Object: 1, Version: 1, Name: "bench", Kind: "STREAM AS", Topics: map[uint32]string{2: "ev"}, Columns: types.Schema{
		{Name: "ip", Type: types.T(types.Inet), Entity: "ip"}, {Name: "domain", Type: types.T(types.Text), Entity: "domain"},
		{Name: "attempts", Type: types.T(types.Int8)}, {Name: "window_start", Type: types.T(types.Timestamptz)},
		{Name: "note", Type: types.T(types.Text)}}}
	if err := s.Define(ctx, table); err != nil {
		return 0, err
	}
	const batch = 20_000
	state := uint64(1)
	distinct := 0
	for done := 0; done < events; done += batch {
		docs := &connectors.Docs{}
		for _, f := range table.Columns {
			docs.Cols = append(docs.Cols, types.NewVec(f.Type, batch))
		}
		for i := range min(batch, events-done) {
			// xorshift64* (Vigna): the documents need no better randomness.
			state ^= state >> 12
			state ^= state << 25
			state ^= state >> 27
			x := state * 0x2545F4914F6CDD1D
			id := distinct
			if i%2 == 1 && distinct > 0 {
				id = int((x >> 32) % uint64(distinct))
			} else {
				distinct++
			}
			addDocument(docs, id, x, int64(done+i))
		}
		if err := s.Apply(ctx, 1, docs, []byte{1}); err != nil {
			return 0, err
		}
	}
	return int64(distinct), nil
}

// note brings a document to 1 KB.
var note = func() []byte {
	b := make([]byte, 640)
	for i := range b {
		b[i] = byte('a' + i%26)
	}
	return b
}()

func addDocument(d *connectors.Docs, id int, x uint64, n int64) {
	at := 1_700_000_000_000_000 + n*1000
	d.Cols[0].AppendStr([]byte{4, 32, 10, byte(x), byte(x >> 8), byte(x >> 16)})
	d.Cols[1].AppendStr(fmt.Appendf(nil, "host%d.example", x%100_000))
	d.Cols[2].I = append(d.Cols[2].I, n)
	d.Cols[3].I = append(d.Cols[3].I, at)
	d.Cols[4].AppendStr(note)
	l := types.Lineage{Total: 10, First: at, Last: at + 9}
	for k := range int64(10) {
		l.Events = append(l.Events, types.EventRef{Object: 2, Part: int32(k % 4), Off: n*10 + k, Time: at + k})
	}
	d.IDs = append(d.IDs, fmt.Sprintf("bench:%032x", uint64(id)*0x9E3779B97F4A7C15))
	d.States = append(d.States, "final")
	d.Lineage = append(d.Lineage, l)
	d.Positions = append(d.Positions, connectors.Position{Object: 1, Step: uint64(n)})
	d.Detected = append(d.Detected, at)
}
