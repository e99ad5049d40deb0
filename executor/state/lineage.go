package state

import "rhumb/types"

// Lineage keeps what simple events each group was made of: exact totals and bounds of time, and references to events.
//
// Of the references of a group at most limit are kept: the first half (rounded up) and the last half in canonical order
// (types.EventRef.Less: event time, stream, partition, offset). It is that order and not the order of the log because the result must not
// depend on how the input was cut into steps. An event that a group names twice (a join pairs it with two others) is one reference.
//
// A group gathers up to twice the limit before it is trimmed, so that an event costs a constant. Choosing the first and last of what is
// left after choosing gives the same as choosing once, so no result shows when that happened.
type Lineage struct {
	limit, full int // a group is trimmed when it has full references
	groups      []lineageGroup
	refs        refLog

	// Memory of one call.
	result, row types.Lineage
	enc         types.Encoder
}

// lineageGroup is what is known of a group. Its memory is 32 bytes.
type lineageGroup struct {
	total       int64
	first, last int64
	head        uint32 // newest reference; 0 = none
	count       uint32 // references held
}

const groupBytes = 32

// NewLineage returns an empty lineage that keeps limit references a group; 0 = totals and bounds of time only.
func NewLineage(limit int) *Lineage {
	limit = max(limit, 0)
	return &Lineage{limit: limit, full: limit + max(limit, 16)}
}

// Add notes that row rows[j] is part of group groups[j]. The row is its record; or, where the rows are composed (o.Lists), what
// its list says. A list that does not decode counts as the row's own record.
func (l *Lineage) Add(groups []uint32, rows []int32, o *types.Origin) {
	l.ensure(groups)
	switch {
	case o.Lists != nil:
		for j, r := range rows {
			if o.Lists.Null(int(r)) || l.row.Decode(o.Lists.Str(int(r))) != nil {
				l.addRecord(groups[j], r, o)
			} else {
				l.addLineage(groups[j], &l.row)
			}
		}
	case o.Time == nil || o.ID != nil || l.limit == 0:
		for j, r := range rows {
			l.addRecord(groups[j], r, o)
		}
	default:
		l.addRecords(groups, rows, o)
	}
}

// ensure makes room for the groups named.
func (l *Lineage) ensure(groups []uint32) {
	top := -1
	for _, g := range groups {
		top = max(top, int(g))
	}
	if top >= len(l.groups) {
		l.groups = append(l.groups, make([]lineageGroup, top+1-len(l.groups))...)
	}
}

// addRecords is the hot path: rows that are records without an id.
func (l *Lineage) addRecords(groups []uint32, rows []int32, o *types.Origin) {
	full := uint32(l.full)
	for j, r := range rows {
		g, t := &l.groups[groups[j]], o.Time[r]
		g.widen(1, t, t)
		g.head = l.refs.push(lineageRef{time: t, off: o.Off[r], object: o.Object, part: o.Part[r], prev: g.head})
		if g.count++; g.count == full {
			l.trim(g)
		}
	}
}

// addRecord adds one row by its coordinates. A row without any (a constant) only counts.
func (l *Lineage) addRecord(group uint32, r int32, o *types.Origin) {
	if o.Time == nil {
		l.groups[group].total++
		return
	}
	l.groups[group].widen(1, o.Time[r], o.Time[r])
	id := ""
	if o.ID != nil && !o.ID.Null(int(r)) {
		id = borrowed(o.ID.Str(int(r)))
	}
	l.addRef(group, &types.EventRef{Object: o.Object, Part: o.Part[r], Off: o.Off[r], Time: o.Time[r], ID: id})
}

// addLineage adds a lineage.
func (l *Lineage) addLineage(group uint32, x *types.Lineage) {
	if x.Total <= 0 {
		return
	}
	l.groups[group].widen(x.Total, x.First, x.Last)
	for i := range x.Events {
		l.addRef(group, &x.Events[i])
	}
}

// widen adds to the totals of a group.
func (g *lineageGroup) widen(total, first, last int64) {
	if g.total == 0 {
		g.first, g.last = first, last
	}
	g.total += total
	g.first, g.last = min(g.first, first), max(g.last, last)
}

