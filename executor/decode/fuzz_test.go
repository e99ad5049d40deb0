package decode

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"rhumb/types"
)

// fuzzColumns want a little of everything that the trie can express.
func fuzzColumns() []Column {
	seven := types.IntValue(types.Int8, 7)
	path := func(name string, k types.Kind, p ...string) Column {
		return Column{Name: name, Type: types.T(k), Path: p}
	}
	return []Column{
		column("a", types.Text), column("b", types.Int8), column("c", types.Float8), column("d", types.Bool),
		{Name: "e", Type: types.ArrayOf(types.Text)}, column("ts", types.Timestamptz),
		column("s.ip", types.Text), column("s.x.y", types.Text), {Name: "b2", Type: types.T(types.Int8), Path: []string{"b"}, Default: &seven},
		path("all", types.Text, []string{}...), path("n", types.Text, "n"), path("n.a", types.Text, "n", "a"), path("n.b", types.Int4, "n", "b"),
		path("n.m.a", types.Text, "n", "m", "a"), path("e1", types.Text, "e", "[1]"), path("e0a", types.Text, "e", "[0]", "a"),
		path("e00", types.Int8, "e", "[0]", "[0]"), path("sport", types.Int2, "s", "port"),
	}
}

var fuzzSeeds = []string{
	`{}`, ` { } `, `{"a":"x"}`, `{"a":"x","b":1,"c":1.5,"d":true,"e":["p",null,3],"ts":1588205199.82437}`, `{"b":1.0}`, `{"b":1e3}`,
	`{"b":9223372036854775808}`, `{"b":-9223372036854775808}`, `{"b":01}`, `{"b":-}`, `{"b":1.}`, `{"b":1e}`, `{"b":12345678901234567890}`,
	`{"\u0061":"x"}`, `{"a":"\ud83d\ude00"}`, `{"a":"\ud83d"}`, `{"a":"\ud83dx"}`, `{"a":"\ud83d\u0041"}`, `{"a":"\u0000"}`, `{"a":"é"}`,
	"{\"a\":\"\xff\xfe\"}", "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"x\x00y\"}", "{\"a\":\"x\ny\"}", `{"a":tru}`, `{"a":NaN}`, `{"a":1}x`, `{"a":1`,
	`{"a":1,}`, `{"a" 1}`, `{"a":}`, `{a:1}`, `{"a":1 "b":2}`, `[1]`, `1`, `"a"`, ``, ` `, `null`, `{"a":"x"}{"a":"y"}`, `{"a":[}`, `{"a":{]}`,
	`{"a":1,"a":2}`, `{"s":{"ip":"1"},"s.ip":"2"}`, `{"s.ip":"2","s":{"ip":"1"}}`, `{"s":{"ip":"1"},"s":{"port":2}}`, `{"s":{"ip":1},"s":null}`,
	`{"s.ip":"1","s.ip":null,"s":{"ip":"3"}}`, `{"n":{"a":"x","b":2,"m":{"a":"z"}}}`, `{"n":{"a":"x"},"n":5}`, `{"n":{"n":{"a":1}}}`,
	`{"e":[{"a":1,"a":2},["x"]]}`, `{"e":[[5]],"e":7}`, `{"e":[[5,6],{"k":[{}]}],"x":{"y":[1,{"z":"}"}]}}`, `{"x":{},"y":[],"z":[[]],"a":""}`,
	`{"ts":"2020-01-01T00:00:00Z"}`, `{"ts":100000000000}`, `{"ts":99999999999.9999995}`, `{"ts":-0.0000005}`, `{"ts":1e30}`, `{"ts":1588205199824370}`,
	`{"b":"42"}`, `{"b":" 42 "}`, `{"b":"4x"}`, `{"c":"NaN"}`, `{"c":1e400}`, `{"c":"\u0031"}`, `{"d":"yes"}`, `{"d":1}`, `{"d":2}`, `{"d":1.0}`,
	"{\"a\": 1,\n\t\"b\" :2 , \"c\": 3 }\r\n", `{"a":"\x"}`, `{"z":"\x"}`, `{"z":"\u12g4"}`, `{"z":"\"}`, `{"a":"\\","b":3}`, `{"a":"\/\b\f\n\r\t"}`,
	`{"a":{"b":[1,2,{"c":"d"}]}}`, `{"b":1E+2}`, `{"b":100e-2}`, `{"b":1e-1}`, `{"b":0.0}`, `{"b":-0}`, `{"ts":0e99999999999999999999}`, `{"b":1e-99999999999}`,
	`{"z":01,"a":"long enough for a word"}`, `{"ts":01,"a":"long enough for a word"}`, `{"ts":-01.5}`, `{"b":-01,"a":"long enough for a word"}`, `{"z":12x,"a":"long enough"}`,
}

func FuzzDecode(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add([]byte(s))
	}
	h := newHarness(f, fuzzColumns(), Options{MaxDepth: 12, MaxKeys: 40})
	f.Fuzz(func(t *testing.T, p []byte) {
		// Twice, and with what the cache has learnt from other payloads, so that it is both hit and missed.
		h.check(t, [][]byte{p, []byte(fuzzSeeds[3]), p, []byte(`{"n":{"a":"x","b":2,"m":{"a":"z"}},"a":"q"}`), p})
	})
}

// TestShapeCacheAgrees sends random sequences of alike events, some broken, through one decoder with a shape cache and one without.
func TestShapeCacheAgrees(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 10 {
		h := newHarness(t, fuzzColumns(), Options{MaxDepth: 12, MaxKeys: 40})
		shapes := make([][]string, 4)
		for i := range shapes {
			shapes[i] = randomKeys(rng)
		}
		for range 20 {
			var values [][]byte
			for range 25 {
				keys := shapes[rng.IntN(len(shapes))]
				if rng.IntN(8) == 0 {
					keys = randomKeys(rng)
				}
				values = append(values, mutate(rng, randomObject(rng, keys, 0)))
			}
			h.check(t, values)
		}
	}
}

