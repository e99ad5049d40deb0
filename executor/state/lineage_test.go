package state_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"rhumb/executor/state"
	"rhumb/types"
)

// lineageRow is a row as the tests add it: its group, and the lineage of which it is made (one event of its own, or a list).
type lineageRow struct {
	group uint32
	list  bool
	types.Lineage
}

// randomRows makes rows of which many fall into one group, out of order, some of them twice, with and without ids and lists.
func randomRows(rng *rand.Rand, n, groups int, ids, lists bool) []lineageRow {
	var rows []lineageRow
	for i := range n {
		if i > 0 && rng.IntN(10) == 0 {
			rows = append(rows, rows[rng.IntN(i)])
			continue
		}
		r := lineageRow{group: uint32(rng.IntN(1 + rng.IntN(groups))), list: lists && rng.IntN(2) == 0}
		event := func() types.EventRef {
			e := types.EventRef{Object: 3, Part: int32(rng.IntN(3)), Off: int64(i) << rng.IntN(2), Time: int64(i/4 + rng.IntN(20) - 5)}
			if r.list {
				e.Object, e.As = uint32(rng.IntN(2)), []string{"", "a", "b"}[rng.IntN(3)]
			}
			if ids && rng.IntN(3) > 0 {
				e.ID = fmt.Sprintf("event %d", e.Off)
			}
			return e
		}
		if !r.list {
			e := event()
			r.Lineage = types.Lineage{Total: 1, First: e.Time, Last: e.Time, Events: []types.EventRef{e}}
		} else {
			for range rng.IntN(4) {
				r.Events = append(r.Events, event())
			}
			r.Total, r.First, r.Last = int64(len(r.Events)+rng.IntN(3)), -rng.Int64N(50), int64(i)
			r.First = min(r.First, r.Last)
		}
		rows = append(rows, r)
	}
	return rows
}

// origin makes the batch of some rows.
func origin(rows []lineageRow, ids, lists bool) (groups []uint32, sel []int32, o *types.Origin) {
	o = &types.Origin{Object: 3}
	if ids {
		o.ID = types.NewVec(types.T(types.Text), 0)
	}
	if lists {
		o.Lists = types.NewVec(types.T(types.Bytea), 0)
	}
	for i, r := range rows {
		groups, sel = append(groups, r.group), append(sel, int32(i))
		e := types.EventRef{}
		if !r.list {
			e = r.Events[0]
		}
		o.Part, o.Off, o.Time = append(o.Part, e.Part), append(o.Off, e.Off), append(o.Time, e.Time)
		if ids {
			if e.ID == "" {
				o.ID.AppendNull()
			} else {
				o.ID.AppendStr([]byte(e.ID))
			}
		}
		if lists {
			if r.list {
				var enc types.Encoder
				r.AppendTo(&enc)
				o.Lists.AppendStr(enc.B)
			} else {
				o.Lists.AppendNull()
			}
		}
	}
	return groups, sel, o
}

// expected is the lineage of a group after the definition: all its events in canonical order without repetitions, the first half and the last half
// of them.
func expected(rows []lineageRow, group uint32, limit int) types.Lineage {
	var l types.Lineage
	for _, r := range rows {
		if r.group != group || r.Total == 0 {
			continue
		}
		if l.Total == 0 {
			l.First, l.Last = r.First, r.Last
		}
		l.Total += r.Total
		l.First, l.Last = min(l.First, r.First), max(l.Last, r.Last)
		l.Events = append(l.Events, r.Events...)
	}
	slices.SortFunc(l.Events, func(a, b types.EventRef) int {
		switch {
		case a.Less(b):
			return -1
		case b.Less(a):
			return 1
		}
		return cmp.Or(strings.Compare(a.As, b.As), strings.Compare(a.ID, b.ID))
	})
	l.Events = slices.Compact(l.Events)
	if first := (limit + 1) / 2; len(l.Events) > limit {
		l.Events = append(l.Events[:first:first], l.Events[len(l.Events)-limit/2:]...)
	}
	if len(l.Events) == 0 {
		l.Events = nil
	}
	return l
}

