package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"
	"unsafe"

	"github.com/IBM/sarama"

	"rhumb/connectors"
	"rhumb/types"
)

const (
	// batchBytes bounds a batch before compression. It is below the usual limit of a topic (max.message.bytes, 1048588), which holds after it.
	batchBytes = 1_000_000
	// recordOverhead is more than a record's lengths, deltas and attributes take.
	recordOverhead = 40
	// acksTimeout is how long the leader waits for its followers.
	acksTimeout = 10 * time.Second
)

type writer struct {
	*handle

	mu    sync.Mutex
	parts map[int32]*batcher
}

// batcher makes the requests for one partition. Its memory is used again for each.
type batcher struct {
	codec      sarama.CompressionCodec
	records    []sarama.Record
	pointers   []*sarama.Record
	headers    []sarama.RecordHeader
	headerPtrs []*sarama.RecordHeader
}

func (b *broker) Writer(ctx context.Context, topic string) (connectors.Writer, error) {
	h, err := b.handle(ctx, topic)
	if err != nil {
		return nil, err
	}
	return &writer{handle: h, parts: map[int32]*batcher{}}, nil
}

// Close has nothing to free: connections are the broker's.
func (w *writer) Close() error { return nil }

func (w *writer) Publish(ctx context.Context, partition int32, msgs []connectors.Message) (next int64, err error) {
	w.mu.Lock()
	p := w.parts[partition]
	if p == nil {
		p = &batcher{codec: w.b.codec()}
		w.parts[partition] = p
	}
	w.mu.Unlock()
	if len(msgs) == 0 {
		_, end, err := w.bounds(ctx, partition)
		return end, err
	}
	for len(msgs) > 0 {
		n := fit(msgs)
		if next, err = w.publish(ctx, partition, p, msgs[:n]); err != nil {
			return 0, err
		}
		msgs = msgs[n:]
	}
	return next, nil
}

// publish writes messages as one batch, or as several if the broker finds it too large.
func (w *writer) publish(ctx context.Context, partition int32, p *batcher, msgs []connectors.Message) (next int64, err error) {
	batch := p.batch(msgs)
	tooLarge := false
	err = w.retry(ctx, "writing to topic "+w.info.Name, partition, func() error {
		if w.due() {
			if err := w.verify(ctx); err != nil {
				return err
			}
		}
		first, err := w.produce(ctx, partition, batch)
		if errors.Is(err, sarama.ErrMessageSizeTooLarge) || errors.Is(err, sarama.ErrMessageSetSizeTooLarge) {
			tooLarge = true
			return nil
		}
		next = first + int64(len(msgs))
		return err
	})
	if err != nil {
		return 0, err
	}
	if !tooLarge {
		return next, nil
	}
	if len(msgs) == 1 {
		return 0, types.Errorf(types.CodeProgramLimit, "a message of %d bytes is too large for topic %q", size(&msgs[0]), w.info.Name).
			WithHint("Raise max.message.bytes of the topic.")
	}
	half := len(msgs) / 2
	if _, err := w.publish(ctx, partition, p, msgs[:half]); err != nil {
		return 0, err
	}
	return w.publish(ctx, partition, p, msgs[half:])
}

// produce sends one request and waits for the answer: the offset of the first message.
func (w *writer) produce(ctx context.Context, partition int32, batch *sarama.RecordBatch) (first int64, err error) {
	req := &sarama.ProduceRequest{Version: 8, RequiredAcks: sarama.WaitForAll, Timeout: int32(acksTimeout / time.Millisecond)}
	req.AddBatch(w.info.Name, partition, batch)
	var block *sarama.ProduceResponseBlock
	err = w.request(ctx, partition, func(c *conn) error {
		resp, err := c.broker.Produce(req)
		if err != nil {
			return err
		}
		if block = resp.GetBlock(w.info.Name, partition); block == nil {
			return sarama.ErrIncompleteResponse
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if block.Err != sarama.ErrNoError {
		if block.ErrorMessage != nil && *block.ErrorMessage != "" {
			return 0, fmt.Errorf("%w: %s", w.b.explain(block.Err), *block.ErrorMessage)
		}
		return 0, w.b.explain(block.Err)
	}
	return block.Offset, nil
}

// fit returns how many messages make the next batch: at least one.
func fit(msgs []connectors.Message) int {
	total := 0
	for i := range msgs {
		if total += size(&msgs[i]); i > 0 && total > batchBytes {
			return i
		}
	}
	return len(msgs)
}

// size is an upper bound of a message's size in a batch.
func size(m *connectors.Message) int {
	n := recordOverhead + len(m.Key) + len(m.Value)
	for i := range m.Headers {
		n += len(m.Headers[i].Key) + len(m.Headers[i].Value) + 10
	}
	return n
}

// millis is a message's time as a record timestamp: Kafka has none before 1970, and sarama counts nanoseconds, so none after 2262.
func millis(t int64) int64 { return min(max(t, 0)/1000, math.MaxInt64/int64(time.Millisecond)) }

// batch fills the batcher's memory with messages. Keys, values and header names are not copied; nothing keeps them after the request.
func (p *batcher) batch(msgs []connectors.Message) *sarama.RecordBatch {
	headers := 0
	for i := range msgs {
		headers += len(msgs[i].Headers)
	}
	p.grow(len(msgs), headers)
	first := millis(msgs[0].Time)
	latest, h := first, 0
	for i := range msgs {
		m, rec := &msgs[i], &p.records[i]
		at := millis(m.Time)
		latest = max(latest, at)
		rec.TimestampDelta = time.Duration(at-first) * time.Millisecond
		rec.OffsetDelta = int64(i)
		rec.Key, rec.Value = m.Key, m.Value
		begin := h
		for j := range m.Headers {
			p.headers[h] = sarama.RecordHeader{Key: alias(m.Headers[j].Key), Value: m.Headers[j].Value}
			h++
		}
		rec.Headers = p.headerPtrs[begin:h]
	}
	return &sarama.RecordBatch{
		Version:          2,
		Codec:            p.codec,
		CompressionLevel: sarama.CompressionLevelDefault,
		FirstTimestamp:   time.UnixMilli(first),
		MaxTimestamp:     time.UnixMilli(latest),
		LastOffsetDelta:  int32(len(msgs) - 1),
		ProducerID:       -1,
		ProducerEpoch:    -1,
		FirstSequence:    -1,
		Records:          p.pointers[:len(msgs)],
	}
}

// alias returns a string's bytes without a copy, for reading. It is never nil: the key of a header must not be null.
func alias(s string) []byte {
	if s == "" {
		return []byte{}
	}
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

func (p *batcher) grow(records, headers int) {
	if len(p.records) < records {
		p.records = make([]sarama.Record, records)
		p.pointers = make([]*sarama.Record, records)
		for i := range p.records {
			p.pointers[i] = &p.records[i]
		}
	}
	if len(p.headers) < headers {
		p.headers = make([]sarama.RecordHeader, headers)
		p.headerPtrs = make([]*sarama.RecordHeader, headers)
		for i := range p.headers {
			p.headerPtrs[i] = &p.headers[i]
		}
	}
}
