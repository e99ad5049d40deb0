package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"rhumb/connectors"
	"rhumb/types"
)

// TestStore runs the suite for Store. open opens the store that belongs to dir, which is empty the first time; opened again, also by another
// process, it finds what was written. The suite closes it.
func TestStore(t *testing.T, open func(t *testing.T, dir string) connectors.Store) {
	if storeChild(t, open) {
		return
	}
	for _, c := range []struct {
		name string
		run  func(*storeTest)
	}{
		{"unknown object", (*storeTest).unknown},
		{"apply", (*storeTest).applies},
		{"applying again changes nothing", (*storeTest).idempotent},
		{"revisions of one id", (*storeTest).coalesces},
		{"position", (*storeTest).positions},
		{"every type", (*storeTest).everyType},
		{"system columns", (*storeTest).systemColumns},
		{"conditions", (*storeTest).conditions},
		{"orders", (*storeTest).orders},
		{"random scans", (*storeTest).randomScans},
		{"scan that fails", (*storeTest).scanFails},
		{"reopen", (*storeTest).reopens},
		{"define again", (*storeTest).redefines},
		{"drop", (*storeTest).drops},
		{"hostile names", (*storeTest).hostileNames},
		{"large documents", (*storeTest).large},
		{"canceled", (*storeTest).canceled},
		{"readers beside the writer", (*storeTest).readersAndWriter},
		{"killed while applying", func(s *storeTest) { s.killed(false) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStoreTest(t, open, t.TempDir())
			defer s.close()
			c.run(s)
		})
	}
}

// storeTest is one test of the suite, with helpers.
type storeTest struct {
	*testing.T
	connectors.Store
	ctx    context.Context
	dir    string
	reopen func() connectors.Store
}

func newStoreTest(t *testing.T, open func(t *testing.T, dir string) connectors.Store, dir string) *storeTest {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	return &storeTest{T: t, Store: open(t, dir), ctx: ctx, dir: dir, reopen: func() connectors.Store { return open(t, dir) }}
}

func (s *storeTest) close() {
	if err := s.Close(); err != nil {
		s.Errorf("closing the store: %v", err)
	}
}

// must ends the test if err is not nil.
func (s *storeTest) must(err error) {
	s.Helper()
	if err != nil {
		e := types.AsError(err)
		s.Fatalf("%s %v (detail: %s)", e.Code, err, e.Detail)
	}
}

// fails verifies that err is a *types.Error with the code.
func (s *storeTest) fails(err error, code string) {
	s.Helper()
	var e *types.Error
	if !errors.As(err, &e) || e.Code != code {
		s.Fatalf("got error %v, want SQLSTATE %s", err, code)
	}
}

// positionOf is a position for the tests: stores do not look into it.
func positionOf(n int) []byte { return binary.AppendUvarint([]byte{0}, uint64(n)) }

// define defines the model's table.
func (s *storeTest) define(m *model) {
	s.Helper()
	s.must(s.Define(s.ctx, m.table))
}

// applyBoth applies documents to the store and to the model.
func (s *storeTest) applyBoth(m *model, docs *connectors.Docs, position int) {
	s.Helper()
	s.must(s.Apply(s.ctx, m.table.Object, docs, positionOf(position)))
	m.apply(docs)
}

// scan returns what Scan gives, after verifying the form of the batches.
func (s *storeTest) scan(object uint32, schema map[string]types.Type, sc connectors.Scan) []modelDoc {
	s.Helper()
	var docs []modelDoc
	s.must(s.Scan(s.ctx, object, sc, func(b *types.Batch) error {
		if b.N == 0 || b.N > 1024 || len(b.Cols) != len(sc.Columns) {
			return fmt.Errorf("a batch of %d rows and %d columns", b.N, len(b.Cols))
		}
		for i, v := range b.Cols {
			if v.Len() != b.N || v.Type != schema[sc.Columns[i]] {
				return fmt.Errorf("column %q has %d rows of %s, want %d of %s", sc.Columns[i], v.Len(), v.Type, b.N, schema[sc.Columns[i]])
			}
		}
		for _, r := range b.Selection(nil) {
			doc := modelDoc{}
			for i, v := range b.Cols {
				doc[sc.Columns[i]] = v.Value(int(r))
			}
			docs = append(docs, doc)
		}
		return nil
	}))
	return docs
}

// same verifies that the store holds what the model holds.
func (s *storeTest) same(m *model) {
	s.Helper()
	if diff := m.differences(s.scan(m.table.Object, m.schema(), connectors.Scan{Columns: m.columns(), Limit: -1}), m.docs); diff != "" {
		s.Fatal(diff)
	}
}

