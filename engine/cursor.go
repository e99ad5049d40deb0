package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"rhumb/catalog"
	"rhumb/connectors"
	"rhumb/executor/decode"
	"rhumb/types"
)

// cursor applies an object's topic to the store, in order. Its position (how far it has read each partition, and the last position that it has
// seen there of each writer) lies in the store beside the documents, so nothing is applied twice and nothing is left out.
type cursor struct {
	object *catalog.Object
	store  connectors.Store
	source connectors.Source
	dec    decode.Decoder
	cols   []decode.Column
	plant  bool // a planted bug: the position is saved apart from the documents
	cancel context.CancelFunc
	done   chan struct{}

	hurry chan struct{} // somebody has begun to wait

	mu   sync.Mutex
	cond *sync.Cond
	at   place
	goal map[int32]int64 // how far somebody waits for it to come
	err  error           // why it waits
}

// place is how far a cursor is.
type place struct {
	next map[int32]int64
	seen map[int32]map[uint32]connectors.Position
}

// The size of a flush: index upkeep, not the driver, is the cost, so large ones are cheaper.
const (
	flushRows  = 20_000
	flushAfter = 200 * time.Millisecond
	fetchBytes = 1 << 20
)

// openCursor opens the cursor of an object where it was.
func openCursor(ctx context.Context, o *catalog.Object, topics map[uint32]string, store connectors.Store, broker connectors.Broker, plant bool) (*cursor, error) {
	if err := store.Define(ctx, tableOf(o, topics)); err != nil {
		return nil, err
	}
	c := &cursor{object: o, store: store, plant: plant, hurry: make(chan struct{}, 1), goal: map[int32]int64{}}
	c.cond = sync.NewCond(&c.mu)
	saved, err := store.Position(ctx, o.Number)
	if err != nil {
		return nil, err
	}
	if c.at, err = decodePlace(saved); err != nil {
		return nil, err
	}
	for _, col := range o.Columns {
		c.cols = append(c.cols, decode.Column{Name: col.Name, Type: col.Type, Path: []string{col.Name}})
	}
	if c.dec, err = decode.New("json", c.cols, decode.Options{MaxBytes: 64 << 20, MaxDepth: 512, MaxKeys: 1 << 16}); err != nil {
		return nil, err
	}
	if c.source, err = broker.Source(ctx, o.Topic); err != nil {
		return nil, err
	}
	return c, nil
}

// tableOf is what the store keeps of an object.
func tableOf(o *catalog.Object, topics map[uint32]string) connectors.Table {
	return connectors.Table{Object: o.Number, Version: o.Version, Name: o.Name, Kind: string(o.Kind), Query: o.Text, Columns: o.Schema(""),
		Key: o.Key, Topics: topics}
}

// encode appends the place's encoding.
func (p place) encode() []byte {
	var e types.Encoder
	parts := make([]int32, 0, len(p.next))
	for part := range p.next {
		parts = append(parts, part)
	}
	slices.Sort(parts)
	e.Uvarint(uint64(len(parts)))
	for _, part := range parts {
		e.Varint(int64(part))
		e.Varint(p.next[part])
		writers := make([]uint32, 0, len(p.seen[part]))
		for w := range p.seen[part] {
			writers = append(writers, w)
		}
		slices.Sort(writers)
		e.Uvarint(uint64(len(writers)))
		for _, w := range writers {
			p.seen[part][w].AppendTo(&e)
		}
	}
	return e.B
}

func decodePlace(b []byte) (place, error) {
	p := place{next: map[int32]int64{}, seen: map[int32]map[uint32]connectors.Position{}}
	if b == nil {
		return p, nil
	}
	d := types.Decoder{B: b}
	for range d.Len(3) {
		part := int32(d.Varint())
		p.next[part] = d.Varint()
		seen := map[uint32]connectors.Position{}
		for range d.Len(4) {
			pos := connectors.Position{Object: uint32(d.Uvarint()), Version: uint32(d.Uvarint()), Step: d.Uvarint(), Ordinal: uint32(d.Uvarint())}
			seen[pos.Object] = pos
		}
		p.seen[part] = seen
	}
	return p, d.Err
}

