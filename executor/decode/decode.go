// Package decode turns the payloads of records into typed columns: one pass over each payload for the union of the columns that
// any query needs.
//
// The whole payload is validated, also the parts that nobody reads, so whether a row is rejected does not depend on which columns
// are asked for (except NOT NULL columns: ask for all of a stream's, always). The one exception is UTF-8: broken UTF-8
// never rejects a row; in values that are kept it becomes U+FFFD and is counted, elsewhere it is passed over.
//
// How it is made fast: plan.go is the trie of wanted keys, shape.go the automaton that remembers which key follows which,
// scan.go skips strings eight bytes at a time, value.go parses each wanted value straight into its vector.
package decode

import (
	"math"

	"rhumb/types"
)

// Column is a column that is wanted.
type Column struct {
	Name string
	Type types.Type
	// Path is the keys from the root of the payload to the value; an element "[n]" is index n (from 0) of an array; the empty path is the whole
	// payload. Nil reads the key Name and, if there is none and Name has dots, the path that the dots separate.
	Path    []string
	NotNull bool
	// Default is the value of a row that lacks the key, of the column's type; a key with a JSON null is NULL. Nil = NULL.
	Default *types.Value
}

// Reject says why a row is not usable. All its columns are NULL.
type Reject struct {
	Row int32
	Err *types.Error
}

// Options are the limits on a payload. A zero is the default.
type Options struct {
	MaxBytes int // size: 1 MiB
	MaxDepth int // open brackets at one time: 64
	MaxKeys  int // keys at all depths together: 4,096

	// NoShapeCache makes the decoder read each key without what it learnt from earlier payloads, for tests and measurements.
	NoShapeCache bool
}

func (o Options) withDefaults() Options {
	if o.MaxBytes <= 0 {
		o.MaxBytes = 1 << 20
	}
	if o.MaxDepth <= 0 {
		o.MaxDepth = 64
	}
	if o.MaxKeys <= 0 {
		o.MaxKeys = 4096
	}
	return o
}

// Counters counts what was mended in rows that were not rejected. Slices are by column.
type Counters struct {
	Defects  []int64 // values that their column cannot hold and that became NULL
	Replaced []int64 // values in which broken UTF-8, lone surrogates or NUL characters became U+FFFD
	// DuplicateKeys counts the values that a later one of the same wanted key, or of a key on the way to it, put aside.
	DuplicateKeys int64
}

// NewCounters returns counters for n columns.
func NewCounters(n int) *Counters {
	return &Counters{Defects: make([]int64, n), Replaced: make([]int64, n)}
}

// Add adds d to c.
func (c *Counters) Add(d *Counters) {
	for i := range d.Defects {
		c.Defects[i] += d.Defects[i]
		c.Replaced[i] += d.Replaced[i]
	}
	c.DuplicateKeys += d.DuplicateKeys
}

// Decoder decodes payloads. It has scratch memory and is not for concurrent use.
type Decoder interface {
	// Decode makes values[i] row i of each vector of out (one per column, in the order given to New), appends the rows that are
	// rejected to rej, in ascending order, and adds to c (of NewCounters). What the vectors held is overwritten; they share no memory
	// with values. One call takes at most some 800 MB of payloads; what is beyond is rejected.
	Decode(values [][]byte, out []*types.Vec, rej []Reject, c *Counters) []Reject

	// Clone returns a decoder for another worker.
	Clone() Decoder
}

// New returns a decoder of a format, json or text.
func New(format string, cols []Column, opts Options) (Decoder, error) {
	opts = opts.withDefaults()
	switch format {
	case "json":
		p, err := newPlan(cols, opts)
		if err != nil {
			return nil, err
		}
		return newJSON(p), nil
	case "text":
		return newText(cols, opts)
	}
	return nil, types.Errorf(types.CodeInvalidOption, "unknown format %q", format).WithHint("The formats are json and text.")
}

// Some values take more room than their text: nine bytes for an element of an array of integers, hundreds for 1e300 in a JSONB. So that
// small payloads cannot fill the memory, a value that takes more than this is a defect.
const (
	growth = 5
	spare  = 2048
)

func maxSize(textBytes int) int { return growth*textBytes + spare }

// room keeps the arenas of the vectors within what a StrRef can address.
type room struct{ left int }

func newRoom() room { return room{math.MaxUint32} }

// take reserves room for a payload of n bytes in columns with defaults of up to fixed bytes.
func (r *room) take(n, fixed int) bool {
	r.left -= maxSize(n) + fixed
	return r.left >= 0
}

func tooMuch() *types.Error {
	return types.Errorf(types.CodeProgramLimit, "too many bytes in one batch of payloads")
}

func tooLong(n, limit int) *types.Error {
	return types.Errorf(types.CodeProgramLimit, "payload of %d bytes exceeds the limit of %d bytes", n, limit)
}
