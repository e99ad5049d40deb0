package expr

import (
	"bytes"
	"regexp"
	"regexp/syntax"

	"rhumb/types"
)

// regexMatcher decides whether a text matches, which needs less than finding where: the longest literal that each match must contain is
// looked for first, and ".*" at the ends is left out.
type regexMatcher struct {
	literal []byte
	re      *regexp.Regexp // nil: the literal is all there is
}

func (m *regexMatcher) match(b []byte) bool {
	if len(m.literal) > 0 && !bytes.Contains(b, m.literal) {
		return false
	}
	return m.re == nil || m.re.Match(b)
}

// newRegexMatcher compiles a pattern.
func newRegexMatcher(pattern string, fl regexFlags) (*regexMatcher, *types.Error) {
	re, err := compileRegexp(pattern, fl)
	if err != nil {
		return nil, err
	}
	tree, parseErr := syntax.Parse(re.String(), syntax.Perl)
	if parseErr != nil {
		return nil, badRegexp("%s", parseErr)
	}
	tree = withoutPadding(tree.Simplify())
	m := &regexMatcher{literal: requiredLiteral(tree)}
	if tree.Op == syntax.OpLiteral && m.literal != nil {
		return m, nil
	}
	var compileErr error
	if m.re, compileErr = regexp.Compile(tree.String()); compileErr != nil {
		m.re = re
	}
	return m, nil
}

// withoutPadding leaves out .* at the start (behind ^ too) and at the end (before $ too), if the dot matches newlines.
func withoutPadding(re *syntax.Regexp) *syntax.Regexp {
	if re.Op != syntax.OpConcat {
		return re
	}
	sub := re.Sub
	isAny := func(r *syntax.Regexp) bool { return r.Op == syntax.OpStar && r.Sub[0].Op == syntax.OpAnyChar }
	if len(sub) > 1 && sub[0].Op == syntax.OpBeginText && isAny(sub[1]) {
		sub = sub[1:]
	}
	for len(sub) > 1 && isAny(sub[0]) {
		sub = sub[1:]
	}
	if n := len(sub); n > 1 && sub[n-1].Op == syntax.OpEndText && isAny(sub[n-2]) {
		sub = sub[:n-1]
	}
	for len(sub) > 1 && isAny(sub[len(sub)-1]) {
		sub = sub[:len(sub)-1]
	}
	if len(sub) == 1 {
		return sub[0]
	}
	out := *re
	out.Sub = sub
	return &out
}

// requiredLiteral is the longest text that every match contains, or nil.
func requiredLiteral(re *syntax.Regexp) []byte {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			return []byte(string(re.Rune))
		}
	case syntax.OpCapture, syntax.OpPlus:
		return requiredLiteral(re.Sub[0])
	case syntax.OpConcat:
		var best []byte
		for _, s := range re.Sub {
			if l := requiredLiteral(s); len(l) > len(best) {
				best = l
			}
		}
		return best
	}
	return nil
}

// regexOperator is ~ and its relatives.
func regexOperator(name, doc string, fold, not bool) *Func {
	varying := varyingRegexp(-1, fold, func(f *frame, i int32, re *regexp.Regexp, _ regexFlags) { f.out.B[i] = re.Match(f.str(0, i)) != not })
	s := sig(tBool, varying, tText, tText).preparing(func(args []Expr) (kernel, *types.Error) {
		pattern, ok := constantArg(args, 1)
		if !ok {
			return nil, nil
		}
		m, err := newRegexMatcher(pattern.S, regexFlags{fold: fold})
		if err != nil {
			return nil, err
		}
		return func(f *frame, sel []int32) {
			a, out := f.args[0], f.out.B
			for _, i := range sel {
				out[i] = m.match(a.Str(a.at(i))) != not
			}
		}, nil
	})
	return &Func{Name: name, Kind: Operator, Doc: doc, Sigs: []Sig{s}}
}
