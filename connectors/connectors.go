// Package connectors holds the contracts between Rhumb and outside technologies, and the option specifications. Each technology
// has a package below this one; none of them knows another, and the engine knows only what stands here.
//
// Every implementation of a contract passes the suite in connectors/conformance.
package connectors

import (
	"context"
	"time"

	"rhumb/types"
)

// Position is the place of an output in its object's history. Positions of an object rise by (Version, Step, Ordinal); they stand in a
// header of every record that Rhumb writes, and a reader drops what is not greater than the last it has seen of the object in
// that partition.
type Position struct {
	Object  uint32
	Version uint32
	Step    uint64
	Ordinal uint32
}

// After reports whether p comes after q in the history of one object.
func (p Position) After(q Position) bool {
	if p.Version != q.Version {
		return p.Version > q.Version
	}
	return p.Step > q.Step || p.Step == q.Step && p.Ordinal > q.Ordinal
}

// The headers of records that Rhumb writes.
const (
	HeaderPosition = "rhumb-pos"     // encoded Position
	HeaderID       = "rhumb-id"      // the result's id
	HeaderState    = "rhumb-state"   // early, final, withdrawn
	HeaderLineage  = "rhumb-lineage" // encoded types.Lineage
	HeaderDetected = "rhumb-time"    // the step's clock, varint microseconds
)

// AppendTo appends the position's encoding.
func (p Position) AppendTo(e *types.Encoder) {
	e.Uvarint(uint64(p.Object))
	e.Uvarint(uint64(p.Version))
	e.Uvarint(p.Step)
	e.Uvarint(uint64(p.Ordinal))
}

// DecodePosition reads what AppendTo wrote.
func DecodePosition(b []byte) (Position, error) {
	d := types.Decoder{B: b}
	p := Position{Object: uint32(d.Uvarint()), Version: uint32(d.Uvarint()), Step: d.Uvarint(), Ordinal: uint32(d.Uvarint())}
	return p, d.Err
}

// Header is a record header.
type Header struct {
	Key   string
	Value []byte
}

// Message is a record to be written.
type Message struct {
	Key     []byte // nil = none
	Value   []byte // nil = tombstone
	Headers []Header
	Time    int64 // record timestamp, microseconds (Kafka keeps milliseconds)
}

// Records is a run of records of one partition, in offset order, as one fetch returned it. Control records, aborted transactions
// and records before the asked offset are left out, so offsets may have gaps. Keys and values alias the fetched buffer, which is never
// written again: they may be kept, at the price of keeping the buffer.
type Records struct {
	Partition int32
	Next      int64 // where the next fetch begins; greater than the last offset, also when control records were passed over
	End       int64 // end offset of the partition as the fetch saw it (the last stable offset where there are transactions)
	Offsets   []int64
	Times     []int64 // record timestamps, microseconds
	Keys      [][]byte
	Values    [][]byte
	Headers   [][]Header // nil if no record has any
	Bytes     int
}

// TopicInfo describes a topic.
type TopicInfo struct {
	Name       string
	Identity   string // changes when the topic is deleted and created again; "" if the broker does not tell
	Partitions int32
}

// TopicSpec is what a topic is created with.
type TopicSpec struct {
	Name              string
	Partitions        int32
	ReplicationFactor int16 // 0 = the broker's default
	RetentionBytes    int64 // per partition; 0 = the connector's default; -1 = unlimited
	Compact           bool
}

// Broker is where topics live: a Kafka cluster, or the broker in this process. Safe for concurrent use.
//
// Methods retry what is transient until ctx ends. Their errors are *types.Error: 42P01 (no such topic), 42P07 (exists), 08006 (cannot be
// reached), 53100 (no room), others as fit.
type Broker interface {
	CreateTopic(ctx context.Context, spec TopicSpec) (TopicInfo, error)
	Topic(ctx context.Context, name string) (TopicInfo, error)
	Topics(ctx context.Context) ([]string, error)
	DeleteTopic(ctx context.Context, name string) error
	Source(ctx context.Context, topic string) (Source, error)
	Writer(ctx context.Context, topic string) (Writer, error)
	Close() error
}

