// Package conformance holds the suites that every implementation of a contract in connectors passes.
package conformance

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rhumb/connectors"
	"rhumb/types"
)

// TestBroker runs the suite for Broker, Source and Writer. open returns a broker, which the suite does not close; it may be the
// same one each time.
func TestBroker(t *testing.T, open func(t *testing.T) connectors.Broker) {
	for _, c := range []struct {
		name string
		run  func(*brokerTest)
	}{
		{"topics", (*brokerTest).topics},
		{"missing topics", (*brokerTest).missing},
		{"round trip", (*brokerTest).roundTrip},
		{"large messages", (*brokerTest).large},
		{"many batches", (*brokerTest).many},
		{"fetch waits", (*brokerTest).waits},
		{"fetch is broken off", (*brokerTest).brokenOff},
		{"out of range", (*brokerTest).outOfRange},
		{"partitions at once", (*brokerTest).concurrent},
		{"offset for time", (*brokerTest).offsetForTime},
		{"last position", (*brokerTest).last},
		{"topic deleted in use", (*brokerTest).deleted},
		{"topic recreated in use", (*brokerTest).recreated},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			b := &brokerTest{T: t, ctx: ctx, Broker: open(t)}
			c.run(b)
		})
	}
}

// brokerTest is one test of the suite, with helpers.
type brokerTest struct {
	*testing.T
	connectors.Broker
	ctx context.Context
}

// topic creates a topic of the test's own.
func (b *brokerTest) topic(partitions int32) connectors.TopicInfo {
	b.Helper()
	name := fmt.Sprintf("%s.%d", strings.NewReplacer("/", ".", " ", "-", "#", "-").Replace(b.Name()), time.Now().UnixNano())
	info, err := b.CreateTopic(b.ctx, connectors.TopicSpec{Name: name, Partitions: partitions})
	if err != nil {
		b.Fatal(err)
	}
	return info
}

func (b *brokerTest) open(partitions int32) (connectors.Source, connectors.Writer) {
	b.Helper()
	name := b.topic(partitions).Name
	s, err := b.Source(b.ctx, name)
	if err != nil {
		b.Fatal(err)
	}
	w, err := b.Writer(b.ctx, name)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
		if err := w.Close(); err != nil {
			b.Error(err)
		}
	})
	return s, w
}

// publish also checks the offset that Publish returns: nobody else writes in these tests.
func (b *brokerTest) publish(w connectors.Writer, partition int32, msgs ...connectors.Message) {
	b.Helper()
	before, err := w.Publish(b.ctx, partition, nil)
	if err != nil {
		b.Fatal(err)
	}
	next, err := w.Publish(b.ctx, partition, msgs)
	if err != nil {
		b.Fatal(err)
	}
	if next != before+int64(len(msgs)) {
		b.Fatalf("%d messages end at offset %d, the log ended at %d", len(msgs), next, before)
	}
}

// fails publishes a message and returns the error.
func (b *brokerTest) fails(ctx context.Context, w connectors.Writer, partition int32, value []byte) error {
	_, err := w.Publish(ctx, partition, []connectors.Message{{Value: value}})
	return err
}

// code fails the test unless err is a *types.Error of the code.
func (b *brokerTest) code(err error, code string) *types.Error {
	b.Helper()
	if err == nil {
		b.Fatalf("no error; want %s", code)
	}
	e := types.AsError(err)
	if e.Code != code {
		b.Fatalf("%s: %v; want %s", e.Code, err, code)
	}
	return e
}

