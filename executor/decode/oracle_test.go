package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"rhumb/types"
)

// The oracle says what a payload must become, by encoding/json and big numbers.

// oracleRow returns the text of each column, "NULL" or "" for "is missing", or why the row is rejected.
func oracleRow(p []byte, cols []Column, opts Options) (texts []string, bad []bool, reject string) {
	opts = opts.withDefaults()
	if len(p) > opts.MaxBytes {
		return nil, nil, "size"
	}
	// The depth limit of encoding/json is far above ours.
	depth, keys := oracleDepth(p)
	if depth > opts.MaxDepth {
		return nil, nil, "depth"
	}
	if !json.Valid(p) {
		return nil, nil, "syntax"
	}
	if b := bytes.TrimLeft(p, " \t\r\n"); b[0] != '{' {
		return nil, nil, "object"
	}
	if keys > opts.MaxKeys {
		return nil, nil, "keys"
	}
	for _, c := range cols {
		raw, ok := oracleFind(p, c)
		if !ok {
			texts, bad = append(texts, "missing"), append(bad, false)
			continue
		}
		if string(raw) == "null" {
			texts, bad = append(texts, "NULL"), append(bad, false)
			continue
		}
		s, ok := oracleValue(raw, c.Type)
		if !ok {
			s = "NULL"
		}
		texts, bad = append(texts, s), append(bad, !ok)
	}
	return texts, bad, ""
}

// oracleDepth counts the brackets that are open at one time, up to where the brackets stop matching, and the colons outside of strings.
func oracleDepth(p []byte) (depth, keys int) {
	open, inString := 0, false
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			open++
			depth = max(depth, open)
		case c == '}' || c == ']':
			open--
		case c == ':':
			keys++
		}
	}
	return depth, keys
}

func oracleFind(p []byte, c Column) (json.RawMessage, bool) {
	if c.Path != nil {
		return oraclePath(p, c.Path)
	}
	if raw, ok := oraclePath(p, []string{c.Name}); ok {
		return raw, true
	}
	return oraclePath(p, strings.Split(c.Name, "."))
}

func oraclePath(raw json.RawMessage, path []string) (json.RawMessage, bool) {
	raw = bytes.Trim(raw, " \t\r\n")
	for _, step := range path {
		if index, ok := arrayIndex(step); ok {
			var a []json.RawMessage
			if raw[0] != '[' || json.Unmarshal(raw, &a) != nil || index >= len(a) {
				return nil, false
			}
			raw = a[index]
			continue
		}
		var m map[string]json.RawMessage
		if raw[0] != '{' || json.Unmarshal(raw, &m) != nil {
			return nil, false
		}
		next, ok := m[step]
		if !ok {
			return nil, false
		}
		raw = next
	}
	return raw, true
}

func oracleText(raw json.RawMessage) string {
	var s string
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &s); err != nil {
			panic(err)
		}
	} else {
		for _, r := range string(raw) { // each broken byte is one U+FFFD
			s += string(r)
		}
	}
	return strings.ReplaceAll(s, "\x00", replacement)
}

func oracleValue(raw json.RawMessage, t types.Type) (string, bool) {
	isNumber := raw[0] == '-' || raw[0]-'0' < 10
	switch t.Kind {
	case types.Text:
		return oracleText(raw), true
	case types.Bool:
		switch string(raw) {
		case "true", "1":
			return "t", true
		case "false", "0":
			return "f", true
		}
	case types.Int2, types.Int4, types.Int8:
		if isNumber {
			x, ok := oracleNumber(string(raw))
			bits := map[types.Kind]uint{types.Int2: 15, types.Int4: 31, types.Int8: 63}[t.Kind]
			limit := new(big.Int).Lsh(big.NewInt(1), bits)
			if !ok || !x.IsInt() || x.Num().Cmp(limit) >= 0 || x.Num().Cmp(limit.Neg(limit)) < 0 {
				return "", false
			}
			return x.Num().String(), true
		}
	case types.Float8:
		if isNumber {
			f, err := strconv.ParseFloat(string(raw), 64)
			return types.FormatValue(types.FloatValue(f), nil), err == nil
		}
	case types.Timestamptz:
		if isNumber {
			x, ok := oracleNumber(string(raw))
			if !ok {
				return "", false
			}
			return oracleEpoch(x)
		}
	case types.Array:
		var elems []json.RawMessage
		if raw[0] != '[' || json.Unmarshal(raw, &elems) != nil {
			elems = []json.RawMessage{raw}
		}
		var values []types.Value
		for _, e := range elems {
			if string(e) == "null" {
				values = append(values, types.NullOf(types.T(types.Text)))
				continue
			}
			values = append(values, types.TextValue(oracleText(e)))
		}
		return types.FormatValue(types.Value{Type: t, S: string(types.EncodeArray(values))}, nil), true
	}
	// Strings in columns of other types: the type's own input.
	if raw[0] == '"' {
		v, err := types.ParseValue(t, oracleText(raw), nil)
		return types.FormatValue(v, nil), err == nil
	}
	return "", false
}

