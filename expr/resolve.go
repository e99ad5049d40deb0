package expr

import (
	"strings"

	"rhumb/types"
)

// candidate is an overload fitted to a call: its argument types, one per argument, pseudo-types replaced.
type candidate struct {
	sig   *Sig
	args  []types.Type
	ret   types.Type
	exact int // arguments whose declared type is the given one
}

// NewCall resolves a function or operator by lower-case name and argument types, as Postgres does ("Operator Type
// Resolution" and "Function Type Resolution" in its manual), and returns the call with casts inserted.
func NewCall(name string, args []Expr, pos int) (Expr, error) {
	f := lookup(name)
	if f == nil {
		return nil, unknownFunction(name, args, pos)
	}
	if f.Kind == SetReturning {
		return nil, types.Errorf(types.CodeNotSupported, "set-returning function %s is not allowed here", name).At(pos).
			WithHint("Call it in FROM.")
	}
	return newCall(f, args, pos)
}

// newCall is NewCall of a function that is known.
func newCall(f *Func, args []Expr, pos int) (Expr, error) {
	given := make([]types.Type, len(args))
	for i, a := range args {
		given[i] = a.Type()
	}
	c, err := resolve(f, given, pos)
	if err != nil {
		return nil, err
	}
	cast := make([]Expr, len(args))
	for i, a := range args {
		want := c.args[i]
		if want.Kind == kindAny {
			if want = a.Type(); want.Kind == types.Unknown {
				want = tText
			}
		}
		cast[i] = a
		if a.Type().Base() != want.Base() {
			if cast[i], err = convert(a, want, pos); err != nil {
				return nil, err
			}
		}
	}
	call := &Call{Func: f, Args: cast, T: c.ret, Pos: pos, sig: c.sig}
	if c.sig.prepare != nil {
		if _, err := c.sig.prepare(cast); err != nil {
			return nil, err.At(pos)
		}
	}
	return call, nil
}

// resolve chooses the overload.
func resolve(f *Func, given []types.Type, pos int) (*candidate, error) {
	var cands []*candidate
	for i := range f.Sigs {
		if c := fit(&f.Sigs[i], given); c != nil {
			if c.exact == len(given) {
				return c, nil
			}
			cands = append(cands, c)
		}
	}
	if f.Kind == Operator && len(given) == 2 {
		if c := assumeSame(cands, given); c != nil {
			return c, nil
		}
	}
	cands = best(cands, func(c *candidate) int { return c.exact })
	if len(cands) > 1 {
		cands = best(cands, func(c *candidate) int { return preferredMatches(c, given) })
	}
	if len(cands) > 1 {
		cands = byUnknowns(cands, given)
	}
	switch len(cands) {
	case 1:
		return cands[0], nil
	case 0:
		return nil, noMatch(f, given, pos)
	}
	return nil, complain(types.CodeAmbiguousFunction, f, given, "is not unique").At(pos).
		WithHint("Could not choose a best candidate %s. Add explicit type casts.", kindWord(f))
}

// fit returns the overload fitted to the given types, or nil if they cannot be coerced implicitly.
func fit(s *Sig, given []types.Type) *candidate {
	n := len(s.Args)
	if len(given) != n && !(s.Variadic && len(given) >= n) {
		return nil
	}
	c := &candidate{sig: s, ret: s.Ret, args: make([]types.Type, len(given))}
	poly := false
	for i := range given {
		t := s.Args[min(i, n-1)]
		c.args[i] = t
		poly = poly || t.Kind == kindElem || t.Kind == kindArray
	}
	if poly && !c.bindElem(given) {
		return nil
	}
	for i, t := range c.args {
		switch {
		case t.Kind == kindAny:
		case t.Kind == kindNonArray:
			if given[i].Kind == types.Array {
				return nil
			}
			c.args[i] = given[i].Base()
			if given[i].Kind == types.Unknown {
				c.args[i] = tText
			}
		case !implicitly(given[i], t):
			return nil
		case given[i].Base() == t && !isPseudo(c.declared(i)):
			c.exact++
		}
	}
	return c
}

// bindElem finds the type that anyelement and the elements of anyarray stand for, and puts it in.
func (c *candidate) bindElem(given []types.Type) bool {
	var elems []types.Type
	for i, t := range c.args {
		switch {
		case given[i].Kind == types.Unknown:
		case t.Kind == kindElem:
			elems = append(elems, given[i].Base())
		case t.Kind == kindArray:
			if given[i].Kind != types.Array {
				return false
			}
			elems = append(elems, types.T(given[i].Elem))
		}
	}
	elem, err := commonType(0, elems)
	if err != nil {
		return false
	}
	put := func(t types.Type) types.Type {
		switch t.Kind {
		case kindElem:
			return elem
		case kindArray:
			return types.ArrayOf(elem.Kind)
		}
		return t
	}
	for i, t := range c.args {
		if c.args[i] = put(t); t.Kind == kindArray && elem.Kind == types.Array {
			return false
		}
	}
	c.ret = put(c.ret)
	return true
}

// assumeSame is the operator rule that a literal of unknown type has the other operand's type, if that fits exactly.
func assumeSame(cands []*candidate, given []types.Type) *candidate {
	l, r := given[0].Base(), given[1].Base()
	switch {
	case l.Kind == types.Unknown && r.Kind != types.Unknown:
		l = r
	case r.Kind == types.Unknown && l.Kind != types.Unknown:
		r = l
	default:
		return nil
	}
	for _, c := range cands {
		if c.args[0] == l && c.args[1] == r && !c.polymorphic() {
			return c
		}
	}
	for _, c := range cands {
		if c.args[0] == l && c.args[1] == r {
			return c
		}
	}
	return nil
}

