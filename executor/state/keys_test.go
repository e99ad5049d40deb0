package state_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"rhumb/executor/state"
	"rhumb/types"
)

const seed = 0x5eed

// keyTypes are the shapes of keys that take ways of their own through the table.
var keyTypes = map[string][]types.Type{
	"text":          {types.T(types.Text)},
	"uuid":          {types.T(types.UUID)},
	"bigint":        {types.T(types.Int8)},
	"timestamptz":   {types.T(types.Timestamptz)},
	"boolean":       {types.T(types.Bool)},
	"double":        {types.T(types.Float8)},
	"numeric":       {types.T(types.Numeric)},
	"interval":      {types.T(types.IntervalKind)},
	"text, text":    {types.T(types.Text), types.T(types.Text)},
	"text, bigint":  {types.T(types.Text), types.T(types.Int8)},
	"all layouts":   {types.T(types.Bool), types.T(types.Int4), types.T(types.Float8), types.T(types.Text), types.T(types.IntervalKind)},
	"text, numeric": {types.T(types.Text), types.T(types.Numeric)},
}

// randomColumn fills n rows with values of which many are equal, some NULL, and strings are of all lengths around the inline bound.
func randomColumn(rng *rand.Rand, t types.Type, n, distinct int) *types.Vec {
	v := types.NewVec(t, n)
	for range n {
		x := rng.IntN(distinct)
		switch {
		case rng.IntN(20) == 0:
			v.AppendNull()
		case t.Kind == types.Numeric:
			v.AppendStr([]byte(fmt.Sprintf("%d.5%s", x, "000"[:rng.IntN(4)]))) // equal values of different scale
		case t.Kind == types.Bool:
			v.B = append(v.B, x%2 == 0)
		case t.Layout() == types.LInt:
			v.I = append(v.I, []int64{int64(x), -int64(x), math.MinInt64 + int64(x)}[x%3])
		case t.Layout() == types.LFloat:
			v.F = append(v.F, []float64{float64(x), 0, math.Copysign(0, -1), math.NaN(), math.Inf(1)}[rng.IntN(5)])
		case t.Layout() == types.LInterval:
			v.V = append(v.V, types.Interval{Months: int32(x), Micros: int64(x % 7)})
		default:
			// Bytes of zero among them: the padding of short keys must not pass for key.
			s := fmt.Sprintf("%d\x00\x00%0*d", x, x%24, 0)
			v.AppendStr([]byte(s[:x%(len(s)+1)]))
		}
	}
	return v
}

// encoded is the key of a row, after the definition: types.AppendKey of its columns.
func encoded(cols []*types.Vec, row int) string {
	var b []byte
	for _, c := range cols {
		b = types.AppendKey(b, c, row)
	}
	return string(b)
}

// oracle is a table of keys made of a Go map.
type oracle struct {
	ids  map[string]uint32
	keys []string
	hash []uint64
}

// find compares what a table answers with what the map does.
func (o *oracle) find(t *testing.T, k *state.Keys, cols []*types.Vec, rows []int32) {
	t.Helper()
	hash := make([]uint64, cols[0].Len())
	types.HashRows(seed, cols, rows, hash)
	before := len(o.keys)
	out := make([]uint32, len(rows))
	added := k.Find(cols, hash, rows, out)
	for j, r := range rows {
		key := encoded(cols, int(r))
		id, ok := o.ids[key]
		if !ok {
			id = uint32(len(o.keys))
			o.ids[key], o.keys, o.hash = id, append(o.keys, key), append(o.hash, hash[r])
		}
		if out[j] != id {
			t.Fatalf("row %d: key %q has id %d, want %d", r, key, out[j], id)
		}
	}
	if added != len(o.keys)-before || k.Len() != len(o.keys) {
		t.Fatalf("%d added of %d, want %d of %d", added, k.Len(), len(o.keys)-before, len(o.keys))
	}
}

