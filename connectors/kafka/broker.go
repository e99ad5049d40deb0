// Package kafka reads and writes topics of a Kafka cluster, and of the broker in this process that is Rhumb's default (embedded.go).
//
// sarama speaks the protocol: its client keeps the metadata, its connections carry the requests, its Produce writes. Fetches are made
// and read here (wire.go says why), a whole answer at a time, never one channel send per record. Requests run on connections of a pool
// (conn.go) in the caller's goroutine; there is no other.
package kafka

import (
	"context"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"rhumb/connectors"
	"rhumb/types"
)

const (
	dialTimeout = 5 * time.Second
	// readTimeout is how long a broker that does not answer is believed in. Longer than any wait asked of a broker.
	readTimeout = 20 * time.Second
	openTimeout = 10 * time.Second
	minBackoff  = 20 * time.Millisecond
	maxBackoff  = 2 * time.Second
	// maxDecompressed bounds what one batch of records may inflate to.
	maxDecompressed = 64 << 20
	// maxMessage is max.message.bytes of the topics that Rhumb creates: its longest event, and what goes around it.
	maxMessage = 17 << 20
	// defaultRetention bounds a partition of a topic that Rhumb creates on a cluster.
	defaultRetention = 10 << 30
)

// Config says how to reach a cluster.
type Config struct {
	Addrs    []string // host:port, as many as are known
	ClientID string   // "rhumb" if empty
	// RetentionBytes bounds each partition of the topics created here whose specification says nothing; 0 = 10 GiB.
	RetentionBytes int64
	// OnRetry, if set, hears why an operation on a topic does not get on, each time it is tried again, and nil when it has got on. It is
	// called from several goroutines.
	OnRetry func(topic string, err error)
	// Uncompressed writes batches as they are; otherwise they are compressed with lz4, which is decoded fastest.
	Uncompressed bool
	// NoCompaction leaves out cleanup.policy=compact.
	NoCompaction bool
	// Fault, if set, adds what the process knows about a failure of the broker to the broker's answer.
	Fault func(error) error
}

type broker struct {
	config Config
	sarama *sarama.Config
	client sarama.Client
	admin  sarama.ClusterAdmin
	pool   *pool

	inflater *inflater
}

// Open connects to a cluster. It tries until ctx ends, for 10 seconds if ctx has no deadline.
func Open(ctx context.Context, config Config) (connectors.Broker, error) {
	b, err := open(ctx, config)
	if err != nil {
		return nil, err
	}
	return b, nil
}

func open(ctx context.Context, config Config) (*broker, error) {
	if len(config.Addrs) == 0 {
		return nil, types.Errorf(types.CodeInvalidOption, "no broker is named").WithHint("Name one or more: --brokers host:9092")
	}
	if config.ClientID == "" {
		config.ClientID = "rhumb"
	}
	if config.RetentionBytes == 0 {
		config.RetentionBytes = defaultRetention
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, openTimeout)
		defer cancel()
	}
	b := &broker{config: config, sarama: saramaConfig(config)}
	b.pool = newPool(b.sarama)
	var err error
	if b.inflater, err = newInflater(); err != nil {
		return nil, types.Errorf(types.CodeInternal, "BUG: %v", err)
	}
	what := "connecting to the Kafka brokers " + strings.Join(config.Addrs, ", ")
	err = retry(ctx, what, "", config.OnRetry, func() (err error) {
		b.client, err = await(ctx, func() (sarama.Client, error) {
			c, err := sarama.NewClient(config.Addrs, b.sarama)
			if err == nil && ctx.Err() != nil { // nobody waits for it any more
				c.Close()
				return nil, ctx.Err()
			}
			return c, err
		})
		return err
	})
	if err != nil {
		return nil, types.AsError(err).WithHint("Is the address right, and does a broker listen there (--brokers)?")
	}
	err = retry(ctx, what, "", config.OnRetry, func() (err error) {
		b.admin, err = await(ctx, func() (sarama.ClusterAdmin, error) { return sarama.NewClusterAdminFromClient(b.client) })
		return err
	})
	if err != nil {
		b.client.Close()
		return nil, err
	}
	return b, nil
}

func saramaConfig(config Config) *sarama.Config {
	c := sarama.NewConfig()
	c.ClientID = config.ClientID
	c.Version = sarama.V2_8_0_0 // topic ids in metadata; sarama goes down to what the broker has
	c.MetricRegistry = noMetrics{}
	c.Net.DialTimeout, c.Net.ReadTimeout, c.Net.WriteTimeout = dialTimeout, readTimeout, readTimeout
	c.Net.MaxOpenRequests = 1
	// The loop that retries is ours (retry): it can be broken off.
	c.Metadata.Retry.Max, c.Admin.Retry.Max = 0, 0
	c.Metadata.RefreshFrequency = 0
	c.Metadata.AllowAutoTopicCreation = false
	c.Admin.Timeout = 10 * time.Second
	c.Consumer.Group.ResetInvalidOffsets = false
	return c
}

// Close frees the connections. Requests in flight end with errors.
func (b *broker) Close() error {
	b.pool.close()
	if err := b.admin.Close(); err != nil { // closes the client too
		return mapped("closing the connection to the broker", "", err)
	}
	return nil
}

func (b *broker) retry(ctx context.Context, what, topic string, try func() error) error {
	return retry(ctx, what, topic, b.config.OnRetry, try)
}

// explain adds what is known of the broker's own fault to an answer that says little.
func (b *broker) explain(code sarama.KError) error {
	if b.config.Fault == nil || code != sarama.ErrUnknown && code != sarama.ErrKafkaStorageError {
		return code
	}
	return b.config.Fault(code)
}

// codec is what batches are compressed with.
func (b *broker) codec() sarama.CompressionCodec {
	if b.config.Uncompressed {
		return sarama.CompressionNone
	}
	return sarama.CompressionLZ4
}
