package planner

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"rhumb/connectors"
	"rhumb/expr"
	"rhumb/parser"
	"rhumb/types"
)

// description is what EXPLAIN says of a node, for all its formats.
type description struct {
	Node    string         `json:"node"`
	About   string         `json:"about,omitempty"`   // what it works on
	Details []detail       `json:"details,omitempty"` // its clauses
	Columns []string       `json:"columns"`
	Mode    string         `json:"mode"`
	RowID   string         `json:"row_id,omitempty"`
	Time    string         `json:"event_time,omitempty"`
	Mark    bool           `json:"watermark"`
	Inputs  []*description `json:"inputs,omitempty"`
}

type detail struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Explain prints a plan as an indented tree; verbose adds each node's schema, mode, row id, event time and watermark.
func Explain(n Node, verbose bool) string {
	var b strings.Builder
	describe(n).text(&b, 0, verbose)
	return b.String()
}

// ExplainJSON prints a plan as JSON.
func ExplainJSON(n Node) string {
	b, err := json.MarshalIndent(describe(n), "", "  ")
	if err != nil {
		return strconv.Quote(err.Error()) // cannot be: a description is strings
	}
	return string(b) + "\n"
}

// ExplainDOT prints a plan as a graph for Graphviz; rows flow upwards.
func ExplainDOT(n Node) string {
	var b strings.Builder
	b.WriteString("digraph plan {\n  rankdir=BT;\n  node [shape=box, fontname=\"monospace\"];\n")
	next := 0
	describe(n).dot(&b, &next)
	b.WriteString("}\n")
	return b.String()
}

func (d *description) title() string {
	if d.About == "" {
		return d.Node
	}
	return d.Node + " " + d.About
}

func (d *description) text(b *strings.Builder, depth int, verbose bool) {
	indent := strings.Repeat("  ", depth)
	fmt.Fprintf(b, "%s%s\n", indent, d.title())
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(b, "%s    %s: %s\n", indent, name, text)
		}
	}
	for _, x := range d.Details {
		line(x.Name, x.Text)
	}
	if verbose {
		line("columns", strings.Join(d.Columns, ", "))
		line("rows", d.Mode)
		line("row id", d.RowID)
		line("event time", d.Time)
		if d.Mark {
			line("watermark", "yes")
		}
	}
	for _, in := range d.Inputs {
		in.text(b, depth+1, verbose)
	}
}

