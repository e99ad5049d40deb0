package kafka

import (
	"encoding/binary"
	"errors"
	"slices"

	"rhumb/connectors"
	"rhumb/types"
)

// fetched says what an answer means.
type fetched int

const (
	whole   fetched = iota // everything up to Records.Next was seen
	partial                // the next batch did not come whole
	stuck                  // there should be records, but none came
)

// decode fills r with the records of a fetched block from r.Next on, without control records and records of aborted transactions, and
// moves r.Next past everything that was seen. If no batch came whole, need is how many bytes to ask for.
//
// Nothing is allocated per record: the columns of r have the capacity for all records of the block, and keys and values alias what was
// fetched or decompressed. A damaged batch is an error only if it is the first; what comes before it is returned first.
func (s *source) decode(r *connectors.Records, b *block) (got fetched, need int, err error) {
	from := r.Next
	kept, need, err := s.keep(r, b)
	if err != nil && len(kept) == 0 && r.Next == from {
		if errors.Is(err, errCut) {
			return partial, need, nil
		}
		return stuck, 0, err
	}
	capacity := 0
	for i := range kept {
		capacity += kept[i].records
	}
	if capacity > 0 {
		r.Offsets = make([]int64, 0, capacity)
		r.Times = make([]int64, 0, capacity)
		r.Keys = make([][]byte, 0, capacity)
		r.Values = make([][]byte, 0, capacity)
	}
	c := columns{Records: r, from: from}
	for i := range kept {
		if err := c.add(&kept[i]); err != nil {
			// The records of this batch are void. If others come before it, it is read again, first, and then it is an error.
			c.cut(kept[i].first)
			if r.Next = max(from, kept[i].first); r.Next == from {
				return stuck, 0, err
			}
			return whole, 0, nil
		}
	}
	if len(r.Offsets) == 0 && r.Next == from && r.Next < r.End {
		return stuck, 0, nil
	}
	return whole, 0, nil
}

// keep cuts the block into batches and decompresses those whose records are for readers.
func (s *source) keep(r *connectors.Records, b *block) (kept []batch, need int, err error) {
	void := newAborted(b.aborted)
	for rest := b.batches; len(rest) > 0; {
		var next batch
		if next, rest, need, err = cutBatch(rest); err != nil {
			return kept, need, s.legacy(err)
		}
		keep, err := void.keeps(&next, s.b.inflater)
		if err != nil {
			return kept, 0, err
		}
		if next.last < r.Next {
			continue // brokers may send batches that end before the offset asked for
		}
		if keep && next.records > 0 {
			if next.data, err = s.b.inflater.inflate(&next); err != nil {
				return kept, 0, err
			}
			if next.records > len(next.data)/minRecord {
				return kept, 0, damaged{"it has fewer records than it says"}
			}
			kept = append(kept, next)
		}
		r.Next = next.last + 1
	}
	return kept, 0, nil
}

func (s *source) legacy(err error) error {
	if !errors.Is(err, errLegacy) {
		return err
	}
	return types.Errorf(types.CodeNotSupported, "topic %q holds records in the format of Kafka before 0.11, which is not supported", s.info.Name).
		WithHint("Copy the topic with a current Kafka (MirrorMaker), which writes the current format.")
}

// columns appends the records of batches to Records.
type columns struct {
	*connectors.Records
	from    int64
	headers []connectors.Header // room for headers of records to come
	before  []connectors.Header // those of the record before, for their keys
}

// add appends the records of a batch from c.from on.
func (c *columns) add(b *batch) error {
	rest, before := b.data, int64(-1)
	for i := range b.records {
		rec, after, ok := cutRecord(rest)
		if !ok || rec.offset <= before || rec.offset > b.last-b.first {
			return damaged{"one of its records is not sound"}
		}
		rest, before = after, rec.offset
		if offset := b.first + rec.offset; offset >= c.from {
			c.Offsets = append(c.Offsets, offset)
			c.Times = append(c.Times, b.micros(rec.time))
			c.Keys = append(c.Keys, rec.key)
			c.Values = append(c.Values, rec.value)
			c.Bytes += len(rec.key) + len(rec.value) + len(rec.raw)
			if rec.headers > 0 || c.Headers != nil {
				if !c.addHeaders(&rec, b.records-i, len(rest)) {
					return damaged{"a header of one of its records is not sound"}
				}
			}
		}
	}
	return nil
}

