package journal_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"rhumb/executor/journal"
	"rhumb/types"
)

// randomStep makes a step whose numbers are of all sizes.
func randomStep(rng *rand.Rand) journal.Step {
	word := func() int64 { return int64(rng.Uint64()) >> rng.IntN(64) }
	s := journal.Step{Number: rng.Uint64(), Clock: word(), CatalogVersion: uint64(word()), Final: rng.IntN(2) == 0}
	for range rng.IntN(4) {
		in := journal.Input{Object: rng.Uint32(), Partition: int32(rng.Uint32()), From: word(), Count: word(),
			EndReached: rng.IntN(2) == 0, Idle: rng.IntN(2) == 0, Upstream: word()}
		in.To = in.From + int64(rng.IntN(1000))
		if rng.IntN(2) == 0 {
			in.Upstream = journal.NoUpstream
		}
		s.Inputs = append(s.Inputs, in)
	}
	for range rng.IntN(4) {
		o := journal.Output{Object: rng.Uint32(), Rows: rng.Uint32()}
		for i := range o.Digest {
			o.Digest[i] = byte(rng.Uint32())
		}
		s.Outputs = append(s.Outputs, o)
	}
	for range rng.IntN(3) {
		s.Failed = append(s.Failed, journal.Failure{Object: rng.Uint32(), Code: types.CodeOutOfMemory, Message: "too much \x00 é"})
	}
	return s
}

func encodeStep(s journal.Step) []byte {
	var e types.Encoder
	s.AppendTo(&e)
	return e.B
}

func TestStepRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	steps := []journal.Step{
		{},
		{Number: math.MaxUint64, Clock: math.MinInt64, Inputs: []journal.Input{{From: math.MaxInt64, To: math.MinInt64, Upstream: math.MaxInt64}}},
	}
	for range 500 {
		steps = append(steps, randomStep(rng))
	}
	for _, want := range steps {
		got, err := journal.DecodeStep(encodeStep(want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %+v\nwant %+v (%v)", got, want, err)
		}
	}
}

// Every prefix of a record, and a record with something behind it, is refused.
func TestStepTruncated(t *testing.T) {
	b := encodeStep(randomStep(rand.New(rand.NewPCG(7, 7))))
	for i := range b {
		if _, err := journal.DecodeStep(b[:i]); err == nil {
			t.Errorf("%d of %d bytes decode", i, len(b))
		}
	}
	if _, err := journal.DecodeStep(append(bytes.Clone(b), 0)); err == nil {
		t.Error("a byte behind the record passes")
	}
	b[0] = 99
	if _, err := journal.DecodeStep(b); err == nil {
		t.Error("a record of a later version passes")
	}
}

func FuzzStep(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 10 {
		f.Add(encodeStep(randomStep(rng)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := journal.DecodeStep(b)
		if err != nil {
			if types.AsError(err).Code != types.CodeDataCorrupted {
				t.Fatalf("code of %v", err)
			}
			return
		}
		again, err := journal.DecodeStep(encodeStep(s))
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("decodes as %+v, that again as %+v (%v)", s, again, err)
		}
	})
}