// ReadAll reads a partition from an offset to its present end and checks what a Records promises.
func ReadAll(t testing.TB, ctx context.Context, s connectors.Source, partition int32, from int64, maxBytes int) []Record {
	t.Helper()
	var all []Record
	for {
		r, err := s.Fetch(ctx, partition, from, maxBytes, 0)
		if err != nil {
			t.Fatal(err)
		}
		n := len(r.Offsets)
		if r.Partition != partition || len(r.Times) != n || len(r.Keys) != n || len(r.Values) != n || r.Headers != nil && len(r.Headers) != n {
			t.Fatalf("unsound Records: %+v", r)
		}
		size := 0
		for i := range r.Offsets {
			if r.Offsets[i] < from || i > 0 && r.Offsets[i] <= r.Offsets[i-1] || r.Offsets[i] >= r.Next || r.Offsets[i] >= r.End {
				t.Fatalf("offset %d after %d, next %d, end %d", r.Offsets[i], from, r.Next, r.End)
			}
			rec := Record{Offset: r.Offsets[i], Message: connectors.Message{Key: r.Keys[i], Value: r.Values[i], Time: r.Times[i]}}
			if r.Headers != nil {
				rec.Headers = r.Headers[i]
			}
			size += len(r.Keys[i]) + len(r.Values[i])
			all = append(all, rec)
		}
		if r.Bytes < size {
			t.Fatalf("%d bytes, there are %d at least", r.Bytes, size)
		}
		if n == 0 {
			if r.Next != r.End {
				t.Fatalf("an empty fetch ends at %d, the log at %d", r.Next, r.End)
			}
			return all
		}
		from = r.Next
	}
}

// Record is a message with its offset.
type Record struct {
	Offset int64
	connectors.Message
}

// same compares what was read with what was written; nil and empty are different.
func same(a, b connectors.Message) bool {
	null := func(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }
	return null(a.Key, b.Key) && null(a.Value, b.Value) && a.Time == b.Time &&
		slices.EqualFunc(a.Headers, b.Headers, func(x, y connectors.Header) bool { return x.Key == y.Key && null(x.Value, y.Value) })
}

func (b *brokerTest) topics() {
	first := b.topic(3)
	if first.Partitions != 3 || first.Name == "" {
		b.Fatalf("%+v", first)
	}
	_, err := b.CreateTopic(b.ctx, connectors.TopicSpec{Name: first.Name, Partitions: 1})
	b.code(err, types.CodeDuplicateTable)
	again, err := b.Topic(b.ctx, first.Name)
	if err != nil || again != first {
		b.Fatalf("%+v, %v; created as %+v", again, err, first)
	}
	names, err := b.Topics(b.ctx)
	if err != nil || !slices.Contains(names, first.Name) || !slices.IsSorted(names) {
		b.Fatal(names, err)
	}
	if err := b.DeleteTopic(b.ctx, first.Name); err != nil {
		b.Fatal(err)
	}
	names, err = b.Topics(b.ctx)
	if err != nil || slices.Contains(names, first.Name) {
		b.Fatal(names, err)
	}
	_, err = b.Topic(b.ctx, first.Name)
	b.code(err, types.CodeUndefinedTable)
	// The same name is another topic.
	second, err := b.CreateTopic(b.ctx, connectors.TopicSpec{Name: first.Name, Partitions: 1, RetentionBytes: 1 << 20, Compact: true})
	if err != nil {
		b.Fatal(err)
	}
	if second.Identity != "" && second.Identity == first.Identity || second.Partitions != 1 {
		b.Fatalf("recreated as %+v, was %+v", second, first)
	}
}

func (b *brokerTest) missing() {
	_, err := b.Topic(b.ctx, "no-such-topic")
	b.code(err, types.CodeUndefinedTable)
	_, err = b.Source(b.ctx, "no-such-topic")
	b.code(err, types.CodeUndefinedTable)
	_, err = b.Writer(b.ctx, "no-such-topic")
	b.code(err, types.CodeUndefinedTable)
	b.code(b.DeleteTopic(b.ctx, "no-such-topic"), types.CodeUndefinedTable)
	for _, name := range []string{"", ".", "..", "a b", "naïve", "a/b", strings.Repeat("x", 250)} {
		_, err := b.CreateTopic(b.ctx, connectors.TopicSpec{Name: name, Partitions: 1})
		b.code(err, types.CodeInvalidOption)
	}
	names, err := b.Topics(b.ctx)
	if err != nil || slices.Contains(names, "no-such-topic") {
		b.Fatal("asking for a topic has created it", names, err)
	}
	s, w := b.open(1)
	_, err = s.Fetch(b.ctx, 1, 0, 1000, 0)
	b.code(err, types.CodeNotInPrerequisite)
	_, err = s.Fetch(b.ctx, -1, 0, 1000, 0)
	b.code(err, types.CodeNotInPrerequisite)
	b.code(b.fails(b.ctx, w, 1, []byte("x")), types.CodeNotInPrerequisite)
}

