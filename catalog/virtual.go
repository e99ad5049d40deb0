package catalog

import (
	"slices"

	"rhumb/types"
)

// VirtualSchema is the schema in which the engine's own tables are: rhumb.ledger.
const VirtualSchema = "rhumb"

// VirtualTable finds a table of the engine by its qualified name.
func VirtualTable(name string) (*Object, bool) {
	tables := virtualTables()
	i := slices.IndexFunc(tables, func(o *Object) bool { return o.Name == name })
	if i < 0 {
		return nil, false
	}
	return tables[i], true
}

// VirtualNames is the qualified names of the engine's tables.
func VirtualNames() []string {
	var names []string
	for _, o := range virtualTables() {
		names = append(names, o.Name)
	}
	return names
}

// virtualTables makes the definitions: what the ledger counts of each stream and query, and the rows that were left out.
func virtualTables() []*Object {
	text, count := types.T(types.Text), types.T(types.Int8)
	left := func(name string) *Object {
		return virtual(name, leftOut(text, count)...)
	}
	return []*Object{
		virtual("ledger",
			Column{Name: "object", Type: text},
			Column{Name: "source", Type: text},
			Column{Name: "rows_in", Type: count},
			Column{Name: "used", Type: count},
			Column{Name: "filtered", Type: count},
			Column{Name: "late", Type: count},
			Column{Name: "rejected", Type: count},
			Column{Name: "future", Type: count},
			Column{Name: "idle", Type: count}),
		virtual("columns",
			Column{Name: "object", Type: text},
			Column{Name: "stream", Type: text},
			Column{Name: "column", Type: text},
			Column{Name: "nulled", Type: count},
			Column{Name: "replaced", Type: count}),
		left("late"), left("rejected"), left("future"),
	}
}

func virtual(name string, columns ...Column) *Object {
	return &Object{Name: VirtualSchema + "." + name, Kind: Virtual, Columns: columns}
}
