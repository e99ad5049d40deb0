package parser

import (
	"slices"
	"strconv"
	"strings"

	"rhumb/types"
)

// standIn maps types of Postgres's catalogs to the type that carries their values here.
func standIn(name string) (types.Kind, bool) {
	switch name {
	case "oid", "regclass", "regtype", "regproc", "regprocedure", "regoper", "regoperator", "regnamespace", "regrole", "regcollation", "xid", "cid":
		return types.Int8, true
	case "name", `"char"`:
		return types.Text, true
	}
	return types.Unknown, false
}

// foreignTypes are types of Postgres that Rhumb does not have, with what to use.
var foreignTypes = map[string]string{
	"char": "use text or varchar(n)", "character": "use text or varchar(n)", "bpchar": "use text or varchar(n)", "nchar": "use text",
	"national character": "use text", "national char": "use text", "bit": "use integer or bytea", "bit varying": "use integer or bytea",
	"varbit": "use integer or bytea", "money": "use numeric", "xml": "use text", "timetz": "use time or timestamptz",
	"time with time zone": "use time or timestamptz", "macaddr": "use text", "macaddr8": "use text", "point": "use two columns",
	"tsvector": "use text and regular expressions", "tsquery": "use text and regular expressions", "jsonpath": "use text", "record": "",
	"int4range": "use two columns", "int8range": "use two columns", "tstzrange": "use two columns", "tsrange": "use two columns",
	"daterange": "use two columns", "numrange": "use two columns", "hstore": "use jsonb", "serial": "use bigint", "bigserial": "use bigint",
	"void": "", "anyarray": "", "pg_lsn": "use text", "lseg": "", "box": "", "path": "", "polygon": "", "circle": "", "line": "",
	"int2vector": "use smallint[]", "oidvector": "use bigint[]",
}

// knownType reports whether the name of a type means something here, if only an error that names it.
func knownType(name string) bool {
	_, known := types.ParseType(name)
	_, catalog := standIn(name)
	_, foreign := foreignTypes[name]
	return known || catalog || foreign
}

// typeName reads a type with its modifiers and array bounds.
func (p *parser) typeName() TypeName {
	t := p.peek()
	if t.kind != tIdent || !t.quoted && t.class == kwReserved {
		p.unexpected("a type")
	}
	if t.is("setof") {
		p.unsupported(t, "SETOF", "")
	}
	p.i++
	word := t.text
	if t.quoted && word == "char" {
		word = `"char"`
	}
	for p.peek().is(".") {
		if word != "pg_catalog" && word != "public" {
			fail(errAt(t.pos, types.CodeUndefinedObject, "schema %q does not exist", word))
		}
		p.i++
		word = p.label("a type").Name
	}
	tn := TypeName{Pos: t.pos + 1}
	if t.quoted {
		p.resolve(&tn, word, nil)
	} else {
		name, mods := p.typeWords(t, word)
		p.resolve(&tn, name, mods)
	}
	p.arrayBounds(&tn)
	return tn
}

// typeWords reads the further words and the modifiers of a type whose first word has been read.
func (p *parser) typeWords(t *token, word string) (name string, mods []int) {
	name = word
	switch word {
	case "double":
		if p.accept("precision") {
			name = "double precision"
		}
	case "national":
		name = "national " + p.label("CHARACTER after NATIONAL").Name
		p.accept("varying")
	case "character", "char", "bit":
		if p.accept("varying") {
			name = word + " varying"
			if word == "char" {
				name = "varchar"
			}
		}
	case "interval":
		if at := p.peek(); p.intervalField() != "" {
			p.unsupported(at, "a type INTERVAL with a field", "write INTERVAL alone")
		}
	}
	mods = p.modifiers()
	if word == "time" || word == "timestamp" {
		switch {
		case p.accept("with", "time", "zone"):
			name += " with time zone"
		case p.accept("without", "time", "zone"):
			name += " without time zone"
		}
	}
	return name, mods
}

