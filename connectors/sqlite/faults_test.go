package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"rhumb/connectors"
	"rhumb/types"
)

// logTable is an object of one text column.
func logTable(object uint32) connectors.Table {
	return connectors.Table{Object: object, Version: 1, Name: fmt.Sprint("log", object), Kind: "stream", Query: "SELECT 1",
		Columns: types.Schema{{Name: "line", Type: types.T(types.Text)}, {Name: "ip", Type: types.T(types.Inet)}}}
}

// logDocs are n documents with lines of size bytes; ip is 192.0.2.<i>.
func logDocs(n, size int) *connectors.Docs {
	d := &connectors.Docs{Cols: []*types.Vec{types.NewVec(types.T(types.Text), n), types.NewVec(types.T(types.Inet), n)},
		Lineage: make([]types.Lineage, n), Positions: make([]connectors.Position, n), Detected: make([]int64, n)}
	for i := range n {
		d.IDs, d.States = append(d.IDs, fmt.Sprintf("doc%06d", i)), append(d.States, "final")
		d.Cols[0].AppendStr(bytes.Repeat([]byte{'a' + byte(i%26)}, size))
		d.Cols[1].AppendStr([]byte{4, 32, 192, 0, 2, byte(i)})
		at := int64(1_700_000_000_000_000 + i)
		d.Lineage[i] = types.Lineage{Total: 1, First: at, Last: at, Events: []types.EventRef{{Object: 9, Off: int64(i), Time: at}}}
	}
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		e := types.AsError(err)
		t.Fatalf("%s %s (%s)", e.Code, e.Message, e.Detail)
	}
}

// fails verifies the SQLSTATE, and that the message names the file.
func fails(t *testing.T, err error, code, path string) {
	t.Helper()
	var e *types.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, path) {
		t.Fatalf("got %#v, want %s and the file's name", err, code)
	}
}

func count(t *testing.T, s connectors.Store, object uint32) (rows int) {
	t.Helper()
	must(t, s.Scan(context.Background(), object, connectors.Scan{Limit: -1}, func(b *types.Batch) error { rows += b.N; return nil }))
	return rows
}

// wholeAfter verifies that a failed Apply has left nothing behind, and that the store goes on once the fault is mended.
func wholeAfter(t *testing.T, s connectors.Store, before int, mend func()) {
	t.Helper()
	ctx := context.Background()
	if n := count(t, s, 1); n != before {
		t.Errorf("%d documents after the failure, %d before", n, before)
	}
	if p, err := s.Position(ctx, 1); err != nil || !bytes.Equal(p, []byte{1}) {
		t.Errorf("position %v, %v", p, err)
	}
	mend()
	must(t, s.Apply(ctx, 1, logDocs(5000, 1000), []byte{2}))
	if n := count(t, s, 1); n != 5000 {
		t.Errorf("%d documents", n)
	}
	if p, _ := s.Position(ctx, 1); !bytes.Equal(p, []byte{2}) {
		t.Errorf("position %v", p)
	}
}

func opened(t *testing.T) (connectors.Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "documents.db")
	s, err := Open(path)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	must(t, s.Define(context.Background(), logTable(1)))
	must(t, s.Apply(context.Background(), 1, logDocs(100, 10), []byte{1}))
	return s, path
}

func TestDiskFull(t *testing.T) {
	s, path := opened(t)
	limit := func(pages int) {
		conn := <-s.(*Store).writer
		must(t, sqlitex.ExecuteTransient(conn, fmt.Sprintf("PRAGMA max_page_count = %d", pages), nil))
		s.(*Store).writer <- conn
	}
	limit(100)
	err := s.Apply(context.Background(), 1, logDocs(5000, 1000), []byte{2})
	fails(t, err, types.CodeDiskFull, path)
	wholeAfter(t, s, 100, func() { limit(1 << 30) })
}

