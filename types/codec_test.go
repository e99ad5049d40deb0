package types

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

// textTypes are all types that ParseValue reads, arrays of each included.
func textTypes() []Type {
	var ts []Type
	for k := Bool; k < Array; k++ {
		ts = append(ts, T(k), ArrayOf(k))
	}
	return append(ts, Type{Kind: Text, Mod: 3}, Type{Kind: Numeric, Mod: 5, Scale: 2}, T(Unknown))
}

// FuzzParseValue says that no text makes ParseValue panic, and that what it reads prints as a text that reads back the same.
func FuzzParseValue(f *testing.F) {
	for i, s := range []string{"t", "12", "1.5e3", "-0.00", "2018-03-24 17:15:20.5+02", "1 day -02:03:04", "10.0.0.0/8", "::ffff:1.2.3.4", `{"a":[1.0]}`,
		`{a,"b c",NULL}`, `\x00ff`, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "P1Y2M3DT4H5M6.7S", "0044-03-15 BC", "NaN", "24 Mar 2018 05:15 PM", `{"{\"a\": 1}"}`, "1e-7"} {
		f.Add(uint8(i), s)
	}
	ts := textTypes()
	f.Fuzz(func(t *testing.T, k uint8, s string) {
		typ := ts[int(k)%len(ts)]
		v, err := ParseValue(typ, s, nil)
		if err != nil {
			if err.Code == "" || err.Code == CodeInternal || !v.Null {
				t.Fatalf("%s %q: %v", typ, s, err)
			}
			return
		}
		text := FormatValue(v, nil)
		w, err := ParseValue(typ, text, nil)
		if err != nil {
			t.Fatalf("%s %q prints as %q, which is refused: %v", typ, s, text, err)
		}
		if CompareValues(v, w) != 0 || FormatValue(w, nil) != text {
			t.Fatalf("%s %q prints as %q, which prints as %q", typ, s, text, FormatValue(w, nil))
		}
		vec := vecOf(typ, v)
		if got := string(AppendText(nil, vec, 0, nil)); got != text {
			t.Fatalf("%s %q: AppendText %q, FormatValue %q", typ, s, got, text)
		}
		var e Encoder
		e.Value(v)
		e.Vec(vec)
		d := Decoder{B: e.B}
		if x := d.Value(); x != v && !(x.F != x.F && v.F != v.F) {
			t.Fatalf("%#v is decoded as %#v", v, x)
		}
		if x := d.Vec(); d.Err != nil || Compare(x, 0, vec, 0) != 0 {
			t.Fatalf("%s: %v", text, d.Err)
		}
		elem := AppendArrayRow(nil, vec, 0)
		if string(elem) != string(AppendArrayElem(nil, v)) {
			t.Fatalf("%s: row %x, element %x", text, elem, AppendArrayElem(nil, v))
		}
		out := NewVec(typ, 1)
		if d := (Decoder{B: elem}); true {
			if ReadArrayRow(&d, out); d.Err != nil || len(d.B) > 0 || string(AppendText(nil, out, 0, nil)) != text {
				t.Fatalf("%s: element reads back as %s", text, AppendText(nil, out, 0, nil))
			}
		}
	})
}

