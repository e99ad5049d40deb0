package journal_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"rhumb/executor/journal"
	"rhumb/executor/journal/faultfs"
)

// crashRun drives a journal with checkpoints over a file system that fails and crashes, and keeps its own account of what must be there.
type crashRun struct {
	t     *testing.T
	rng   *rand.Rand
	fs    *faultfs.FS
	j     *journal.Journal
	steps []uint64 // appended since the beginning, as far as they are not known to be lost
	// durable is the last step that a Sync has confirmed, checkpoint the last that Commit has, tried those that Commit may have made valid.
	durable, checkpoint uint64
	tried               map[uint64]bool
	dead                bool // the power is off: every operation fails until the crash
	rate                int  // one operation in rate fails; 0 = none
}

var errPower = errors.New("power off")

func (r *crashRun) fault(op faultfs.Op, _ string) error {
	switch {
	case r.dead:
		return errPower
	case r.rate == 0:
		return nil
	case r.rng.IntN(60) == 0:
		r.dead = true
		return errPower
	case op != faultfs.Read && r.rng.IntN(r.rate) == 0:
		return []error{syscall.EIO, syscall.ENOSPC}[r.rng.IntN(2)]
	}
	return nil
}

// Random appends, syncs, rotations, checkpoints, cuts, failures and crashes: after each crash the journal holds exactly a prefix of what
// was appended that includes everything that was synced, and the newest committed checkpoint is there.
func TestCrashes(t *testing.T) {
	seeds := 400
	if testing.Short() {
		seeds = 50
	}
	for seed := range seeds {
		r := &crashRun{t: t, rng: rand.New(rand.NewPCG(uint64(seed), 3)), fs: faultfs.New(uint64(seed)), tried: map[uint64]bool{}}
		r.fs.Fault = r.fault
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r.t = t
			for range 12 {
				r.recover()
				r.rate = 5 + r.rng.IntN(40)
				for n := r.rng.IntN(120); n > 0 && !r.dead; n-- {
					r.act()
				}
				r.fs.Crash()
				r.dead, r.rate = false, 0
			}
			r.recover()
		})
	}
}

// act does one thing at random.
func (r *crashRun) act() {
	switch n := r.rng.IntN(20); {
	case n < 11:
		step := r.j.Last() + 1 + uint64(r.rng.IntN(2))
		if err := r.j.Append(step, record(step)); err != nil {
			r.t.Fatal(err)
		}
		r.steps = append(r.steps, step)
	case n < 17:
		if r.j.Sync() == nil {
			r.durable = r.j.Last()
		}
	case n < 18:
		if r.j.Rotate() == nil {
			r.durable = r.j.Last()
		}
	default:
		r.takeCheckpoint()
	}
}

// takeCheckpoint does what the executor does: sync, rotate, write, commit, cut.
func (r *crashRun) takeCheckpoint() {
	if r.j.Rotate() != nil {
		return
	}
	r.durable = r.j.Last()
	w, err := journal.NewCheckpoint(r.fs, journal.Meta{Step: r.durable})
	if err != nil {
		return
	}
	defer w.Abort()
	if r.durable == r.checkpoint || w.Section("op", 0, record(r.durable)) != nil || w.Finish() != nil {
		return
	}
	r.tried[r.durable] = true
	if err := w.Commit(); err != nil {
		if err = w.Commit(); err != nil { // it may be tried again
			return
		}
	}
	r.checkpoint = r.durable
	_ = r.j.Cut(r.checkpoint)
}

// recover opens what is there, perhaps several times because that crashes too, and compares it with the account.
func (r *crashRun) recover() {
	for {
		if r.rng.IntN(4) == 0 {
			r.rate = 20
		}
		err := r.open()
		if err == nil {
			return
		}
		if r.rate == 0 {
			r.t.Fatal(err)
		}
		if r.dead || r.rng.IntN(2) == 0 {
			r.fs.Crash()
		}
		r.dead, r.rate = false, 0
	}
}

func (r *crashRun) open() error {
	c, err := journal.LoadCheckpoint(r.fs)
	if err != nil {
		return err
	}
	at := uint64(0)
	if c != nil {
		at = c.Meta.Step
		if at != r.checkpoint && !r.tried[at] {
			r.t.Fatalf("checkpoint of step %d; %d is committed, %v tried", at, r.checkpoint, r.tried)
		}
		if b, err := c.Section("op", 0); err != nil || string(b) != string(record(at)) {
			return err
		}
	}
	if at < r.checkpoint {
		r.t.Fatalf("checkpoint of step %d is gone, there is %d", r.checkpoint, at)
	}
	j, err := journal.Open(r.fs, journal.Options{Fingerprint: "f", After: at, SegmentBytes: 2000})
	if err != nil {
		return err
	}
	got, err := replayed(j)
	if err != nil {
		return err
	}
	var want []uint64
	kept := 0
	for i, step := range r.steps {
		if step <= j.Last() {
			kept = i + 1
			if step > at {
				want = append(want, step)
			}
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Fatalf("replayed %v, appended %v", got, want)
	}
	if j.Last() < r.durable {
		r.t.Fatalf("synced to step %d, the journal ends with %d", r.durable, j.Last())
	}
	// What came back is durable, and what did not is forgotten.
	r.j, r.steps, r.durable, r.checkpoint = j, r.steps[:kept], j.Last(), at
	return nil
}
