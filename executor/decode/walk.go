package decode

import "rhumb/types"

// object reads a payload from beginning to end along the automaton. This loop is where the time goes: what most payloads are made of (known
// glue, strings and small numbers that nobody wants, strings for a TEXT column) is dealt with here and nearly without calls; the rest elsewhere.
func (d *jsonDecoder) object(p []byte) int {
	st, keys := d.openAt[0], 0
	for i := 0; ; keys++ {
		if g := &st.first; g.matches(p, i) {
			i += g.n
			st = g.next
		} else if st, i = d.step(st, p, i); i < 0 {
			return -1
		}
		if i+8 <= len(p) && st.kind <= kindText {
			x := load64(p, i)
			if c := byte(x); c == '"' {
				stop := stringStop(p, i+1)
				if stop < len(p) && p[stop] == '"' && (st.kind == kindSkip || d.plainText(st.col, p[i+1:stop])) {
					i = stop + 1
					continue
				}
			} else if n := leadingDigits(x); n > 0 && n < 8 && (c != '0' || n == 1) && st.kind == kindSkip && p[i+n] == ',' {
				i += n
				continue
			}
		}
		if st, i = d.other(st, p, i); i < 0 {
			return -1
		}
		if st.kind == kindEnd {
			d.keys += keys
			return i
		}
	}
}

// plainText sets a TEXT column to the characters of a string if there is nothing special about them.
func (d *jsonDecoder) plainText(col int32, chars []byte) bool {
	if d.present.has(col) || !ascii(chars) {
		return false
	}
	d.present.set(col)
	d.out[col].SetStr(d.row, chars)
	return true
}

// step is the way from one value to the next that is not the usual one.
func (d *jsonDecoder) step(st *state, p []byte, i int) (*state, int) {
	if next, end := st.follow(p, i); next != nil {
		return next, end
	}
	d.missed(st)
	return d.glue(st, p, i)
}

// other reads a value that is not of the usual kind. The result is where to go on from: the same state, that which opens
// an object, or the end.
func (d *jsonDecoder) other(st *state, p []byte, i int) (*state, int) {
	if i < len(p) && p[i] <= ' ' {
		i = space(p, i) // the same key, but with a blank that was not there when it was learnt
	}
	switch st.kind {
	case kindSkip:
		return st, d.value(p, i, int(st.depth))
	case kindText, kindColumn:
		if d.present.has(st.col) {
			d.dups++
			d.undo(st.col)
		}
		return st, d.column(st.col, p, i, int(st.depth))
	case kindNode:
		return d.enter(st, p, i)
	}
	if i < len(p) {
		return st, d.unexpected(p, i, "the end of the payload")
	}
	return st, i
}

// glue reads, from behind a value or before the first key of an object, up to the next value, and learns what it read. It
// returns the state of that value and its place.
func (d *jsonDecoder) glue(from *state, p []byte, i int) (*state, int) {
	ctx, j := from.ctx, space(p, i)
	first := from.kind == kindOpen
	if first {
		if j >= len(p) || p[j] != '{' {
			return from, d.unexpected(p, j, "a JSON object")
		}
		j = space(p, j+1)
		first = j >= len(p) || p[j] != '}'
	}
	for !first && ctx >= 0 {
		if j = space(p, j); j >= len(p) || p[j] != '}' {
			break
		}
		ctx = d.nodes[ctx].parent
		j++
	}
	if ctx < 0 {
		d.note(from, d.end, p[i:j])
		return d.end, j
	}
	if !first {
		if j >= len(p) || p[j] != ',' {
			return from, d.unexpected(p, j, "',' or '}'")
		}
		j = space(p, j+1)
	}
	next, j := d.keyState(from, p, j, ctx)
	if j >= 0 {
		d.note(from, next, p[i:j])
	}
	return next, j
}

