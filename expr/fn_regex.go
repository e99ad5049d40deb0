package expr

import (
	"regexp"
	"unicode/utf8"

	"rhumb/types"
)

// withRegexp is an overload whose argument 1 is a pattern and whose argument flagsAt (-1 = none) holds flags; fold is that of ~*.
// Constant patterns are compiled once for an evaluator; others when they change.
func withRegexp(ret types.Type, flagsAt int, fold bool, row func(f *frame, i int32, re *regexp.Regexp, fl regexFlags), args ...types.Type) Sig {
	s := sig(ret, varyingRegexp(flagsAt, fold, row), args...)
	return s.preparing(func(args []Expr) (kernel, *types.Error) {
		pattern, ok := constantArg(args, 1)
		var flags types.Value
		if flagsAt >= 0 {
			var okFlags bool
			flags, okFlags = constantArg(args, flagsAt)
			ok = ok && okFlags
		}
		if !ok {
			return varyingRegexp(flagsAt, fold, row), nil // with a memory of its own
		}
		re, fl, err := regexpOf(pattern.S, []byte(flags.S), fold)
		if err != nil {
			return nil, err
		}
		return each(func(f *frame, i int32) { row(f, i, re, fl) }), nil
	})
}

func regexpOf(pattern string, flags []byte, fold bool) (*regexp.Regexp, regexFlags, *types.Error) {
	fl, err := parseFlags(flags)
	if err != nil {
		return nil, fl, err
	}
	fl.fold = fl.fold || fold
	re, err := compileRegexp(pattern, fl)
	return re, fl, err
}

// varyingRegexp compiles a pattern when it is not the row before's.
func varyingRegexp(flagsAt int, fold bool, row func(f *frame, i int32, re *regexp.Regexp, fl regexFlags)) kernel {
	return func(f *frame, sel []int32) {
		var last, lastFlags string
		var re *regexp.Regexp
		var fl regexFlags
		for _, i := range sel {
			var flags []byte
			if flagsAt >= 0 {
				flags = f.str(flagsAt, i)
			}
			pattern := f.str(1, i)
			if re == nil || string(pattern) != last || string(flags) != lastFlags {
				last, lastFlags = string(pattern), string(flags)
				var err *types.Error
				if re, fl, err = regexpOf(last, flags, fold); err != nil {
					re = nil
					f.fail(i, err)
					continue
				}
			}
			row(f, i, re, fl)
		}
	}
}

func regexFuncs() []*Func {
	// both gives the overloads without and with flags.
	both := func(ret types.Type, row func(f *frame, i int32, re *regexp.Regexp, fl regexFlags), args ...types.Type) []Sig {
		return []Sig{withRegexp(ret, -1, false, row, args...), withRegexp(ret, len(args), false, row, append(args[:len(args):len(args)], tText)...)}
	}
	matches := func(f *frame, i int32, re *regexp.Regexp, _ regexFlags) { f.out.B[i] = re.Match(f.str(0, i)) }
	return []*Func{
		regexOperator("~", "Matches a regular expression (RE2).", false, false),
		regexOperator("~*", "Matches a regular expression without regard to case.", true, false),
		regexOperator("!~", "Does not match a regular expression.", false, true),
		regexOperator("!~*", "Does not match a regular expression without regard to case.", true, true),
		{Name: "similar_to_escape", Doc: "The regular expression that SIMILAR TO makes of a pattern and an escape character.",
			Sigs: []Sig{sig(tText, similarEscape, tText), sig(tText, similarEscape, tText, tText)}},
		{Name: "regexp_like", Doc: "Whether a regular expression matches.", Sigs: both(tBool, matches, tText, tText)},
		{Name: "regexp_match", Doc: "The groups of the first match (the whole match, if there are none), or NULL.", Sigs: both(tTextArray, regexpMatch, tText, tText)},
		{Name: "regexp_replace", Doc: "Replaces the first match, or with the flag g each; \\1 to \\9 in the replacement are groups, \\& the match.", Sigs: both(tText, regexpReplace, tText, tText, tText)},
		{Name: "regexp_split_to_array", Doc: "The parts between the matches.", Sigs: both(tTextArray, regexpSplit, tText, tText)},
		{Name: "regexp_count", Doc: "The number of matches.", Sigs: []Sig{withRegexp(tInt4, -1, false, regexpCount, tText, tText)}},
		{Name: "regexp_substr", Doc: "The first match, or NULL.", Sigs: []Sig{withRegexp(tText, -1, false, regexpSubstr, tText, tText)}},
		{Name: "substring", Sigs: []Sig{withRegexp(tText, -1, false, regexpSubstring, tText, tText)}},
	}
}

