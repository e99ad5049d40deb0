// Package op holds the operators: one file each. An operator sees batches, its own state, and the step's clock; it reads no other
// clock, starts no goroutine, takes no lock and touches no network, so that a step can be computed again and give the same.
package op

import (
	"rhumb/expr"
	"rhumb/types"
)

// Ctx is what an operator may use during a call. A task (a chunk of a partition, or a shard) has one of its own.
type Ctx struct {
	Expr   expr.Ctx
	Ledger *Ledger
	// Watermark is that of the operator's input before the step, Ended the greatest event time that there was when the inputs last came to
	// an end (Always if they never did): windows that end at or before Watermark, or begin at or before Ended, have closed.
	Watermark, Ended int64
	sel              []int32
}

// Transform is a stateless operator: it maps a batch to a batch. The result is valid until the next call of the same instance, and may share
// vectors with the input. Instances hold scratch and are used by one task at a time.
//
// A row whose expressions fail leaves the batch and is noted in the ledger.
type Transform interface {
	Apply(x *Ctx, b *types.Batch) *types.Batch
}

// Operator is a stateful operator's share of one shard. Rows come in canonical order of their chunks, then Advance is called once.
type Operator interface {
	// Process takes the live rows of b, which is borrowed for the call.
	Process(x *Ctx, b *types.Batch, emit Emit)
	// Advance ends a step. It is called for the shards that had rows, for all on a flush or at the end of the input, and for those whose Due
	// time has come.
	Advance(x *Ctx, p Progress, emit Emit)
	// Due is the watermark from which on Advance has something to do, whatever rows come; Never if there is none.
	Due() int64
	Save(e *types.Encoder)
	Load(d *types.Decoder)
	// Bytes is the memory of the state.
	Bytes() int
}

// Emit takes a batch of results; it is borrowed for the call.
type Emit func(*types.Batch)

// Progress is how far a step has brought an edge of the plan.
type Progress struct {
	// Watermark: no row with an event time before it is expected. End of a bounded input: Never.
	Watermark int64
	// Final: the inputs have come to their present end.
	Final bool
	// Flush asks operators that coalesce revisions to write those that are pending.
	Flush bool
}

// Never is the time that does not come; Always the watermark before the first row.
const (
	Never  = int64(^uint64(0) >> 1)
	Always = -Never - 1
)

// Reason says why a row was left out.
type Reason uint8

// The reasons.
const (
	Rejected Reason = iota // undecodable, no event time, NOT NULL, or an expression failed
	Late                   // every window that it belongs to has closed
	Future                 // event time too far ahead of the clock
)

func (r Reason) String() string { return [...]string{"rejected", "late", "future"}[r] }

// Dropped is a row that was left out, by its coordinates.
type Dropped struct {
	Reason Reason
	Object uint32
	Part   int32
	Off    int64
	Sub    int32
	Time   int64
	Why    string
	Code   string
}

// Ledger is a task's account of the rows of one query: in = used + filtered + dropped.
type Ledger struct {
	In, Used, Filtered int64
	Dropped            []Dropped
}

// Drop notes a row of b.
func (l *Ledger) Drop(reason Reason, o *types.Origin, row int32, code, why string) {
	d := Dropped{Reason: reason, Object: o.Object, Sub: o.SubOf(row), Why: why, Code: code}
	if o.Off != nil {
		d.Part, d.Off, d.Time = o.Part[row], o.Off[row], o.Time[row]
	}
	l.Dropped = append(l.Dropped, d)
}

// Reset empties the ledger.
func (l *Ledger) Reset() { *l = Ledger{Dropped: l.Dropped[:0]} }

// rejectFailed takes the rows in which an expression failed out of sel (in place) and notes them.
func (x *Ctx) rejectFailed(o *types.Origin, sel []int32) []int32 {
	errs := x.Expr.Errs
	if len(errs) == 0 {
		return sel
	}
	var failed types.Bitmap
	for _, e := range errs {
		if !failed.Has(int(e.Row)) {
			failed.Set(int(e.Row))
			x.Ledger.Drop(Rejected, o, e.Row, e.Err.Code, e.Err.Message)
		}
	}
	x.Expr.Errs = errs[:0]
	kept := make([]int32, 0, len(sel))
	for _, r := range sel {
		if !failed.Has(int(r)) {
			kept = append(kept, r)
		}
	}
	return kept
}

// rows returns the live rows of b.
func (x *Ctx) rows(b *types.Batch) []int32 {
	if b.Sel != nil {
		return b.Sel
	}
	x.sel = b.Selection(x.sel)
	return x.sel
}