func randomKeys(rng *rand.Rand) []string {
	keys := []string{"a", "b", "c", "d", "e", "ts", "s", "s.ip", "s.x.y", "n", "x", "a long key that nobody wants", "k\\u0061", "\\u0061", "é"}
	rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return append(keys[:rng.IntN(len(keys))], keys[rng.IntN(len(keys))])
}

func randomObject(rng *rand.Rand, keys []string, depth int) []byte {
	blank := func() string { return strings.Repeat(" ", max(0, rng.IntN(12)-10)) }
	b := []byte("{")
	n := 0
	for _, k := range keys {
		if rng.IntN(6) == 0 {
			continue // an optional field
		}
		if n > 0 {
			b = append(b, ","...)
		}
		n++
		b = fmt.Appendf(b, `%s"%s"%s:%s%s%s`, blank(), k, blank(), blank(), randomValue(rng, depth), blank())
	}
	return append(b, "}"+blank()...)
}

func randomValue(rng *rand.Rand, depth int) string {
	inner := []string{"a", "b", "ip", "port", "m", "x", "y", "n", "z"}
	switch k := rng.IntN(14); {
	case k < 4:
		return fmt.Sprintf(`"%s"`, strings.Repeat("text", rng.IntN(6)))
	case k < 6:
		return fmt.Sprint(rng.IntN(1 << rng.IntN(60)))
	case k < 7:
		return fmt.Sprint(rng.Float64() * 1e10)
	case k < 8:
		return []string{"true", "false", "null"}[rng.IntN(3)]
	case k < 9:
		return []string{`"\u0041\n"`, `"é"`, `"\ud800"`, `"a\u0000b"`, "\"\xff\"", `""`, `{}`, `[]`, `[{}]`, `1e3`, `1.0`}[rng.IntN(11)]
	case k < 12 && depth < 3:
		rng.Shuffle(len(inner), func(i, j int) { inner[i], inner[j] = inner[j], inner[i] })
		return string(randomObject(rng, inner[:rng.IntN(5)], depth+1))
	case depth < 3:
		var elems []string
		for range rng.IntN(4) {
			elems = append(elems, randomValue(rng, depth+1))
		}
		return "[" + strings.Join(elems, ",") + "]"
	}
	return `"leaf"`
}

// mutate breaks some of the payloads.
func mutate(rng *rand.Rand, p []byte) []byte {
	if rng.IntN(5) > 0 || len(p) == 0 {
		return p
	}
	i := rng.IntN(len(p))
	switch rng.IntN(4) {
	case 0:
		return p[:i]
	case 1:
		p[i] = `{}[]",:\0e-. tn`[rng.IntN(15)]
	case 2:
		p = bytes.Join([][]byte{p[:i], p[i+1:]}, nil)
	default:
		j := rng.IntN(len(p))
		p = bytes.Join([][]byte{p[:i], p[min(i, j):max(i, j)], p[i:]}, nil)
	}
	return p
}

// FuzzTypes reads one value as each type: what is accepted does not depend on the types, and every value is one that its type can print.
func FuzzTypes(f *testing.F) {
	var cols []Column
	for _, name := range []string{"boolean", "smallint", "integer", "bigint", "real", "double precision", "numeric", "numeric(6,2)", "text", "varchar(3)", "bytea",
		"date", "time", "timestamp", "timestamptz", "interval", "uuid", "inet", "cidr", "jsonb"} {
		typ := typeOf(f, name)
		cols = append(cols, Column{Name: name, Type: typ, Path: []string{"x"}}, Column{Name: name + "[]", Path: []string{"x"},
			Type: types.Type{Kind: types.Array, Elem: typ.Kind, Mod: typ.Mod, Scale: typ.Scale}})
	}
	for _, s := range []string{`1`, `-1.5e3`, `"2018-03-24T17:15:20Z"`, `"10.0.0.0/8"`, `["a",1,null,true]`, `{"a":[1]}`, `"AQL/"`, `"1 day"`,
		`"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"`, `"\ud800\u0000"`, `[[1],{}]`, `1e999`, `"1e999"`, `"NaN"`, `-0.0`, `"yes"`, `""`, `12345678901234567890`} {
		f.Add([]byte(s))
	}
	d, err := New("json", cols, Options{})
	if err != nil {
		f.Fatal(err)
	}
	none, err := New("json", nil, Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		p := [][]byte{fmt.Appendf(nil, `{"x":%s}`, value)}
		out, c := vectors(cols), NewCounters(len(cols))
		rej, plain := d.Decode(p, out, nil, c), none.Decode(p, nil, nil, c)
		_, _, want := oracleRow(p[0], nil, Options{})
		if len(rej) != len(plain) || (len(rej) > 0) != (want != "") || len(rej) > 0 && *rej[0].Err != *plain[0].Err {
			t.Fatalf("%q: %v, without columns %v, oracle %q", p[0], rej, plain, want)
		}
		for i, v := range out {
			if c.Defects[i] > 0 && !v.Null(0) {
				t.Fatalf("%q: %s is a defect and has a value", p[0], cols[i].Name)
			}
			if s := show(v, 0); s == "" && v.Type.Kind != types.Text && v.Type.Kind != types.Bytea {
				t.Fatalf("%q: %s prints nothing", p[0], cols[i].Name)
			}
		}
	})
}
