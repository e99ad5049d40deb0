package journal

import (
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"rhumb/types"
)

// Options of Open.
type Options struct {
	// Fingerprint names everything that decides how a journalled step replays (and the data directory's hash seed). Records of another
	// fingerprint are not replayed.
	Fingerprint string
	// After is the step of the checkpoint that the dataflow starts from; 0 if there is none. Records up to it are not needed.
	After uint64
	// SegmentBytes is the size at which a new segment file is begun; 0 = 64 MiB.
	SegmentBytes int64
}

// Journal is the append-only record of a dataflow's steps, in segment files.
//
// Append, Last and Durable may be called while another goroutine is in Sync; all else is called one at a time.
type Journal struct {
	fs       FS
	opt      Options
	segments []segment // oldest first; records are appended to the last
	file     File      // of the last segment
	broken   bool      // a write or sync has failed: what the file holds behind the last segment's size is unknown
	// rotate says that a new segment must be begun before anything is written: its file may be there already.
	rotate bool
	// unwritten is the records that the current Sync writes, and upTo their last step. They are kept until they are durable.
	unwritten []byte
	upTo      uint64
	frame     []byte
	durable   atomic.Uint64

	mu      sync.Mutex
	pending types.Encoder // records appended since the last Sync began
	held    int           // bytes of records that are not durable
	last    uint64
}

const (
	defaultSegmentBytes = 64 << 20
	maxHeldBytes        = 1 << 30
)

// Open opens the dataflow's journal for appending, or creates it if there is none (and After is 0). It verifies all records after
// Options.After, and cuts off a torn tail. Call Replay before the first Append.
func Open(fs FS, o Options) (*Journal, error) {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = defaultSegmentBytes
	}
	j := &Journal{fs: fs, opt: o}
	files, err := j.list()
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		if o.After != 0 {
			return nil, types.Errorf(types.CodeDataCorrupted, "there is a checkpoint of step %d but no journal beside it", o.After).
				WithHint("restore the directory from a backup, or drop and create the query again")
		}
		err = j.begin(0)
	} else {
		err = j.verify(files)
	}
	if err != nil {
		return nil, err
	}
	tail := &j.segments[len(j.segments)-1]
	j.last = tail.last
	j.durable.Store(tail.last)
	return j, nil
}

