package conformance

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"rhumb/connectors"
)

// KillStore kills a process again and again while it applies documents, and verifies after each time that position and documents agree:
// with atomic, that they are exactly those of one position; without, that applying again from the position mends everything.
// The test that calls it must do nothing before.
func KillStore(t *testing.T, open func(t *testing.T, dir string) connectors.Store, atomic bool) {
	if storeChild(t, open) {
		return
	}
	s := newStoreTest(t, open, t.TempDir())
	defer s.close()
	s.killed(atomic)
}

// childDir is the environment variable that makes the test binary the process to be killed.
const childDir = "RHUMB_STORE_CHILD"

// killBatch are the documents that bring the test's object from position k to k+1: some are new, some revised, some removed.
func killBatch(m *model, k int) *connectors.Docs {
	r := rand.New(rand.NewPCG(uint64(k), 99))
	var ids []string
	for range 300 {
		ids = append(ids, fmt.Sprintf("doc%04d", r.IntN(2000)))
	}
	docs := m.docsOf(k, ids...)
	docs.Deleted = make([]bool, len(ids))
	for i := range docs.Deleted {
		docs.Deleted[i] = r.IntN(5) == 0
	}
	return docs
}

// storeChild is the process that gets killed: it applies batch after batch from where the store is, and reports each on its output. It is
// false in any other process.
func storeChild(t *testing.T, open func(t *testing.T, dir string) connectors.Store) bool {
	dir, ok := os.LookupEnv(childDir)
	if !ok {
		return false
	}
	go func() { // the parent is gone: so must we
		io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	s := newStoreTest(t, open, dir)
	m := smallModel(1)
	for k := s.killPosition(); ; k++ {
		s.must(s.Apply(s.ctx, 1, killBatch(m, k), positionOf(k+1)))
		fmt.Printf("applied %d\n", k+1)
	}
}

// killPosition is the number of batches that the store has, by its position.
func (s *storeTest) killPosition() int {
	s.Helper()
	p, err := s.Position(s.ctx, 1)
	s.must(err)
	for k := 0; ; k++ {
		if p == nil && k == 0 || bytes.Equal(p, positionOf(k)) {
			return k
		}
		if k > 1_000_000 {
			s.Fatalf("this is no position of the test's: %v", p)
		}
	}
}

func (s *storeTest) killed(atomic bool) {
	m := smallModel(1)
	s.define(m)
	s.must(s.Apply(s.ctx, 1, m.docsOf(0), positionOf(0)))
	s.close()
	r := newRand(uint64(time.Now().UnixNano()))
	done := 0 // batches that the model has
	for round := range 5 {
		acknowledged := s.runChild(1+r.IntN(8), time.Duration(r.IntN(30))*time.Millisecond)
		s.Store = s.reopen()
		s.define(m)
		k := s.killPosition()
		if k < acknowledged || k > acknowledged+1 {
			s.Fatalf("round %d: the process had applied %d batches, and the position says %d", round, acknowledged, k)
		}
		for ; done < k; done++ {
			m.apply(killBatch(m, done))
		}
		found := s.scan(1, m.schema(), connectors.Scan{Columns: m.columns(), Limit: -1})
		if atomic {
			if diff := m.differences(found, m.docs); diff != "" {
				s.Fatalf("round %d, position %d: %s", round, k, diff)
			}
		}
		// What the dead process had begun is done again.
		s.applyBoth(m, killBatch(m, k), k+1)
		done = k + 1
		s.same(m)
		if round < 4 {
			s.close()
		}
	}
}

// runChild starts the process, waits until it has applied some batches, waits on, and kills it. It returns the position of which it has
// told.
func (s *storeTest) runChild(batches int, wait time.Duration) int {
	s.Helper()
	var pattern []string
	name, _, _ := strings.Cut(s.Name(), "/killed_while") // of the test that called TestStore or KillStore
	for _, part := range strings.Split(name, "/") {
		pattern = append(pattern, "^"+regexp.QuoteMeta(part)+"$")
	}
	cmd := exec.Command(os.Args[0], "-test.run="+strings.Join(pattern, "/"), "-test.count=1")
	cmd.Env = append(os.Environ(), childDir+"="+s.dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	s.must(err)
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	s.must(err)
	s.must(cmd.Start())
	defer cmd.Wait()
	position, seen := -1, 0
	var output []string
	lines := bufio.NewScanner(stdout)
	for seen < batches && lines.Scan() {
		output = append(output, lines.Text())
		if n, _ := fmt.Sscanf(lines.Text(), "applied %d", &position); n == 1 {
			seen++
		}
	}
	if seen < batches {
		cmd.Process.Kill()
		s.Fatalf("the process ended by itself: %s\n%s", strings.Join(output, "\n"), stderr.String())
	}
	time.Sleep(wait)
	s.must(cmd.Process.Kill())
	for lines.Scan() { // what it had told before it died
		fmt.Sscanf(lines.Text(), "applied %d", &position)
	}
	return position
}
