package expr

import "rhumb/types"

// The types, shorter, for the tables of functions.
var (
	tUnknown     = types.T(types.Unknown)
	tBool        = types.T(types.Bool)
	tInt2        = types.T(types.Int2)
	tInt4        = types.T(types.Int4)
	tInt8        = types.T(types.Int8)
	tFloat4      = types.T(types.Float4)
	tFloat8      = types.T(types.Float8)
	tNumeric     = types.T(types.Numeric)
	tText        = types.T(types.Text)
	tBytea       = types.T(types.Bytea)
	tDate        = types.T(types.Date)
	tTime        = types.T(types.Time)
	tTimestamp   = types.T(types.Timestamp)
	tTimestamptz = types.T(types.Timestamptz)
	tInterval    = types.T(types.IntervalKind)
	tUUID        = types.T(types.UUID)
	tInet        = types.T(types.Inet)
	tCidr        = types.T(types.Cidr)
	tJSONB       = types.T(types.JSONB)
	tTextArray   = types.ArrayOf(types.Text)
)

// scalarTypes are the types that have values of their own, in the order of declaration.
var scalarTypes = []types.Type{tBool, tInt2, tInt4, tInt8, tFloat4, tFloat8, tNumeric, tText, tBytea, tDate, tTime,
	tTimestamp, tTimestamptz, tInterval, tUUID, tInet, tCidr, tJSONB}

// The pseudo-types of signatures, after Postgres's anycompatible family: all anyElem of a call are one type, and the
// elements of its anyArrays are that type too. anyValue takes whatever comes, each argument for itself.
const (
	kindAny types.Kind = 240 + iota
	kindElem
	kindArray
	kindNonArray
)

var (
	anyValue    = types.T(kindAny)
	anyElem     = types.T(kindElem)
	anyArray    = types.T(kindArray)
	anyNonArray = types.T(kindNonArray)
)

func isPseudo(t types.Type) bool { return t.Kind >= kindAny }

// typeName is Type.String, of pseudo-types too.
func typeName(t types.Type) string {
	switch t.Kind {
	case kindAny:
		return `"any"`
	case kindElem:
		return "anyelement"
	case kindArray:
		return "anyarray"
	case kindNonArray:
		return "anynonarray"
	}
	return t.String()
}

// category is Postgres's typcategory, as far as overload resolution needs it.
func category(t types.Type) byte {
	switch t.Kind {
	case types.Unknown:
		return 'X'
	case types.Bool:
		return 'B'
	case types.Int2, types.Int4, types.Int8, types.Float4, types.Float8, types.Numeric:
		return 'N'
	case types.Text:
		return 'S'
	case types.Date, types.Time, types.Timestamp, types.Timestamptz:
		return 'D'
	case types.IntervalKind:
		return 'T'
	case types.Inet, types.Cidr:
		return 'I'
	case types.Array:
		return 'A'
	case kindAny, kindElem, kindArray, kindNonArray:
		return 'P'
	}
	return 'U'
}

// preferred is Postgres's typispreferred.
func preferred(t types.Type) bool {
	switch t.Kind {
	case types.Bool, types.Float8, types.Text, types.Timestamptz, types.IntervalKind, types.Inet:
		return true
	}
	return false
}

// castLevel says where a cast may be used: each level includes those above it.
type castLevel uint8

const (
	castNone castLevel = iota
	castExplicit
	castAssignment
	castImplicit
)

// castRank orders the numbers: a cast towards a higher rank is implicit, the other way needs an assignment.
func castRank(k types.Kind) int {
	switch k {
	case types.Int2:
		return 1
	case types.Int4:
		return 2
	case types.Int8:
		return 3
	case types.Numeric:
		return 4
	case types.Float4:
		return 5
	case types.Float8:
		return 6
	}
	return 0
}

// levelOf is pg_cast: how a value of from may become one of to. Modifiers do not matter.
func levelOf(from, to types.Type) castLevel {
	if from.Base() == to.Base() || from.Kind == types.Unknown {
		return castImplicit
	}
	if from.Kind == types.Array && to.Kind == types.Array {
		return levelOf(types.T(from.Elem), types.T(to.Elem))
	}
	if a, b := castRank(from.Kind), castRank(to.Kind); a > 0 && b > 0 {
		if a < b {
			return castImplicit
		}
		return castAssignment
	}
	if to.Kind == types.Text {
		return castAssignment
	}
	if from.Kind == types.Text {
		return castExplicit
	}
	switch [2]types.Kind{from.Kind, to.Kind} {
	case [2]types.Kind{types.Date, types.Timestamp}, [2]types.Kind{types.Date, types.Timestamptz},
		[2]types.Kind{types.Timestamp, types.Timestamptz}, [2]types.Kind{types.Time, types.IntervalKind},
		[2]types.Kind{types.Cidr, types.Inet}:
		return castImplicit
	case [2]types.Kind{types.Timestamp, types.Date}, [2]types.Kind{types.Timestamp, types.Time},
		[2]types.Kind{types.Timestamptz, types.Date}, [2]types.Kind{types.Timestamptz, types.Time},
		[2]types.Kind{types.Timestamptz, types.Timestamp}, [2]types.Kind{types.IntervalKind, types.Time},
		[2]types.Kind{types.Inet, types.Cidr}:
		return castAssignment
	case [2]types.Kind{types.Bool, types.Int4}, [2]types.Kind{types.Int4, types.Bool}:
		return castExplicit
	}
	if from.Kind == types.JSONB && (to.Kind == types.Bool || to.IsNumber()) {
		return castExplicit
	}
	return castNone
}