func (s *storeTest) unknown() {
	m := smallModel(7)
	all := connectors.Scan{Columns: []string{"_id"}, Limit: -1}
	s.fails(s.Apply(s.ctx, 7, m.docsOf(1, "a"), positionOf(1)), types.CodeUndefinedTable)
	s.fails(s.Scan(s.ctx, 7, all, func(*types.Batch) error { return nil }), types.CodeUndefinedTable)
	if s.Supports(7, connectors.Cond{Column: "_id", Op: "=", Values: []types.Value{types.TextValue("a")}}) ||
		s.SupportsOrder(7, []connectors.Order{{Column: "_id"}}) {
		s.Error("conditions and orders of an unknown object are supported")
	}
	if p, err := s.Position(s.ctx, 7); err != nil || p != nil {
		s.Errorf("the position of an unknown object is %v, %v", p, err)
	}
	s.must(s.Drop(s.ctx, 7))
	s.define(m)
	all.Columns = []string{"_id", "nmae"}
	s.fails(s.Scan(s.ctx, 7, all, func(*types.Batch) error { return nil }), types.CodeUndefinedColumn)
}

func (s *storeTest) applies() {
	m := smallModel(1)
	s.define(m)
	s.same(m)
	s.applyBoth(m, m.docsOf(1, "a", "b", "c"), 1)
	s.same(m)
	s.applyBoth(m, m.docsOf(2, "b", "d"), 2) // replaces and adds
	s.same(m)
	gone := m.docsOf(3, "a", "d", "never there", "e")
	gone.Deleted = []bool{true, true, true, false}
	s.applyBoth(m, gone, 3)
	s.same(m)
	s.applyBoth(m, m.docsOf(4, "a"), 4) // comes back
	s.applyBoth(m, m.docsOf(5), 5)      // only the position moves
	s.same(m)
	if got, err := s.Position(s.ctx, 1); err != nil || !bytes.Equal(got, positionOf(5)) {
		s.Errorf("position %v, %v", got, err)
	}
	other := smallModel(2)
	s.define(other)
	s.applyBoth(other, other.docsOf(6, "a", "z"), 1)
	s.same(other)
	s.same(m)
}

func (s *storeTest) idempotent() {
	m := smallModel(1)
	s.define(m)
	s.applyBoth(m, m.docsOf(1, "a", "b", "c", "d"), 1)
	docs := m.docsOf(2, "b", "e", "c", "b")
	docs.Deleted = []bool{false, false, true, false}
	for range 3 {
		s.applyBoth(m, docs, 2)
		s.same(m)
		if got, err := s.Position(s.ctx, 1); err != nil || !bytes.Equal(got, positionOf(2)) {
			s.Errorf("position %v, %v", got, err)
		}
	}
}

func (s *storeTest) coalesces() {
	m := smallModel(1)
	s.define(m)
	docs := m.docsOf(1, "a", "b", "a", "c", "a", "b", "d", "d")
	//                    removed and back, back and removed
	docs.Deleted = []bool{false, false, true, false, false, true, true, false}
	s.applyBoth(m, docs, 1)
	s.same(m)
	if len(m.docs) != 3 {
		s.Fatalf("the test's model has %d documents", len(m.docs))
	}
}

func (s *storeTest) positions() {
	m := smallModel(1)
	s.define(m)
	if p, err := s.Position(s.ctx, 1); err != nil || p != nil {
		s.Fatalf("before the first Apply: %v, %v", p, err)
	}
	for _, p := range [][]byte{{0}, {0xff, 0, 0xff}, []byte(strings.Repeat("x", 100_000))} {
		s.must(s.Apply(s.ctx, 1, m.docsOf(1, "a"), p))
		if got, err := s.Position(s.ctx, 1); err != nil || !bytes.Equal(got, p) {
			s.Fatalf("got %v, %v, want %v", got, err, p)
		}
	}
	// Documents that cannot be applied leave the position alone.
	bad := m.docsOf(2, "a", "b")
	bad.Cols = bad.Cols[:1]
	if err := s.Apply(s.ctx, 1, bad, positionOf(9)); err == nil {
		s.Fatal("documents without a column were taken")
	}
	if got, _ := s.Position(s.ctx, 1); bytes.Equal(got, positionOf(9)) {
		s.Fatal("the position moved without its documents")
	}
}

