package op

import (
	"rhumb/expr"
	"rhumb/types"
)

// Unnest makes a row of each element of its arrays: the input's columns, then one column per array, then the ordinal if it was asked for.
// Several arrays run in parallel, the shorter padded with NULL.
type Unnest struct {
	evals      []*expr.Evaluator
	elems      []types.Type
	ordinality bool
	out        types.Batch
	cols       []*types.Vec
	origin     types.Origin
}

// NewUnnest makes an unnest of arrays, whose element types are elems.
func NewUnnest(arrays []expr.Expr, ordinality bool) *Unnest {
	u := &Unnest{ordinality: ordinality}
	for _, a := range arrays {
		u.evals = append(u.evals, expr.NewEvaluator(a))
		u.elems = append(u.elems, types.T(a.Type().Elem))
	}
	return u
}

// Apply implements Transform.
func (u *Unnest) Apply(x *Ctx, b *types.Batch) *types.Batch {
	sel := x.rows(b)
	arrays := make([]*types.Vec, len(u.evals))
	for i, ev := range u.evals {
		arrays[i] = ev.Eval(&x.Expr, b, sel)
	}
	sel = x.rejectFailed(&b.Origin, sel)
	u.reset(b)
	rows := 0
	for _, r := range sel {
		n := u.expand(b, arrays, r)
		if n == 0 {
			x.Ledger.Filtered++
		} else {
			x.Ledger.In += int64(n - 1)
		}
		rows += n
	}
	u.out = types.Batch{N: rows, Cols: u.cols, Origin: u.origin}
	return &u.out
}

func (u *Unnest) reset(b *types.Batch) {
	want := len(b.Cols) + len(u.evals)
	if u.ordinality {
		want++
	}
	for len(u.cols) < want {
		u.cols = append(u.cols, &types.Vec{})
	}
	for i, c := range b.Cols {
		u.cols[i].Reset(c.Type)
	}
	for i, t := range u.elems {
		u.cols[len(b.Cols)+i].Reset(t)
	}
	if u.ordinality {
		u.cols[want-1].Reset(types.T(types.Int8))
	}
	o := &u.origin
	*o = types.Origin{Object: b.Origin.Object, Part: o.Part[:0], Off: o.Off[:0], Sub: o.Sub[:0], Time: o.Time[:0], ID: o.ID, Lists: o.Lists}
	o.ID = resetLike(o.ID, b.Origin.ID)
	o.Lists = resetLike(o.Lists, b.Origin.Lists)
}

// resetLike returns v emptied for values like those of src, or nil if there are none.
func resetLike(v, src *types.Vec) *types.Vec {
	if src == nil {
		return nil
	}
	if v == nil {
		v = &types.Vec{}
	}
	v.Reset(src.Type)
	return v
}

// expand appends the rows that row r becomes, and returns their number.
func (u *Unnest) expand(b *types.Batch, arrays []*types.Vec, r int32) int {
	n := 0
	for _, a := range arrays {
		if !a.Null(int(r)) {
			n = max(n, types.ArrayLen(a.Str(int(r))))
		}
	}
	if n == 0 {
		return 0
	}
	for i, a := range arrays {
		out := u.cols[len(b.Cols)+i]
		filled := 0
		if !a.Null(int(r)) {
			for _, v := range types.DecodeArray(u.elems[i].Kind, a.Str(int(r))) {
				out.AppendValue(v)
				filled++
			}
		}
		for ; filled < n; filled++ {
			out.AppendNull()
		}
	}
	sub := b.Origin.SubOf(r) << 12 // an unnest of an unnest: the inner rows stay in order
	for k := range n {
		for i, c := range b.Cols {
			u.cols[i].AppendFrom(c, int(r))
		}
		if u.ordinality {
			last := u.cols[len(u.cols)-1]
			last.I = append(last.I, int64(k+1))
		}
		appendOrigin(&u.origin, &b.Origin, r, sub+int32(k))
	}
	return n
}

// appendOrigin appends the origin of row r of src, as the sub-th row of its record.
func appendOrigin(dst, src *types.Origin, r, sub int32) {
	dst.Part = append(dst.Part, src.Part[r])
	dst.Off = append(dst.Off, src.Off[r])
	dst.Time = append(dst.Time, src.Time[r])
	dst.Sub = append(dst.Sub, sub)
	if src.ID != nil {
		dst.ID.AppendFrom(src.ID, int(r))
	}
	if src.Lists != nil {
		dst.Lists.AppendFrom(src.Lists, int(r))
	}
}
