package types

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

func parseTest(t testing.TB, typ Type, s string) Value {
	t.Helper()
	v, err := ParseValue(typ, s, nil)
	if err != nil {
		t.Fatalf("%s %q: %v", typ, s, err)
	}
	return v
}

func vecOf(typ Type, vs ...Value) *Vec {
	v := NewVec(typ, len(vs))
	for _, x := range vs {
		v.AppendValue(x)
	}
	return v
}

// TestCompareIsPostgres also holds Compare, AppendKey and HashRows to one another.
func TestCompareIsPostgres(t *testing.T) {
	b, err := os.ReadFile("testdata/postgres_compare.txt")
	if err != nil {
		t.Fatal(err)
	}
	sign := map[int]string{-1: "<", 0: "=", 1: ">"}
	for n, line := range strings.Split(strings.TrimRight(string(b), "\n"), "\n") {
		f := strings.Split(line, "\t")
		if strings.HasPrefix(line, "#") {
			continue
		}
		typ := testType(t, f[0])
		x, y := parseTest(t, typ, f[1]), parseTest(t, typ, f[2])
		if got := sign[CompareValues(x, y)]; got != f[3] {
			t.Errorf("line %d: %s %s %s %s, want %s", n+1, typ, f[1], got, f[2], f[3])
		}
		v, w := vecOf(typ, x), vecOf(typ, y)
		if got := sign[Compare(v, 0, w, 0)]; got != f[3] {
			t.Errorf("line %d: Compare: %s %s %s %s, want %s", n+1, typ, f[1], got, f[2], f[3])
		}
		k, l := AppendKey(nil, v, 0), AppendKey(nil, w, 0)
		if bytes.Equal(k, l) != (f[3] == "=") {
			t.Errorf("line %d: keys of %s %s and %s: %x %x", n+1, typ, f[1], f[2], k, l)
		}
		var h, i [1]uint64
		HashRows(7, []*Vec{v}, []int32{0}, h[:])
		HashRows(7, []*Vec{w}, []int32{0}, i[:])
		if (h == i) != (f[3] == "=") {
			t.Errorf("line %d: hashes of %s %s and %s: %x %x", n+1, typ, f[1], f[2], h, i)
		}
		out := NewVec(typ, 1)
		if rest := DecodeKey(k, out); len(rest) > 0 || Compare(out, 0, v, 0) != 0 {
			t.Errorf("line %d: key of %s %s reads back as %s", n+1, typ, f[1], FormatValue(out.Value(0), nil))
		}
		if typ.Kind == Inet {
			p, q := InetContains([]byte(x.S), []byte(y.S), false), InetContains([]byte(x.S), []byte(y.S), true)
			if p != (f[4] == ">>") || q != (f[4] != "") {
				t.Errorf("line %d: %s contains %s: %v, or equal: %v", n+1, f[1], f[2], p, q)
			}
		}
	}
}

func TestCompareNulls(t *testing.T) {
	null, one := NullOf(T(Int4)), IntValue(Int4, 1)
	if CompareValues(null, one) != 1 || CompareValues(one, null) != -1 || CompareValues(null, null) != 0 {
		t.Error("NULL must be the greatest")
	}
}

func TestKeysOfIntervalsBeyondDays(t *testing.T) {
	// The sum of the parts does not fit days: what is equal still has one key.
	big := Interval{Months: 1<<31 - 1, Days: 1<<31 - 1, Micros: 1<<63 - 1}
	same := Interval{Months: 1<<31 - 2, Days: 1<<31 - 1, Micros: 1<<63 - 1}
	same.Micros -= 30 * MicrosPerDay
	for _, iv := range []Interval{big, {Months: -1 << 31, Days: -1 << 31, Micros: -1 << 63}, same, {Months: 1 << 30, Micros: -1}} {
		c := canonicalInterval(iv)
		if c.Compare(iv) != 0 {
			t.Errorf("%+v is kept as %+v", iv, c)
		}
		if canonicalInterval(c) != c {
			t.Errorf("%+v: not stable", iv)
		}
	}
	a, b := Interval{Months: 1 << 30, Days: -30}, Interval{Months: 1<<30 - 1}
	if canonicalInterval(a) != canonicalInterval(b) {
		t.Error("equal intervals have two keys")
	}
}

func TestKeysSeparateColumns(t *testing.T) {
	v := vecOf(T(Text), TextValue("a"), TextValue("ab"), TextValue(""), NullOf(T(Text)))
	seen := map[string]bool{}
	for i := range 4 {
		for j := range 4 {
			seen[string(AppendKey(AppendKey(nil, v, i), v, j))] = true
		}
	}
	if len(seen) != 16 {
		t.Errorf("%d keys of 16 pairs", len(seen))
	}
}

func TestHashIsSpread(t *testing.T) {
	seen := map[uint64]bool{}
	for n := range 100 {
		seen[Hash(1, make([]byte, n))%64] = true
		seen[Hash(uint64(n), []byte("x"))%64] = true
	}
	if len(seen) < 50 {
		t.Errorf("%d of 64 buckets", len(seen))
	}
	if Hash(1, []byte("abc")) == Hash(2, []byte("abc")) {
		t.Error("the seed has no effect")
	}
}

func TestNetHelpers(t *testing.T) {
	enc := []byte(parseTest(t, T(Inet), "10.1.2.3/12").S)
	if InetFamily(enc) != 4 || InetBits(enc) != 12 || !bytes.Equal(InetAddr(enc), []byte{10, 1, 2, 3}) {
		t.Errorf("%x", enc)
	}
	if s := string(AppendInetHost(nil, enc)); s != "10.1.2.3" {
		t.Error(s)
	}
	if s := string(AppendInet(nil, InetNetwork(slices.Clone(enc)), true)); s != "10.0.0.0/12" {
		t.Error(s)
	}
	if !bytes.Equal(EncodeInet([]byte{10, 1, 2, 3}, 12), enc) {
		t.Error("EncodeInet")
	}
	for _, bad := range [][]byte{nil, {4}, {4, 33, 1, 2, 3, 4}, {6, 0, 1, 2, 3, 4}, {4, 0, 1, 2, 3}} {
		if InetFamily(bad) != 0 || InetBits(bad) != 0 || InetAddr(bad) != nil || len(AppendInet(nil, bad, false)) > 0 ||
			InetContains(bad, enc, true) || InetCompare(bad, bad) != 0 {
			t.Errorf("%x is taken for an address", bad)
		}
	}
}

func TestJSONReaderSurvivesGarbage(t *testing.T) {
	deep := strings.Repeat("[", 100000)
	for _, s := range []string{"", "{", "[", "[1", `{"a`, `{"a":`, `"`, `"\`, `{"a": 1, `, "x", deep, "[1, ", "]", "}"} {
		CompareJSON([]byte(s), []byte(s+" "))
		CompareJSON([]byte(s), []byte("[1, 2]"))
		CompareJSON([]byte(`{"a": 1}`), []byte(s))
		canonicalJSONKey([]byte(s + ".0e"))
	}
}