// start begins to apply the topic.
func (c *cursor) start(ctx context.Context) {
	ctx, c.cancel = context.WithCancel(ctx)
	c.done = make(chan struct{})
	go func() {
		defer close(c.done)
		c.run(ctx)
	}()
}

// stop ends it; what has not been applied will be when it is opened again.
func (c *cursor) stop() {
	c.cancel()
	<-c.done
}

// run applies the topic until ctx ends. What the store or the broker cannot do now is tried again; the cursor's error says so meanwhile.
func (c *cursor) run(ctx context.Context) {
	defer func() { _ = c.source.Close() }()
	parts := c.source.Info().Partitions
	fetched := make(chan *connectors.Records, parts)
	var wg sync.WaitGroup
	for p := range parts {
		wg.Go(func() { c.fetch(ctx, p, fetched) })
	}
	b := c.newBatch()
	timer := time.NewTimer(time.Hour)
	for ctx.Err() == nil {
		select {
		case r := <-fetched:
			if b.rows() == 0 {
				timer.Reset(flushAfter)
			}
			c.add(b, r)
			if b.rows() < flushRows && (b.rows() > 0 || !b.moved) && !c.wanted(b) {
				continue
			}
		case <-c.hurry:
			if !c.wanted(b) {
				continue
			}
		case <-timer.C:
		case <-ctx.Done():
			continue
		}
		c.flush(ctx, b)
		b = c.newBatch()
	}
	wg.Wait()
}

// fetch reads one partition, ahead by one fetch.
func (c *cursor) fetch(ctx context.Context, part int32, out chan<- *connectors.Records) {
	c.mu.Lock()
	next := c.at.next[part]
	c.mu.Unlock()
	for ctx.Err() == nil {
		r, err := c.source.Fetch(ctx, part, next, fetchBytes, 500*time.Millisecond)
		if err != nil {
			c.fail(err)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			continue
		}
		if r.Next == next {
			continue
		}
		next = r.Next
		select {
		case out <- r:
		case <-ctx.Done():
		}
	}
}

func (c *cursor) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	c.cond.Broadcast()
}

// docBatch is documents that wait to be applied, and the place afterwards.
type docBatch struct {
	docs  connectors.Docs
	place place
	moved bool
}

func (b *docBatch) rows() int { return len(b.docs.IDs) }

func (c *cursor) newBatch() *docBatch {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := &docBatch{place: place{next: map[int32]int64{}, seen: map[int32]map[uint32]connectors.Position{}}}
	for p, n := range c.at.next {
		b.place.next[p] = n
	}
	for p, seen := range c.at.seen {
		m := make(map[uint32]connectors.Position, len(seen))
		for w, pos := range seen {
			m[w] = pos
		}
		b.place.seen[p] = m
	}
	for _, col := range c.cols {
		b.docs.Cols = append(b.docs.Cols, types.NewVec(col.Type, 0))
	}
	return b
}

