package planner

import (
	"slices"
	"time"

	"rhumb/catalog"
	"rhumb/parser"
	"rhumb/types"
)

// Env is what a statement is bound in.
type Env struct {
	Catalog catalog.Lookup
	// Virtual finds tables of the engine (rhumb.ledger) by their qualified names; nil = there are none.
	Virtual func(name string) (*catalog.Object, bool)
	// Options verifies a WITH clause and fills in defaults; kind is the catalog.Kind of what is created. nil = the options as given.
	Options func(kind string, given []parser.Option) (map[string]string, error)
	// Zone is the session's; nil = UTC. A continuous query is bound in UTC whatever the session's zone is.
	Zone *time.Location
	// Continuous says that the query runs for ever: streams are read from their topics, and what needs the end of the input is refused.
	Continuous bool
}

// limits of a statement: the relations that it reaches through views and CTEs, and the columns of a result.
const (
	maxRelations = 1000
	maxColumns   = 1600
)

// binder binds one statement.
type binder struct {
	env  Env
	kind catalog.Kind // of the continuous query; "" in a search
	// names holds the last part of each column reference of the statement: a scan brings the system columns that are named.
	names     map[string]bool
	ctes      []*cte   // visible ones, inner last
	views     []string // being expanded, outer first
	relations int
	deps      map[uint32]uint32 // number -> version of each object that was reached
	functions map[string]bool   // aliases of set-returning functions in FROM
	// windows says which columns of a node's schema are bounds of a window below it.
	windows map[Node]windowCols
}

// windowCols are the places of window_start, window_end and window_time; -1 = not there.
type windowCols struct{ start, end, time int }

var noWindow = windowCols{-1, -1, -1}

func (w windowCols) any() bool { return w != noWindow }

func (w windowCols) has(col int) bool {
	return col >= 0 && (col == w.start || col == w.end || col == w.time)
}

// shape is what a query's place demands of it.
type shape struct {
	top         bool // of a continuous query: nothing stands between its rows and the output
	keepUnknown bool // a branch of a set operation: its untyped literals take their type from the other branches
}

func newBinder(env Env) *binder {
	return &binder{env: env, names: map[string]bool{}, deps: map[uint32]uint32{}, functions: map[string]bool{}, windows: map[Node]windowCols{}}
}

// Bind binds a query's names and types in one pass: a search, or with env.Continuous the query of a stream.
func Bind(sel *parser.Select, env Env) (Node, error) {
	b := newBinder(env)
	if env.Continuous {
		b.kind = catalog.Derived
		b.env.Zone = nil
	}
	return b.statement(sel)
}

// BindSearch binds a search. The second result is the names of the result's columns.
func BindSearch(sel *parser.Select, env Env) (Node, []string, error) {
	env.Continuous = false
	n, err := Bind(sel, env)
	if err != nil {
		return nil, nil, err
	}
	var names []string
	for _, f := range n.Props().Schema {
		names = append(names, f.Name)
	}
	return n, names, nil
}

// BindView verifies a view's query and returns the object: columns and dependencies. Number, texts and versions are the caller's.
func BindView(name string, sel *parser.Select, env Env) (*catalog.Object, error) {
	env.Continuous = false
	b := newBinder(env)
	b.views = []string{name}
	n, err := b.statement(sel)
	if err != nil {
		return nil, err
	}
	o := &catalog.Object{Name: name, Kind: catalog.View}
	if o.Columns, err = resultColumns(n.Props().Schema, sel); err != nil {
		return nil, err
	}
	b.setDependencies(o)
	return o, nil
}

func (b *binder) statement(sel *parser.Select) (Node, error) {
	collectNames(sel, b.names)
	return b.query(sel, shape{top: true})
}

func (b *binder) setDependencies(o *catalog.Object) {
	for n := range b.deps {
		o.DependsOn = append(o.DependsOn, n)
	}
	slices.Sort(o.DependsOn)
	for _, n := range o.DependsOn {
		o.Versions = append(o.Versions, b.deps[n])
	}
}

// resultColumns makes an object's columns of the visible fields of its query's result.
func resultColumns(s types.Schema, sel *parser.Select) ([]catalog.Column, error) {
	var cols []catalog.Column
	pos := itemPositions(sel)
	for _, f := range s {
		if f.Hidden {
			continue
		}
		c := catalog.Column{Name: f.Name, Type: f.Type, Entity: f.Entity}
		at := sel.Pos
		if len(cols) < len(pos) {
			at = pos[len(cols)]
		}
		if c.Name == unnamed {
			return nil, types.Errorf(types.CodeInvalidDefinition, "column %d of the query has no name", len(cols)+1).At(at).
				WithHint("Give it one with AS.")
		}
		if err := addName(cols, c.Name, at); err != nil {
			return nil, err
		}
		cols = append(cols, c)
	}
	if len(cols) > maxColumns {
		return nil, types.Errorf(types.CodeProgramLimit, "%d columns are too many: the limit is %d", len(cols), maxColumns).At(sel.Pos)
	}
	return cols, nil
}

// itemPositions is where each column of the result stands in the statement, as far as its items are no stars.
func itemPositions(sel *parser.Select) []int {
	for sel.SetOp != "" && sel.Left != nil {
		sel = sel.Left
	}
	var pos []int
	for _, it := range sel.Items {
		if r, ok := it.Expr.(*parser.ColumnRef); ok && r.Star {
			return pos
		}
		p := it.Pos
		if it.Alias != nil {
			p = it.Alias.Pos
		}
		pos = append(pos, p)
	}
	return pos
}

// notYet is the refusal of what the language has and this version lacks.
func notYet(pos int, what, hint string) *types.Error {
	return types.Errorf(types.CodeNotSupported, "%s not supported yet", what).At(pos).WithHint("%s", hint)
}
