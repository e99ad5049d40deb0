package planner

import (
	"slices"
	"strings"

	"rhumb/expr"
	"rhumb/parser"
	"rhumb/types"
)

// windowFunctions are the functions of GROUP BY TUMBLE(...) and of the bounds of its windows.
var windowFunctions = map[string]bool{
	"tumble": true, "hop": true, "session": true, "cumulate": true,
	"tumble_start": true, "tumble_end": true, "tumble_rowtime": true,
	"hop_start": true, "hop_end": true, "session_start": true, "session_end": true,
}

// tableFunc binds a function in FROM other than unnest.
func (b *binder) tableFunc(f *parser.TableFunc) (Node, error) {
	switch f.Name.Name {
	case "tumble":
		return b.tumbleFrom(f)
	case "hop", "cumulate", "session", "tumble_rows", "hop_rows":
		return nil, windowNotYet(f.Name.Name, f.Pos)
	case "lineage", "related":
		return nil, notYet(f.Pos, f.Name.Name+"(...) is", "The system column _events of a complex event lists its simple events by topic, partition and offset.")
	}
	e := types.Errorf(types.CodeUndefinedFunction, "table function %s does not exist", f.Name.Name).At(f.Pos)
	if near := types.Suggest(f.Name.Name, []string{"tumble", "unnest", "generate_series"}); near != "" {
		return nil, e.WithHint("Did you mean %s?", near)
	}
	return nil, e.WithHint("In FROM there are TUMBLE and the functions that return sets, such as unnest.")
}

func windowNotYet(name string, pos int) error {
	return notYet(pos, strings.ToUpper(name)+" windows are", "TUMBLE windows are: FROM TUMBLE(stream, time column, INTERVAL '1 minute').")
}

// tumbleFrom binds TUMBLE(input, time column, size [, offset]).
func (b *binder) tumbleFrom(f *parser.TableFunc) (Node, error) {
	if f.Input == nil || len(f.Args) < 2 || len(f.Args) > 3 || len(f.PartitionBy) > 0 {
		return nil, types.Errorf(types.CodeSyntax, "TUMBLE takes an input, a time column, a size, and possibly an offset").At(f.Pos).
			WithHint("FROM TUMBLE(stream, ts, INTERVAL '1 minute')")
	}
	in, err := b.table(nil, f.Input, shape{})
	if err != nil {
		return nil, err
	}
	n, err := b.tumble(in, f.Args, f.Pos)
	if err != nil || f.Alias == nil {
		return n, err
	}
	return n, b.alias(n, "", f.Alias, f.Pos)
}

// tumble puts a window over a node; args are the time column, the size and possibly the offset.
func (b *binder) tumble(in Node, args []parser.Expr, pos int) (Node, error) {
	if err := appendOnly(in, "a window", pos); err != nil {
		return nil, err
	}
	s := b.scope(in.Props().Schema, "the arguments of TUMBLE")
	ref, ok := args[0].(*parser.ColumnRef)
	if !ok {
		return nil, types.Errorf(types.CodeNotSupported, "the time of a window must be a column").At(args[0].Position()).
			WithHint("Compute it below: FROM TUMBLE((SELECT ..., expression AS t FROM s), t, INTERVAL '1 minute').")
	}
	time, err := s.column(ref)
	if err != nil {
		return nil, err
	}
	if err := b.eventTime(in, time, args[0].Position()); err != nil {
		return nil, err
	}
	size, err := b.windowInterval(args[1], "size")
	if err != nil {
		return nil, err
	}
	var offset int64
	if len(args) == 3 {
		if offset, err = b.windowInterval(args[2], "offset"); err != nil {
			return nil, err
		}
		if offset >= size || offset <= -size {
			return nil, types.Errorf(types.CodeInvalidOption, "the offset of a window must be less than its size").At(args[2].Position())
		}
	}
	return b.window(in, time, size, offset), nil
}

// window makes the node. Columns of the input with the names of the window's bounds (the input may be the result of another window)
// can no longer be named.
func (b *binder) window(in Node, time *expr.Column, size, offset int64) Node {
	p := *in.Props()
	p.Schema = slices.Clone(p.Schema)
	names := []string{"window_start", "window_end", "window_time"}
	qualifier := ""
	for i, f := range p.Schema {
		if f.Name != "" {
			qualifier = f.Qualifier
		}
		if slices.Contains(names, f.Name) {
			p.Schema[i].Name, p.Schema[i].Hidden = "", true
		}
	}
	at := len(p.Schema)
	for _, name := range names {
		p.Schema = append(p.Schema, types.Field{Name: name, Qualifier: qualifier, Type: time.T.Base()})
	}
	n := &Window{Input: in, Kind: Tumble, Time: time.Index, Size: size, Offset: offset, P: p}
	b.windows[n] = windowCols{at, at + 1, at + 2}
	return n
}

