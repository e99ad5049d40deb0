package planner

import (
	"slices"
	"strings"

	"rhumb/catalog"
	"rhumb/types"
)

// TopicColumns are the system columns of what is read from a topic, in this order.
func TopicColumns() types.Schema {
	return types.Schema{
		{Name: "_topic", Type: types.T(types.Text), Hidden: true},
		{Name: "_partition", Type: types.T(types.Int4), Hidden: true},
		{Name: "_offset", Type: types.T(types.Int8), Hidden: true},
		{Name: "_key", Type: types.T(types.Text), Hidden: true},
		{Name: timestampColumn, Type: types.T(types.Timestamptz), Hidden: true},
	}
}

// StoreColumns are the system columns of what is read from the document store, in this order.
func StoreColumns() types.Schema {
	return types.Schema{
		{Name: "_id", Type: types.T(types.Text), Hidden: true},
		{Name: "_state", Type: types.T(types.Text), Hidden: true},
		{Name: "_events", Type: types.T(types.JSONB), Hidden: true},
		{Name: "_events_total", Type: types.T(types.Int8), Hidden: true},
		{Name: "_first_event", Type: types.T(types.Timestamptz), Hidden: true},
		{Name: "_last_event", Type: types.T(types.Timestamptz), Hidden: true},
		{Name: "_entities", Type: types.T(types.JSONB), Hidden: true},
		{Name: "_detected", Type: types.T(types.Timestamptz), Hidden: true},
	}
}

// timestampColumn is the record's timestamp, and the event time of a stream that declares none.
const timestampColumn = "_timestamp"

// reservedNames are fields of a document beside its columns (documents.md): a query must not name a column so.
var reservedNames = []string{"_id", "events", "events_total", "first_event", "last_event", "entities", "state", "rhumb"}

// systemColumns are those that an object has when read so; a declared column hides the system column of its name.
func systemColumns(o *catalog.Object, a Access) types.Schema {
	var all types.Schema
	switch a {
	case Log:
		all = TopicColumns()
	case Store:
		all = StoreColumns()
	}
	return slices.DeleteFunc(all, func(f types.Field) bool {
		return slices.ContainsFunc(o.Columns, func(c catalog.Column) bool { return c.Name == f.Name })
	})
}

// systemColumnHint explains a system column that this relation does not have; "" if name is none.
func systemColumnHint(name string) string {
	list := func(s types.Schema) string {
		var names []string
		for _, f := range s {
			names = append(names, f.Name)
		}
		return strings.Join(names, ", ")
	}
	is := func(s types.Schema) bool {
		return slices.ContainsFunc(s, func(f types.Field) bool { return f.Name == name })
	}
	switch {
	case is(TopicColumns()):
		return "Only what is read from its topic has the system columns " + list(TopicColumns()) + "; a subquery has those that it selects."
	case is(StoreColumns()):
		return "Only a search over complex events has the system columns " + list(StoreColumns()) + "; a subquery has those that it selects."
	}
	return ""
}