func (s *storeTest) reopens() {
	m := wideModel(1)
	s.define(m)
	s.applyBoth(m, m.random(newRand(1), 500), 1)
	s.close()
	s.Store = s.reopen()
	if got, err := s.Position(s.ctx, 1); err != nil || !bytes.Equal(got, positionOf(1)) {
		s.Errorf("position %v, %v", got, err)
	}
	s.define(m)
	s.same(m)
	s.applyBoth(m, m.random(newRand(2), 500), 2)
	s.same(m)
}

func (s *storeTest) redefines() {
	m := smallModel(1)
	s.define(m)
	s.applyBoth(m, m.docsOf(1, "a", "b"), 1)

	// The same again, under another name and text: nothing changes for the documents.
	m.table.Name, m.table.Query = "renamed", "SELECT 2"
	s.define(m)
	s.same(m)

	// Another version is another collection, and so are other columns; the topic, and with it the position, goes on.
	m.table.Version++
	m.docs = map[string]modelDoc{}
	s.define(m)
	s.same(m)
	if got, err := s.Position(s.ctx, 1); err != nil || !bytes.Equal(got, positionOf(1)) {
		s.Errorf("position %v, %v", got, err)
	}
	s.applyBoth(m, m.docsOf(2, "b", "c"), 2)
	s.same(m)
	wide := wideModel(1)
	wide.table.Version = m.table.Version
	s.define(wide)
	s.same(wide)
	s.applyBoth(wide, wide.random(newRand(1), 50), 3)
	s.same(wide)
}

func (s *storeTest) drops() {
	m, other := smallModel(1), smallModel(2)
	s.define(m)
	s.define(other)
	s.applyBoth(m, m.docsOf(1, "a", "b"), 1)
	s.applyBoth(other, other.docsOf(1, "a"), 1)
	m.table.Version++
	s.define(m)
	s.must(s.Drop(s.ctx, 1))
	s.fails(s.Apply(s.ctx, 1, m.docsOf(1, "a"), positionOf(1)), types.CodeUndefinedTable)
	if p, err := s.Position(s.ctx, 1); err != nil || p != nil {
		s.Errorf("position after Drop: %v, %v", p, err)
	}
	s.same(other)
	m.docs = map[string]modelDoc{}
	s.define(m)
	s.same(m)
	s.applyBoth(m, m.docsOf(3, "c"), 3)
	s.same(m)
}

// hostileNameList are names that break what is glued together from text.
func hostileNameList() []string {
	return []string{`"; DROP TABLE docs; --`, `'`, `''`, `"`, `""`, "`", `\`, "]", "[", ";", "--", "/*", "😀", "naïve", "Name", "name", "NAME",
		strings.Repeat("x", 60), strings.Repeat("ü", 60), " ", "select", "n", "id", "c0", "c1", "C0", "events", "state", "$where", "$", "%s", "?1", ":a",
		"@a", "rowid", "_rowid_", "document", "\t", "\n"}
}

func (s *storeTest) hostileNames() {
	m := &model{docs: map[string]modelDoc{}, table: connectors.Table{Object: 1, Version: 1, Name: `"; DROP TABLE docs; --`, Kind: "stream", Query: "SELECT '\"'",
		Topics: map[uint32]string{9: "sshd", 10: "'; --"}}}
	for _, n := range hostileNameList() {
		m.table.Columns = append(m.table.Columns, types.Field{Name: n, Type: types.T(types.Text), Entity: []string{"", "user"}[len(n)%2]})
	}
	s.define(m)
	r := newRand(3)
	s.applyBoth(m, m.random(r, 50), 1)
	s.same(m)
	for _, n := range hostileNameList() {
		sc := connectors.Scan{Columns: []string{"_id", n}, OrderBy: []connectors.Order{{Column: n}, {Column: "_id"}}, Limit: -1,
			Where: []connectors.Cond{{Column: n, Op: "=", Values: []types.Value{types.TextValue("'; DROP TABLE x; --")}}}}
		if s.Supports(1, sc.Where[0]) && s.SupportsOrder(1, sc.OrderBy) {
			s.compareScan(m, sc)
		}
	}
	// Every one is also the name of an object, and of an id.
	for i, n := range hostileNameList() {
		other := smallModel(uint32(10 + i))
		other.table.Name = n
		s.define(other)
		s.applyBoth(other, other.docsOf(i, hostileNameList()...), 1)
	}
	for i := range hostileNameList() {
		other := smallModel(uint32(10 + i))
		other.apply(other.docsOf(i, hostileNameList()...))
		s.same(other)
	}
	s.same(m)
}

