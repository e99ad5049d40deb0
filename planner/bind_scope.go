package planner

import (
	"slices"
	"strings"

	"rhumb/expr"
	"rhumb/parser"
	"rhumb/types"
)

// Columns that stand for results which get their places when the whole SELECT is bound have indexes from these bases on.
const (
	aggBase   = 1 << 20 // aggregate i of the grouping
	keyBase   = 1 << 21 // key i of the grouping
	unnestCol = 1 << 22 // unnest i of the select list
)

// scope binds the expressions of one clause.
type scope struct {
	b      *binder
	schema types.Schema
	clause string // as messages name it: WHERE, GROUP BY, ...
	// What the clause may hold; nil = refused.
	group   *grouping
	unnests *[]unnesting
	inAgg   bool // within an aggregate's arguments
	// refs is where each column of the schema was first referred to, for errors that are found later.
	refs map[int]int
}

// unnesting is an unnest(...) of a select list.
type unnesting struct {
	array expr.Expr
	field types.Field
}

func (b *binder) scope(s types.Schema, clause string) *scope {
	return &scope{b: b, schema: s, clause: clause, refs: map[int]int{}}
}

// column resolves a column reference.
func (s *scope) column(r *parser.ColumnRef) (*expr.Column, error) {
	if r.Star || len(r.Parts) == 0 {
		return nil, types.Errorf(types.CodeSyntax, "* is not allowed here").At(r.Pos).WithHint("Name a column.")
	}
	name, qualifier := splitRef(r)
	found, err := s.find(name.Name, qualifier, r)
	if err != nil {
		return nil, err
	}
	if found < 0 && qualifier == "" {
		found = s.functionValue(name.Name)
	}
	if found < 0 {
		return nil, s.unknownColumn(r, name.Name, qualifier)
	}
	return s.at(found, r.Pos), nil
}

// at is column i of the scope, referred to at pos.
func (s *scope) at(i, pos int) *expr.Column {
	if _, ok := s.refs[i]; !ok {
		s.refs[i] = pos
	}
	f := s.schema[i]
	return &expr.Column{Index: i, T: f.Type, Name: f.Name}
}

// splitRef is the column and the table of a reference; schema.table.column has the table's last name.
func splitRef(r *parser.ColumnRef) (name parser.Ident, qualifier string) {
	name = r.Parts[len(r.Parts)-1]
	if len(r.Parts) > 1 {
		qualifier = r.Parts[len(r.Parts)-2].Name
	}
	return name, qualifier
}

// find is the column of that name; -1 if there is none. A visible column goes before a system column of the same name.
func (s *scope) find(name, qualifier string, r *parser.ColumnRef) (int, error) {
	found := -1
	for i, f := range s.schema {
		if name == "" || f.Name != name || qualifier != "" && f.Qualifier != qualifier {
			continue
		}
		switch {
		case found < 0, s.schema[found].Hidden && !f.Hidden:
			found = i
		case s.schema[found].Hidden == f.Hidden:
			e := types.Errorf(types.CodeAmbiguousColumn, "column reference %q is ambiguous", name).At(r.Pos)
			if s.schema[found].Qualifier == f.Qualifier {
				return 0, e.WithHint("Two columns have this name: give one of them another with AS.")
			}
			return 0, e.WithHint("Write %s or %s.", qualified(s.schema[found]), qualified(f))
		}
	}
	return found, nil
}

// functionValue is the one column of the set-returning function in FROM of that alias, whose row is its value; -1 if there is none.
func (s *scope) functionValue(alias string) int {
	found := -1
	for i, f := range s.schema {
		if f.Qualifier != alias || f.Hidden {
			continue
		}
		if found >= 0 || !s.b.functions[alias] {
			return -1
		}
		found = i
	}
	return found
}

func qualified(f types.Field) string {
	if f.Qualifier == "" {
		return parser.Quote(f.Name)
	}
	return parser.Quote(f.Qualifier) + "." + parser.Quote(f.Name)
}

func (s *scope) unknownColumn(r *parser.ColumnRef, name, qualifier string) error {
	if qualifier != "" && !s.hasTable(qualifier) {
		return s.unknownQualifier(r, name, qualifier)
	}
	shown := `"` + name + `"`
	if qualifier != "" {
		shown = qualifier + "." + name
	}
	e := types.Errorf(types.CodeUndefinedColumn, "column %s does not exist", shown).At(r.Pos)
	if hint := systemColumnHint(name); hint != "" {
		return e.WithHint("%s", hint)
	}
	if qualifier == "" && s.hasTable(name) {
		return e.WithHint("%q is a table here: its columns are %s.column, all of them %s.*", name, parser.Quote(name), parser.Quote(name))
	}
	var names []string
	for _, f := range s.schema {
		if !f.Hidden && f.Name != "" && (qualifier == "" || f.Qualifier == qualifier) {
			names = append(names, f.Name)
		}
	}
	if near := types.Suggest(name, names); near != "" {
		return e.WithHint("Did you mean %s?", parser.Quote(near))
	}
	if len(names) > 0 && len(names) <= 20 {
		return e.WithHint("There are: %s.", strings.Join(names, ", "))
	}
	return e
}

// unknownQualifier is the error of a.b where there is no table a; a column whose name has a dot may be what was meant.
func (s *scope) unknownQualifier(r *parser.ColumnRef, name, qualifier string) error {
	e := types.Errorf(types.CodeUndefinedTable, "missing FROM-clause entry for table %q", qualifier).At(r.Pos)
	var tables []string
	for _, f := range s.schema {
		if f.Name == qualifier+"."+name {
			return e.WithHint("A column name with a dot is quoted: %s.", parser.Quote(f.Name))
		}
		if f.Qualifier != "" && !slices.Contains(tables, f.Qualifier) {
			tables = append(tables, f.Qualifier)
		}
	}
	if len(tables) == 1 {
		return e.WithHint("The table here is %s: %s.%s.", parser.Quote(tables[0]), parser.Quote(tables[0]), star(name))
	}
	if near := types.Suggest(qualifier, tables); near != "" {
		return e.WithHint("Did you mean %s.%s?", parser.Quote(near), star(name))
	}
	return e
}

// star is a name as it is written, or the star itself.
func star(name string) string {
	if name == "*" {
		return name
	}
	return parser.Quote(name)
}

func (s *scope) hasTable(qualifier string) bool {
	for _, f := range s.schema {
		if f.Qualifier == qualifier {
			return true
		}
	}
	return false
}
