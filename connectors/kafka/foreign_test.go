package kafka

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"rhumb/connectors"
	"rhumb/connectors/conformance"
	"rhumb/internal/kafkatest"
	"rhumb/types"
)

// cluster is a broker under test, and its addresses for foreign clients.
type cluster struct {
	connectors.Broker
	addrs    []string
	embedded bool
}

// The same tests run against the embedded broker and against Apache Kafka.
func TestForeignEmbedded(t *testing.T) {
	b := startEmbedded(t, t.TempDir())
	foreign(t, cluster{b, []string{b.Addr()}, true})
}

func TestKafka(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a JVM")
	}
	k := kafkatest.Start(t, 1)
	b, err := Open(testContext(t), Config{Addrs: k.Addrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	t.Run("conformance", func(t *testing.T) {
		conformance.TestBroker(t, func(*testing.T) connectors.Broker { return b })
	})
	t.Run("foreign", func(t *testing.T) { foreign(t, cluster{b, k.Addrs(), false}) })
	t.Run("restart", func(t *testing.T) { survivesRestart(t, b, k.Nodes[0]) })
}

// The leader of three brokers is killed while messages are written and read: nothing is lost or out of order.
func TestKafkaFailover(t *testing.T) {
	if os.Getenv("RHUMB_REQUIRE_KAFKA") == "" {
		t.Skip("starts three JVMs; set RHUMB_REQUIRE_KAFKA to run it")
	}
	k := kafkatest.Start(t, 3)
	var heard retries
	b, err := Open(testContext(t), Config{Addrs: k.Addrs(), OnRetry: heard.hear})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := b.CreateTopic(testContext(t), connectors.TopicSpec{Name: "t", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	const n = 20_000
	read := make(chan error, 1)
	go func() { read <- readNumbered(b, n, true) }()
	w := newWriter(t, b, "t")
	for i := 0; i < n; i += 100 {
		if i == n/2 {
			leader, err := b.(*broker).leader(testContext(t), "t", 0, true)
			if err != nil {
				t.Fatal(err)
			}
			k.Nodes[slices.Index(k.Addrs(), leader)].Kill()
		}
		if _, err := w.Publish(testContext(t), 0, numbered(i, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	if len(heard.heard()) == 0 {
		t.Fatal("nothing was tried again")
	}
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func foreign(t *testing.T, c cluster) {
	t.Run("codecs", func(t *testing.T) { codecs(t, c) })
	t.Run("identical records", func(t *testing.T) { identicalRecords(t, c) })
	t.Run("foreign consumer", func(t *testing.T) { foreignConsumer(t, c) })
	t.Run("transactions", func(t *testing.T) { transactions(t, c) })
	t.Run("log append time", func(t *testing.T) { logAppendTime(t, c) })
	t.Run("retention", func(t *testing.T) { retentionGap(t, c) })
	t.Run("small topic limit", func(t *testing.T) { smallLimit(t, c) })
	t.Run("compaction", func(t *testing.T) { compaction(t, c) })
	t.Run("topic configuration", func(t *testing.T) { topicConfiguration(t, c) })
}

func newTopic(t *testing.T, c cluster, partitions int32) string {
	t.Helper()
	name := fmt.Sprintf("foreign.%d", time.Now().UnixNano())
	if _, err := c.CreateTopic(testContext(t), connectors.TopicSpec{Name: name, Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	return name
}

func newSource(t *testing.T, b connectors.Broker, topic string) connectors.Source {
	t.Helper()
	s, err := b.Source(testContext(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newWriter(t *testing.T, b connectors.Broker, topic string) connectors.Writer {
	t.Helper()
	w, err := b.Writer(testContext(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func foreignConfig() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V2_8_0_0
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Return.Successes = true
	c.Producer.Partitioner = sarama.NewManualPartitioner
	return c
}

func foreignProducer(t *testing.T, addrs []string, config *sarama.Config) sarama.SyncProducer {
	t.Helper()
	p, err := sarama.NewSyncProducer(addrs, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func codecs(t *testing.T, c cluster) {
	topic := newTopic(t, c, 1)
	r := rand.New(rand.NewPCG(1, 2))
	var want []string
	for _, codec := range []sarama.CompressionCodec{sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4, sarama.CompressionZSTD} {
		config := foreignConfig()
		config.Producer.Compression = codec
		config.Producer.Flush.Messages = 100
		config.Producer.Flush.Frequency = 10 * time.Millisecond
		p := foreignProducer(t, c.addrs, config)
		for range 3 {
			var msgs []*sarama.ProducerMessage
			for i := range 100 {
				v := fmt.Sprintf("%s %d %d %s", codec, i, r.Uint64(), strings.Repeat("abc", r.IntN(500)))
				want = append(want, v)
				msgs = append(msgs, &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(v), Key: sarama.StringEncoder(codec.String()),
					Timestamp: time.UnixMilli(int64(len(want))), Headers: []sarama.RecordHeader{{Key: []byte("codec"), Value: []byte(codec.String())}}})
			}
			if err := p.SendMessages(msgs); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, maxBytes := range []int{1, 10_000, 1 << 20} {
		got := conformance.ReadAll(t, testContext(t), newSource(t, c, topic), 0, 0, maxBytes)
		if len(got) != len(want) {
			t.Fatalf("%d records, want %d", len(got), len(want))
		}
		for i, rec := range got {
			codec, _, _ := strings.Cut(want[i], " ")
			if string(rec.Value) != want[i] || string(rec.Key) != codec || rec.Time != int64(i+1)*1000 || len(rec.Headers) != 1 || rec.Headers[0].Key != "codec" || string(rec.Headers[0].Value) != codec {
				t.Fatalf("%d: %+v", i, rec)
			}
		}
	}
}

// Records that are all the same compress to less than a byte each.
func identicalRecords(t *testing.T, c cluster) {
	for _, codec := range []sarama.CompressionCodec{sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4, sarama.CompressionZSTD} {
		topic := newTopic(t, c, 1)
		config := foreignConfig()
		config.Producer.Compression = codec
		config.Producer.Flush.Messages = 20_000
		config.Producer.Flush.Frequency = 100 * time.Millisecond
		config.ChannelBufferSize = 20_000
		p := foreignProducer(t, c.addrs, config)
		var msgs []*sarama.ProducerMessage
		for range 20_000 {
			msgs = append(msgs, &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(`{"a":1}`), Timestamp: time.UnixMilli(5)})
		}
		if err := p.SendMessages(msgs); err != nil {
			t.Fatal(err)
		}
		if got := conformance.ReadAll(t, testContext(t), newSource(t, c, topic), 0, 0, 1<<20); len(got) != 20_000 {
			t.Fatalf("%s: %d records", codec, len(got))
		}
	}
}

// What Rhumb writes is what others read.
func foreignConsumer(t *testing.T, c cluster) {
	topic := newTopic(t, c, 1)
	w := newWriter(t, c, topic)
	msgs := []connectors.Message{
		{Key: []byte("k"), Value: []byte("v"), Time: 1_700_000_000_123_000, Headers: []connectors.Header{{Key: "h", Value: []byte("x")}, {Key: "n"}}},
		{Key: []byte("gone"), Time: 1000},
		{Value: bytes.Repeat([]byte("z"), 100_000), Time: 2_000_000},
	}
	if _, err := w.Publish(testContext(t), 0, msgs); err != nil {
		t.Fatal(err)
	}
	consumer, err := sarama.NewConsumer(c.addrs, foreignConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	pc, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	for i, want := range msgs {
		select {
		case got := <-pc.Messages():
			if got.Offset != int64(i) || !bytes.Equal(got.Key, want.Key) || (got.Value == nil) != (want.Value == nil) || !bytes.Equal(got.Value, want.Value) || got.Timestamp.UnixMicro() != want.Time || len(got.Headers) != len(want.Headers) {
				t.Fatalf("%d: %+v", i, got)
			}
			for j, h := range want.Headers {
				if string(got.Headers[j].Key) != h.Key || !bytes.Equal(got.Headers[j].Value, h.Value) {
					t.Fatalf("header %d: %+v", j, got.Headers[j])
				}
			}
		case <-time.After(20 * time.Second):
			t.Fatal("no message")
		}
	}
}

// txnTest is a topic with producers that write into it, in transactions and without.
type txnTest struct {
	*testing.T
	cluster
	topic string
	s     connectors.Source
}

func (x *txnTest) do(err error) {
	x.Helper()
	if err != nil {
		x.Fatal(err)
	}
}

func (x *txnTest) producer(id string) sarama.SyncProducer {
	config := foreignConfig()
	config.Producer.Idempotent = true
	config.Producer.Transaction.ID = fmt.Sprintf("%s-%d", id, time.Now().UnixNano())
	config.Net.MaxOpenRequests = 1
	return foreignProducer(x.T, x.addrs, config)
}

func (x *txnTest) send(p sarama.SyncProducer, value string) {
	x.Helper()
	_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: x.topic, Value: sarama.StringEncoder(value)})
	x.do(err)
}

func (x *txnTest) values(from int64, maxBytes int) (values []string) {
	x.Helper()
	for _, rec := range conformance.ReadAll(x, testContext(x), x.s, 0, from, maxBytes) {
		values = append(values, string(rec.Value))
	}
	return values
}

// until waits until the log is readable up to an offset: a transaction's marker is written after the answer.
func (x *txnTest) until(end int64) {
	x.Helper()
	for at := int64(0); at < end; {
		r, err := x.s.Fetch(testContext(x), 0, at, 1<<20, 30*time.Second)
		x.do(err)
		at = r.Next
	}
}

func transactions(t *testing.T, c cluster) {
	x := &txnTest{T: t, cluster: c, topic: newTopic(t, c, 1)}
	x.s = newSource(t, c, x.topic)
	plain, a, b := foreignProducer(t, c.addrs, foreignConfig()), x.producer("a"), x.producer("b")
	x.send(plain, "plain 0")
	want := []string{"plain 0"}
	// Two producers interleaved: one aborts, the other commits; then the other way round.
	for i := range 3 {
		x.do(a.BeginTxn())
		x.do(b.BeginTxn())
		x.send(a, fmt.Sprint("aborted 1 ", i))
		x.send(b, fmt.Sprint("committed 1 ", i))
		x.send(plain, fmt.Sprint("plain 1 ", i))
		x.send(a, fmt.Sprint("aborted 2 ", i))
		x.send(b, fmt.Sprint("committed 2 ", i))
		x.do(a.AbortTxn())
		x.send(plain, fmt.Sprint("plain 2 ", i))
		x.do(b.CommitTxn())
		a, b = b, a
		want = append(want, fmt.Sprint("committed 1 ", i), fmt.Sprint("plain 1 ", i), fmt.Sprint("committed 2 ", i), fmt.Sprint("plain 2 ", i))
	}
	const end = 1 + 3*8 // with the markers
	x.until(end)
	for _, maxBytes := range []int{1, 200, 1 << 20} {
		if got := x.values(0, maxBytes); !slices.Equal(got, want) {
			t.Fatalf("%q\nwant %q", got, want)
		}
	}
	// From every offset, the same records of it and after it: also from inside an aborted transaction.
	offsets := map[string]int64{}
	for _, rec := range conformance.ReadAll(t, testContext(t), x.s, 0, 0, 1<<20) {
		offsets[string(rec.Value)] = rec.Offset
	}
	for from := range int64(end) {
		rest := slices.DeleteFunc(slices.Clone(want), func(v string) bool { return offsets[v] < from })
		if got := x.values(from, 100); !slices.Equal(got, rest) {
			t.Fatalf("from %d: %q\nwant %q", from, got, rest)
		}
	}
	x.open(a, end)
}

// open checks that an open transaction holds readers back at the last stable offset, and that a position can be read past it.
func (x *txnTest) open(p sarama.SyncProducer, end int64) {
	x.do(p.BeginTxn())
	x.send(p, "open")
	if got := x.values(end, 1000); len(got) != 0 {
		x.Fatalf("uncommitted: %q", got)
	}
	w := newWriter(x.T, x, x.topic)
	var e types.Encoder
	at := connectors.Position{Object: 5, Step: 9}
	at.AppendTo(&e)
	_, err := w.Publish(testContext(x), 0, []connectors.Message{{Value: []byte("ours"), Headers: []connectors.Header{{Key: connectors.HeaderPosition, Value: e.B}}}})
	x.do(err)
	if got := x.values(end, 1000); len(got) != 0 {
		x.Fatalf("past an open transaction: %q", got)
	}
	if last, err := w.Last(testContext(x), 0, []uint32{5}); err != nil || last[5] != at {
		x.Fatal(last, err)
	}
	if _, stable, err := x.s.Offsets(testContext(x), 0); err != nil || stable != end {
		x.Fatalf("end %d, %v; the last stable offset is %d", stable, err, end)
	}
	x.do(p.AbortTxn())
	r, err := x.s.Fetch(testContext(x), 0, end, 1000, 30*time.Second)
	if err != nil || len(r.Values) != 1 || string(r.Values[0]) != "ours" {
		x.Fatalf("%+v, %v", r, err)
	}
}

func logAppendTime(t *testing.T, c cluster) {
	if c.embedded {
		t.Skip("the embedded broker does not keep log append time")
	}
	topic := newTopic(t, c, 1)
	configure(t, c, topic, map[string]string{"message.timestamp.type": "LogAppendTime"})
	before := time.Now().UnixMilli() * 1000
	if _, err := newWriter(t, c, topic).Publish(testContext(t), 0, []connectors.Message{{Value: []byte("a"), Time: 1000}, {Value: []byte("b"), Time: 2000}}); err != nil {
		t.Fatal(err)
	}
	for _, rec := range conformance.ReadAll(t, testContext(t), newSource(t, c, topic), 0, 0, 1000) {
		if rec.Time < before || rec.Time > before+int64(time.Minute/time.Microsecond) {
			t.Fatalf("time %d, appended after %d", rec.Time, before)
		}
	}
}

func foreignAdmin(t *testing.T, c cluster) sarama.ClusterAdmin {
	t.Helper()
	admin, err := sarama.NewClusterAdmin(c.addrs, foreignConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close() })
	return admin
}

func configure(t *testing.T, c cluster, topic string, set map[string]string) {
	t.Helper()
	entries := map[string]sarama.IncrementalAlterConfigsEntry{}
	for k, v := range set {
		entries[k] = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &v}
	}
	if err := foreignAdmin(t, c).IncrementalAlterConfig(sarama.TopicResource, topic, entries, false); err != nil {
		t.Fatal(err)
	}
}

func retentionGap(t *testing.T, c cluster) {
	topic := newTopic(t, c, 1)
	w, s := newWriter(t, c, topic), newSource(t, c, topic)
	for range 10 {
		if _, err := w.Publish(testContext(t), 0, []connectors.Message{{Value: []byte("a")}, {Value: []byte("b")}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := foreignAdmin(t, c).DeleteRecords(topic, map[int32]int64{0: 7}); err != nil {
		t.Fatal(err)
	}
	start, end, err := s.Offsets(testContext(t), 0)
	if err != nil || start != 7 || end != 20 {
		t.Fatal(start, end, err)
	}
	_, err = s.Fetch(testContext(t), 0, 3, 1000, 0)
	e := types.AsError(err)
	if err == nil || e.Code != types.CodeNotInPrerequisite || !strings.Contains(e.Message, "offset 3") || !strings.Contains(e.Message, "first one there is is 7") || !strings.Contains(e.Hint, "SKIP GAP") {
		t.Fatalf("%v", err)
	}
	if got := conformance.ReadAll(t, testContext(t), s, 0, 7, 1000); len(got) != 13 {
		t.Fatalf("%d records", len(got))
	}
	if at, err := s.OffsetForTime(testContext(t), 0, 0); err != nil || at != 7 {
		t.Fatal(at, err)
	}
}

// A topic with a lower limit than Rhumb's batches gets smaller batches.
func smallLimit(t *testing.T, c cluster) {
	topic := newTopic(t, c, 1)
	configure(t, c, topic, map[string]string{"max.message.bytes": "20000"})
	var msgs []connectors.Message
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		v := make([]byte, 5000)
		for i := range v {
			v[i] = byte(r.Uint32())
		}
		msgs = append(msgs, connectors.Message{Value: v})
	}
	w, s := newWriter(t, c, topic), newSource(t, c, topic)
	next, err := w.Publish(testContext(t), 0, msgs)
	if err != nil || next != 50 {
		t.Fatal(next, err)
	}
	got := conformance.ReadAll(t, testContext(t), s, 0, 0, 1<<20)
	for i, rec := range got {
		if !bytes.Equal(rec.Value, msgs[i].Value) {
			t.Fatalf("record %d", i)
		}
	}
	_, err = w.Publish(testContext(t), 0, []connectors.Message{{Value: bytes.Join([][]byte{msgs[0].Value, msgs[1].Value, msgs[2].Value, msgs[3].Value, msgs[4].Value}, nil)}})
	if err == nil || types.AsError(err).Code != types.CodeProgramLimit || !strings.Contains(types.AsError(err).Hint, "max.message.bytes") {
		t.Fatal(err)
	}
}

// Compaction leaves holes, batches that lost records, and empty batches of idempotent producers.
func compaction(t *testing.T, c cluster) {
	if c.embedded {
		t.Skip("the embedded broker's compaction is not used: it is not crash-safe")
	}
	info, err := c.CreateTopic(testContext(t), connectors.TopicSpec{Name: fmt.Sprintf("compact.%d", time.Now().UnixNano()), Partitions: 1, Compact: true})
	if err != nil {
		t.Fatal(err)
	}
	configure(t, c, info.Name, map[string]string{"segment.bytes": "1048576", "min.cleanable.dirty.ratio": "0.001", "segment.ms": "500", "delete.retention.ms": "0"})
	config := foreignConfig()
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	p := foreignProducer(t, c.addrs, config)
	sent := 0
	put := func(keys int, value string) {
		t.Helper()
		var msgs []*sarama.ProducerMessage
		for i := range keys {
			msgs = append(msgs, &sarama.ProducerMessage{Topic: info.Name, Key: sarama.StringEncoder(fmt.Sprint(i)), Value: sarama.StringEncoder(fmt.Sprint(value, i))})
		}
		if err := p.SendMessages(msgs); err != nil {
			t.Fatal(err)
		}
		sent += keys
	}
	s := newSource(t, c, info.Name)
	for round := 0; ; round++ {
		put(50, fmt.Sprint("round ", round, " key "))
		time.Sleep(600 * time.Millisecond) // the segment ends
		last := map[string]string{}
		got := conformance.ReadAll(t, testContext(t), s, 0, 0, 1)
		for _, rec := range got {
			last[string(rec.Key)] = string(rec.Value)
		}
		for i := range 50 {
			if want := fmt.Sprint("round ", round, " key ", i); last[fmt.Sprint(i)] != want {
				t.Fatalf("key %d: %q, want %q", i, last[fmt.Sprint(i)], want)
			}
		}
		if len(got) < sent {
			return // it was compacted
		}
		if round == 30 {
			t.Fatal("the topic is not compacted")
		}
	}
}

func topicConfiguration(t *testing.T, c cluster) {
	get := func(topic string) map[string]string {
		results, err := foreignAdmin(t, c).DescribeConfigs([]*sarama.ConfigResource{{Type: sarama.TopicResource, Name: topic}}, sarama.DescribeConfigsOptions{})
		if err != nil || len(results) != 1 || results[0].ErrorCode != 0 {
			t.Fatal(results, err)
		}
		got := map[string]string{}
		for _, e := range results[0].Configs {
			got[e.Name] = e.Value
		}
		return got
	}
	ctx := testContext(t)
	info, err := c.CreateTopic(ctx, connectors.TopicSpec{Name: fmt.Sprintf("config.%d", time.Now().UnixNano()), Partitions: 1, RetentionBytes: 5 << 20, Compact: true})
	if err != nil {
		t.Fatal(err)
	}
	got := get(info.Name)
	if got["retention.ms"] != "-1" || got["retention.bytes"] != "5242880" || got["max.message.bytes"] != "17825792" || (got["cleanup.policy"] == "compact") == c.embedded {
		t.Fatal(got)
	}
	got = get(newTopic(t, c, 1))
	want := "10737418240"
	if c.embedded {
		want = "1073741824"
	}
	if got["retention.bytes"] != want {
		t.Fatal(got)
	}
}

// A broker that restarts is waited for, by readers and writers alike.
func survivesRestart(t *testing.T, b connectors.Broker, node *kafkatest.Node) {
	topic := newTopic(t, cluster{Broker: b}, 1)
	s, w := newSource(t, b, topic), newWriter(t, b, topic)
	if _, err := w.Publish(testContext(t), 0, []connectors.Message{{Value: []byte("before")}}); err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		r, err := s.Fetch(testContext(t), 0, 1, 1000, time.Minute)
		if err == nil && (len(r.Values) != 1 || string(r.Values[0]) != "after") {
			err = fmt.Errorf("%q", r.Values)
		}
		read <- err
	}()
	time.Sleep(100 * time.Millisecond)
	node.Kill()
	// Nobody there: the operation ends with its context, and says what was wrong.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := w.Publish(ctx, 0, []connectors.Message{{Value: []byte("never")}})
	if e := types.AsError(err); err == nil || e.Code != types.CodeConnection || !strings.Contains(e.Message, topic) {
		t.Fatalf("%v", err)
	}
	wrote := make(chan error, 1)
	go func() {
		_, err := w.Publish(testContext(t), 0, []connectors.Message{{Value: []byte("after")}})
		wrote <- err
	}()
	node.Restart()
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
}
