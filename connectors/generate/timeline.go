package generate

import "container/heap"

// timeline puts records that were made ahead of time in order: by time, and as they were added where that is equal.
type timeline struct {
	items []scheduled
	added uint64
}

type scheduled struct {
	at   int64 // microseconds
	seq  uint64
	text []byte
}

func (t *timeline) add(at int64, text []byte) {
	t.added++
	heap.Push(t, scheduled{at, t.added, text})
}

// first is the time of the next record; ok is false if there is none.
func (t *timeline) first() (at int64, ok bool) {
	if len(t.items) == 0 {
		return 0, false
	}
	return t.items[0].at, true
}

func (t *timeline) take() scheduled { return heap.Pop(t).(scheduled) }

func (t *timeline) Len() int { return len(t.items) }
func (t *timeline) Less(i, j int) bool {
	a, b := &t.items[i], &t.items[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}
func (t *timeline) Swap(i, j int) { t.items[i], t.items[j] = t.items[j], t.items[i] }
func (t *timeline) Push(x any)    { t.items = append(t.items, x.(scheduled)) }
func (t *timeline) Pop() any {
	last := t.items[len(t.items)-1]
	t.items = t.items[:len(t.items)-1]
	return last
}
