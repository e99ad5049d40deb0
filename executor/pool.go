package executor

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// TuneCollector sets the garbage collector for a process that runs dataflows, unless GOGC says otherwise: state has no pointers and what is fetched is
// short-lived, so the live heap is small beside what passes through it, and collecting at every doubling would be often.
func TuneCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
}

// Pool runs the tasks of a step on a fixed number of workers, which claim them from a counter.
type Pool struct{ workers int }

// NewPool makes a pool; 0 workers means GOMAXPROCS.
func NewPool(workers int) *Pool {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	return &Pool{workers: workers}
}

// Run calls f for each task and returns when all are done. The caller is worker 0. Which worker runs a task must not show in its result.
func (p *Pool) Run(tasks int, f func(worker, task int)) {
	if tasks == 0 {
		return
	}
	var next atomic.Int64
	work := func(w int) {
		for {
			t := int(next.Add(1)) - 1
			if t >= tasks {
				return
			}
			f(w, t)
		}
	}
	var wg sync.WaitGroup
	for w := 1; w < min(p.workers, tasks); w++ {
		wg.Go(func() { work(w) })
	}
	work(0)
	wg.Wait()
}