// similarEscape makes a regular expression of a pattern of SIMILAR TO.
var similarEscape = trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) {
	escape := backslash
	if len(f.args) > 1 {
		if escape = f.str(1, i); utf8.RuneCount(escape) > 1 {
			return dst, types.Errorf("22025", "invalid escape string").WithHint("Escape string must be empty or one character.")
		}
	}
	return appendSimilar(dst, f.str(0, i), escape)
})

// appendGroups appends the text[] of a match: its groups, or the whole if there are none.
func appendGroups(dst, b []byte, m []int) []byte {
	if len(m) > 2 {
		m = m[2:]
	}
	dst = types.AppendArrayHeader(dst, len(m)/2)
	for k := 0; k < len(m); k += 2 {
		if m[k] < 0 {
			dst = types.AppendArrayElem(dst, types.NullOf(tText))
		} else {
			dst = types.AppendArrayElem(dst, types.TextValue(text(b[m[k]:m[k+1]])))
		}
	}
	return dst
}

func regexpMatch(f *frame, i int32, re *regexp.Regexp, fl regexFlags) {
	if fl.global {
		f.fail(i, types.Errorf(types.CodeInvalidOption, "regexp_match() does not support the \"global\" option").
			WithHint("Use the regexp_matches function instead."))
		return
	}
	b := f.str(0, i)
	m := re.FindSubmatchIndex(b)
	if m == nil {
		f.setNull(i)
		return
	}
	f.end(i, appendGroups(f.begin(), b, m))
}

// regexpSubstring is substring(text, pattern): the first group if there is one, else the match.
func regexpSubstring(f *frame, i int32, re *regexp.Regexp, _ regexFlags) {
	b := f.str(0, i)
	m := re.FindSubmatchIndex(b)
	k := 0
	if len(m) > 2 {
		k = 2
	}
	if m == nil || m[k] < 0 {
		f.setNull(i)
		return
	}
	f.setStr(i, b[m[k]:m[k+1]])
}

func regexpSubstr(f *frame, i int32, re *regexp.Regexp, _ regexFlags) {
	b := f.str(0, i)
	m := re.FindIndex(b)
	if m == nil {
		f.setNull(i)
		return
	}
	f.setStr(i, b[m[0]:m[1]])
}

func regexpCount(f *frame, i int32, re *regexp.Regexp, _ regexFlags) {
	n, b := 0, f.str(0, i)
	for range eachMatch(re, b) {
		n++
	}
	f.setInt(i, int64(n))
}

// eachMatch yields the matches from left to right. Unlike in Postgres, an empty match does not stand right behind another match.
func eachMatch(re *regexp.Regexp, b []byte) func(yield func(m []int) bool) {
	return func(yield func(m []int) bool) {
		for _, m := range re.FindAllSubmatchIndex(b, -1) {
			if !yield(m) {
				return
			}
		}
	}
}

func regexpReplace(f *frame, i int32, re *regexp.Regexp, fl regexFlags) {
	b, by := f.str(0, i), f.str(2, i)
	dst, pos := f.begin(), 0
	for m := range eachMatch(re, b) {
		dst = append(dst, b[pos:m[0]]...)
		dst = appendReplacement(dst, b, by, m)
		if pos = m[1]; !fl.global {
			break
		}
	}
	f.end(i, append(dst, b[pos:]...))
}

// appendReplacement appends a replacement with \1 to \9, \& and \\ expanded.
func appendReplacement(dst, b, by []byte, m []int) []byte {
	for k := 0; k < len(by); k++ {
		if by[k] != '\\' || k+1 == len(by) {
			dst = append(dst, by[k])
			continue
		}
		k++
		switch c := by[k]; {
		case c == '&':
			dst = append(dst, b[m[0]:m[1]]...)
		case c >= '1' && c <= '9':
			if g := 2 * int(c-'0'); g < len(m) && m[g] >= 0 {
				dst = append(dst, b[m[g]:m[g+1]]...)
			}
		case c == '\\':
			dst = append(dst, c)
		default:
			dst = append(dst, '\\', c)
		}
	}
	return dst
}

// regexpSplit splits as Postgres: an empty match at the start, at the end, or right behind a match does not split.
func regexpSplit(f *frame, i int32, re *regexp.Regexp, fl regexFlags) {
	if fl.global {
		f.fail(i, types.Errorf(types.CodeInvalidOption, "regexp_split_to_array() does not support the \"global\" option"))
		return
	}
	b := f.str(0, i)
	var parts []types.Value
	pos := 0
	for m := range eachMatch(re, b) {
		if m[0] == m[1] && (m[0] == 0 || m[0] == len(b) || m[0] == pos) {
			continue
		}
		parts = append(parts, types.TextValue(string(b[pos:m[0]])))
		pos = m[1]
	}
	parts = append(parts, types.TextValue(string(b[pos:])))
	f.setStr(i, types.EncodeArray(parts))
}
