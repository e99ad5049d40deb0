package sqlite

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"unsafe"

	"zombiezen.com/go/sqlite"

	"rhumb/types"
)

// form is how a column's values are stored. Every form gives back exactly what was put in.
type form uint8

const (
	asInt     form = iota // INTEGER: the number; days of a DATE (microseconds would not hold all of Postgres's range); microseconds of a timestamp
	asBool                // INTEGER 0, 1
	asFloat               // real; NaN, which SQLite would make NULL, is the text 'NaN', and sorts last like in Postgres
	asBytes               // TEXT: text, canonical JSON, digits of a NUMERIC
	asBlob                // BLOB
	asPrinted             // TEXT: what Postgres prints
	asJSON                // TEXT: a JSON array, so that json_each reads it
	asEvents              // TEXT: the events of a lineage, in the short form of lineage.go
)

// storage says how a type is stored, and what of its values SQLite compares as Rhumb's kernels do.
type storage struct {
	form    form
	sqlType string
	equal   bool   // = <> IN
	ordered bool   // < <= > >= and ORDER BY
	collate string // of the latter; "" = by bytes or by number
}

// The collations that Rhumb's own connections have. Tables do not mention them, so that other programs can open the file.
const (
	collateNumeric = "rhumb_numeric"
	collateInet    = "rhumb_inet"
)

// storageOf is the one list of types.
func storageOf(t types.Type) storage {
	switch t.Kind {
	case types.Bool:
		return storage{asBool, "INTEGER", true, true, ""}
	case types.Int2, types.Int4, types.Int8, types.Date, types.Timestamp, types.Timestamptz:
		return storage{asInt, "INTEGER", true, true, ""}
	case types.Float4, types.Float8: // a column of type REAL would store -0 as the integer 0
		return storage{asFloat, "", true, true, ""}
	case types.Numeric:
		return storage{asBytes, "TEXT", true, true, collateNumeric}
	case types.Bytea:
		return storage{asBlob, "BLOB", true, true, ""}
	case types.Time, types.UUID: // fixed width up to the fraction, so text order is value order
		return storage{asPrinted, "TEXT", true, true, ""}
	case types.Inet, types.Cidr: // one spelling for each value, so by bytes they are equal or not
		return storage{asPrinted, "TEXT", true, true, collateInet}
	case types.IntervalKind: // '1 mon' = '30 days'
		return storage{asPrinted, "TEXT", false, false, ""}
	case types.JSONB: // 1 = 1.0
		return storage{asBytes, "TEXT", false, false, ""}
	case types.Array:
		if t.Elem == types.JSONB { // JSON does not tell its null from NULL
			return storage{asPrinted, "TEXT", false, false, ""}
		}
		return storage{asJSON, "TEXT", false, false, ""}
	default:
		return storage{asBytes, "TEXT", true, true, ""}
	}
}

func collations() map[string]sqlite.CollatingFunc {
	return map[string]sqlite.CollatingFunc{
		collateNumeric: func(a, b string) int { return types.CompareNumeric([]byte(a), []byte(b)) },
		collateInet: func(a, b string) int {
			x, err1 := types.ParseInet(a, false)
			y, err2 := types.ParseInet(b, false)
			if err1 != nil || err2 != nil { // a damaged value; an order all the same
				return bytes.Compare([]byte(a), []byte(b))
			}
			return types.InetCompare(x, y)
		},
	}
}

// column is a column of a document table.
type column struct {
	storage
	name   string // the user's, or a system column's
	sql    string // generated, or a system column's fixed name
	typ    types.Type
	entity string // the kind of entity that the values are; "" = none
}

// unsafeString views bytes as a string for a call that copies them.
func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bind sets a parameter to row i of v, which has the column's type. It returns scratch space for the next call.
func (c *column) bind(stmt *sqlite.Stmt, param int, v *types.Vec, i int, buf []byte) []byte {
	if v.Null(i) {
		stmt.BindNull(param)
		return buf
	}
	switch c.form {
	case asInt:
		stmt.BindInt64(param, v.I[i])
	case asBool:
		stmt.BindBool(param, v.B[i])
	case asFloat:
		if f := v.F[i]; f != f {
			stmt.BindText(param, "NaN")
		} else {
			stmt.BindFloat(param, f)
		}
	case asBytes:
		stmt.BindText(param, unsafeString(v.Str(i)))
	case asBlob:
		stmt.BindBytes(param, v.Str(i))
	case asPrinted:
		buf = types.AppendText(buf[:0], v, i, nil)
		stmt.BindText(param, unsafeString(buf))
	case asJSON:
		buf = types.AppendJSON(buf[:0], v, i)
		stmt.BindText(param, unsafeString(buf))
	}
	return buf
}

