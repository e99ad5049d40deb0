package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"

	"rhumb/types"
)

func source(name string) *Object {
	return &Object{Name: name, Kind: Source, Text: "CREATE STREAM " + name + " (...)", Canonical: "create stream " + name,
		Columns: []Column{
			{Name: "ts", Type: types.T(types.Timestamptz), NotNull: true},
			{Name: "user", Type: types.Type{Kind: types.Text, Mod: 20}, Path: []string{"a.b", "[0]"}, Entity: "user"},
			{Name: "amount", Type: types.Type{Kind: types.Numeric, Mod: 10, Scale: 2}, Default: "0"},
			{Name: "tags", Type: types.ArrayOf(types.Text)},
			{Name: "whole", Type: types.T(types.JSONB), Path: []string{}},
			{Name: "low", Type: types.T(types.Text), Expr: `lower("user")`},
		},
		Options: map[string]string{"format": "json"}, TimeColumn: "ts", Watermark: "ts", EventID: "user", Topic: name, Identity: "xyz"}
}

func query(s *Snapshot, kind Kind, name, text string, on ...string) *Object {
	o := &Object{Name: name, Kind: kind, Canonical: text, Query: text, Columns: []Column{{Name: "n", Type: types.T(types.Int8)}}, Key: []string{"n"}}
	for _, d := range on {
		dep, ok := s.Object(d)
		if !ok {
			panic("no " + d)
		}
		o.DependsOn = append(o.DependsOn, dep.Number)
		o.Versions = append(o.Versions, dep.Version)
	}
	return o
}

func mustOpen(t *testing.T, dir string) *Catalog {
	t.Helper()
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustCreate(t *testing.T, c *Catalog, o *Object, clause Clause, want Outcome) *Object {
	t.Helper()
	made, got, err := c.Create(o, clause)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Fatalf("creating %s: outcome %d, want %d", o.Name, got, want)
	}
	return made
}

func wantCode(t *testing.T, err error, code string) *types.Error {
	t.Helper()
	var e *types.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got %v, want an error with code %s", err, code)
	}
	return e
}

func TestReopenKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	c := mustOpen(t, dir)
	mustCreate(t, c, source("sshd"), New, Created)
	mustCreate(t, c, query(c.Snapshot(), View, "v", "v1", "sshd"), New, Created)
	d := mustCreate(t, c, query(c.Snapshot(), Derived, "d", "d1", "sshd", "v"), New, Created)
	mustCreate(t, c, query(c.Snapshot(), View, "v", "v2", "sshd"), OrReplace, Replaced)
	before := c.Snapshot()

	after := mustOpen(t, dir).Snapshot()
	if !reflect.DeepEqual(before, after) {
		t.Fatalf("reopened catalog differs:\n%+v\n%+v", before, after)
	}
	if after.Seed() == 0 || len(after.DataID()) != 32 || after.Version() != 5 {
		t.Fatalf("seed %d, id %q, version %d", after.Seed(), after.DataID(), after.Version())
	}
	// The derived stream stays bound to the view's first version.
	v, ok := after.As(d).Object("v")
	if !ok || v.Version != 1 || v.Query != "v1" {
		t.Fatalf("as d saw it, v is %+v", v)
	}
	if v, _ := after.Object("v"); v.Version != 2 || v.Query != "v2" {
		t.Fatalf("now v is %+v", v)
	}
	if _, ok := after.As(d).ByNumber(v.Number); !ok {
		t.Fatal("ByNumber does not find v")
	}
}

