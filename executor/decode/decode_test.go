package decode

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"rhumb/types"
)

// typeOf reads "bigint", "numeric(5,2)", "varchar(3)", "text[]".
func typeOf(t testing.TB, name string) types.Type {
	var mod, scale int32
	if i := strings.IndexByte(name, '('); i >= 0 {
		fmt.Sscanf(name[i:], "(%d,%d)", &mod, &scale)
		name = name[:i]
	}
	typ, ok := types.ParseType(name)
	if !ok {
		t.Fatalf("no type %s", name)
	}
	typ.Mod, typ.Scale = mod, scale
	return typ
}

// decodeOne decodes one payload and returns its columns as text and the counters, or the error.
func decodeOne(t testing.TB, format string, cols []Column, opts Options, payload []byte) ([]string, *Counters, *types.Error) {
	t.Helper()
	d, err := New(format, cols, opts)
	if err != nil {
		t.Fatal(err)
	}
	out, c := vectors(cols), NewCounters(len(cols))
	rej := d.Decode([][]byte{payload}, out, nil, c)
	if len(rej) > 0 {
		for _, v := range out {
			if !v.Null(0) {
				t.Errorf("%q is rejected but has a value", payload)
			}
		}
		return nil, c, rej[0].Err
	}
	var texts []string
	for _, v := range out {
		texts = append(texts, show(v, 0))
	}
	return texts, c, nil
}