func results(t *testing.T, l *state.Lineage, lo, hi int) (all []types.Lineage) {
	t.Helper()
	out := types.NewVec(types.T(types.Bytea), 0)
	l.Result(lo, hi, out)
	if out.Len() != hi-lo {
		t.Fatalf("%d results, want %d", out.Len(), hi-lo)
	}
	for i := range out.Len() {
		x, err := types.DecodeLineage(out.Str(i))
		if err != nil {
			t.Fatal(err)
		}
		if len(x.Events) == 0 {
			x.Events = nil
		}
		all = append(all, x)
	}
	return all
}

func wantLineage(t *testing.T, l *state.Lineage, rows []lineageRow, groups, limit int) {
	t.Helper()
	got := results(t, l, 0, groups)
	for g := range groups {
		want := expected(rows, uint32(g), limit)
		for i := range min(len(got[g].Events), len(want.Events)) {
			if got[g].Events[i] != want.Events[i] {
				t.Fatalf("group %d, event %d of %d: %+v, want %+v", g, i, len(want.Events), got[g].Events[i], want.Events[i])
			}
		}
		if !reflect.DeepEqual(got[g], want) {
			t.Fatalf("group %d: got %d events, want %+v", g, len(got[g].Events), want)
		}
		if total, first, last := l.Totals(uint32(g)); total != want.Total || first != want.First || last != want.Last {
			t.Fatalf("group %d: totals %d %d %d, want %+v", g, total, first, last, want)
		}
	}
}

func snapshot(t *testing.T, l *state.Lineage, limit int) *state.Lineage {
	t.Helper()
	var e types.Encoder
	l.Save(&e)
	loaded := state.NewLineage(limit)
	d := types.Decoder{B: e.B}
	if loaded.Load(&d); d.Err != nil || len(d.B) != 0 {
		t.Fatalf("load: %v, %d bytes left", d.Err, len(d.B))
	}
	return loaded
}

// The result is what the definition says, however the rows are cut into calls, whenever the log is compacted, through snapshots and merges;
// and the memory that is accounted for is the same.
func TestLineage(t *testing.T) {
	for _, limit := range []int{0, 1, 2, 5, 100} {
		for variant := range 4 {
			ids, lists := variant&1 != 0, variant&2 != 0
			t.Run(fmt.Sprintf("limit %d ids %v lists %v", limit, ids, lists), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(uint64(limit), uint64(variant)))
				const groups = 12
				rows := randomRows(rng, 6000, groups, ids, lists)
				var bytes []int
				for _, most := range []int{1, 7, 1000, 6000} {
					l := state.NewLineage(limit)
					for at := 0; at < len(rows); {
						n := min(1+rng.IntN(most), len(rows)-at)
						l.Add(origin(rows[at:at+n], ids, lists))
						at += n
						if rng.IntN(1+8000/most) == 0 {
							l = snapshot(t, l, limit)
						}
						if rng.IntN(1+12000/most) == 0 {
							wantLineage(t, l, rows[:at], groups, limit)
						}
					}
					wantLineage(t, l, rows, groups, limit)
					bytes = append(bytes, l.Bytes())
					l.Reset()
					if l.Bytes() != 0 {
						t.Errorf("an emptied lineage takes %d bytes", l.Bytes())
					}
					l.Add(origin(rows[:50], ids, lists))
					wantLineage(t, l, rows[:50], groups, limit)
				}
				if slices.Min(bytes) != slices.Max(bytes) {
					t.Errorf("bytes depend on the history: %v", bytes)
				}
				testMerge(t, rng, rows, limit, ids, lists)
			})
		}
	}
}

