package journal

import (
	"math"

	"rhumb/types"
)

// NoUpstream is the value of Input.Upstream when no watermark was handed over.
const NoUpstream = math.MinInt64

// Step is the journal's record of one step: everything that entered it from outside, and what it put out.
type Step struct {
	Number         uint64
	Clock          int64 // microseconds; never less than the step before
	CatalogVersion uint64
	Final          bool // all inputs end here: the watermark is +infinity
	Inputs         []Input
	Outputs        []Output
	Failed         []Failure
}

// Input is what a step took from one source partition.
type Input struct {
	Object     uint32
	Partition  int32
	From, To   int64 // the offsets [From, To) are consumed
	Count      int64 // records in that range (offsets may have gaps)
	EndReached bool  // the partition's end was reached
	Idle       bool  // the partition counts as idle in this step
	Upstream   int64 // watermark handed over by the derived stream that is read; NoUpstream = none
}

// Output is what a step wrote for one object.
type Output struct {
	Object uint32
	Rows   uint32
	Digest [16]byte // of the ids and bytes of the rows
}

// Failure is a query that failed in the step; its outputs of the step were discarded.
type Failure struct {
	Object  uint32
	Code    string // SQLSTATE
	Message string
}

// stepVersion is the first byte of a record. A reader refuses a greater one.
const stepVersion = 1

// The flags of an input.
const (
	inputEndReached = 1 << iota
	inputIdle
	inputUpstream
	inputFlags = inputEndReached | inputIdle | inputUpstream
)

// AppendTo appends the record's encoding.
func (s *Step) AppendTo(e *types.Encoder) {
	e.B = append(e.B, stepVersion)
	e.Uvarint(s.Number)
	e.Varint(s.Clock)
	e.Uvarint(s.CatalogVersion)
	e.Bool(s.Final)
	e.Uvarint(uint64(len(s.Inputs)))
	for i := range s.Inputs {
		s.Inputs[i].appendTo(e)
	}
	e.Uvarint(uint64(len(s.Outputs)))
	for i := range s.Outputs {
		o := &s.Outputs[i]
		e.Uvarint(uint64(o.Object))
		e.Uvarint(uint64(o.Rows))
		e.B = append(e.B, o.Digest[:]...)
	}
	e.Uvarint(uint64(len(s.Failed)))
	for i := range s.Failed {
		f := &s.Failed[i]
		e.Uvarint(uint64(f.Object))
		e.String(f.Code)
		e.String(f.Message)
	}
}

func (in *Input) appendTo(e *types.Encoder) {
	e.Uvarint(uint64(in.Object))
	e.Varint(int64(in.Partition))
	e.Varint(in.From)
	e.Varint(in.To - in.From)
	e.Varint(in.Count)
	var flags byte
	if in.EndReached {
		flags |= inputEndReached
	}
	if in.Idle {
		flags |= inputIdle
	}
	if in.Upstream != NoUpstream {
		flags |= inputUpstream
	}
	e.B = append(e.B, flags)
	if in.Upstream != NoUpstream {
		e.Varint(in.Upstream)
	}
}

// DecodeStep reads what AppendTo wrote. The step shares nothing with b.
func DecodeStep(b []byte) (Step, error) {
	if len(b) == 0 || b[0] == 0 || b[0] > stepVersion {
		return Step{}, types.Errorf(types.CodeDataCorrupted, "corrupted data: version of a step record")
	}
	d := types.Decoder{B: b[1:]}
	s := Step{Number: d.Uvarint(), Clock: d.Varint(), CatalogVersion: d.Uvarint(), Final: d.Bool()}
	for range d.Len(6) {
		s.Inputs = append(s.Inputs, decodeInput(&d))
	}
	for range d.Len(18) {
		o := Output{Object: uint32(d.Uvarint()), Rows: uint32(d.Uvarint())}
		copy(o.Digest[:], takeBytes(&d, len(o.Digest)))
		s.Outputs = append(s.Outputs, o)
	}
	for range d.Len(3) {
		s.Failed = append(s.Failed, Failure{Object: uint32(d.Uvarint()), Code: d.String(), Message: d.String()})
	}
	if d.Err == nil && len(d.B) != 0 {
		return Step{}, types.Errorf(types.CodeDataCorrupted, "corrupted data: %d bytes after a step record", len(d.B))
	}
	return s, d.Err
}

func decodeInput(d *types.Decoder) Input {
	in := Input{Object: uint32(d.Uvarint()), Partition: int32(d.Varint()), From: d.Varint(), Upstream: NoUpstream}
	in.To = in.From + d.Varint()
	in.Count = d.Varint()
	var flags byte
	if b := takeBytes(d, 1); b != nil {
		flags = b[0]
	}
	if flags > inputFlags && d.Err == nil {
		d.Err = types.Errorf(types.CodeDataCorrupted, "corrupted data: flags of a step's input")
	}
	in.EndReached = flags&inputEndReached != 0
	in.Idle = flags&inputIdle != 0
	if flags&inputUpstream != 0 {
		in.Upstream = d.Varint()
	}
	return in
}

// takeBytes reads n bytes that have no length before them; nil after a fault.
func takeBytes(d *types.Decoder, n int) []byte {
	if len(d.B) < n {
		if d.Err == nil {
			d.Err = types.Errorf(types.CodeDataCorrupted, "corrupted data: %d bytes expected", n)
		}
		d.B = nil
		return nil
	}
	b := d.B[:n]
	d.B = d.B[n:]
	return b
}
