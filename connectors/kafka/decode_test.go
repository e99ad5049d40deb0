package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kmsg"

	"rhumb/connectors"
	"rhumb/types"
)

// testBatch describes a batch, for an encoder that shares nothing with the code under test (franz-go's).
type testBatch struct {
	first      int64
	lastDelta  int32 // 0 = that of the last record
	attributes int16
	producer   int64
	time       int64
	records    []kmsg.Record
	count      int32 // 0 = the number of records
	codec      int16
}

func numberedRecords(from, n int) []kmsg.Record {
	records := make([]kmsg.Record, n)
	for i := range records {
		records[i] = kmsg.Record{OffsetDelta: int32(i), Value: fmt.Appendf(nil, "value %d", from+i)}
	}
	return records
}

func appendRecord(b []byte, r kmsg.Record) []byte {
	r.Length = int32(len(r.AppendTo(nil)) - 1) // the length 0 takes a byte
	return r.AppendTo(b)
}

func (b testBatch) encode() []byte {
	var payload []byte
	for _, r := range b.records {
		payload = appendRecord(payload, r)
	}
	return b.seal(payload)
}

// seal makes a batch of records that are encoded already.
func (b testBatch) seal(payload []byte) []byte {
	if b.lastDelta == 0 && len(b.records) > 0 {
		b.lastDelta = b.records[len(b.records)-1].OffsetDelta
	}
	if b.count == 0 {
		b.count = int32(len(b.records))
	}
	out := kmsg.RecordBatch{FirstOffset: b.first, Magic: 2, Attributes: b.attributes | b.codec, LastOffsetDelta: b.lastDelta, FirstTimestamp: b.time,
		MaxTimestamp: b.time + 5, ProducerID: b.producer, NumRecords: b.count, Records: compressed(b.codec, payload)}
	raw := out.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

func compressed(codec int16, b []byte) []byte {
	var out bytes.Buffer
	switch codec {
	case 1:
		w := gzip.NewWriter(&out)
		w.Write(b)
		w.Close()
	case 2:
		return s2.EncodeSnappy(nil, b)
	case 3:
		w := lz4.NewWriter(&out)
		w.Write(b)
		w.Close()
	case 4:
		w, _ := zstd.NewWriter(nil)
		defer w.Close()
		return w.EncodeAll(b, nil)
	default:
		return b
	}
	return out.Bytes()
}

func testSource(t testing.TB) *source {
	f, err := newInflater()
	if err != nil {
		t.Fatal(err)
	}
	return &source{handle: &handle{b: &broker{inflater: f}, info: connectors.TopicInfo{Name: "t"}}}
}

// decoded decodes batches from an offset on.
func decoded(t testing.TB, from int64, aborted []abortedTxn, batches ...[]byte) (*connectors.Records, fetched, int, error) {
	r := &connectors.Records{Next: from, End: 1000}
	got, need, err := testSource(t).decode(r, &block{highWater: 1000, stable: 1000, aborted: aborted, batches: slices.Concat(batches...)})
	return r, got, need, err
}

func TestDecode(t *testing.T) {
	record := func(delta int32, value string) kmsg.Record {
		return kmsg.Record{OffsetDelta: delta, TimestampDelta64: int64(delta), Value: []byte(value)}
	}
	marker := func(offset, producer int64, kind byte) []byte {
		return testBatch{first: offset, producer: producer, attributes: transactionBit | controlBit, records: []kmsg.Record{{Key: []byte{0, 0, 0, kind}}}}.encode()
	}
	txn := func(offset, producer int64, value string) []byte {
		return testBatch{first: offset, producer: producer, attributes: transactionBit, records: []kmsg.Record{record(0, value)}}.encode()
	}
	for _, c := range []struct {
		name    string
		from    int64
		aborted []abortedTxn
		batches [][]byte
		want    string // offset:value ...
		next    int64
	}{
		{"nothing", 5, nil, nil, "", 5},
		{"from the middle", 12, nil, [][]byte{testBatch{first: 10, records: []kmsg.Record{record(0, "a"), record(1, "b"), record(2, "c")}}.encode()}, "12:c", 13},
		{"holes", 10, nil, [][]byte{testBatch{first: 10, lastDelta: 9, records: []kmsg.Record{record(2, "a"), record(7, "b")}}.encode()}, "12:a 17:b", 20},
		{"from a hole", 13, nil, [][]byte{testBatch{first: 10, lastDelta: 9, records: []kmsg.Record{record(2, "a"), record(7, "b")}}.encode()}, "17:b", 20},
		{"a batch that ends before", 30, nil, [][]byte{testBatch{first: 10, records: []kmsg.Record{record(0, "a")}}.encode(), testBatch{first: 30, records: []kmsg.Record{record(0, "b")}}.encode()}, "30:b", 31},
		{"empty batches", 10, nil, [][]byte{testBatch{first: 10, lastDelta: 4}.encode(), testBatch{first: 15, lastDelta: 4}.encode()}, "", 20},
		{"an empty batch and another", 10, nil, [][]byte{testBatch{first: 10, lastDelta: 4}.encode(), testBatch{first: 15, records: []kmsg.Record{record(0, "a")}}.encode()}, "15:a", 16},
		{"only records before", 14, nil, [][]byte{testBatch{first: 10, lastDelta: 4, records: []kmsg.Record{record(0, "a")}}.encode()}, "", 15},
		{"torn at the end", 10, nil, [][]byte{testBatch{first: 10, records: []kmsg.Record{record(0, "a")}}.encode(), testBatch{first: 11, records: []kmsg.Record{record(0, "b")}}.encode()[:40]}, "10:a", 11},
		{"torn in a head", 10, nil, [][]byte{testBatch{first: 10, records: []kmsg.Record{record(0, "a")}}.encode(), {1, 2, 3}}, "10:a", 11},
		{"markers", 1, nil, [][]byte{txn(1, 7, "a"), marker(2, 7, 1), marker(3, 8, 0)}, "1:a", 4},
		{"aborted", 1, []abortedTxn{{7, 1}}, [][]byte{txn(1, 7, "a"), txn(2, 8, "b"), txn(3, 7, "c"), marker(4, 7, 0), txn(5, 7, "d"), marker(6, 8, 1), marker(7, 7, 1)}, "2:b 5:d", 8},
		{"aborted twice, listed out of order", 1, []abortedTxn{{7, 5}, {7, 1}}, [][]byte{txn(1, 7, "a"), marker(2, 7, 0), txn(3, 7, "b"), marker(4, 7, 1), txn(5, 7, "c"), marker(6, 7, 0)}, "3:b", 7},
		{"aborted before the fetch began", 3, []abortedTxn{{7, 1}}, [][]byte{txn(3, 7, "a"), marker(4, 7, 0), txn(5, 7, "b")}, "5:b", 6},
		{"plain records of an aborted producer", 1, []abortedTxn{{7, 1}}, [][]byte{testBatch{first: 1, producer: 7, records: []kmsg.Record{record(0, "a")}}.encode()}, "1:a", 2},
		{"a compressed marker", 1, []abortedTxn{{7, 1}}, [][]byte{txn(1, 7, "a"), testBatch{first: 2, producer: 7, codec: 1, attributes: transactionBit | controlBit, records: []kmsg.Record{{Key: []byte{0, 0, 0, 0}}}}.encode(), txn(3, 7, "b")}, "3:b", 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, _, _, err := decoded(t, c.from, c.aborted, c.batches...)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i := range r.Offsets {
				got = append(got, fmt.Sprintf("%d:%s", r.Offsets[i], r.Values[i]))
			}
			if strings.Join(got, " ") != c.want || r.Next != c.next {
				t.Fatalf("%v, next %d; want %s, %d", got, r.Next, c.want, c.next)
			}
			if len(got) > 0 && cap(r.Offsets) > 3*len(r.Offsets)+2 {
				t.Fatalf("room for %d offsets, there are %d", cap(r.Offsets), len(got))
			}
		})
	}
}

