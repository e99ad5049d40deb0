package state

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
	"unsafe"

	"rhumb/types"
)

// refLog holds the references of many groups. Those of a group are chained from the newest back, so that adding one touches the group and the
// end of the log; slots of references that were dropped are chained too, and used again first:
//
//	groups  [ 0: head 6 ]         [ 1: head 5 ]          free 3
//	slots   1   2<-1   3   4   5<-4   6<-2
//
// Slots lie in pages, so that a log that grows is not copied: the first is as large as it needs to be, the others are full.
type refLog struct {
	pages [][]lineageRef
	used  int // slots that the pages have, 1 to used
	free  uint32
	live  int // slots that hold a reference
	// texts holds event ids and pattern variables; liveText is the bytes of it in use.
	texts    []byte
	liveText int

	// Memory of one call.
	chain, other []lineageRef
	cursors      []cursor
}

// cursor is where gather is in a chain, and where the reference goes.
type cursor struct{ slot, to uint32 }

// lineageRef is a reference to an event. Its memory is 32 bytes.
type lineageRef struct {
	time, off int64
	object    uint32
	part      int32
	prev      uint32 // the group's next older reference; 0 = none
	text      uint32 // place in texts + 1 of the event's id and pattern variable; 0 = neither
}

const (
	refBytes  = 32
	pageBits  = 12
	pageSlots = 1 << pageBits
	// textFloor is how many bytes of texts may be out of use however few are in use; maxText bounds those in use, so that places fit
	// in 32 bits: it is more than a memory limit allows, and references beyond it have no text.
	textFloor = 64 << 10
	maxText   = 1 << 30
)

// at is a slot's reference, valid until the next push.
func (l *refLog) at(slot uint32) *lineageRef {
	slot--
	return &l.pages[slot>>pageBits][slot&(pageSlots-1)]
}

// push stores a reference and returns its slot.
func (l *refLog) push(r lineageRef) uint32 {
	l.live++
	if slot := l.free; slot != 0 {
		at := l.at(slot)
		l.free = at.prev
		*at = r
		return slot
	}
	page := l.used >> pageBits
	if page == len(l.pages) {
		l.addPage()
	}
	l.pages[page] = append(l.pages[page], r)
	l.used++
	return uint32(l.used)
}

// addPage adds an empty page.
func (l *refLog) addPage() {
	size := 0
	if len(l.pages) > 0 {
		size = pageSlots
	}
	l.pages = append(l.pages, make([]lineageRef, 0, size))
}

// replace makes refs the references of a chain that has at least as many, and returns its new head.
func (l *refLog) replace(head uint32, refs []lineageRef) uint32 {
	if l.liveText > 0 {
		// Before the slots are written to: which texts go with the references that are dropped.
		for slot := head; slot != 0; slot = l.at(slot).prev {
			l.liveText -= l.textSize(l.at(slot).text)
		}
		for i := range refs {
			l.liveText += l.textSize(refs[i].text)
		}
	}
	newHead := uint32(0)
	for _, r := range refs {
		slot, at := head, l.at(head)
		head = at.prev
		r.prev = newHead
		*at = r
		newHead = slot
	}
	for head != 0 {
		slot, at := head, l.at(head)
		head = at.prev
		*at = lineageRef{prev: l.free}
		l.free = slot
		l.live--
	}
	if len(l.texts) > 2*l.liveText+textFloor {
		l.compactTexts()
	}
	return newHead
}

// gather copies the references of some groups into chain, group after group, oldest first.
//
// The chains are followed side by side, so that the memory that one waits for is fetched while others wait for theirs.
func (l *refLog) gather(groups []lineageGroup) {
	l.cursors = l.cursors[:0]
	n := 0
	for i := range groups {
		if n += int(groups[i].count); groups[i].count > 0 {
			l.cursors = append(l.cursors, cursor{groups[i].head, uint32(n - 1)})
		}
	}
	l.chain = slices.Grow(l.chain[:0], n)[:n]
	for left := l.cursors; len(left) > 0; {
		on := left[:0]
		for _, c := range left {
			r := l.at(c.slot)
			l.chain[c.to] = *r
			if r.prev != 0 {
				on = append(on, cursor{r.prev, c.to - 1})
			}
		}
		left = on
	}
}

// distinct puts references into canonical order, in their place, and leaves repetitions out.
func (l *refLog) distinct(refs []lineageRef) []lineageRef {
	if !l.insertionSort(refs) {
		l.mergeRuns(refs)
	}
	kept := refs[:0]
	for i := range refs {
		if r := &refs[i]; i == 0 || r.time != kept[len(kept)-1].time || l.compare(r, &kept[len(kept)-1]) != 0 {
			kept = append(kept, *r)
		}
	}
	return kept
}

// insertionSort sorts what is nearly in order, as events mostly come. It gives up, with refs in some order, when it has moved too many.
func (l *refLog) insertionSort(refs []lineageRef) bool {
	moves := 2 * len(refs)
	for i := 1; i < len(refs); i++ {
		if !l.less(&refs[i], &refs[i-1]) {
			continue
		}
		r, j := refs[i], i
		for ; j > 0 && l.less(&r, &refs[j-1]); j-- {
			refs[j] = refs[j-1]
		}
		refs[j] = r
		if moves -= i - j; moves < 0 {
			return false
		}
	}
	return true
}