// FuzzDecode says that no bytes make a decoder panic, and that what it takes can be printed, compared and encoded.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"1", "{1,NULL}", "t"} {
		for _, typ := range textTypes() {
			v, err := ParseValue(typ, s, nil)
			if err != nil {
				continue
			}
			var e Encoder
			e.Vec(vecOf(typ, v, NullOf(typ)))
			e.Value(v)
			f.Add(e.B)
		}
	}
	l := Lineage{Total: 3, First: 1, Last: 9, Events: []EventRef{{1, 2, 3, 4, "id", "a"}, {1, 2, 4, 9, "", ""}}}
	var e Encoder
	l.AppendTo(&e)
	f.Add(e.B)
	f.Fuzz(func(t *testing.T, b []byte) {
		d := Decoder{B: b}
		if v := d.Vec(); d.Err == nil {
			for i := range min(v.Len(), 8) {
				if v.Null(i) {
					continue
				}
				AppendText(nil, v, i, nil)
				AppendJSON(nil, v, i)
				Compare(v, i, v, v.Len()-1)
				AppendKey(nil, v, i)
				v.Value(i)
			}
			var e Encoder
			e.Vec(v)
			if x := (&Decoder{B: e.B}).Vec(); x.Len() != v.Len() || x.Type != v.Type {
				t.Fatalf("%x", e.B)
			}
		}
		if v := d.Value(); d.Err == nil {
			FormatValue(v, nil)
			CompareValues(v, v)
			vecOf(v.Type, v)
		}
		for k := Unknown; k < numKinds; k++ {
			vs := DecodeArray(k, b)
			if len(vs) > len(b) || len(vs) > 0 && ArrayLen(b) < len(vs) {
				t.Fatalf("%d elements in %d bytes", len(vs), len(b))
			}
			if len(vs) > 0 && len(b) < 1000 {
				DecodeArray(k, EncodeArray(vs))
			}
		}
		if l, err := DecodeLineage(b); err == nil {
			var e Encoder
			l.AppendTo(&e)
			m, err := DecodeLineage(e.B)
			if err != nil || !reflect.DeepEqual(l, m) {
				t.Fatalf("%+v, then %+v, %v", l, m, err)
			}
		}
	})
}

func TestDecoderFaults(t *testing.T) {
	for name, read := range map[string]func(d *Decoder){
		"varint": func(d *Decoder) { d.Uvarint() }, "word": func(d *Decoder) { d.U64() }, "length": func(d *Decoder) { d.Bytes() },
		"boolean": func(d *Decoder) { d.Bool() }, "count": func(d *Decoder) { d.Len(9) }, "type": func(d *Decoder) { d.Type() },
	} {
		d := Decoder{B: []byte{200}}
		if read(&d); d.Err == nil || AsError(d.Err).Code != CodeDataCorrupted {
			t.Errorf("%s: %v", name, d.Err)
		}
		if d.U64() != 0 || d.Uvarint() != 0 || len(d.Bytes()) != 0 {
			t.Errorf("%s: a read after the fault returns something", name)
		}
	}
	var e Encoder
	v := vecOf(T(Text), TextValue("abc"))
	v.R[0].Len = 4
	e.Vec(v)
	d := Decoder{B: e.B}
	if d.Vec(); d.Err == nil {
		t.Error("a string beyond the buffer is taken")
	}
	d = Decoder{}
	if d.Fail("this"); d.Err == nil || !strings.Contains(d.Err.Error(), "this") {
		t.Error(d.Err)
	}
}

func TestVec(t *testing.T) {
	for _, typ := range textTypes() {
		var vals []Value
		for _, s := range []string{"1", "t", "2018-03-24", "12:00", "10.0.0.1", "{}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"} {
			if v, err := ParseValue(typ, s, nil); err == nil {
				vals = append(vals, v, NullOf(typ))
			}
		}
		if len(vals) == 0 {
			t.Fatalf("no value of %s", typ)
		}
		v := vecOf(typ, vals...)
		w := NewVec(typ, 0)
		for i := range vals {
			w.AppendFrom(v, i)
		}
		if w.Len() != len(vals) || w.Nulls.Count() != len(vals)/2 || !w.Nulls.Any() || w.Bytes() == 0 {
			t.Fatalf("%s: %d rows, %d NULLs", typ, w.Len(), w.Nulls.Count())
		}
		for i, x := range vals {
			if got := w.Value(i); got.Null != x.Null || CompareValues(got, x) != 0 {
				t.Errorf("%s row %d: %+v, want %+v", typ, i, got, x)
			}
		}
		w.Resize(typ, 3)
		if w.Len() != 3 || w.Null(1) || typ.Layout() == LStr && len(w.Str(2)) != 0 {
			t.Errorf("%s: Resize", typ)
		}
		w.SetNull(2)
		if !w.Null(2) || w.Null(1) {
			t.Errorf("%s: SetNull", typ)
		}
		if w.Reset(T(Int8)); w.Len() != 0 || w.Type != T(Int8) || w.Null(2) {
			t.Errorf("%s: Reset", typ)
		}
	}
	v := NewVec(T(Text), 2)
	v.Resize(T(Text), 2)
	v.SetStr(1, []byte("ab"))
	v.SetString(0, "c")
	if string(v.Str(0))+string(v.Str(1)) != "cab" {
		t.Errorf("%+v", v)
	}
	var b Bitmap
	b.Set(130)
	if b.Clear(500); !b.Has(130) || b.Has(129) || b.Has(1000) || b.Count() != 1 {
		t.Error("bitmap")
	}
	if b.Clear(130); b.Any() {
		t.Error("Clear")
	}
}

