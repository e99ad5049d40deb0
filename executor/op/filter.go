package op

import (
	"rhumb/expr"
	"rhumb/types"
)

// Filter keeps the rows for which a predicate is TRUE.
type Filter struct {
	pred *expr.Evaluator
	sel  []int32 // never nil, which as a selection is all rows
	out  types.Batch
	// Having says that the rows are results (HAVING): leaving them out is not "filtered", their events were used.
	having bool
}

// NewFilter makes a filter.
func NewFilter(pred expr.Expr, having bool) *Filter {
	return &Filter{pred: expr.NewEvaluator(pred), having: having, sel: []int32{}}
}

// Apply implements Transform.
func (f *Filter) Apply(x *Ctx, b *types.Batch) *types.Batch {
	in := x.rows(b)
	f.sel = f.pred.Filter(&x.Expr, b, in, f.sel)
	failed := len(x.Expr.Errs) > 0
	kept := f.sel
	if failed {
		before := len(x.Ledger.Dropped)
		kept = x.rejectFailed(&b.Origin, kept)
		if !f.having {
			x.Ledger.Filtered -= int64(len(x.Ledger.Dropped) - before)
		}
	}
	if !f.having {
		x.Ledger.Filtered += int64(len(in) - len(kept))
	}
	f.out = *b
	f.out.Sel = kept
	return &f.out
}
