package planner

import (
	"slices"
	"strings"

	"rhumb/catalog"
	"rhumb/expr"
	"rhumb/parser"
	"rhumb/types"
)

// BindSource verifies CREATE STREAM (...) and returns the object: columns, event time, options, topic. Number, version and texts are the
// caller's.
func BindSource(c *parser.CreateStream, env Env) (*catalog.Object, error) {
	b := newBinder(env)
	o := &catalog.Object{Name: c.Name.Name, Kind: catalog.Source}
	if len(c.Columns) == 0 {
		return nil, types.Errorf(types.CodeInvalidDefinition, "stream %q has no columns", o.Name).At(c.Pos).
			WithHint("Declare the fields of its payloads: CREATE STREAM %s (field type, ...) WITH (...)", o.Name)
	}
	if len(c.Columns) > maxColumns {
		return nil, types.Errorf(types.CodeProgramLimit, "%d columns are too many: the limit is %d", len(c.Columns), maxColumns).At(c.Pos)
	}
	for i := range c.Columns {
		col, err := column(&c.Columns[i])
		if err != nil {
			return nil, err
		}
		if err := addName(o.Columns, col.Name, c.Columns[i].Name.Pos); err != nil {
			return nil, err
		}
		o.Columns = append(o.Columns, col)
	}
	var err error
	if o.Options, err = b.options(catalog.Source, c.Options); err != nil {
		return nil, err
	}
	o.Topic = topicOf(o)
	for _, check := range []func(*binder, *catalog.Object, *parser.CreateStream) error{bindColumnExprs, bindEventTime, bindEventID, checkTextFormat} {
		if err := check(b, o, c); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// column makes a column of its definition, apart from its expressions.
func column(d *parser.ColumnDef) (catalog.Column, error) {
	col := catalog.Column{Name: d.Name.Name, Type: d.Type.Type, NotNull: d.NotNull, Entity: d.Entity}
	switch {
	case col.Name == "":
		return col, types.Errorf(types.CodeSyntax, "a column needs a name").At(d.Pos)
	case d.As != nil && d.Path != "":
		return col, types.Errorf(types.CodeInvalidDefinition, "column %q cannot have both PATH and AS", col.Name).At(d.Pos).
			WithHint("PATH reads the payload, AS computes from other columns.")
	case d.As != nil && d.Default != nil:
		return col, types.Errorf(types.CodeInvalidDefinition, "column %q cannot have both DEFAULT and AS", col.Name).At(d.Pos).
			WithHint("Use coalesce(...) in the expression.")
	case col.Entity == "" && col.Type.Kind == types.Inet:
		col.Entity = "ip"
	}
	if d.Path != "" {
		path, err := ParsePath(d.Path)
		if err != nil {
			return col, types.AsError(err).At(d.Pos)
		}
		col.Path = path
	}
	return col, nil
}

// addName verifies that a name is not there already, also not as a part of one with dots: "source" beside "source.ip" could not both be
// stored.
func addName(cols []catalog.Column, name string, pos int) error {
	for _, c := range cols {
		switch {
		case c.Name == name:
			return types.Errorf(types.CodeDuplicateColumn, "column %q specified more than once", name).At(pos).
				WithHint("Give one of them another name.")
		case strings.HasPrefix(c.Name, name+"."), strings.HasPrefix(name, c.Name+"."):
			return types.Errorf(types.CodeInvalidDefinition, "the columns %q and %q cannot be in one document: one is a part of the other", c.Name, name).
				At(pos).WithHint("Give one of them another name; a column of a source can read any field with PATH '$.a.b'.")
		}
	}
	return nil
}

// bindColumnExprs verifies computed columns and defaults, and gives the object their texts.
func bindColumnExprs(b *binder, o *catalog.Object, c *parser.CreateStream) error {
	for i := range c.Columns {
		d, col := &c.Columns[i], &o.Columns[i]
		if d.As != nil {
			if _, err := b.computed(o, c, col, d.As); err != nil {
				return err
			}
			col.Expr = formatExpr(d.As)
		}
		if d.Default != nil {
			if _, err := b.defaultValue(col, d.Default); err != nil {
				return err
			}
			col.Default = formatExpr(d.Default)
		}
	}
	return nil
}

// SourceSchema is what the expressions of a source are over: its columns, then the system columns of its topic that no column hides.
func SourceSchema(o *catalog.Object) types.Schema {
	return append(o.Schema(o.Name), systemColumns(o, Log)...)
}

// computed binds the expression of a computed column. c is nil when the object has been verified before.
func (b *binder) computed(o *catalog.Object, c *parser.CreateStream, col *catalog.Column, e parser.Expr) (expr.Expr, error) {
	s := b.scope(SourceSchema(o), "the expression of a column")
	x, err := s.expr(e)
	if err != nil {
		return nil, err
	}
	if c != nil {
		for i, pos := range s.refs {
			if i < len(c.Columns) && c.Columns[i].As != nil {
				return nil, types.Errorf(types.CodeInvalidDefinition, "column %q is computed from the computed column %q", col.Name, o.Columns[i].Name).
					At(pos).WithHint("A computed column depends on decoded columns only: repeat the expression.")
			}
		}
	}
	if expr.Volatile(x) {
		return nil, types.Errorf(types.CodeInvalidDefinition, "a computed column depends on its row alone, not on time or chance").At(e.Position()).
			WithHint("Compute it in the query.")
	}
	if x.Type() == col.Type {
		return x, nil
	}
	return assign(x, col, e.Position())
}

// assign casts a value to a column's type as an assignment does.
func assign(x expr.Expr, col *catalog.Column, pos int) (expr.Expr, error) {
	y, err := expr.Assign(x, col.Type, pos)
	if err != nil && types.AsError(err).Code == types.CodeDatatypeMismatch {
		return nil, types.Errorf(types.CodeDatatypeMismatch, "column %q is of type %s but expression is of type %s", col.Name, col.Type, x.Type()).
			At(pos).WithHint("You will need to rewrite or cast the expression.")
	}
	return y, err
}

// defaultValue binds a DEFAULT: a constant of the column's type.
func (b *binder) defaultValue(col *catalog.Column, e parser.Expr) (*expr.Const, error) {
	x, err := b.scope(nil, "DEFAULT").expr(e)
	if err != nil {
		return nil, err
	}
	if x.Type() != col.Type {
		if x, err = assign(x, col, e.Position()); err != nil {
			return nil, err
		}
	}
	c, ok := expr.Fold(x).(*expr.Const)
	if !ok {
		return nil, types.Errorf(types.CodeNotSupported, "the default of column %q must be a constant", col.Name).At(e.Position()).
			WithHint("Use a computed column, or coalesce(...) in the query.")
	}
	return c, nil
}

// bindEventTime verifies WATERMARK FOR column AS expression.
func bindEventTime(b *binder, o *catalog.Object, c *parser.CreateStream) error {
	if c.WatermarkOn == nil {
		return nil
	}
	schema := SourceSchema(o)
	i := slices.IndexFunc(schema, func(f types.Field) bool { return f.Name == c.WatermarkOn.Name })
	if i < 0 {
		s := b.scope(schema, "WATERMARK")
		return s.unknownColumn(&parser.ColumnRef{Parts: []parser.Ident{*c.WatermarkOn}, Pos: c.WatermarkOn.Pos}, c.WatermarkOn.Name, "")
	}
	if !schema[i].Type.IsTime() {
		return types.Errorf(types.CodeDatatypeMismatch, "the event time has to be a timestamp, but column %q is of type %s", schema[i].Name, schema[i].Type).
			At(c.WatermarkOn.Pos).WithHint("Declare a computed column: event_time timestamptz AS (to_timestamp(%s)), WATERMARK FOR event_time AS ...",
			parser.Quote(schema[i].Name))
	}
	if c.Watermark == nil {
		return types.Errorf(types.CodeSyntax, "WATERMARK FOR %s needs AS expression", c.WatermarkOn.Name).At(c.WatermarkOn.Pos)
	}
	if _, err := b.watermark(schema, schema[i].Type, c.Watermark); err != nil {
		return err
	}
	o.TimeColumn, o.Watermark = schema[i].Name, formatExpr(c.Watermark)
	return nil
}

// watermark binds the watermark's expression: of the row alone, and a point in time as the event time is.
func (b *binder) watermark(schema types.Schema, t types.Type, e parser.Expr) (expr.Expr, error) {
	x, err := b.scope(schema, "WATERMARK").expr(e)
	if err != nil {
		return nil, err
	}
	if expr.Volatile(x) {
		return nil, types.Errorf(types.CodeInvalidDefinition, "a watermark depends on its row alone, not on time or chance").At(e.Position()).
			WithHint("A delay is subtracted from the event time: ts - INTERVAL '10 seconds'.")
	}
	got := x.Type()
	if got.Base() != t.Base() {
		if x, err = expr.Coerce(x, t, e.Position()); err != nil || !got.IsTime() {
			return nil, types.Errorf(types.CodeDatatypeMismatch, "the watermark has to be of type %s, as the event time is, but is of type %s", t, got).
				At(e.Position()).WithHint("A delay is subtracted from the event time: ts - INTERVAL '10 seconds'.")
		}
	}
	return x, nil
}

// bindEventID verifies EVENT ID (column).
func bindEventID(b *binder, o *catalog.Object, c *parser.CreateStream) error {
	if c.EventID == nil {
		return nil
	}
	ref := &parser.ColumnRef{Parts: []parser.Ident{*c.EventID}, Pos: c.EventID.Pos}
	if _, err := b.scope(o.Schema(""), "EVENT ID").column(ref); err != nil {
		return err
	}
	o.EventID = c.EventID.Name
	return nil
}

// checkTextFormat verifies that a stream of text lines has the one column that there is to read, besides computed ones.
func checkTextFormat(_ *binder, o *catalog.Object, c *parser.CreateStream) error {
	if o.Options["format"] != "text" {
		return nil
	}
	for i, col := range o.Columns {
		switch {
		case col.Expr != "":
		case col.Name == "line" && (col.Type.Kind != types.Text || col.Path != nil):
			return types.Errorf(types.CodeInvalidDefinition, "the column line of a stream in text format is of type text, without PATH").
				At(c.Columns[i].Name.Pos).WithHint("Declare: line text")
		case col.Name != "line":
			return types.Errorf(types.CodeInvalidDefinition, "a stream in text format has one column to read, line TEXT, not %q", col.Name).
				At(c.Columns[i].Name.Pos).WithHint("Compute the others from it: %s %s AS (expression over line)", parser.Quote(col.Name), col.Type)
		}
	}
	if !slices.ContainsFunc(o.Columns, func(col catalog.Column) bool { return col.Expr == "" }) {
		return types.Errorf(types.CodeInvalidDefinition, "a stream in text format needs the column line TEXT").At(c.Pos)
	}
	return nil
}

// SourceExprs are the bound expressions of a source, over SourceSchema.
type SourceExprs struct {
	Computed  []expr.Expr   // by column; nil = decoded
	Defaults  []*expr.Const // by column; nil = NULL
	Watermark expr.Expr     // nil = the record's timestamp
}

// BindSourceExprs binds the texts of a source's expressions again, for the executor.
func BindSourceExprs(o *catalog.Object) (*SourceExprs, error) {
	b := newBinder(Env{})
	out := &SourceExprs{Computed: make([]expr.Expr, len(o.Columns)), Defaults: make([]*expr.Const, len(o.Columns))}
	for i := range o.Columns {
		col := &o.Columns[i]
		if col.Expr != "" {
			e, err := parser.ParseExpr(col.Expr)
			if err != nil {
				return nil, err
			}
			if out.Computed[i], err = b.computed(o, nil, col, e); err != nil {
				return nil, err
			}
			out.Computed[i] = expr.Fold(out.Computed[i])
		}
		if col.Default != "" {
			e, err := parser.ParseExpr(col.Default)
			if err != nil {
				return nil, err
			}
			if out.Defaults[i], err = b.defaultValue(col, e); err != nil {
				return nil, err
			}
		}
	}
	if o.Watermark == "" {
		return out, nil
	}
	schema := SourceSchema(o)
	i := slices.IndexFunc(schema, func(f types.Field) bool { return f.Name == o.TimeColumn })
	if i < 0 {
		return nil, types.Errorf(types.CodeInternal, "BUG: stream %q has a watermark for the unknown column %q", o.Name, o.TimeColumn)
	}
	e, err := parser.ParseExpr(o.Watermark)
	if err != nil {
		return nil, err
	}
	if out.Watermark, err = b.watermark(schema, schema[i].Type, e); err != nil {
		return nil, err
	}
	out.Watermark = expr.Fold(out.Watermark)
	return out, nil
}
