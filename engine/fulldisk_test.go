package engine_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"rhumb/catalog"
	"rhumb/types"
)

const fullDisk = "RHUMB_TEST_FULL_DISK" // what is on the small disk: flows, or all

// TestFullDisk fills the disk under a running query: it pauses with an error that can be seen, and goes on when there is room.
func TestFullDisk(t *testing.T) {
	if os.Getenv(fullDisk) != "" {
		testFullDisk(t)
		return
	}
	t.Parallel()
	needData(t, dnsFile)
	for _, what := range []string{"flows", "all"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			out, err := inNamespace(t, "^TestFullDisk$", fullDisk+"="+what)
			if err != nil {
				t.Fatal(err, out)
			}
			t.Log(out)
		})
	}
}

// TestReadOnly mounts the data directory read-only under the engine.
func TestReadOnly(t *testing.T) {
	if os.Getenv("RHUMB_TEST_READ_ONLY") != "" {
		testReadOnly(t)
		return
	}
	t.Parallel()
	out, err := inNamespace(t, "^TestReadOnly$", "RHUMB_TEST_READ_ONLY=1")
	if err != nil {
		t.Fatal(err, out)
	}
}

// inNamespace runs a test in a process with mounts of its own.
func inNamespace(t *testing.T, test, env string) (string, error) {
	t.Helper()
	probe, err := exec.Command("unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt").CombinedOutput()
	if err != nil {
		if os.Getenv("RHUMB_REQUIRE_ROOT") != "" {
			t.Fatalf("RHUMB_REQUIRE_ROOT is set, but a private mount namespace cannot be made: %v %s", err, probe)
		}
		t.Skipf("needs root and unshare, to mount a small disk in a namespace of its own: %v %s", err, probe)
	}
	cmd := exec.Command("unshare", "-m", os.Args[0], "-test.run="+test, "-test.v")
	cmd.Env = append(os.Environ(), env)
	out, err := cmd.CombinedOutput()
	if err == nil && !strings.Contains(string(out), "--- PASS") {
		err = errors.New("the test did not run")
	}
	return string(out), err
}

// mount mounts a tmpfs of a size over a directory.
func mount(t *testing.T, dir, options string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "none", dir).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
}

func testFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	small := dir
	if os.Getenv(fullDisk) == "flows" {
		small = filepath.Join(dir, "flows")
	}
	mount(t, small, "size=24m")
	defer func() { _ = exec.Command("umount", "-l", small).Run() }()
	gate := make(chan struct{})
	s := plain()
	s.cut = func() int { <-gate; return 50 }
	s.checkpointEvery = 100 * time.Millisecond
	w := openWorld(t, dir, s)
	w.must(`CREATE STREAM dns (ts timestamptz NOT NULL, client inet PATH '$["id.orig_h"]', WATERMARK FOR ts AS ts - INTERVAL '672 seconds') WITH (partitions = 2)`)
	lines := fileLines(t, dnsFile)[:8000]
	w.loadLines("dns", lines)
	w.must(`CREATE STREAM per_minute AS SELECT client, window_start, count(*) AS n FROM TUMBLE(dns, ts, INTERVAL '1 minute') GROUP BY client, window_start, window_end;
		CREATE STREAM facts AS SELECT ts, client FROM dns`)
	if err := w.engine.StartPending(w.ctx()); err != nil {
		t.Fatal(err)
	}
	filler := fill(t, small)
	close(gate)
	deadline := time.Now().Add(time.Minute)
	for len(w.engine.Paused()) == 0 {
		if time.Now().After(deadline) {
			t.Fatal("no query pauses: ", w.exec("SELECT * FROM rhumb.ledger"))
		}
		time.Sleep(20 * time.Millisecond)
	}
	for q, err := range w.engine.Paused() {
		t.Logf("%s is paused: %v", q, err)
		if !strings.Contains(err.Error(), "no space left on device") && types.AsError(err).Code != "53100" {
			t.Errorf("the error of %s does not speak of the disk: %v", q, err)
		}
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	w.finish()
	if p := w.engine.Paused(); len(p) > 0 {
		t.Error("still paused:", p)
	}
	checkCounts(t, w, lines)
	w.close()
	w.open() // and what is on the disk is whole
	checkCounts(t, w, lines)
}

// fill writes a file until the disk is full.
func fill(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for chunk := 1 << 20; chunk > 0; {
		if _, err := f.Write(make([]byte, chunk)); err != nil {
			chunk /= 2
		}
	}
	return path
}

// checkCounts compares per_minute and facts with the lines.
func checkCounts(t *testing.T, w *world, lines []string) {
	t.Helper()
	counts := map[string]int{}
	for _, e := range parseDNS(t, lines) {
		counts[e.Client+" "+stamp(e.TS.Truncate(time.Minute))]++
	}
	var want []string
	for k, n := range counts {
		want = append(want, fmt.Sprintf("%s %d", k, n))
	}
	var have []string
	for _, r := range w.cells("SELECT host(client), window_start, n FROM per_minute") {
		have = append(have, strings.Join(r, " "))
	}
	sort.Strings(want)
	sort.Strings(have)
	if d := firstDifference(strings.Join(want, "\n"), strings.Join(have, "\n")); d != "" {
		t.Error(d)
	}
	w.expect("SELECT count(*), count(DISTINCT _id) FROM facts", fmt.Sprintf("%d %d", len(lines), len(lines)))
}

func testReadOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	mount(t, dir, "size=24m,ro")
	defer func() { _ = exec.Command("umount", "-l", dir).Run() }()
	if _, err := catalog.Lock(dir); err == nil || !strings.Contains(err.Error(), "read-only file system") || !strings.Contains(err.Error(), dir) {
		t.Errorf("the lock of a read-only directory: %v", err)
	}
	w := &world{t: t, dir: dir, sched: plain()}
	if err := w.tryOpen(); err == nil || !strings.Contains(err.Error(), "read-only file system") || !strings.Contains(err.Error(), dir) {
		t.Errorf("a read-only data directory: %v", err)
	}
}
