// Package types holds what every other package talks in: SQL types, values, columnar batches,
// schemas, and errors with SQLSTATE and position. It imports the standard library only.
package types

import (
	"fmt"
	"strings"
)

// Kind is a SQL type without its modifiers.
type Kind uint8

// The kinds. Unknown is the type of an untyped literal and of NULL, as in Postgres.
const (
	Unknown Kind = iota
	Bool
	Int2
	Int4
	Int8
	Float4
	Float8
	Numeric
	Text
	Bytea
	Date
	Time
	Timestamp
	Timestamptz
	IntervalKind
	UUID
	Inet
	Cidr
	JSONB
	Array
	numKinds
)

// Type is a SQL type. It is comparable.
type Type struct {
	Kind Kind
	Elem Kind // of an Array
	// Mod is what stands in parentheses: length of varchar(n), precision of numeric(p,s); 0 = none.
	Mod   int32
	Scale int32 // of numeric(p,s)
}

// T returns the type of a kind without modifiers.
func T(k Kind) Type { return Type{Kind: k} }

// ArrayOf returns the array type of an element kind.
func ArrayOf(k Kind) Type { return Type{Kind: Array, Elem: k} }

// Base is the type without its modifiers.
func (t Type) Base() Type { return Type{Kind: t.Kind, Elem: t.Elem} }

// Layout is how the values of a column lie in memory: a closed set of five.
type Layout uint8

// The layouts.
const (
	LBool  Layout = iota
	LInt          // int64: integers; days of DATE; microseconds of TIME, TIMESTAMP(TZ)
	LFloat        // float64
	LStr          // bytes in the column's arena: text, and the encodings that the kind defines
	LInterval
)

// Layout returns the memory layout of the type's columns.
//
// What the bytes of an LStr column are: TEXT: UTF-8; BYTEA: the bytes; JSONB: canonical JSON text;
// NUMERIC: canonical decimal text ("-12.340", scale kept; "NaN"); UUID: 16 bytes; INET and CIDR:
// see net.go; arrays: see array.go; Unknown: the literal's text.
func (t Type) Layout() Layout {
	switch t.Kind {
	case Bool:
		return LBool
	case Int2, Int4, Int8, Date, Time, Timestamp, Timestamptz:
		return LInt
	case Float4, Float8:
		return LFloat
	case IntervalKind:
		return LInterval
	default:
		return LStr
	}
}

var kindNames = [numKinds]string{
	Unknown: "unknown", Bool: "boolean", Int2: "smallint", Int4: "integer", Int8: "bigint",
	Float4: "real", Float8: "double precision", Numeric: "numeric", Text: "text", Bytea: "bytea",
	Date: "date", Time: "time without time zone", Timestamp: "timestamp without time zone",
	Timestamptz: "timestamp with time zone", IntervalKind: "interval", UUID: "uuid", Inet: "inet",
	Cidr: "cidr", JSONB: "jsonb", Array: "array",
}

// String is the type's name as Postgres's format_type prints it.
func (t Type) String() string {
	switch {
	case t.Kind == Array:
		return T(t.Elem).String() + "[]"
	case t.Kind == Text && t.Mod > 0:
		return fmt.Sprintf("character varying(%d)", t.Mod)
	case t.Kind == Numeric && t.Mod > 0:
		return fmt.Sprintf("numeric(%d,%d)", t.Mod, t.Scale)
	}
	return kindNames[t.Kind]
}

// typeNames lists the spellings that a type may have in a statement, besides String's.
var typeNames = map[string]Kind{
	"bool": Bool, "boolean": Bool, "int2": Int2, "smallint": Int2, "int": Int4, "int4": Int4, "integer": Int4,
	"int8": Int8, "bigint": Int8, "float4": Float4, "real": Float4, "float8": Float8, "float": Float8,
	"double precision": Float8, "double": Float8, "numeric": Numeric, "decimal": Numeric, "text": Text, "varchar": Text,
	"character varying": Text, "string": Text, "bytea": Bytea, "date": Date, "time": Time,
	"time without time zone": Time, "timestamp": Timestamp, "timestamp without time zone": Timestamp,
	"timestamptz": Timestamptz, "timestamp with time zone": Timestamptz, "interval": IntervalKind,
	"uuid": UUID, "inet": Inet, "cidr": Cidr, "jsonb": JSONB, "json": JSONB,
}

// ParseType reads a type name without modifiers ("bigint", "text[]"); ok is false if there is none such.
func ParseType(name string) (t Type, ok bool) {
	name = strings.Join(strings.Fields(strings.ToLower(name)), " ")
	if elem, isArray := strings.CutSuffix(name, "[]"); isArray {
		k, ok := typeNames[strings.TrimSpace(elem)]
		return ArrayOf(k), ok
	}
	k, ok := typeNames[name]
	return T(k), ok
}

// TypeNames returns every spelling ParseType knows, for suggestions.
func TypeNames() []string {
	names := make([]string, 0, len(typeNames))
	for n := range typeNames {
		names = append(names, n)
	}
	return names
}

// IsInt, IsFloat, IsNumber and IsTime classify types.
func (t Type) IsInt() bool    { return t.Kind == Int2 || t.Kind == Int4 || t.Kind == Int8 }
func (t Type) IsFloat() bool  { return t.Kind == Float4 || t.Kind == Float8 }
func (t Type) IsNumber() bool { return t.IsInt() || t.IsFloat() || t.Kind == Numeric }

// IsTime reports whether values are points in time that order events.
func (t Type) IsTime() bool { return t.Kind == Timestamp || t.Kind == Timestamptz }

// Interval is a Postgres interval: months and days have no fixed length, so the parts stay apart.
type Interval struct {
	Months, Days int32
	Micros       int64
}

// Fixed returns the interval's length in microseconds, and false if it contains months, whose length varies.
// A day counts 24 hours, as it does for windows in UTC.
func (v Interval) Fixed() (int64, bool) {
	return int64(v.Days)*86_400_000_000 + v.Micros, v.Months == 0
}

// Compare orders intervals as Postgres does: a month is 30 days, a day 24 hours.
func (v Interval) Compare(w Interval) int {
	// Days and microseconds are compared apart from their carry, so that nothing overflows.
	norm := func(x Interval) (days, micros int64) {
		days = int64(x.Months)*30 + int64(x.Days) + x.Micros/86_400_000_000
		micros = x.Micros % 86_400_000_000
		if micros < 0 {
			micros += 86_400_000_000
			days--
		}
		return
	}
	d1, m1 := norm(v)
	d2, m2 := norm(w)
	switch {
	case d1 != d2 && d1 < d2, d1 == d2 && m1 < m2:
		return -1
	case d1 == d2 && m1 == m2:
		return 0
	}
	return 1
}
