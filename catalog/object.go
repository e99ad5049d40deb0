// Package catalog holds named objects and their persistence.
package catalog

import "rhumb/types"

// Kind is the kind of a named object.
type Kind string

// The kinds, as statements spell them.
const (
	Source  Kind = "STREAM"            // declared over a topic
	Derived Kind = "STREAM AS"         // a continuous query with a topic of its own
	View    Kind = "VIEW"              // a named query
	MatView Kind = "MATERIALIZED VIEW" // one row per key, for ever
	// DeadLetter is the rows left out of a stream (deadletter.go); never in the catalog's file either.
	DeadLetter Kind = "DEAD LETTERS"
	Virtual    Kind = "VIRTUAL TABLE" // rows of the engine itself (virtual.go); never in the catalog's file
)

// Column is a column of an object.
type Column struct {
	Name    string
	Type    types.Type
	Path    []string // where decoding finds it; nil = by name (then, for a dotted name, as a path). "[n]" is index n of an array, from 0
	NotNull bool
	Default string // expression text; "" = none
	Entity  string
	Expr    string // computed column: expression text over the other columns; "" = decoded
}

// Object is a named object. Objects are immutable: a change makes a new one.
type Object struct {
	Number    uint32 // never reused
	Version   uint32 // rises when the meaning changes
	Name      string
	Kind      Kind
	Text      string // the statement
	Canonical string // its canonical text
	Columns   []Column
	Options   map[string]string // complete: defaults filled in
	// Of sources:
	TimeColumn string // the event-time column; "" = the record's timestamp
	Watermark  string // expression text; "" = the record's timestamp
	EventID    string
	// Of topics that Rhumb reads or writes:
	Topic    string
	Identity string // of the topic when the object was created
	// Of queries:
	Query     string   // its text
	DependsOn []uint32 // all that its query reaches, through views too
	Versions  []uint32 // of DependsOn, one by one: those that it was bound to and stays bound to
	Key       []string // column names that make a row's id; nil = its origin
}

// IsDerived reports whether a continuous query of ours writes the object's topic.
func (o *Object) IsDerived() bool { return o.Kind == Derived || o.Kind == MatView }

// Upsert reports whether a record of the object revises earlier ones of its id.
func (o *Object) Upsert() bool { return o.Kind == MatView }

// Schema returns the columns as a schema qualified by alias.
func (o *Object) Schema(alias string) types.Schema {
	s := make(types.Schema, len(o.Columns))
	for i, c := range o.Columns {
		s[i] = types.Field{Name: c.Name, Qualifier: alias, Type: c.Type, Entity: c.Entity}
	}
	return s
}

// Lookup finds objects by name; the planner's view of the catalog.
type Lookup interface {
	Object(name string) (*Object, bool)
	ByNumber(n uint32) (*Object, bool)
	Names() []string
}