// addRef adds a reference.
func (l *Lineage) addRef(group uint32, r *types.EventRef) {
	if l.limit == 0 {
		return
	}
	g := &l.groups[group]
	g.head = l.refs.push(lineageRef{time: r.Time, off: r.Off, object: r.Object, part: r.Part, prev: g.head, text: l.refs.addText(r.ID, r.As)})
	if g.count++; g.count == uint32(l.full) {
		l.trim(g)
	}
}

// trim drops the references of a group that are not kept.
func (l *Lineage) trim(g *lineageGroup) {
	one := [1]lineageGroup{*g}
	l.refs.gather(one[:])
	kept := l.choose(l.refs.chain)
	g.head = l.refs.replace(g.head, kept)
	g.count = uint32(len(kept))
}

// choose returns those of a group's references that are kept, in canonical order, in the place of refs.
func (l *Lineage) choose(refs []lineageRef) []lineageRef {
	kept := l.refs.distinct(refs)
	if len(kept) > l.limit {
		first := (l.limit + 1) / 2
		kept = append(kept[:first], kept[len(kept)-(l.limit-first):]...)
	}
	return kept
}

// each calls fn with the references of each of the groups [lo, hi), in the order in which they came. fn may change them.
func (l *Lineage) each(lo, hi int, fn func(i int, refs []lineageRef)) {
	const most = 64 // groups at once: more than memory answers at a time, and few enough to stay in the cache
	for ; lo < hi; lo += most {
		some := l.groups[lo:min(lo+most, hi)]
		l.refs.gather(some)
		rest := l.refs.chain
		for i := range some {
			n := int(some[i].count)
			fn(lo+i, rest[:n:n])
			rest = rest[n:]
		}
	}
}

// Merge adds group i of from to group groups[i], for all groups of from: panes are merged so when they are emitted.
func (l *Lineage) Merge(groups []uint32, from *Lineage) {
	l.ensure(groups)
	from.each(0, min(len(groups), len(from.groups)), func(i int, refs []lineageRef) {
		g := &from.groups[i]
		if g.total == 0 {
			return
		}
		l.groups[groups[i]].widen(g.total, g.first, g.last)
		for _, ref := range from.choose(refs) {
			e := from.refs.event(&ref)
			l.addRef(groups[i], &e)
		}
	})
}

// Totals returns the number of events of a group and the times of the first and the last.
func (l *Lineage) Totals(group uint32) (total, first, last int64) {
	if int(group) >= len(l.groups) {
		return 0, 0, 0
	}
	g := &l.groups[group]
	return g.total, g.first, g.last
}

// Result appends the encoded types.Lineage of the groups [lo, hi) to out (an LStr column), events in canonical order. It is fastest for
// many groups at once.
func (l *Lineage) Result(lo, hi int, out *types.Vec) {
	x := &l.result
	known := min(hi, len(l.groups))
	l.each(lo, known, func(i int, refs []lineageRef) {
		g := &l.groups[i]
		*x = types.Lineage{Total: g.total, First: g.first, Last: g.last, Events: x.Events[:0]}
		for _, ref := range l.choose(refs) {
			x.Events = append(x.Events, l.refs.event(&ref))
		}
		l.appendResult(out)
	})
	*x = types.Lineage{Events: x.Events[:0]}
	for range hi - max(lo, known) {
		l.appendResult(out)
	}
	clear(x.Events[:cap(x.Events)]) // the strings in it are borrowed
}

func (l *Lineage) appendResult(out *types.Vec) {
	l.enc.B = l.enc.B[:0]
	l.result.AppendTo(&l.enc)
	out.AppendStr(l.enc.B)
}

// Reset removes all groups. Memory is kept for as much as there was.
func (l *Lineage) Reset() {
	if roomy(cap(l.groups), len(l.groups)) {
		l.groups = nil
	}
	l.groups = l.groups[:0]
	l.refs.reset()
}

// Bytes is the memory of the lineage.
func (l *Lineage) Bytes() int { return groupBytes*len(l.groups) + l.refs.bytes() }
