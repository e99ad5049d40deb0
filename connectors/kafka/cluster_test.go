package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"rhumb/connectors"
	"rhumb/types"
)

// fakeCluster is a cluster of several nodes in this process, in memory, that can be told to misbehave.
func fakeCluster(t *testing.T, config Config, opts ...kfake.Opt) (*kfake.Cluster, connectors.Broker) {
	t.Helper()
	k, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	config.Addrs = k.ListenAddrs()
	b, err := Open(testContext(t), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	if _, err := b.CreateTopic(testContext(t), connectors.TopicSpec{Name: "t", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	return k, b
}

// readNumbered reads numbered messages until it has seen n, whatever happens meanwhile. Copies of messages are passed over if they are allowed.
func readNumbered(b connectors.Broker, n int, copies bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := b.Source(ctx, "t")
	if err != nil {
		return err
	}
	seen, at := 0, int64(0)
	for seen < n {
		r, err := s.Fetch(ctx, 0, at, 5000, time.Second)
		if err != nil {
			return err
		}
		for _, v := range r.Values {
			var i int
			if _, err := fmt.Sscanf(string(v), "value %d", &i); err != nil {
				return err
			}
			switch {
			case i == seen:
				seen++
			case i > seen || !copies:
				return fmt.Errorf("message %d after %d", i, seen-1)
			}
		}
		at = r.Next
	}
	return nil
}

// Leaders move while messages are written and read: nothing is lost, copied or out of order.
func TestLeaderChanges(t *testing.T) {
	k, b := fakeCluster(t, Config{}, kfake.NumBrokers(3))
	stop := make(chan struct{})
	moved := make(chan int)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				moved <- n
				return
			case <-time.After(3 * time.Millisecond):
				if err := k.MoveTopicPartition("t", 0, int32(n%3)); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	const n = 3000
	read := make(chan error, 1)
	go func() { read <- readNumbered(b, n, false) }()
	w := newWriter(t, b, "t")
	for i := 0; i < n; i += 30 {
		if _, err := w.Publish(testContext(t), 0, numbered(i, 30)); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	close(stop)
	if <-moved < 3 {
		t.Fatal("leadership did not move")
	}
}

// Connections break in the middle of answers: nothing is lost or out of order; what was written twice is a copy.
func TestBrokenConnections(t *testing.T) {
	l := &flakyListener{}
	_, b := fakeCluster(t, Config{}, kfake.NumBrokers(1), kfake.ListenFn(func(network, addr string) (net.Listener, error) {
		var err error
		l.Listener, err = net.Listen(network, addr)
		return l, err
	}))
	const n = 3000
	read := make(chan error, 1)
	go func() { read <- readNumbered(b, n, true) }()
	w := newWriter(t, b, "t")
	for i := 0; i < n; i += 30 {
		if _, err := w.Publish(testContext(t), 0, numbered(i, 30)); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	if l.accepted.Load() < 5 {
		t.Fatal("no connection was broken")
	}
}

// Errors that the broker answers for a while are tried again; those that mean something are reported.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		answer sarama.KError
		code   string // "" = tried again
	}{
		{sarama.ErrNotLeaderForPartition, ""},
		{sarama.ErrLeaderNotAvailable, ""},
		{sarama.ErrRequestTimedOut, ""},
		{sarama.ErrNotEnoughReplicas, ""},
		{sarama.ErrNotEnoughReplicasAfterAppend, ""},
		{sarama.ErrKafkaStorageError, ""},
		{sarama.ErrUnknown, ""},
		{sarama.ErrFencedLeaderEpoch, ""},
		{sarama.ErrUnknownTopicOrPartition, ""}, // of a broker that has not heard of the topic yet
		{sarama.ErrTopicAuthorizationFailed, codeDenied},
		{sarama.ErrInvalidTimestamp, types.CodeDatetimeOverflow},
		{sarama.ErrInvalidRecord, types.CodeInvalidOption},
		{sarama.ErrUnsupportedVersion, types.CodeNotSupported},
	} {
		t.Run(fmt.Sprint(int16(c.answer)), func(t *testing.T) {
			var heard retries
			k, b := fakeCluster(t, Config{OnRetry: heard.hear}, kfake.NumBrokers(1))
			s, w := newSource(t, b, "t"), newWriter(t, b, "t")
			var answered atomic.Int32
			k.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
				if answered.Add(1) > 3 {
					return nil, nil, false
				}
				k.KeepControl()
				resp := req.ResponseKind().(*kmsg.ProduceResponse)
				resp.Topics = []kmsg.ProduceResponseTopic{{Topic: "t", Partitions: []kmsg.ProduceResponseTopicPartition{{ErrorCode: int16(c.answer)}}}}
				return resp, nil, true
			})
			_, err := w.Publish(testContext(t), 0, numbered(0, 10))
			check := func(err error) {
				t.Helper()
				if c.code == "" && err != nil {
					t.Fatal(err)
				}
				if c.code != "" && (err == nil || types.AsError(err).Code != c.code) {
					t.Fatalf("%v, want %s", err, c.code)
				}
			}
			check(err)
			if all := heard.heard(); c.code == "" && (len(all) != 4 || all[3] != nil) {
				t.Fatal(all)
			}
			if c.code != "" {
				answered.Store(3)
				if _, err := w.Publish(testContext(t), 0, numbered(0, 10)); err != nil {
					t.Fatal(err)
				}
			}
			answered.Store(0)
			k.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
				if answered.Add(1) > 3 {
					return nil, nil, false
				}
				k.KeepControl()
				resp := req.ResponseKind().(*kmsg.FetchResponse)
				resp.Topics = []kmsg.FetchResponseTopic{{Topic: "t", Partitions: []kmsg.FetchResponseTopicPartition{{ErrorCode: int16(c.answer)}}}}
				return resp, nil, true
			})
			r, err := s.Fetch(testContext(t), 0, 0, 1000, 0)
			check(err)
			if c.code == "" && len(r.Values) != 10 {
				t.Fatalf("%+v", r)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, err = Open(ctx, Config{Addrs: []string{l.Addr().String()}})
	if e := types.AsError(err); err == nil || e.Code != types.CodeConnection || !strings.Contains(e.Message, l.Addr().String()) || !strings.Contains(e.Message, "refused") || e.Hint == "" {
		t.Fatal(err)
	}
	_, err = Open(context.Background(), Config{})
	if err == nil || types.AsError(err).Code != types.CodeInvalidOption {
		t.Fatal(err)
	}
	// A broker that accepts and says nothing.
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	ctx, cancel = context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, err = Open(ctx, Config{Addrs: []string{mute.Addr().String()}})
	if err == nil || types.AsError(err).Code != types.CodeConnection {
		t.Fatal(err)
	}
}

// After Close nothing waits.
func TestClosed(t *testing.T) {
	_, b := fakeCluster(t, Config{}, kfake.NumBrokers(1))
	s, w := newSource(t, b, "t"), newWriter(t, b, "t")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	_, fetched := s.Fetch(testContext(t), 0, 0, 1000, 0)
	_, published := w.Publish(testContext(t), 0, numbered(0, 1))
	_, found := b.Topic(testContext(t), "t")
	for _, err := range []error{fetched, published, found} {
		if err == nil || types.AsError(err).Code != types.CodeNotInPrerequisite {
			t.Error(err)
		}
	}
}

// The batches of an answer that arrive damaged are asked for again; a batch that stays damaged is an error with its offset.
func TestDamagedAnswers(t *testing.T) {
	for _, times := range []int32{1, 100} {
		k, b := fakeCluster(t, Config{}, kfake.NumBrokers(1))
		w := newWriter(t, b, "t")
		if _, err := w.Publish(testContext(t), 0, numbered(0, 10)); err != nil {
			t.Fatal(err)
		}
		first := testBatch{first: 0, records: numberedRecords(0, 5)}.encode()
		second := testBatch{first: 5, records: numberedRecords(5, 5)}.encode()
		second[len(second)-1] ^= 1
		var answered atomic.Int32
		k.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
			k.KeepControl()
			from := req.(*kmsg.FetchRequest).Topics[0].Partitions[0].FetchOffset
			bad := second
			if answered.Add(1) > times {
				bad = testBatch{first: 5, records: numberedRecords(5, 5)}.encode()
			}
			if from == 0 {
				bad = append(first[:len(first):len(first)], bad...)
			}
			resp := req.ResponseKind().(*kmsg.FetchResponse)
			resp.Topics = []kmsg.FetchResponseTopic{{Topic: "t", Partitions: []kmsg.FetchResponseTopicPartition{{HighWatermark: 10, LastStableOffset: 10, RecordBatches: bad}}}}
			return resp, nil, true
		})
		s := newSource(t, b, "t")
		r, err := s.Fetch(testContext(t), 0, 0, 1000, 0)
		if err != nil || len(r.Offsets) != 5 || r.Next != 5 {
			t.Fatalf("%+v, %v", r, err)
		}
		r, err = s.Fetch(testContext(t), 0, 5, 1000, 0)
		if times == 1 {
			if err != nil || len(r.Offsets) != 5 || r.Next != 10 {
				t.Fatalf("%+v, %v", r, err)
			}
			continue
		}
		if e := types.AsError(err); err == nil || e.Code != types.CodeDataCorrupted || !strings.Contains(e.Message, "offset 5 of topic \"t\"") || !strings.Contains(e.Message, "checksum") {
			t.Fatalf("%+v, %v", r, err)
		}
	}
}

func TestTransient(t *testing.T) {
	for _, err := range []error{errors.New("EOF"), net.ErrClosed, sarama.ErrOutOfBrokers, sarama.ErrNotConnected, sarama.ErrIncompleteResponse, fmt.Errorf("x: %w", sarama.ErrNotController)} {
		if !transient(err) {
			t.Errorf("%v is final", err)
		}
	}
	for _, err := range []error{types.Errorf("42P01", "x"), sarama.ErrClosedClient, sarama.PacketDecodingError{}, sarama.ErrInvalidConfig, damaged{"x"}, sarama.ConfigurationError("x")} {
		if transient(err) {
			t.Errorf("%v is transient", err)
		}
	}
}
