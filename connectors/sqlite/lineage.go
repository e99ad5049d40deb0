package sqlite

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"rhumb/types"
)

// The events of a lineage are stored as JSON, so that any SQLite tool can read them, but short, for they are a good part of
// a document: an array of
//
//	[stream's number, partition, offset, microseconds after first_event]            or
//	[stream's number, partition, offset, microseconds after first_event, "id", "as"]
//
// eventsSQL selects them together with the time that they count from.
const eventsSQL = "(coalesce(first_event, 0) || events)"

// appendEvents appends the short form.
func appendEvents(dst []byte, l *types.Lineage) []byte {
	base := l.First
	if l.Total == 0 {
		base = 0 // first_event is NULL
	}
	dst = append(dst, '[')
	for i := range l.Events {
		r := &l.Events[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(append(dst, '['), uint64(r.Object), 10)
		dst = strconv.AppendInt(append(dst, ','), int64(r.Part), 10)
		dst = strconv.AppendInt(append(dst, ','), r.Off, 10)
		dst = strconv.AppendInt(append(dst, ','), r.Time-base, 10)
		if r.ID != "" || r.As != "" {
			dst = types.AppendJSONString(append(dst, ','), []byte(r.ID))
			dst = appendNullable(append(dst, ','), r.As)
		}
		dst = append(dst, ']')
	}
	return append(dst, ']')
}

// appendNullable appends a JSON string, or null for "".
func appendNullable(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return types.AppendJSONString(dst, []byte(s))
}

// formatEvents appends what the column _events shows of a result of eventsSQL: canonical JSON, [{"as": "f", "id": "x", "ts": "2024-…Z",
// "ref": "sshd/3/10211"}, …]. ok is false if stored is nothing that appendEvents made.
func formatEvents(dst []byte, stored string, topics map[uint32]string) (out []byte, ok bool) {
	p := eventParser{rest: stored}
	base := p.number()
	p.expect('[')
	out = append(dst, '[')
	times := &types.Vec{Type: types.T(types.Timestamptz), I: []int64{0}}
	var ref []byte
	for first := true; !p.bad && !p.next(']'); first = false {
		if !first {
			p.expect(',')
			out = append(out, ", "...)
		}
		p.expect('[')
		object := p.number()
		p.expect(',')
		part := p.number()
		p.expect(',')
		off := p.number()
		p.expect(',')
		times.I[0] = base + p.number()
		var id, as string
		if !p.next(']') {
			p.expect(',')
			id = p.text()
			p.expect(',')
			as = p.text()
			p.expect(']')
		}
		out = append(out, '{')
		if as != "" {
			out = append(append(append(out, `"as": `...), as...), ", "...)
		}
		if id != "" {
			out = append(append(append(out, `"id": `...), id...), ", "...)
		}
		out = types.AppendJSON(append(out, `"ts": `...), times, 0)
		topic, known := topics[uint32(object)]
		if !known {
			topic = strconv.FormatInt(object, 10)
		}
		r := types.EventRef{Part: int32(part), Off: off}
		ref = append(ref[:0], r.Ref(topic)...)
		out = types.AppendJSONString(append(out, `, "ref": `...), ref)
		out = append(out, '}')
	}
	if p.bad || p.rest != "" {
		return append(dst, "[]"...), false
	}
	return append(out, ']'), true
}

// eventParser reads the short form. After the first fault bad is set and every call returns at once.
type eventParser struct {
	rest string
	bad  bool
}

// next takes c if it is next.
func (p *eventParser) next(c byte) bool {
	if p.bad || p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *eventParser) expect(c byte) {
	if !p.next(c) {
		p.bad = true
	}
}

func (p *eventParser) number() int64 {
	n := 0
	for n < len(p.rest) && (p.rest[n] == '-' || p.rest[n] >= '0' && p.rest[n] <= '9') {
		n++
	}
	x, err := strconv.ParseInt(p.rest[:n], 10, 64)
	if err != nil {
		p.bad = true
		return 0
	}
	p.rest = p.rest[n:]
	return x
}

// text takes a JSON string as it stands, with its quotes, or null; it is "" for null and for the empty string.
func (p *eventParser) text() string {
	if len(p.rest) >= 4 && p.rest[:4] == "null" {
		p.rest = p.rest[4:]
		return ""
	}
	if p.bad || p.rest == "" || p.rest[0] != '"' {
		p.bad = true
		return ""
	}
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '\\':
			i++
		case c < ' ':
			p.bad = true
			return ""
		case c == '"':
			s := p.rest[:i+1]
			p.rest = p.rest[i+1:]
			if p.bad = !utf8.ValidString(s) || !json.Valid([]byte(s)); p.bad || i == 1 {
				return ""
			}
			return s
		}
	}
	p.bad = true
	return ""
}
