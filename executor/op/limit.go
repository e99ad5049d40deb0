package op

import "rhumb/types"

// Limit passes the rows offset .. offset+count of a search, in the order in which they come.
type Limit struct {
	count, offset int64 // count -1 = all
}

// NewLimit makes a limit.
func NewLimit(count, offset int64) *Limit { return &Limit{count: count, offset: offset} }

// Process implements Operator.
func (l *Limit) Process(x *Ctx, b *types.Batch, emit Emit) {
	rows := x.rows(b)
	skip := min(l.offset, int64(len(rows)))
	l.offset -= skip
	rows = rows[skip:]
	if l.count >= 0 {
		rows = rows[:min(l.count, int64(len(rows)))]
		l.count -= int64(len(rows))
	}
	if len(rows) > 0 {
		out := *b
		out.Sel = rows
		emit(&out)
	}
}

// Done reports that no further row will pass, so that inputs need not be read on.
func (l *Limit) Done() bool { return l.count == 0 }

// Advance implements Operator.
func (l *Limit) Advance(*Ctx, Progress, Emit) {}

// Due implements Operator.
func (l *Limit) Due() int64 { return Never }

// Save implements Operator: a search has no checkpoint.
func (l *Limit) Save(*types.Encoder) {}

// Load implements Operator.
func (l *Limit) Load(*types.Decoder) {}

// Bytes implements Operator.
func (l *Limit) Bytes() int { return 0 }
