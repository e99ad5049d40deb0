package kafka

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"rhumb/connectors"
	"rhumb/types"
)

// verifyEvery is how often a topic in use is looked up to see that it is still the same.
const verifyEvery = 3 * time.Second

func (b *broker) CreateTopic(ctx context.Context, spec connectors.TopicSpec) (connectors.TopicInfo, error) {
	if err := checkTopicName(spec.Name); err != nil {
		return connectors.TopicInfo{}, err
	}
	detail := &sarama.TopicDetail{NumPartitions: max(spec.Partitions, 1), ReplicationFactor: spec.ReplicationFactor}
	if detail.ReplicationFactor == 0 {
		detail.ReplicationFactor = -1
	}
	what := "creating topic " + spec.Name
	for _, withTimestamps := range []bool{true, false} {
		detail.ConfigEntries = b.topicConfig(spec, withTimestamps)
		err := b.create(ctx, what, spec.Name, detail)
		if errors.Is(err, sarama.ErrInvalidConfig) && withTimestamps {
			continue // a broker before 3.6 does not know the limits of timestamps
		}
		if err != nil {
			return connectors.TopicInfo{}, mapped(what, spec.Name, err)
		}
		break
	}
	// The brokers hear of the topic one after the other.
	var info connectors.TopicInfo
	err := b.retry(ctx, what, spec.Name, func() (err error) {
		info, err = b.describe(ctx, spec.Name)
		if errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
			return sarama.ErrLeaderNotAvailable
		}
		if err != nil {
			return err
		}
		for p := range info.Partitions {
			if _, err := b.leader(ctx, spec.Name, p, true); err != nil {
				return err
			}
		}
		return nil
	})
	return info, err
}

// create returns INVALID_CONFIG as it is.
func (b *broker) create(ctx context.Context, what, name string, detail *sarama.TopicDetail) error {
	tried := false
	var invalid error
	err := b.retry(ctx, what, name, func() error {
		_, err := administer(ctx, b, func() (struct{}, error) { return struct{}{}, b.admin.CreateTopic(name, detail, false) })
		switch {
		case errors.Is(err, sarama.ErrInvalidConfig):
			invalid = err
			return nil
		case errors.Is(err, sarama.ErrTopicAlreadyExists) && tried:
			return nil // by the attempt before, whose answer was lost
		}
		tried = true
		return err
	})
	if err != nil {
		return err
	}
	return invalid
}

func (b *broker) topicConfig(spec connectors.TopicSpec, timestamps bool) map[string]*string {
	retention := spec.RetentionBytes
	if retention == 0 {
		retention = b.config.RetentionBytes
	}
	set := map[string]string{
		// Never by time: replayed events are old.
		"retention.ms":      "-1",
		"retention.bytes":   strconv.FormatInt(retention, 10),
		"max.message.bytes": strconv.Itoa(maxMessage),
	}
	if timestamps {
		// Record timestamps are event times: of any age, and of windows that end in the future.
		set["message.timestamp.before.max.ms"] = "9223372036854775807"
		set["message.timestamp.after.max.ms"] = "9223372036854775807"
	}
	if spec.Compact && !b.config.NoCompaction {
		set["cleanup.policy"] = "compact"
	}
	entries := make(map[string]*string, len(set))
	for k, v := range set {
		entries[k] = &v
	}
	return entries
}

func checkTopicName(name string) *types.Error {
	legal := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-'
	}
	if name == "" || len(name) > 249 || name == "." || name == ".." || strings.ContainsFunc(name, func(r rune) bool { return !legal(r) }) {
		return types.Errorf(types.CodeInvalidOption, "invalid topic name %q", name).
			WithHint("A topic's name has at most 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-'. Name the topic: WITH (topic = '...').")
	}
	return nil
}

func (b *broker) Topic(ctx context.Context, name string) (info connectors.TopicInfo, err error) {
	if err := checkTopicName(name); err != nil {
		return info, noTopic(name)
	}
	err = b.retry(ctx, "looking up topic "+name, name, func() (err error) {
		info, err = b.describe(ctx, name)
		return err
	})
	return info, err
}

// administer runs a request to the controller. sarama keeps to a controller that cannot be reached any more; this makes it look for
// another.
func administer[T any](ctx context.Context, b *broker, call func() (T, error)) (T, error) {
	return await(ctx, func() (T, error) {
		v, err := call()
		if err != nil && !errors.As(err, new(sarama.KError)) && transient(err) {
			if _, lost := b.client.RefreshController(); lost != nil {
				err = errors.Join(err, lost)
			}
		}
		return v, err
	})
}

// describe asks the cluster once.
func (b *broker) describe(ctx context.Context, name string) (connectors.TopicInfo, error) {
	found, err := administer(ctx, b, func() ([]*sarama.TopicMetadata, error) { return b.admin.DescribeTopics([]string{name}) })
	if err != nil {
		return connectors.TopicInfo{}, err
	}
	if len(found) != 1 || found[0].Name != name {
		return connectors.TopicInfo{}, sarama.ErrIncompleteResponse
	}
	t := found[0]
	if t.Err != sarama.ErrNoError {
		return connectors.TopicInfo{}, t.Err
	}
	info := connectors.TopicInfo{Name: name, Partitions: int32(len(t.Partitions))}
	if t.Uuid != (sarama.Uuid{}) {
		info.Identity = t.Uuid.String()
	}
	return info, nil
}