// compare verifies all that a table tells of its keys.
func (o *oracle) compare(t *testing.T, k *state.Keys, columns []types.Type) {
	t.Helper()
	if k.Len() != len(o.keys) {
		t.Fatalf("%d keys, want %d", k.Len(), len(o.keys))
	}
	lo := len(o.keys) / 3
	var cols []*types.Vec
	for _, c := range columns {
		cols = append(cols, types.NewVec(c, 0))
	}
	k.Decode(cols, lo, len(o.keys))
	for id, want := range o.keys {
		if got := string(k.Key(uint32(id))); got != want {
			t.Fatalf("id %d: key %q, want %q", id, got, want)
		}
		if k.Hash(uint32(id)) != o.hash[id] {
			t.Fatalf("id %d: hash %x, want %x", id, k.Hash(uint32(id)), o.hash[id])
		}
		if id >= lo {
			if got := encoded(cols, id-lo); got != want {
				t.Fatalf("id %d decodes as %q, want %q", id, got, want)
			}
		}
	}
}

func newOracle() *oracle { return &oracle{ids: map[string]uint32{}} }

// A table answers as a map does, before and after a snapshot, and its size says nothing of how it came to be.
func TestKeys(t *testing.T) {
	for name, columns := range keyTypes {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 1))
			k, o := state.NewKeys(columns), newOracle()
			if k.Bytes() != 0 {
				t.Errorf("an empty table takes %d bytes", k.Bytes())
			}
			for round := range 40 {
				n := 1 + rng.IntN(400)
				var cols []*types.Vec
				for _, c := range columns {
					cols = append(cols, randomColumn(rng, c, n, 10+round*round))
				}
				var rows []int32
				for i := range n {
					if rng.IntN(5) > 0 {
						rows = append(rows, int32(i))
					}
				}
				o.find(t, k, cols, rows)
				if round%10 != 9 {
					continue
				}
				o.compare(t, k, columns)
				var e types.Encoder
				k.Save(&e)
				loaded := state.NewKeys(columns)
				d := types.Decoder{B: e.B}
				if loaded.Load(&d); d.Err != nil || len(d.B) != 0 {
					t.Fatalf("load: %v, %d bytes left", d.Err, len(d.B))
				}
				if loaded.Bytes() != k.Bytes() {
					t.Errorf("%d bytes, after a snapshot %d", k.Bytes(), loaded.Bytes())
				}
				k = loaded
				o.compare(t, k, columns)
				if round == 19 {
					k.Reset()
					o = newOracle()
					if k.Bytes() != 0 {
						t.Errorf("an emptied table takes %d bytes", k.Bytes())
					}
				}
			}
		})
	}
}

// Keys whose hashes are equal, wholly or in the half that chooses slots or makes tags, are told apart by their bytes.
func TestKeysCollisions(t *testing.T) {
	for _, mask := range []uint64{0, 1<<32 - 1, 0xffffffff << 32, 7} {
		k := state.NewKeys([]types.Type{types.T(types.Text)})
		v := types.NewVec(types.T(types.Text), 0)
		var rows []int32
		for i := range 500 {
			rows = append(rows, int32(i), int32(i))
			v.AppendStr([]byte(fmt.Sprintf("key %d %0*d", i, i%20, 0)))
		}
		hash := make([]uint64, 500)
		types.HashRows(seed, []*types.Vec{v}, rows, hash)
		for i := range hash {
			hash[i] &= mask
		}
		out := make([]uint32, len(rows))
		for round := range 2 {
			if added := k.Find([]*types.Vec{v}, hash, rows, out); added != 500*(1-round) {
				t.Fatalf("mask %x: %d added", mask, added)
			}
			for j := range out {
				if out[j] != uint32(j/2) {
					t.Fatalf("mask %x: row %d has id %d", mask, j/2, out[j])
				}
			}
		}
	}
}

// After a table was large and then is used for little, it gives the memory back.
func TestKeysReset(t *testing.T) {
	v := ipColumn(100_000)
	hash, rows, out := hashed(v)
	k := state.NewKeys([]types.Type{v.Type})
	k.Find([]*types.Vec{v}, hash, rows, out)
	k.Reset() // as many are expected again
	k.Find([]*types.Vec{v}, hash, rows[:10], out)
	k.Reset()
	if allocs := testing.AllocsPerRun(1, func() {
		k.Find([]*types.Vec{v}, hash, rows[:10], out)
		k.Reset()
	}); allocs != 0 {
		t.Errorf("%v allocations in a small window after another", allocs)
	}
}

