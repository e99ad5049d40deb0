package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"rhumb/executor/journal"
	"rhumb/executor/journal/faultfs"
	"rhumb/types"
)

// record is what the tests journal as step n.
func record(n uint64) []byte {
	return []byte(fmt.Sprintf("record %d %s", n, strings.Repeat("x", int(n*37%200))))
}

func mustOpen(t *testing.T, fs journal.FS, o journal.Options) *journal.Journal {
	t.Helper()
	j, err := journal.Open(fs, o)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// appendSync journals the steps [from, to], each in a group of its own.
func appendSync(t *testing.T, j *journal.Journal, from, to uint64) {
	t.Helper()
	for n := from; n <= to; n++ {
		if err := j.Append(n, record(n)); err != nil {
			t.Fatal(err)
		}
		if err := j.Sync(); err != nil {
			t.Fatal(err)
		}
	}
}

// replayed returns the steps that a journal replays, after verifying their records.
func replayed(j *journal.Journal) (steps []uint64, err error) {
	err = j.Replay(func(n uint64, rec []byte) error {
		if !bytes.Equal(rec, record(n)) {
			return fmt.Errorf("record of step %d is %q", n, rec)
		}
		steps = append(steps, n)
		return nil
	})
	return steps, err
}

func wantSteps(t *testing.T, j *journal.Journal, from, to uint64) {
	t.Helper()
	steps, err := replayed(j)
	if err != nil {
		t.Fatal(err)
	}
	var want []uint64
	for n := from; n <= to; n++ {
		want = append(want, n)
	}
	if fmt.Sprint(steps) != fmt.Sprint(want) {
		t.Fatalf("replayed %v, want %v", steps, want)
	}
}

func wantCode(t *testing.T, err error, code, text string) {
	t.Helper()
	var e *types.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, text) {
		t.Fatalf("error %v, want code %s and %q", err, code, text)
	}
}

func TestJournalOnDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dataflow")
	fs, err := journal.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	j := mustOpen(t, fs, journal.Options{Fingerprint: "v1"})
	appendSync(t, j, 1, 5)
	if err := j.Rotate(); err != nil {
		t.Fatal(err)
	}
	appendSync(t, j, 6, 7)
	if err := j.Append(9, record(9)); err != nil { // numbers may be left out
		t.Fatal(err)
	}
	if j.Last() != 9 || j.Durable() != 7 {
		t.Fatalf("last %d, durable %d", j.Last(), j.Durable())
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}

	j = mustOpen(t, fs, journal.Options{Fingerprint: "v1", After: 3})
	if steps, err := replayed(j); err != nil || fmt.Sprint(steps) != "[4 5 6 7 9]" {
		t.Fatalf("replayed %v (%v)", steps, err)
	}
	if err := j.Append(9, nil); err == nil {
		t.Fatal("step 9 twice")
	}
	if err := j.Cut(5); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := os.ReadDir(dir)
	if len(files) != 1 || files[0].Name() != "journal-00000000000000000005" {
		t.Fatalf("files after Cut: %v", files)
	}

	_, err = journal.Open(fs, journal.Options{Fingerprint: "v1", After: 3})
	wantCode(t, err, types.CodeDataCorrupted, "the segment before it is missing")
	_, err = journal.Open(fs, journal.Options{Fingerprint: "v1", After: 10})
	wantCode(t, err, types.CodeDataCorrupted, "the records up to the checkpoint are missing")
}

func TestJournalMissing(t *testing.T) {
	_, err := journal.Open(faultfs.New(1), journal.Options{After: 7})
	wantCode(t, err, types.CodeDataCorrupted, "no journal beside it")

	fs := faultfs.New(1)
	j := mustOpen(t, fs, journal.Options{SegmentBytes: 1}) // a segment a group
	appendSync(t, j, 1, 4)
	if err := fs.Remove("journal-00000000000000000002"); err != nil {
		t.Fatal(err)
	}
	_, err = journal.Open(fs, journal.Options{})
	wantCode(t, err, types.CodeDataCorrupted, "journal-00000000000000000003")
	// A checkpoint of step 3 makes what is missing unneeded.
	wantSteps(t, mustOpen(t, fs, journal.Options{After: 3}), 4, 4)
}

