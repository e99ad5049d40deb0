package expr

import (
	"fmt"
	"slices"
	"strings"

	"rhumb/types"
)

// Accumulator is an aggregate's state of many groups, column-wise by dense group id, without Go pointers per group.
type Accumulator interface {
	// Resize makes groups [0, groups) exist; new ones are initialised. Their number never falls, except that Resize(0) empties
	// and keeps the memory.
	Resize(groups int)
	// Update adds row rows[j] (physical) to group groups[j]. args are the evaluated arguments of the batch (FILTER is the
	// caller's: it hands over only the rows to add), order the evaluated ORDER BY keys of the call; o gives each row's canonical
	// order (Time, Part, Off, Sub), by which first, last, array_agg and string_agg order their values besides ORDER BY, so that
	// results do not depend on how the input was cut into steps. Rows without coordinates (o nil or empty) and rows of the same
	// keep the order of their arrival.
	Update(ctx *Ctx, groups []uint32, rows []int32, args, order []*types.Vec, o *types.Origin)
	// Merge adds group i of from, an accumulator of the same call, to group groups[i].
	Merge(groups []uint32, from Accumulator)
	// Result appends the results of groups [lo, hi) to out, whose type is the call's. A group without rows gives what
	// Postgres gives (count 0, others NULL). A result that does not fit its type is NULL and an error in ctx.Errs, whose Row is
	// the index in out: an overflow is judged by the whole group, not by the row on the way.
	Result(ctx *Ctx, out *types.Vec, lo, hi int)
	// Save appends the state; Load reads it into an empty accumulator. Corrupted bytes set d.Err and leave it empty.
	Save(e *types.Encoder)
	Load(d *types.Decoder)
	// Bytes is the memory that the state holds.
	Bytes() int
}

// AnyKind in an AggFunc is any type.
const AnyKind types.Kind = 255

// AggFunc is one overload of an aggregate.
type AggFunc struct {
	Name string
	Doc  string
	Args []types.Kind // none = count(*)
	// Result is the kind of the result; AnyKind is the type of the first argument, Array an array of it.
	Result types.Kind
	// OrderSensitive says that the result depends on the order of the rows (sums of floats: in their last digits).
	OrderSensitive bool
	// Invertible says that rows could be taken out again exactly.
	Invertible bool

	sorts        bool // uses ORDER BY
	skipDistinct bool // DISTINCT changes nothing
	make         func(c *AggCall) Accumulator
}

// Signature is the overload as the documentation prints it.
func (f *AggFunc) Signature() string {
	args := make([]string, len(f.Args))
	for i, k := range f.Args {
		args[i] = kindDoc(k)
	}
	if len(args) == 0 {
		args = []string{"*"}
	}
	result := kindDoc(f.Result)
	if f.Result == types.Array {
		result = "anyarray"
	}
	return f.Name + "(" + strings.Join(args, ", ") + ") -> " + result
}

func kindDoc(k types.Kind) string {
	if k == AnyKind {
		return "any"
	}
	return types.T(k).String()
}

// IsAggregate reports whether name is an aggregate.
func IsAggregate(name string) bool {
	for _, f := range aggFuncs {
		if f.Name == name {
			return true
		}
	}
	return false
}

// AggFuncs returns every overload of every aggregate, ordered by name, for the documentation and the catalogs.
func AggFuncs() []*AggFunc {
	fs := slices.Clone(aggFuncs)
	slices.SortStableFunc(fs, func(a, b *AggFunc) int { return strings.Compare(a.Name, b.Name) })
	return fs
}

// NewAgg resolves an aggregate by lower-case name and argument types (count(*) has no arguments), and casts its arguments.
func NewAgg(name string, args []Expr, distinct bool, order []SortKey, filter Expr, pos int) (*AggCall, error) {
	f, args, err := resolveAgg(name, args, pos)
	if err != nil {
		return nil, err
	}
	c := &AggCall{Func: f, Args: args, OrderBy: order, Filter: filter, Pos: pos, Distinct: distinct && !f.skipDistinct}
	switch f.Result {
	case AnyKind:
		c.T = args[0].Type().Base()
	case types.Array:
		c.T = types.ArrayOf(args[0].Type().Kind)
	default:
		c.T = types.T(f.Result)
	}
	if distinct && len(args) == 0 {
		return nil, types.Errorf(types.CodeSyntax, "DISTINCT needs an argument").At(pos).WithHint("Write count(DISTINCT x).")
	}
	if filter != nil && filter.Type().Kind != types.Bool {
		if c.Filter, err = Coerce(filter, types.T(types.Bool), pos); err != nil {
			return nil, err
		}
	}
	if !f.sorts {
		c.OrderBy = nil // the result does not depend on it
	}
	if !c.Distinct {
		return c, nil
	}
	for _, k := range c.OrderBy {
		if indexOfExpr(args, k.Expr) < 0 {
			return nil, types.Errorf("42P10", "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list").At(pos).
				WithHint("Order by an argument of %s, or leave DISTINCT out.", name)
		}
	}
	return c, nil
}