// mergeRuns sorts by merging neighbouring runs until there is one: what was kept before is one, and what each partition adds is made of few.
func (l *refLog) mergeRuns(refs []lineageRef) {
	from := refs
	for swapped := false; ; swapped = !swapped {
		end := l.runEnd(from, 0)
		if end == len(from) {
			if swapped {
				copy(refs, from)
				l.other = from
			}
			return
		}
		l.other = l.other[:0]
		for lo := 0; lo < len(from); lo, end = end, l.runEnd(from, end) {
			next := l.runEnd(from, end)
			l.merge(from[lo:end], from[end:next])
			end = next
		}
		from, l.other = l.other, from
	}
}

// runEnd is the end of the ordered run that begins at lo.
func (l *refLog) runEnd(refs []lineageRef, lo int) int {
	if lo >= len(refs) {
		return lo
	}
	for lo++; lo < len(refs) && !l.less(&refs[lo], &refs[lo-1]); lo++ {
	}
	return lo
}

// merge appends two ordered runs to other.
func (l *refLog) merge(a, b []lineageRef) {
	out := l.other
	for len(a) > 0 && len(b) > 0 {
		if l.less(&b[0], &a[0]) {
			out, b = append(out, b[0]), b[1:]
		} else {
			out, a = append(out, a[0]), a[1:]
		}
	}
	out = append(out, a...)
	l.other = append(out, b...)
}

func (l *refLog) less(a, b *lineageRef) bool {
	if a.time != b.time {
		return a.time < b.time
	}
	return l.compare(a, b) < 0
}

// compare is the canonical order, completed by the text so that only equal references are equal.
func (l *refLog) compare(a, b *lineageRef) int {
	switch {
	case a.time != b.time:
		return cmp.Compare(a.time, b.time)
	case a.object != b.object:
		return cmp.Compare(a.object, b.object)
	case a.part != b.part:
		return cmp.Compare(a.part, b.part)
	case a.off != b.off:
		return cmp.Compare(a.off, b.off)
	case a.text == b.text:
		return 0
	}
	aID, aAs, _ := l.text(a.text)
	bID, bAs, _ := l.text(b.text)
	return cmp.Or(strings.Compare(aAs, bAs), strings.Compare(aID, bID))
}

// event is a reference as others know it. Its strings are borrowed.
func (l *refLog) event(r *lineageRef) types.EventRef {
	e := types.EventRef{Object: r.object, Part: r.part, Off: r.off, Time: r.time}
	e.ID, e.As, _ = l.text(r.text)
	return e
}

// addText stores an id and a pattern variable and returns their place.
func (l *refLog) addText(id, as string) uint32 {
	if id == "" && as == "" || l.liveText+len(id)+len(as) > maxText {
		return 0
	}
	at := len(l.texts)
	l.texts = binary.AppendUvarint(l.texts, uint64(len(id)))
	l.texts = append(l.texts, id...)
	l.texts = binary.AppendUvarint(l.texts, uint64(len(as)))
	l.texts = append(l.texts, as...)
	l.liveText += len(l.texts) - at
	return uint32(at) + 1
}

// text returns what stands in texts at a place, and how many bytes that takes. The strings are borrowed.
func (l *refLog) text(at uint32) (id, as string, size int) {
	if at == 0 {
		return "", "", 0
	}
	from := l.texts[at-1:]
	n, w := binary.Uvarint(from)
	id, rest := borrowed(from[w:w+int(n)]), from[w+int(n):]
	n, w = binary.Uvarint(rest)
	as, rest = borrowed(rest[w:w+int(n)]), rest[w+int(n):]
	return id, as, len(from) - len(rest)
}

func (l *refLog) textSize(at uint32) int {
	_, _, size := l.text(at)
	return size
}

// compactTexts leaves out the texts that are not in use.
func (l *refLog) compactTexts() {
	texts := make([]byte, 0, l.liveText)
	for _, page := range l.pages {
		for i := range page {
			r := &page[i]
			if r.text == 0 {
				continue
			}
			text := l.texts[r.text-1:][:l.textSize(r.text)]
			r.text = uint32(len(texts)) + 1
			texts = append(texts, text...)
		}
	}
	l.texts = texts
}

// borrowed is b as a string without a copy, for use while b does not change.
func borrowed(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func (l *refLog) reset() {
	slots := 0
	for i := range l.pages {
		slots += cap(l.pages[i])
		l.pages[i] = l.pages[i][:0]
	}
	if roomy(slots, l.used) {
		l.pages, l.chain, l.other = nil, nil, nil
	}
	if roomy(cap(l.texts), len(l.texts)) {
		l.texts = nil
	}
	l.texts = l.texts[:0]
	l.used, l.free, l.live, l.liveText = 0, 0, 0, 0
}

// bytes is the memory of the references in use.
func (l *refLog) bytes() int { return refBytes*l.live + l.liveText }