func (b *brokerTest) roundTrip() {
	s, w := b.open(1)
	if s.Info().Identity != w.Info().Identity || s.Info().Partitions != 1 {
		b.Fatal(s.Info(), w.Info())
	}
	ms := int64(1_700_000_000_123_000)
	batches := [][]connectors.Message{
		{{Key: []byte("k"), Value: []byte("v"), Time: ms}},
		{
			{Key: []byte("tombstone"), Time: ms + 5000},
			{Value: []byte("no key"), Time: ms - 3600_000_000}, // late
			{Key: []byte{}, Value: []byte{}, Time: 0},
			{Time: ms},
			{Value: []byte("far future"), Time: 9214646400_000_000}, // 2262-01-01
		},
		{
			{Value: []byte("headers"), Time: ms, Headers: []connectors.Header{{Key: "a", Value: []byte("1")}, {Key: "a", Value: nil}, {Key: "", Value: []byte{}}, {Key: "ü", Value: []byte{0, 255}}}},
			{Value: []byte("one header"), Time: ms, Headers: []connectors.Header{{Key: "a", Value: []byte("2")}}},
			{Value: []byte("no header"), Time: ms},
			{Value: []byte("last header"), Time: ms, Headers: []connectors.Header{{Key: "b", Value: []byte("3")}, {Key: "a", Value: []byte("4")}}},
		},
		{{Value: []byte{0, 1, 2, 255, '\n'}, Time: ms}},
	}
	var want []connectors.Message
	for _, msgs := range batches {
		b.publish(w, 0, msgs...)
		want = append(want, msgs...)
	}
	// From every offset, so also from the middle of batches; with room for one batch, and for all.
	for from := range want {
		for _, maxBytes := range []int{1, 1 << 20} {
			got := ReadAll(b, b.ctx, s, 0, int64(from), maxBytes)
			if len(got) != len(want)-from {
				b.Fatalf("%d records from offset %d on, want %d", len(got), from, len(want)-from)
			}
			for i, rec := range got {
				if rec.Offset != int64(from+i) || !same(rec.Message, want[from+i]) {
					b.Fatalf("offset %d: %+v, want %d %+v", rec.Offset, rec.Message, from+i, want[from+i])
				}
			}
		}
	}
	start, end, err := s.Offsets(b.ctx, 0)
	if err != nil || start != 0 || end != int64(len(want)) {
		b.Fatal(start, end, err)
	}
	// What a fetch returned is not written again by later ones.
	kept, err := s.Fetch(b.ctx, 0, 0, 1, 0)
	if err != nil {
		b.Fatal(err)
	}
	ReadAll(b, b.ctx, s, 0, 0, 1<<20)
	if string(kept.Keys[0]) != "k" || string(kept.Values[0]) != "v" {
		b.Fatal("a later fetch wrote over an earlier one")
	}
	// A time before 1970 becomes 1970, one that is too late for a record timestamp the latest; microseconds are cut to milliseconds.
	b.publish(w, 0, connectors.Message{Value: []byte("old"), Time: -5_000_000}, connectors.Message{Value: []byte("fine"), Time: ms + 999},
		connectors.Message{Value: []byte("late"), Time: 253402300799_000_000}, connectors.Message{Value: []byte("after that"), Time: ms})
	got := ReadAll(b, b.ctx, s, 0, int64(len(want)), 1<<20)
	if len(got) != 4 || got[0].Time != 0 || got[1].Time != ms || got[2].Time < 9214646400_000_000 || got[3].Time != ms {
		b.Fatalf("%+v", got)
	}
}

// noise is data that does not compress.
func noise(n int, seed uint64) []byte {
	out := make([]byte, n)
	for i := range out {
		seed = seed*6364136223846793005 + 1442695040888963407
		out[i] = byte(seed >> 56)
	}
	return out
}