// list returns the segment files in order, and removes what an interrupted creation left behind.
func (j *Journal) list() ([]FileInfo, error) {
	all, err := j.fs.List()
	if err != nil {
		return nil, fileError("list", "the directory of the journal", err)
	}
	var files []FileInfo
	for _, f := range all {
		if _, ok := stepOf(f.Name, segmentPrefix); ok {
			files = append(files, f)
		}
		base, isTemp := strings.CutSuffix(f.Name, tempSuffix)
		_, isSegment := stepOf(base, segmentPrefix)
		_, isCheckpoint := stepOf(base, checkpointPrefix)
		if isTemp && (isSegment || isCheckpoint) {
			if err := j.fs.Remove(f.Name); err != nil {
				return nil, fileError("remove", f.Name, err)
			}
		}
	}
	slices.SortFunc(files, func(a, b FileInfo) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

// verify reads the segments that hold records after Options.After and opens the last for appending.
func (j *Journal) verify(files []FileInfo) error {
	for i, f := range files {
		final := i == len(files)-1
		if !final {
			if next, _ := stepOf(files[i+1].Name, segmentPrefix); next <= j.opt.After {
				continue // a checkpoint has made it unneeded, Cut has not come to it
			}
		}
		b, err := readFile(j.fs, f)
		if err != nil {
			return err
		}
		s, err := readSegment(f.Name, b, final, nil)
		if err != nil {
			return err
		}
		if err := j.follows(&s); err != nil {
			return err
		}
		j.segments = append(j.segments, s)
	}
	tail := &j.segments[len(j.segments)-1]
	if tail.last < j.opt.After {
		return damaged(tail.name, tail.size, "the records up to the checkpoint are missing").
			WithDetail("The checkpoint is of step %d, the journal ends with step %d.", j.opt.After, tail.last)
	}
	// There may be a torn tail.
	if err := j.repair(); err != nil {
		return err
	}
	if tail.fingerprint != j.opt.Fingerprint {
		return j.begin(tail.last)
	}
	return nil
}

// follows verifies that a segment begins where the one before it ends (the first: not after the checkpoint), and that what has to be replayed
// of it can be.
func (j *Journal) follows(s *segment) error {
	want := j.opt.After
	if n := len(j.segments); n > 0 {
		want = j.segments[n-1].last
	}
	if s.after > want || len(j.segments) > 0 && s.after != want {
		return damaged(s.name, 0, "the segment before it is missing or does not end there")
	}
	if s.fingerprint != j.opt.Fingerprint && s.last > j.opt.After {
		return types.Errorf(types.CodeNotInPrerequisite, "the journal's steps %d to %d were computed by another version and cannot be replayed by this one",
			max(s.after, j.opt.After)+1, s.last).
			WithDetail("%s is of %q, this is %q.", s.name, s.fingerprint, j.opt.Fingerprint).
			WithHint("start the other version once more and stop it cleanly: it then ends with a checkpoint, which this one can open")
	}
	return nil
}

// begin makes a new segment the last. It takes the place of an empty one of the same name.
func (j *Journal) begin(after uint64) error {
	s, f, err := createSegment(j.fs, after, j.opt.Fingerprint)
	if err != nil {
		return err
	}
	if j.file != nil {
		j.file.Close() // everything in it is durable
	}
	if n := len(j.segments); n > 0 && j.segments[n-1].name == s.name {
		j.segments = j.segments[:n-1]
	}
	j.segments = append(j.segments, s)
	j.file, j.broken, j.rotate = f, false, false
	return nil
}

// repair brings the last segment's file back to what is known to be durable. A failed fsync may have thrown written pages away, so they are
// never synced again but written again.
func (j *Journal) repair() error {
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
	tail := &j.segments[len(j.segments)-1]
	f, err := j.fs.Open(tail.name, os.O_RDWR|os.O_APPEND)
	if err != nil {
		return fileError("open", tail.name, err)
	}
	if err := f.Truncate(tail.size); err != nil {
		f.Close()
		return fileError("truncate", tail.name, err)
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return fileError("sync", tail.name, err)
	}
	j.file, j.broken = f, false
	return nil
}

// Replay calls fn with each record after Options.After, in order, and stops at the first error. rec is borrowed for the call.
func (j *Journal) Replay(fn func(step uint64, rec []byte) error) error {
	for i := range j.segments {
		s := &j.segments[i]
		b, err := readFile(j.fs, FileInfo{s.name, s.size})
		if err != nil {
			return err
		}
		// Not as the final segment: its torn tail is gone.
		if _, err := readSegment(s.name, b, false, func(step uint64, rec []byte) error {
			if step <= j.opt.After {
				return nil
			}
			return fn(step, rec)
		}); err != nil {
			return err
		}
	}
	return nil
}

// Last is the number of the last step appended. At first it is the last that was journalled, and at least Options.After.
func (j *Journal) Last() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

// Durable is the number of the last step whose record is durable. Only outputs of steps up to it may be published.
func (j *Journal) Durable() uint64 { return j.durable.Load() }

// Append adds a step's record to the group that the next Sync writes; rec is copied. Step numbers rise.
func (j *Journal) Append(step uint64, rec []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if step <= j.last {
		return types.Errorf(types.CodeInternal, "BUG: step %d is journalled after step %d", step, j.last)
	}
	if j.held+len(rec) > maxHeldBytes {
		return types.Errorf(types.CodeProgramLimit, "the journal's records since the last sync take more than %d bytes", maxHeldBytes)
	}
	before := len(j.pending.B)
	j.pending.Uvarint(step - j.last)
	j.pending.Bytes(rec)
	j.held += len(j.pending.B) - before
	j.last = step
	return nil
}

// Sync is the group commit: when it returns nil, all records appended before the call are durable. After an error (53100 no space, 58030
// input or output) nothing is lost and nothing out of order: Sync may be called again, and says when it has succeeded.
func (j *Journal) Sync() error {
	j.mu.Lock()
	j.unwritten = append(j.unwritten, j.pending.B...)
	j.pending.B = j.pending.B[:0]
	j.upTo = j.last
	j.mu.Unlock()
	if len(j.unwritten) == 0 {
		return nil
	}
	if err := j.write(); err != nil {
		return err
	}
	j.mu.Lock()
	j.held -= len(j.unwritten)
	j.mu.Unlock()
	j.unwritten = j.unwritten[:0]
	j.durable.Store(j.upTo)
	return nil
}

// write makes unwritten a durable group.
func (j *Journal) write() error {
	if j.broken {
		if err := j.repair(); err != nil {
			return err
		}
	}
	tail := &j.segments[len(j.segments)-1]
	if j.rotate || tail.size >= j.opt.SegmentBytes {
		if err := j.begin(tail.last); err != nil {
			return err
		}
		tail = &j.segments[len(j.segments)-1]
	}
	j.frame = appendGroup(j.frame[:0], tail.seed, tail.last, j.unwritten)
	j.broken = true
	if _, err := j.file.Write(j.frame); err != nil {
		return fileError("write", tail.name, err)
	}
	if err := j.file.Sync(); err != nil {
		return fileError("sync", tail.name, err)
	}
	j.broken = false
	tail.size += int64(len(j.frame))
	tail.last = j.upTo
	return nil
}

// Rotate syncs and begins a new segment, if the present one has records. Call it where a checkpoint is taken, so that Cut can remove all that
// is before it. After an error the next Sync or Rotate tries again.
func (j *Journal) Rotate() error {
	if err := j.Sync(); err != nil {
		return err
	}
	tail := &j.segments[len(j.segments)-1]
	if tail.last == tail.after {
		return nil
	}
	j.rotate = true
	return j.begin(tail.last)
}

// Cut removes what a valid checkpoint at step makes unneeded: segments that end at or before it, and older checkpoints. After an error the
// rest goes with the next Cut.
func (j *Journal) Cut(step uint64) error {
	files, err := j.fs.List()
	if err != nil {
		return fileError("list", "the directory of the journal", err)
	}
	// Oldest first, so that whatever a crash leaves has no hole.
	slices.SortFunc(files, func(a, b FileInfo) int { return strings.Compare(a.Name, b.Name) })
	tail := j.segments[len(j.segments)-1].after
	for i, f := range files {
		remove := false
		if at, ok := stepOf(f.Name, checkpointPrefix); ok {
			remove = at < step
		} else if at, ok := stepOf(f.Name, segmentPrefix); ok && at < tail && i+1 < len(files) {
			next, ok := stepOf(files[i+1].Name, segmentPrefix)
			remove = ok && next <= step
		}
		if !remove {
			continue
		}
		if err := j.fs.Remove(f.Name); err != nil {
			return fileError("remove", f.Name, err)
		}
		j.segments = slices.DeleteFunc(j.segments, func(s segment) bool { return s.name == f.Name })
	}
	if err := j.fs.SyncDir(); err != nil {
		return fileError("sync", "the directory of the journal", err)
	}
	return nil
}

// Close syncs and closes the journal.
func (j *Journal) Close() error {
	err := j.Sync()
	if j.file != nil {
		if cerr := j.file.Close(); cerr != nil && err == nil {
			err = fileError("close", j.segments[len(j.segments)-1].name, cerr)
		}
		j.file = nil
	}
	return err
}
