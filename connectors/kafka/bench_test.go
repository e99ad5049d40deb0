package kafka

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"rhumb/connectors"
	"rhumb/internal/kafkatest"
)

// The benchmarks read and write events of 607 bytes against a broker in a process of its own, and report CPU-seconds of this
// process alone: go test -run '^$' -bench . -benchtime 3x ./connectors/kafka
//
// They hold a heap of the size that an engine has. In an almost empty one the collector runs every few fetches, and takes two thirds of the time.

const (
	brokerDir = "RHUMB_KAFKA_TEST_BROKER"
	eventSize = 607
)

// serve is the embedded broker's process. It ends with its standard input.
func serve(dir string) {
	b, err := Embedded(dir, EmbeddedOptions{RetentionBytes: -1})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(b.Addr())
	io.Copy(io.Discard, os.Stdin)
	b.Close()
	os.Exit(0)
}

func brokerProcess(b *testing.B) []string {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), brokerDir+"="+b.TempDir())
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); cmd.Wait() })
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return []string{strings.TrimSpace(addr)}
}

// brokers runs a benchmark against both brokers.
func brokers(b *testing.B, run func(b *testing.B, broker connectors.Broker, addrs []string)) {
	for _, broker := range []struct {
		name  string
		start func(*testing.B) []string
	}{
		{"embedded", brokerProcess},
		{"kafka", func(b *testing.B) []string { return kafkatest.Start(b, 1).Addrs() }},
	} {
		b.Run(broker.name, func(b *testing.B) {
			addrs := broker.start(b)
			broker, err := Open(context.Background(), Config{Addrs: addrs, RetentionBytes: -1})
			if err != nil {
				b.Fatal(err)
			}
			defer broker.Close()
			ballast := make([]byte, 256<<20)
			run(b, broker, addrs)
			runtime.KeepAlive(ballast)
		})
	}
}

func event(i int) []byte {
	b := fmt.Appendf(make([]byte, 0, eventSize+100), `{"ts":%d,"event_id":"%08x-%04x-4000-8000-%012x","src_ip":"10.%d.%d.%d","dst_ip":"192.168.%d.%d","dst_port":%d,"outcome":"%s","user":"user%d","host":"host-%d.example.org","message":"`,
		1_700_000_000_000+i, uint32(i*2654435761), i&0xffff, i*40503, i>>16&255, i>>8&255, i&255, i*7&255, i*13&255, 1+i*31%65535, []string{"success", "failure"}[i*2654435761>>20&1], i%1000, i%500)
	words := []string{"failed ", "password ", "for ", "invalid ", "session ", "opened ", "connection ", "closed ", "by ", "authenticating ", "port ", "preauth "}
	for n := uint64(i); len(b) < eventSize-2; {
		n = n*6364136223846793005 + 1442695040888963407
		b = append(b, words[n>>33%uint64(len(words))]...)
	}
	return append(b[:eventSize-2], `"}`...)
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func report(b *testing.B, events int, run func()) {
	began, used := time.Now(), cpu()
	run()
	wall, used := time.Since(began), cpu()-used
	b.ReportMetric(float64(events)/used.Seconds(), "ev/cpu-s")
	b.ReportMetric(float64(events)/wall.Seconds(), "ev/s")
	b.ReportMetric(0, "ns/op")
}

func BenchmarkRead(b *testing.B) {
	brokers(b, func(b *testing.B, broker connectors.Broker, addrs []string) {
		const events, partitions = 1_000_000, 2
		for _, codec := range []sarama.CompressionCodec{sarama.CompressionNone, sarama.CompressionLZ4, sarama.CompressionZSTD, sarama.CompressionSnappy} {
			topic := fmt.Sprintf("read.%s", codec)
			if _, err := broker.CreateTopic(context.Background(), connectors.TopicSpec{Name: topic, Partitions: partitions}); err != nil {
				b.Fatal(err)
			}
			fillTopic(b, addrs, topic, codec, events/partitions, partitions)
			for _, maxBytes := range []int{256 << 10, 1 << 20, 4 << 20} {
				b.Run(fmt.Sprintf("%s/%dKiB", codec, maxBytes>>10), func(b *testing.B) {
					for b.Loop() {
						report(b, events, func() { readAllOf(b, broker, topic, partitions, maxBytes, events) })
					}
				})
			}
		}
	})
}

// fillTopic writes batches of 1,000 events.
func fillTopic(b *testing.B, addrs []string, topic string, codec sarama.CompressionCodec, perPartition int, partitions int32) {
	config := sarama.NewConfig()
	c := sarama.NewBroker(addrs[0])
	if err := c.Open(config); err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for p := range partitions {
		for i := 0; i < perPartition; i += 1000 {
			batch := &sarama.RecordBatch{Version: 2, Codec: codec, CompressionLevel: sarama.CompressionLevelDefault, FirstTimestamp: time.UnixMilli(int64(i)), MaxTimestamp: time.UnixMilli(int64(i)),
				LastOffsetDelta: 999, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1}
			for j := range 1000 {
				batch.Records = append(batch.Records, &sarama.Record{Value: event(i + j), OffsetDelta: int64(j)})
			}
			req := &sarama.ProduceRequest{Version: 7, RequiredAcks: sarama.WaitForAll, Timeout: 10000}
			req.AddBatch(topic, p, batch)
			resp, err := c.Produce(req)
			if err == nil && resp.GetBlock(topic, p).Err != sarama.ErrNoError {
				err = resp.GetBlock(topic, p).Err
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func readAllOf(b *testing.B, broker connectors.Broker, topic string, partitions int32, maxBytes, events int) {
	s, err := broker.Source(context.Background(), topic)
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	for p := range partitions {
		wg.Go(func() {
			for at := int64(0); at < int64(events)/int64(partitions); {
				r, err := s.Fetch(context.Background(), p, at, maxBytes, time.Second)
				if err != nil {
					b.Error(err)
					return
				}
				at = r.Next
			}
		})
	}
	wg.Wait()
}

func BenchmarkPublish(b *testing.B) {
	brokers(b, func(b *testing.B, broker connectors.Broker, _ []string) {
		for _, size := range []int{1, 100, 1000, 10_000} {
			b.Run(fmt.Sprint(size), func(b *testing.B) {
				topic := fmt.Sprintf("publish.%d.%d", size, time.Now().UnixNano())
				if _, err := broker.CreateTopic(context.Background(), connectors.TopicSpec{Name: topic, Partitions: 1}); err != nil {
					b.Fatal(err)
				}
				w, err := broker.Writer(context.Background(), topic)
				if err != nil {
					b.Fatal(err)
				}
				msgs := make([]connectors.Message, size)
				for i := range msgs {
					msgs[i] = connectors.Message{Value: event(i), Time: int64(i) * 1000, Headers: []connectors.Header{{Key: connectors.HeaderPosition, Value: []byte("12345678")}, {Key: connectors.HeaderID, Value: []byte("0123456789abcdef")}}}
				}
				calls := min(200_000/size, 2000)
				for b.Loop() {
					report(b, calls*size, func() {
						for range calls {
							if _, err := w.Publish(context.Background(), 0, msgs); err != nil {
								b.Fatal(err)
							}
						}
					})
				}
			})
		}
	})
}