// testMerge spreads the rows over panes and merges these.
func testMerge(t *testing.T, rng *rand.Rand, rows []lineageRow, limit int, ids, lists bool) {
	const groups = 12
	all := state.NewLineage(limit)
	ring := rng.Perm(groups) // group g of a pane is group ring[g] of all
	var renamed []lineageRow
	for at := 0; at < len(rows); {
		n := min(1+rng.IntN(1500), len(rows)-at)
		pane := state.NewLineage(limit)
		pane.Add(origin(rows[at:at+n], ids, lists))
		to := make([]uint32, groups)
		for g := range to {
			to[g] = uint32(ring[g])
		}
		all.Merge(to, pane)
		at += n
	}
	for _, r := range rows {
		r.group = uint32(ring[r.group])
		renamed = append(renamed, r)
	}
	wantLineage(t, all, renamed, groups, limit)
}

// A group of a million events holds no more memory than one of a few thousand.
func TestLineageHotGroup(t *testing.T) {
	for name, step := range map[string]int64{"in order": 1, "backwards": -1, "all over": 7_654_321} {
		l := state.NewLineage(100)
		groups, rows := make([]uint32, 1000), make([]int32, 1000)
		o := &types.Origin{Object: 1, Part: make([]int32, 1000), Off: make([]int64, 1000), Time: make([]int64, 1000)}
		const batches = 1000
		times := make([]int64, 0, 1000*batches)
		for b := range batches {
			for i := range rows {
				n := int64(b*1000 + i)
				rows[i], o.Off[i], o.Time[i] = int32(i), n, n*step%9_999_991
				times = append(times, o.Time[i])
			}
			l.Add(groups, rows, o)
			if l.Bytes() > 7000 {
				t.Fatalf("%s: %d bytes after %d batches", name, l.Bytes(), b+1)
			}
		}
		got := results(t, l, 0, 1)[0]
		slices.Sort(times)
		want := append(times[:50:50], times[len(times)-50:]...)
		for i, e := range got.Events {
			if e.Time != want[i] {
				t.Fatalf("%s: event %d is of %d, want %d", name, i, e.Time, want[i])
			}
		}
		if got.Total != 1_000_000 || len(got.Events) != 100 {
			t.Fatalf("%s: total %d, %d events", name, got.Total, len(got.Events))
		}
	}
}

