package kafka

import (
	"context"
	"errors"

	"github.com/IBM/sarama"

	"rhumb/connectors"
)

// lastStep is how many offsets the first step back from the end takes; each next takes four times as many.
const lastStep = 1024

// Last reads the log backwards. It reads uncommitted records too: Rhumb's own are never transactional, and a foreign transaction that hangs
// must not hide them.
//
// When each object has been found it reads one step more, for at the very end there may be a late copy of an earlier request, behind
// which the greatest position stands.
func (w *writer) Last(ctx context.Context, partition int32, objects []uint32) (map[uint32]connectors.Position, error) {
	found := map[uint32]connectors.Position{}
	if len(objects) == 0 {
		return found, nil
	}
	wanted := make(map[uint32]bool, len(objects))
	for _, o := range objects {
		wanted[o] = true
	}
	start, end, err := w.bounds(ctx, partition)
	if err != nil {
		return nil, err
	}
	complete := false
	for step, to := int64(lastStep), end; to > start; step *= 4 {
		from := max(start, to-step)
		if err := w.positions(ctx, partition, from, to, wanted, found); err != nil {
			return nil, err
		}
		if len(found) == len(wanted) {
			if complete {
				break
			}
			complete = true
		}
		to = from
	}
	return found, nil
}

// bounds returns the first and the end offset of a partition, with what is not committed.
func (w *writer) bounds(ctx context.Context, partition int32) (start, end int64, err error) {
	err = w.retry(ctx, "asking for the offsets of topic "+w.info.Name, partition, func() (err error) {
		start, end, err = w.offsets(ctx, partition, sarama.ReadUncommitted)
		return err
	})
	return start, end, err
}

// positions takes the greatest position of each object wanted from the records from..to into found.
func (w *writer) positions(ctx context.Context, partition int32, from, to int64, wanted map[uint32]bool, found map[uint32]connectors.Position) error {
	for limit := scanBytes; from < to; {
		var b *block
		err := w.retry(ctx, "reading the end of topic "+w.info.Name, partition, func() (err error) {
			b, err = w.fetchBlock(ctx, fetchRequest{topic: w.info.Name, partition: partition, from: from, limit: int32(limit)})
			if errors.Is(err, sarama.ErrOffsetOutOfRange) { // retention took it meanwhile
				b, err = nil, nil
			}
			return err
		})
		if err != nil || b == nil || len(b.batches) == 0 {
			return err
		}
		next, need, err := take(b.batches, w.b.inflater, wanted, found)
		switch {
		case next > from:
			from = next
		case errors.Is(err, errCut) && need <= maxFetch && need > limit:
			limit = need
		case err != nil:
			return unreadable(w.info.Name, partition, from, plain(err))
		default:
			return nil
		}
	}
	return nil
}

// take looks through batches as far as they can be read, and returns where to go on.
func take(batches []byte, f *inflater, wanted map[uint32]bool, found map[uint32]connectors.Position) (next int64, need int, err error) {
	for rest := batches; len(rest) > 0; {
		var b batch
		if b, rest, need, err = cutBatch(rest); err != nil {
			return next, need, err
		}
		if !b.control() {
			if err := takeBatch(&b, f, wanted, found); err != nil {
				return next, 0, err
			}
		}
		next = b.last + 1
	}
	return next, 0, nil
}

func takeBatch(b *batch, f *inflater, wanted map[uint32]bool, found map[uint32]connectors.Position) error {
	rest, err := f.inflate(b)
	if err != nil {
		return err
	}
	for range b.records {
		rec, after, ok := cutRecord(rest)
		if !ok {
			return damaged{"one of its records is not sound"}
		}
		rest = after
		for range rec.headers {
			var key, value []byte
			if key, rec.raw, ok = cutBytes(rec.raw); !ok {
				return damaged{"a header of one of its records is not sound"}
			}
			if value, rec.raw, ok = cutBytes(rec.raw); !ok {
				return damaged{"a header of one of its records is not sound"}
			}
			if string(key) != connectors.HeaderPosition {
				continue
			}
			p, err := connectors.DecodePosition(value)
			if err != nil || !wanted[p.Object] { // not ours
				continue
			}
			if before, ok := found[p.Object]; !ok || p.After(before) {
				found[p.Object] = p
			}
		}
	}
	return nil
}
