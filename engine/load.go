package engine

import (
	"context"
	"errors"
	"io"
	"time"

	"rhumb/catalog"
	"rhumb/connectors"
	"rhumb/types"
)

// Lines is records to be loaded, one a line.
type Lines interface {
	// Next returns the next record, which is valid until the following call, and its number from 1; io.EOF at the end.
	Next() (line []byte, number int64, err error)
	// Identity tells the same input from another when it is loaded again; "" = it cannot be told.
	Identity() string
}

// Records go to the partitions of a topic in turns of so many, so that which partition a record goes to follows from its number.
const turn = 64

// Load appends records to the topic of a stream. Each carries its number, under the identity of the input, so a load that is repeated
// goes on after the last record that is in the topic. progress, if not nil, is told how many records have been appended.
func (e *Engine) Load(ctx context.Context, stream string, lines Lines, progress func(appended, skipped int64)) error {
	o, ok := e.cat.Snapshot().Object(stream)
	if !ok {
		return types.Errorf(types.CodeUndefinedTable, "there is no stream %q to load into", stream).
			WithHint("A CREATE STREAM %s (...) statement has to come before the load.", stream)
	}
	if o.Kind != catalog.Source {
		return types.Errorf(types.CodeWrongObjectType, "%q is not a source stream: records cannot be loaded into it", stream)
	}
	w, err := e.cfg.Broker.Writer(ctx, o.Topic)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	l := &loader{flushed: time.Now(), w: w, parts: w.Info().Partitions, progress: progress}
	if l.key, err = newLoadKey(o); err != nil {
		return err
	}
	if id := lines.Identity(); id != "" {
		l.object = loadNumber(id)
		for p := range l.parts {
			last, err := w.Last(ctx, p, []uint32{l.object})
			if err != nil {
				return err
			}
			l.last = append(l.last, last[l.object].Step)
		}
	}
	l.batches = make([]loadBatch, l.parts)
	return l.run(ctx, lines)
}

// loadNumber is the number under which a load counts its records.
func loadNumber(id string) uint32 { return uint32(types.Hash(0, []byte(id))) | 1 }

type loader struct {
	w        connectors.Writer
	parts    int32
	key      *loadKey // nil = none
	object   uint32   // 0 = the records carry no position
	last     []uint64 // by partition: the last record that is in the topic
	batches  []loadBatch
	done     int64
	skipped  int64
	flushed  time.Time
	progress func(appended, skipped int64)
}

// loadBatch is the records that wait for one partition.
type loadBatch struct {
	buf  []byte
	msgs []connectors.Message
	ends []int // of each record's key, value and position in buf
}

// The size of a batch.
const (
	loadBytes = 1 << 20
	loadRows  = 5000
	loadAfter = 50 * time.Millisecond
)

// flushTimeout is how long an interrupted load takes at most to append what it has read.
const flushTimeout = 5 * time.Second

func (l *loader) run(ctx context.Context, lines Lines) error {
	for ctx.Err() == nil {
		line, number, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return l.flushAll(ctx)
		}
		if err != nil {
			return errors.Join(err, l.flushRead(ctx))
		}
		key := l.key.of(line)
		p := l.partition(key, number)
		if l.object != 0 && uint64(number) <= l.last[p] {
			l.skipped++
			continue
		}
		b := &l.batches[p]
		b.buf = append(b.buf, key...)
		b.ends = append(b.ends, len(b.buf))
		b.buf = append(b.buf, line...)
		b.ends = append(b.ends, len(b.buf))
		if l.object != 0 {
			enc := types.Encoder{B: b.buf}
			connectors.Position{Object: l.object, Step: uint64(number)}.AppendTo(&enc)
			b.buf = enc.B
		}
		b.ends = append(b.ends, len(b.buf))
		// A slow input is not kept waiting for a full batch; the clock is not asked for each record.
		if len(b.buf) >= loadBytes || len(b.ends) >= 3*loadRows || number%16 == 0 && time.Since(l.flushed) > loadAfter {
			if err := l.flush(ctx, p); err != nil {
				return err
			}
			l.flushed = time.Now()
		}
	}
	return errors.Join(ctx.Err(), l.flushRead(ctx))
}

// partition is where a record goes: it follows from the record and its number alone, so that a load which goes on finds what it has appended.
func (l *loader) partition(key []byte, number int64) int32 {
	if key != nil {
		return int32(types.Hash(0, key) % uint64(l.parts))
	}
	return int32((number / turn) % int64(l.parts))
}

// flushRead appends what was read before the input ended badly, for standard input cannot be read again.
func (l *loader) flushRead(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	return l.flushAll(ctx)
}

func (l *loader) flushAll(ctx context.Context) error {
	for p := range l.parts {
		if err := l.flush(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// flush appends a partition's batch to the topic.
func (l *loader) flush(ctx context.Context, p int32) error {
	b := &l.batches[p]
	if len(b.ends) == 0 {
		return nil
	}
	now := time.Now().UnixMicro()
	b.msgs = b.msgs[:0]
	for i, at := 0, 0; i < len(b.ends); i += 3 {
		k, v, h := b.ends[i], b.ends[i+1], b.ends[i+2]
		m := connectors.Message{Value: b.buf[k:v:v], Time: now}
		if k > at {
			m.Key = b.buf[at:k:k]
		}
		if h > v {
			m.Headers = []connectors.Header{{Key: connectors.HeaderPosition, Value: b.buf[v:h:h]}}
		}
		b.msgs = append(b.msgs, m)
		at = h
	}
	if _, err := l.w.Publish(ctx, p, b.msgs); err != nil {
		return err
	}
	l.done += int64(len(b.msgs))
	b.buf, b.ends = b.buf[:0], b.ends[:0]
	if l.progress != nil {
		l.progress(l.done, l.skipped)
	}
	return nil
}
