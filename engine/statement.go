package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"rhumb/catalog"
	"rhumb/executor"
	"rhumb/parser"
	"rhumb/planner"
	"rhumb/types"
)

// Result is what a statement other than a SELECT gives.
type Result struct {
	Tag     string // CREATE STREAM, DROP VIEW, EXPLAIN ...
	Notices []string
	Schema  types.Schema // nil = no rows
	Rows    *types.Batch
}

// Exec executes a statement other than a SELECT.
func (e *Engine) Exec(ctx context.Context, p parser.Parsed) (*Result, error) {
	switch s := p.Stmt.(type) {
	case *parser.CreateStream:
		return e.createSource(ctx, p, s)
	case *parser.CreateAs:
		return e.createAs(ctx, p, s)
	case *parser.Drop:
		return e.drop(s)
	case *parser.Explain:
		return e.explain(s)
	}
	return nil, types.Errorf(types.CodeNotSupported, "this statement is not supported here").At(p.Stmt.Position())
}

// Exists reports whether there is an object of the name.
func (e *Engine) Exists(name string) bool {
	_, ok := e.cat.Snapshot().Object(name)
	return ok
}

func (e *Engine) env() planner.Env {
	return planner.Env{Catalog: e.cat.Snapshot(), Virtual: catalog.VirtualTable,
		Options: func(kind string, given []parser.Option) (map[string]string, error) {
			return planner.ResolveOptions(e.cfg.Options(catalog.Kind(kind)), given)
		}}
}

func clause(orReplace, ifNotExists bool) catalog.Clause {
	switch {
	case orReplace:
		return catalog.OrReplace
	case ifNotExists:
		return catalog.IfNotExists
	}
	return catalog.New
}

// createSource is CREATE STREAM (columns).
func (e *Engine) createSource(ctx context.Context, p parser.Parsed, s *parser.CreateStream) (*Result, error) {
	o, err := planner.BindSource(s, e.env())
	if err != nil {
		return nil, err
	}
	if _, err := newLoadKey(o); err != nil {
		return nil, types.AsError(err).At(s.Name.Pos)
	}
	return e.create(ctx, p, o, clause(s.OrReplace, s.IfNotExists), s.Name)
}

// createAs is CREATE STREAM|VIEW|MATERIALIZED VIEW ... AS.
func (e *Engine) createAs(ctx context.Context, p parser.Parsed, s *parser.CreateAs) (*Result, error) {
	var o *catalog.Object
	var err error
	switch s.Kind {
	case parser.KindView:
		o, err = planner.BindView(s.Name.Name, s.Query, e.env())
	case parser.KindMatView:
		_, o, err = planner.BindContinuous(catalog.MatView, s.Name.Name, s.Query, s.Options, e.env())
	default:
		_, o, err = planner.BindContinuous(catalog.Derived, s.Name.Name, s.Query, s.Options, e.env())
	}
	if err != nil {
		return nil, err
	}
	o.Query = s.QueryText
	return e.create(ctx, p, o, clause(s.OrReplace, s.IfNotExists), s.Name)
}

// create adds a bound object to the catalog, and starts what belongs to it.
func (e *Engine) create(ctx context.Context, p parser.Parsed, o *catalog.Object, c catalog.Clause, name parser.Ident) (*Result, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	o.Text, o.Canonical = p.Text, p.Canonical
	res := &Result{Tag: "CREATE " + strings.TrimSuffix(string(o.Kind), " AS")}
	was, exists := e.cat.Snapshot().Object(o.Name)
	if !exists && o.Topic != "" {
		if err := e.checkTopic(ctx, o, name); err != nil {
			return nil, err
		}
	}
	made, outcome, err := e.cat.Create(o, c)
	if err != nil {
		return nil, types.AsError(err).At(name.Pos)
	}
	switch outcome {
	case catalog.Unchanged:
		return res, nil
	case catalog.Skipped:
		res.Notices = append(res.Notices, fmt.Sprintf("%q already exists, skipping", o.Name))
		return res, nil
	case catalog.Replaced:
		return res, e.replaced(ctx, was, made, res)
	}
	if err := e.prepare(ctx, made); err != nil {
		return nil, err
	}
	if made.IsDerived() {
		e.pending = append(e.pending, made)
	}
	return res, nil
}