// eventTime verifies the time column of a window: in a continuous query it is the event time, which the watermark is about.
func (b *binder) eventTime(in Node, time *expr.Column, pos int) error {
	p := in.Props()
	if b.env.Continuous && time.Index != p.TimeCol {
		e := types.Errorf(types.CodeNotSupported, "%q is not the event time of the window's input", time.Name).At(pos)
		if p.TimeCol >= 0 {
			return e.WithHint("In a continuous query windows follow the event time, which is the column %s.", parser.Quote(p.Schema[p.TimeCol].Name))
		}
		if _, ok := in.(*Scan); ok {
			return e.WithHint("The stream declares no WATERMARK, so its event time is the record's timestamp, in the column %s.", timestampColumn)
		}
		return e.WithHint("The event time of the stream below has to be among the input's columns, unchanged.")
	}
	if !time.T.IsTime() {
		return types.Errorf(types.CodeDatatypeMismatch, "the time of a window must be a timestamp, but %q is of type %s", time.Name, time.T).At(pos)
	}
	return nil
}

// windowInterval is a constant length of time in microseconds; a size is greater than 0.
func (b *binder) windowInterval(e parser.Expr, what string) (int64, error) {
	pos := e.Position()
	x, err := b.scope(nil, "the "+what+" of a window").expr(e)
	if err != nil {
		return 0, err
	}
	if x, err = expr.Coerce(x, types.T(types.IntervalKind), pos); err != nil {
		return 0, types.AsError(err).At(pos).WithHint("The %s of a window is an interval: INTERVAL '1 minute'.", what)
	}
	c, ok := expr.FoldIn(x, b.env.Zone).(*expr.Const)
	if !ok || c.Value.Null {
		return 0, types.Errorf(types.CodeNotSupported, "the %s of a window must be constant", what).At(pos).WithHint("Write INTERVAL '1 minute'.")
	}
	us, fixed := c.Value.Iv.Fixed()
	switch {
	case !fixed:
		return 0, types.Errorf(types.CodeNotSupported, "the %s of a window cannot contain months or years", what).At(pos).
			WithHint("Their lengths vary. Use days: INTERVAL '30 days'.")
	case us <= 0 && what == "size":
		return 0, types.Errorf(types.CodeInvalidOption, "the size of a window must be greater than zero").At(pos)
	}
	return us, nil
}

// windowBound binds TUMBLE_START(ts, size) and its like: a bound of the window that the rows are in.
func (s *scope) windowBound(name string, c *parser.Call) (expr.Expr, error) {
	switch {
	case strings.HasPrefix(name, "hop"), strings.HasPrefix(name, "session"), name == "cumulate":
		return nil, windowNotYet(strings.TrimSuffix(strings.TrimSuffix(name, "_start"), "_end"), c.Pos)
	case name == "tumble":
		return nil, types.Errorf(types.CodeWindowing, "TUMBLE(...) stands in FROM or as a member of GROUP BY").At(c.Pos).
			WithHint("TUMBLE_START(...) and TUMBLE_END(...) are the bounds of the window.")
	case s.group == nil || s.group.tumble == nil:
		return nil, types.Errorf(types.CodeWindowing, "%s needs GROUP BY TUMBLE(...)", strings.ToUpper(name)).At(c.Pos).
			WithHint("Where TUMBLE stands in FROM, the bounds are the columns window_start and window_end.")
	}
	if err := s.sameTumble(c); err != nil {
		return nil, err
	}
	w := s.group.window
	col := map[string]int{"tumble_start": w.start, "tumble_end": w.end, "tumble_rowtime": w.time}[name]
	return s.at(col, c.Pos), nil
}

// sameTumble verifies that the arguments, if there are any, are those of GROUP BY TUMBLE.
func (s *scope) sameTumble(c *parser.Call) error {
	if len(c.Args) == 0 {
		return nil
	}
	if len(c.Args) == len(s.group.tumble.Args) {
		if same, err := s.equalArgs(c.Args, s.group.tumble.Args); err != nil || same {
			return err
		}
	}
	return types.Errorf(types.CodeGrouping, "the arguments differ from those of GROUP BY TUMBLE").At(c.Pos).
		WithHint("Repeat them exactly, or leave them out.")
}

func (s *scope) equalArgs(a, b []parser.Expr) (bool, error) {
	plain := s.b.scope(s.schema, "the arguments of TUMBLE")
	xs, err := plain.exprs(a)
	if err != nil {
		return false, err
	}
	ys, err := plain.exprs(b)
	if err != nil {
		return false, err
	}
	for i := range xs {
		if !expr.Equal(expr.Fold(xs[i]), expr.Fold(ys[i])) {
			return false, nil
		}
	}
	return true, nil
}
