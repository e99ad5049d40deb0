package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"

	"rhumb/types"
)

// embeddedRetention bounds each partition of the embedded broker's topics: a start after a crash reads all of them into memory.
const embeddedRetention = 1 << 30

// EmbeddedOptions say how the broker in this process is run. The zero value will do.
type EmbeddedOptions struct {
	Port           int   // on 127.0.0.1; 0 = any
	RetentionBytes int64 // as Config.RetentionBytes; 0 = 1 GiB
	OnRetry        func(topic string, err error)
}

// EmbeddedBroker is a connectors.Broker that is also a Kafka broker: one node on 127.0.0.1, for this process and for others, with its logs in
// a directory. Each batch is on the disk before it is acknowledged. Whoever opens it holds the directory's lock.
type EmbeddedBroker struct {
	*broker
	cluster *kfake.Cluster
	faults  *faultLog
}

// Embedded starts the broker over a directory, which is created if it is not there.
func Embedded(dir string, opts EmbeddedOptions) (*EmbeddedBroker, error) {
	if err := checkWritable(dir); err != nil {
		return nil, err
	}
	if err := checkSegments(dir); err != nil {
		return nil, err
	}
	faults := &faultLog{}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.Ports(opts.Port),
		kfake.ClusterID("rhumb-embedded"),
		kfake.DataDir(dir),
		kfake.SyncWrites(),
		kfake.WithLogger(faults),
		// Topics that others create here get no retention by time either; kfake's default would delete replayed events.
		kfake.BrokerConfigs(map[string]string{"log.retention.ms": "-1"}),
	)
	if err != nil {
		return nil, startError(dir, opts.Port, err)
	}
	if opts.RetentionBytes == 0 {
		opts.RetentionBytes = embeddedRetention
	}
	b, err := open(context.Background(), Config{
		Addrs:          cluster.ListenAddrs(),
		RetentionBytes: opts.RetentionBytes,
		OnRetry:        opts.OnRetry,
		NoCompaction:   true, // kfake's is not crash-safe: it deletes the old files before it writes the new ones
		Fault:          faults.explain,
	})
	if err != nil {
		cluster.Close()
		return nil, err
	}
	return &EmbeddedBroker{broker: b, cluster: cluster, faults: faults}, nil
}

// Addr is the address that Kafka clients may connect to.
func (e *EmbeddedBroker) Addr() string { return e.config.Addrs[0] }

// Close stops the broker and writes its state, so that the next start need not read all logs.
func (e *EmbeddedBroker) Close() error {
	err := e.broker.Close()
	e.cluster.Close()
	if fault := e.faults.onClose(); fault != nil {
		return types.Errorf(types.CodeIO, "closing the embedded broker failed: %v", fault).
			WithDetail("No record is lost; the next start takes longer.")
	}
	return err
}

// checkWritable makes the directory and tries it: the broker itself would find out with the first record only.
func checkWritable(dir string) error {
	fail := func(err error) error {
		return types.Errorf(types.CodeIO, "the embedded broker cannot write to its directory: %v", err).
			WithHint("Give Rhumb a data directory that it may write to.")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fail(err)
	}
	probe := filepath.Join(dir, "probe.tmp")
	if err := os.WriteFile(probe, []byte("rhumb"), 0o600); err != nil {
		return fail(err)
	}
	if err := os.Remove(probe); err != nil {
		return fail(err)
	}
	return nil
}

func startError(dir string, port int, err error) error {
	var listen *net.OpError
	if errors.As(err, &listen) {
		return types.Errorf(types.CodeObjectInUse, "the embedded broker cannot listen on 127.0.0.1:%d: %v", port, listen.Err).
			WithHint("Is another Rhumb or Kafka running? Choose another port.")
	}
	code := types.CodeDataCorrupted
	var path *os.PathError
	if errors.As(err, &path) {
		code = types.CodeIO
	}
	if errors.Is(err, syscall.ENOSPC) {
		code = types.CodeDiskFull
	}
	return types.Errorf(code, "the embedded broker cannot start from %s: %v", dir, err)
}

// faultLog takes kfake's log. Failures to write reach the client as "unknown error"; what they were stands in the log only.
type faultLog struct {
	mu    sync.Mutex
	write error // the last failure to write records
	close error // failures while closing
}

// Logf makes faultLog a kfake.Logger.
func (f *faultLog) Logf(level kfake.LogLevel, format string, args ...any) {
	if level > kfake.LogLevelWarn {
		return
	}
	var cause error
	for _, a := range args {
		if err, ok := a.(error); ok {
			cause = err
		}
	}
	if cause == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if level == kfake.LogLevelError {
		f.close = errors.Join(f.close, fmt.Errorf(format, args...))
		return
	}
	f.write = cause
}

// explain puts the last failure to write behind an answer of the broker that does not say what is wrong.
func (f *faultLog) explain(code error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.write == nil {
		return code
	}
	return fmt.Errorf("%w: %w", sarama.ErrKafkaStorageError, f.write)
}

func (f *faultLog) onClose() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.close
}

// partitionDirs lists the directories of the embedded broker's partitions.
func partitionDirs(dir string) ([]string, error) {
	root := filepath.Join(dir, "partitions")
	entries, err := os.ReadDir(root)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, e := range entries {
		if e.IsDir() {
			dirs = append(dirs, filepath.Join(root, e.Name()))
		}
	}
	return dirs, nil
}

// segments lists the base offsets of a partition's segments in order.
func segments(dir string) ([]int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var bases []int64
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".dat")
		if !ok {
			continue
		}
		if base, err := strconv.ParseInt(name, 10, 64); err == nil {
			bases = append(bases, base)
		}
	}
	return bases, nil
}
