package engine

import (
	"context"
	"maps"
	"slices"

	"rhumb/catalog"
	"rhumb/connectors"
	"rhumb/executor"
	"rhumb/planner"
	"rhumb/types"
)

// rows hands over the rows of a scan that is not of a log.
func (e *Engine) rows(ctx context.Context, scan *planner.Scan, fn func(*types.Batch) error) error {
	if scan.Access == planner.Store {
		return e.cfg.Store.Scan(ctx, scan.Object.Number, storeScan(scan), fn)
	}
	switch scan.Object.Name {
	case "rhumb.ledger":
		return fn(e.ledger(scan))
	case "rhumb.columns":
		return fn(e.columns(scan))
	}
	kind := types.TextValue(scan.Object.Name[len(catalog.VirtualSchema)+1:])
	for _, o := range objects(e.cat.Snapshot()) {
		if o.Kind != catalog.Source {
			continue
		}
		s := storeScan(scan)
		s.Where = append(s.Where, connectors.Cond{Column: "kind", Op: "=", Values: []types.Value{kind}})
		if err := e.cfg.Store.Scan(ctx, catalog.DeadLetters(o).Number, s, fn); err != nil {
			return err
		}
	}
	return nil
}

// storeScan is what the store is asked for.
func storeScan(scan *planner.Scan) connectors.Scan {
	s := connectors.Scan{Where: scan.Where, OrderBy: scan.OrderBy, Limit: -1}
	if scan.Access == planner.Store {
		s.Limit = scan.Limit
	}
	for _, c := range scan.Columns {
		s.Columns = append(s.Columns, scan.Object.Columns[c].Name)
	}
	s.Columns = append(s.Columns, scan.System...)
	return s
}

// deadNumbers are the objects of the rows that were left out.
func (e *Engine) deadNumbers() []uint32 {
	var all []uint32
	for _, o := range objects(e.cat.Snapshot()) {
		if o.Kind == catalog.Source {
			all = append(all, catalog.DeadLetters(o).Number)
		}
	}
	return all
}

// ledger makes the rows of rhumb.ledger: what each query did with the rows of its source.
func (e *Engine) ledger(scan *planner.Scan) *types.Batch {
	return e.statusRows(scan, func(f *flow, status executor.Status, row func(map[string]types.Value)) {
		for i, t := range status.Totals {
			row(map[string]types.Value{
				"object": types.TextValue(f.objects[i].Name), "source": types.TextValue(e.sourceNames(f.objects[i])),
				"rows_in": count(t.In), "used": count(t.Used), "filtered": count(t.Filtered), "late": count(t.Late),
				"rejected": count(t.Rejected), "future": count(t.Future), "idle": count(int64(status.Idle)),
			})
		}
	})
}

// columns makes the rows of rhumb.columns: the values of each column that became NULL because they were not of its type, and those in which
// characters were replaced. A dataflow decodes once for all its queries; the first stands for it.
func (e *Engine) columns(scan *planner.Scan) *types.Batch {
	return e.statusRows(scan, func(f *flow, status executor.Status, row func(map[string]types.Value)) {
		for _, stream := range slices.Sorted(maps.Keys(status.Defects)) {
			for _, column := range slices.Sorted(maps.Keys(status.Defects[stream])) {
				d := status.Defects[stream][column]
				row(map[string]types.Value{"object": types.TextValue(f.objects[0].Name), "stream": types.TextValue(stream),
					"column": types.TextValue(column), "nulled": count(d.Nulled), "replaced": count(d.Replaced)})
			}
		}
	})
}

// statusRows makes the rows of a table that shows the states of the dataflows.
func (e *Engine) statusRows(scan *planner.Scan, rows func(f *flow, s executor.Status, row func(map[string]types.Value))) *types.Batch {
	b := &types.Batch{}
	for _, c := range scan.Columns {
		b.Cols = append(b.Cols, types.NewVec(scan.Object.Columns[c].Type, 8))
	}
	e.upmu.RLock()
	defer e.upmu.RUnlock()
	for _, f := range e.flows {
		rows(f, f.df.Status(), func(cells map[string]types.Value) {
			for k, c := range scan.Columns {
				b.Cols[k].AppendValue(cells[scan.Object.Columns[c].Name])
			}
			b.N++
		})
	}
	return b
}

func count(n int64) types.Value { return types.IntValue(types.Int8, n) }

// RowsIn is how many rows have come into all queries.
func (e *Engine) RowsIn() int64 {
	e.upmu.RLock()
	defer e.upmu.RUnlock()
	var n int64
	for _, f := range e.flows {
		for _, t := range f.df.Status().Totals {
			n += t.In
		}
	}
	return n
}
