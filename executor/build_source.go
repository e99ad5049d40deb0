package executor

import (
	"strconv"

	"rhumb/catalog"
	"rhumb/connectors"
	"rhumb/executor/decode"
	"rhumb/expr"
	"rhumb/planner"
	"rhumb/types"
)

// source completes a source when all plans are known: the union of the columns that they need, and those that decide whether a row is rejected
// (which must not depend on the queries), in the order decoded, system, computed.
func (b *builder) source(i int, s *sourceSpec) error {
	if s.scan != nil || s.values != nil {
		return nil
	}
	o := s.object
	x, err := planner.BindSourceExprs(o)
	if err != nil {
		return err
	}
	schema := planner.SourceSchema(o)
	uses := b.uses[i]
	for c, col := range o.Columns {
		if col.NotNull {
			uses[c] = true
		}
	}
	for c, f := range schema {
		if f.Name == o.TimeColumn || o.EventID != "" && f.Name == o.EventID {
			uses[c] = true
		}
	}
	need := func(e expr.Expr) {
		for _, c := range expr.Columns(e) {
			uses[c] = true
		}
	}
	if x.Watermark != nil {
		need(x.Watermark)
	}
	for c, e := range x.Computed {
		if uses[c] && e != nil {
			need(e) // of decoded and system columns only
		}
	}
	place := s.layOut(schema, uses, x.Computed)
	remap := func(e expr.Expr) expr.Expr {
		return expr.Map(e, func(e expr.Expr) expr.Expr {
			if c, ok := e.(*expr.Column); ok {
				return &expr.Column{Index: place[c.Index], T: c.T, Name: c.Name}
			}
			return e
		})
	}
	for c := range o.Columns {
		if uses[c] && x.Computed[c] != nil {
			s.computed = append(s.computed, computedColumn{expr: remap(x.Computed[c]), notNull: o.Columns[c].NotNull, name: o.Columns[c].Name})
		}
	}
	if x.Watermark != nil {
		s.wm = remap(x.Watermark)
	}
	for _, p := range b.prog.pipes {
		if p.source == i {
			for k, c := range p.pick {
				p.pick[k] = place[c]
			}
		}
	}
	if s.decoder, err = newDecoder(s, x.Defaults); err != nil {
		return err
	}
	opts := connectors.Options(o.Options)
	s.idleTimeout = opts.Duration("idle_timeout").Microseconds()
	s.closeAfter = opts.Duration("close_after").Microseconds()
	if !b.search {
		s.maxFuture = opts.Duration("max_future").Microseconds()
	}
	return nil
}

// layOut gives each needed column its place.
func (s *sourceSpec) layOut(schema types.Schema, uses map[int]bool, computed []expr.Expr) map[int]int {
	o := s.object
	place := map[int]int{}
	add := func(c int) {
		place[c] = len(s.types)
		s.types = append(s.types, schema[c].Type)
		if schema[c].Name == o.TimeColumn {
			s.time = place[c]
		}
		if o.EventID != "" && schema[c].Name == o.EventID {
			s.eventID = place[c]
		}
	}
	for c := range o.Columns {
		if uses[c] && computed[c] == nil {
			s.columns = append(s.columns, c)
			add(c)
		}
	}
	for c := len(o.Columns); c < len(schema); c++ {
		if uses[c] {
			s.system = append(s.system, schema[c].Name)
			add(c)
		}
	}
	for c := range o.Columns {
		if uses[c] && computed[c] != nil {
			add(c)
		}
	}
	return place
}

// newDecoder makes the decoder of a source.
func newDecoder(s *sourceSpec, defaults []*expr.Const) (decode.Decoder, error) {
	var cols []decode.Column
	for _, c := range s.columns {
		col := s.object.Columns[c]
		dc := decode.Column{Name: col.Name, Type: col.Type, Path: col.Path, NotNull: col.NotNull}
		if d := defaults[c]; d != nil && !d.Value.Null {
			dc.Default = &d.Value
		}
		cols = append(cols, dc)
	}
	format := s.object.Options["format"]
	if format == "" {
		format = "json"
	}
	return decode.New(format, cols, decode.Options{})
}

// lineageLimit is the number of references that a result of the object keeps; -1 = no lineage.
func lineageLimit(o *catalog.Object) int {
	n, err := strconv.Atoi(o.Options["lineage_limit"])
	switch {
	case err != nil && o.Kind == catalog.MatView:
		return 20
	case err != nil:
		return 100
	case n == 0:
		return -1
	}
	return n
}

// windowSize is the length of the windows that an aggregate groups by, 0 if it does not.
func windowSize(n *planner.Aggregate) int64 {
	if w := windowBelow(n.Input); n.Windowed && w != nil {
		return w.Size
	}
	return 0
}

// windowBelow finds the window of a windowed aggregate's input.
func windowBelow(n planner.Node) *planner.Window {
	for n != nil {
		if w, ok := n.(*planner.Window); ok {
			return w
		}
		in := n.Inputs()
		if len(in) == 0 {
			return nil
		}
		n = in[0]
	}
	return nil
}

// isWindowTime reports whether a key is the window_time column of the window below.
func isWindowTime(n *planner.Aggregate, k expr.Expr) bool {
	c, ok := k.(*expr.Column)
	return ok && n.Input.Props().Schema[c.Index].Name == "window_time"
}
