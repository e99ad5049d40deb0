package expr

import "rhumb/types"

// logicNode is AND or OR of three values. An operand is computed only for the rows that those before it leave open.
type logicNode struct {
	or   bool
	in   []node
	out  types.Vec
	open []int32
}

func (n *logicNode) eval(ctx *Ctx, b *types.Batch, sel []int32) arg {
	n.out.Resize(tBool, b.N)
	for _, i := range sel {
		n.out.B[i] = !n.or
	}
	open := sel
	for _, in := range n.in {
		if len(open) == 0 {
			break
		}
		v := in.eval(ctx, b, open)
		next := n.open[:0]
		for _, i := range open {
			switch {
			case v.isNull(i):
				n.out.SetNull(int(i))
			case v.B[v.at(i)] == n.or: // TRUE of OR, FALSE of AND: decided
				n.out.B[i] = n.or
				n.out.Nulls.Clear(int(i))
				continue
			}
			next = append(next, i)
		}
		// next overwrites what has been read of open, if open is n.open itself.
		n.open, open = next, next
	}
	return arg{&n.out, -1}
}

func notKernel(f *frame, sel []int32) {
	a := f.args[0]
	for _, i := range sel {
		f.out.B[i] = !a.B[a.at(i)]
	}
}

// caseNode is CASE: each branch is computed for its rows only.
type caseNode struct {
	t       types.Type
	conds   []node
	thens   []node
	els     node
	out     types.Vec
	open    []int32
	matched []int32
}

func newCaseNode(e *Case) *caseNode {
	n := &caseNode{t: e.T}
	for _, w := range e.Whens {
		n.conds = append(n.conds, compile(w.Cond))
		n.thens = append(n.thens, compile(w.Then))
	}
	if e.Else != nil {
		n.els = compile(e.Else)
	}
	return n
}

func (n *caseNode) eval(ctx *Ctx, b *types.Batch, sel []int32) arg {
	n.out.Resize(n.t, b.N)
	open := sel
	for k, cond := range n.conds {
		if len(open) == 0 {
			break
		}
		v := cond.eval(ctx, b, open)
		next, matched := n.open[:0], n.matched[:0]
		for _, i := range open {
			if v.B[v.at(i)] && !v.isNull(i) {
				matched = append(matched, i)
			} else {
				next = append(next, i)
			}
		}
		n.open, n.matched, open = next, matched, next
		if len(matched) > 0 {
			copyRows(&n.out, n.thens[k].eval(ctx, b, matched), matched)
		}
	}
	switch {
	case len(open) == 0:
	case n.els != nil:
		copyRows(&n.out, n.els.eval(ctx, b, open), open)
	default:
		for _, i := range open {
			n.out.SetNull(int(i))
		}
	}
	return arg{&n.out, -1}
}

// coalesceNode is COALESCE: an operand is computed for the rows whose earlier operands are NULL.
type coalesceNode struct {
	t    types.Type
	in   []node
	out  types.Vec
	open []int32
	got  []int32
}

func (n *coalesceNode) eval(ctx *Ctx, b *types.Batch, sel []int32) arg {
	n.out.Resize(n.t, b.N)
	open := sel
	for _, in := range n.in {
		if len(open) == 0 {
			break
		}
		v := in.eval(ctx, b, open)
		next, got := n.open[:0], n.got[:0]
		for _, i := range open {
			if v.isNull(i) {
				next = append(next, i)
			} else {
				got = append(got, i)
			}
		}
		n.open, n.got, open = next, got, next
		copyRows(&n.out, v, got)
	}
	for _, i := range open {
		n.out.SetNull(int(i))
	}
	return arg{&n.out, -1}
}

// inKernel is membership in constants.
func inKernel(e *In) kernel {
	find := memberKernel(e)
	if !e.HasNul {
		return find
	}
	return func(f *frame, sel []int32) {
		find(f, sel)
		for _, i := range sel {
			if !f.out.B[i] {
				f.out.SetNull(int(i))
			}
		}
	}
}

// memberKernel looks values up by the bytes of their key, which are equal when the values are; integers and text directly.
func memberKernel(e *In) kernel {
	t := e.Arg.Type()
	if t.Layout() == types.LInt {
		return intMember(e.Values)
	}
	set := map[string]struct{}{}
	if t.Kind == types.Text {
		for _, v := range e.Values {
			set[v.S] = struct{}{}
		}
		return func(f *frame, sel []int32) {
			a := f.args[0]
			for _, i := range sel {
				_, f.out.B[i] = set[string(a.Str(a.at(i)))]
			}
		}
	}
	keys := types.NewVec(t, len(e.Values))
	for i, v := range e.Values {
		keys.AppendValue(v)
		set[string(types.AppendKey(nil, keys, i))] = struct{}{}
	}
	return func(f *frame, sel []int32) {
		a := f.args[0]
		for _, i := range sel {
			f.buf = types.AppendKey(f.buf[:0], a.Vec, a.at(i))
			_, f.out.B[i] = set[string(f.buf)]
		}
	}
}

func intMember(values []types.Value) kernel {
	const few = 8
	if len(values) <= few {
		list := make([]int64, len(values))
		for i, v := range values {
			list[i] = v.I
		}
		return func(f *frame, sel []int32) {
			a := f.args[0]
			for _, i := range sel {
				x, found := a.I[a.at(i)], false
				for _, y := range list {
					found = found || x == y
				}
				f.out.B[i] = found
			}
		}
	}
	set := make(map[int64]struct{}, len(values))
	for _, v := range values {
		set[v.I] = struct{}{}
	}
	return func(f *frame, sel []int32) {
		a := f.args[0]
		for _, i := range sel {
			_, f.out.B[i] = set[a.I[a.at(i)]]
		}
	}
}
