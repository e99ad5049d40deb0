package expr

import (
	"flag"
	"math"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"rhumb/types"
)

// samples are literals of each type, ordinary ones and those at the edges.
var samples = map[types.Kind][]string{
	types.Bool: {"true", "false"},
	types.Int2: {"0", "1", "-1", "7", "32767", "-32768"}, types.Int4: {"0", "1", "-1", "2", "3", "12", "-7", "100", "2147483647", "-2147483648"},
	types.Int8:         {"0", "1", "-3", "12345678901", "9223372036854775807", "-9223372036854775808"},
	types.Float4:       {"0", "1.5", "-2.25", "123456", "1e-5", "NaN"},
	types.Float8:       {"0", "1", "2.5", "-0.5", "1e10", "1e-7", "123456.789", "1e300", "NaN", "Infinity"},
	types.Numeric:      {"0", "1", "2.5", "-3.75", "0.001", "123456789.987654321", "1e25", "99.995", "-0.05", "NaN", "1.10"},
	types.Text:         {"", "a", "abc", "Hello World", "héllo wörld", "a,b,,c", "  pad ", "1", "12.5", "%b_", "x%", "b", "2024-01-15", "year", "hex", "a\\\\b", "10.0.0.1", ",", "(a)(b)?", "i", "UTC", "YYYY-MM-DD", "FM999.90", "[a-c]+"},
	types.Bytea:        {"", "abc", "\\\\x00ff10"},
	types.Date:         {"2024-01-15", "2024-02-29", "1999-12-31", "0044-03-15 BC", "1970-01-01"},
	types.Time:         {"00:00", "10:20:30.5", "23:59:59.999999"},
	types.Timestamp:    {"2024-01-15 10:20:30.123456", "2024-02-29", "1969-12-31 23:59:59", "0044-03-15 BC", "2024-12-31 12:00"},
	types.Timestamptz:  {"2024-01-15 10:20:30.123456+00", "2024-07-01 23:30+00", "1969-12-31 23:59:59+00", "2024-03-31 01:00+00"},
	types.IntervalKind: {"1 day", "1 mon -3 days 04:05:06.7", "-1 year", "90 minutes", "0", "13 months 40 days", "-00:00:01.5"},
	types.UUID:         {"123e4567-e89b-12d3-a456-426614174000", "00000000-0000-0000-0000-000000000000"},
	types.Inet:         {"10.1.2.3", "10.0.0.0/8", "192.168.1.77/20", "::1", "2001:db8::1/48", "0.0.0.0/0"},
	types.Cidr:         {"10.0.0.0/8", "192.168.16.0/20", "2001:db8::/48"},
	types.JSONB:        {"{}", "[]", "null", "5", "true", "\"a\"", "{\"a\": 1, \"b\": [1, \"x\", null]}", "[1, 2, {\"a\": null}]", "{\"a\": {\"b\": 2.50}}", "[\"a\", \"b\"]"},
}

// sample is a random literal of a type, with its cast.
func sample(r *rand.Rand, t types.Type) string {
	if r.IntN(12) == 0 {
		return "null::" + t.String()
	}
	if t.Kind != types.Array {
		list := samples[t.Kind]
		return "E'" + list[r.IntN(len(list))] + "'::" + t.String()
	}
	elems := make([]string, r.IntN(4))
	for i := range elems {
		elems[i] = sample(r, types.T(t.Elem))
	}
	return "array[" + strings.Join(elems, ", ") + "]::" + t.String()
}

// concrete replaces the pseudo-types of a signature.
func concrete(r *rand.Rand, s *Sig) []types.Type {
	elem := scalarTypes[r.IntN(len(scalarTypes))]
	out := make([]types.Type, 0, len(s.Args)+2)
	n := len(s.Args)
	if s.Variadic {
		n += r.IntN(3)
	}
	for i := range n {
		t := s.Args[min(i, len(s.Args)-1)]
		switch t.Kind {
		case kindElem:
			t = elem
		case kindArray:
			t = types.ArrayOf(elem.Kind)
		case kindAny, kindNonArray:
			t = scalarTypes[r.IntN(len(scalarTypes))]
		}
		out = append(out, t)
	}
	return out
}