// A journal of another fingerprint is opened where nothing of it has to be replayed.
func TestFingerprint(t *testing.T) {
	fs := faultfs.New(1)
	j := mustOpen(t, fs, journal.Options{Fingerprint: "old"})
	appendSync(t, j, 1, 3)
	_, err := journal.Open(fs, journal.Options{Fingerprint: "new", After: 2})
	wantCode(t, err, types.CodeNotInPrerequisite, "steps 3 to 3")

	j = mustOpen(t, fs, journal.Options{Fingerprint: "new", After: 3})
	appendSync(t, j, 4, 6)
	wantSteps(t, mustOpen(t, fs, journal.Options{Fingerprint: "new", After: 3}), 4, 6)
	_, err = journal.Open(fs, journal.Options{Fingerprint: "old", After: 3})
	wantCode(t, err, types.CodeNotInPrerequisite, "steps 4 to 6")

	// The old one left an empty segment behind, as a clean stop does; it is replaced.
	fs = faultfs.New(1)
	j = mustOpen(t, fs, journal.Options{Fingerprint: "old"})
	appendSync(t, j, 1, 3)
	if err := j.Rotate(); err != nil {
		t.Fatal(err)
	}
	j = mustOpen(t, fs, journal.Options{Fingerprint: "new", After: 3})
	appendSync(t, j, 4, 4)
	wantSteps(t, mustOpen(t, fs, journal.Options{Fingerprint: "new", After: 3}), 4, 4)

	// And one with a torn tail: it is cut off before another segment follows.
	fs = faultfs.New(1)
	j = mustOpen(t, fs, journal.Options{Fingerprint: "old"})
	appendSync(t, j, 1, 3)
	b := fs.Bytes("journal-00000000000000000000")
	fs.Put("journal-00000000000000000000", append(bytes.Clone(b), b[len(b)-50:]...))
	mustOpen(t, fs, journal.Options{Fingerprint: "new", After: 3})
	mustOpen(t, fs, journal.Options{Fingerprint: "new", After: 3})
}

// On a full disk or a failed write, sync or truncation nothing is lost, and the journal goes on by itself.
func TestRetry(t *testing.T) {
	for _, tc := range []struct {
		op   faultfs.Op
		err  error
		code string
	}{
		{faultfs.Write, syscall.ENOSPC, types.CodeDiskFull},
		{faultfs.Write, syscall.EDQUOT, types.CodeDiskFull},
		{faultfs.Write, syscall.EIO, types.CodeIO},
		{faultfs.Sync, syscall.EIO, types.CodeIO},
	} {
		t.Run(fmt.Sprint(tc.op, tc.err), func(t *testing.T) {
			fs := faultfs.New(1)
			j := mustOpen(t, fs, journal.Options{})
			appendSync(t, j, 1, 3)
			fs.Fault = func(op faultfs.Op, _ string) error {
				if op == tc.op {
					return tc.err
				}
				return nil
			}
			for n := uint64(4); n <= 6; n++ {
				if err := j.Append(n, record(n)); err != nil {
					t.Fatal(err)
				}
				wantCode(t, j.Sync(), tc.code, "journal-00000000000000000000")
			}
			fs.Fault = func(op faultfs.Op, _ string) error {
				if op == faultfs.Truncate {
					return syscall.EIO
				}
				return nil
			}
			wantCode(t, j.Sync(), types.CodeIO, "journal-00000000000000000000")
			if j.Durable() != 3 {
				t.Fatalf("durable %d", j.Durable())
			}
			fs.Fault = nil
			appendSync(t, j, 7, 8)
			if j.Durable() != 8 {
				t.Fatalf("durable %d", j.Durable())
			}
			fs.Crash()
			wantSteps(t, mustOpen(t, fs, journal.Options{}), 1, 8)
		})
	}
}

func TestDiskFull(t *testing.T) {
	for room := int64(1); room < 700; room += 7 {
		fs := faultfs.New(uint64(room))
		j := mustOpen(t, fs, journal.Options{})
		fs.Capacity = int64(len(fs.Bytes("journal-00000000000000000000"))) + room
		n := uint64(0)
		for {
			n++
			if err := j.Append(n, record(n)); err != nil {
				t.Fatal(err)
			}
			if err := j.Sync(); err != nil {
				wantCode(t, err, types.CodeDiskFull, "no space left")
				break
			}
		}
		fs.Capacity = 0
		appendSync(t, j, n+1, n+1)
		fs.Crash()
		wantSteps(t, mustOpen(t, fs, journal.Options{}), 1, n+1)
	}
}

// A rotation that fails after its file is there does not leave a journal with a hole.
func TestRotateFails(t *testing.T) {
	for _, at := range []faultfs.Op{faultfs.Open, faultfs.Write, faultfs.Sync, faultfs.Rename, faultfs.SyncDir} {
		fs := faultfs.New(1)
		j := mustOpen(t, fs, journal.Options{})
		appendSync(t, j, 1, 3)
		fs.Fault = func(op faultfs.Op, _ string) error {
			if op == at {
				return syscall.EIO
			}
			return nil
		}
		wantCode(t, j.Rotate(), types.CodeIO, "journal-00000000000000000003")
		fs.Fault = nil
		appendSync(t, j, 4, 5)
		fs.Crash()
		wantSteps(t, mustOpen(t, fs, journal.Options{}), 1, 5)
	}
}

