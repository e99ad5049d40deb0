package expr

import (
	"encoding/json"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"rhumb/types"
)

// FuzzJSON reads arbitrary bytes as JSON in place; of what is JSON the answers are those of encoding/json.
func FuzzJSON(f *testing.F) {
	for _, s := range samples[types.JSONB] {
		f.Add([]byte(strings.ReplaceAll(s, `\"`, `"`)), "a", int64(1))
	}
	f.Add([]byte(`{"a\u00e9": "x\ud83d\ude00y", "b": [1, 2.5e3]}`), "aé", int64(-1))
	f.Add([]byte(`{"a":`), "a", int64(0))
	f.Add([]byte(`["\`), "a", int64(0))
	f.Fuzz(func(t *testing.T, doc []byte, key string, index int64) {
		v, _ := jsonField(doc, []byte(key))
		appendJSONText(nil, v)
		v, _ = jsonElem(doc, index%8)
		appendJSONText(nil, v)
		jsonHas(doc, []byte(key))
		jsonContains(doc, doc)
		appendStripped(nil, doc)
		appendKept(nil, doc, func(n int, key, v []byte) bool { return keyOf(key, v) == nil })
		canonical, err := types.CanonicalJSON(nil, doc)
		if err != nil || !utf8.ValidString(key) {
			return
		}
		var parsed any
		if json.Unmarshal(canonical, &parsed) != nil {
			return
		}
		if !jsonContains(canonical, canonical) {
			t.Errorf("%s does not contain itself", canonical)
		}
		switch parsed := parsed.(type) {
		case map[string]any:
			got, ok := jsonField(canonical, []byte(key))
			sameJSON(t, canonical, got, ok, parsed[key], hasKey(parsed, key))
			if jsonHas(canonical, []byte(key)) != ok {
				t.Errorf("%s ? %q", canonical, key)
			}
		case []any:
			if i := index % 8; i >= 0 {
				got, ok := jsonElem(canonical, i)
				var want any
				if int(i) < len(parsed) {
					want = parsed[i]
				}
				sameJSON(t, canonical, got, ok, want, int(i) < len(parsed))
			}
			if jsonCount(canonical) != len(parsed) {
				t.Errorf("%s has %d elements", canonical, jsonCount(canonical))
			}
		}
	})
}

func hasKey(m map[string]any, key string) bool { _, ok := m[key]; return ok }

func sameJSON(t *testing.T, doc, got []byte, ok bool, want any, wantOK bool) {
	var parsed any
	if ok != wantOK || ok && (json.Unmarshal(got, &parsed) != nil || !reflect.DeepEqual(parsed, want)) {
		t.Errorf("%s: %s %v, want %v %v", doc, got, ok, want, wantOK)
		return
	}
	if s, isText := want.(string); ok && isText {
		if text, _ := appendJSONText(nil, got); string(text) != s {
			t.Errorf("%s: text %q, want %q", doc, text, s)
		}
	}
}

// naiveLike is LIKE by its definition.
func naiveLike(s, p []rune) bool {
	switch {
	case len(p) == 0:
		return len(s) == 0
	case p[0] == '%':
		return naiveLike(s, p[1:]) || len(s) > 0 && naiveLike(s[1:], p)
	case len(s) == 0:
		return false
	case p[0] == '\\':
		return p[1] == s[0] && naiveLike(s[1:], p[2:])
	}
	return (p[0] == '_' || p[0] == s[0]) && naiveLike(s[1:], p[1:])
}

func FuzzLike(f *testing.F) {
	for _, p := range []string{"%", "a%", "%a", "%a%", "_", "a_c", "%_b%c_%", `a\%`, `\\`, "é_", "", "%%", "ab%ab"} {
		f.Add("abcabc", p)
		f.Add("éa%\\", p)
	}
	f.Fuzz(func(t *testing.T, s, p string) {
		if !utf8.ValidString(s) || !utf8.ValidString(p) || len(p) > 12 || len(s) > 20 {
			return
		}
		compiled, err := compileLike([]byte(p), backslash, false)
		if err != nil {
			return
		}
		want := naiveLike([]rune(s), []rune(p))
		if got := compiled.match([]byte(s)); got != want {
			t.Errorf("%q like %q: %v", s, p, got)
		}
		if test := compiled.simple(); test != nil && len(compiled.pieces) <= 3 && test([]byte(s)) != want {
			t.Errorf("%q like %q by the short way: %v", s, p, !want)
		}
	})
}

// FuzzRegexp: translating never panics, and the shortened matcher agrees with the whole expression.
func FuzzRegexp(f *testing.F) {
	for _, p := range []string{"a", "^a.*b$", ".*foo.*", `\mfoo\M`, "[^]a]+", "a{2,3}?", "(?i)x", "***=a.b", `[[:alpha:]]\d`, "(a|b)+c", `\u00e9`, "x(?=y)", "[", `\`} {
		f.Add(p, "foo bar\nbaz ab")
	}
	f.Fuzz(func(t *testing.T, p, s string) {
		if len(p) > 60 || strings.Contains(p, "{") && len(p) > 20 {
			return
		}
		m, err := newRegexMatcher(p, regexFlags{})
		if err != nil {
			return
		}
		re, err := compileRegexp(p, regexFlags{})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := m.match([]byte(s)), re.MatchString(s); got != want {
			t.Errorf("%q ~ %q: %v, want %v (literal %q, rest %v)", s, p, got, want, m.literal, m.re)
		}
	})
}

// FuzzTemplates: no template and no text makes to_char or to_timestamp panic.
func FuzzTemplates(f *testing.F) {
	for _, s := range [][2]string{{"YYYY-MM-DD HH24:MI:SS.US TZH:TZM", "2024-01-15 10:20:30.5 +02"}, {"FMDay, DDth Mon Y,YYY", "Monday, 15th Jan 2,024"}, {"IYYY-IW-ID RM CC BC", "2024-03-1 I 21 AD"},
		{"FM999,990.99PR", "-12.5"}, {"SG9V99th", "1"}, {"9.99EEEE", "123.456"}, {"RN", "485"}, {`"quoted\"`, "x"}, {"FX", "1"}} {
		f.Add(s[0], s[1], int64(1705314030123456))
	}
	f.Fuzz(func(t *testing.T, template, s string, micros int64) {
		nodes := parseTimeFormat(template)
		if _, _, _, err := scanTime(nodes, s); err != nil && err.Code == types.CodeInternal {
			t.Error(err)
		}
		m := momentOf(micros)
		m.zoneAt(micros, otherZone)
		appendTimeFormat(nil, nodes, &m)
		iv := momentOfInterval(types.Interval{Months: int32(micros), Days: int32(micros >> 32), Micros: micros})
		appendTimeFormat(nil, nodes, &iv)
		if nf, err := parseNumFormat(template); err == nil {
			if num, err := types.ParseNumeric(s); err == nil && len(num) < 1000 {
				nf.format(nil, []byte(num), false)
			}
		}
	})
}

// FuzzNumeric compares with exact rational arithmetic.
func FuzzNumeric(f *testing.F) {
	for _, a := range samples[types.Numeric] {
		for _, b := range samples[types.Numeric] {
			f.Add(a, b)
		}
	}
	f.Add("999999999999999999", "0.000000000000000001")
	f.Add("-9223372036854775808", "-1")
	f.Fuzz(func(t *testing.T, s1, s2 string) {
		a, err1 := types.ParseNumeric(s1)
		b, err2 := types.ParseNumeric(s2)
		if err1 != nil || err2 != nil || a == nan || b == nan || len(a) > 200 || len(b) > 200 {
			return
		}
		x, _ := new(big.Rat).SetString(a)
		y, _ := new(big.Rat).SetString(b)
		exact := func(what string, got []byte, err *types.Error, want *big.Rat) {
			g, ok := new(big.Rat).SetString(string(got))
			if canonical, _ := types.ParseNumeric(string(got)); err != nil || !ok || g.Cmp(want) != 0 || canonical != string(got) {
				t.Errorf("%s %s %s: %s %v, want %s", a, what, b, got, err, want.RatString())
			}
		}
		sum, err := numAdd(nil, []byte(a), []byte(b), false)
		exact("+", sum, err, new(big.Rat).Add(x, y))
		diff, err := numAdd(nil, []byte(a), []byte(b), true)
		exact("-", diff, err, new(big.Rat).Sub(x, y))
		product, err := numMul(nil, []byte(a), []byte(b))
		exact("*", product, err, new(big.Rat).Mul(x, y))
		exact("negated", numNeg(nil, []byte(a)), nil, new(big.Rat).Neg(x))
		if y.Sign() == 0 {
			return
		}
		quotient, err := numDiv(nil, []byte(a), []byte(b))
		want := new(big.Rat).Quo(x, y)
		got, ok := new(big.Rat).SetString(string(quotient))
		half := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Mul(big.NewInt(2), tenTo(scaleOf(quotient))))
		if err != nil || !ok || got.Sub(got, want).Abs(got).Cmp(half) > 0 {
			t.Errorf("%s / %s: %s %v", a, b, quotient, err)
		}
		if scaleOf(quotient) != divScale([]byte(a), []byte(b)) {
			t.Errorf("%s / %s: %s has another scale", a, b, quotient)
		}
		mod, err := numMod(nil, []byte(a), []byte(b))
		whole := new(big.Int).Quo(want.Num(), want.Denom())
		exact("%", mod, err, new(big.Rat).Sub(x, new(big.Rat).Mul(y, new(big.Rat).SetInt(whole))))
	})
}

// FuzzArray steps through arbitrary bytes as an array.
func FuzzArray(f *testing.F) {
	f.Add(types.EncodeArray([]types.Value{types.TextValue("a"), types.NullOf(tText), types.TextValue("bcd")}), uint8(types.Text))
	f.Add(types.EncodeArray([]types.Value{types.IntValue(types.Int4, 5)}), uint8(types.Int4))
	f.Fuzz(func(t *testing.T, b []byte, kind uint8) {
		elem := scalarTypes[int(kind)%len(scalarTypes)]
		v := types.NewVec(elem, 1)
		v.AppendNull()
		n := 0
		for it := elements(b, elem); it.next(); n++ {
			it.store(v, 0)
		}
		if n > len(b) {
			t.Errorf("%d elements of %d bytes", n, len(b))
		}
	})
}
