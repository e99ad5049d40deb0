package expr

import (
	"time"

	"rhumb/types"
)

// Evaluator computes one expression over batches. It holds the scratch memory, so that nothing is allocated in the long
// run; it is not for concurrent use.
type Evaluator struct {
	root node
	out  types.Vec // the result, where the root is constant
}

// NewEvaluator compiles e.
func NewEvaluator(e Expr) *Evaluator { return &Evaluator{root: compile(e)} }

// Eval computes e for the rows sel of b. The result has b.N physical rows, of which those in sel are set; it is valid until
// the next Eval of this evaluator. For a Column it is the batch's own vector. Rows that fail are NULL and in ctx.Errs.
func (ev *Evaluator) Eval(ctx *Ctx, b *types.Batch, sel []int32) *types.Vec {
	v := ev.root.eval(ctx, b, sel)
	if v.mask != 0 {
		return v.Vec
	}
	ev.out.Resize(v.Type, b.N)
	copyRows(&ev.out, v, sel)
	return &ev.out
}

// Filter returns the rows of sel for which the boolean expression is TRUE, appended to out[:0]; out may be sel.
func (ev *Evaluator) Filter(ctx *Ctx, b *types.Batch, sel, out []int32) []int32 {
	return filter(ev.root, ctx, b, sel, out[:0])
}

func filter(n node, ctx *Ctx, b *types.Batch, sel, out []int32) []int32 {
	if l, ok := n.(*logicNode); ok && !l.or {
		for _, in := range l.in {
			out = filter(in, ctx, b, sel, out[:0])
			if sel = out; len(sel) == 0 {
				break
			}
		}
		return out
	}
	v := n.eval(ctx, b, sel)
	if v.mask == 0 {
		if len(sel) > 0 && !v.Null(0) && v.B[0] {
			out = append(out, sel...)
		}
		return out
	}
	if len(v.Nulls) == 0 {
		return trueRows(v.B, sel, out)
	}
	for _, i := range sel {
		if v.B[i] && !v.Nulls.Has(int(i)) {
			out = append(out, i)
		}
	}
	return out
}

// trueRows appends without branching on the data, which is what a filter cannot predict.
func trueRows(b []bool, sel, out []int32) []int32 {
	if cap(out) < len(sel) {
		out = make([]int32, len(sel))
	}
	out = out[:len(sel)]
	n := 0
	for _, i := range sel {
		out[n] = i
		if b[i] {
			n++
		}
	}
	return out[:n]
}

// arg is the value of an operand over a batch: a vector, or a constant, which is row 0 of its vector for all rows.
type arg struct {
	*types.Vec
	mask int32 // -1: a vector; 0: a constant
}

// at is where the value of row i lies.
func (a arg) at(i int32) int { return int(i & a.mask) }

func (a arg) isNull(i int32) bool { return a.Vec.Null(int(i & a.mask)) }

func (a arg) constant() bool { return a.mask == 0 }

// node is a compiled expression. eval computes the rows sel; the result is valid until the node's next eval.
type node interface {
	eval(ctx *Ctx, b *types.Batch, sel []int32) arg
}

func compile(e Expr) node {
	switch e := e.(type) {
	case *Column:
		return &columnNode{e.Index}
	case *Const:
		return newConstNode(e.Value)
	case *Call:
		run := e.sig.run
		if e.sig.prepare != nil {
			if k, err := e.sig.prepare(e.Args); err == nil && k != nil {
				run = k
			}
		}
		return newCallNode(run, e.T, !e.sig.NonStrict, e.Pos, e.Args...)
	case *Logic:
		return &logicNode{or: e.Or, in: compileAll(e.Args)}
	case *Not:
		return newCallNode(notKernel, tBool, true, 0, e.Arg)
	case *Case:
		return newCaseNode(e)
	case *Coalesce:
		return &coalesceNode{t: e.T, in: compileAll(e.Args)}
	case *Cast:
		if sameBytes(e.Arg.Type(), e.To) {
			return &renameNode{in: compile(e.Arg), t: e.To}
		}
		return newCallNode(castKernel(e.Arg.Type(), e.To), e.To, true, e.Pos, e.Arg)
	case *In:
		return newCallNode(inKernel(e), tBool, true, 0, e.Arg)
	}
	panic("BUG: expr.compile: the set of expressions is closed")
}

func compileAll(es []Expr) []node {
	out := make([]node, len(es))
	for i, e := range es {
		out[i] = compile(e)
	}
	return out
}

type columnNode struct{ index int }

func (n *columnNode) eval(_ *Ctx, b *types.Batch, _ []int32) arg { return arg{b.Cols[n.index], -1} }

type constNode struct{ v types.Vec }

func newConstNode(v types.Value) *constNode {
	n := &constNode{}
	n.v.Reset(v.Type)
	n.v.AppendValue(v)
	return n
}

func (n *constNode) eval(*Ctx, *types.Batch, []int32) arg { return arg{&n.v, 0} }

