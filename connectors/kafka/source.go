package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"rhumb/connectors"
	"rhumb/types"
)

const (
	// maxWait is the longest wait asked of a broker in one request; readTimeout is longer.
	maxWait = 10 * time.Second
	// maxFetch is the most that one request asks for.
	maxFetch = 64 << 20
	// scanBytes is what a request asks for when records are passed over in bulk.
	scanBytes = 4 << 20
)

type source struct {
	*handle

	mu sync.Mutex
	// ends has each partition's greatest end seen. A log that ends earlier than it did was replaced.
	ends map[int32]int64
}

func (b *broker) Source(ctx context.Context, topic string) (connectors.Source, error) {
	h, err := b.handle(ctx, topic)
	if err != nil {
		return nil, err
	}
	return &source{handle: h, ends: map[int32]int64{}}, nil
}

// Close has nothing to free: connections are the broker's.
func (s *source) Close() error { return nil }

func (s *source) Offsets(ctx context.Context, partition int32) (start, end int64, err error) {
	err = s.retry(ctx, "asking for the offsets of topic "+s.info.Name, partition, func() error {
		if s.due() {
			if err := s.verify(ctx); err != nil {
				return err
			}
		}
		start, end, err = s.offsets(ctx, partition, sarama.ReadCommitted)
		return err
	})
	return start, end, err
}

// offsets asks once.
func (h *handle) offsets(ctx context.Context, partition int32, isolation sarama.IsolationLevel) (start, end int64, err error) {
	ask := func(at int64) (offset int64, err error) {
		req := sarama.NewOffsetRequest(sarama.V2_8_0_0)
		req.IsolationLevel = isolation
		req.AddBlock(h.info.Name, partition, at, 1)
		err = h.request(ctx, partition, func(c *conn) error {
			resp, err := c.broker.GetAvailableOffsets(req)
			if err != nil {
				return err
			}
			block := resp.GetBlock(h.info.Name, partition)
			if block == nil {
				return sarama.ErrIncompleteResponse
			}
			if block.Err != sarama.ErrNoError {
				return block.Err
			}
			offset = block.Offset
			return nil
		})
		return offset, err
	}
	if start, err = ask(sarama.OffsetOldest); err != nil {
		return 0, 0, err
	}
	if end, err = ask(sarama.OffsetNewest); err != nil {
		return 0, 0, err
	}
	return start, max(start, end), nil
}

func (s *source) Fetch(ctx context.Context, partition int32, from int64, maxBytes int, wait time.Duration) (*connectors.Records, error) {
	until := time.Now().Add(wait)
	r := &connectors.Records{Partition: partition, Next: from}
	limit := min(max(maxBytes, 1), maxFetch)
	for {
		got, need, err := s.fetch(ctx, r, limit, max(time.Until(until), 0))
		if err != nil {
			return nil, err
		}
		if len(r.Offsets) > 0 {
			return r, nil
		}
		switch {
		case got == whole && r.Next < r.End: // only control records and the like: go on
		case got == partial:
			// Brokers return the first batch whole whatever the limit says, but need not.
			if need > maxFetch {
				return nil, unreadable(s.info.Name, partition, r.Next, fmt.Sprintf("they are one batch of %d bytes", need))
			}
			limit = max(need, limit)
		case !time.Now().Before(until):
			return r, nil
		case got == stuck && !sleep(ctx, minBackoff):
			return nil, ended(ctx, "fetching from topic "+s.info.Name, nil)
		}
	}
}

