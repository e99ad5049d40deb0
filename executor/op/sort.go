package op

import (
	"slices"

	"rhumb/types"
)

// SortKey orders by a column.
type SortKey struct {
	Col              int
	Desc, NullsFirst bool
}

// Sort orders the rows of a search. It emits at the end; with a limit it keeps no more than twice the rows that it will emit. Equal rows stay in
// the order in which they came.
type Sort struct {
	keys  []SortKey
	limit int // -1 = none
	cols  []*types.Vec
	n     int
	width int
}

// NewSort makes a sort that emits the first width columns; the keys may lie behind them.
func NewSort(keys []SortKey, limit int64, width int) *Sort {
	return &Sort{keys: keys, limit: int(limit), width: width}
}

// Process implements Operator.
func (s *Sort) Process(x *Ctx, b *types.Batch, _ Emit) {
	s.cols = appendRows(s.cols, b, x.rows(b))
	s.n += b.Rows()
	if s.limit >= 0 && s.n > 2*s.limit+1024 {
		s.cut()
	}
}

// appendRows appends rows of b to columns, making them if there are none.
func appendRows(cols []*types.Vec, b *types.Batch, rows []int32) []*types.Vec {
	if cols == nil {
		for _, c := range b.Cols {
			cols = append(cols, types.NewVec(c.Type, len(rows)))
		}
	}
	for i, c := range b.Cols {
		for _, r := range rows {
			cols[i].AppendFrom(c, int(r))
		}
	}
	return cols
}

// order returns the row numbers in order.
func (s *Sort) order() []int32 {
	idx := make([]int32, s.n)
	for i := range idx {
		idx[i] = int32(i)
	}
	slices.SortStableFunc(idx, func(a, b int32) int {
		for _, k := range s.keys {
			if c := compareRows(s.cols[k.Col], k, int(a), int(b)); c != 0 {
				return c
			}
		}
		return 0
	})
	return idx
}

func compareRows(v *types.Vec, k SortKey, a, b int) int {
	an, bn := v.Null(a), v.Null(b)
	switch {
	case an && bn:
		return 0
	case an:
		if k.NullsFirst {
			return -1
		}
		return 1
	case bn:
		if k.NullsFirst {
			return 1
		}
		return -1
	}
	c := types.Compare(v, a, v, b)
	if k.Desc {
		return -c
	}
	return c
}

// cut keeps the first limit rows.
func (s *Sort) cut() {
	idx := s.order()
	if s.limit >= 0 && len(idx) > s.limit {
		idx = idx[:s.limit]
	}
	old := &types.Batch{N: s.n, Cols: s.cols}
	s.cols = appendRows(nil, old, idx)
	s.n = len(idx)
}

// Advance implements Operator.
func (s *Sort) Advance(_ *Ctx, p Progress, emit Emit) {
	if !p.Final || s.n == 0 {
		return
	}
	s.cut()
	const most = 1024
	for lo := 0; lo < s.n; lo += most {
		b := types.Batch{N: s.n, Cols: s.cols[:s.width]}
		for i := lo; i < min(lo+most, s.n); i++ {
			b.Sel = append(b.Sel, int32(i))
		}
		emit(&b)
	}
	s.cols, s.n = nil, 0
}

// Due implements Operator.
func (s *Sort) Due() int64 { return Never }

// Save implements Operator: a search has no checkpoint.
func (s *Sort) Save(*types.Encoder) {}

// Load implements Operator.
func (s *Sort) Load(*types.Decoder) {}

// Bytes implements Operator.
func (s *Sort) Bytes() int {
	n := 0
	for _, c := range s.cols {
		n += c.Bytes()
	}
	return n
}
