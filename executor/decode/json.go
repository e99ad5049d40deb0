package decode

import (
	"bytes"
	"math/bits"

	"rhumb/types"
)

// jsonDecoder decodes JSON objects.
type jsonDecoder struct {
	*plan
	*shapes
	valueReader

	out []*types.Vec // of the running call
	row int

	// The columns of the running row: those that have a value or NULL, those that are NULL, the NULLs because the value was bad,
	// those with replaced characters, those that were read from the key that has dots in its name.
	present, null, bad, mended, dotted mask
	masks                              mask // all five, for clearing

	badAt []int // by column: where the bad value begins

	seen  []uint32 // by node: the stamp of the row in which it was met
	stamp uint32
	dups  int64
	key   []byte
}

func newJSON(p *plan) *jsonDecoder {
	d := &jsonDecoder{plan: p, shapes: newShapes(p), valueReader: valueReader{scanner: scanner{maxDepth: p.opts.MaxDepth}},
		badAt: make([]int, len(p.cols)), seen: make([]uint32, len(p.nodes))}
	w := len(p.all)
	d.masks = make(mask, 5*w)
	d.present, d.null, d.bad, d.mended, d.dotted = d.masks[:w], d.masks[w:2*w], d.masks[2*w:3*w], d.masks[3*w:4*w], d.masks[4*w:]
	return d
}

func (d *jsonDecoder) Clone() Decoder { return newJSON(d.plan) }

func (d *jsonDecoder) Decode(values [][]byte, out []*types.Vec, rej []Reject, c *Counters) []Reject {
	for i, v := range out {
		v.Resize(d.cols[i].Type, len(values))
	}
	d.out = out
	left := newRoom()
	for i, p := range values {
		d.row = i
		var err *types.Error
		switch {
		case p == nil:
			err = types.Errorf(types.CodeInvalidText, "the record has no payload (a tombstone)")
		case len(p) > d.opts.MaxBytes:
			err = tooLong(len(p), d.opts.MaxBytes)
		case !left.take(len(p), d.fixed):
			err = tooMuch()
		default:
			err = d.payload(p, c)
		}
		if err != nil {
			rej = append(rej, Reject{int32(i), err})
			for _, v := range out {
				v.SetNull(i)
			}
		}
	}
	d.out = nil
	return rej
}

// payload decodes one payload into the running row.
func (d *jsonDecoder) payload(p []byte, c *Counters) *types.Error {
	d.shapes.begin()
	clear(d.masks)
	if d.stamp++; d.stamp == 0 {
		clear(d.seen)
		d.stamp = 1
	}
	d.keys, d.dups, d.errMsg = 0, 0, ""
	if d.object(p) < 0 {
		return d.syntaxError(p)
	}
	if d.keys > d.opts.MaxKeys {
		return types.Errorf(types.CodeProgramLimit, "payload has more than %d keys", d.opts.MaxKeys)
	}
	if n := &d.nodes[0]; len(n.terms) > 0 {
		d.terms(n, p, space(p, 0), 0)
	}
	return d.finish(p, c)
}

func (d *jsonDecoder) syntaxError(p []byte) *types.Error {
	if d.errSQL == types.CodeProgramLimit {
		return types.Errorf(d.errSQL, "payload is nested deeper than %d levels at byte %d", d.opts.MaxDepth, d.errPos)
	}
	return types.Errorf(d.errSQL, "invalid JSON at byte %d: %s", d.errPos, d.errMsg)
}

// finish fills the columns of the running row that the payload lacks and notes NULLs and counts.
func (d *jsonDecoder) finish(p []byte, c *Counters) *types.Error {
	special := d.dups != 0
	for w, all := range d.all {
		missing := all &^ d.present[w]
		d.null[w] |= missing &^ d.defaulted[w]
		special = special || missing|d.null[w]|d.mended[w] != 0
		if x := d.null[w] & d.notNull[w]; x != 0 {
			return d.violation(p, int32(w*64+bits.TrailingZeros64(x)))
		}
	}
	if !special {
		return nil
	}
	for w, all := range d.all {
		for m := all &^ d.present[w] & d.defaulted[w]; m != 0; m &= m - 1 {
			col := w*64 + bits.TrailingZeros64(m)
			put(d.out[col], d.row, *d.cols[col].Default)
		}
		for m := d.null[w]; m != 0; m &= m - 1 {
			d.out[w*64+bits.TrailingZeros64(m)].SetNull(d.row)
		}
		for m := d.bad[w]; m != 0; m &= m - 1 {
			c.Defects[w*64+bits.TrailingZeros64(m)]++
		}
		for m := d.mended[w]; m != 0; m &= m - 1 {
			c.Replaced[w*64+bits.TrailingZeros64(m)]++
		}
	}
	c.DuplicateKeys += d.dups
	return nil
}

// violation says that a NOT NULL column has no value.
func (d *jsonDecoder) violation(p []byte, col int32) *types.Error {
	c := &d.cols[col]
	if !d.bad.has(col) {
		return types.Errorf(types.CodeNotNull, "null value in column \"%s\" violates not-null constraint", c.Name)
	}
	const excerpt = 60
	i := d.badAt[col]
	text := p[i:d.value(p, i, 0)]
	if len(text) > excerpt {
		text = append(bytes.Clone(text[:excerpt]), "..."...)
	}
	return types.Errorf(types.CodeInvalidText, "invalid value for column \"%s\" of type %s: %s", c.Name, c.Type,
		bytes.ToValidUTF8(text, []byte(replacement)))
}