func (b *brokerTest) large() {
	s, w := b.open(1)
	var want []connectors.Message
	for i, size := range []int{1 << 20, 10, 1<<20 + 1, 5 << 20, 16 << 20, 999_950, 100, 1_000_000} {
		want = append(want, connectors.Message{Key: fmt.Appendf(nil, "%d", i), Value: noise(size, uint64(i)), Time: 1000})
	}
	b.publish(w, 0, want...)
	for _, maxBytes := range []int{1000, 2 << 20, 100 << 20} {
		got := ReadAll(b, b.ctx, s, 0, 0, maxBytes)
		if len(got) != len(want) {
			b.Fatalf("%d messages, want %d", len(got), len(want))
		}
		for i := range want {
			if !same(got[i].Message, want[i]) {
				b.Fatalf("message %d of %d bytes came back with %d", i, len(want[i].Value), len(got[i].Value))
			}
		}
	}
	err := b.fails(b.ctx, w, 0, noise(20<<20, 1))
	b.code(err, types.CodeProgramLimit)
	b.publish(w, 0, connectors.Message{Value: []byte("goes on")})
}

func (b *brokerTest) many() {
	s, w := b.open(1)
	const n = 20000
	msgs := make([]connectors.Message, n)
	for i := range msgs {
		// 3.6 MB in all: Publish makes several batches of them.
		msgs[i] = connectors.Message{Value: fmt.Appendf(nil, "%06d %0150d", i, i), Time: int64(i) * 1000}
	}
	b.publish(w, 0, msgs...)
	for _, maxBytes := range []int{1 << 20, 64 << 20} {
		got := ReadAll(b, b.ctx, s, 0, 0, maxBytes)
		if len(got) != n {
			b.Fatalf("%d messages", len(got))
		}
		for i, r := range got {
			if r.Offset != int64(i) || !same(r.Message, msgs[i]) {
				b.Fatalf("%d: %+v", i, r)
			}
		}
	}
}

func (b *brokerTest) waits() {
	s, w := b.open(1)
	r, err := s.Fetch(b.ctx, 0, 0, 1000, 0)
	if err != nil || len(r.Offsets) != 0 || r.Next != 0 || r.End != 0 {
		b.Fatalf("%+v, %v", r, err)
	}
	began := time.Now()
	if r, err = s.Fetch(b.ctx, 0, 0, 1000, 300*time.Millisecond); err != nil || len(r.Offsets) != 0 || r.Next != 0 {
		b.Fatalf("%+v, %v", r, err)
	}
	if time.Since(began) < 250*time.Millisecond {
		b.Fatal("an empty fetch did not wait")
	}
	got := make(chan *connectors.Records, 1)
	go func() {
		r, err := s.Fetch(b.ctx, 0, 0, 1000, 50*time.Second) // longer than what is asked of a broker at once
		if err != nil {
			b.Error(err)
		}
		got <- r
	}()
	time.Sleep(100 * time.Millisecond)
	b.publish(w, 0, connectors.Message{Value: []byte("woken")})
	select {
	case r := <-got:
		if r == nil || len(r.Values) != 1 || string(r.Values[0]) != "woken" || r.Next != 1 || r.End != 1 {
			b.Fatalf("%+v", r)
		}
	case <-time.After(20 * time.Second):
		b.Fatal("a fetch that waits does not see a new record")
	}
}

func (b *brokerTest) brokenOff() {
	s, w := b.open(1)
	ctx, cancel := context.WithCancel(b.ctx)
	done := make(chan error, 1)
	go func() {
		_, err := s.Fetch(ctx, 0, 0, 1000, 50*time.Second)
		done <- err
	}()
	time.Sleep(100 * time.Millisecond)
	cancel()
	select {
	case err := <-done:
		b.code(err, types.CodeCanceled)
	case <-time.After(10 * time.Second):
		b.Fatal("a fetch does not end with its context")
	}
	b.code(b.fails(ctx, w, 0, []byte("x")), types.CodeCanceled)
	if _, _, err := s.Offsets(ctx, 0); err == nil {
		b.Fatal("no error")
	}
	// Others go on.
	b.publish(w, 0, connectors.Message{Value: []byte("y")})
	if got := ReadAll(b, b.ctx, s, 0, 0, 1000); len(got) == 0 {
		b.Fatal("nothing there")
	}
}