// addHeaders appends the headers of a record. ahead and bytes are how many records of its batch there are from it on, and how long those
// behind it are; room for their headers is made in one piece. The key of a header is made a string only if the record before had
// another in its place.
func (c *columns) addHeaders(rec *record, ahead, bytes int) bool {
	if c.Headers == nil {
		c.Headers = make([][]connectors.Header, len(c.Offsets)-1, cap(c.Offsets))
	}
	if rec.headers == 0 {
		c.Headers = append(c.Headers, nil)
		return true
	}
	if len(c.headers) < rec.headers {
		c.headers = make([]connectors.Header, max(rec.headers, min(rec.headers*ahead, bytes/2)))
	}
	own := c.headers[:rec.headers:rec.headers]
	c.headers = c.headers[rec.headers:]
	raw := rec.raw
	for i := range own {
		key, value, ok := []byte(nil), []byte(nil), false
		if key, raw, ok = cutBytes(raw); !ok {
			return false
		}
		if value, raw, ok = cutBytes(raw); !ok {
			return false
		}
		own[i].Value = value
		if i < len(c.before) && c.before[i].Key == string(key) {
			own[i].Key = c.before[i].Key
		} else {
			own[i].Key = string(key)
		}
	}
	c.Headers = append(c.Headers, own)
	c.before = own
	return true
}

// cut takes the records from an offset on back.
func (c *columns) cut(offset int64) {
	n, _ := slices.BinarySearch(c.Offsets, offset)
	c.Offsets, c.Times, c.Keys, c.Values = c.Offsets[:n], c.Times[:n], c.Keys[:n], c.Values[:n]
	if c.Headers != nil {
		c.Headers = c.Headers[:min(n, len(c.Headers))]
	}
}

// aborted follows aborted transactions through the batches of a fetch, as the protocol prescribes for read_committed.
type aborted struct {
	ahead []abortedTxn   // those not yet reached, by first offset
	open  map[int64]bool // producers inside an aborted transaction
}

func newAborted(txns []abortedTxn) *aborted {
	if len(txns) == 0 {
		return &aborted{}
	}
	slices.SortFunc(txns, func(a, b abortedTxn) int {
		switch {
		case a.first < b.first:
			return -1
		case a.first > b.first:
			return 1
		}
		return 0
	})
	return &aborted{ahead: txns, open: map[int64]bool{}}
}

// keeps takes the next batch and reports whether its records are for readers.
func (a *aborted) keeps(b *batch, f *inflater) (bool, error) {
	for len(a.ahead) > 0 && a.ahead[0].first <= b.last {
		a.open[a.ahead[0].producer] = true
		a.ahead = a.ahead[1:]
	}
	if !b.control() {
		return !b.transactional() || !a.open[b.producer], nil
	}
	if len(a.open) > 0 {
		abort, err := isAbort(b, f)
		if err != nil {
			return false, err
		}
		if abort {
			delete(a.open, b.producer)
		}
	}
	return false, nil
}

// isAbort reports whether a control batch is an abort marker. The key of its record is version and type, 16 bits each; type 0 aborts.
func isAbort(b *batch, f *inflater) (bool, error) {
	data, err := f.inflate(b)
	if err != nil || b.records == 0 {
		return false, err
	}
	rec, _, ok := cutRecord(data)
	if !ok || len(rec.key) < 4 {
		return false, damaged{"it is a control batch that is not sound"}
	}
	return binary.BigEndian.Uint16(rec.key[2:]) == 0, nil
}
