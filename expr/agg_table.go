package expr

import "rhumb/types"

// aggFuncs is the one table of aggregates. Overloads of a name stand together; the documentation, pg_proc and completion
// derive from it. It is never changed.
var aggFuncs = aggTable()

func aggTable() []*AggFunc {
	var t []*AggFunc
	add := func(f AggFunc) { t = append(t, &f) }
	addCounts(add)
	addSums(add)
	addAvgs(add)
	addExtremes(add)
	addLists(add)
	addStatistics(add)
	return t
}

func kinds(ks ...types.Kind) []types.Kind { return ks }

func addCounts(add func(AggFunc)) {
	newCount := func(c *AggCall) Accumulator { return &countAcc{} }
	add(AggFunc{Name: "count", Doc: "Number of rows.", Result: types.Int8, Invertible: true, make: newCount})
	add(AggFunc{Name: "count", Doc: "Number of rows in which the argument is not NULL.", Args: kinds(AnyKind), Result: types.Int8,
		Invertible: true, make: newCount})
}

func addSums(add func(AggFunc)) {
	const doc = "Sum of the values that are not NULL; NULL if there is none."
	newInt := func(c *AggCall) Accumulator { return &sumIntAcc{} }
	newFloat := func(c *AggCall) Accumulator { return &floatAcc{kind: c.Args[0].Type().Kind} }
	for _, k := range kinds(types.Int2, types.Int4) {
		add(AggFunc{Name: "sum", Doc: doc, Args: kinds(k), Result: types.Int8, Invertible: true, make: newInt})
	}
	add(AggFunc{Name: "sum", Doc: doc, Args: kinds(types.Int8), Result: types.Numeric, Invertible: true,
		make: func(c *AggCall) Accumulator { return &sumWideAcc{} }})
	add(AggFunc{Name: "sum", Doc: doc, Args: kinds(types.Numeric), Result: types.Numeric,
		make: func(c *AggCall) Accumulator { return newDecimalAcc(decimalSumResult, 1) }})
	for _, k := range kinds(types.Float4, types.Float8) {
		add(AggFunc{Name: "sum", Doc: doc + " The last digits depend on the order of the rows.", Args: kinds(k), Result: k,
			OrderSensitive: true, make: newFloat})
	}
	add(AggFunc{Name: "sum", Doc: doc, Args: kinds(types.IntervalKind), Result: types.IntervalKind, Invertible: true,
		make: func(c *AggCall) Accumulator { return &intervalAcc{} }})
}

func addAvgs(add func(AggFunc)) {
	const doc = "Arithmetic mean of the values that are not NULL; NULL if there is none."
	for _, k := range kinds(types.Int2, types.Int4, types.Int8) {
		add(AggFunc{Name: "avg", Doc: doc, Args: kinds(k), Result: types.Numeric, Invertible: true,
			make: func(c *AggCall) Accumulator { return &sumWideAcc{avg: true} }})
	}
	add(AggFunc{Name: "avg", Doc: doc, Args: kinds(types.Numeric), Result: types.Numeric,
		make: func(c *AggCall) Accumulator { return newDecimalAcc(decimalAvgResult, 1) }})
	for _, k := range kinds(types.Float4, types.Float8) {
		add(AggFunc{Name: "avg", Doc: doc + " The last digits depend on the order of the rows.", Args: kinds(k), Result: types.Float8,
			OrderSensitive: true, make: func(c *AggCall) Accumulator { return &floatAcc{kind: types.Float8, avg: true} }})
	}
	add(AggFunc{Name: "avg", Doc: doc, Args: kinds(types.IntervalKind), Result: types.IntervalKind, Invertible: true,
		make: func(c *AggCall) Accumulator { return &intervalAcc{avg: true} }})
}