func TestDecodeTimes(t *testing.T) {
	record := func(delta int64) []kmsg.Record { return []kmsg.Record{{TimestampDelta64: delta}} }
	for _, c := range []struct {
		b    testBatch
		want int64
	}{
		{testBatch{time: 1000, records: record(5)}, 1005_000},
		{testBatch{time: 1000, records: record(-1005)}, -5000},
		{testBatch{time: 1000, attributes: appendTimeBit, records: record(2)}, 1005_000},
		{testBatch{time: -1, records: record(0)}, -1000}, // no timestamp
		{testBatch{time: 253402300799_000, records: record(0)}, 253402300799_000_000},
		{testBatch{time: 1<<63 - 10, records: record(0)}, (1<<63 - 1) / 1000 * 1000},
	} {
		r, _, _, err := decoded(t, 0, nil, c.b.encode())
		if err != nil || len(r.Times) != 1 || r.Times[0] != c.want {
			t.Errorf("%+v: %v, %v; want %d", c.b, r.Times, err, c.want)
		}
	}
}

func TestDecodeHeaders(t *testing.T) {
	h := func(pairs ...string) (out []kmsg.Header) {
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, kmsg.Header{Key: pairs[i], Value: []byte(pairs[i+1])})
		}
		return out
	}
	r, _, _, err := decoded(t, 0, nil,
		testBatch{first: 0, records: []kmsg.Record{{OffsetDelta: 0}, {OffsetDelta: 1, Headers: h("a", "1", "b", "2")}, {OffsetDelta: 2, Headers: h("a", "3")}}}.encode(),
		testBatch{first: 3, records: []kmsg.Record{{OffsetDelta: 0, Headers: h("b", "4", "a", "", "c", "5")}, {OffsetDelta: 1}}}.encode())
	if err != nil || len(r.Headers) != 5 {
		t.Fatalf("%+v, %v", r, err)
	}
	var got []string
	for _, headers := range r.Headers {
		var s []string
		for _, h := range headers {
			s = append(s, h.Key+"="+string(h.Value))
		}
		got = append(got, strings.Join(s, ","))
	}
	if want := []string{"", "a=1,b=2", "a=3", "b=4,a=,c=5", ""}; !slices.Equal(got, want) {
		t.Fatalf("%q", got)
	}
	r, _, _, err = decoded(t, 0, nil, testBatch{records: numberedRecords(0, 10)}.encode())
	if err != nil || r.Headers != nil {
		t.Fatal(r.Headers, err)
	}
}