// checkTopic refuses a derived object whose topic is another's: Rhumb writes only into topics that it has made.
func (e *Engine) checkTopic(ctx context.Context, o *catalog.Object, name parser.Ident) error {
	snap := e.cat.Snapshot()
	for _, n := range snap.Names() {
		other, _ := snap.Object(n)
		taken := other.Topic == o.Topic || other.Topic+".rejected" == o.Topic || other.Topic == o.Topic+".rejected"
		if taken && (o.IsDerived() || other.IsDerived()) {
			return types.Errorf(types.CodeDuplicateTable, "topic %q belongs to %q", o.Topic, other.Name).At(name.Pos).
				WithHint("Choose another topic: WITH (topic = '...').")
		}
	}
	if !o.IsDerived() {
		return nil
	}
	_, err := e.cfg.Broker.Topic(ctx, o.Topic)
	switch {
	case err == nil:
		return types.Errorf(types.CodeDuplicateTable, "topic %q exists and does not belong to Rhumb", o.Topic).At(name.Pos).
			WithHint("Choose another topic, WITH (topic = '...'), or delete it if it is of a dropped stream.")
	case types.AsError(err).Code == types.CodeUndefinedTable:
		return nil
	}
	return err
}

// replaced carries out an OR REPLACE. A query starts again under its new version, from the beginning of its sources.
func (e *Engine) replaced(ctx context.Context, was, made *catalog.Object, res *Result) error {
	if !made.IsDerived() {
		if err := e.prepare(ctx, made); err != nil {
			return err
		}
		if made.Kind == catalog.Source {
			res.Notices = append(res.Notices, "queries that read the stream keep the definition with which they were created")
		}
		return nil
	}
	if err := e.stopQuery(was); err != nil {
		return err
	}
	if err := e.startCursor(ctx, made); err != nil {
		return err
	}
	e.pending = append(e.pending, made)
	res.Notices = append(res.Notices, fmt.Sprintf("%q starts again, as version %d", made.Name, made.Version))
	return nil
}

// stopQuery takes a query out of its dataflow, whose other queries go on, and stops its cursor.
func (e *Engine) stopQuery(o *catalog.Object) error {
	if c := e.cursors[o.Number]; c != nil {
		c.stop()
		delete(e.cursors, o.Number)
	}
	e.pending = slices.DeleteFunc(e.pending, func(p *catalog.Object) bool { return p.Number == o.Number })
	e.upmu.RLock()
	i := slices.IndexFunc(e.flows, func(f *flow) bool {
		return slices.ContainsFunc(f.objects, func(q *catalog.Object) bool { return q.Number == o.Number })
	})
	e.upmu.RUnlock()
	if i < 0 {
		return nil
	}
	f := e.flows[i]
	if err := f.df.Stop(); err != nil {
		e.cfg.Log.Warn("a dataflow did not stop cleanly", "query", o.Name, "error", err)
	}
	f.objects = slices.DeleteFunc(f.objects, func(q *catalog.Object) bool { return q.Number == o.Number })
	e.upmu.Lock()
	e.flows = slices.Delete(e.flows, i, i+1)
	delete(e.ups, o.Number)
	e.upmu.Unlock()
	if len(f.objects) == 0 {
		return e.purge(f.id)
	}
	if err := e.saveGroup(f); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(e.ctx, stopTimeout)
	defer cancel()
	return e.startFlow(ctx, f)
}