// Whatever bit of the files is flipped, it is found: except in the last group, which may pass for a torn tail.
func TestJournalFlips(t *testing.T) {
	build := func() *faultfs.FS {
		fs := faultfs.New(1)
		j := mustOpen(t, fs, journal.Options{Fingerprint: "rhumb 1, seed 4711", SegmentBytes: 400})
		appendSync(t, j, 1, 9)
		return fs
	}
	files, _ := build().List()
	if len(files) < 3 {
		t.Fatalf("only %d segments", len(files))
	}
	for _, f := range files {
		for i := range int(f.Size) {
			fs := build()
			fs.Flip(f.Name, i, uint(i)%8)
			j, err := journal.Open(fs, journal.Options{Fingerprint: "rhumb 1, seed 4711"})
			if err != nil {
				if !strings.Contains(err.Error(), f.Name) {
					t.Fatalf("%s, byte %d: error %v", f.Name, i, err)
				}
				continue
			}
			// Torn: only the last group is gone.
			wantSteps(t, j, 1, 8)
		}
	}
}

// A sound group that does not follow the one before it is damage, not a torn tail.
func TestMissingGroup(t *testing.T) {
	const name = "journal-00000000000000000000"
	fs := faultfs.New(1)
	j := mustOpen(t, fs, journal.Options{})
	appendSync(t, j, 1, 1)
	one := len(fs.Bytes(name))
	appendSync(t, j, 2, 2)
	two := len(fs.Bytes(name))
	appendSync(t, j, 3, 3)
	b := bytes.Clone(fs.Bytes(name))
	fs.Put(name, append(b[:one], b[two:]...))
	_, err := journal.Open(fs, journal.Options{})
	wantCode(t, err, types.CodeDataCorrupted, "the records after step 1 are missing")
}

// Cut keeps a segment as long as one of its records is after the checkpoint.
func TestCut(t *testing.T) {
	for cut := uint64(0); cut <= 12; cut++ {
		fs := faultfs.New(1)
		j := mustOpen(t, fs, journal.Options{})
		for n := uint64(1); n <= 12; n += 4 {
			appendSync(t, j, n, n+3)
			if err := j.Rotate(); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Cut(cut); err != nil {
			t.Fatal(err)
		}
		wantSteps(t, mustOpen(t, fs, journal.Options{After: cut}), cut+1, 12)
		if files, _ := fs.List(); len(files) != 4-int(cut/4) {
			t.Errorf("Cut(%d) leaves %d files", cut, len(files))
		}
		appendSync(t, j, 13, 14)
		wantSteps(t, mustOpen(t, fs, journal.Options{After: cut}), cut+1, 14)
	}
}

// A last group of which only a part is there, or other bytes in its place, is cut off.
func TestTornTail(t *testing.T) {
	whole := faultfs.New(1)
	j := mustOpen(t, whole, journal.Options{})
	appendSync(t, j, 1, 2)
	two := len(whole.Bytes("journal-00000000000000000000"))
	appendSync(t, j, 3, 3)
	b := whole.Bytes("journal-00000000000000000000")
	for n := two; n < len(b); n++ {
		for _, tail := range [][]byte{nil, make([]byte, 100), bytes.Repeat([]byte{0xff}, 100)} {
			fs := faultfs.New(1)
			fs.Put("journal-00000000000000000000", append(bytes.Clone(b[:n]), tail...))
			j := mustOpen(t, fs, journal.Options{})
			wantSteps(t, j, 1, 2)
			appendSync(t, j, 3, 4)
			fs.Crash()
			wantSteps(t, mustOpen(t, fs, journal.Options{}), 1, 4)
		}
	}
}

func TestAppendDuringSync(t *testing.T) {
	fs, err := journal.Dir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	j := mustOpen(t, fs, journal.Options{SegmentBytes: 10_000})
	const steps = 2000
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := uint64(1); n <= steps; n++ {
			if err := j.Append(n, record(n)); err != nil {
				t.Error(err)
			}
		}
	})
	for j.Durable() < steps && !t.Failed() {
		if err := j.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	wantSteps(t, j, 1, steps)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	wantSteps(t, mustOpen(t, fs, journal.Options{}), 1, steps)
}