func (c *candidate) polymorphic() bool {
	for _, t := range c.sig.Args {
		if isPseudo(t) {
			return true
		}
	}
	return false
}

// best keeps the candidates with the highest score.
func best(cands []*candidate, score func(*candidate) int) []*candidate {
	top := -1
	var out []*candidate
	for _, c := range cands {
		switch s := score(c); {
		case s > top:
			top, out = s, append(out[:0:0], c)
		case s == top:
			out = append(out, c)
		}
	}
	return out
}

// declared is the type of argument i in the signature, where pseudo-types are a category of their own.
func (c *candidate) declared(i int) types.Type { return c.sig.Args[min(i, len(c.sig.Args)-1)] }

// preferredMatches counts the arguments of known type that match exactly or are cast to a preferred type of their category.
func preferredMatches(c *candidate, given []types.Type) int {
	n := 0
	for i := range c.args {
		t := c.declared(i)
		if g := given[i]; g.Kind != types.Unknown && (g.Base() == t || category(t) == category(g) && preferred(t)) {
			n++
		}
	}
	return n
}

// byUnknowns decides among candidates by the literals of unknown type: first by category, then by assuming that they have
// the type that all other arguments have.
func byUnknowns(cands []*candidate, given []types.Type) []*candidate {
	unknowns, known, oneKnown := 0, tUnknown, true
	for _, g := range given {
		switch g = g.Base(); {
		case g.Kind == types.Unknown:
			unknowns++
		case known.Kind == types.Unknown:
			known = g
		case known != g:
			oneKnown = false
		}
	}
	if unknowns == 0 {
		return cands
	}
	if kept := byCategory(cands, given); len(kept) > 0 {
		cands = kept
	}
	if len(cands) > 1 && known.Kind != types.Unknown && oneKnown {
		var kept []*candidate
		for _, c := range cands {
			ok := true
			for i, t := range c.args {
				ok = ok && (given[i].Kind != types.Unknown || implicitly(known, t))
			}
			if ok {
				kept = append(kept, c)
			}
		}
		if len(kept) == 1 {
			return kept
		}
	}
	return cands
}

func byCategory(cands []*candidate, given []types.Type) []*candidate {
	kept := cands
	for i, g := range given {
		if g.Kind != types.Unknown {
			continue
		}
		cat, conflict, hasPreferred := byte(0), false, false
		for _, c := range kept {
			t := category(c.declared(i))
			switch {
			case cat == 0:
				cat, hasPreferred = t, preferred(c.declared(i))
			case t == cat:
				hasPreferred = hasPreferred || preferred(c.declared(i))
			case t == 'S':
				cat, conflict, hasPreferred = t, false, preferred(c.declared(i))
			case cat != 'S':
				conflict = true
			}
		}
		if conflict {
			return nil
		}
		var next []*candidate
		for _, c := range kept {
			if category(c.declared(i)) == cat && (!hasPreferred || preferred(c.declared(i))) {
				next = append(next, c)
			}
		}
		kept = next
	}
	return kept
}

func kindWord(f *Func) string {
	if f.Kind == Operator {
		return "operator"
	}
	return "function"
}

// complain words an error as Postgres does: "function lower(integer) does not exist", "operator does not exist: integer + text".
func complain(code string, f *Func, given []types.Type, what string) *types.Error {
	if f.Kind == Function || f.Kind == SetReturning {
		return types.Errorf(code, "function %s %s", callOf(f, given), what)
	}
	return types.Errorf(code, "operator %s: %s", what, callOf(f, given))
}

// callOf is a call as error messages show it: integer + text, lower(integer).
func callOf(f *Func, given []types.Type) string {
	names := make([]string, len(given))
	for i, t := range given {
		names[i] = t.String()
	}
	if f.Kind == Operator && len(names) == 2 {
		return names[0] + " " + f.Name + " " + names[1]
	}
	if f.Kind == Operator && len(names) == 1 {
		return f.Name + " " + names[0]
	}
	return f.Name + "(" + strings.Join(names, ", ") + ")"
}

func noMatch(f *Func, given []types.Type, pos int) error {
	const shown = 6
	var sigs []string
	for i := range f.Sigs {
		if i == shown {
			sigs = append(sigs, "...")
			break
		}
		sigs = append(sigs, f.signature(f.Name, i))
	}
	return complain(types.CodeUndefinedFunction, f, given, "does not exist").At(pos).
		WithHint("No %s matches the argument types; an explicit cast may help. There are: %s", kindWord(f), strings.Join(sigs, "; "))
}

func unknownFunction(name string, args []Expr, pos int) error {
	given := make([]types.Type, len(args))
	for i, a := range args {
		given[i] = a.Type()
	}
	f := &Func{Name: name}
	if name == "" || !isWordByte(name[0]) {
		f.Kind = Operator
	}
	err := complain(types.CodeUndefinedFunction, f, given, "does not exist").At(pos)
	if name == "random" || name == "gen_random_uuid" || name == "clock_timestamp" {
		err.Code = types.CodeNotSupported
		return err.WithHint("Results must be the same when a query is replayed; now() is the step's clock.")
	}
	names := make([]string, 0, len(funcs))
	for _, d := range Functions() {
		if d.Kind != "operator" {
			names = append(names, d.Name)
		}
	}
	if s := types.Suggest(name, names); s != "" && f.Kind != Operator {
		return err.WithHint("Did you mean %s?", s)
	}
	return err.WithHint("Functions and operators are listed in docs/reference.")
}

func isWordByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80
}