// TestValues: what each type makes of each JSON value. "!" is a defect.
func TestValues(t *testing.T) {
	for _, c := range []struct{ typ, json, want string }{
		{"text", `"abc"`, "abc"}, {"text", `""`, ""}, {"text", `12.50`, "12.50"}, {"text", `true`, "true"}, {"text", `null`, "NULL"},
		{"text", `{"a": [1, 2]}`, `{"a": [1, 2]}`}, {"text", `[]`, `[]`}, {"text", `"é€😀"`, "é€😀"},
		{"text", `"\u00e9\u20ac\ud83d\ude00\"\\\/\b\f\n\r\t"`, "é€😀\"\\/\b\f\n\r\t"},
		{"varchar(3)", `"abc"`, "abc"}, {"varchar(3)", `"abc  "`, "abc"}, {"varchar(3)", `"abcd"`, "!"}, {"varchar(3)", `"éàü"`, "éàü"},
		{"bigint", `0`, "0"}, {"bigint", `-0`, "0"}, {"bigint", `42`, "42"}, {"bigint", `-42`, "-42"}, {"bigint", `12345678`, "12345678"},
		{"bigint", `123456789012345`, "123456789012345"}, {"bigint", `1234567890123456`, "1234567890123456"},
		{"bigint", `9007199254740993`, "9007199254740993"}, {"bigint", `9223372036854775807`, "9223372036854775807"},
		{"bigint", `-9223372036854775808`, "-9223372036854775808"}, {"bigint", `9223372036854775808`, "!"}, {"bigint", `-9223372036854775809`, "!"},
		{"bigint", `99999999999999999999999`, "!"}, {"bigint", `1.0`, "1"}, {"bigint", `1.5`, "!"}, {"bigint", `1e3`, "1000"}, {"bigint", `1E+3`, "1000"},
		{"bigint", `1500e-2`, "15"}, {"bigint", `15e-1`, "!"}, {"bigint", `9007199254740993.0`, "9007199254740993"}, {"bigint", `0e99`, "0"},
		{"bigint", `1e99`, "!"}, {"bigint", `"42"`, "42"}, {"bigint", `" -42 "`, "-42"}, {"bigint", `"1.0"`, "!"}, {"bigint", `""`, "!"},
		{"bigint", `true`, "!"}, {"bigint", `[1]`, "!"}, {"bigint", `{"a":1}`, "!"}, {"bigint", `null`, "NULL"},
		{"integer", `2147483647`, "2147483647"}, {"integer", `2147483648`, "!"}, {"integer", `-2147483648`, "-2147483648"}, {"integer", `-2147483649`, "!"},
		{"smallint", `32767`, "32767"}, {"smallint", `32768`, "!"}, {"smallint", `"32768"`, "!"}, {"smallint", `-32768.0`, "-32768"},
		{"double precision", `1.5`, "1.5"}, {"double precision", `1e400`, "!"}, {"double precision", `"NaN"`, "NaN"}, {"double precision", `"-Infinity"`, "-Infinity"},
		{"double precision", `0.1`, "0.1"}, {"double precision", `true`, "!"}, {"double precision", `"x"`, "!"}, {"real", `0.1`, "0.1"}, {"real", `1e39`, "!"},
		{"numeric", `12.340`, "12.340"}, {"numeric", `-0.00`, "0.00"}, {"numeric", `-0.10`, "-0.10"}, {"numeric", `1e3`, "1000"}, {"numeric", `1.5e-3`, "0.0015"},
		{"numeric", `1e1000`, "1" + strings.Repeat("0", 1000)}, {"numeric", `1e1001`, "!"}, {"numeric", `"1e131071"`, "!"},
		{"numeric", `123456789012345678901234567890.5`, "123456789012345678901234567890.5"}, {"numeric", `"007.50"`, "7.50"}, {"numeric", `"NaN"`, "NaN"},
		{"numeric", `"1,5"`, "!"}, {"numeric", `false`, "!"}, {"numeric(5,2)", `1.005`, "1.01"}, {"numeric(5,2)", `999.995`, "!"}, {"numeric(5,2)", `"3"`, "3.00"},
		{"boolean", `true`, "t"}, {"boolean", `false`, "f"}, {"boolean", `1`, "t"}, {"boolean", `0`, "f"}, {"boolean", `2`, "!"}, {"boolean", `1.0`, "!"},
		{"boolean", `10`, "!"}, {"boolean", `"t"`, "t"}, {"boolean", `"FALSE"`, "f"}, {"boolean", `"yes"`, "t"}, {"boolean", `"maybe"`, "!"}, {"boolean", `[]`, "!"},
		{"timestamptz", `"2018-03-24T17:15:20.865716Z"`, "2018-03-24 17:15:20.865716+00"}, {"timestamptz", `"2018-03-24 17:15:20"`, "2018-03-24 17:15:20+00"},
		{"timestamptz", `"2018-03-24T17:15:20+02:00"`, "2018-03-24 15:15:20+00"}, {"timestamp", `"2018-03-24T17:15:20+02:00"`, "2018-03-24 15:15:20"},
		{"timestamp", `"Mar 24 17:15:20 2018 +02"`, "2018-03-24 15:15:20"}, {"timestamptz", `"2018-03-24"`, "2018-03-24 00:00:00+00"},
		{"timestamptz", `"2018-02-30T00:00:00Z"`, "!"}, {"timestamptz", `"soon"`, "!"}, {"timestamptz", `true`, "!"},
		{"timestamptz", `1588205199.82437`, "2020-04-30 00:06:39.82437+00"}, {"timestamptz", `1588205199`, "2020-04-30 00:06:39+00"},
		{"timestamptz", `1588205199824`, "2020-04-30 00:06:39.824+00"}, {"timestamptz", `10000000000000.5`, "2286-11-20 17:46:40.0005+00"}, {"timestamptz", `1588205199824.5`, "2020-04-30 00:06:39.8245+00"},
		{"timestamptz", `1588205199824370`, "2020-04-30 00:06:39.82437+00"}, {"timestamptz", `1588205199824370123`, "2020-04-30 00:06:39.82437+00"},
		{"timestamptz", `1588205199824370500`, "2020-04-30 00:06:39.824371+00"}, {"timestamptz", `1.58820519982437e9`, "2020-04-30 00:06:39.82437+00"},
		{"timestamptz", `1588205199.8243701`, "2020-04-30 00:06:39.82437+00"}, {"timestamptz", `-1`, "1969-12-31 23:59:59+00"}, {"timestamptz", `-0.5`, "1969-12-31 23:59:59.5+00"},
		{"timestamptz", `99999999999`, "5138-11-16 09:46:39+00"}, {"timestamptz", `100000000000`, "1973-03-03 09:46:40+00"}, {"timestamptz", `0`, "1970-01-01 00:00:00+00"},
		{"timestamptz", `1e30`, "!"}, {"timestamp", `1588205199`, "2020-04-30 00:06:39"},
		{"date", `"2018-03-24"`, "2018-03-24"}, {"date", `"x"`, "!"}, {"time", `"17:15:20.5"`, "17:15:20.5"}, {"interval", `"1 day 02:00"`, "1 day 02:00:00"},
		{"uuid", `"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"`, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}, {"uuid", `"x"`, "!"}, {"uuid", `[]`, "!"},
		{"inet", `"10.0.1.6"`, "10.0.1.6"}, {"inet", `"255.255.255.255"`, "255.255.255.255"}, {"inet", `"0.0.0.0"`, "0.0.0.0"}, {"inet", `"10.0.1.256"`, "!"},
		{"inet", `"10.0.1"`, "!"}, {"inet", `"10.0.1.6.7"`, "!"}, {"inet", `"10..1.6"`, "!"}, {"inet", `"10.0.1.6x"`, "!"}, {"inet", `"10.0.0.0/8"`, "10.0.0.0/8"},
		{"inet", `"2001:db8::1"`, "2001:db8::1"}, {"inet", `"\u0031.2.3.4"`, "1.2.3.4"}, {"inet", `1`, "!"}, {"inet", `""`, "!"}, {"cidr", `"10.0.0.0/8"`, "10.0.0.0/8"},
		{"bytea", `"AQL/"`, `\x0102ff`}, {"bytea", `"\\x0102ff"`, `\x0102ff`}, {"bytea", `"\\x0"`, "!"}, {"bytea", `"?"`, "!"}, {"bytea", `1`, "!"},
		{"jsonb", `{"b":1,"a":[true,null,"x"]}`, `{"a": [true, null, "x"], "b": 1}`}, {"jsonb", `"x"`, `"x"`}, {"jsonb", `1.50`, `1.50`}, {"jsonb", `null`, "NULL"},
		{"jsonb", `["\\\n\u00e9"]`, `["\\\né"]`}, {"jsonb", `[` + strings.Repeat("1e399,", 1000) + `1]`, "!"},
		{"numeric[]", `[` + strings.Repeat("1e999,", 1000) + `1]`, "!"}, {"numeric[]", `["x",{"a":[1]}]`, "!"}, {"numeric[]", `[1e3,"2.50"]`, "{1000,2.50}"},
		{"text[]", `["a",null,1,{"b":2}]`, `{a,NULL,1,"{\"b\":2}"}`}, {"text[]", `[]`, "{}"}, {"text[]", `"a"`, "{a}"}, {"text[]", `null`, "NULL"},
		{"bigint[]", `[1, 2.0 ,"3"]`, "{1,2,3}"}, {"bigint[]", `[1,"x"]`, "!"}, {"bigint[]", `[[1]]`, "!"}, {"boolean[]", `[true,0]`, "{t,f}"},
		{"inet[]", `["1.2.3.4","::1"]`, "{1.2.3.4,::1}"}, {"double precision[]", `[0.5]`, "{0.5}"}, {"interval[]", `["1 day",null]`, `{"1 day",NULL}`},
		{"timestamptz[]", `[0]`, `{"1970-01-01 00:00:00+00"}`}, {"jsonb[]", `[{"a":1}]`, `{"{\"a\": 1}"}`},
	} {
		col := Column{Name: "x", Type: typeOf(t, c.typ)}
		got, counters, err := decodeOne(t, "json", []Column{col}, Options{}, []byte(`{"x":`+c.json+`}`))
		want, defects := c.want, int64(0)
		if want == "!" {
			want, defects = "NULL", 1
		}
		if err != nil || got[0] != want || counters.Defects[0] != defects || counters.Replaced[0] != 0 {
			t.Errorf("%s of %s: got %q %v %v, want %q", c.typ, c.json, got, counters, err, c.want)
		}
		col.NotNull = true
		_, counters, err = decodeOne(t, "json", []Column{col}, Options{}, []byte(`{"x":`+c.json+`}`))
		if (err != nil) != (want == "NULL") || counters.Defects[0] != 0 {
			t.Errorf("%s NOT NULL of %s: %v", c.typ, c.json, err)
		}
	}
}