// read appends a result column to v, which has the column's type; ok is false if the value is none of it. Topics are the names that
// references to events show.
func (c *column) read(stmt *sqlite.Stmt, col int, v *types.Vec, topics map[uint32]string) (ok bool) {
	kind := stmt.ColumnType(col)
	if kind == sqlite.TypeNull {
		v.AppendNull()
		return true
	}
	switch c.form {
	case asInt:
		v.I = append(v.I, stmt.ColumnInt64(col))
		return kind == sqlite.TypeInteger
	case asBool:
		v.B = append(v.B, stmt.ColumnInt64(col) != 0)
		return kind == sqlite.TypeInteger
	case asFloat:
		if kind == sqlite.TypeText {
			v.F = append(v.F, math.NaN())
			return stmt.ColumnText(col) == "NaN"
		}
		v.F = append(v.F, stmt.ColumnFloat(col))
		return kind != sqlite.TypeBlob
	case asBytes:
		appendColumn(stmt, col, v)
		return kind == sqlite.TypeText
	case asBlob:
		appendColumn(stmt, col, v)
		return kind == sqlite.TypeBlob
	case asPrinted:
		x, err := parsePrinted(c.typ, stmt.ColumnText(col))
		v.AppendValue(x)
		return err == nil
	case asJSON:
		b, ok := parseJSONArray(c.typ.Elem, stmt.ColumnText(col))
		v.AppendStr(b)
		return ok
	case asEvents:
		b, ok := formatEvents(nil, stmt.ColumnText(col), topics)
		v.AppendStr(b)
		return ok
	}
	return false
}

// appendColumn appends the bytes of a result column as a row.
func appendColumn(stmt *sqlite.Stmt, col int, v *types.Vec) {
	n := stmt.ColumnLen(col)
	off := len(v.Buf)
	v.Buf = append(v.Buf, make([]byte, n)...)
	stmt.ColumnBytes(col, v.Buf[off:])
	v.R = append(v.R, types.StrRef{Off: uint32(off), Len: uint32(n)})
}

func parsePrinted(t types.Type, s string) (types.Value, *types.Error) {
	if t.Kind == types.Inet || t.Kind == types.Cidr {
		b, err := types.ParseInet(s, t.Kind == types.Cidr)
		return types.Value{Type: t, S: unsafeString(b), Null: err != nil}, err
	}
	return types.ParseValue(t, s, nil)
}

// parseJSONArray reads what AppendJSON wrote of an array.
func parseJSONArray(elem types.Kind, s string) (encoded []byte, ok bool) {
	var items []json.RawMessage
	if json.Unmarshal([]byte(s), &items) != nil {
		return types.AppendArrayHeader(nil, 0), false
	}
	t := types.T(elem)
	values := make([]types.Value, len(items))
	for i, item := range items {
		v, ok := parseJSONElem(t, item)
		if !ok {
			return types.AppendArrayHeader(nil, 0), false
		}
		values[i] = v
	}
	return types.EncodeArray(values), true
}

func parseJSONElem(t types.Type, item json.RawMessage) (types.Value, bool) {
	text := string(item)
	switch {
	case text == "null":
		return types.NullOf(t), true
	case text[0] == '"' && json.Unmarshal(item, &text) != nil:
		return types.NullOf(t), false
	}
	switch t.Kind {
	case types.Text:
		return types.Value{Type: t, S: text}, true
	case types.Bytea:
		b, err := base64.StdEncoding.DecodeString(text)
		return types.Value{Type: t, S: string(b)}, err == nil
	}
	v, err := types.ParseValue(t, text, nil)
	return v, err == nil
}
