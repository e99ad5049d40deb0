package executor

import (
	"rhumb/catalog"
	"rhumb/executor/decode"
	"rhumb/executor/op"
	"rhumb/expr"
	"rhumb/planner"
	"rhumb/types"
)

// program is a set of plans compiled: everything that does not change from step to step. It is made by build.go.
type program struct {
	sources []*sourceSpec
	pipes   []*pipe  // those that begin at a source
	stages  []*stage // in topological order
	outputs []*output
	queries []*query
}

// query is one plan of the program: a continuous query, or the one plan of a search.
type query struct {
	object *catalog.Object // nil for a search
	// failed is set when the query has failed; it computes nothing any more.
	failed *types.Error
	totals Totals
}

// Totals is the ledger of a query: In = Used + Filtered + Late + Rejected + Future.
type Totals struct {
	In, Used, Filtered, Late, Rejected, Future int64
}

// sourceSpec says how records of a stream become rows: the union of the columns that any query of the program needs.
type sourceSpec struct {
	object                             *catalog.Object
	decoder                            decode.Decoder
	columns                            []int    // of object.Columns, decoded, in the order of the decoder's
	system                             []string // system columns that its own expressions need
	computed                           []computedColumn
	types                              []types.Type  // of all columns: decoded, then computed
	time                               int           // the column with the event time; -1 = the record's timestamp
	wm                                 expr.Expr     // over the columns; nil = the event time itself
	eventID                            int           // -1 = none
	scan                               *planner.Scan // of a store or a virtual table: rows come as batches, not as records; nil = a log
	values                             *types.Batch  // constant rows
	idleTimeout, closeAfter, maxFuture int64         // microseconds; 0 = never
}

type computedColumn struct {
	expr    expr.Expr // over the decoded columns and earlier computed ones
	name    string
	notNull bool
}

// transform makes instances of a stateless operator.
type transform struct {
	name string // as EXPLAIN says it
	make func() op.Transform
}

// pipe is a chain of stateless operators from a source or a stage to a stage or an output.
type pipe struct {
	query  int
	source int      // -1 where it begins at a stage
	pick   []int    // columns of the source that the chain sees
	system []string // system columns that follow them
	chain  []transform
	// The end: either a stage, or an output.
	to   *stage
	keys []int // columns that the exchange hashes
	out  *output
}

// stage is a stateful operator, spread over shards.
type stage struct {
	id     string // stable: names the state in checkpoints
	name   string // as EXPLAIN says it
	query  int
	shards int
	make   func(shard int) op.Operator
	ops    []op.Operator
	next   *pipe
	inputs []int // sources whose watermarks bound its input's
	// watermark of the input before the step, ended the greatest event time at the last end of the inputs.
	watermark, ended int64
	bytes            []int64 // memory, by shard
	total            int64
	routed           []routed
	emitted          [][]*types.Batch // by shard, for the next stage
	chains           [][]op.Transform // of next, by worker
}

// routed is a batch on its way into a stage: rows[offs[s]:offs[s+1]] are those of shard s.
type routed struct {
	batch types.Batch
	rows  []int32
	offs  [numShards + 1]int32
}

// numShards is the number of buckets that an operator's keys are spread over. It is part of the state's format.
const numShards = 64

// shardOf is the shard of a key's hash: the high bits, for the tables use the low ones.
func shardOf(hash uint64) int { return int(hash >> 58) }
