package state

import (
	"encoding/binary"

	"rhumb/types"
)

// Save appends the lineage. It holds all references, those too that the next trim drops: whoever loads it must not be seen to hold less.
func (l *Lineage) Save(e *types.Encoder) {
	e.Uvarint(uint64(len(l.groups)))
	l.each(0, len(l.groups), func(i int, refs []lineageRef) {
		g := &l.groups[i]
		e.Varint(g.total)
		e.Varint(g.first)
		e.Varint(g.last)
		e.Uvarint(uint64(g.count))
		prev := g.last
		for k := len(refs) - 1; k >= 0; k-- {
			r := &refs[k]
			e.Varint(r.time - prev)
			prev = r.time
			e.Varint(r.off)
			e.Uvarint(uint64(r.object))
			e.Varint(int64(r.part))
			size := l.refs.textSize(r.text)
			e.Uvarint(uint64(size))
			if size > 0 {
				e.B = append(e.B, l.refs.texts[r.text-1:][:size]...)
			}
		}
	})
}

// Load reads what Save wrote into an empty lineage of the same limit. On an error (d.Err) the lineage is empty.
func (l *Lineage) Load(d *types.Decoder) {
	for range d.Len(4) {
		g := lineageGroup{total: d.Varint(), first: d.Varint(), last: d.Varint()}
		count := d.Len(5)
		if d.Err == nil && count >= l.full {
			d.Err = corrupted("more references than a group holds")
		}
		if d.Err != nil {
			break
		}
		l.loadRefs(d, &g, count)
		l.groups = append(l.groups, g)
	}
	if d.Err != nil {
		l.groups, l.refs = nil, refLog{}
	}
}

// loadRefs reads the references of a group.
func (l *Lineage) loadRefs(d *types.Decoder, g *lineageGroup, count int) {
	prev := g.last
	var newer uint32
	for range count {
		r := lineageRef{time: prev + d.Varint(), off: d.Varint(), object: uint32(d.Uvarint()), part: int32(d.Varint())}
		prev = r.time
		if b := d.Bytes(); len(b) > 0 {
			id, as, ok := splitText(b)
			if !ok {
				d.Err = corrupted("text of a reference")
			}
			r.text = l.refs.addText(id, as)
		}
		if d.Err != nil {
			return
		}
		slot := l.refs.push(r)
		if newer == 0 {
			g.head = slot
		} else {
			l.refs.at(newer).prev = slot
		}
		newer = slot
		g.count++
	}
}

// splitText reads an id and a pattern variable, which must be all of b.
func splitText(b []byte) (id, as string, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return "", "", false
	}
	id, b = borrowed(b[w:w+int(n)]), b[w+int(n):]
	n, w = binary.Uvarint(b)
	if w <= 0 || n != uint64(len(b)-w) {
		return "", "", false
	}
	return id, borrowed(b[w:]), true
}