func (d *description) dot(b *strings.Builder, next *int) int {
	id := *next
	*next++
	label := d.title()
	for _, x := range d.Details {
		label += "\n" + x.Name + ": " + x.Text
	}
	// \l ends a line that is aligned to the left.
	escaped := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\l`).Replace(label)
	fmt.Fprintf(b, "  n%d [label=\"%s\\l\"];\n", id, escaped)
	for _, in := range d.Inputs {
		fmt.Fprintf(b, "  n%d -> n%d;\n", in.dot(b, next), id)
	}
	return id
}

func describe(n Node) *description {
	p := n.Props()
	d := &description{Mode: "append", Mark: p.Watermark, RowID: rowID(p), Columns: []string{}}
	if p.Mode == Upsert {
		d.Mode = "upsert"
	}
	for _, f := range p.Schema {
		d.Columns = append(d.Columns, fieldText(f))
	}
	if p.TimeCol >= 0 {
		d.Time = fieldName(p.Schema[p.TimeCol])
	}
	d.describeNode(n)
	for _, in := range n.Inputs() {
		d.Inputs = append(d.Inputs, describe(in))
	}
	return d
}

func fieldName(f types.Field) string {
	switch {
	case f.Name == "":
		return "(hidden)"
	case strings.Contains(f.Name, "("):
		return f.Name // computed: the expression itself
	}
	return parser.Quote(f.Name)
}

// show prints an expression; columns that are computed below are printed as the expressions that they are, not as quoted names.
func show(e expr.Expr) string {
	return mapColumns(e, func(c *expr.Column) expr.Expr {
		if strings.Contains(c.Name, "(") {
			return verbatim{c}
		}
		return c
	}).String()
}

// verbatim prints a column's name as it is.
type verbatim struct{ *expr.Column }

func (v verbatim) String() string { return v.Name }

func fieldText(f types.Field) string {
	s := fieldName(f) + " " + f.Type.String()
	if f.Entity != "" {
		s += " entity " + f.Entity
	}
	return s
}

func rowID(p *Props) string {
	var parts []string
	if p.ID.Origin {
		parts = append(parts, "coordinates")
	}
	for _, c := range p.ID.Cols {
		parts = append(parts, strconv.Itoa(c+1)+" "+fieldName(p.Schema[c]))
	}
	return strings.Join(parts, ", ")
}

// add notes a clause, unless it is empty.
func (d *description) add(name, text string) {
	if text != "" {
		d.Details = append(d.Details, detail{name, text})
	}
}

func (d *description) describeNode(n Node) {
	switch n := n.(type) {
	case *Scan:
		d.scan(n)
	case *Filter:
		d.Node = "Filter"
		d.add("condition", show(n.Pred))
	case *Project:
		d.Node = "Project"
		d.add("output", namedExprs(n.Exprs, n.P.Schema))
	case *Unnest:
		d.Node = "Unnest"
		d.add("arrays", exprList(n.Arrays))
		if n.Ordinality {
			d.add("with", "ordinality")
		}
	case *Window:
		d.Node, d.About = "Window", "TUMBLE"
		d.add("time", fieldName(n.Input.Props().Schema[n.Time]))
		d.add("size", micros(n.Size))
		if n.Offset != 0 {
			d.add("offset", micros(n.Offset))
		}
	case *Aggregate:
		d.aggregate(n)
	case *Distinct:
		d.Node = "Distinct"
	case *Sort:
		d.Node = "Sort"
		if n.Limit >= 0 {
			d.About = "top " + strconv.FormatInt(n.Limit, 10)
		}
		d.add("keys", sortKeys(n.Keys))
	case *Limit:
		d.Node = "Limit"
		if n.Count >= 0 {
			d.add("count", strconv.FormatInt(n.Count, 10))
		}
		if n.Offset > 0 {
			d.add("offset", strconv.FormatInt(n.Offset, 10))
		}
	case *Values:
		d.Node, d.About = "Values", count(len(n.Rows), "row")
	case *Union:
		d.Node = "Union all"
	case *Output:
		d.Node, d.About = "Output", parser.Quote(n.Object.Name)
	}
}

func (d *description) scan(n *Scan) {
	d.Node, d.About = "Scan", parser.Quote(n.Object.Name)
	d.add("from", map[Access]string{Log: "topic " + n.Object.Topic, Store: "store", Table: "engine"}[n.Access])
	var names []string
	for _, c := range n.Columns {
		names = append(names, parser.Quote(n.Object.Columns[c].Name))
	}
	d.add("reads", strings.Join(append(names, n.System...), ", "))
	var conds []string
	for _, c := range n.Where {
		conds = append(conds, condText(c))
	}
	d.add("store filter", strings.Join(conds, " AND "))
	var order []string
	for _, o := range n.OrderBy {
		order = append(order, parser.Quote(o.Column)+direction(o.Desc, o.NullsFirst))
	}
	d.add("store order", strings.Join(order, ", "))
	if n.Limit >= 0 {
		d.add("store limit", strconv.FormatInt(n.Limit, 10))
	}
	if n.Filter != nil {
		d.add("filter", show(n.Filter))
	}
}

func condText(c connectors.Cond) string {
	s := parser.Quote(c.Column) + " " + strings.ToUpper(c.Op)
	var vals []string
	for _, v := range c.Values {
		vals = append(vals, (&expr.Const{Value: v}).String())
	}
	switch {
	case len(vals) == 0:
		return s
	case c.Op == "in":
		return s + " (" + strings.Join(vals, ", ") + ")"
	}
	return s + " " + vals[0]
}

func (d *description) aggregate(n *Aggregate) {
	d.Node = "Aggregate"
	switch {
	case n.Windowed:
		d.About = "per window"
	case n.P.Mode == Upsert:
		d.About = "for ever"
	}
	d.add("keys", exprList(n.Keys))
	var aggs []string
	for _, a := range n.Aggs {
		aggs = append(aggs, a.String())
	}
	d.add("aggregates", strings.Join(aggs, ", "))
}

func exprList(es []expr.Expr) string {
	var parts []string
	for _, e := range es {
		parts = append(parts, show(e))
	}
	return strings.Join(parts, ", ")
}

// namedExprs is a select list; a name that the expression has anyway is left out.
func namedExprs(es []expr.Expr, s types.Schema) string {
	var parts []string
	for i, e := range es {
		text := show(e)
		switch name := parser.Quote(s[i].Name); {
		case s[i].Name == "":
			text += " (hidden)"
		case name != text:
			text += " AS " + name
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

func sortKeys(keys []expr.SortKey) string {
	var parts []string
	for _, k := range keys {
		parts = append(parts, show(k.Expr)+direction(k.Desc, k.NullsFirst))
	}
	return strings.Join(parts, ", ")
}

// direction is what a sort key says beyond Postgres's defaults.
func direction(desc, nullsFirst bool) string {
	s := ""
	if desc {
		s = " DESC"
	}
	if nullsFirst == desc {
		return s
	}
	if nullsFirst {
		return s + " NULLS FIRST"
	}
	return s + " NULLS LAST"
}

func micros(us int64) string { return (time.Duration(us) * time.Microsecond).String() }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