func implicitly(from, to types.Type) bool { return levelOf(from, to) == castImplicit }

// NewCast is CAST(e AS to). 42846 when there is no such cast; a literal is parsed now (22P02 with position).
func NewCast(e Expr, to types.Type, pos int) (Expr, error) {
	from := e.Type()
	if levelOf(from, to) == castNone {
		return nil, types.Errorf(types.CodeCannotCoerce, "cannot cast type %s to %s", from, to).At(pos)
	}
	return convert(e, to, pos)
}

// Coerce is the implicit cast, as between the branches of a CASE or the members of an IN list; 42804 when there is none.
func Coerce(e Expr, to types.Type, pos int) (Expr, error) {
	if from := e.Type(); !implicitly(from, to) {
		err := types.Errorf(types.CodeDatatypeMismatch, "type %s cannot be used where %s is expected", from, to).At(pos)
		if levelOf(from, to) != castNone {
			err = err.WithHint("Write an explicit cast: %s::%s", operand(e), to)
		}
		return nil, err
	}
	return convert(e, to, pos)
}

// Assign is the cast of INSERT and of declared columns, laxer than Coerce; 42804 when there is none.
func Assign(e Expr, to types.Type, pos int) (Expr, error) {
	if from := e.Type(); levelOf(from, to) < castAssignment {
		return nil, types.Errorf(types.CodeDatatypeMismatch, "expression is of type %s but the column is of type %s", from, to).At(pos).
			WithHint("Write an explicit cast: %s::%s", operand(e), to)
	}
	return convert(e, to, pos)
}

// convert makes the cast node of a cast that is known to exist.
func convert(e Expr, to types.Type, pos int) (Expr, error) {
	from := e.Type()
	if from == to || from.Base() == to.Base() && to == to.Base() && from.Kind != types.Array {
		if from == to {
			return e, nil
		}
		return &Cast{Arg: e, To: to, Pos: pos}, nil
	}
	c, isConst := e.(*Const)
	if !isConst {
		return &Cast{Arg: e, To: to, Pos: pos}, nil
	}
	if c.Value.Null {
		return &Const{types.NullOf(to)}, nil
	}
	if from.Kind == types.Unknown {
		return parseLiteral(c.Value.S, to, pos)
	}
	cast := &Cast{Arg: e, To: to, Pos: pos}
	if zoned(from) != zoned(to) {
		return cast, nil
	}
	return Fold(cast), nil
}

// parseLiteral gives a literal its type. A literal whose meaning depends on the session's zone stays a cast, to be
// computed where the zone is known.
func parseLiteral(s string, to types.Type, pos int) (Expr, error) {
	cast := &Cast{Arg: &Const{types.TextValue(s)}, To: to, Pos: pos}
	v, err := constValue(cast, nil)
	if err != nil {
		return nil, err.At(pos)
	}
	if zoned(to) {
		if w, err := constValue(cast, otherZone); err != nil || types.CompareValues(v, w) != 0 {
			return cast, nil
		}
	}
	return &Const{v}, nil
}

// zoned reports whether text and values of the type are related by the session's zone.
func zoned(t types.Type) bool {
	return t.Kind == types.Timestamptz || t.Kind == types.Array && t.Elem == types.Timestamptz
}

// CommonType is the type that Postgres resolves for UNION, CASE and similar: 42804 when there is none.
func CommonType(pos int, es ...Expr) (types.Type, error) {
	ts := make([]types.Type, len(es))
	for i, e := range es {
		ts[i] = e.Type()
	}
	return commonType(pos, ts)
}

func commonType(pos int, ts []types.Type) (types.Type, error) {
	same := len(ts) > 0
	for _, t := range ts {
		same = same && t == ts[0]
	}
	if same && ts[0].Kind != types.Unknown {
		return ts[0], nil
	}
	best := tUnknown
	for _, t := range ts {
		t = t.Base()
		switch {
		case t.Kind == types.Unknown || t == best:
		case best.Kind == types.Unknown:
			best = t
		case category(t) != category(best):
			return best, types.Errorf(types.CodeDatatypeMismatch, "types %s and %s cannot be matched", best, t).At(pos).
				WithHint("Add an explicit cast to one of the values.")
		case !preferred(best) && implicitly(best, t) && !implicitly(t, best):
			best = t
		}
	}
	if best.Kind == types.Unknown {
		return tText, nil
	}
	for _, t := range ts {
		if !implicitly(t, best) {
			return best, types.Errorf(types.CodeDatatypeMismatch, "types %s and %s cannot be matched", best, t).At(pos).
				WithHint("Add an explicit cast to one of the values.")
		}
	}
	return best, nil
}

// coerceAll coerces each expression to the common type.
func coerceAll(es []Expr, pos int) ([]Expr, types.Type, error) {
	t, err := CommonType(pos, es...)
	if err != nil {
		return nil, t, err
	}
	out := make([]Expr, len(es))
	for i, e := range es {
		if out[i], err = Coerce(e, t, pos); err != nil {
			return nil, t, err
		}
	}
	return out, t, nil
}
