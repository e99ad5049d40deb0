package parser

// emitAt reports whether an EMIT clause comes next; emit is an ordinary name elsewhere.
func (p *parser) emitAt() bool {
	next := p.ahead(1)
	return p.peek().is("emit") && (next.is("on") || next.is("early") || next.is("every") || next.is("changes"))
}

// emitClause reads EMIT ... at the end of a statement; nil if none comes.
func (p *parser) emitClause() *Emit {
	if !p.peek().is("emit") {
		return nil
	}
	e := &Emit{Pos: p.take().pos + 1}
	switch {
	case p.accept("on", "window", "close"):
		e.Kind = "on window close"
	case p.accept("early", "once"):
		e.Kind = "early once"
		if p.accept("rearm") {
			e.Every = p.expr()
		}
	case p.accept("early"):
		e.Kind = "early"
	case p.accept("every"):
		e.Kind = "every"
		e.Every = p.expr()
	case p.accept("changes"):
		e.Kind = "changes"
	default:
		p.unexpected("ON WINDOW CLOSE, EARLY, EARLY ONCE, EVERY interval or CHANGES after EMIT")
	}
	if p.peek().is("with") {
		p.unsupported(p.peek(), "WITH LATENESS", "")
	}
	return e
}