// Memory of a key, an address as text, is well under 60 bytes wherever between two sizes the table is.
func TestKeysMemory(t *testing.T) {
	v := ipColumn(400_000)
	hash, rows, out := hashed(v)
	k := state.NewKeys([]types.Type{v.Type})
	for lo := 0; lo < len(rows); lo += 1000 {
		k.Find([]*types.Vec{v}, hash, rows[lo:lo+1000], out)
		if per := float64(k.Bytes()) / float64(k.Len()); per > 46 {
			t.Fatalf("%.1f bytes a key with %d keys", per, k.Len())
		}
	}
}

// Finding keys that are there allocates nothing.
func TestKeysAllocations(t *testing.T) {
	for name, columns := range keyTypes {
		rng := rand.New(rand.NewPCG(5, 5))
		var cols []*types.Vec
		for _, c := range columns {
			cols = append(cols, randomColumn(rng, c, 1000, 300))
		}
		hash, rows, out := make([]uint64, 1000), make([]int32, 1000), make([]uint32, 1000)
		for i := range rows {
			rows[i] = int32(i)
		}
		types.HashRows(seed, cols, rows, hash)
		k := state.NewKeys(columns)
		k.Find(cols, hash, rows, out)
		if n := testing.AllocsPerRun(10, func() { k.Find(cols, hash, rows, out) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// loadableKeys are the shapes of keys that snapshots are damaged of.
var loadableKeys = []string{"text", "bigint", "text, bigint", "all layouts", "numeric", "uuid"}

func savedKeys(t testing.TB, name string) []byte {
	rng := rand.New(rand.NewPCG(2, 2))
	var cols []*types.Vec
	for _, c := range keyTypes[name] {
		cols = append(cols, randomColumn(rng, c, 20, 30))
	}
	hash, out := make([]uint64, 20), make([]uint32, 10)
	rows := []int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	types.HashRows(seed, cols, rows, hash)
	k := state.NewKeys(keyTypes[name])
	k.Find(cols, hash, rows, out)
	var e types.Encoder
	k.Save(&e)
	return e.B
}

// loadKeys loads bytes and, if they pass, uses every key.
func loadKeys(t *testing.T, columns []types.Type, b []byte) {
	k := state.NewKeys(columns)
	d := types.Decoder{B: b}
	k.Load(&d)
	if d.Err != nil && k.Len() != 0 {
		t.Fatalf("%d keys with %v", k.Len(), d.Err)
	}
	var cols []*types.Vec
	for _, c := range columns {
		cols = append(cols, types.NewVec(c, 0))
	}
	k.Decode(cols, 0, k.Len())
	rows, hash, out := make([]int32, k.Len()), make([]uint64, k.Len()), make([]uint32, k.Len())
	for i := range rows {
		rows[i], hash[i] = int32(i), k.Hash(uint32(i))
		k.Key(uint32(i))
		if cols[0].Len() != k.Len() {
			t.Fatal("rows are missing")
		}
	}
	k.Find(cols, hash, rows, out)
}

// A snapshot with any byte changed is refused or gives keys that can be used.
func TestKeysLoadDamaged(t *testing.T) {
	for _, name := range loadableKeys {
		good := savedKeys(t, name)
		for i := range good {
			for _, x := range []byte{0, 1, 2, 0x0f, 0x10, 0x7f, 0x80, 0xfe, 0xff} {
				b := bytes.Clone(good)
				b[i] = x
				loadKeys(t, keyTypes[name], b)
			}
			loadKeys(t, keyTypes[name], good[:i])
		}
	}
}

// Whatever bytes are loaded: an error, or keys that can be used.
func FuzzKeysLoad(f *testing.F) {
	for i, name := range loadableKeys {
		f.Add(byte(i), savedKeys(f, name))
	}
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		loadKeys(t, keyTypes[loadableKeys[int(which)%len(loadableKeys)]], b)
	})
}

// ipColumn is n different addresses as text.
func ipColumn(n int) *types.Vec {
	rng := rand.New(rand.NewPCG(7, 7))
	seen := map[uint32]bool{}
	v := types.NewVec(types.T(types.Text), n)
	for len(v.R) < n {
		a := rng.Uint32()
		if seen[a] {
			continue
		}
		seen[a] = true
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], a)
		v.AppendStr([]byte(netip.AddrFrom4(b).String()))
	}
	return v
}

