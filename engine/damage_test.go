package engine_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rhumb/catalog"
	"rhumb/connectors"
	"rhumb/types"
)

// TestLocked starts a second process on a data directory.
func TestLocked(t *testing.T) {
	if dir := os.Getenv("RHUMB_TEST_LOCK_DIR"); dir != "" {
		_, err := catalog.Lock(dir)
		if err == nil {
			fmt.Println("second process: it has the lock")
			return
		}
		fmt.Printf("second process: %v, %s\n", err, types.AsError(err).Code)
		return
	}
	dir := t.TempDir()
	lock, err := catalog.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	second := func() string {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLocked$")
		cmd.Env = append(os.Environ(), "RHUMB_TEST_LOCK_DIR="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatal(err, string(out))
		}
		return string(out)
	}
	if out := second(); !strings.Contains(out, dir+" is in use by another rhumb process (pid "+fmt.Sprint(os.Getpid())+")") || !strings.Contains(out, types.CodeObjectInUse) {
		t.Errorf("the second process says: %s", out)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if out := second(); !strings.Contains(out, "it has the lock") {
		t.Errorf("after the first process: %s", out)
	}
}

// damagedWorld leaves a data directory whose dataflows have a checkpoint and a journal behind it, as a process that was killed leaves it.
func damagedWorld(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s := plain()
	s.cut = func() int { return 20 }
	w := openWorld(t, dir, s)
	w.must(`CREATE STREAM s (ts timestamptz, k text, v int, WATERMARK FOR ts AS ts) WITH (partitions = 1);
		CREATE STREAM m AS SELECT k, window_start, sum(v) AS n FROM TUMBLE(s, ts, INTERVAL '1 minute') GROUP BY k, window_start, window_end;
		CREATE STREAM f AS SELECT k, v FROM s WHERE v > 5;
		CREATE MATERIALIZED VIEW a AS SELECT k, count(*) AS n FROM s GROUP BY k`)
	w.loadLines("s", damagedLines(0, 300))
	w.finish()
	w.close()
	w.sched.checkpointEvery = time.Hour
	w.open()
	w.loadLines("s", damagedLines(300, 600))
	deadline := time.Now().Add(30 * time.Second)
	for w.cells("SELECT sum(rows_in) FROM rhumb.ledger")[0][0] != "1800" {
		if time.Now().After(deadline) {
			t.Fatal("the rows do not come in:", w.exec("SELECT * FROM rhumb.ledger"))
		}
		time.Sleep(10 * time.Millisecond)
	}
	killed := filepath.Join(t.TempDir(), "killed")
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return killed
}

func damagedLines(from, to int) []string {
	var lines []string
	for i := from; i < to; i++ {
		at := time.Date(2024, 5, 1, 10, 0, i, 0, time.UTC)
		lines = append(lines, fmt.Sprintf(`{"ts":"%s","k":"k%d","v":%d}`, at.Format(time.RFC3339), i%7, i%11))
	}
	return lines
}

const damagedSQL = "SELECT k, n FROM a ORDER BY k; SELECT count(*), sum(n) FROM m; SELECT count(*), sum(v) FROM f"

// damagedAnswer is the answer to damagedSQL by hand, after a finish.
func damagedAnswer() string {
	var a [7]int
	windows := map[[2]int]bool{}
	sum, many, large := 0, 0, 0
	for i := range 600 {
		a[i%7]++
		windows[[2]int{i % 7, i / 60}] = true
		v := i % 11
		sum += v
		if v > 5 {
			many++
			large += v
		}
	}
	var out strings.Builder
	for k, n := range a {
		fmt.Fprintf(&out, "k%d | %d\n", k, n)
	}
	fmt.Fprintf(&out, "%d | %d\n%d | %d\n", len(windows), sum, many, large)
	return out.String()
}

// TestDamage flips bits in every file of the engine's own. Each is an error that names the file, or (the end of a journal that looks as if a
// write had been cut short) the results are right all the same. Nothing in between.
func TestDamage(t *testing.T) {
	t.Parallel()
	killed := damagedWorld(t)
	var files []string
	err := filepath.WalkDir(killed, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(killed, path)
		own := rel == "catalog.json" || strings.HasPrefix(rel, "flows/")
		if err == nil && !d.IsDir() && own {
			files = append(files, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("undamaged", func(t *testing.T) { openDamaged(t, killed, "", 0) })
	r := rand.New(rand.NewPCG(3, 3))
	kinds := map[string]int{}
	tries := 5
	if os.Getenv("RHUMB_LONG") != "" {
		tries = 200
	}
	for _, f := range files {
		info, err := os.Stat(filepath.Join(killed, f))
		if err != nil {
			t.Fatal(err)
		}
		kinds[filepath.Ext(f)]++
		if info.Size() == 0 {
			continue
		}
		offsets := []int64{0, info.Size() / 2, info.Size() - 1}
		for range tries - len(offsets) {
			offsets = append(offsets, r.Int64N(info.Size()))
		}
		if testing.Short() {
			offsets = offsets[1:2]
		}
		for _, at := range offsets {
			t.Run(fmt.Sprintf("%s@%d", f, at), func(t *testing.T) { openDamaged(t, killed, f, at) })
		}
	}
	t.Logf("%d files: %v", len(files), kinds)
	if len(files) < 3 {
		t.Error("there are too few files for the test to mean anything:", files)
	}
}

// openDamaged opens a copy of a directory in which a bit of a file is flipped.
func openDamaged(t *testing.T, killed, file string, at int64) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(killed)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, file)
	if file != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[at] ^= 1 << (at % 8)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{t: t, dir: dir, sched: plain()}
	err := w.tryOpen()
	if err != nil {
		if file == "" || !strings.Contains(err.Error(), filepath.Dir(path)) || !strings.Contains(err.Error(), filepath.Base(path)) || types.AsError(err).Code == types.CodeInternal {
			t.Errorf("the error does not name %s: %v (%s)", path, err, types.AsError(err).Code)
		}
		return
	}
	defer w.close()
	if ferr := w.engine.Finish(w.ctx()); ferr != nil {
		t.Fatalf("opened, and then: %v", ferr)
	}
	if d := firstDifference(damagedAnswer(), w.exec(damagedSQL)); d != "" {
		t.Errorf("opened without an error, but the results are wrong: %s", d)
	}
	if file != "" && !strings.HasPrefix(filepath.Base(file), "journal") {
		t.Errorf("a flipped bit of %s went unnoticed", file)
	}
}

// TestUnwritable has a file where a directory should be.
func TestUnwritable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := catalog.Lock(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("the lock of a file: %v", err)
	}
	w := &world{t: t, dir: file, sched: plain()}
	if err := w.tryOpen(); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file as the data directory: %v", err)
	}
	w = openWorld(t, filepath.Join(dir, "data"), plain())
	w.must("CREATE STREAM s (a int); CREATE STREAM c AS SELECT a FROM s")
	if err := os.WriteFile(filepath.Join(w.dir, "flows"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := w.engine.StartPending(w.ctx())
	if err == nil || !strings.Contains(err.Error(), filepath.Join(w.dir, "flows")) || types.AsError(err).Code != types.CodeIO {
		t.Errorf("a file in place of the directory of the dataflows: %v", err)
	}
}

// TestRecreatedTopic deletes the topic of a query's stream and creates it again: what the query has read is no longer there.
func TestRecreatedTopic(t *testing.T) {
	t.Parallel()
	w := openWorld(t, t.TempDir(), plain())
	w.must("CREATE STREAM s (a int) WITH (partitions = 1); CREATE STREAM c AS SELECT a FROM s")
	w.loadLines("s", []string{`{"a":1}`, `{"a":2}`, `{"a":3}`})
	w.finish()
	if err := w.broker.DeleteTopic(w.ctx(), "s"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.broker.CreateTopic(w.ctx(), connectors.TopicSpec{Name: "s", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	if err := w.engine.Finish(w.ctx()); err == nil || !strings.Contains(err.Error(), `"s"`) {
		t.Errorf("while it runs: %v", err)
	}
	if err := w.engine.Close(); err == nil || !strings.Contains(err.Error(), `"s"`) {
		t.Errorf("when it stops: %v", err)
	}
	w.engine = nil
	if err := errors.Join(w.store.Close(), w.broker.Close()); err != nil {
		t.Fatal(err)
	}
	err := w.tryOpen()
	if err == nil {
		t.Fatal("the engine opens a dataflow whose topic was recreated")
	}
	e := types.AsError(err)
	if e.Code != types.CodeNotInPrerequisite || !strings.Contains(e.Message, `"s"`) || !strings.Contains(e.Message, "created again") || e.Hint == "" {
		t.Errorf("the error is %s %s (hint: %s)", e.Code, e.Message, e.Hint)
	}
}
