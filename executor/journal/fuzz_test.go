package journal_test

import (
	"testing"

	"rhumb/executor/journal"
	"rhumb/executor/journal/faultfs"
	"rhumb/types"
)

// fuzzJournal is a sound journal of one segment.
func fuzzJournal(tb testing.TB) []byte {
	fs := faultfs.New(1)
	j, err := journal.Open(fs, journal.Options{Fingerprint: "f"})
	if err != nil {
		tb.Fatal(err)
	}
	for n := uint64(1); n < 6; n++ {
		if err := j.Append(n, record(n)[:12]); err != nil {
			tb.Fatal(err)
		}
		if n != 3 {
			if err := j.Sync(); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return fs.Bytes("journal-00000000000000000000")
}

// Any bytes as a segment, alone and before another one: an error that a user understands, or records in order.
func FuzzJournal(f *testing.F) {
	good := fuzzJournal(f)
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		fs := faultfs.New(1)
		fs.Put("journal-00000000000000000000", b)
		j, err := journal.Open(fs, journal.Options{Fingerprint: "f"})
		if err != nil {
			if types.AsError(err).Code == types.CodeInternal {
				t.Fatal(err)
			}
			return
		}
		last := uint64(0)
		if err := j.Replay(func(step uint64, _ []byte) error {
			if step <= last {
				t.Fatalf("step %d after %d", step, last)
			}
			last = step
			return nil
		}); err != nil || last != j.Last() {
			t.Fatalf("replay to step %d of %d: %v", last, j.Last(), err)
		}
	})
}

// Any bytes as a checkpoint.
func FuzzCheckpoint(f *testing.F) {
	fs := faultfs.New(1)
	w, err := journal.NewCheckpoint(fs, testMeta)
	if err != nil {
		f.Fatal(err)
	}
	if err := w.Section("agg", 1, []byte("state")); err != nil {
		f.Fatal(err)
	}
	if err := w.Section("agg", 2, nil); err != nil {
		f.Fatal(err)
	}
	if err := w.Finish(); err != nil {
		f.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		f.Fatal(err)
	}
	good := fs.Bytes(smallName)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		fs := faultfs.New(1)
		fs.Put(smallName, b)
		c, err := journal.LoadCheckpoint(fs)
		if err != nil {
			if types.AsError(err).Code == types.CodeInternal {
				t.Fatal(err)
			}
			return
		}
		for _, op := range c.Operators() {
			for _, shard := range c.Shards(op) {
				if _, err := c.Section(op, shard); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
