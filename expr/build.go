package expr

import "rhumb/types"

// NewAnd joins conditions by AND; nil for none. Nested ANDs become one.
func NewAnd(args ...Expr) Expr { return newLogic(false, args) }

// NewOr joins conditions by OR; nil for none. Nested ORs become one.
func NewOr(args ...Expr) Expr { return newLogic(true, args) }

func newLogic(or bool, args []Expr) Expr {
	var flat []Expr
	for _, a := range args {
		switch l, ok := a.(*Logic); {
		case a == nil:
		case ok && l.Or == or:
			flat = append(flat, l.Args...)
		default:
			flat = append(flat, boolean(a))
		}
	}
	switch len(flat) {
	case 0:
		return nil
	case 1:
		return flat[0]
	}
	return &Logic{Or: or, Args: flat}
}

// boolean makes an untyped NULL or literal a boolean; other expressions are checked by the binder.
func boolean(e Expr) Expr {
	if e.Type().Kind == types.Unknown {
		if b, err := Coerce(e, tBool, 0); err == nil {
			return b
		}
	}
	return e
}

// NewNot negates a condition.
func NewNot(e Expr) Expr {
	if n, ok := e.(*Not); ok {
		return n.Arg
	}
	return &Not{Arg: boolean(e)}
}

// NewCase is CASE WHEN; els nil is ELSE NULL. 42804 when the branches have no common type or a condition is not boolean.
func NewCase(whens []When, els Expr, pos int) (Expr, error) {
	values := make([]Expr, 0, len(whens)+1)
	// Postgres lets the ELSE come first when it looks for the common type.
	if els != nil {
		values = append(values, els)
	}
	for _, w := range whens {
		values = append(values, w.Then)
	}
	t, err := CommonType(pos, values...)
	if err != nil {
		return nil, err
	}
	c := &Case{T: t, Whens: make([]When, len(whens))}
	for i, w := range whens {
		if c.Whens[i].Cond, err = Coerce(w.Cond, tBool, pos); err != nil {
			return nil, types.Errorf(types.CodeDatatypeMismatch, "argument of CASE/WHEN must be type boolean, not type %s", w.Cond.Type()).At(pos)
		}
		if c.Whens[i].Then, err = Coerce(w.Then, t, pos); err != nil {
			return nil, err
		}
	}
	if els != nil {
		if c.Else, err = Coerce(els, t, pos); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// NewCoalesce is COALESCE.
func NewCoalesce(args []Expr, pos int) (Expr, error) {
	if len(args) == 0 {
		return nil, types.Errorf(types.CodeSyntax, "COALESCE needs an argument").At(pos)
	}
	cast, t, err := coerceAll(args, pos)
	if err != nil {
		return nil, err
	}
	if len(cast) == 1 {
		return cast[0], nil
	}
	return &Coalesce{Args: cast, T: t}, nil
}

// NewIn is membership in a list: an In when all members are constant, else comparisons joined by OR.
func NewIn(arg Expr, list []Expr, pos int) (Expr, error) {
	constant := true
	for _, e := range list {
		_, ok := e.(*Const)
		constant = constant && ok
	}
	if !constant {
		ors := make([]Expr, len(list))
		for i, e := range list {
			var err error
			if ors[i], err = NewCall("=", []Expr{arg, e}, pos); err != nil {
				return nil, err
			}
		}
		return NewOr(ors...), nil
	}
	t, err := CommonType(pos, append([]Expr{arg}, list...)...)
	if err != nil {
		return nil, err
	}
	t = t.Base()
	in := &In{}
	if in.Arg = arg; arg.Type().Base() != t {
		if in.Arg, err = Coerce(arg, t, pos); err != nil {
			return nil, err
		}
	}
	for _, e := range list {
		if e.Type().Base() != t {
			if e, err = Coerce(e, t, pos); err != nil {
				return nil, err
			}
		}
		c, ok := Fold(e).(*Const)
		if !ok {
			return nil, types.Errorf(types.CodeInvalidText, "cannot convert %s to %s", e, t).At(pos)
		}
		if c.Value.Null {
			in.HasNul = true
		} else {
			in.Values = append(in.Values, c.Value)
		}
	}
	return in, nil
}

// NewIsNull is e IS [NOT] NULL.
func NewIsNull(e Expr, not bool) Expr {
	name := "is null"
	if not {
		name = "is not null"
	}
	return construct(name, e)
}

// construct calls a Construct whose arguments are known to fit.
func construct(name string, args ...Expr) *Call {
	f := funcs[name]
	s := &f.Sigs[0]
	return &Call{Func: f, Args: args, T: s.Ret, sig: s}
}

// NewIsBool is e IS [NOT] TRUE|FALSE|UNKNOWN.
func NewIsBool(e Expr, want string, not bool) (Expr, error) {
	b, err := Coerce(e, tBool, 0)
	if err != nil {
		return nil, types.Errorf(types.CodeDatatypeMismatch, "argument of IS %s must be type boolean, not type %s", want, e.Type())
	}
	name := "is " + want
	if not {
		name = "is not " + want
	}
	if funcs[name] == nil {
		return nil, types.Errorf(types.CodeSyntax, "unknown test IS %s", want).WithHint("There are TRUE, FALSE, UNKNOWN and NULL.")
	}
	return construct(name, b), nil
}

// NewIsDistinct is a IS [NOT] DISTINCT FROM b.
func NewIsDistinct(a, b Expr, not bool, pos int) (Expr, error) {
	// "=" resolves the types, and refuses those that have no equality.
	eq, err := NewCall("=", []Expr{a, b}, pos)
	if err != nil {
		return nil, err
	}
	name := "is distinct from"
	if not {
		name = "is not distinct from"
	}
	args := eq.(*Call).Args
	if args[0].Type().IsInt() && args[1].Type().IsInt() {
		return construct(name, args...), nil
	}
	return newCall(funcs[name], args, pos)
}

// NewArray is ARRAY[...]. An array of arrays is refused: arrays have one dimension. The empty one is the literal '{}', which takes the
// type that it is cast to.
func NewArray(elems []Expr, pos int) (Expr, error) {
	if len(elems) == 0 {
		return &Const{types.Value{Type: tUnknown, S: "{}"}}, nil
	}
	for _, e := range elems {
		if e.Type().Kind == types.Array {
			return nil, types.Errorf(types.CodeNotSupported, "multidimensional arrays are not supported").At(pos).
				WithHint("Use JSONB, or concatenate the arrays with ||.")
		}
	}
	return newCall(funcs["array"], elems, pos)
}

// NewSubscript is arr[index] of an array or of JSONB.
func NewSubscript(arr, index Expr, pos int) (Expr, error) {
	if arr.Type().Kind == types.JSONB {
		return NewCall("->", []Expr{arr, index}, pos)
	}
	if arr.Type().Kind != types.Array {
		return nil, types.Errorf(types.CodeDatatypeMismatch, "cannot subscript type %s because it does not support subscripting", arr.Type()).At(pos)
	}
	if !index.Type().IsInt() && index.Type().Kind != types.Unknown {
		return nil, types.Errorf(types.CodeDatatypeMismatch, "array subscript must have type integer").At(pos)
	}
	return newCall(funcs["[]"], []Expr{arr, index}, pos)
}

// NewQuantified is arg op ANY|ALL (array).
func NewQuantified(op string, all bool, arg, array Expr, pos int) (Expr, error) {
	if array.Type().Kind == types.Unknown {
		elem := arg.Type()
		if elem.Kind == types.Unknown {
			elem = tText
		}
		var err error
		if array, err = Coerce(array, types.ArrayOf(elem.Kind), pos); err != nil {
			return nil, err
		}
	}
	if array.Type().Kind != types.Array {
		return nil, types.Errorf(types.CodeWrongObjectType, "op ANY/ALL (array) requires array on right side").At(pos)
	}
	elem := types.T(array.Type().Elem)
	if c, ok := array.(*Const); ok && !c.Value.Null {
		return quantifiedConst(op, all, arg, types.DecodeArray(elem.Kind, []byte(c.Value.S)), pos)
	}
	// The operator is resolved for one element; its kernel then runs over the elements of each row's array.
	probe, err := NewCall(op, []Expr{arg, &Column{T: elem, Name: "element"}}, pos)
	if err != nil {
		return nil, err
	}
	call, ok := probe.(*Call)
	if !ok || call.T.Kind != types.Bool {
		return nil, types.Errorf(types.CodeWrongObjectType, "op ANY/ALL (array) requires operator to yield boolean").At(pos)
	}
	if array, err = convert(array, types.ArrayOf(call.Args[1].Type().Kind), pos); err != nil {
		return nil, err
	}
	word := " ANY"
	if all {
		word = " ALL"
	}
	s := &Sig{Ret: tBool, Args: []types.Type{call.Args[0].Type(), array.Type()}}
	s.prepare = func([]Expr) (kernel, *types.Error) { return quantified(call, all), nil }
	return &Call{Func: &Func{Name: call.Func.Name + word, Kind: Construct, Sigs: []Sig{*s}}, Args: []Expr{call.Args[0], array}, T: tBool, Pos: pos, sig: s}, nil
}

// quantifiedConst writes the comparison with a constant array as an In, or as one call for each element, whose constants are
// prepared once.
func quantifiedConst(op string, all bool, arg Expr, elems []types.Value, pos int) (Expr, error) {
	list := make([]Expr, len(elems))
	for i, v := range elems {
		list[i] = &Const{v}
	}
	if len(list) == 0 {
		return &Const{types.BoolValue(all)}, nil
	}
	if op == "=" && !all {
		return NewIn(arg, list, pos)
	}
	for i, e := range list {
		var err error
		if list[i], err = NewCall(op, []Expr{arg, e}, pos); err != nil {
			return nil, err
		}
		if list[i].Type().Kind != types.Bool {
			return nil, types.Errorf(types.CodeWrongObjectType, "op ANY/ALL (array) requires operator to yield boolean").At(pos)
		}
	}
	if all {
		return NewAnd(list...), nil
	}
	return NewOr(list...), nil
}

// UnnestType is the type of the rows that unnest makes of an array.
func UnnestType(t types.Type) (types.Type, bool) {
	if t.Kind != types.Array {
		return types.Type{}, false
	}
	return types.T(t.Elem), true
}