// fetch asks for r.Next and fills r, trying again what is transient.
func (s *source) fetch(ctx context.Context, r *connectors.Records, limit int, wait time.Duration) (got fetched, need int, err error) {
	tries := 0
	err = s.retry(ctx, "fetching from topic "+s.info.Name, r.Partition, func() error {
		if s.due() {
			if err := s.verify(ctx); err != nil {
				return err
			}
		}
		b, err := s.fetchBlock(ctx, fetchRequest{topic: s.info.Name, partition: r.Partition, from: r.Next, limit: int32(limit), wait: wait, committed: true})
		if errors.Is(err, sarama.ErrOffsetOutOfRange) {
			return s.outOfRange(ctx, r.Partition, r.Next)
		}
		if err == nil {
			err = s.shrunk(ctx, r.Partition, b.highWater)
		}
		if err == nil {
			r.End = b.stable
			got, need, err = s.decode(r, b)
		}
		if !decodeFault(err) {
			return err
		}
		// The damage may be on the way.
		if tries++; tries < 3 {
			return fmt.Errorf("%w: %w", sarama.ErrNetworkException, err)
		}
		return unreadable(s.info.Name, r.Partition, r.Next, plain(err))
	})
	return got, need, err
}

// fetchBlock asks once.
func (h *handle) fetchBlock(ctx context.Context, req fetchRequest) (b *block, err error) {
	err = h.request(ctx, req.partition, func(c *conn) error {
		answer, err := c.roundTrip(fetchKey, fetchVersion, req.append, h.b.config.ClientID, req.wait)
		if err != nil {
			return err
		}
		b, err = req.decodeFetch(answer)
		return err
	})
	var code sarama.KError
	if errors.As(err, &code) {
		return nil, h.b.explain(code)
	}
	if err != nil {
		return nil, err
	}
	if b.stable < 0 || !req.committed {
		b.stable = b.highWater
	}
	return b, nil
}

// shrunk verifies the topic when its log ends earlier than it did.
func (s *source) shrunk(ctx context.Context, partition int32, end int64) error {
	s.mu.Lock()
	before := s.ends[partition]
	s.ends[partition] = end
	s.mu.Unlock()
	if end >= before {
		return nil
	}
	return s.verify(ctx)
}

// outOfRange makes the error for an offset that is not in the log.
func (s *source) outOfRange(ctx context.Context, partition int32, from int64) error {
	if err := s.verify(ctx); err != nil {
		return err
	}
	// Committed or not, what is in the log is in the log.
	start, end, err := s.offsets(ctx, partition, sarama.ReadUncommitted)
	if err != nil {
		return err
	}
	switch {
	case from < start:
		return types.Errorf(types.CodeNotInPrerequisite, "offset %d of topic %q, partition %d, is gone: the first one there is is %d", from, s.info.Name, partition, start).
			WithDetail("%d offsets were deleted by the topic's retention before they were read.", start-from).
			WithHint("ALTER ... RESUME SKIP GAP goes on at offset %d and writes the gap into the ledger.", start)
	case from > end:
		return types.Errorf(types.CodeNotInPrerequisite, "offset %d of topic %q, partition %d, does not exist: the log ends at %d", from, s.info.Name, partition, end).
			WithDetail("The log ended later before: the broker has lost records.").
			WithHint("ALTER ... RESUME SKIP GAP goes on at the end of the log and writes the gap into the ledger.")
	}
	return sarama.ErrOffsetNotAvailable // it has come meanwhile
}

// unreadable is the error for a batch that cannot be read.
func unreadable(topic string, partition int32, offset int64, why string) *types.Error {
	return types.Errorf(types.CodeDataCorrupted, "the records at offset %d of topic %q, partition %d, cannot be read: %s", offset, topic, partition, why).
		WithHint("ALTER ... RESUME SKIP GAP passes over them and writes the gap into the ledger.")
}

// OffsetForTime reads the log from its beginning: record timestamps need not rise, so no index over them gives the first record at or
// after t in a log with late records, and the embedded broker's answer is wrong. It costs reading all records before the answer, some 1 µs
// each.
func (s *source) OffsetForTime(ctx context.Context, partition int32, t int64) (int64, error) {
	start, end, err := s.Offsets(ctx, partition)
	if err != nil {
		return 0, err
	}
	for at := start; at < end; {
		r, err := s.Fetch(ctx, partition, at, scanBytes, 0)
		if err != nil {
			return 0, err
		}
		for i, ts := range r.Times {
			if ts >= t {
				return r.Offsets[i], nil
			}
		}
		if r.Next == at {
			break
		}
		at = r.Next
	}
	return end, nil
}
