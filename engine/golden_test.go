package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestGolden runs the SQL of testdata/*.txt as a user would, and then under random schedules, which must not show in the results.
//
// Commands: exec (statements), each (a statement a line, so that one that cannot be read does not stop the others), load stream=NAME (records, one a line), finish (all queries run to the end of their inputs), restart (a stop and a start, in
// every schedule).
// Results of a SELECT without ORDER BY may come in any order: the files say ORDER BY.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	schedules := 4
	switch {
	case os.Getenv("RHUMB_LONG") != "":
		schedules = 200
	case testing.Short():
		schedules = 2
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time is waiting for fsync
			t.Run("plain", func(t *testing.T) { runGolden(t, file, plain()) })
			if rewriting() {
				return
			}
			for i := range schedules {
				s := random(uint64(i))
				t.Run(s.name, func(t *testing.T) { runGolden(t, file, s) })
			}
		})
	}
}

func rewriting() bool {
	for _, a := range os.Args {
		if strings.Contains(a, "-rewrite") {
			return true
		}
	}
	return false
}

func runGolden(t *testing.T, file string, s schedule) {
	w := openWorld(t, t.TempDir(), s)
	datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
		w.t = t
		switch d.Cmd {
		case "exec":
			return w.exec(d.Input)
		case "each":
			var out strings.Builder
			for line := range strings.Lines(d.Input) {
				out.WriteString(w.exec(strings.TrimSuffix(strings.TrimSpace(line), ";")))
			}
			return out.String()
		case "load":
			var stream string
			d.ScanArgs(t, "stream", &stream)
			w.load(stream, d.Input)
			return ""
		case "restart":
			w.close()
			w.open()
			return ""
		case "finish":
			w.finish()
			return ""
		}
		return fmt.Sprintf("unknown command %q", d.Cmd)
	})
}