func TestDecodeFaults(t *testing.T) {
	good := testBatch{first: 10, records: numberedRecords(0, 3)}
	flip := func(b []byte, at int) []byte { b[at] ^= 1; return b }
	// A batch that inflates to more than the limit.
	bomb := func(codec int16) []byte {
		return testBatch{first: 10, codec: codec, records: []kmsg.Record{{Value: make([]byte, maxDecompressed+1)}}}.encode()
	}
	for _, c := range []struct {
		name  string
		batch []byte
		want  string
	}{
		{"checksum", flip(good.encode(), batchHead), "checksum"},
		{"codec", testBatch{first: 10, attributes: 7, records: numberedRecords(0, 3)}.encode(), "codec 7"},
		{"compression", testBatch{first: 10, attributes: 1, records: numberedRecords(0, 3)}.encode(), "does not decompress"},
		{"more records than there are", testBatch{first: 10, lastDelta: 9, count: 4, records: numberedRecords(0, 3)}.encode(), "not sound"},
		{"many more", testBatch{first: 10, lastDelta: 9, count: 1 << 30, records: numberedRecords(0, 3)}.encode(), "fewer records"},
		{"negative number", testBatch{first: 10, lastDelta: 9, count: -5, records: numberedRecords(0, 3)}.encode(), "head"},
		{"offset past the last", testBatch{first: 10, lastDelta: 1, records: numberedRecords(0, 3)}.encode(), "not sound"},
		{"offsets that fall", testBatch{first: 10, lastDelta: 5, records: []kmsg.Record{{OffsetDelta: 1}, {OffsetDelta: 1}}}.encode(), "not sound"},
		{"negative first offset", testBatch{first: -3, records: numberedRecords(0, 3)}.encode(), "head"},
		{"a later format", flip(flip(good.encode(), magicAt), magicAt+0), "checksum"}, // put back below
		{"gzip bomb", bomb(1), "more than 64 MiB"},
		{"snappy bomb", bomb(2), "more than 64 MiB"},
		{"lz4 bomb", bomb(3), "more than 64 MiB"},
		{"zstd bomb", bomb(4), "more than 64 MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "a later format" {
				c.batch[magicAt], c.want = 3, "format 3"
			}
			r, got, _, err := decoded(t, 10, nil, c.batch)
			if !errors.As(err, new(damaged)) || !strings.Contains(err.Error(), c.want) || got != stuck || len(r.Offsets) != 0 || r.Next != 10 {
				t.Fatalf("%v %d, next %d: %v", r.Offsets, got, r.Next, err)
			}
			// What comes before it is read, and it is not passed over.
			before := testBatch{first: 7, records: numberedRecords(0, 3)}.encode()
			r, got, _, err = decoded(t, 7, nil, before, c.batch)
			if err != nil || got != whole || !slices.Equal(r.Offsets, []int64{7, 8, 9}) || r.Next != 10 || len(r.Values) != 3 {
				t.Fatalf("%v %d, next %d: %v", r.Offsets, got, r.Next, err)
			}
		})
	}
	old := good.encode()
	old[magicAt] = 1
	_, _, _, err := decoded(t, 10, nil, old)
	if types.AsError(err).Code != types.CodeNotSupported {
		t.Fatal(err)
	}
	whole := good.encode()
	_, got, need, err := decoded(t, 10, nil, whole[:len(whole)-1])
	if err != nil || got != partial || need != len(whole) {
		t.Fatal(got, need, err)
	}
	_, got, need, err = decoded(t, 10, nil, whole[:5])
	if err != nil || got != partial || need <= 5 {
		t.Fatal(got, need, err)
	}
}

