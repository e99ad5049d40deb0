package parser

import "rhumb/types"

// windowRef is an OVER that names a window; bare = OVER w, not OVER (w ...).
type windowRef struct {
	spec *WindowSpec
	bare bool
}

// windowClause reads name AS (specification), ....
func (p *parser) windowClause(core *selectCore) {
	if core.windows != nil {
		p.i--
		p.unexpected("")
	}
	core.windows = map[string]*WindowSpec{}
	for {
		name := p.name("the name of a window")
		p.expect("as", "in WINDOW name AS (...)")
		if !p.peek().is("(") {
			p.unexpected(`"(" after AS`)
		}
		w := p.window()
		if core.windows[name.Name] != nil {
			fail(types.Errorf(types.CodeWindowing, "window %q is already defined", name.Name).At(name.Pos))
		}
		if w.Name != "" {
			p.inherit(core, windowRef{spec: w})
		}
		core.windows[name.Name] = w
		p.checkList(len(core.windows), "WINDOW", p.peek())
		if !p.accept(",") {
			return
		}
	}
}

// resolveWindows puts the named windows of a SELECT into the calls that name them.
func (p *parser) resolveWindows(core *selectCore) {
	for _, ref := range p.windows {
		p.inherit(core, ref)
	}
	p.windows = core.outer
}

// inherit completes a specification from the window that it names, by the rules of Postgres.
func (p *parser) inherit(core *selectCore, ref windowRef) {
	w, def := ref.spec, core.windows[ref.spec.Name]
	deny := func(format string, args ...any) {
		fail(types.Errorf(types.CodeWindowing, format, args...).At(w.Pos))
	}
	switch {
	case def == nil:
		fail(types.Errorf(types.CodeUndefinedObject, "window %q does not exist", w.Name).At(w.Pos))
	case ref.bare:
	case w.PartitionBy != nil:
		deny("cannot override PARTITION BY clause of window %q", w.Name)
	case w.OrderBy != nil && def.OrderBy != nil:
		deny("cannot override ORDER BY clause of window %q", w.Name)
	case def.Frame != "":
		deny("cannot copy window %q because it has a frame clause", w.Name)
	}
	w.Name, w.PartitionBy = "", def.PartitionBy
	if def.OrderBy != nil {
		w.OrderBy = def.OrderBy
	}
	if ref.bare {
		w.Frame = def.Frame
	}
}