func TestNumbersAreNeverReused(t *testing.T) {
	dir := t.TempDir()
	c := mustOpen(t, dir)
	a := mustCreate(t, c, source("a"), New, Created)
	if _, err := c.Drop(DropSpec{Kind: "STREAM", Names: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	c = mustOpen(t, dir)
	b := mustCreate(t, c, source("a"), New, Created)
	if a.Number != 1 || b.Number != 2 || b.Version != 1 {
		t.Fatalf("numbers %d, %d", a.Number, b.Number)
	}
}

func TestCreateAgain(t *testing.T) {
	c := mustOpen(t, t.TempDir())
	a := mustCreate(t, c, source("a"), New, Created)
	version := c.Snapshot().Version()
	if same := mustCreate(t, c, source("a"), New, Unchanged); same != a {
		t.Fatal("not the same object")
	}
	for _, text := range []string{"create or replace stream a", "create stream if not exists a"} {
		again := source("a")
		again.Canonical = text
		mustCreate(t, c, again, OrReplace, Unchanged)
	}
	other := source("a")
	other.Canonical = "another"
	_, _, err := c.Create(other, New)
	if e := wantCode(t, err, "42P07"); e.Hint != "CREATE OR REPLACE STREAM a ... replaces it." {
		t.Fatalf("hint %q", e.Hint)
	}
	mustCreate(t, c, other, IfNotExists, Skipped)
	if c.Snapshot().Version() != version {
		t.Fatal("the catalog changed")
	}
	b := mustCreate(t, c, other, OrReplace, Replaced)
	if b.Number != a.Number || b.Version != 2 {
		t.Fatalf("replaced: number %d version %d", b.Number, b.Version)
	}
	if len(c.Snapshot().old) != 0 {
		t.Fatal("a version that nobody uses is kept")
	}
	view := &Object{Name: "a", Kind: View, Canonical: "v"}
	_, _, err = c.Create(view, OrReplace)
	wantCode(t, err, "42809")
	_, _, err = c.Create(view, New)
	wantCode(t, err, "42P07")
}

func TestReplaceRefuses(t *testing.T) {
	c := mustOpen(t, t.TempDir())
	mustCreate(t, c, source("a"), New, Created)
	mustCreate(t, c, query(c.Snapshot(), View, "v", "v1", "a"), New, Created)
	mustCreate(t, c, query(c.Snapshot(), View, "w", "w1", "v", "a"), New, Created)

	// A view through itself.
	_, _, err := c.Create(query(c.Snapshot(), View, "v", "v2", "w"), OrReplace)
	wantCode(t, err, "42P17")
	_, _, err = c.Create(query(c.Snapshot(), View, "v", "v2", "v"), OrReplace)
	wantCode(t, err, "42P17")

	// A column on which others may depend.
	short := source("a")
	short.Canonical, short.Columns = "short", short.Columns[1:]
	_, _, err = c.Create(short, OrReplace)
	if e := wantCode(t, err, "2BP01"); e.Detail != "view v depends on a\nview w depends on a" {
		t.Fatalf("detail %q", e.Detail)
	}
	longer := source("a")
	longer.Canonical, longer.Columns = "longer", append(longer.Columns, Column{Name: "x", Type: types.T(types.Inet)})
	mustCreate(t, c, longer, OrReplace, Replaced)

	// The same text again, but what it uses has changed since.
	stale := query(c.Snapshot(), View, "v", "v1", "a")
	_, _, err = c.Create(stale, New)
	wantCode(t, err, "42P07")
	mustCreate(t, c, stale, OrReplace, Replaced)

	// Bound against a catalog that is no more.
	old := query(c.Snapshot(), Derived, "d", "d1", "v")
	mustCreate(t, c, query(c.Snapshot(), View, "v", "v3", "a"), OrReplace, Replaced)
	_, _, err = c.Create(old, New)
	wantCode(t, err, "55000")
}

func TestDrop(t *testing.T) {
	c := mustOpen(t, t.TempDir())
	mustCreate(t, c, source("a"), New, Created)
	mustCreate(t, c, source("other"), New, Created)
	mustCreate(t, c, query(c.Snapshot(), View, "v", "v1", "a"), New, Created)
	mustCreate(t, c, query(c.Snapshot(), Derived, "d", "d1", "v", "a"), New, Created)
	mustCreate(t, c, query(c.Snapshot(), MatView, "m", "m1", "d"), New, Created)

	_, err := c.Drop(DropSpec{Kind: "STREAM", Names: []string{"other", "a"}})
	e := wantCode(t, err, "2BP01")
	if e.Message != `cannot drop stream "a" because other objects depend on it` ||
		e.Detail != "view v depends on a\nstream d depends on a\nmaterialized view m depends on a" {
		t.Fatalf("%s\n%s", e.Message, e.Detail)
	}
	if _, ok := c.Snapshot().Object("other"); !ok {
		t.Fatal("half of a DROP was done")
	}
	_, err = c.Drop(DropSpec{Kind: "VIEW", Names: []string{"a"}})
	wantCode(t, err, "42809")
	_, err = c.Drop(DropSpec{Kind: "STREAM", Names: []string{"othr"}})
	if e := wantCode(t, err, "42P01"); e.Hint != `Did you mean "other"?` {
		t.Fatalf("hint %q", e.Hint)
	}
	done, err := c.Drop(DropSpec{Kind: "STREAM", Names: []string{"nothing", "a"}, IfExists: true, Cascade: true})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range done.Objects {
		names = append(names, o.Name)
	}
	if !slices.Equal(names, []string{"m", "d", "v", "a"}) || !slices.Equal(done.Missing, []string{"nothing"}) {
		t.Fatalf("dropped %v, missing %v", names, done.Missing)
	}
	if got := c.Snapshot().Names(); !slices.Equal(got, []string{"other"}) {
		t.Fatalf("left: %v", got)
	}
}

// Any changed byte of the file is noticed, and named.
func TestFlippedBytes(t *testing.T) {
	dir := t.TempDir()
	c := mustOpen(t, dir)
	mustCreate(t, c, source("a"), New, Created)
	path := filepath.Join(dir, fileName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= 1 << (i % 8)
		if _, err := decodeFile(bad); err == nil {
			t.Fatalf("byte %d changed from %q to %q unnoticed", i, good[i], bad[i])
		}
	}
	for n := range len(good) {
		if _, err := decodeFile(good[:n]); err == nil {
			t.Fatalf("cut to %d bytes unnoticed", n)
		}
	}
	good[len(good)/2] ^= 1
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(dir)
	if e := wantCode(t, err, "XX001"); !bytes.Contains([]byte(e.Message), []byte(path)) {
		t.Fatalf("message does not name the file: %s", e.Message)
	}
}

// faulty fails from its n-th call on, as a crash does: what was done before stays.
type faulty struct {
	osFiles
	left int
}

var errCrash = errors.New("crash")

func (f *faulty) step() error {
	if f.left--; f.left < 0 {
		return errCrash
	}
	return nil
}

func (f *faulty) Create(name string) (syncFile, error) {
	if err := f.step(); err != nil {
		return nil, err
	}
	file, err := f.osFiles.Create(name)
	return faultyFile{file, f}, err
}

func (f *faulty) Rename(from, to string) error {
	if err := f.step(); err != nil {
		return err
	}
	return f.osFiles.Rename(from, to)
}

func (f *faulty) SyncDir(dir string) error {
	if err := f.step(); err != nil {
		return err
	}
	return f.osFiles.SyncDir(dir)
}

type faultyFile struct {
	syncFile
	f *faulty
}

func (w faultyFile) Write(b []byte) (int, error) {
	if err := w.f.step(); err != nil {
		n, _ := w.syncFile.Write(b[:len(b)/2]) // torn
		return n, err
	}
	return w.syncFile.Write(b)
}

func (w faultyFile) Sync() error {
	if err := w.f.step(); err != nil {
		return err
	}
	return w.syncFile.Sync()
}

// A crash at each point of a change leaves the catalog before it or after it. A change that was not acknowledged and may be on disk blocks
// further ones until the catalog is opened again.
func TestCrash(t *testing.T) {
	acknowledged := false
	for at := 0; !acknowledged; at++ {
		if at > 10 {
			t.Fatal("a change takes more than ten steps")
		}
		dir := t.TempDir()
		mustCreate(t, mustOpen(t, dir), source("a"), New, Created)
		files := &faulty{left: 1 << 30}
		c, err := open(dir, files)
		if err != nil {
			t.Fatal(err)
		}
		files.left = at
		_, _, err = c.Create(source("b"), New)
		acknowledged = err == nil
		if _, visible := c.Snapshot().Object("b"); visible != acknowledged {
			t.Fatalf("crash at step %d: acknowledged %v, visible %v", at, acknowledged, visible)
		}
		files.left = 1 << 30
		again := mustOpen(t, dir).Snapshot()
		_, there := again.Object("b")
		if _, ok := again.Object("a"); !ok || acknowledged && !there {
			t.Fatalf("crash at step %d: after it there are %v", at, again.Names())
		}
		_, _, err = c.Create(source("c"), New)
		if there && !acknowledged && err == nil {
			t.Fatalf("crash at step %d: b is on disk without having been acknowledged, and a change after it was accepted", at)
		}
	}
}

// Readers see whole versions while changes are made.
func TestConcurrent(t *testing.T) {
	c := mustOpen(t, t.TempDir())
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 10 {
				name := fmt.Sprintf("s%d_%d", w, i)
				if _, _, err := c.Create(source(name), New); err != nil {
					t.Error(err)
				}
				s := c.Snapshot()
				if _, ok := s.Object(name); !ok {
					t.Errorf("%s is not visible after it was created", name)
				}
				for _, n := range s.Names() {
					if o, _ := s.Object(n); o == nil || s.byNumber[o.Number] != o {
						t.Errorf("torn snapshot at %s", n)
					}
				}
			}
		})
	}
	wg.Wait()
	s := c.Snapshot()
	if len(s.Names()) != 40 || s.Version() != 41 || s.next != 41 {
		t.Fatalf("%d objects, version %d, next number %d", len(s.Names()), s.Version(), s.next)
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	l, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Lock(dir)
	e := wantCode(t, err, "55006")
	if want := fmt.Sprintf("data directory %s is in use by another rhumb process (pid %d)", dir, os.Getpid()); e.Message != want {
		t.Fatalf("got %q, want %q", e.Message, want)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	l, err = Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	_, err = Lock(filepath.Join(dir, "nowhere"))
	wantCode(t, err, "58030")
}

func TestVirtualTables(t *testing.T) {
	for _, name := range VirtualNames() {
		o, ok := VirtualTable(name)
		if !ok || o.Kind != Virtual || len(o.Columns) == 0 {
			t.Fatalf("%s: %+v", name, o)
		}
	}
	if o, _ := VirtualTable("rhumb.late"); len(o.Columns) != 10 || o.Columns[4].Name != "offset" {
		t.Fatalf("rhumb.late: %+v", o)
	}
	if _, ok := VirtualTable("ledger"); ok {
		t.Fatal("ledger without its schema")
	}
}

// FuzzDecode: whatever the bytes, reading does not panic, and what it accepts it writes back so that it reads the same.
func FuzzDecode(f *testing.F) {
	c, err := Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	for _, o := range []*Object{source("a"), query(c.Snapshot(), View, "v", "v1")} {
		if _, _, err := c.Create(o, New); err != nil {
			f.Fatal(err)
		}
	}
	b, err := encodeFile(c.Snapshot())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	_, body, _ := bytes.Cut(b, []byte{'\n'})
	f.Add(body)
	f.Add([]byte(`{"format":1,"next_number":3,"objects":[{"number":1,"version":1,"name":"a","kind":"VIEW","depends_on":[1],"depends_on_versions":[1]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := decodeFile(b); err != nil {
			wantCode(t, err, types.AsError(err).Code)
		}
		s, err := decodeBody(b)
		if err != nil {
			if types.AsError(err).Code == types.CodeInternal {
				t.Fatal(err)
			}
			return
		}
		out, err := encodeFile(s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeFile(out)
		if err != nil {
			t.Fatalf("what was read and written cannot be read: %s", err)
		}
		if _, err := encodeFile(again); err != nil {
			t.Fatal(err)
		}
	})
}