// oracleNumber is false for numbers whose exponent no column could hold.
func oracleNumber(s string) (*big.Rat, bool) {
	if e := strings.IndexAny(s, "eE"); e >= 0 {
		exp, err := strconv.Atoi(s[e+1:])
		if strings.Trim(s[:e], "-0.") == "" {
			return new(big.Rat), true
		}
		if err != nil || exp > 1000 || exp < -1000-len(s) {
			if strings.HasPrefix(s[e+1:], "-") {
				return big.NewRat(1, 1<<40), true // nearly nothing: no integer, and rounded to zero
			}
			return nil, false
		}
	}
	return new(big.Rat).SetString(s)
}

func oracleEpoch(x *big.Rat) (string, bool) {
	abs := new(big.Rat).Abs(x)
	unit := big.NewRat(1, 1000)
	for _, u := range []struct{ below, micros int64 }{{1e11, 1e6}, {1e14, 1e3}, {1e17, 1}} {
		if abs.Cmp(new(big.Rat).SetInt64(u.below)) < 0 {
			unit = new(big.Rat).SetInt64(u.micros)
			break
		}
	}
	abs.Mul(abs, unit)
	abs.Add(abs, big.NewRat(1, 2)) // half away from zero
	us := new(big.Int).Quo(abs.Num(), abs.Denom())
	if x.Sign() < 0 {
		us.Neg(us)
	}
	if !us.IsInt64() || !inTime(us.Int64()) {
		return "", false
	}
	return types.FormatValue(types.IntValue(types.Timestamptz, us.Int64()), nil), true
}

// harness decodes payloads with and without shape cache and compares both with each other and with the oracle.
type harness struct {
	cols   []Column
	opts   Options
	a, b   Decoder
	ca, cb *Counters
}

func newHarness(t testing.TB, cols []Column, opts Options) *harness {
	h := &harness{cols: cols, opts: opts, ca: NewCounters(len(cols)), cb: NewCounters(len(cols))}
	var err error
	if h.a, err = New("json", cols, opts); err != nil {
		t.Fatal(err)
	}
	opts.NoShapeCache = true
	if h.b, err = New("json", cols, opts); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *harness) check(t testing.TB, values [][]byte) {
	t.Helper()
	va, vb := vectors(h.cols), vectors(h.cols)
	copies := make([][]byte, len(values))
	for i, v := range values {
		copies[i] = bytes.Clone(v)
	}
	ra := h.a.Decode(values, va, nil, h.ca)
	rb := h.b.Decode(copies, vb, nil, h.cb)
	if fmt.Sprint(h.ca) != fmt.Sprint(h.cb) {
		t.Fatalf("counters: cached %v, plain %v", h.ca, h.cb)
	}
	rejected := map[int]*types.Error{}
	for i, r := range rb {
		if i >= len(ra) || r.Row != ra[i].Row || *r.Err != *ra[i].Err {
			t.Fatalf("row %d (%q) is rejected with %v; with the shape cache: %v", r.Row, values[r.Row], r.Err, ra)
		}
		rejected[int(r.Row)] = r.Err
	}
	if len(ra) != len(rb) {
		t.Fatalf("shape cache rejects %v, plain %v", ra, rb)
	}
	for i, p := range values {
		texts, _, reject := oracleRow(p, h.cols, h.opts)
		if (reject != "") != (rejected[i] != nil) {
			t.Fatalf("%q: oracle %q, decoder %v", p, reject, rejected[i])
		}
		for k, c := range h.cols {
			a, b := show(va[k], i), show(vb[k], i)
			if a != b {
				t.Fatalf("%q: column %s: cached %q, plain %q", p, c.Name, a, b)
			}
			want := "NULL"
			if reject == "" && texts[k] != "missing" {
				want = texts[k]
			} else if reject == "" && c.Default != nil {
				want = types.FormatValue(*c.Default, nil)
			}
			if a != want {
				t.Fatalf("%q: column %s %s %v: got %q, want %q", p, c.Name, c.Type, c.Path, a, want)
			}
		}
	}
}

func show(v *types.Vec, i int) string {
	if v.Null(i) {
		return "NULL"
	}
	s := string(types.AppendText(nil, v, i, nil))
	if v.Type.Kind == types.Text && (!utf8.ValidString(s) || strings.Contains(s, "\x00")) {
		return "INVALID " + strconv.Quote(s)
	}
	return s
}