func TestDecodeDoesNotAllocatePerRecord(t *testing.T) {
	records := numberedRecords(0, 1000)
	for i := range records {
		records[i].Headers = []kmsg.Header{{Key: "rhumb-pos", Value: []byte("x")}, {Key: "rhumb-id", Value: []byte("y")}}
	}
	raw := testBatch{records: records}.encode()
	s := testSource(t)
	n := testing.AllocsPerRun(100, func() {
		r := &connectors.Records{End: 1000}
		if _, _, err := s.decode(r, &block{stable: 1000, batches: raw}); err != nil || len(r.Offsets) != 1000 || len(r.Headers) != 1000 {
			t.Fatal(len(r.Offsets), err)
		}
	})
	if n > 15 {
		t.Fatalf("%v allocations for 1000 records", n)
	}
}

func TestDecodeFetch(t *testing.T) {
	req := fetchRequest{topic: "t", partition: 3, from: 5, limit: 1000, committed: true}
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = fetchVersion
	p := kmsg.NewFetchResponseTopicPartition()
	p.Partition, p.HighWatermark, p.LastStableOffset, p.LogStartOffset, p.RecordBatches = 3, 20, 15, 2, []byte("batches")
	p.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 7, FirstOffset: 9}}
	resp.Topics = []kmsg.FetchResponseTopic{{Topic: "t", Partitions: []kmsg.FetchResponseTopicPartition{p}}}
	raw := resp.AppendTo(nil)
	b, err := req.decodeFetch(raw)
	if err != nil || b.highWater != 20 || b.stable != 15 || b.start != 2 || string(b.batches) != "batches" || !slices.Equal(b.aborted, []abortedTxn{{7, 9}}) {
		t.Fatalf("%+v, %v", b, err)
	}
	for n := range raw {
		if _, err := req.decodeFetch(raw[:n]); err == nil {
			t.Fatalf("an answer of %d of %d bytes is complete", n, len(raw))
		}
	}
	if _, err := (&fetchRequest{topic: "t", partition: 4}).decodeFetch(raw); err == nil {
		t.Fatal("the answer for another partition")
	}
	// The request says what it is to say.
	out := kmsg.NewPtrFetchRequest()
	out.Version = fetchVersion
	if err := out.ReadFrom(req.append(nil)); err != nil {
		t.Fatal(err)
	}
	q := out.Topics[0].Partitions[0]
	if out.IsolationLevel != 1 || out.MinBytes != 1 || out.SessionEpoch != -1 || out.ReplicaID != -1 || out.Topics[0].Topic != "t" || q.Partition != 3 || q.FetchOffset != 5 ||
		q.PartitionMaxBytes != 1000 || q.CurrentLeaderEpoch != -1 || q.LogStartOffset != -1 || out.Rack != "" || len(out.ForgottenTopics) != 0 {
		t.Fatalf("%+v", out)
	}
}

