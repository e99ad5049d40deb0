package state_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"rhumb/executor/state"
	"rhumb/types"
)

func TestDirty(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var s state.Dirty
	for range 30 {
		var want []uint32
		seen := map[uint32]bool{}
		for range rng.IntN(300) {
			id := uint32(rng.IntN(1 + rng.IntN(100_000)))
			s.Mark(id)
			if !seen[id] {
				seen[id], want = true, append(want, id)
			}
		}
		if !slices.Equal(s.IDs(), want) || s.Len() != len(want) {
			t.Fatalf("marked %v, want %v", s.IDs(), want)
		}
		for range 100 {
			if id := uint32(rng.IntN(100_000)); s.Has(id) != seen[id] {
				t.Fatalf("Has(%d) = %v", id, s.Has(id))
			}
		}
		var e types.Encoder
		s.Save(&e)
		var loaded state.Dirty
		d := types.Decoder{B: e.B}
		if loaded.Load(&d, 100_000); d.Err != nil || !slices.Equal(loaded.IDs(), want) || loaded.Bytes() != s.Bytes() {
			t.Fatalf("loaded %v (%v), want %v", loaded.IDs(), d.Err, want)
		}
		s = loaded
		s.Clear()
		if s.Len() != 0 || len(want) > 0 && s.Has(want[0]) || s.Bytes() != 0 {
			t.Fatal("Clear leaves something")
		}
	}
}

func TestDirtyLoadRefuses(t *testing.T) {
	for _, ids := range [][]uint32{{1, 2, 10}, {1, 2, 1}, {1 << 31}} {
		var e types.Encoder
		types.EncodeSlice(&e, ids)
		var s state.Dirty
		d := types.Decoder{B: e.B}
		if s.Load(&d, 10); d.Err == nil || s.Len() != 0 {
			t.Errorf("%v is loaded", ids)
		}
	}
}