// TestRows: what spans keys: names, paths, missing and duplicate keys, counters.
func TestRows(t *testing.T) {
	seven := types.IntValue(types.Int8, 7)
	word := types.TextValue("none")
	cols := []Column{
		column("a", types.Text), {Name: "d", Type: types.T(types.Int8), Default: &seven}, column("s.ip", types.Text),
		{Name: "p", Type: types.T(types.Text), Path: []string{"n", "x.y"}, Default: &word}, {Name: "l", Type: types.T(types.Text), Path: []string{"l", "[1]", "k"}},
		{Name: "n", Type: types.T(types.JSONB)},
	}
	for _, c := range []struct {
		json, want string
		defects    int64
		replaced   int64
		dups       int64
	}{
		{`{}`, "NULL|7|NULL|none|NULL|NULL", 0, 0, 0},
		{`{"d":null,"a":null}`, "NULL|NULL|NULL|none|NULL|NULL", 0, 0, 0},
		{`{"d":"x"}`, "NULL|NULL|NULL|none|NULL|NULL", 1, 0, 0},
		{`{"\u0061":"x","d":8}`, "x|8|NULL|none|NULL|NULL", 0, 0, 0},
		{`{"s":{"ip":"path"}}`, "NULL|7|path|none|NULL|NULL", 0, 0, 0},
		{`{"s.ip":"key"}`, "NULL|7|key|none|NULL|NULL", 0, 0, 0},
		{`{"s":{"ip":"path"},"s.ip":"key"}`, "NULL|7|key|none|NULL|NULL", 0, 0, 0},
		{`{"s.ip":"key","s":{"ip":"path"}}`, "NULL|7|key|none|NULL|NULL", 0, 0, 0},
		{`{"s.ip":null,"s":{"ip":"path"}}`, "NULL|7|NULL|none|NULL|NULL", 0, 0, 0},
		{`{"n":{"x.y":"deep","x":{"y":"deeper"}}}`, `NULL|7|NULL|deep|NULL|{"x": {"y": "deeper"}, "x.y": "deep"}`, 0, 0, 0},
		{`{"n":{"x":{"y":"deeper"}}}`, `NULL|7|NULL|none|NULL|{"x": {"y": "deeper"}}`, 0, 0, 0},
		{`{"n":5}`, "NULL|7|NULL|none|NULL|5", 0, 0, 0},
		{`{"l":[{"k":0},{"z":[[]],"k":"one"},{"k":2}]}`, "NULL|7|NULL|none|one|NULL", 0, 0, 0},
		{`{"l":[0,{"\u006b":"escaped","k\u0020":1}]}`, "NULL|7|NULL|none|escaped|NULL", 0, 0, 0},
		{`{"l":[{"k":0}]}`, "NULL|7|NULL|none|NULL|NULL", 0, 0, 0},
		{`{"l":{"[1]":{"k":"no array"}}}`, "NULL|7|NULL|none|NULL|NULL", 0, 0, 0},
		{`{"a":"first","a":"last"}`, "last|7|NULL|none|NULL|NULL", 0, 0, 1},
		{`{"a":"first","b":1,"b":2,"a":null}`, "NULL|7|NULL|none|NULL|NULL", 0, 0, 1},
		{`{"d":"x","d":9}`, "NULL|9|NULL|none|NULL|NULL", 0, 0, 1},
		{`{"d":9,"d":"x"}`, "NULL|NULL|NULL|none|NULL|NULL", 1, 0, 1},
		{`{"s":{"ip":"path"},"s":{"port":1}}`, "NULL|7|NULL|none|NULL|NULL", 0, 0, 1},
		{`{"s":{"ip":"a"},"s":{"ip":"b"}}`, "NULL|7|b|none|NULL|NULL", 0, 0, 1},
		{`{"n":{"x.y":"a"},"n":{"x.y":"b","x.y":"c"}}`, `NULL|7|NULL|c|NULL|{"x.y": "c"}`, 0, 0, 2},
		{`{"a":"\ud800"}`, "\uFFFD|7|NULL|none|NULL|NULL", 0, 1, 0},
		{`{"a":"\ude00\ud83d\ude00"}`, "\uFFFD😀|7|NULL|none|NULL|NULL", 0, 1, 0},
		{`{"a":"x\u0000y"}`, "x\uFFFDy|7|NULL|none|NULL|NULL", 0, 1, 0},
		{"{\"a\":\"x\xffy\xc3\"}", "x\uFFFDy\uFFFD|7|NULL|none|NULL|NULL", 0, 1, 0},
		{"{\"a\":[\"\xff\"]}", "[\"\uFFFD\"]|7|NULL|none|NULL|NULL", 0, 1, 0},
		{"{\"n\":[\"\xff\"]}", "NULL|7|NULL|none|NULL|[\"\uFFFD\"]", 0, 1, 0},
		{`{"n":["\u0000\n"]}`, "NULL|7|NULL|none|NULL|[\"\uFFFD\\n\"]", 0, 1, 0},
		{"{\"z\":\"\xff\",\"a\":\"\xff\",\"a\":\"fine\"}", "fine|7|NULL|none|NULL|NULL", 0, 0, 1},
	} {
		got, counters, err := decodeOne(t, "json", cols, Options{}, []byte(c.json))
		if err != nil || strings.Join(got, "|") != c.want {
			t.Errorf("%s: got %q %v, want %q", c.json, strings.Join(got, "|"), err, c.want)
		}
		sum := func(x []int64) (n int64) {
			for _, v := range x {
				n += v
			}
			return n
		}
		if sum(counters.Defects) != c.defects || sum(counters.Replaced) != c.replaced || counters.DuplicateKeys != c.dups {
			t.Errorf("%s: counters %+v", c.json, counters)
		}
	}
}