func (s *storeTest) large() {
	m := smallModel(1)
	s.define(m)
	var ids []string
	for i := range 24 {
		ids = append(ids, fmt.Sprint("doc", i))
	}
	docs := m.docsOf(1, ids...)
	for i := range ids {
		docs.Cols[1].SetStr(i, bytes.Repeat([]byte{byte('a' + i)}, 1<<20+i))
	}
	s.applyBoth(m, docs, 1)
	s.same(m)
	s.applyBoth(m, m.docsOf(2, ids[:12]...), 2)
	s.same(m)
}

func (s *storeTest) canceled() {
	m := smallModel(1)
	s.define(m)
	var ids []string
	for i := range 5000 {
		ids = append(ids, fmt.Sprintf("doc%04d", i))
	}
	s.applyBoth(m, m.docsOf(1, ids...), 1)

	over, cancel := context.WithCancel(s.ctx)
	cancel()
	s.fails(s.Apply(over, 1, m.docsOf(2, ids...), positionOf(2)), types.CodeCanceled)
	s.fails(s.Scan(over, 1, connectors.Scan{Columns: []string{"_id"}, Limit: -1}, func(*types.Batch) error { return nil }), types.CodeCanceled)
	s.fails(s.Define(over, smallModel(2).table), types.CodeCanceled)
	s.same(m)

	// In the middle of a scan.
	ctx, cancel := context.WithCancel(s.ctx)
	rows := 0
	err := s.Scan(ctx, 1, connectors.Scan{Columns: []string{"_id"}, Limit: -1}, func(b *types.Batch) error {
		rows += b.N
		cancel()
		return nil
	})
	s.fails(err, types.CodeCanceled)
	if rows == len(ids) {
		s.Errorf("a canceled scan went on to its end")
	}

	// At any moment of an Apply: afterwards the documents are those of before or after, by what Apply said.
	for i := range 10 {
		ctx, cancel := context.WithTimeout(s.ctx, time.Duration(i)*3*time.Millisecond)
		docs := m.docsOf(10+i, ids...)
		if err := s.Apply(ctx, 1, docs, positionOf(10+i)); err == nil {
			m.apply(docs)
		} else {
			s.fails(err, types.CodeCanceled)
			if got, _ := s.Position(s.ctx, 1); bytes.Equal(got, positionOf(10+i)) {
				m.apply(docs) // canceled too late
			}
		}
		cancel()
		s.same(m)
	}
	s.applyBoth(m, m.docsOf(99, ids...), 99)
	s.same(m)
}

// readersAndWriter scans without pause while all documents are rewritten: a document is never half of one revision and half of another.
func (s *storeTest) readersAndWriter() {
	m := smallModel(1)
	s.define(m)
	var ids []string
	for i := range 1500 {
		ids = append(ids, fmt.Sprint("doc", i))
	}
	s.applyBoth(m, m.docsOf(0, ids...), 0)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				err := s.Scan(s.ctx, 1, connectors.Scan{Columns: []string{"n", "text", "_state", "_id"}, Limit: -1}, func(b *types.Batch) error {
					for i := range b.N {
						n := b.Cols[0].I[i]
						if text := string(b.Cols[1].Str(i)); text != smallText(int(n), string(b.Cols[3].Str(i))) {
							return fmt.Errorf("revision %d has text %q", n, text)
						}
					}
					return nil
				})
				if err != nil {
					s.Errorf("scan: %v", err)
					return
				}
			}
		})
	}
	for i := 1; i <= 25 && !s.Failed(); i++ {
		s.applyBoth(m, m.docsOf(i, ids...), i)
	}
	close(stop)
	wg.Wait()
	s.same(m)

	// A scan that takes its time does not hold up the writer.
	batches := 0
	s.must(s.Scan(s.ctx, 1, connectors.Scan{Columns: []string{"_id"}, Limit: -1}, func(b *types.Batch) error {
		batches++
		s.applyBoth(m, m.docsOf(100+batches, ids...), 100+batches)
		return nil
	}))
	if batches < 2 {
		s.Errorf("%d batches", batches)
	}
	s.same(m)
}

func (s *storeTest) scanFails() {
	m := smallModel(1)
	s.define(m)
	s.applyBoth(m, m.docsOf(1, "a", "b"), 1)
	broken := errors.New("enough")
	err := s.Scan(s.ctx, 1, connectors.Scan{Columns: []string{"_id"}, Limit: -1}, func(*types.Batch) error { return broken })
	if err != broken {
		s.Errorf("got %v, want the function's own error", err)
	}
	s.same(m)
	// No columns: only how many there are.
	rows := 0
	s.must(s.Scan(s.ctx, 1, connectors.Scan{Limit: -1}, func(b *types.Batch) error { rows += b.N; return nil }))
	if rows != 2 {
		s.Errorf("%d rows", rows)
	}
}
