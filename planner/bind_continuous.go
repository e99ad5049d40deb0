package planner

import (
	"slices"
	"strings"

	"rhumb/catalog"
	"rhumb/connectors"
	"rhumb/parser"
	"rhumb/types"
)

// BindContinuous binds the query of a STREAM ... AS or a MATERIALIZED VIEW. The object that it returns, and to which the output refers, has
// columns, options, topic, event time, dependencies and key; number, version and texts are the caller's.
func BindContinuous(kind catalog.Kind, name string, sel *parser.Select, options []parser.Option, env Env) (*Output, *catalog.Object, error) {
	env.Continuous, env.Zone = true, nil
	b := newBinder(env)
	b.kind = kind
	n, err := b.statement(sel)
	if err != nil {
		return nil, nil, err
	}
	p := n.Props()
	if kind == catalog.MatView && p.Mode != Upsert {
		return nil, nil, types.Errorf(types.CodeInvalidDefinition, "a MATERIALIZED VIEW keeps one row per key: its query has to aggregate").At(sel.Pos).
			WithHint("Add GROUP BY; or CREATE STREAM ... AS, whose rows are facts that are kept one by one.")
	}
	if sel.Emit != nil && !closesWindows(n) {
		return nil, nil, types.Errorf(types.CodeNotSupported, "EMIT ON WINDOW CLOSE needs an aggregation over windows").At(sel.Emit.Pos).
			WithHint("Leave EMIT out.")
	}
	o := &catalog.Object{Name: name, Kind: kind}
	if o.Columns, err = resultColumns(p.Schema, sel); err != nil {
		return nil, nil, err
	}
	if err := refuseReserved(o.Columns, sel); err != nil {
		return nil, nil, err
	}
	if o.Options, err = b.options(kind, options); err != nil {
		return nil, nil, err
	}
	o.Topic = topicOf(o)
	if p.TimeCol >= 0 && !p.Schema[p.TimeCol].Hidden {
		o.TimeColumn = p.Schema[p.TimeCol].Name
	}
	for _, c := range p.ID.Cols {
		if f := p.Schema[c]; !f.Hidden && !p.ID.Origin {
			o.Key = append(o.Key, f.Name)
		}
	}
	b.setDependencies(o)
	return &Output{Input: n, Object: o, P: *p}, o, nil
}

// closesWindows reports whether there is an aggregation whose windows close.
func closesWindows(n Node) bool {
	if a, ok := n.(*Aggregate); ok && a.Windowed {
		return true
	}
	return slices.ContainsFunc(n.Inputs(), closesWindows)
}

// refuseReserved refuses columns whose names a document has for something else.
func refuseReserved(cols []catalog.Column, sel *parser.Select) error {
	pos := itemPositions(sel)
	for i, c := range cols {
		if !slices.Contains(reservedNames, c.Name) {
			continue
		}
		at := sel.Pos
		if i < len(pos) {
			at = pos[i]
		}
		return types.Errorf(types.CodeReservedName, "the column name %q is reserved: a stored event has a field of this name", c.Name).At(at).
			WithHint("Give the column another name with AS.")
	}
	return nil
}

func (b *binder) options(kind catalog.Kind, given []parser.Option) (map[string]string, error) {
	if b.env.Options != nil {
		return b.env.Options(string(kind), given)
	}
	return optionMap(given)
}

// optionMap is the options by name; a name that is there twice is refused.
func optionMap(given []parser.Option) (map[string]string, error) {
	out := map[string]string{}
	for _, o := range given {
		if _, twice := out[o.Name]; twice {
			return nil, types.Errorf(types.CodeSyntax, "option %q specified more than once", o.Name).At(o.Pos)
		}
		out[o.Name] = o.Value
	}
	return out, nil
}

// ResolveOptions verifies a WITH clause by a specification and fills in defaults; a fault has the place of the option in the statement.
func ResolveOptions(spec connectors.Spec, given []parser.Option) (map[string]string, error) {
	m, err := optionMap(given)
	if err != nil {
		return nil, err
	}
	out, fault := spec.Resolve(m)
	if fault == nil {
		return out, nil
	}
	for _, o := range given {
		switch {
		case o.Name != fault.Name:
		case strings.HasPrefix(fault.Err.Message, "invalid value"):
			return nil, fault.Err.At(o.VPos)
		default:
			return nil, fault.Err.At(o.Pos)
		}
	}
	return nil, fault.Err
}

// topicOf is the topic of an object: the option of that name, or the object's own name.
func topicOf(o *catalog.Object) string {
	if t := o.Options["topic"]; t != "" {
		return t
	}
	return o.Name
}