// add decodes records into the batch. Positions that have been seen are dropped.
func (c *cursor) add(b *docBatch, r *connectors.Records) {
	vecs := make([]*types.Vec, len(c.cols))
	for i := range vecs {
		vecs[i] = &types.Vec{}
	}
	// A record that is not ours to read (a foreign program wrote it) is no document.
	foreign := types.Bitmap{}
	for _, rej := range c.dec.Decode(r.Values, vecs, nil, decode.NewCounters(len(c.cols))) {
		foreign.Set(int(rej.Row))
	}
	seen := b.place.seen[r.Partition]
	if seen == nil {
		seen = map[uint32]connectors.Position{}
		b.place.seen[r.Partition] = seen
	}
	for i := range r.Offsets {
		h, ok := readHeaders(r, i)
		if !ok || foreign.Has(i) && r.Values[i] != nil {
			continue
		}
		if last, ok := seen[h.pos.Object]; ok && !h.pos.After(last) {
			continue
		}
		seen[h.pos.Object] = h.pos
		for k, v := range vecs {
			b.docs.Cols[k].AppendFrom(v, i)
		}
		b.docs.IDs = append(b.docs.IDs, h.id)
		b.docs.States = append(b.docs.States, h.state)
		b.docs.Lineage = append(b.docs.Lineage, h.lineage)
		b.docs.Positions = append(b.docs.Positions, h.pos)
		b.docs.Detected = append(b.docs.Detected, h.detected)
		b.docs.Deleted = append(b.docs.Deleted, r.Values[i] == nil)
	}
	b.place.next[r.Partition] = r.Next
	b.moved = true
}

// headers is what a record's headers say.
type headers struct {
	pos      connectors.Position
	id       string
	state    string
	lineage  types.Lineage
	detected int64
}

func readHeaders(r *connectors.Records, i int) (h headers, ok bool) {
	if r.Headers == nil {
		return h, false
	}
	for _, x := range r.Headers[i] {
		var err error
		switch x.Key {
		case connectors.HeaderPosition:
			h.pos, err = connectors.DecodePosition(x.Value)
			ok = err == nil
		case connectors.HeaderID:
			h.id = string(x.Value)
		case connectors.HeaderState:
			h.state = string(x.Value)
		case connectors.HeaderLineage:
			h.lineage, err = types.DecodeLineage(x.Value)
		case connectors.HeaderDetected:
			d := types.Decoder{B: x.Value}
			h.detected = d.Varint()
		}
		if err != nil {
			return h, false
		}
	}
	return h, ok && h.id != ""
}

// flush applies a batch, until it succeeds or ctx ends.
func (c *cursor) flush(ctx context.Context, b *docBatch) {
	for wait := 50 * time.Millisecond; b.moved && ctx.Err() == nil; wait = min(2*wait, 5*time.Second) {
		err := c.apply(ctx, b)
		if err == nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.at, c.err = b.place, nil
			c.cond.Broadcast()
			return
		}
		if ctx.Err() != nil {
			return
		}
		c.fail(err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

func (c *cursor) apply(ctx context.Context, b *docBatch) error {
	if !c.plant {
		return c.store.Apply(ctx, c.object.Number, &b.docs, b.place.encode())
	}
	empty := &connectors.Docs{Cols: c.newBatch().docs.Cols}
	if err := c.store.Apply(ctx, c.object.Number, empty, b.place.encode()); err != nil {
		return err
	}
	time.Sleep(50 * time.Millisecond)
	return c.store.Apply(ctx, c.object.Number, &b.docs, b.place.encode())
}

// wanted reports whether a batch brings the cursor to where somebody waits for it, so that it should not wait for more rows.
func (c *cursor) wanted(b *docBatch) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	behind := false
	for p, end := range c.goal {
		if b.place.next[p] < end {
			return false
		}
		behind = behind || c.at.next[p] < end
	}
	return behind
}

// wait returns when the cursor has applied all that is in the topic now.
func (c *cursor) wait(ctx context.Context) error {
	ends := map[int32]int64{}
	for p := range c.source.Info().Partitions {
		_, end, err := c.source.Offsets(ctx, p)
		if err != nil {
			return err
		}
		ends[p] = end
	}
	stop := context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.cond.Broadcast()
	})
	defer stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, end := range ends {
		c.goal[p] = max(c.goal[p], end)
	}
	select {
	case c.hurry <- struct{}{}:
	default:
	}
	for {
		behind := false
		for p, end := range ends {
			behind = behind || c.at.next[p] < end
		}
		switch {
		case !behind:
			return nil
		case ctx.Err() != nil:
			if c.err != nil {
				return c.err
			}
			return ctx.Err()
		}
		c.cond.Wait()
	}
}