// Rows without coordinates count, and a list that is damaged stands for its own record.
func TestLineageOddRows(t *testing.T) {
	l := state.NewLineage(10)
	l.Add([]uint32{2, 2}, []int32{0, 1}, &types.Origin{})
	if total, _, _ := l.Totals(2); total != 2 {
		t.Errorf("total %d", total)
	}
	lists := types.NewVec(types.T(types.Bytea), 0)
	lists.AppendStr([]byte{2, 4, 200})
	l.Add([]uint32{0}, []int32{0}, &types.Origin{Object: 9, Part: []int32{1}, Off: []int64{5}, Time: []int64{77}, Lists: lists})
	want := types.Lineage{Total: 1, First: 77, Last: 77, Events: []types.EventRef{{Object: 9, Part: 1, Off: 5, Time: 77}}}
	if got := results(t, l, 0, 1)[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	if got := results(t, l, 1, 9); len(got) != 8 || got[0].Total != 0 || got[7].Total != 0 {
		t.Errorf("groups without rows: %+v", got)
	}
}

func savedLineage(variant int) []byte {
	ids, lists := variant&1 != 0, variant&2 != 0
	l := state.NewLineage(4)
	l.Add(origin(randomRows(rand.New(rand.NewPCG(1, uint64(variant))), 12, 3, ids, lists), ids, lists))
	var e types.Encoder
	l.Save(&e)
	return e.B
}

// loadLineage loads bytes and, if they pass, uses the lineage.
func loadLineage(t *testing.T, more []lineageRow, b []byte) {
	l := state.NewLineage(4)
	d := types.Decoder{B: b}
	l.Load(&d)
	if d.Err != nil && l.Bytes() != 0 {
		t.Fatalf("%d bytes with %v", l.Bytes(), d.Err)
	}
	results(t, l, 0, 5)
	l.Add(origin(more, true, true))
	results(t, snapshot(t, l, 4), 0, 5)
}

func moreRows() []lineageRow { return randomRows(rand.New(rand.NewPCG(3, 3)), 150, 3, true, true) }

// A snapshot with any byte changed is refused or gives a lineage that can be used.
func TestLineageLoadDamaged(t *testing.T) {
	more := moreRows()[:40]
	for variant := range 4 {
		good := savedLineage(variant)
		for i := range good {
			for _, x := range []byte{0, 1, 0x14, 0x7f, 0x80, 0xff} {
				b := slices.Clone(good)
				b[i] = x
				loadLineage(t, more, b)
			}
			loadLineage(t, more, good[:i])
		}
	}
}

// Whatever bytes are loaded: an error, or a lineage that can be used.
func FuzzLineageLoad(f *testing.F) {
	for variant := range 4 {
		f.Add(savedLineage(variant))
	}
	more := moreRows()
	f.Fuzz(func(t *testing.T, b []byte) { loadLineage(t, more, b) })
}

func BenchmarkLineage(b *testing.B) {
	const batch = 1024
	for _, dist := range []string{"uniform 100k", "zipf 100k", "hot", "hot in order", "hot shuffled", "shard 1500"} {
		b.Run(dist, func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 1))
			zipf := rand.NewZipf(rng, 1.2, 1, 99_999)
			const batches = 1000
			groups := make([]uint32, batch*batches)
			for i := range groups {
				switch dist {
				case "uniform 100k":
					groups[i] = uint32(rng.IntN(100_000))
				case "zipf 100k":
					groups[i] = uint32(zipf.Uint64())
				case "shard 1500":
					groups[i] = uint32(rng.IntN(1500))
				}
			}
			rows := make([]int32, batch)
			o := &types.Origin{Part: make([]int32, batch), Off: make([]int64, batch), Time: make([]int64, batch)}
			for i := range rows {
				rows[i], o.Part[i] = int32(i), int32(i/256)
			}
			l := state.NewLineage(100)
			b.ResetTimer()
			start := cpu()
			for i := range b.N {
				at := i % batches
				if at == 0 {
					l.Reset() // a window of a million events
				}
				for j := range batch {
					n := int64(i*batch + j)
					o.Off[j], o.Time[j] = n, n*1000+int64(n*7919%2_000_000)
					switch dist {
					case "hot in order":
						o.Time[j] = n
					case "hot shuffled":
						o.Time[j] = n * 7_654_321 % 9_999_991
					}
				}
				l.Add(groups[at*batch:(at+1)*batch], rows, o)
			}
			b.ReportMetric(float64(cpu()-start)/float64(b.N)/batch, "cpu-ns/row")
		})
	}
}

func BenchmarkLineageResult(b *testing.B) {
	for _, per := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(per, " events a group"), func(b *testing.B) {
			const total = 200_000
			rng := rand.New(rand.NewPCG(1, 1))
			groups, rows := make([]uint32, total), make([]int32, total)
			o := &types.Origin{Part: make([]int32, total), Off: make([]int64, total), Time: make([]int64, total)}
			for i := range rows {
				groups[i], rows[i] = uint32(rng.IntN(total/per)), int32(i)
				o.Off[i], o.Time[i] = int64(i), int64(i)*1000+rng.Int64N(2_000_000)
			}
			l := state.NewLineage(100)
			l.Add(groups, rows, o)
			out := types.NewVec(types.T(types.Bytea), 0)
			b.ResetTimer()
			start := cpu()
			for range b.N {
				for lo := 0; lo < total/per; lo += 1024 {
					out.Reset(out.Type)
					l.Result(lo, min(lo+1024, total/per), out)
				}
			}
			b.ReportMetric(float64(cpu()-start)/float64(b.N)/total, "cpu-ns/row")
		})
	}
}