// Source reads a topic. Different partitions may be fetched concurrently.
type Source interface {
	Info() TopicInfo
	// Offsets returns the first offset that there is and the end (the offset of the next record; the last stable one where there are
	// transactions).
	Offsets(ctx context.Context, partition int32) (start, end int64, err error)
	// Fetch returns records from offset from on, of about maxBytes at most but at least one record if there is any. If there is none it waits up to
	// wait and returns a Records without records: a confirmed empty fetch. It verifies that the topic is still the one that was
	// opened (42P01 or 55000 if it was deleted or recreated), and that from lies within the log: an offset that is gone is an
	// error that names the first one there is, never a jump.
	Fetch(ctx context.Context, partition int32, from int64, maxBytes int, wait time.Duration) (*Records, error)
	// OffsetForTime returns the offset of the first record whose timestamp is at or after t (microseconds), or the end.
	OffsetForTime(ctx context.Context, partition int32, t int64) (int64, error)
	Close() error
}

// Writer appends to a topic.
type Writer interface {
	Info() TopicInfo
	// Publish appends messages to a partition in order, and returns when all in-sync replicas have them: the offset after the last. Calls for one partition are made
	// one at a time; those for different partitions may be concurrent. It retries what is transient until ctx ends, so a message may be
	// in the log twice; never out of order.
	Publish(ctx context.Context, partition int32, msgs []Message) (next int64, err error)
	// Last returns the greatest position in the partition's log per object, read from its tail: it reads backwards until it has found
	// one of each object named, or the beginning.
	Last(ctx context.Context, partition int32, objects []uint32) (map[uint32]Position, error)
	Close() error
}

// Table is what a store keeps of one object: its columns, how a document is made of them, and what is indexed.
type Table struct {
	Object  uint32
	Version uint32
	Name    string // also the name of the collection
	Kind    string // "stream" or "materialized view"
	Query   string
	Columns types.Schema
	Key     []string          // the key columns of a materialized view
	Topics  map[uint32]string // names of the topics by object number, for lineage references
}

// Docs are documents to be stored: columns of Table.Columns, row by row, and what the record's headers said. Slices have one
// entry a row.
type Docs struct {
	Cols      []*types.Vec
	IDs       []string
	States    []string // early, final, withdrawn
	Lineage   []types.Lineage
	Positions []Position
	Detected  []int64
	Deleted   []bool // tombstones: the document is removed; nil = none
}

// Cond is a condition that a store may evaluate: column op values. Columns are named; system columns (_id, _state, _last_event, ...)
// too.
type Cond struct {
	Column string
	Op     string // "=", "<>", "<", "<=", ">", ">=", "in", "is null", "is not null"
	Values []types.Value
}

// Order is a member of a scan's ORDER BY; Postgres's order of NULLs unless said.
type Order struct {
	Column     string
	Desc       bool
	NullsFirst bool
}

// Scan is what a store is asked for.
type Scan struct {
	Columns []string // in the order of the result; table columns and system columns
	Where   []Cond   // all must hold
	OrderBy []Order
	Limit   int64 // -1 = none
	Offset  int64
}

// Store keeps complex events. Safe for concurrent use.
type Store interface {
	// Define creates or updates the object's collection, its indexes, and its document in the schema collection (CEPSchema).
	Define(ctx context.Context, t Table) error
	// Drop removes the object's collection, position and schema document.
	Drop(ctx context.Context, object uint32) error
	// Apply upserts documents by id in order (the last of an id wins) and sets the object's position (how far its topic has been read: the
	// cursor's own encoding) so that both are there or neither is, or so that applying the same again changes nothing.
	Apply(ctx context.Context, object uint32, docs *Docs, position []byte) error
	// Position is the last position applied; nil if none was.
	Position(ctx context.Context, object uint32) ([]byte, error)
	// Supports reports whether Scan evaluates the condition exactly as Rhumb's own kernels do.
	Supports(object uint32, c Cond) bool
	// SupportsOrder reports whether Scan orders by these exactly as Rhumb does.
	SupportsOrder(object uint32, o []Order) bool
	// Scan streams the documents in batches to fn until there are no more or fn fails. A batch is borrowed for the call.
	Scan(ctx context.Context, object uint32, s Scan, fn func(*types.Batch) error) error
	Close() error
}
