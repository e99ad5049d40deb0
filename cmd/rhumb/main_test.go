package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// binary is the program under test, as a user runs it.
var binary string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "rhumb-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "rhumb.exe")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// result is what a process left behind.
type result struct {
	stdout, stderr string
	code           int
}

// process is a running rhumb.
type process struct {
	*exec.Cmd
	t              testing.TB
	stdout, stderr bytes.Buffer
}

// start starts rhumb in a directory.
func start(t testing.TB, dir string, stdin io.Reader, args ...string) *process {
	t.Helper()
	p := newProcess(t, dir, stdin, args...)
	p.begin()
	return p
}

// newProcess makes a process that begin starts. One that hangs is killed.
func newProcess(t testing.TB, dir string, stdin io.Reader, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	p := &process{Cmd: exec.CommandContext(ctx, binary, args...), t: t}
	p.Dir, p.Stdin, p.Stdout, p.Stderr = dir, stdin, &p.stdout, &p.stderr
	p.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	return p
}

func (p *process) begin() {
	p.t.Helper()
	if err := p.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// end waits for the process to end by itself.
func (p *process) end() result {
	p.t.Helper()
	err := p.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return result{p.stdout.String(), p.stderr.String(), p.ProcessState.ExitCode()}
}

// rhumb runs the program in a directory until it ends.
func rhumb(t testing.TB, dir string, args ...string) result {
	t.Helper()
	return start(t, dir, nil, args...).end()
}

// good is the standard output of a run that succeeds in silence.
func good(t testing.TB, dir string, args ...string) string {
	t.Helper()
	r := rhumb(t, dir, args...)
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("rhumb %s: exit status %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// files writes files into a new directory.
func files(t testing.TB, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		write(t, filepath.Join(dir, name), text)
	}
	return dir
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// repository is the path of a file of the repository.
func repository(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func same(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got\n%s\nwant\n%s", what, got, want)
	}
}
