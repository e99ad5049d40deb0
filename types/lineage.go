package types

import "strconv"

// EventRef names a simple event: a record of a stream.
type EventRef struct {
	Object uint32 // number of the stream
	Part   int32
	Off    int64
	Time   int64  // event time, microseconds
	ID     string // declared EVENT ID; "" = none
	As     string // the pattern variable that it was matched to; "" = none
}

// Less is the canonical order of events: by event time, stream, partition, offset.
func (a EventRef) Less(b EventRef) bool {
	switch {
	case a.Time != b.Time:
		return a.Time < b.Time
	case a.Object != b.Object:
		return a.Object < b.Object
	case a.Part != b.Part:
		return a.Part < b.Part
	}
	return a.Off < b.Off
}

// Lineage is what a complex event was made of: the true number of simple events, the first and the last event time, and
// the references that are kept (the first and the last few in canonical order; all if Total is not more).
type Lineage struct {
	Total       int64
	First, Last int64
	Events      []EventRef
}

// AppendTo appends the lineage's encoding.
func (l *Lineage) AppendTo(e *Encoder) {
	e.Varint(l.Total)
	e.Varint(l.First)
	e.Varint(l.Last)
	e.Uvarint(uint64(len(l.Events)))
	prev := l.First
	for i := range l.Events {
		r := &l.Events[i]
		e.Uvarint(uint64(r.Object))
		e.Uvarint(uint64(uint32(r.Part)))
		e.Varint(r.Off)
		e.Varint(r.Time - prev)
		prev = r.Time
		e.String(r.ID)
		e.String(r.As)
	}
}

// DecodeLineage reads what AppendTo wrote.
func DecodeLineage(b []byte) (Lineage, error) {
	var l Lineage
	err := l.Decode(b)
	return l, err
}

// Decode sets l to what AppendTo wrote, in the memory of its Events.
func (l *Lineage) Decode(b []byte) error {
	d := Decoder{B: b}
	*l = Lineage{Total: d.Varint(), First: d.Varint(), Last: d.Varint(), Events: l.Events[:0]}
	n := d.Len(6)
	prev := l.First
	for range n {
		r := EventRef{Object: uint32(d.Uvarint()), Part: int32(d.Uvarint()), Off: d.Varint(), Time: prev + d.Varint()}
		r.ID, r.As = d.String(), d.String()
		if d.Err != nil {
			*l = Lineage{Events: l.Events[:0]}
			return d.Err
		}
		prev = r.Time
		l.Events = append(l.Events, r)
	}
	return d.Err
}

// Ref is the event's coordinates as documents print them: topic/partition/offset.
func (a EventRef) Ref(topic string) string {
	return topic + "/" + strconv.Itoa(int(a.Part)) + "/" + strconv.FormatInt(a.Off, 10)
}
