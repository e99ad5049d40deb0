package op

import (
	"rhumb/expr"
	"rhumb/types"
)

// Project computes columns.
type Project struct {
	evals []*expr.Evaluator
	cols  []*types.Vec
	out   types.Batch
}

// NewProject makes a projection.
func NewProject(exprs []expr.Expr) *Project {
	p := &Project{cols: make([]*types.Vec, len(exprs))}
	for _, e := range exprs {
		p.evals = append(p.evals, expr.NewEvaluator(e))
	}
	return p
}

// Apply implements Transform.
func (p *Project) Apply(x *Ctx, b *types.Batch) *types.Batch {
	sel := x.rows(b)
	for i, ev := range p.evals {
		p.cols[i] = ev.Eval(&x.Expr, b, sel)
	}
	p.out = types.Batch{N: b.N, Sel: b.Sel, Cols: p.cols, Origin: b.Origin}
	if len(x.Expr.Errs) > 0 {
		p.out.Sel = x.rejectFailed(&b.Origin, sel)
	}
	return &p.out
}