// renameNode is a cast that changes the type and not the values: its vector shares the operand's memory.
type renameNode struct {
	in  node
	t   types.Type
	out types.Vec
}

func (n *renameNode) eval(ctx *Ctx, b *types.Batch, sel []int32) arg {
	v := n.in.eval(ctx, b, sel)
	n.out = *v.Vec
	n.out.Type = n.t
	return arg{&n.out, v.mask}
}

// kernel computes a function for the rows sel. A strict function's kernel gets only rows whose arguments are not NULL.
type kernel func(f *frame, sel []int32)

// frame is what a kernel works on: arguments by physical row, and the result to fill.
type frame struct {
	ctx  *Ctx
	n    int // physical rows
	args []arg
	out  types.Vec
	pos  int
	buf  []byte // scratch of one row
}

// fail makes row i NULL and records why.
func (f *frame) fail(i int32, err *types.Error) {
	f.out.SetNull(int(i))
	f.ctx.Errs = append(f.ctx.Errs, RowError{i, err.At(f.pos)})
}

// callNode is a call, cast or other function of its operands.
type callNode struct {
	frame
	run    kernel
	t      types.Type
	strict bool
	in     []node
	live   []int32
}

func newCallNode(run kernel, t types.Type, strict bool, pos int, args ...Expr) *callNode {
	n := &callNode{run: run, t: t, strict: strict, in: compileAll(args)}
	n.pos, n.args = pos, make([]arg, len(args))
	return n
}

func (n *callNode) eval(ctx *Ctx, b *types.Batch, sel []int32) arg {
	constant := true
	for k, in := range n.in {
		n.args[k] = in.eval(ctx, b, sel)
		constant = constant && n.args[k].mask == 0
	}
	n.ctx, n.n = ctx, b.N
	if constant {
		return n.evalOnce(sel)
	}
	n.out.Resize(n.t, b.N)
	n.call(sel)
	return arg{&n.out, -1}
}

var rowZero = []int32{0}

// evalOnce computes a call whose arguments are constant. Its failure is one of each row.
func (n *callNode) evalOnce(sel []int32) arg {
	n.out.Resize(n.t, 1)
	n.n = 1
	if len(sel) == 0 {
		n.out.SetNull(0)
		return arg{&n.out, 0}
	}
	before := len(n.ctx.Errs)
	n.call(rowZero)
	if len(n.ctx.Errs) > before {
		err := n.ctx.Errs[before].Err
		n.ctx.Errs = n.ctx.Errs[:before]
		for _, i := range sel {
			n.ctx.Errs = append(n.ctx.Errs, RowError{i, err})
		}
	}
	return arg{&n.out, 0}
}

func (n *callNode) call(sel []int32) {
	if n.strict {
		sel = n.strictRows(sel)
	}
	if len(sel) > 0 {
		n.run(&n.frame, sel)
	}
}

// strictRows makes the rows with a NULL argument NULL, and returns the others.
func (n *callNode) strictRows(sel []int32) []int32 {
	for _, a := range n.args {
		if len(a.Nulls) == 0 {
			continue
		}
		// From the second argument on, sel may be n.live itself, which is then narrowed in place.
		live := n.live[:0]
		for _, i := range sel {
			if a.isNull(i) {
				n.out.SetNull(int(i))
			} else {
				live = append(live, i)
			}
		}
		n.live, sel = live, live
	}
	return sel
}

// copyRows sets the rows sel of dst to those of src.
func copyRows(dst *types.Vec, src arg, sel []int32) {
	for _, i := range sel {
		if src.isNull(i) {
			dst.SetNull(int(i))
		}
	}
	switch dst.Type.Layout() {
	case types.LBool:
		copyFixed(dst.B, src.B, sel, src.mask)
	case types.LInt:
		copyFixed(dst.I, src.I, sel, src.mask)
	case types.LFloat:
		copyFixed(dst.F, src.F, sel, src.mask)
	case types.LInterval:
		copyFixed(dst.V, src.V, sel, src.mask)
	case types.LStr:
		if src.constant() && len(sel) > 0 {
			dst.SetStr(int(sel[0]), src.Str(0))
			for _, i := range sel {
				dst.R[i] = dst.R[sel[0]]
			}
			return
		}
		for _, i := range sel {
			dst.SetStr(int(i), src.Str(int(i)))
		}
	}
}

func copyFixed[T any](dst, src []T, sel []int32, mask int32) {
	for _, i := range sel {
		dst[i] = src[i&mask]
	}
}

// constValue computes an expression without columns.
func constValue(e Expr, zone *time.Location) (types.Value, *types.Error) {
	ctx := Ctx{Zone: zone}
	v := NewEvaluator(e).root.eval(&ctx, &types.Batch{N: 1}, rowZero)
	if len(ctx.Errs) > 0 {
		return types.Value{}, ctx.Errs[0].Err
	}
	return v.Value(0), nil
}

// otherZone is a zone in which no local time is what it is in UTC.
var otherZone = time.FixedZone("", 3600)
