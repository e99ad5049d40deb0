package types

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestCanonicalJSONMends(t *testing.T) {
	for in, want := range map[string]string{
		`"\u0000"`:                     `"` + "\uFFFD" + `"`,
		`"\ud800"`:                     `"` + "\uFFFD" + `"`,
		`"\ud800\u0041"`:               `"` + "\uFFFD" + `A"`,
		`"\udc00\ud83d\ude00"`:         `"` + "\uFFFD😀" + `"`,
		"\"a\xffb\"":                   "\"a\uFFFDb\"",
		`{"a":1,"\u0061":2}`:           `{"a": 2}`,
		`[1e999999, -1e-99999]`:        `["1e999999", "-1e-99999"]`,
		`1e399`:                        `1` + strings.Repeat("0", 399),
		`{"b":[{"d":1,"c":2}],"a":{}}`: `{"a": {}, "b": [{"c": 2, "d": 1}]}`,
	} {
		got, err := CanonicalJSON(nil, []byte(in))
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v; want %s", in, got, err, want)
		}
	}
}

func TestCanonicalJSONDepth(t *testing.T) {
	nest := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	if _, err := CanonicalJSON(nil, nest(MaxJSONDepth+1)); err != nil {
		t.Error(err)
	}
	if _, err := CanonicalJSON(nil, nest(MaxJSONDepth+2)); err == nil || err.Code != CodeTooComplex {
		t.Error(err)
	}
	if _, err := CanonicalJSON(nil, []byte(strings.Repeat(`{"a":`, 1<<20))); err == nil || err.Code != CodeTooComplex {
		t.Error(err)
	}
}

func TestCanonicalJSONKeepsPrefix(t *testing.T) {
	got, err := CanonicalJSON([]byte("x"), []byte(`{"b":1,"a":2}`))
	if err != nil || string(got) != `x{"a": 2, "b": 1}` {
		t.Errorf("%s %v", got, err)
	}
	if got, err := CanonicalJSON([]byte("x"), []byte(`{"b":1,`)); err == nil || string(got) != "x" {
		t.Errorf("%s %v", got, err)
	}
}

func TestCanonicalJSONAllocs(t *testing.T) {
	src, dst := []byte(`{"user": "root", "ip": "10.0.0.1", "n": [1, 2, 3], "ok": true}`), make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() { dst, _ = CanonicalJSON(dst[:0], src) }); n > 6 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzCanonicalJSON holds CanonicalJSON to encoding/json: the same texts are valid, and mean the same.
func FuzzCanonicalJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.50,-0,1e5,null,true],"bb":"\u00e9\n","":{}}`, `"\ud83d\ude00"`, "[1,]", `{"a":1,"a":2}`, "[[[[]]]]", "\"\xff\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		got, err := CanonicalJSON(nil, src)
		if err != nil && err.Code == CodeTooComplex {
			return
		}
		if (err == nil) != json.Valid(src) {
			t.Fatalf("%q: %v, but encoding/json says valid=%v", src, err, json.Valid(src))
		}
		if err != nil {
			return
		}
		if again, err := CanonicalJSON(nil, got); err != nil || !bytes.Equal(again, got) {
			t.Fatalf("%q: canonical %q becomes %q, %v", src, got, again, err)
		}
		if !utf8.Valid(got) {
			t.Fatalf("%q: %q is not UTF-8", src, got)
		}
		if CompareJSON(got, bytes.Clone(got)) != 0 {
			t.Fatalf("%q is not equal to itself", got)
		}
		if !bytes.Equal(canonicalJSONKey(canonicalJSONKey(got)), canonicalJSONKey(got)) {
			t.Fatalf("%q: key is not stable", got)
		}
		var want, have any
		if json.Unmarshal(src, &want) != nil || json.Unmarshal(got, &have) != nil {
			return // a number that no float holds
		}
		if !reflect.DeepEqual(noNUL(want), have) {
			t.Fatalf("%q means %#v, canonical %q %#v", src, want, got, have)
		}
	})
}

// noNUL replaces what CanonicalJSON mends and encoding/json keeps.
func noNUL(x any) any {
	mend := func(s string) string { return strings.ReplaceAll(s, "\x00", "\uFFFD") }
	switch x := x.(type) {
	case string:
		return mend(x)
	case []any:
		for i := range x {
			x[i] = noNUL(x[i])
		}
	case map[string]any:
		out := map[string]any{}
		for k, v := range x {
			if strings.Contains(k, "\x00") {
				continue // may collide with another key
			}
			out[k] = noNUL(v)
		}
		if len(out) != len(x) {
			return map[string]any{"skipped": true}
		}
		return out
	case float64:
		if x == 0 {
			return 0.0 // no sign
		}
	}
	return x
}

func TestAppendJSON(t *testing.T) {
	for _, tc := range []struct{ typ, in, want string }{
		{"boolean", "t", "true"}, {"bigint", "-9223372036854775808", "-9223372036854775808"},
		{"double precision", "1e20", "1e+20"}, {"double precision", "0.1", "0.1"}, {"double precision", "NaN", `"NaN"`},
		{"double precision", "-inf", `"-Infinity"`}, {"real", "0.1", "0.1"}, {"numeric", "-12.340", `"-12.340"`}, {"numeric", "NaN", `"NaN"`},
		{"text", "a\"b\\c\n\té\x7f\x01", `"a\"b\\c\n\té` + "\x7f" + `\u0001"`}, {"bytea", `\x00ff10`, `"AP8Q"`},
		{"date", "2018-03-24", `"2018-03-24"`}, {"time", "17:15:20.5", `"17:15:20.5"`},
		{"timestamp", "2018-03-24 17:15:20.865716", `"2018-03-24T17:15:20.865716"`},
		{"timestamptz", "2018-03-24 17:15:20.865716+02", `"2018-03-24T15:15:20.865716Z"`},
		{"timestamptz", "2018-03-24 17:15:20", `"2018-03-24T17:15:20.000000Z"`},
		{"timestamptz", "12018-03-24 17:15:20", `"12018-03-24T17:15:20.000000Z"`},
		{"timestamptz", "0044-03-15 12:00:00 BC", `"0044-03-15T12:00:00.000000Z BC"`},
		{"interval", "1 day 02:03:04", `"1 day 02:03:04"`}, {"uuid", "A0EEBC999C0B4EF8BB6D6BB9BD380A11", `"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"`},
		{"inet", "10.0.0.0/8", `"10.0.0.0/8"`}, {"cidr", "::/0", `"::/0"`}, {"jsonb", `{"b":1,"a":[]}`, `{"a": [], "b": 1}`},
		{"text[]", `{a,NULL,"x\"y"}`, `["a",null,"x\"y"]`}, {"numeric[]", "{1.50}", `["1.50"]`}, {"jsonb[]", `{"{\"a\": 1}"}`, `[{"a": 1}]`},
		{"timestamptz[]", "{2018-03-24}", `["2018-03-24T00:00:00.000000Z"]`}, {"boolean[]", "{t,f}", "[true,false]"},
		{"double precision[]", "{NaN,1}", `["NaN",1]`}, {"interval[]", "{1 day}", `["1 day"]`}, {"integer[]", "{}", "[]"},
	} {
		typ := testType(t, tc.typ)
		v := vecOf(typ, parseTest(t, typ, tc.in), NullOf(typ))
		got := AppendJSON([]byte("x"), v, 0)
		if string(got) != "x"+tc.want {
			t.Errorf("%s %s: got %s, want %s", tc.typ, tc.in, got[1:], tc.want)
		}
		if !json.Valid(got[1:]) {
			t.Errorf("%s is no JSON", got[1:])
		}
		if s := string(AppendJSON(nil, v, 1)); s != "null" {
			t.Errorf("NULL is %s", s)
		}
	}
	v := vecOf(T(Timestamptz), IntValue(Timestamptz, math.MaxInt64), IntValue(Timestamptz, math.MinInt64))
	if s := string(AppendJSON(AppendJSON(nil, v, 0), v, 1)); s != `"infinity""-infinity"` {
		t.Error(s)
	}
}

func FuzzAppendJSONString(f *testing.F) {
	f.Add([]byte("a\xff\x00\"\\\u2028é"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var got string
		if err := json.Unmarshal(AppendJSONString(nil, b), &got); err != nil {
			t.Fatal(err)
		}
		// As ToValidUTF8, but a mark for each bad byte.
		if want := string([]rune(string(b))); got != want {
			t.Fatalf("%q reads back as %q", want, got)
		}
	})
}

func FuzzParseTimestampISO(f *testing.F) {
	for _, s := range []string{"2018-03-24T17:15:20.865716Z", "2018-03-24 17:15", "2016-02-29T00:00:00+0530", "2018-03-24T17:15:20.123456789-08:00",
		"2018-02-29T00:00:00", "0001-01-01T00:00:00Z", "2018-03-24T17:15:20.1234565", "2018-03-24T17:15:20.", "2018-03-24T17:15:2"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		us, hasZone, ok := ParseTimestampISO(b)
		if n := testing.AllocsPerRun(1, func() { ParseTimestampISO(b) }); n > 0 {
			t.Fatalf("%q: %v allocations", b, n)
		}
		if !ok {
			if x, err := time.Parse(time.RFC3339Nano, string(b)); err == nil && x.Year() > 0 && b[12] != ':' {
				_, offset := x.Zone()
				if offset > -16*3600 && offset < 16*3600 && !strings.Contains(string(b), ",") {
					t.Fatalf("%q is RFC 3339 and is refused", b)
				}
			}
			return
		}
		// The general parser, which is held to Postgres, must agree.
		p := dateParser{all: string(b), s: string(b), typeName: "timestamp"}
		if err := p.parse(); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if want := p.day*MicrosPerDay + p.ofDay - int64(p.offset)*MicrosPerSecond; us != want || hasZone != p.hasZone {
			t.Fatalf("%q is %d (zone %v), not %d (zone %v)", b, us, hasZone, want, p.hasZone)
		}
	})
}

func TestZones(t *testing.T) {
	zurich, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Skip(err)
	}
	for in, want := range map[string]string{ // set timezone='Europe/Zurich'; select '...'::timestamptz
		"2018-03-24 12:00:00":        "2018-03-24 12:00:00+01",
		"2018-07-24 12:00:00":        "2018-07-24 12:00:00+02",
		"1860-01-01 00:00:00":        "1860-01-01 00:00:00+00:29:46",
		"2018-03-25 02:30:00":        "2018-03-25 03:30:00+02", // in the gap
		"2018-10-28 02:30:00":        "2018-10-28 02:30:00+01", // twice
		"2018-10-28 02:30:00+02":     "2018-10-28 02:30:00+02",
		"1850-01-01 00:00:00":        "1850-01-01 00:00:00+00:34:08",
		"2018-12-31 23:30:00 UTC":    "2019-01-01 00:30:00+01",
		"2018-03-24 12:00:00.5 CEST": "2018-03-24 11:00:00.5+01",
	} {
		v, perr := ParseValue(T(Timestamptz), in, zurich)
		if perr != nil {
			t.Fatal(perr)
		}
		if got := FormatValue(v, zurich); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
		if back := FromZone(ToZone(v.I, zurich), zurich); back != v.I && !strings.Contains(want, "2018-10-28") {
			t.Errorf("%s: there and back is %d off", in, back-v.I)
		}
	}
}