// drop is DROP.
func (e *Engine) drop(s *parser.Drop) (*Result, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	spec := catalog.DropSpec{Kind: s.Kind, IfExists: s.IfExists, Cascade: s.Cascade}
	for _, n := range s.Names {
		spec.Names = append(spec.Names, n.Name)
	}
	done, err := e.cat.Drop(spec)
	if err != nil {
		return nil, types.AsError(err).At(s.Names[0].Pos)
	}
	res := &Result{Tag: "DROP " + s.Kind}
	for _, m := range done.Missing {
		res.Notices = append(res.Notices, fmt.Sprintf("%s %q does not exist, skipping", strings.ToLower(s.Kind), m))
	}
	for _, o := range done.Objects {
		if err := e.dropped(o, s.Purge); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// dropped stops what a dropped object ran. Topic and documents stay, unless the statement says PURGE.
func (e *Engine) dropped(o *catalog.Object, purge bool) error {
	if o.Kind == catalog.View {
		return nil
	}
	if err := e.stopQuery(o); err != nil {
		return err
	}
	remove := []*catalog.Object{o}
	if o.Kind == catalog.Source {
		dead := catalog.DeadLetters(o)
		if c := e.cursors[dead.Number]; c != nil {
			c.stop()
			delete(e.cursors, dead.Number)
		}
		remove = []*catalog.Object{dead} // the stream's own topic is the user's
	}
	if !purge {
		return nil
	}
	ctx, cancel := context.WithTimeout(e.ctx, stopTimeout)
	defer cancel()
	for _, r := range remove {
		if err := e.cfg.Broker.DeleteTopic(ctx, r.Topic); err != nil && types.AsError(err).Code != types.CodeUndefinedTable {
			return err
		}
		if err := e.cfg.Store.Drop(ctx, r.Number); err != nil {
			return err
		}
	}
	return nil
}

// explain is EXPLAIN: the tree as bound, and after the rules.
func (e *Engine) explain(s *parser.Explain) (*Result, error) {
	if s.Analyze {
		return nil, types.Errorf(types.CodeNotSupported, "EXPLAIN ANALYZE is not supported yet").At(s.Pos).WithHint("Use EXPLAIN.")
	}
	var n planner.Node
	var err error
	switch q := s.Stmt.(type) {
	case *parser.SelectStmt:
		n, _, err = planner.BindSearch(q.Query, e.env())
	case *parser.CreateAs:
		if q.Kind == parser.KindView {
			n, _, err = planner.BindSearch(q.Query, e.env())
			break
		}
		kind := catalog.Derived
		if q.Kind == parser.KindMatView {
			kind = catalog.MatView
		}
		n, _, err = planner.BindContinuous(kind, q.Name.Name, q.Query, q.Options, e.env())
	default:
		return nil, types.Errorf(types.CodeNotSupported, "EXPLAIN of this statement is not supported").At(s.Pos).
			WithHint("EXPLAIN takes a SELECT, or a CREATE with a query.")
	}
	if err != nil {
		return nil, err
	}
	var lines []string
	switch s.Format {
	case "json":
		lines = []string{planner.ExplainJSON(e.optimize(n))}
	case "dot":
		lines = []string{planner.ExplainDOT(e.optimize(n))}
	default:
		runs, err := executor.Describe(e.optimize(n))
		if err != nil {
			return nil, err
		}
		text := "Plan as bound:\n" + planner.Explain(n, true) + "\nPlan after the rules:\n" + planner.Explain(e.optimize(n), true) + "\nAs it runs:\n" + runs
		lines = strings.Split(strings.TrimRight(text, "\n"), "\n")
	}
	col := types.NewVec(types.T(types.Text), len(lines))
	for _, l := range lines {
		col.AppendStr([]byte(l))
	}
	return &Result{Tag: "EXPLAIN", Schema: types.Schema{{Name: "QUERY PLAN", Type: types.T(types.Text)}},
		Rows: &types.Batch{N: len(lines), Cols: []*types.Vec{col}}}, nil
}

// optimize applies the rules.
func (e *Engine) optimize(n planner.Node) planner.Node {
	return planner.Optimize(n, planner.Setting{Supports: e.cfg.Store.Supports, SupportsOrder: e.cfg.Store.SupportsOrder})
}

// plans binds the queries of a dataflow, each as it was bound when it was created.
func (e *Engine) plans(g *flow) ([]planner.Node, error) {
	snap := e.cat.Snapshot()
	var plans []planner.Node
	for _, o := range g.objects {
		sel, err := planner.ParseQuery(o.Query)
		if err != nil {
			return nil, fmt.Errorf("query %q: %w", o.Name, err)
		}
		env := e.env()
		env.Catalog, env.Options = snap.As(o), nil
		out, _, err := planner.BindContinuous(o.Kind, o.Name, sel, nil, env)
		if err != nil {
			return nil, fmt.Errorf("query %q: %w", o.Name, err)
		}
		out.Object = o
		plans = append(plans, e.optimize(out))
	}
	return plans, nil
}

// Search is a SELECT that has been planned.
type Search struct {
	Schema types.Schema // of the result
	e      *Engine
	plan   planner.Node
	reads  []uint32 // store-backed objects
}

// Prepare plans a SELECT.
func (e *Engine) Prepare(_ context.Context, p parser.Parsed) (*Search, error) {
	s, ok := p.Stmt.(*parser.SelectStmt)
	if !ok {
		return nil, types.Errorf(types.CodeInternal, "BUG: not a SELECT")
	}
	n, _, err := planner.BindSearch(s.Query, e.env())
	if err != nil {
		return nil, err
	}
	q := &Search{e: e, plan: e.optimize(n)}
	for _, f := range n.Props().Schema {
		if !f.Hidden {
			q.Schema = append(q.Schema, f)
		}
	}
	q.collect(n)
	return q, nil
}

// collect notes which objects the search reads from the store.
func (q *Search) collect(n planner.Node) {
	if s, ok := n.(*planner.Scan); ok {
		switch {
		case s.Access == planner.Store:
			q.reads = append(q.reads, s.Object.Number)
		case s.Access == planner.Table && s.Object.Name != "rhumb.ledger" && s.Object.Name != "rhumb.columns":
			q.reads = append(q.reads, q.e.deadNumbers()...)
		}
	}
	for _, in := range n.Inputs() {
		q.collect(in)
	}
}

// Run answers the search, when the store has what is in the topics that it reads.
func (q *Search) Run(ctx context.Context, rows func(*types.Batch) error) error {
	if err := q.e.WaitStored(ctx, q.reads...); err != nil {
		return err
	}
	cfg := executor.SearchConfig{Broker: q.e.cfg.Broker, Pool: q.e.pool, Seed: q.e.cat.Snapshot().Seed(), Now: time.Now().UnixMicro(), Rows: q.e.rows,
		Memory: q.e.cfg.Flow.QueryMemory}
	return executor.Search(ctx, cfg, q.plan, rows)
}
