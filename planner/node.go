// Package planner binds a parsed query's names and types into one tree of plan nodes, and rewrites the tree by ordered rules. A plan
// describes; the executor runs.
package planner

import (
	"rhumb/catalog"
	"rhumb/connectors"
	"rhumb/expr"
	"rhumb/types"
)

// Mode says what a node's rows are.
type Mode uint8

// The modes.
const (
	Append Mode = iota // rows are facts
	Upsert             // rows revise earlier rows of the same id
)

// RowID says what a row of a node is, and so how the id of a result is made: of the coordinates, of columns, or of both (UNION ALL: the
// number of the branch besides). Without either there is one row: an aggregation without keys. Only plans of continuous queries say it.
type RowID struct {
	Origin bool  // the coordinates of the record (and the ordinal of unnest)
	Cols   []int // the values of these columns; they may be hidden ones
}

// Props is what every node says of itself.
type Props struct {
	// Schema may have hidden fields: system columns that were named (of a Scan), and columns without a name that are only there for the
	// row's id, behind the visible ones; those are not part of the result.
	Schema    types.Schema
	Mode      Mode
	ID        RowID
	TimeCol   int  // the event-time column of the schema; -1 = none
	Watermark bool // rows come with a watermark on TimeCol (always, in a continuous plan with an event time)
}

// Node is a plan node. The set is closed: the types of this package named after files node_*.go are those below.
type Node interface {
	Props() *Props
	Inputs() []Node
}

// Access is how a Scan reads its object.
type Access uint8

// The accesses.
const (
	Log   Access = iota // the object's topic, decoded: continuous queries; searches over sources
	Store               // the document store: searches over derived objects
	Table               // a virtual table of the engine (rhumb.ledger, ...): rows handed over by the engine
)

// Scan reads an object. For Log access the schema's first len(Columns) fields are decoded from the payload or computed from those, and
// Filter has been pushed into the decode stage: rows that do not pass count as filtered.
type Scan struct {
	Object  *catalog.Object
	Access  Access
	Columns []int     // of Object.Columns, in schema order; projection push-down shortens it
	System  []string  // system columns that the query names, after the columns: _topic, _partition, _offset, _key, _timestamp; for Store: _id, _state, ...
	Filter  expr.Expr // over the schema; nil = none
	// Pushed into the store (Access Store), beside Filter, which is what remains:
	Where   []connectors.Cond
	OrderBy []connectors.Order
	Limit   int64 // -1 = none
	P       Props
}

// Filter keeps the rows for which Pred is TRUE.
type Filter struct {
	Input Node
	Pred  expr.Expr
	P     Props
}

// Project computes its columns.
type Project struct {
	Input Node
	Exprs []expr.Expr
	P     Props
}

// Unnest makes a row of each element of an array: the input's columns, then the element (and, WITH ORDINALITY, its number). Rows whose array
// is empty or NULL vanish. Several arrays run in parallel, the shorter padded with NULL.
type Unnest struct {
	Input      Node
	Arrays     []expr.Expr
	Ordinality bool
	P          Props
}

// WindowKind is the kind of a window.
type WindowKind uint8

// The kinds.
const (
	Tumble WindowKind = iota
)

// Window adds window_start, window_end and window_time to its input's columns.
type Window struct {
	Input  Node
	Kind   WindowKind
	Time   int   // input column with the event time
	Size   int64 // microseconds
	Offset int64
	P      Props
}

// Aggregate groups. Its columns are the keys, then the aggregates.
//   - Windowed: the keys include window_start and window_end of a Window below (WindowStart, WindowEnd are their places among the keys); rows are
//     emitted when the watermark closes the window.
//   - otherwise in a continuous plan: one row per key for ever, upserted as it changes (materialized views).
//   - otherwise in a search: rows at the end of the input. Without keys it emits one row even of no input.
type Aggregate struct {
	Input                  Node
	Keys                   []expr.Expr
	Aggs                   []*expr.AggCall
	Windowed               bool
	WindowStart, WindowEnd int // among Keys; -1 = not a key (WindowStart is always there if Windowed)
	P                      Props
}

// Distinct keeps one row of equal rows. Searches only.
type Distinct struct {
	Input Node
	P     Props
}

// Sort orders. Searches only. With Limit >= 0 it keeps the first Limit rows (top N) after Offset.
type Sort struct {
	Input Node
	Keys  []expr.SortKey
	Limit int64 // -1 = none
	P     Props
}

// Limit passes rows Offset .. Offset+Count. Searches only.
type Limit struct {
	Input  Node
	Count  int64 // -1 = all
	Offset int64
	P      Props
}

// Values is constant rows.
type Values struct {
	Rows [][]expr.Expr
	P    Props
}

// Union is UNION ALL.
type Union struct {
	In []Node
	P  Props
}

// Output is the root of a continuous query: rows become records of the object's topic.
type Output struct {
	Input  Node
	Object *catalog.Object
	P      Props
}

// Props and Inputs of the nodes.
func (n *Scan) Props() *Props      { return &n.P }
func (n *Filter) Props() *Props    { return &n.P }
func (n *Project) Props() *Props   { return &n.P }
func (n *Unnest) Props() *Props    { return &n.P }
func (n *Window) Props() *Props    { return &n.P }
func (n *Aggregate) Props() *Props { return &n.P }
func (n *Distinct) Props() *Props  { return &n.P }
func (n *Sort) Props() *Props      { return &n.P }
func (n *Limit) Props() *Props     { return &n.P }
func (n *Values) Props() *Props    { return &n.P }
func (n *Union) Props() *Props     { return &n.P }
func (n *Output) Props() *Props    { return &n.P }

func (n *Scan) Inputs() []Node      { return nil }
func (n *Filter) Inputs() []Node    { return []Node{n.Input} }
func (n *Project) Inputs() []Node   { return []Node{n.Input} }
func (n *Unnest) Inputs() []Node    { return []Node{n.Input} }
func (n *Window) Inputs() []Node    { return []Node{n.Input} }
func (n *Aggregate) Inputs() []Node { return []Node{n.Input} }
func (n *Distinct) Inputs() []Node  { return []Node{n.Input} }
func (n *Sort) Inputs() []Node      { return []Node{n.Input} }
func (n *Limit) Inputs() []Node     { return []Node{n.Input} }
func (n *Values) Inputs() []Node    { return nil }
func (n *Union) Inputs() []Node     { return n.In }
func (n *Output) Inputs() []Node    { return []Node{n.Input} }
