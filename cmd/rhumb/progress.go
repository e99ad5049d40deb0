package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/mattn/go-isatty"

	"rhumb/engine"
)

func isTerminal(f *os.File) bool { return isatty.IsTerminal(f.Fd()) }

// progress shows one line that is overwritten, on a terminal only; and lines that stay.
type progress struct {
	w        io.Writer
	terminal bool

	mu    sync.Mutex
	shown bool
	last  time.Time
}

func newProgress(env *environ) *progress {
	return &progress{w: env.stderr, terminal: env.terminal}
}

// update shows a new state, at most ten times a second.
func (p *progress) update(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.terminal || time.Since(p.last) < 100*time.Millisecond {
		return
	}
	p.last, p.shown = time.Now(), true
	fmt.Fprintf(p.w, "\r\033[K"+format, args...)
}

// end removes the line.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprint(p.w, "\r\033[K")
		p.shown = false
	}
}

// line prints a line that stays.
func (p *progress) line(s string) {
	p.end()
	fmt.Fprintln(p.w, s)
}

// watch shows how far the queries are, and what keeps them from going on, until stop is called.
func (p *progress) watch(e *engine.Engine) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		said := map[string]string{}
		for {
			select {
			case <-done:
				return
			case <-time.After(200 * time.Millisecond):
			}
			for name, err := range e.Paused() {
				if err != nil && said[name] != err.Error() {
					said[name] = err.Error()
					p.line(fmt.Sprintf("query %+q is paused: %s", name, describe("", err)))
				}
			}
			p.update("computing: %d rows", e.RowsIn())
		}
	})
	return func() {
		close(done)
		wg.Wait()
		p.end()
	}
}