func (b *brokerTest) outOfRange() {
	s, w := b.open(1)
	b.publish(w, 0, connectors.Message{Value: []byte("a")}, connectors.Message{Value: []byte("b")})
	if r, err := s.Fetch(b.ctx, 0, 2, 1000, 0); err != nil || len(r.Offsets) != 0 || r.Next != 2 || r.End != 2 {
		b.Fatalf("at the end: %+v, %v", r, err)
	}
	_, err := s.Fetch(b.ctx, 0, 3, 1000, 0)
	if e := b.code(err, types.CodeNotInPrerequisite); !strings.Contains(e.Message, "ends at 2") || e.Hint == "" {
		b.Fatal(e)
	}
}

func (b *brokerTest) concurrent() {
	const partitions, n = 4, 500
	s, w := b.open(partitions)
	var wg sync.WaitGroup
	for p := range int32(partitions) {
		wg.Go(func() {
			for i := 0; i < n; i += 50 {
				var msgs []connectors.Message
				for j := i; j < i+50; j++ {
					msgs = append(msgs, connectors.Message{Value: fmt.Appendf(nil, "%d/%d", p, j)})
				}
				if _, err := w.Publish(b.ctx, p, msgs); err != nil {
					b.Error(err)
					return
				}
			}
		})
		wg.Go(func() {
			for at := int64(0); at < n; {
				r, err := s.Fetch(b.ctx, p, at, 10000, 10*time.Second)
				if err != nil {
					b.Error(err)
					return
				}
				for i, v := range r.Values {
					if want := fmt.Sprintf("%d/%d", p, r.Offsets[i]); string(v) != want {
						b.Errorf("%q, want %q", v, want)
						return
					}
				}
				at = r.Next
			}
		})
	}
	wg.Wait()
}

func (b *brokerTest) offsetForTime() {
	s, w := b.open(1)
	at := func(seconds ...int64) (msgs []connectors.Message) {
		for _, sec := range seconds {
			msgs = append(msgs, connectors.Message{Value: []byte("x"), Time: sec * 1000_000})
		}
		return msgs
	}
	// Timestamps neither rise within a batch nor from batch to batch.
	b.publish(w, 0, at(1000, 1500, 1200)...)     // offsets 0-2
	b.publish(w, 0, at(1600, 2000, 2100)...)     // 3-5
	b.publish(w, 0, at(500, 600, 700)...)        // 6-8, late
	b.publish(w, 0, at(2500, 1900, 3000, 10)...) // 9-12
	for sec, want := range map[int64]int64{0: 0, 500: 0, 1000: 0, 1001: 1, 1500: 1, 1501: 3, 1600: 3, 1999: 4, 2000: 4, 2001: 5, 2101: 9, 2500: 9, 2501: 11, 3000: 11, 3001: 13} {
		got, err := s.OffsetForTime(b.ctx, 0, sec*1000_000)
		if err != nil || got != want {
			b.Errorf("time %d: offset %d, %v; want %d", sec, got, err, want)
		}
	}
	empty, _ := b.open(1)
	if got, err := empty.OffsetForTime(b.ctx, 0, 0); err != nil || got != 0 {
		b.Errorf("of an empty log: %d, %v", got, err)
	}
}