// A file that may not grow is what a quota looks like.
func TestWriteFails(t *testing.T) {
	s, path := opened(t)
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var was syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was))
	limit := func(size uint64) {
		must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: was.Max}))
	}
	limit(1 << 20)
	err := s.Apply(context.Background(), 1, logDocs(5000, 1000), []byte{2})
	limit(was.Cur)
	fails(t, err, types.CodeIO, path)
	wholeAfter(t, s, 100, func() {})
}

func TestDamagedFile(t *testing.T) {
	s, path := opened(t)
	must(t, s.Apply(context.Background(), 1, logDocs(5000, 1000), []byte{2}))
	must(t, s.Close())
	data, err := os.ReadFile(path)
	must(t, err)

	// All but the first pages, so that it opens.
	broken := bytes.Clone(data)
	for i := 20 * pageSize; i < len(broken); i++ {
		broken[i] = 0x5a
	}
	must(t, os.WriteFile(path, broken, 0o600))
	s, err = Open(path)
	must(t, err)
	scan := func() error {
		return s.Scan(context.Background(), 1, connectors.Scan{Columns: []string{"line"}, Limit: -1}, func(*types.Batch) error { return nil })
	}
	fails(t, scan(), types.CodeDataCorrupted, path)
	fails(t, s.Apply(context.Background(), 1, logDocs(5000, 1000), []byte{3}), types.CodeDataCorrupted, path)
	must(t, s.Close())

	// The first page.
	must(t, os.WriteFile(path, append(bytes.Repeat([]byte("not a database "), 1000), data...), 0o600))
	_, err = Open(path)
	fails(t, err, types.CodeDataCorrupted, path)
}

// A value that is none of its column's type was put there by another program.
func TestForeignValues(t *testing.T) {
	for _, update := range []string{"c1 = 'no address'", "c1 = x'00'", "c0 = x'00'", "detected = 'today'", "events = '[[1]]'", "events = 'x'"} {
		s, path := opened(t)
		edit(t, path, "UPDATE doc_1 SET "+update+" WHERE id = 'doc000050'")
		err := s.Scan(context.Background(), 1, connectors.Scan{Columns: []string{"line", "ip", "_detected", "_events"}, Limit: -1},
			func(*types.Batch) error { return nil })
		fails(t, err, types.CodeDataCorrupted, path)
	}
}

// edit runs statements as another program would.
func edit(t *testing.T, path string, stmts ...string) {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	must(t, err)
	defer conn.Close()
	for _, stmt := range stmts {
		must(t, sqlitex.ExecuteTransient(conn, stmt, nil))
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	foreign, newer := filepath.Join(dir, "foreign.db"), filepath.Join(dir, "newer.db")
	edit(t, foreign, "CREATE TABLE bookmarks (url)")
	s, err := Open(newer)
	must(t, err)
	must(t, s.Close())
	edit(t, newer, "PRAGMA user_version = 99")
	for path, code := range map[string]string{
		foreign: types.CodeNotInPrerequisite, newer: types.CodeNotInPrerequisite, dir: types.CodeIO,
		filepath.Join(dir, "no", "such", "directory", "x.db"): types.CodeIO,
	} {
		s, err := Open(path)
		if err == nil {
			s.Close()
		}
		fails(t, err, code, path)
	}
	if _, err := Open(""); types.AsError(err).Code != types.CodeInvalidOption {
		t.Errorf("no path: %v", err)
	}
}

func TestClosed(t *testing.T) {
	s, path := opened(t)
	must(t, s.Close())
	must(t, s.Close())
	ctx := context.Background()
	fails(t, s.Apply(ctx, 1, logDocs(1, 1), []byte{2}), types.CodeNotInPrerequisite, path)
	fails(t, s.Define(ctx, logTable(2)), types.CodeNotInPrerequisite, path)
	_, err := s.Position(ctx, 1)
	fails(t, err, types.CodeNotInPrerequisite, path)
	if _, err := os.Stat(path + "-wal"); !os.IsNotExist(err) {
		t.Errorf("the log is still there after Close: %v", err)
	}
}