func indexOfExpr(list []Expr, e Expr) int {
	return slices.IndexFunc(list, func(x Expr) bool { return x == e || Equal(x, e) })
}

// resolveAgg picks the overload whose arguments are nearest to those given.
func resolveAgg(name string, args []Expr, pos int) (*AggFunc, []Expr, error) {
	var best *AggFunc
	bestCost, ties, known := 1<<30, 0, false
	for _, f := range aggFuncs {
		if f.Name != name {
			continue
		}
		known = true
		switch cost := aggCost(f, args); {
		case cost < 0 || cost > bestCost:
		case cost == bestCost:
			ties++
		default:
			best, bestCost, ties = f, cost, 0
		}
	}
	if best == nil {
		return nil, nil, aggNotFound(name, args, known).At(pos)
	}
	if ties > 0 {
		return nil, nil, types.Errorf(types.CodeAmbiguousFunction, "function %s is not unique", callText(name, args)).At(pos).
			WithHint("Could not choose a best candidate function. You might need to add explicit type casts.")
	}
	out := make([]Expr, len(args))
	for i, a := range args {
		want := best.Args[i]
		if want == AnyKind && a.Type().Kind == types.Unknown {
			want = types.Text
		}
		out[i] = a
		if want == AnyKind || a.Type().Kind == want {
			continue
		}
		var err error
		if out[i], err = Coerce(a, types.T(want), pos); err != nil {
			return nil, nil, err
		}
	}
	if best.Result == types.Array && out[0].Type().Kind == types.Array {
		return nil, nil, types.Errorf(types.CodeNotSupported, "%s of arrays is not supported", name).At(pos).
			WithHint("Arrays have one dimension; unnest the array first.")
	}
	return best, out, nil
}

// aggCost is how far the arguments are from a signature; -1 if they do not fit.
func aggCost(f *AggFunc, args []Expr) int {
	if len(args) != len(f.Args) {
		return -1
	}
	cost := 0
	for i, want := range f.Args {
		got := args[i].Type().Kind
		switch {
		case got == want || want == AnyKind:
		case got == types.Unknown && want == types.Text: // the preferred type of literals
			cost++
		case got == types.Unknown:
			cost += 2
		case numberRank(got) > 0 && numberRank(got) < numberRank(want):
			cost += numberRank(want) - numberRank(got)
		default:
			return -1
		}
	}
	return cost
}

// numberRank is a kind's place in the tower of implicit numeric casts; 0 = not in it.
func numberRank(k types.Kind) int {
	return 1 + slices.Index([]types.Kind{types.Int2, types.Int4, types.Int8, types.Numeric, types.Float4, types.Float8}, k)
}

func callText(name string, args []Expr) string {
	names := make([]string, len(args))
	for i, a := range args {
		names[i] = a.Type().Base().String()
	}
	return name + "(" + strings.Join(names, ", ") + ")"
}

func aggNotFound(name string, args []Expr, known bool) *types.Error {
	e := types.Errorf(types.CodeUndefinedFunction, "function %s does not exist", callText(name, args))
	if known {
		var have []string
		for _, f := range aggFuncs {
			if f.Name == name {
				have = append(have, f.Signature())
			}
		}
		return e.WithHint("No function matches the given name and argument types. You might need to add explicit type casts.").
			WithDetail("There is %s.", strings.Join(have, "; "))
	}
	var names []string
	for _, f := range aggFuncs {
		names = append(names, f.Name)
	}
	if near := types.Suggest(name, names); near != "" {
		e = e.WithHint("Did you mean %s?", near)
	}
	return e
}

// NewAccumulator returns an empty accumulator of the call.
func (c *AggCall) NewAccumulator() Accumulator {
	if c.Distinct {
		return newDistinctAcc(c)
	}
	return c.Func.make(c)
}

// String is the call as EXPLAIN prints it.
func (c *AggCall) String() string {
	var b strings.Builder
	b.WriteString(c.Func.Name + "(")
	if c.Distinct {
		b.WriteString("DISTINCT ")
	}
	for i, a := range c.Args {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(a.String())
	}
	if len(c.Args) == 0 {
		b.WriteByte('*')
	}
	for i, k := range c.OrderBy {
		b.WriteString([]string{" ORDER BY ", ", "}[min(i, 1)])
		b.WriteString(k.Expr.String())
		if k.Desc {
			b.WriteString(" DESC")
		}
		if k.NullsFirst != k.Desc {
			b.WriteString([]string{" NULLS LAST", " NULLS FIRST"}[boolInt(k.NullsFirst)])
		}
	}
	b.WriteByte(')')
	if c.Filter != nil {
		fmt.Fprintf(&b, " FILTER (WHERE %s)", c.Filter)
	}
	return b.String()
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