// TestRejects: the reason and the place of what is refused.
func TestRejects(t *testing.T) {
	cols := []Column{{Name: "id", Type: types.T(types.Int4), NotNull: true}, {Name: "s.x", Type: types.T(types.Text), NotNull: true, Default: &types.Value{Type: types.T(types.Text), S: "d"}}}
	for _, c := range []struct{ json, code, message string }{
		{``, "22P02", "invalid JSON at byte 0: unexpected end, expected a JSON object"},
		{`[1]`, "22P02", "invalid JSON at byte 0: unexpected '[', expected a JSON object"},
		{`{"id":1`, "22P02", "invalid JSON at byte 7: unexpected end, expected ',' or '}'"},
		{`{"id":1}x`, "22P02", "invalid JSON at byte 8: unexpected 'x', expected the end of the payload"},
		{`{"id":1 "b":2}`, "22P02", "invalid JSON at byte 8: unexpected '\"', expected ',' or '}'"},
		{`{"id":1,}`, "22P02", "invalid JSON at byte 8: unexpected '}', expected a key"},
		{`{"id":1,"z":[1 2]}`, "22P02", "invalid JSON at byte 15: unexpected '2', expected ',' or ']'"},
		{`{"id":1,"z":{"a" 2}}`, "22P02", "invalid JSON at byte 17: unexpected '2', expected ':'"},
		{`{"id":1,"z":tru}`, "22P02", "invalid JSON at byte 12: invalid literal, expected true"},
		{`{"id":NaN}`, "22P02", "invalid JSON at byte 6: unexpected 'N', expected a value"},
		{`{"id":01}`, "22P02", "invalid JSON at byte 7: unexpected '1', expected ',' or '}'"},
		{`{"id":1,"z":-}`, "22P02", "invalid JSON at byte 13: unexpected '}', expected a digit"},
		{"{\"id\":1,\"z\":\"a\nb\"}", "22P02", "invalid JSON at byte 14: control character in a string"},
		{`{"id":1,"z":"a\qb"}`, "22P02", "invalid JSON at byte 14: invalid escape sequence"},
		{`{"id":1,"z":"a\u12`, "22P02", "invalid JSON at byte 14: invalid escape sequence"},
		{`{"id":1,"z":"abc`, "22P02", "invalid JSON at byte 16: unterminated string"},
		{`{"id":1,"z":[[[[]]]]}`, "54000", "payload is nested deeper than 4 levels at byte 15"},
		{`{"id":1,"s":{"y":{"z":{"w":{}}}}}`, "54000", "payload is nested deeper than 4 levels at byte 27"},
		{`{"id":1,"a":1,"b":[{"c":1,"d":2},{"e":1}],"f":1}`, "54000", "payload has more than 6 keys"},
		{`{"id":1,"z":"` + strings.Repeat("x", 90) + `"}`, "54000", "payload of 105 bytes exceeds the limit of 100 bytes"},
		{`{"x":1}`, "23502", `null value in column "id" violates not-null constraint`},
		{`{"id":null}`, "23502", `null value in column "id" violates not-null constraint`},
		{`{"id":1,"s.x":null}`, "23502", `null value in column "s.x" violates not-null constraint`},
		{`{"id":"one"}`, "22P02", `invalid value for column "id" of type integer: "one"`},
		{`{"id":2147483648}`, "22P02", `invalid value for column "id" of type integer: 2147483648`},
		{`{"id":"` + strings.Repeat("y", 70) + `"}`, "22P02", `invalid value for column "id" of type integer: "` + strings.Repeat("y", 59) + "..."},
	} {
		for _, noCache := range []bool{false, true} {
			_, _, err := decodeOne(t, "json", cols, Options{MaxBytes: 100, MaxDepth: 4, MaxKeys: 6, NoShapeCache: noCache}, []byte(c.json))
			if err == nil || err.Code != c.code || err.Message != c.message {
				t.Errorf("%s: got %v, want %s", c.json, err, c.message)
			}
		}
	}
	list := []Column{{Name: "e", Type: types.ArrayOf(types.Text)}}
	if _, _, err := decodeOne(t, "json", list, Options{MaxDepth: 1}, []byte(`{"e":[]}`)); err == nil || err.Code != types.CodeProgramLimit {
		t.Errorf("an array below the depth limit: %v", err)
	}
	if _, _, err := decodeOne(t, "json", cols, Options{}, nil); err == nil || !strings.Contains(err.Message, "tombstone") {
		t.Errorf("tombstone: %v", err)
	}
	for _, fits := range []string{`{"id":1,"z":[[[]]]}`, `{"id":1,"a":[{"c":1,"d":2},{"e":1}],"f":1}`, " \t\r\n{ \"id\" : 1 } \n"} {
		if got, _, err := decodeOne(t, "json", cols, Options{MaxBytes: 100, MaxDepth: 4, MaxKeys: 6}, []byte(fits)); err != nil || got[0] != "1" || got[1] != "d" {
			t.Errorf("%s: %v %v", fits, got, err)
		}
	}
}

