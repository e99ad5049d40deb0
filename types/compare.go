package types

import (
	"bytes"
	"cmp"
	"strings"
)

// Compare orders row i of a and row j of b, both of one type and not NULL, as Postgres does: NaN is the greatest and equal to
// itself, text goes by its bytes (collation C), numerics by value, intervals with months of 30 days, networks as InetCompare,
// arrays element by element (NULL is the greatest element) and then by length, jsonb as CompareJSON.
// It is 0 exactly when AppendKey is the same.
func Compare(a *Vec, i int, b *Vec, j int) int {
	switch a.Type.Layout() {
	case LBool:
		return boolInt(a.B[i]) - boolInt(b.B[j])
	case LInt:
		return cmp.Compare(a.I[i], b.I[j])
	case LFloat:
		return CompareFloat(a.F[i], b.F[j])
	case LInterval:
		return a.V[i].Compare(b.V[j])
	default:
		return compareStr(a.Type, a.Str(i), b.Str(j))
	}
}

// CompareValues is Compare of scalars; NULL is equal to NULL and greater than all else.
func CompareValues(a, b Value) int {
	if a.Null || b.Null {
		return boolInt(a.Null) - boolInt(b.Null)
	}
	switch a.Type.Layout() {
	case LBool, LInt:
		return cmp.Compare(a.I, b.I)
	case LFloat:
		return CompareFloat(a.F, b.F)
	case LInterval:
		return a.Iv.Compare(b.Iv)
	}
	if a.Type.Kind == Text {
		return strings.Compare(a.S, b.S)
	}
	return compareStr(a.Type, []byte(a.S), []byte(b.S))
}

// CompareFloat orders floats with NaN last; -0 equals 0.
func CompareFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	}
	return boolInt(a != a) - boolInt(b != b)
}

func compareStr(t Type, a, b []byte) int {
	switch t.Kind {
	case Numeric:
		return CompareNumeric(a, b)
	case Inet, Cidr:
		return InetCompare(a, b)
	case JSONB:
		return CompareJSON(a, b)
	case Array:
		return compareArrays(t.Elem, a, b)
	default:
		return bytes.Compare(a, b)
	}
}

func compareArrays(elem Kind, a, b []byte) int {
	x, y := DecodeArray(elem, a), DecodeArray(elem, b)
	for k := range min(len(x), len(y)) {
		if c := CompareValues(x[k], y[k]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(x), len(y))
}
