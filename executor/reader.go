package executor

import (
	"context"
	"sync"
	"time"

	"rhumb/connectors"
	"rhumb/executor/op"
)

// reader fetches one partition ahead of the steps, up to a bound of bytes.
type reader struct {
	source    connectors.Source
	partition int32
	fetch     int // bytes asked for at a time
	most      int // bytes kept
	wake      func()

	mu    sync.Mutex
	cond  *sync.Cond
	queue []*connectors.Records
	bytes int
	lo    int   // records of queue[0] that have been taken
	at    int64 // offset of the next record to be taken
	end   int64 // of the partition, as last seen
	// empty is when the partition was first confirmed empty since it last had records; zero if it is not.
	empty time.Time
	err   error
	next  int64 // where the next fetch begins
}

// emptyWait is how long a fetch waits for records.
const emptyWait = 500 * time.Millisecond

// startReader begins to fetch from an offset, until ctx ends or until (if not negative) is reached.
func startReader(ctx context.Context, wg *sync.WaitGroup, src connectors.Source, partition int32, from, until int64, fetch, most int, wake func()) *reader {
	r := &reader{source: src, partition: partition, fetch: fetch, most: most, wake: wake, next: from, end: from, at: from}
	r.cond = sync.NewCond(&r.mu)
	stop := context.AfterFunc(ctx, func() {
		// Under the lock, so that no waiter misses it.
		r.mu.Lock()
		defer r.mu.Unlock()
		r.cond.Broadcast()
	})
	wg.Go(func() {
		defer stop()
		for ctx.Err() == nil && (until < 0 || r.next < until) && r.room(ctx) {
			recs, err := src.Fetch(ctx, partition, r.next, r.fetch, emptyWait)
			r.put(recs, err)
			if err != nil {
				return
			}
		}
	})
	return r
}

// room waits until there is room for a fetch.
func (r *reader) room(ctx context.Context) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.bytes >= r.most && ctx.Err() == nil {
		r.cond.Wait()
	}
	return ctx.Err() == nil
}

func (r *reader) put(recs *connectors.Records, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.wake()
	if err != nil {
		r.err = err
		return
	}
	r.end = recs.End
	if recs.Next > r.next {
		r.next = recs.Next
		r.queue = append(r.queue, recs)
		r.bytes += recs.Bytes
		r.empty = time.Time{}
	} else if r.empty.IsZero() {
		r.empty = time.Now()
	}
}

// take returns up to most bytes and rows of what has been fetched, as segments without source and part.
func (r *reader) take(mostBytes, mostRows int) (segs []segment, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.queue) > 0 && bytes < mostBytes && mostRows > 0 {
		recs := r.queue[0]
		n := len(recs.Offsets)
		hi := n
		if n > 0 {
			per := recs.Bytes/n + 1
			hi = min(n, r.lo+max(1, (mostBytes-bytes)/per), r.lo+mostRows)
			bytes += (hi - r.lo) * per
			mostRows -= hi - r.lo
		}
		seg := segment{recs: recs, lo: r.lo, hi: hi, from: r.at, to: recs.Next}
		if hi < n {
			seg.to = recs.Offsets[hi]
			r.lo = hi
		} else {
			r.lo = 0
			r.queue = r.queue[1:]
			r.bytes -= recs.Bytes
			r.cond.Broadcast()
		}
		seg.end, r.at = seg.to >= r.end, seg.to
		segs = append(segs, seg)
	}
	return segs, bytes
}

// state tells whether there is something to take, since when the partition is confirmed empty, and the error that ended the fetching.
func (r *reader) state() (ready bool, empty time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.queue) > 0, r.empty, r.err
}

// readRange reads the records of [from, to) again, for a replay.
func readRange(ctx context.Context, src connectors.Source, partition int32, from, to int64, fetch int) ([]segment, error) {
	var segs []segment
	for from < to {
		recs, err := src.Fetch(ctx, partition, from, fetch, emptyWait)
		if err != nil {
			return nil, err
		}
		if recs.Next <= from {
			return nil, lost(src.Info().Name, partition, from, to)
		}
		hi := len(recs.Offsets)
		for hi > 0 && recs.Offsets[hi-1] >= to {
			hi--
		}
		next := min(recs.Next, to)
		segs = append(segs, segment{recs: recs, hi: hi, from: from, to: next, upstream: op.Always})
		from = next
	}
	return segs, nil
}
