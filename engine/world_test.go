package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rhumb/catalog"
	"rhumb/connectors"
	"rhumb/connectors/kafka"
	"rhumb/connectors/sqlite"
	"rhumb/engine"
	"rhumb/executor"
	"rhumb/parser"
	"rhumb/types"
)

// schedule is what must not show in results: how input is cut, how many workers there are, when the engine is stopped and opened again.
type schedule struct {
	name      string
	workers   int
	chunkRows int
	cut       func() int
	restart   func() bool
	// journal, if not 0, is how often checkpoints are made: with a long one the journal stays.
	checkpointEvery time.Duration
}

// plain is the schedule of a user.
func plain() schedule {
	return schedule{name: "plain", restart: func() bool { return false }}
}

// random makes a schedule of a seed.
func random(seed uint64) schedule {
	r := rand.New(rand.NewPCG(seed, 1))
	chunk := []int{1, 2, 3, 7, 64, 1000, 4096}[r.IntN(7)]
	most := []int{1, 3, 10, 100, 5000}[r.IntN(5)]
	workers := 1 + r.IntN(8)
	var mu sync.Mutex // several dataflows ask
	draw := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return r.IntN(n)
	}
	s := schedule{workers: workers, chunkRows: chunk,
		cut:     func() int { return 1 + draw(most) },
		restart: func() bool { return draw(3) == 0 }}
	s.name = fmt.Sprintf("seed=%d,chunk=%d,cut=%d,workers=%d", seed, chunk, most, s.workers)
	return s
}

// world is an engine on an embedded broker and store in a directory, as rhumb run makes it.
type world struct {
	t      testing.TB
	dir    string
	sched  schedule
	broker connectors.Broker
	store  connectors.Store
	engine *engine.Engine
}

func openWorld(t testing.TB, dir string, s schedule) *world {
	w := &world{t: t, dir: dir, sched: s}
	w.open()
	t.Cleanup(w.close)
	return w
}

func (w *world) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	w.t.Cleanup(cancel)
	return ctx
}

func (w *world) open() {
	w.t.Helper()
	if err := w.tryOpen(); err != nil {
		w.t.Fatal(err)
	}
}

// tryOpen opens the broker, the store and the engine, or nothing.
func (w *world) tryOpen() error {
	b, err := kafka.Embedded(filepath.Join(w.dir, "broker"), kafka.EmbeddedOptions{})
	if err != nil {
		return err
	}
	s, err := sqlite.Open(filepath.Join(w.dir, "store.db"))
	if err != nil {
		return errors.Join(err, b.Close())
	}
	e, err := engine.Open(w.ctx(), engine.Config{Dir: w.dir, Broker: b, Store: s, Workers: w.sched.workers, Options: specs,
		Flow: executor.Config{ChunkRows: w.sched.chunkRows, Cut: w.sched.cut, CheckpointEvery: w.sched.checkpointEvery}})
	if err != nil {
		return errors.Join(err, s.Close(), b.Close())
	}
	w.broker, w.store, w.engine = b, s, e
	return nil
}

func specs(kind catalog.Kind) connectors.Spec {
	switch kind {
	case catalog.Source:
		return kafka.SourceOptions
	case catalog.MatView:
		return kafka.ViewOptions
	}
	return kafka.StreamOptions
}

func (w *world) close() {
	if w.engine == nil {
		return
	}
	if err := w.engine.Close(); err != nil {
		w.t.Error(err)
	}
	if err := w.store.Close(); err != nil {
		w.t.Error(err)
	}
	if err := w.broker.Close(); err != nil {
		w.t.Error(err)
	}
	w.engine = nil
}

// maybeRestart stops the engine and opens it again, if the schedule says so.
func (w *world) maybeRestart() {
	if w.sched.restart() {
		w.close()
		w.open()
	}
}

// exec executes statements and returns what a user would see.
func (w *world) exec(sql string) string {
	var out strings.Builder
	parsed, err := parser.Parse(sql)
	if err != nil {
		return parser.Caret(sql, types.AsError(err)) + "\n"
	}
	for _, p := range parsed {
		if _, ok := p.Stmt.(*parser.SelectStmt); ok {
			out.WriteString(w.query(p))
			continue
		}
		res, err := w.engine.Exec(w.ctx(), p)
		if err != nil {
			out.WriteString(parser.Caret(p.Text, types.AsError(err)) + "\n")
			continue
		}
		for _, n := range res.Notices {
			out.WriteString("NOTICE: " + n + "\n")
		}
		if res.Schema != nil {
			out.WriteString(text(res.Rows))
		} else {
			out.WriteString(res.Tag + "\n")
		}
	}
	return out.String()
}

func (w *world) query(p parser.Parsed) string {
	q, err := w.engine.Prepare(w.ctx(), p)
	if err == nil {
		var out strings.Builder
		err = q.Run(w.ctx(), func(b *types.Batch) error {
			out.WriteString(text(b))
			return nil
		})
		if err == nil {
			return out.String()
		}
	}
	return parser.Caret(p.Text, types.AsError(err)) + "\n"
}

// text prints rows, columns separated by bars.
func text(b *types.Batch) string {
	var out strings.Builder
	for _, i := range b.Selection(nil) {
		for c, v := range b.Cols {
			if c > 0 {
				out.WriteString(" | ")
			}
			if v.Null(int(i)) {
				out.WriteString("NULL")
			} else {
				out.Write(types.AppendText(nil, v, int(i), nil))
			}
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// load loads lines, in pieces between which the engine may be restarted.
func (w *world) load(stream, lines string) {
	w.t.Helper()
	w.loadLines(stream, strings.Split(strings.TrimSuffix(lines, "\n"), "\n"))
}

func (w *world) loadLines(stream string, all []string) {
	w.t.Helper()
	for len(all) > 0 {
		n := len(all)
		if w.sched.cut != nil {
			n = min(n, 1+len(all)/2)
		}
		if err := w.engine.StartPending(w.ctx()); err != nil {
			w.t.Fatal(err)
		}
		if err := w.engine.Load(w.ctx(), stream, &lineSlice{lines: all[:n]}, nil); err != nil {
			w.t.Fatal(err)
		}
		all = all[n:]
		w.maybeRestart()
	}
}

func (w *world) finish() {
	w.t.Helper()
	w.maybeRestart()
	if err := w.engine.Finish(w.ctx()); err != nil {
		w.t.Fatal(err)
	}
	w.maybeRestart()
}

// lineSlice is engine.Lines over memory.
type lineSlice struct {
	lines []string
	at    int
	id    string
}

func (l *lineSlice) Next() ([]byte, int64, error) {
	if l.at == len(l.lines) {
		return nil, 0, io.EOF
	}
	l.at++
	return []byte(l.lines[l.at-1]), int64(l.at), nil
}

func (l *lineSlice) Identity() string { return l.id }
