package journal_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"rhumb/executor/journal"
	"rhumb/executor/journal/faultfs"
	"rhumb/types"
)

var testMeta = journal.Meta{Step: 42, Clock: -5, CatalogVersion: 7, HashSeed: 1 << 63, Fingerprint: "rhumb 1",
	Sources: []journal.SourcePosition{{Object: 1, Partition: 0, Next: 100, Identity: "abc"}, {Object: 1, Partition: 1, Next: 0}}}

type sectionID struct {
	operator string
	shard    int32
}

// testSections are sections of all sizes: none, some, and more than the buffers.
func testSections() map[sectionID][]byte {
	rng := rand.New(rand.NewPCG(9, 9))
	bytesOf := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	return map[sectionID][]byte{
		{"agg/1", 0}: bytesOf(100), {"agg/1", 63}: bytesOf(300_000), {"agg/1", 7}: {}, {"agg/1", -1}: bytesOf(1),
		{"", 0}: bytesOf(10), {"join/é", 5}: bytesOf(256 << 10), {"z", 1}: bytesOf(700_000), {"z", 0}: bytesOf(3),
	}
}

func writeCheckpoint(t *testing.T, fs journal.FS, m journal.Meta, sections map[sectionID][]byte) *journal.CheckpointWriter {
	t.Helper()
	w, err := journal.NewCheckpoint(fs, m)
	if err != nil {
		t.Fatal(err)
	}
	for id, data := range sections {
		if err := w.Section(id.operator, id.shard, data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestCheckpointRoundTrip(t *testing.T) {
	fs, err := journal.Dir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if c, err := journal.LoadCheckpoint(fs); c != nil || err != nil {
		t.Fatalf("checkpoint %v of an empty directory (%v)", c, err)
	}
	sections := testSections()
	w := writeCheckpoint(t, fs, testMeta, sections)
	if c, err := journal.LoadCheckpoint(fs); c != nil || err != nil {
		t.Fatalf("checkpoint %v is valid before Commit (%v)", c, err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	c, err := journal.LoadCheckpoint(fs)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c.Meta, testMeta) {
		t.Errorf("meta %+v", c.Meta)
	}
	for id, want := range sections {
		got, err := c.Section(id.operator, id.shard)
		if err != nil || got == nil || !bytes.Equal(got, want) {
			t.Errorf("section %v: %d bytes, want %d (%v)", id, len(got), len(want), err)
		}
	}
	if b, err := c.Section("agg/1", 8); b != nil || err != nil {
		t.Errorf("a section that is not there: %v, %v", b, err)
	}
	if got := fmt.Sprint(c.Operators()); got != "[ agg/1 join/é z]" {
		t.Errorf("operators %s", got)
	}
	if got := fmt.Sprint(c.Shards("agg/1")); got != "[-1 0 7 63]" {
		t.Errorf("shards %s", got)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestCheckpointEmpty(t *testing.T) {
	fs := faultfs.New(1)
	if err := writeCheckpoint(t, fs, journal.Meta{}, nil).Commit(); err != nil {
		t.Fatal(err)
	}
	c, err := journal.LoadCheckpoint(fs)
	if err != nil || len(c.Operators()) != 0 {
		t.Fatal(c, err)
	}
}

// The newest wins, older ones go with Cut, and a damaged newest is never replaced by an older.
func TestCheckpointNewest(t *testing.T) {
	fs := faultfs.New(1)
	j := mustOpen(t, fs, journal.Options{})
	for step := uint64(1); step <= 3; step++ {
		appendSync(t, j, step, step)
		if err := j.Rotate(); err != nil {
			t.Fatal(err)
		}
		w := writeCheckpoint(t, fs, journal.Meta{Step: step}, map[sectionID][]byte{{"op", 0}: {byte(step)}})
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		c, err := journal.LoadCheckpoint(fs)
		if err != nil || c.Meta.Step != step {
			t.Fatalf("after step %d: %+v (%v)", step, c, err)
		}
	}
	fs.Flip("ckpt-00000000000000000003", 50, 1)
	_, err := journal.LoadCheckpoint(fs)
	wantCode(t, err, types.CodeDataCorrupted, "ckpt-00000000000000000003")
	fs.Flip("ckpt-00000000000000000003", 50, 1)
	if err := j.Cut(3); err != nil {
		t.Fatal(err)
	}
	files, _ := fs.List()
	if len(files) != 2 || fs.Bytes("ckpt-00000000000000000003") == nil || fs.Bytes("journal-00000000000000000003") == nil {
		t.Fatalf("files after Cut: %v", files)
	}
}

func smallCheckpoint(t *testing.T) *faultfs.FS {
	fs := faultfs.New(1)
	w := writeCheckpoint(t, fs, testMeta, map[sectionID][]byte{{"agg", 1}: bytes.Repeat([]byte("state"), 20), {"agg", 2}: {}, {"join", 1}: {1, 2, 3}})
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return fs
}

const smallName = "ckpt-00000000000000000042"

func TestCheckpointFlips(t *testing.T) {
	fs := smallCheckpoint(t)
	b := fs.Bytes(smallName)
	refused := func(what string, at int) {
		t.Helper()
		_, err := journal.LoadCheckpoint(fs)
		if err == nil || !strings.Contains(err.Error(), smallName) {
			t.Errorf("%s at %d of %d: %v", what, at, len(b), err)
		}
	}
	for i := range b {
		for bit := range uint(8) {
			fs.Flip(smallName, i, bit)
			refused("a flipped bit", i)
			fs.Flip(smallName, i, bit)
		}
	}
	for i := range b {
		fs.Put(smallName, b[:i])
		refused("the end", i)
	}
	fs.Put(smallName, append(bytes.Clone(b), 0))
	refused("a byte more", len(b))
	fs.Put(smallName, b)
	if _, err := journal.LoadCheckpoint(fs); err != nil {
		t.Fatal(err)
	}
}

// Whatever fails, the checkpoint before stays valid, and what is left of the failed one is removed.
func TestCheckpointFaults(t *testing.T) {
	for fail := 0; ; fail++ {
		fs := smallCheckpoint(t)
		ops := 0
		fs.Fault = func(op faultfs.Op, _ string) error {
			if op == faultfs.Remove {
				return nil
			}
			if ops++; ops == fail+1 {
				return syscall.ENOSPC
			}
			return nil
		}
		err := func() error {
			w, err := journal.NewCheckpoint(fs, journal.Meta{Step: 50})
			if err != nil {
				return err
			}
			defer w.Abort()
			if err := w.Section("agg", 1, make([]byte, 400_000)); err != nil {
				return err
			}
			if err := w.Finish(); err != nil {
				return err
			}
			if err := w.Commit(); err != nil {
				wantCode(t, err, types.CodeDiskFull, "ckpt-00000000000000000050")
				return w.Commit()
			}
			return nil
		}()
		fs.Fault = nil
		c, lerr := journal.LoadCheckpoint(fs)
		if lerr != nil {
			t.Fatal(lerr)
		}
		if err != nil {
			wantCode(t, err, types.CodeDiskFull, "ckpt-00000000000000000050")
			if files, _ := fs.List(); c.Meta.Step != 42 || len(files) != 1 {
				t.Fatalf("failing operation %d: checkpoint of step %d, files %v", fail, c.Meta.Step, files)
			}
			continue
		}
		if c.Meta.Step != 50 {
			t.Fatalf("failing operation %d: checkpoint of step %d", fail, c.Meta.Step)
		}
		if ops <= fail {
			return // there are no more operations to fail
		}
	}
}

func TestCheckpointMisuse(t *testing.T) {
	w, err := journal.NewCheckpoint(faultfs.New(1), journal.Meta{Step: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err == nil {
		t.Error("Commit before Finish")
	}
	if err := w.Section("a", 1, nil); err != nil {
		t.Error(err)
	}
	if err := w.Section("a", 1, nil); err == nil {
		t.Error("a section twice")
	}
}