// modifiers reads (n, ...).
func (p *parser) modifiers() []int {
	if !p.accept("(") {
		return nil
	}
	var mods []int
	for {
		neg := p.accept("-")
		t := p.peek()
		n, err := strconv.Atoi(t.text)
		if t.kind != tNumber || err != nil {
			p.unexpected("an integer")
		}
		p.i++
		if neg {
			n = -n
		}
		mods = append(mods, n)
		p.checkList(len(mods), "the modifiers of a type", t)
		if !p.accept(",") {
			break
		}
	}
	p.expect(")", "after the modifiers of a type")
	return mods
}

// resolve finds the type of a name and applies its modifiers.
func (p *parser) resolve(tn *TypeName, name string, mods []int) {
	if kind, ok := standIn(name); ok {
		tn.Type, tn.Alias = types.T(kind), strings.Trim(name, `"`)
		p.modify(tn, name, mods)
		return
	}
	if hint, ok := foreignTypes[name]; ok {
		e := types.Errorf(types.CodeNotSupported, "type %s is not supported", name).At(tn.Pos)
		if hint != "" {
			e.WithHint("%s", hint)
		}
		fail(e)
	}
	if name == "float" && len(mods) == 1 {
		// FLOAT(n) counts binary digits.
		switch n := mods[0]; {
		case n >= 1 && n <= 24:
			name = "real"
		case n < 1 || n > 53:
			fail(types.Errorf(types.CodeInvalidOption, "precision for type float must be between 1 and 53 bits").At(tn.Pos))
		}
		mods = nil
	}
	typ, ok := types.ParseType(name)
	if !ok || strings.ContainsAny(name, "[] \t\n\r\f\v") && !strings.Contains(" double precision character varying time without time zone timestamp with time zone timestamp without time zone ", " "+name+" ") {
		e := types.Errorf(types.CodeUndefinedObject, "type %q does not exist", name).At(tn.Pos)
		names := types.TypeNames()
		slices.Sort(names)
		if s := types.Suggest(name, names); s != "" {
			e.WithHint("did you mean %s?", s)
		}
		fail(e)
	}
	tn.Type = typ
	p.modify(tn, name, mods)
}

// modify applies the modifiers of varchar(n) and numeric(p, s).
func (p *parser) modify(tn *TypeName, name string, mods []int) {
	if len(mods) == 0 {
		return
	}
	invalid := func(format string, args ...any) {
		fail(types.Errorf(types.CodeInvalidOption, format, args...).At(tn.Pos))
	}
	switch k := tn.Type.Kind; {
	case k == types.Text && (name == "varchar" || name == "character varying") && len(mods) == 1:
		if mods[0] < 1 || mods[0] > 10485760 {
			invalid("length for type varchar must be between 1 and 10485760")
		}
		tn.Type.Mod = int32(mods[0])
	case k == types.Numeric && len(mods) <= 2:
		if mods[0] < 1 || mods[0] > 1000 {
			invalid("NUMERIC precision %d must be between 1 and 1000", mods[0])
		}
		tn.Type.Mod = int32(mods[0])
		if len(mods) == 2 {
			if mods[1] < -1000 || mods[1] > 1000 {
				invalid("NUMERIC scale %d must be between -1000 and 1000", mods[1])
			}
			tn.Type.Scale = int32(mods[1])
		}
	case (tn.Type.IsTime() || k == types.Time || k == types.IntervalKind) && len(mods) == 1:
		if mods[0] != 6 {
			fail(types.Errorf(types.CodeNotSupported, "%s(%d) is not supported: times have microseconds", name, mods[0]).At(tn.Pos).
				WithHint("leave out the precision; date_trunc('milliseconds', x) cuts a value"))
		}
	default:
		fail(types.Errorf(types.CodeSyntax, "type modifier is not allowed for type %q", name).At(tn.Pos))
	}
}