// keyState reads a key of object ctx, which comes after state from, and the colon, and returns the state of the value and its place.
func (d *jsonDecoder) keyState(from *state, p []byte, i int, ctx int32) (*state, int) {
	if i >= len(p) || p[i] != '"' {
		return nil, d.unexpected(p, i, "a key")
	}
	stop := stringStop(p, i+1)
	end, raw := stop+1, stop < len(p) && p[stop] == '"'
	if !raw {
		if end = d.strSlow(p, stop); end < 0 {
			return nil, -1
		}
	}
	key := p[i+1 : end-1]
	if !raw {
		d.key, _ = appendUnescaped(d.key[:0], key)
		key = d.key
	}
	j := space(p, end)
	if j >= len(p) || p[j] != ':' {
		return nil, d.unexpected(p, j, "':'")
	}
	j = space(p, j+1)
	if n := d.nodes[ctx].keys.find(key); n != 0 {
		return d.valueAt[n], j
	}
	return d.unwanted(from, ctx, p[i+1:end-1]), j
}

// enter reads the value of a node of the trie. If it is an object with wanted keys, the result is the state that opens it, at its bracket.
func (d *jsonDecoder) enter(st *state, p []byte, i int) (*state, int) {
	n := &d.nodes[st.node]
	d.meet(st.node)
	keys := d.keys
	end := d.terms(n, p, i, int(st.depth))
	switch {
	case end < 0:
		return st, -1
	case p[i] == '{' && d.openAt[st.node] != nil:
		d.keys = keys // they are counted again on the way through the object
		return d.openAt[st.node], i
	case p[i] == '[' && len(n.elems) > 0:
		d.elements(n, p, i)
	}
	return st, end
}

// meet notes that a node's value was met. One that was met before in the same object is forgotten: the last of equal keys counts.
func (d *jsonDecoder) meet(id int32) {
	if d.seen[id] == d.stamp {
		d.dups++
		d.forget(id)
	}
	d.seen[id] = d.stamp
}

// forget makes the columns at and below a node missing again.
func (d *jsonDecoder) forget(id int32) {
	n := &d.nodes[id]
	for _, t := range n.terms {
		if d.present.has(t.col) && !(t.alt && d.dotted.has(t.col)) {
			d.undo(t.col)
		}
	}
	for _, k := range n.kids {
		d.seen[k] = 0
		d.forget(k)
	}
}

// undo makes a column missing again. What it put into the arena is the last that lies there.
func (d *jsonDecoder) undo(col int32) {
	d.present.unset(col)
	d.null.unset(col)
	d.bad.unset(col)
	d.mended.unset(col)
	d.dotted.unset(col)
	if v := d.out[col]; v.Type.Layout() == types.LStr {
		if r := v.R[d.row]; r.Len > 0 {
			v.Buf = v.Buf[:r.Off]
			v.R[d.row] = types.StrRef{}
		}
	}
}

// terms reads the value at p[i] into the columns that end at node n, and returns the place behind it. If there is none, an object that is
// to be opened, which is validated then, is not walked over.
func (d *jsonDecoder) terms(n *node, p []byte, i, depth int) int {
	keys, end := d.keys, -1
	for _, t := range n.terms {
		if t.alt && d.dotted.has(t.col) {
			continue
		}
		if d.present.has(t.col) {
			d.undo(t.col)
		}
		d.keys = keys // each column walks over the same keys
		if end = d.column(t.col, p, i, depth); end < 0 {
			return -1
		}
		if t.dotted {
			d.dotted.set(t.col)
		}
	}
	if end >= 0 {
		return end
	}
	if len(n.keys.slots) > 0 && i < len(p) && p[i] == '{' {
		if depth >= d.maxDepth {
			return d.tooDeep(i)
		}
		return i
	}
	return d.value(p, i, depth)
}

// column reads the value at p[i] into a column.
func (d *jsonDecoder) column(col int32, p []byte, i, depth int) int {
	end, out := d.read(d.convs[col], d.out[col], d.row, p, i, depth)
	d.present.set(col)
	if out == 0 {
		return end
	}
	if out&isNull != 0 {
		d.null.set(col)
	}
	if out&isBad != 0 {
		d.bad.set(col)
		d.badAt[col] = i
	}
	if out&replaced != 0 {
		d.mended.set(col)
	}
	return end
}