func (b *broker) Topics(ctx context.Context) (names []string, err error) {
	err = b.retry(ctx, "listing topics", "", func() error {
		names = names[:0]
		_, err := await(ctx, func() (struct{}, error) { return struct{}{}, b.client.RefreshMetadata() })
		if err != nil && !errors.Is(err, sarama.ErrLeaderNotAvailable) { // of a topic among the others
			return err
		}
		names, err = b.client.Topics()
		return err
	})
	slices.Sort(names)
	return names, err
}

func (b *broker) DeleteTopic(ctx context.Context, name string) error {
	what := "deleting topic " + name
	tried := false
	err := b.retry(ctx, what, name, func() error {
		_, err := administer(ctx, b, func() (struct{}, error) { return struct{}{}, b.admin.DeleteTopic(name) })
		if errors.Is(err, sarama.ErrUnknownTopicOrPartition) && tried {
			return nil // by the attempt before, whose answer was lost
		}
		tried = true
		return err
	})
	if err != nil {
		return err
	}
	return b.retry(ctx, what, name, func() error {
		_, err := b.describe(ctx, name)
		if errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
			return nil
		}
		if err == nil {
			return sarama.ErrRequestTimedOut // deletion goes on in the background
		}
		return err
	})
}

// leader returns the address of a partition's leader, asking the cluster if fresh or if the client does not know.
func (b *broker) leader(ctx context.Context, topic string, partition int32, fresh bool) (string, error) {
	return await(ctx, func() (string, error) {
		if fresh {
			if err := b.client.RefreshMetadata(topic); err != nil && !errors.Is(err, sarama.ErrLeaderNotAvailable) {
				return "", err
			}
		}
		l, err := b.client.Leader(topic, partition)
		if err != nil {
			return "", err
		}
		return l.Addr(), nil
	})
}

// handle is a topic in use by a Source or a Writer. It knows the leaders of its partitions, and watches that the topic stays the
// one that was opened.
type handle struct {
	b *broker

	mu       sync.Mutex
	info     connectors.TopicInfo
	leaders  map[int32]string
	stale    bool // the leaders that the client knows are out of date
	verified time.Time
}

func (b *broker) handle(ctx context.Context, topic string) (*handle, error) {
	info, err := b.Topic(ctx, topic)
	if err != nil {
		return nil, err
	}
	return &handle{b: b, info: info, leaders: map[int32]string{}, verified: time.Now()}, nil
}

// Info describes the topic as it was last seen: partitions may have been added since it was opened.
func (h *handle) Info() connectors.TopicInfo {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.info
}

// request runs a request on a connection to the leader of the partition.
func (h *handle) request(ctx context.Context, partition int32, request func(*conn) error) error {
	h.mu.Lock()
	addr, known := h.leaders[partition]
	stale := h.stale
	name, partitions := h.info.Name, h.info.Partitions
	h.mu.Unlock()
	if partition < 0 || partition >= partitions {
		return types.Errorf(types.CodeNotInPrerequisite, "topic %q has no partition %d", name, partition)
	}
	if !known {
		var err error
		if addr, err = h.b.leader(ctx, name, partition, stale); err != nil {
			return err
		}
		h.mu.Lock()
		h.leaders[partition], h.stale = addr, false
		h.mu.Unlock()
	}
	return h.b.pool.do(ctx, addr, request)
}

// retry is broker.retry for a request to a partition's leader: each failure makes it look for the leader anew, and UNKNOWN_TOPIC is
// believed only of the cluster's metadata, for a broker may not have heard of the topic yet.
func (h *handle) retry(ctx context.Context, what string, partition int32, try func() error) error {
	return h.b.retry(ctx, what, h.info.Name, func() error {
		err := try()
		if err == nil {
			return nil
		}
		h.mu.Lock()
		delete(h.leaders, partition)
		h.stale = true
		h.mu.Unlock()
		if errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
			if err := h.verify(ctx); err != nil {
				return err
			}
			return sarama.ErrLeaderNotAvailable
		}
		return err
	})
}

// due reports whether the topic is to be verified, and takes the duty on.
func (h *handle) due() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.verified) < verifyEvery {
		return false
	}
	h.verified = time.Now()
	return true
}

// verify asks the cluster whether the topic is still the one that was opened.
func (h *handle) verify(ctx context.Context) error {
	opened := h.Info()
	now, err := h.b.describe(ctx, opened.Name)
	if err != nil {
		h.mu.Lock()
		h.verified = time.Time{} // due again
		h.mu.Unlock()
	}
	switch {
	case errors.Is(err, sarama.ErrUnknownTopicOrPartition):
		return types.Errorf(types.CodeUndefinedTable, "topic %q does not exist any more", opened.Name).
			WithDetail("It was deleted while it was in use.")
	case err != nil:
		return err
	case now.Identity != opened.Identity:
		return types.Errorf(types.CodeNotInPrerequisite, "topic %q was deleted and created again", opened.Name).
			WithDetail("It was %s, it is %s: offsets of the old topic mean nothing in the new one.", opened.Identity, now.Identity).
			WithHint("DROP the stream and CREATE it again to read the new topic.")
	case now.Partitions < opened.Partitions:
		return types.Errorf(types.CodeNotInPrerequisite, "topic %q has %d partitions, it had %d", opened.Name, now.Partitions, opened.Partitions)
	}
	h.mu.Lock()
	h.info.Partitions = now.Partitions
	h.verified = time.Now()
	h.mu.Unlock()
	return nil
}