func addExtremes(add func(AggFunc)) {
	extreme := func(max bool) func(c *AggCall) Accumulator {
		return func(c *AggCall) Accumulator { return newExtremeAcc(c.Args[0].Type(), max) }
	}
	add(AggFunc{Name: "min", Doc: "Least of the values that are not NULL.", Args: kinds(AnyKind), Result: AnyKind, skipDistinct: true,
		make: extreme(false)})
	add(AggFunc{Name: "max", Doc: "Greatest of the values that are not NULL.", Args: kinds(AnyKind), Result: AnyKind, skipDistinct: true,
		make: extreme(true)})
	for _, name := range []string{"bool_and", "every"} {
		add(AggFunc{Name: name, Doc: "True if all values that are not NULL are true.", Args: kinds(types.Bool), Result: types.Bool,
			skipDistinct: true, make: extreme(false)})
	}
	add(AggFunc{Name: "bool_or", Doc: "True if any value is true.", Args: kinds(types.Bool), Result: types.Bool, skipDistinct: true,
		make: extreme(true)})
	const order = " in the order of ORDER BY, or else of event time."
	add(AggFunc{Name: "first", Doc: "The first value that is not NULL" + order, Args: kinds(AnyKind), Result: AnyKind, OrderSensitive: true,
		sorts: true, skipDistinct: true, make: func(c *AggCall) Accumulator { return newFirstAcc(c, false) }})
	add(AggFunc{Name: "last", Doc: "The last value that is not NULL" + order, Args: kinds(AnyKind), Result: AnyKind, OrderSensitive: true,
		sorts: true, skipDistinct: true, make: func(c *AggCall) Accumulator { return newFirstAcc(c, true) }})
	const arg = " value of the second argument; NULLs are passed over, of equals the first in event time counts."
	add(AggFunc{Name: "arg_min", Doc: "The first argument in the row with the least" + arg, Args: kinds(AnyKind, AnyKind), Result: AnyKind,
		skipDistinct: true, make: func(c *AggCall) Accumulator { return newArgAcc(c, false) }})
	add(AggFunc{Name: "arg_max", Doc: "The first argument in the row with the greatest" + arg, Args: kinds(AnyKind, AnyKind), Result: AnyKind,
		skipDistinct: true, make: func(c *AggCall) Accumulator { return newArgAcc(c, true) }})
}

func addLists(add func(AggFunc)) {
	const order = " In the order of ORDER BY, or else of event time; with DISTINCT ordered by value."
	add(AggFunc{Name: "array_agg", Doc: "Array of all values, NULLs included." + order, Args: kinds(AnyKind), Result: types.Array,
		OrderSensitive: true, sorts: true, make: func(c *AggCall) Accumulator { return newListAcc(c, false) }})
	for _, k := range kinds(types.Text, types.Bytea) {
		add(AggFunc{Name: "string_agg", Doc: "The values that are not NULL, each but the first after its delimiter." + order, Args: kinds(k, k),
			Result: k, OrderSensitive: true, sorts: true, make: func(c *AggCall) Accumulator { return newListAcc(c, true) }})
	}
}

func addStatistics(add func(AggFunc)) {
	for _, s := range []struct {
		name, doc string
		stat      statistic
	}{
		{"stddev", "Sample standard deviation (stddev_samp).", statistic{sample: true, root: true}},
		{"stddev_samp", "Sample standard deviation.", statistic{sample: true, root: true}},
		{"stddev_pop", "Population standard deviation.", statistic{root: true}},
		{"variance", "Sample variance (var_samp).", statistic{sample: true}},
		{"var_samp", "Sample variance.", statistic{sample: true}},
		{"var_pop", "Population variance.", statistic{}},
	} {
		for _, k := range kinds(types.Int2, types.Int4, types.Int8, types.Numeric) {
			add(AggFunc{Name: s.name, Doc: s.doc, Args: kinds(k), Result: types.Numeric,
				make: func(c *AggCall) Accumulator { return newDecimalAcc(s.stat.decimalResult, 2) }})
		}
		for _, k := range kinds(types.Float4, types.Float8) {
			add(AggFunc{Name: s.name, Doc: s.doc + " The last digits depend on the order of the rows.", Args: kinds(k), Result: types.Float8,
				OrderSensitive: true, make: func(c *AggCall) Accumulator { return &floatStatAcc{stat: s.stat} }})
		}
	}
}
