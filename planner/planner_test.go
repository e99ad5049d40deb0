package planner

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"rhumb/catalog"
	"rhumb/connectors"
	"rhumb/parser"
	"rhumb/types"
)

// TestGolden runs testdata/*.txt. Each file has a catalog of its own. Commands:
//
//	ddl         statements that create objects; prints what the catalog then says of them, or the error
//	plan        a search or a CREATE ... AS: the tree as bound and as optimised. Arguments: verbose; store (a store that can do
//	            everything), store=<columns> (only conditions and orders on these)
//	bound       the tree as bound only
//	error       statements of which each fails: the errors
//	format      EXPLAIN's other formats: json, dot
func TestGolden(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		c, err := catalog.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		w := &world{c}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "ddl":
				return w.each(d.Input, w.create)
			case "plan", "bound":
				return w.each(d.Input, func(p parser.Parsed) (string, error) { return w.plan(p, d) })
			case "error":
				return w.each(d.Input, func(p parser.Parsed) (string, error) {
					_, _, err := w.bind(p)
					return "no error\n", err
				})
			case "format":
				return w.each(d.Input, func(p parser.Parsed) (string, error) {
					n, _, err := w.bind(p)
					if err != nil {
						return "", err
					}
					return ExplainJSON(n) + ExplainDOT(n), nil
				})
			}
			t.Fatalf("unknown command %s", d.Cmd)
			return ""
		})
	})
}

type world struct{ c *catalog.Catalog }

func (w *world) env() Env {
	return Env{Catalog: w.c.Snapshot(), Virtual: catalog.VirtualTable}
}

// each parses statements and runs f on each; errors are shown as psql shows them.
func (w *world) each(input string, f func(parser.Parsed) (string, error)) string {
	pieces, err := parser.Split(input)
	if err != nil {
		return err.Error() + "\n"
	}
	var out []string
	for _, piece := range pieces {
		stmts, err := parser.Parse(piece.Text)
		s := ""
		if err == nil {
			s, err = f(stmts[0])
		}
		if err != nil {
			e := types.AsError(err)
			s = e.Code + " " + parser.Caret(piece.Text, e) + "\n"
		}
		out = append(out, s)
	}
	return strings.Join(out, "----\n")
}

// bind binds a statement; o is nil for a search.
func (w *world) bind(p parser.Parsed) (n Node, o *catalog.Object, err error) {
	switch s := p.Stmt.(type) {
	case *parser.SelectStmt:
		n, _, err = BindSearch(s.Query, w.env())
	case *parser.CreateStream:
		o, err = BindSource(s, w.env())
	case *parser.CreateAs:
		if s.Kind == parser.KindView {
			o, err = BindView(s.Name.Name, s.Query, w.env())
			break
		}
		kind := catalog.Derived
		if s.Kind == parser.KindMatView {
			kind = catalog.MatView
		}
		var out *Output
		out, o, err = BindContinuous(kind, s.Name.Name, s.Query, s.Options, w.env())
		if err == nil {
			n = out
		}
	default:
		err = fmt.Errorf("no binding for %T", s)
	}
	if o != nil {
		o.Text, o.Canonical = p.Text, p.Canonical
		if s, ok := p.Stmt.(*parser.CreateAs); ok {
			o.Query = s.QueryText
		}
	}
	return n, o, err
}

func (w *world) create(p parser.Parsed) (string, error) {
	_, o, err := w.bind(p)
	if err != nil {
		return "", err
	}
	clause := catalog.New
	if strings.HasPrefix(p.Canonical, "create or replace ") {
		clause = catalog.OrReplace
	}
	o, _, err = w.c.Create(o, clause)
	if err != nil {
		return "", err
	}
	return w.object(o), nil
}

// object is what the catalog says of an object.
func (w *world) object(o *catalog.Object) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s, topic %q", o.Kind, o.Name, o.Topic)
	if len(o.Key) > 0 {
		fmt.Fprintf(&b, ", key %s", strings.Join(o.Key, ", "))
	}
	if o.TimeColumn != "" {
		fmt.Fprintf(&b, ", time %s", o.TimeColumn)
	}
	if o.Watermark != "" {
		fmt.Fprintf(&b, ", watermark %s", o.Watermark)
	}
	if o.EventID != "" {
		fmt.Fprintf(&b, ", event id %s", o.EventID)
	}
	for i, n := range o.DependsOn {
		dep, _ := w.c.Snapshot().ByNumber(n)
		fmt.Fprintf(&b, ", on %s %d", dep.Name, o.Versions[i])
	}
	b.WriteString("\n")
	for _, c := range o.Columns {
		fmt.Fprintf(&b, "  %s %s", parser.Quote(c.Name), c.Type)
		if c.Path != nil {
			fmt.Fprintf(&b, " path %q", c.Path)
		}
		if c.NotNull {
			b.WriteString(" not null")
		}
		if c.Default != "" {
			fmt.Fprintf(&b, " default %s", c.Default)
		}
		if c.Expr != "" {
			fmt.Fprintf(&b, " as %s", c.Expr)
		}
		if c.Entity != "" {
			fmt.Fprintf(&b, " entity %s", c.Entity)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (w *world) plan(p parser.Parsed, d *datadriven.TestData) (string, error) {
	n, o, err := w.bind(p)
	if err != nil {
		return "", err
	}
	out := ""
	if o != nil {
		out = w.object(o)
		if n == nil { // a source or view has no plan
			return out, nil
		}
	}
	verbose := d.HasArg("verbose")
	before := Explain(n, true)
	out += Explain(n, verbose)
	if d.Cmd == "bound" {
		return out, nil
	}
	if err := sameRows(n, setting(d)); err != nil {
		return "", err
	}
	opt := Optimize(n, setting(d))
	if err := sound(opt, n); err != nil {
		return "", err
	}
	if Explain(n, true) != before {
		return "", fmt.Errorf("BUG: a rule changed the plan that it was given")
	}
	return out + "=>\n" + Explain(opt, verbose), nil
}

// setting is a store that can do what the command's argument says.
func setting(d *datadriven.TestData) Setting {
	var s Setting
	for _, a := range d.CmdArgs {
		if a.Key != "store" {
			continue
		}
		can := func(col string) bool { return len(a.Vals) == 0 || slices.Contains(a.Vals, col) }
		s.Supports = func(_ uint32, c connectors.Cond) bool { return can(c.Column) }
		s.SupportsOrder = func(_ uint32, o []connectors.Order) bool {
			return !slices.ContainsFunc(o, func(o connectors.Order) bool { return !can(o.Column) })
		}
	}
	return s
}