func (b *brokerTest) last() {
	_, w := b.open(2)
	msg := func(p connectors.Position) connectors.Message {
		var e types.Encoder
		p.AppendTo(&e)
		return connectors.Message{Value: []byte("v"), Headers: []connectors.Header{{Key: "other", Value: []byte("x")}, {Key: connectors.HeaderPosition, Value: e.B}}}
	}
	expect := func(objects []uint32, want map[uint32]connectors.Position) {
		b.Helper()
		got, err := w.Last(b.ctx, 0, objects)
		if err != nil {
			b.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			b.Fatalf("%v, want %v", got, want)
		}
	}
	expect([]uint32{1}, map[uint32]connectors.Position{})
	expect(nil, map[uint32]connectors.Position{})
	one := func(step uint64, ordinal uint32) connectors.Position {
		return connectors.Position{Object: 1, Version: 2, Step: step, Ordinal: ordinal}
	}
	rare := connectors.Position{Object: 7, Version: 1, Step: 3}
	b.publish(w, 0, connectors.Message{Value: []byte("foreign")}, msg(rare),
		connectors.Message{Headers: []connectors.Header{{Key: connectors.HeaderPosition, Value: []byte{0xff}}}}) // damaged: not ours
	var msgs []connectors.Message
	for i := range uint64(10000) {
		msgs = append(msgs, msg(one(10+i/10, uint32(i%10))))
	}
	b.publish(w, 0, msgs...)
	b.publish(w, 0, connectors.Message{Value: []byte("foreign")})
	expect([]uint32{1}, map[uint32]connectors.Position{1: one(1009, 9)})
	expect([]uint32{1, 7}, map[uint32]connectors.Position{1: one(1009, 9), 7: rare})
	expect([]uint32{7, 99}, map[uint32]connectors.Position{7: rare})
	// A late copy of an earlier request does not take it back.
	b.publish(w, 0, msgs[9000:9010]...)
	expect([]uint32{1}, map[uint32]connectors.Position{1: one(1009, 9)})
	// Nor does a record of an earlier version of the object.
	b.publish(w, 0, msg(connectors.Position{Object: 1, Version: 1, Step: 1 << 40}))
	expect([]uint32{1}, map[uint32]connectors.Position{1: one(1009, 9)})
	got, err := w.Last(b.ctx, 1, []uint32{1})
	if err != nil || len(got) != 0 {
		b.Fatal("another partition", got, err)
	}
}

// pollFor fetches until it fails, with some patience: a topic's identity is looked at every few seconds.
func (b *brokerTest) pollFor(s connectors.Source, from int64) error {
	for b.ctx.Err() == nil {
		r, err := s.Fetch(b.ctx, 0, from, 1000, 200*time.Millisecond)
		if err != nil {
			return err
		}
		if len(r.Offsets) > 0 {
			b.Fatalf("a record of another topic: %q", r.Values[0])
		}
	}
	b.Fatal("the source reads on")
	return nil
}

func (b *brokerTest) deleted() {
	s, w := b.open(1)
	b.publish(w, 0, connectors.Message{Value: []byte("x")})
	if err := b.DeleteTopic(b.ctx, s.Info().Name); err != nil {
		b.Fatal(err)
	}
	b.code(b.pollFor(s, 1), types.CodeUndefinedTable)
	b.code(b.fails(b.ctx, w, 0, []byte("x")), types.CodeUndefinedTable)
}

func (b *brokerTest) recreated() {
	s, w := b.open(1)
	b.publish(w, 0, connectors.Message{Value: []byte("x")}, connectors.Message{Value: []byte("x")})
	if s.Info().Identity == "" {
		b.Skip("the broker does not tell a topic's identity")
	}
	if r, err := s.Fetch(b.ctx, 0, 0, 1000, 0); err != nil || r.Next != 2 {
		b.Fatal(r, err)
	}
	name := s.Info().Name
	if err := b.DeleteTopic(b.ctx, name); err != nil {
		b.Fatal(err)
	}
	if _, err := b.CreateTopic(b.ctx, connectors.TopicSpec{Name: name, Partitions: 1}); err != nil {
		b.Fatal(err)
	}
	again, err := b.Writer(b.ctx, name)
	if err != nil {
		b.Fatal(err)
	}
	b.publish(again, 0, connectors.Message{Value: []byte("a")})
	b.code(b.pollFor(s, 2), types.CodeNotInPrerequisite)
	// An offset that the new topic has too: the source knows that the old one was longer.
	_, err = s.Fetch(b.ctx, 0, 0, 1000, 0)
	b.code(err, types.CodeNotInPrerequisite)
}