func TestBatch(t *testing.T) {
	b := Batch{N: 3}
	if got := b.Selection([]int32{9}); !reflect.DeepEqual(got, []int32{0, 1, 2}) || b.Rows() != 3 {
		t.Error(got)
	}
	b.Sel = []int32{1}
	if got := b.Selection(nil); !reflect.DeepEqual(got, []int32{1}) || b.Rows() != 1 {
		t.Error(got)
	}
}

func TestError(t *testing.T) {
	e := Errorf(CodeSyntax, "bad %s", "x").At(3).At(9).WithHint("try %d", 1).WithDetail("d")
	if e.Pos != 3 || e.Error() != "bad x (hint: try 1)" || e.Detail != "d" || AsError(e) != e {
		t.Errorf("%+v", e)
	}
	if AsError(strings.NewReader("").UnreadByte()).Code != CodeInternal {
		t.Error("a foreign error must be internal")
	}
	for name, want := range map[string]string{"cuont": "count", "ssum": "sum", "zzzzz": "", "min": "min"} {
		if got := Suggest(name, []string{"count", "sum", "min", "max"}); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestCalendar(t *testing.T) {
	days := DaysFromCivil(-5000, 1, 1)
	for y := int64(-5000); y < 13000; y++ {
		for m := 1; m <= 12; m++ {
			if got := DaysFromCivil(y, m, 1); got != days {
				t.Fatalf("%d-%d-1 is day %d, want %d", y, m, got, days)
			}
			last := days + int64(DaysInMonth(y, m)) - 1
			if yy, mm, dd := CivilFromDays(last); yy != y || mm != m || dd != DaysInMonth(y, m) {
				t.Fatalf("day %d is %d-%d-%d", last, yy, mm, dd)
			}
			days = last + 1
		}
	}
	if DaysFromCivil(1970, 1, 1) != 0 || DaysFromCivil(2000, 3, 1) != 11017 {
		t.Error("epoch")
	}
	if day, us := SplitMicros(-1); day != -1 || us != MicrosPerDay-1 {
		t.Error(day, us)
	}
}

func TestTextOfExtremes(t *testing.T) {
	for _, tc := range []struct {
		v    Value
		want string
	}{
		{IntValue(Timestamp, math.MaxInt64), "infinity"}, {IntValue(Timestamptz, math.MinInt64), "-infinity"},
		{IntValue(Timestamptz, math.MaxInt64-1), "294247-01-10 04:00:54.775806+00"},
		{Value{Type: T(IntervalKind), Iv: Interval{Months: math.MinInt32, Days: math.MinInt32, Micros: math.MinInt64}},
			"-178956970 years -8 mons -2147483648 days -2562047788:00:54.775808"},
		{NullOf(T(Text)), ""},
		{Value{Type: T(UUID), S: "short"}, "73686f7274"},
	} {
		if got := FormatValue(tc.v, nil); got != tc.want {
			t.Errorf("got %s, want %s", got, tc.want)
		}
	}
	if _, err := ParseValue(T(Timestamptz), "now", nil); err == nil || err.Code != CodeNotSupported || err.Hint == "" {
		t.Error(err)
	}
}