// arrayBounds reads [], [n] and ARRAY after a type. As in Postgres neither bounds nor the number of dimensions are kept.
func (p *parser) arrayBounds(tn *TypeName) {
	array := false
	if p.accept("array") {
		array = true
		if p.next("[") {
			p.bound()
		}
	} else {
		for p.next("[") && (p.ahead(1).is("]") || p.ahead(1).kind == tNumber && p.ahead(2).is("]")) {
			p.bound()
			array = true
		}
	}
	if !array {
		return
	}
	if tn.Type.Mod != 0 {
		fail(types.Errorf(types.CodeNotSupported, "an array of %s is not supported", tn.Type).At(tn.Pos).WithHint("leave out the length or precision of the elements"))
	}
	tn.Type = types.ArrayOf(tn.Type.Kind)
}

func (p *parser) bound() {
	p.expect("[", "")
	if p.peek().kind == tNumber {
		p.i++
	}
	p.expect("]", "after the bound of an array")
}

// intervalField reads YEAR, DAY TO SECOND and the like, and returns the words in lower case.
func (p *parser) intervalField() string {
	const fields = " year month day hour minute second "
	isField := func(t *token) bool {
		return t.kind == tIdent && !t.quoted && strings.Contains(fields, " "+t.text+" ")
	}
	if !isField(p.peek()) {
		return ""
	}
	field := p.take().text
	if p.peek().is("to") && isField(p.ahead(1)) {
		p.i++
		field += " to " + p.take().text
	}
	if strings.HasSuffix(field, "second") && p.peek().is("(") {
		t := p.peek()
		if mods := p.modifiers(); len(mods) != 1 || mods[0] != 6 {
			fail(errAt(t.pos, types.CodeNotSupported, "a precision of seconds is not supported: intervals have microseconds"))
		}
	}
	return field
}

// typedLiteralAt reports whether type 'text' comes next.
func (p *parser) typedLiteralAt() bool {
	t := p.peek()
	if t.kind != tIdent || t.class == kwReserved {
		return false
	}
	word, j := t.text, p.i+1
	at := func(n int) *token { return &p.toks[min(n, len(p.toks)-1)] }
	if t.quoted {
		word = ""
	}
	for at(j).is(".") && at(j+1).kind == tIdent {
		word, j = at(j+1).text, j+2
	}
	switch {
	case word == "double" && at(j).is("precision"), (word == "character" || word == "char" || word == "bit") && at(j).is("varying"):
		j++
	case word == "national":
		j++
	}
	if open := at(j); open.is("(") && open.match > 0 {
		if _, ok := types.ParseType(word); !ok {
			return false
		}
		j = open.match + 1
	}
	if (word == "time" || word == "timestamp") && (at(j).is("with") || at(j).is("without")) && at(j+1).is("time") && at(j+2).is("zone") {
		j += 3
	}
	return at(j).kind == tString
}

// typedLiteral reads type 'text', and INTERVAL 'text' field.
func (p *parser) typedLiteral() Expr {
	t := p.peek()
	if next := p.ahead(1); next.kind == tString && !knownType(t.text) {
		fail(errAt(t.pos, types.CodeUndefinedObject, "type %q does not exist", t.text).WithHint("is a comma or an operator missing before %s?", clip(p.src[next.pos:next.end])))
	}
	lit := &TypedLiteral{Type: p.typeName(), Pos: t.pos + 1}
	lit.Text = p.take().text
	if lit.Type.Type.Kind == types.IntervalKind && lit.Type.Alias == "" {
		at := p.peek()
		lit.Text = withField(lit.Text, p.intervalField(), at)
	}
	return lit
}

// withField joins the text of an interval and the field that follows it.
func withField(text, field string, at *token) string {
	trimmed := strings.TrimSpace(text)
	switch field {
	case "":
		return text
	case "year to month", "day to hour", "day to minute", "day to second", "hour to minute", "hour to second":
		return text // read so without the field
	case "minute to second":
		if strings.Count(trimmed, ":") == 1 {
			return "00:" + trimmed
		}
	default:
		if _, err := strconv.ParseFloat(trimmed, 64); err == nil && strings.Trim(trimmed, "+-.0123456789") == "" {
			return trimmed + " " + field
		}
	}
	fail(errAt(at.pos, types.CodeNotSupported, "INTERVAL '%s' %s is not supported: the text is more than a number", clip(text), upper(field)).
		WithHint("put the unit into the text, as in INTERVAL '5 minutes'"))
	return ""
}