func lz4Frame(t testing.TB, data []byte, opts ...lz4.Option) []byte {
	var out bytes.Buffer
	w := lz4.NewWriter(&out)
	if err := w.Apply(opts...); err != nil {
		t.Fatal(err)
	}
	w.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// checkLZ4 compares unlz4 with the library. It may refuse what the library takes, but never the other way round, for it is asked first.
func checkLZ4(t *testing.T, data []byte) (taken bool) {
	t.Helper()
	var scratch []byte
	got, ok := unlz4(data, &scratch)
	if !ok {
		return false
	}
	// The library verifies checksums, which unlz4 does not.
	want, err := readBounded(nil, lz4.NewReader(bytes.NewReader(data)))
	if err == nil && !bytes.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
	return true
}

func TestLZ4(t *testing.T) {
	random := make([]byte, 300_000)
	for i := range random {
		random[i] = byte(i * i >> 7 * 31)
	}
	for _, data := range [][]byte{nil, []byte("short"), bytes.Repeat([]byte("abc"), 100_000), random, bytes.Repeat(random, 20)} {
		for _, opts := range [][]lz4.Option{
			{lz4.BlockSizeOption(lz4.Block64Kb)}, {lz4.BlockSizeOption(lz4.Block4Mb)}, {lz4.ChecksumOption(false)},
			{lz4.BlockChecksumOption(true), lz4.BlockSizeOption(lz4.Block256Kb)}, {lz4.SizeOption(uint64(len(data)))},
		} {
			frame := lz4Frame(t, data, opts...)
			if !checkLZ4(t, frame) {
				t.Errorf("%d bytes are left to the library", len(data))
			}
			if checkLZ4(t, append(frame, lz4Frame(t, data)...)) || checkLZ4(t, frame[:len(frame)-1]) {
				t.Error("two frames, or less than one, are taken")
			}
		}
	}
	// A frame of linked blocks is the library's.
	linked := lz4Frame(t, []byte("linked"))
	linked[4] &^= 0x20
	if checkLZ4(t, linked) {
		t.Error("linked blocks are taken")
	}
}

// FuzzLZ4 compares the frame decoder with the library's.
func FuzzLZ4(f *testing.F) {
	f.Add(lz4Frame(f, []byte("some text, some text, some text")))
	f.Add(lz4Frame(f, bytes.Repeat([]byte("0123456789"), 10_000), lz4.BlockSizeOption(lz4.Block64Kb), lz4.BlockChecksumOption(true)))
	f.Fuzz(func(t *testing.T, data []byte) { checkLZ4(t, data) })
}

// FuzzRecords puts arbitrary bytes where records are, in batches whose checksums hold.
func FuzzRecords(f *testing.F) {
	var payload []byte
	for _, r := range numberedRecords(0, 3) {
		r.Headers = []kmsg.Header{{Key: "a", Value: []byte("b")}}
		payload = appendRecord(payload, r)
	}
	for codec := range int16(5) {
		f.Add(compressed(codec, payload), codec, int32(3), int32(2), int64(1))
	}
	s := testSource(f)
	f.Fuzz(func(t *testing.T, payload []byte, attributes int16, count, lastDelta int32, from int64) {
		raw := testBatch{first: 1, attributes: attributes, count: count, lastDelta: lastDelta}.seal(payload)
		checkDecoded(t, s, raw, from)
		found := map[uint32]connectors.Position{}
		take(raw, s.b.inflater, map[uint32]bool{1: true}, found)
	})
}

// FuzzBatches decodes arbitrary bytes.
func FuzzBatches(f *testing.F) {
	a := testBatch{first: 3, records: numberedRecords(0, 3)}.encode()
	f.Add(a, int64(0))
	f.Add(slices.Concat(a, testBatch{first: 6, codec: 3, records: numberedRecords(0, 3)}.encode(), a[:30]), int64(4))
	s := testSource(f)
	f.Fuzz(func(t *testing.T, raw []byte, from int64) { checkDecoded(t, s, raw, from) })
}

func checkDecoded(t *testing.T, s *source, raw []byte, from int64) {
	if from < 0 {
		return
	}
	r := &connectors.Records{Next: from, End: 1 << 62}
	got, _, err := s.decode(r, &block{batches: raw})
	if err != nil && (len(r.Offsets) > 0 || r.Next != from) {
		t.Fatalf("an error and %d records, next %d of %d", len(r.Offsets), r.Next, from)
	}
	if r.Next < from || got == partial && r.Next != from {
		t.Fatalf("next %d of %d", r.Next, from)
	}
	for i, o := range r.Offsets {
		if o < from || i > 0 && o <= r.Offsets[i-1] || o >= r.Next {
			t.Fatalf("offsets %v from %d to %d", r.Offsets, from, r.Next)
		}
	}
	n := len(r.Offsets)
	if len(r.Times) != n || len(r.Keys) != n || len(r.Values) != n || r.Headers != nil && len(r.Headers) != n {
		t.Fatalf("%+v", r)
	}
}

// FuzzAnswer decodes arbitrary answers.
func FuzzAnswer(f *testing.F) {
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = fetchVersion
	p := kmsg.NewFetchResponseTopicPartition()
	p.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 7, FirstOffset: 9}}
	resp.Topics = []kmsg.FetchResponseTopic{{Topic: "t", Partitions: []kmsg.FetchResponseTopicPartition{p}}}
	f.Add(resp.AppendTo(nil))
	req := fetchRequest{topic: "t"}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := req.decodeFetch(raw)
		if (b == nil) == (err == nil) {
			t.Fatal(b, err)
		}
	})
}
