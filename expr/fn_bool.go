package expr

func boolFuncs() []*Func {
	construct := func(name string, run kernel) *Func {
		return &Func{Name: name, Kind: Construct, Sigs: []Sig{sig(tBool, run, tBool).nonStrict()}}
	}
	return []*Func{
		{Name: "is null", Kind: Construct, Sigs: []Sig{sig(tBool, nullTest(true), anyValue).nonStrict()}},
		{Name: "is not null", Kind: Construct, Sigs: []Sig{sig(tBool, nullTest(false), anyValue).nonStrict()}},
		construct("is true", boolTest(true, true)),
		construct("is not true", boolTest(true, false)),
		construct("is false", boolTest(false, true)),
		construct("is not false", boolTest(false, false)),
		construct("is unknown", nullTest(true)),
		construct("is not unknown", nullTest(false)),
	}
}

func nullTest(want bool) kernel {
	return func(f *frame, sel []int32) {
		a, out := f.args[0], f.out.B
		if len(a.Nulls) == 0 {
			for _, i := range sel {
				out[i] = !want
			}
			return
		}
		for _, i := range sel {
			out[i] = a.isNull(i) == want
		}
	}
}

// boolTest is IS value (is) or IS NOT value.
func boolTest(value, is bool) kernel {
	return func(f *frame, sel []int32) {
		a, out := f.args[0], f.out.B
		for _, i := range sel {
			out[i] = (!a.isNull(i) && a.B[a.at(i)] == value) == is
		}
	}
}
