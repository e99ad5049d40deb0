package decode

import "rhumb/types"

// textDecoder gives the whole payload as the one column line.
type textDecoder struct {
	cols []Column
	opts Options
}

func newText(cols []Column, opts Options) (*textDecoder, error) {
	for _, c := range cols {
		if c.Name != "line" || c.Path != nil {
			return nil, types.Errorf(types.CodeUndefinedColumn, "column \"%s\" does not exist in a text payload", c.Name).
				WithHint("Format text has one column: line TEXT, the whole payload.")
		}
		if c.Type.Kind != types.Text {
			return nil, types.Errorf(types.CodeDatatypeMismatch, "column \"line\" of a text payload must be of type text, not %s", c.Type)
		}
	}
	return &textDecoder{cols: cols, opts: opts}, nil
}

func (d *textDecoder) Clone() Decoder {
	c := *d
	return &c
}

func (d *textDecoder) Decode(values [][]byte, out []*types.Vec, rej []Reject, c *Counters) []Reject {
	for k, v := range out {
		v.Resize(d.cols[k].Type, len(values))
	}
	left := newRoom()
	for i, p := range values {
		err := d.limits(p, &left)
		for k := 0; err == nil && k < len(out); k++ {
			err = d.line(p, out[k], i, k, c)
		}
		if err != nil {
			rej = append(rej, Reject{int32(i), err})
			for _, v := range out {
				v.SetNull(i)
			}
		}
	}
	return rej
}

func (d *textDecoder) limits(p []byte, left *room) *types.Error {
	if len(p) > d.opts.MaxBytes {
		return tooLong(len(p), d.opts.MaxBytes)
	}
	if !left.take(len(p), 0) {
		return tooMuch()
	}
	return nil
}

// line sets row i of column k. A record without a payload has no line.
func (d *textDecoder) line(p []byte, v *types.Vec, i, k int, c *Counters) *types.Error {
	col := &d.cols[k]
	if p == nil {
		if col.NotNull {
			return types.Errorf(types.CodeNotNull, "null value in column \"line\" violates not-null constraint")
		}
		v.SetNull(i)
		return nil
	}
	conv := conv{typ: col.Type}
	out := putText(&conv, v, i, p)
	if out&isBad != 0 {
		if col.NotNull {
			return types.Errorf(types.CodeInvalidText, "value too long for column \"line\" of type %s", col.Type)
		}
		c.Defects[k]++
		v.SetNull(i)
	}
	if out&replaced != 0 {
		c.Replaced[k]++
	}
	return nil
}