func TestText(t *testing.T) {
	line := Column{Name: "line", Type: types.T(types.Text)}
	for _, c := range []struct{ payload, want string }{{"a b\n", "a b\n"}, {"", ""}, {"x\xffy\x00", "x\uFFFDy\uFFFD"}} {
		got, counters, err := decodeOne(t, "text", []Column{line}, Options{}, []byte(c.payload))
		if err != nil || got[0] != c.want || (counters.Replaced[0] == 1) != strings.Contains(c.want, replacement) {
			t.Errorf("%q: %q %v %v", c.payload, got, counters, err)
		}
	}
	if got, _, err := decodeOne(t, "text", []Column{line}, Options{}, nil); err != nil || got[0] != "NULL" {
		t.Errorf("tombstone: %v %v", got, err)
	}
	line.NotNull = true
	if _, _, err := decodeOne(t, "text", []Column{line}, Options{}, nil); err == nil || err.Code != types.CodeNotNull {
		t.Errorf("tombstone, NOT NULL: %v", err)
	}
	if _, _, err := decodeOne(t, "text", []Column{line}, Options{MaxBytes: 3}, []byte("abcd")); err == nil || err.Code != types.CodeProgramLimit {
		t.Errorf("too long: %v", err)
	}
	short := Column{Name: "line", Type: types.Type{Kind: types.Text, Mod: 2}}
	if got, counters, err := decodeOne(t, "text", []Column{short}, Options{}, []byte("abc")); err != nil || got[0] != "NULL" || counters.Defects[0] != 1 {
		t.Errorf("varchar: %v %v %v", got, counters, err)
	}
	short.NotNull = true
	if _, _, err := decodeOne(t, "text", []Column{short}, Options{}, []byte("abc")); err == nil || err.Code != types.CodeInvalidText {
		t.Errorf("varchar NOT NULL: %v", err)
	}
	for _, bad := range []Column{column("other", types.Text), column("line", types.Int4)} {
		if _, err := New("text", []Column{bad}, Options{}); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
	if _, err := New("xml", nil, Options{}); err == nil {
		t.Error("format xml is accepted")
	}
}

// TestBatch: rows keep their places, rejected rows are NULL, vectors are reused, a clone is independent.
func TestBatch(t *testing.T) {
	cols := []Column{column("a", types.Text), column("b", types.Int8), column("c", types.Bool), {Name: "e", Type: types.ArrayOf(types.Int8)}}
	values := [][]byte{[]byte(`{"a":"x","b":1,"c":true,"e":[1]}`), nil, []byte(`{"a":"y","b":2,`), []byte(`{"b":3}`), []byte(`{"a":"z"}`)}
	first, err := New("json", cols, Options{})
	if err != nil {
		t.Fatal(err)
	}
	out := vectors(cols)
	out[0].AppendNull()
	for range 3 {
		for _, d := range []Decoder{first, first.Clone()} {
			rej := d.Decode(values, out, []Reject{{Row: 99}}, NewCounters(len(cols)))
			if len(rej) != 3 || rej[0].Row != 99 || rej[1].Row != 1 || rej[2].Row != 2 {
				t.Fatalf("rejects %v", rej)
			}
			var got []string
			for i := range values {
				for _, v := range out {
					got = append(got, show(v, i))
				}
			}
			want := "x 1 t {1} NULL NULL NULL NULL NULL NULL NULL NULL NULL 3 NULL NULL z NULL NULL NULL"
			if strings.Join(got, " ") != want {
				t.Fatalf("got %s", strings.Join(got, " "))
			}
		}
	}
}

// TestDuplicatesTakeNoRoom: a value that is put aside leaves its place in the arena.
func TestDuplicatesTakeNoRoom(t *testing.T) {
	cols := []Column{column("a", types.Text), column("s.ip", types.Text)}
	d, err := New("json", cols, Options{})
	if err != nil {
		t.Fatal(err)
	}
	out := vectors(cols)
	d.Decode([][]byte{[]byte(`{"a":"kept"}`), []byte(`{"a":"x","a":null,"s":{"ip":"y"},"s":{},"s.ip":"z","a":"last"}`)}, out, nil, NewCounters(2))
	if string(out[0].Buf) != "keptlast" || string(out[1].Buf) != "z" {
		t.Errorf("arenas %q %q", out[0].Buf, out[1].Buf)
	}
}

// TestManyColumns crosses the words of the column masks.
func TestManyColumns(t *testing.T) {
	var cols []Column
	payload := "{"
	for i := range 200 {
		cols = append(cols, column(fmt.Sprintf("column%d", i), types.Int4))
		if i%3 == 0 {
			payload += fmt.Sprintf(`"column%d":%d,`, i, i)
		}
	}
	got, _, err := decodeOne(t, "json", cols, Options{}, []byte(payload+`"z":0}`))
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range got {
		want := "NULL"
		if i%3 == 0 {
			want = fmt.Sprint(i)
		}
		if s != want {
			t.Fatalf("column%d = %s", i, s)
		}
	}
}

// TestPoison: what breaks parsers must neither panic, nor hang, nor fill the memory.
func TestPoison(t *testing.T) {
	cols := append(fuzzColumns(), Column{Name: "j", Type: types.T(types.JSONB)}, Column{Name: "ni", Type: types.ArrayOf(types.Numeric), Path: []string{"j"}},
		Column{Name: "nn", Type: types.T(types.Numeric), Path: []string{"j"}})
	mib := 1 << 20
	fill := func(head, unit, tail string) []byte {
		return []byte(head + strings.Repeat(unit, (mib-len(head)-len(tail))/len(unit)) + tail)
	}
	for _, p := range [][]byte{
		fill(`{"a":"`, "x", `"}`), fill(`{"a":"`, `\u0000`, `"}`), fill(`{"a":"`, "\xff", `"}`), fill(`{"z":"`, `\"`, `"}`), fill("{", " ", "}"),
		fill(`{"z":`, "[", ""), fill(`{"z":`, `{"":`, ""), fill("", "[", ""), fill(`{"z":[`, "[],", "[]]}"), fill(`{"z":`, "]", ""), fill("", "\x00", ""), fill("", "{", ""),
		fill(`{"b":`, "9", "}"), fill(`{"c":0.`, "9", "}"), fill(`{"ts":1e`, "9", "}"), fill(`{"j":`, "9", "}"), fill(`{"j":1e`, "9", "}"), fill(`{"ts":`, "1", "}"),
		fill(`{"j":[`, "1e999,", "1]}"), fill(`{"j":["`, `1e999","`, `1"]}`), fill(`{"j":[`, "1e399,", "1]}"), fill(`{"e":[`, `"",`, `1]}`), fill(`{"e":[`, `null,`, `1]}`), fill("{", `"a":1,`, `"a":2}`),
		fill(`{"`, "k", `":1}`), fill("{", `"k":{},`, `"a":2}`), fill(`{"z":[{`, `"":1,`, `"":1}]}`), fill(`{"n":{`, `"m":{"a":"z"},`, `"m":1}}`),
		[]byte(`{"a":"x"}` + strings.Repeat(" ", mib)), []byte("\xef\xbb\xbf{}"),
	} {
		out, c := vectors(cols), NewCounters(len(cols))
		d, err := New("json", cols, Options{})
		if err != nil {
			t.Fatal(err)
		}
		d.Decode([][]byte{p, p}, out, nil, c)
		for k, v := range out {
			if v.Bytes() > 16*mib {
				t.Errorf("%.20q...: column %s takes %d bytes", p, cols[k].Name, v.Bytes())
			}
			for i := range 2 {
				show(v, i)
			}
		}
	}
}

// TestTruncated: no payload that is cut short is accepted, with or without what the decoder has learnt of its kind.
func TestTruncated(t *testing.T) {
	whole := []byte(`{"a":"x\u00e9y","n":{"a":"b","b":12,"m":{"a":[1,2.5e3,{"k":null}]}},"e":["p",true,false],"ts":"2020-01-01T00:00:00Z","s.ip":"1.2.3.4","zz":-1.5e-7}`)
	d, err := New("json", fuzzColumns(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, c := vectors(fuzzColumns()), NewCounters(len(fuzzColumns()))
	for i := range whole {
		// Both at the end of its memory and in the middle of the whole.
		for _, p := range [][]byte{bytes.Clone(whole[:i]), whole[:i]} {
			if rej := d.Decode([][]byte{whole, p, whole}, out, nil, c); len(rej) != 1 || rej[0].Row != 1 {
				t.Fatalf("cut at %d: %v", i, rej)
			}
		}
	}
}

// TestForgetting: keys in no order neither break what is learnt nor let it grow without bound.
func TestForgetting(t *testing.T) {
	d, err := New("json", []Column{column("a", types.Int8)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	j := d.(*jsonDecoder)
	out, c := vectors(j.cols), NewCounters(1)
	for n := range 3 * relearnAfter {
		if rej := d.Decode([][]byte{fmt.Appendf(nil, `{"k%d":1,"a":%d,"l%d":"x"}`, n, n, n%7)}, out, nil, c); len(rej) > 0 || out[0].I[0] != int64(n) {
			t.Fatalf("row %d: %v %v", n, out[0].I, rej)
		}
		if len(j.named) > maxLearnt {
			t.Fatalf("%d states learnt", len(j.named))
		}
	}
}

// TestNoAllocation: decoding allocates nothing once the vectors have their size.
func TestNoAllocation(t *testing.T) {
	values := benchEvents(64, false)
	values = append(values, []byte(`{"ts":1588205199.824371,"src_ip":"1.2.3.4","user":"a\\b\u00e9","z":{"y":[1,{"x":"w"}]},"user":"é","dst_port":"22","duration":"1.5"}`))
	d, err := New("json", benchAll, Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, c := vectors(benchAll), NewCounters(len(benchAll))
	d.Decode(values, out, nil, c)
	if n := testing.AllocsPerRun(20, func() { d.Decode(values, out, nil, c) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