// randomCall writes a call of an overload.
func randomCall(r *rand.Rand, f *Func, s *Sig) string {
	ts := concrete(r, s)
	args := make([]string, len(ts))
	for i, t := range ts {
		args[i] = sample(r, t)
	}
	if f.Kind != Operator {
		if f.Name == "extract" {
			return "extract(" + []string{"epoch", "year", "second", "dow", "week", "day", "hour", "century", "julian"}[r.IntN(9)] + " from " + args[1] + ")"
		}
		if f.Name == "position" {
			return "position(" + args[0] + " in " + args[1] + ")"
		}
		return f.Name + "(" + strings.Join(args, ", ") + ")"
	}
	switch len(args) {
	case 1:
		return f.Name + " (" + args[0] + ")"
	case 3:
		return "(" + args[0] + ") " + f.Name + " (" + args[1] + ") escape '" + []string{"", "\\", "#", "b"}[r.IntN(4)] + "'"
	}
	return "(" + args[0] + ") " + f.Name + " (" + args[1] + ")"
}

// ours are functions that Postgres has not, or that differ in ways that are known.
var ours = map[string]bool{"is_private": true, "ip_mask": true, "now": true, "age": true, "current_date": true, "localtime": true, "localtimestamp": true,
	"cbrt": true, "trim": true, "json_build_object": true, "json_build_array": true, "json_extract_path": true, "to_json": true, "json_strip_nulls": true, "convert_to": true, "overlay": true,
	"make_interval": true, "entropy": true, "levenshtein": true, "defang": true, "refang": true, "url_host": true, "url_path": true}

var oracleRuns = flag.Int("oracle-runs", 12, "random calls of each overload")

// TestRandomAgainstPostgres calls every overload with random arguments, here and in Postgres. It runs with -oracle only.
func TestRandomAgainstPostgres(t *testing.T) {
	if *oracle == "" {
		t.Skip("needs -oracle")
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	var names []string
	for name := range funcs {
		names = append(names, name)
	}
	sort.Strings(names)
	var lines []string
	for _, name := range names {
		f := funcs[name]
		if f.Kind == Construct || f.Kind == SetReturning || ours[name] || strings.HasPrefix(name, "json_") {
			continue
		}
		for i := range f.Sigs {
			for range *oracleRuns {
				lines = append(lines, randomCall(r, f, &f.Sigs[i]))
			}
		}
	}
	for _, from := range scalarTypes {
		for _, to := range scalarTypes {
			for range 4 {
				lines = append(lines, "("+sample(r, from)+")::"+to.String())
			}
		}
	}
	want := strings.Split(askPostgres(t, time.UTC, lines), "\n")
	if len(want) != len(lines)+1 {
		t.Fatalf("%d answers to %d questions", len(want)-1, len(lines))
	}
	bad := map[string]int{}
	for i, line := range lines {
		got := evalLine(t, line, time.UTC)
		key, _, _ := strings.Cut(line, "(")
		// A constant that is wrong is an error when the call is bound, even if another argument is NULL.
		if got != want[i] && !(strings.HasPrefix(got, "error 2") && strings.HasSuffix(want[i], ":NULL")) && !nearly(got, want[i]) {
			if bad[key]++; bad[key] <= 6 {
				t.Errorf("%.200s\n\tgot  %.200s\n\twant %.200s (%d, %d)", line, got, want[i], len(got), len(want[i]))
			}
		}
	}
	t.Logf("%d expressions, %v", len(lines), bad)
}

// nearly reports whether two results are floats that differ in the last digits only: mathematical libraries do.
func nearly(a, b string) bool {
	x, okA := strings.CutPrefix(a, "double precision:")
	y, okB := strings.CutPrefix(b, "double precision:")
	f, err1 := strconv.ParseFloat(x, 64)
	g, err2 := strconv.ParseFloat(y, 64)
	return okA && okB && err1 == nil && err2 == nil && math.Abs(f-g) <= 1e-14*math.Abs(g)
}