func hashed(v *types.Vec) (hash []uint64, rows []int32, out []uint32) {
	n := v.Len()
	hash, rows, out = make([]uint64, n), make([]int32, n), make([]uint32, n)
	for i := range rows {
		rows[i] = int32(i)
	}
	types.HashRows(seed, []*types.Vec{v}, rows, hash)
	return hash, rows, out
}

// events is n rows of keys chosen by pick, in batches of 1,024.
func events(n int, keys *types.Vec, pick func() int) []*types.Vec {
	var batches []*types.Vec
	for i := range n {
		if i%1024 == 0 {
			batches = append(batches, types.NewVec(keys.Type, 1024))
		}
		batches[len(batches)-1].AppendFrom(keys, pick())
	}
	return batches
}

// cpu is the processor time that the process has used: what a busy machine leaves comparable.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkKeysFind(b *testing.B) {
	const keys, rows = 100_000, 1 << 20
	for _, dist := range []string{"uniform", "zipf"} {
		for _, kind := range []string{"ip", "long", "int", "ip+int"} {
			b.Run(dist+"/"+kind, func(b *testing.B) {
				rng := rand.New(rand.NewPCG(1, 1))
				zipf := rand.NewZipf(rng, 1.2, 1, keys-1)
				pick := func() int { return rng.IntN(keys) }
				if dist == "zipf" {
					pick = func() int { return int(zipf.Uint64()) }
				}
				benchFind(b, kind, keys, rows, pick)
			})
		}
	}
}

func benchFind(b *testing.B, kind string, keys, rows int, pick func() int) {
	ips := ipColumn(keys)
	if kind == "long" {
		long := types.NewVec(ips.Type, keys)
		for i := range keys {
			long.AppendStr(bytes.Join([][]byte{ips.Str(i), []byte(".dsl.example.net")}, nil))
		}
		ips = long
	}
	var batches [][]*types.Vec
	for _, v := range events(rows, ips, pick) {
		cols := []*types.Vec{v}
		if kind == "int" || kind == "ip+int" {
			n := types.NewVec(types.T(types.Int8), v.Len())
			for i := range v.Len() {
				n.I = append(n.I, int64(types.Hash(1, v.Str(i))>>1))
			}
			cols = append(cols, n)
			if kind == "int" {
				cols = cols[1:]
			}
		}
		batches = append(batches, cols)
	}
	var columns []types.Type
	for _, c := range batches[0] {
		columns = append(columns, c.Type)
	}
	hashes := make([][]uint64, len(batches))
	sel := make([]int32, 1024)
	for i := range sel {
		sel[i] = int32(i)
	}
	for i, cols := range batches {
		hashes[i] = make([]uint64, 1024)
		types.HashRows(seed, cols, sel, hashes[i])
	}
	k := state.NewKeys(columns)
	out := make([]uint32, 1024)
	for i, cols := range batches {
		k.Find(cols, hashes[i], sel, out)
	}
	// A batch comes freshly decoded, so it is in the cache: here it is copied there, which costs 1 to 2 ns a row.
	hot := make([]*types.Vec, len(columns))
	for i := range hot {
		hot[i] = &types.Vec{}
	}
	b.ResetTimer()
	start := cpu()
	for i := range b.N {
		for c, v := range batches[i%len(batches)] {
			hot[c].Reset(v.Type)
			hot[c].I, hot[c].R, hot[c].Buf = append(hot[c].I, v.I...), append(hot[c].R, v.R...), append(hot[c].Buf, v.Buf...)
		}
		k.Find(hot, hashes[i%len(batches)], sel, out)
	}
	b.ReportMetric(float64(cpu()-start)/float64(b.N)/1024, "cpu-ns/row")
	b.ReportMetric(float64(k.Bytes())/float64(k.Len()), "B/key")
}
