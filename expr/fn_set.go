package expr

import (
	"regexp"

	"rhumb/types"
)

// A set-returning function is computed as an array, whose elements are the rows; the planner puts an Unnest on top.

func setFuncs() []*Func {
	srf := func(name, doc string, sigs ...Sig) *Func {
		return &Func{Name: name, Kind: SetReturning, Doc: doc, Sigs: sigs}
	}
	int8s := types.ArrayOf(types.Int8)
	int4s := types.ArrayOf(types.Int4)
	stamps, stampsTZ := types.ArrayOf(types.Timestamp), types.ArrayOf(types.Timestamptz)
	fs := []*Func{
		srf("unnest", "The elements of an array.", sig(anyArray, copyKernel, anyArray)),
		srf("generate_series", "The values from a start to an end, by a step.",
			sig(int4s, seriesKernel, tInt4, tInt4), sig(int4s, seriesKernel, tInt4, tInt4, tInt4),
			sig(int8s, seriesKernel, tInt8, tInt8), sig(int8s, seriesKernel, tInt8, tInt8, tInt8),
			sig(stamps, timeSeries, tTimestamp, tTimestamp, tInterval), sig(stampsTZ, timeSeries, tTimestamptz, tTimestamptz, tInterval)),
		srf("jsonb_array_elements", "The elements of a JSON array.", sig(types.ArrayOf(types.JSONB), jsonElements(false), tJSONB)),
		srf("jsonb_array_elements_text", "The elements of a JSON array as text.", sig(tTextArray, jsonElements(true), tJSONB)),
		srf("jsonb_object_keys", "The keys of a JSON object.", sig(tTextArray, jsonKeys, tJSONB)),
		srf("regexp_split_to_table", "The parts between the matches.", withRegexp(tTextArray, -1, false, regexpSplit, tText, tText),
			withRegexp(tTextArray, 2, false, regexpSplit, tText, tText, tText)),
		srf("string_to_table", "The parts between delimiters.", sig(tTextArray, stringToArray, tText, tText).nonStrict(), sig(tTextArray, stringToArray, tText, tText, tText).nonStrict()),
		srf("regexp_matches", "The groups of each match (with the flag g), as arrays.", withRegexp(tTextArray, -1, false, regexpMatches, tText, tText),
			withRegexp(tTextArray, 2, false, regexpMatches, tText, tText, tText)),
	}
	for _, f := range fs {
		if name, ok := jsonSpelling(f.Name); ok {
			fs = append(fs, &Func{Name: name, Kind: SetReturning, Doc: f.Doc, Sigs: f.Sigs})
		}
	}
	return fs
}

// NewSetReturning resolves a set-returning function. The expression's type is an array, whose elements are the rows.
func NewSetReturning(name string, args []Expr, pos int) (Expr, error) {
	f := lookup(name)
	if f == nil || f.Kind != SetReturning {
		return nil, unknownFunction(name, args, pos)
	}
	if f.Name == "regexp_matches" {
		return nil, types.Errorf(types.CodeNotSupported, "regexp_matches is not supported: its rows are arrays").At(pos).
			WithHint("Use regexp_match for the first match, or regexp_split_to_table.")
	}
	if f.Name == "unnest" && len(args) == 1 && args[0].Type().Kind == types.Array {
		return args[0], nil
	}
	return newCall(f, args, pos)
}

// regexpMatches is there for its signature; NewSetReturning refuses it.
func regexpMatches(f *frame, i int32, _ *regexp.Regexp, _ regexFlags) { f.setNull(i) }

// maxSeries bounds generate_series, which is held in memory.
const maxSeries = 1 << 20

func stepZero() *types.Error {
	return types.Errorf(types.CodeInvalidOption, "step size cannot equal zero")
}

func seriesTooLong() *types.Error {
	return types.Errorf(types.CodeProgramLimit, "generate_series makes more than %d rows", maxSeries)
}

var seriesKernel = each(func(f *frame, i int32) {
	from, to, step := f.int(0, i), f.int(1, i), int64(1)
	if len(f.args) > 2 {
		step = f.int(2, i)
	}
	if step == 0 {
		f.fail(i, stepZero())
		return
	}
	kind := f.out.Type.Elem
	var elems []types.Value
	for x := from; step > 0 && x <= to || step < 0 && x >= to; {
		if len(elems) == maxSeries {
			f.fail(i, seriesTooLong())
			return
		}
		elems = append(elems, types.IntValue(kind, x))
		next := x + step
		if (next^x)&(next^step) < 0 {
			break
		}
		x = next
	}
	f.setArray(i, elems)
})

var timeSeries = each(func(f *frame, i int32) {
	from, to, step := f.int(0, i), f.int(1, i), f.iv(2, i)
	direction := step.Compare(types.Interval{})
	if direction == 0 {
		f.fail(i, stepZero())
		return
	}
	kind := f.out.Type.Elem
	zone := f.ctx.Zone
	if kind == types.Timestamp {
		zone = nil
	}
	var elems []types.Value
	for x := from; direction > 0 && x <= to || direction < 0 && x >= to; {
		if len(elems) == maxSeries {
			f.fail(i, seriesTooLong())
			return
		}
		elems = append(elems, types.IntValue(kind, x))
		next, ok := addInterval(x, step, zone)
		if !ok || (next > x) != (direction > 0) {
			break
		}
		x = next
	}
	f.setArray(i, elems)
})

func jsonElements(asText bool) kernel {
	return each(func(f *frame, i int32) {
		b := f.str(0, i)
		switch {
		case jsonScalar(b):
			f.fail(i, types.Errorf(types.CodeInvalidOption, "cannot extract elements from a scalar"))
			return
		case jsonKind(b) == "object":
			f.fail(i, types.Errorf(types.CodeInvalidOption, "cannot extract elements from an object"))
			return
		}
		dst := types.AppendArrayHeader(f.begin(), jsonCount(b))
		for m := membersOf(b); ; {
			_, v, ok := m.next()
			if !ok {
				break
			}
			e := types.Value{Type: types.T(f.out.Type.Elem), S: text(v)}
			if asText {
				var notNull bool
				f.buf, notNull = appendJSONText(f.buf[:0], v)
				e.S, e.Null = text(f.buf), !notNull
			}
			dst = types.AppendArrayElem(dst, e)
		}
		f.end(i, dst)
	})
}

var jsonKeys = each(func(f *frame, i int32) {
	b := f.str(0, i)
	if jsonKind(b) != "object" {
		what := "a scalar"
		if !jsonScalar(b) {
			what = "an array"
		}
		f.fail(i, types.Errorf(types.CodeInvalidOption, "cannot call jsonb_object_keys on %s", what))
		return
	}
	dst := types.AppendArrayHeader(f.begin(), jsonCount(b))
	for m := membersOf(b); ; {
		key, _, ok := m.next()
		if !ok {
			break
		}
		f.buf = appendUnescaped(f.buf[:0], key)
		dst = types.AppendArrayElem(dst, types.TextValue(text(f.buf)))
	}
	f.end(i, dst)
})
