package kafka

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"rhumb/connectors"
	"rhumb/connectors/conformance"
	"rhumb/types"
)

func startEmbedded(t testing.TB, dir string) *EmbeddedBroker {
	t.Helper()
	b, err := Embedded(dir, EmbeddedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestEmbeddedConformance(t *testing.T) {
	b := startEmbedded(t, t.TempDir())
	conformance.TestBroker(t, func(*testing.T) connectors.Broker { return b })
}

func numbered(from, n int) []connectors.Message {
	msgs := make([]connectors.Message, n)
	for i := range msgs {
		msgs[i] = connectors.Message{Key: fmt.Appendf(nil, "k%d", from+i), Value: fmt.Appendf(nil, "value %d", from+i), Time: int64(from+i) * 1000}
	}
	return msgs
}

// checkNumbered verifies that a partition holds the messages 0.. in order, at least n of them.
func checkNumbered(t *testing.T, b connectors.Broker, topic string, n int) {
	t.Helper()
	got := conformance.ReadAll(t, testContext(t), newSource(t, b, topic), 0, 0, 1<<20)
	if len(got) < n {
		t.Fatalf("%d records, want %d", len(got), n)
	}
	for i, rec := range got {
		if want := fmt.Sprintf("value %d", i); rec.Offset != int64(i) || string(rec.Value) != want || rec.Time != int64(i)*1000 {
			t.Fatalf("%d: %+v", i, rec)
		}
	}
}

func TestEmbeddedRestart(t *testing.T) {
	dir := t.TempDir()
	var before connectors.TopicInfo
	for round := range 3 {
		b, err := Embedded(dir, EmbeddedOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			if before, err = b.CreateTopic(testContext(t), connectors.TopicSpec{Name: "t", Partitions: 2}); err != nil {
				t.Fatal(err)
			}
		}
		now, err := b.Topic(testContext(t), "t")
		if err != nil || now != before {
			t.Fatalf("%+v, %v; was %+v", now, err, before)
		}
		checkNumbered(t, b, "t", round*1000)
		if next, err := newWriter(t, b, "t").Publish(testContext(t), 0, numbered(round*1000, 1000)); err != nil || next != int64(round+1)*1000 {
			t.Fatal(next, err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// The port can be fixed, and others can use it.
func TestEmbeddedPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_, err = Embedded(t.TempDir(), EmbeddedOptions{Port: port})
	if e := types.AsError(err); err == nil || e.Code != types.CodeObjectInUse || !strings.Contains(e.Message, strconv.Itoa(port)) {
		t.Fatal(err)
	}
	l.Close()
	b, err := Embedded(t.TempDir(), EmbeddedOptions{Port: port})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.Addr() != fmt.Sprintf("127.0.0.1:%d", port) {
		t.Fatal(b.Addr())
	}
	other, err := Open(testContext(t), Config{Addrs: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if names, err := other.Topics(testContext(t)); err != nil || len(names) != 0 {
		t.Fatal(names, err)
	}
}

const childDir = "RHUMB_KAFKA_TEST_CHILD"

// TestMain runs this binary as the process that TestKill kills, or as the broker that the benchmarks use.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
	}
	if dir := os.Getenv(brokerDir); dir != "" {
		serve(dir)
	}
	os.Exit(m.Run())
}

// child writes numbered messages and prints how many were acknowledged, until it is killed.
func child(dir string) {
	b, err := Embedded(dir, EmbeddedOptions{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	ctx := context.Background()
	_, err = b.CreateTopic(ctx, connectors.TopicSpec{Name: "t", Partitions: 1})
	if err != nil && types.AsError(err).Code != types.CodeDuplicateTable {
		fmt.Println(err)
		os.Exit(1)
	}
	w, err := b.Writer(ctx, "t")
	for err == nil {
		var next int64
		if next, err = w.Publish(ctx, 0, nil); err == nil {
			next, err = w.Publish(ctx, 0, numbered(int(next), 100))
			fmt.Println("acknowledged", next)
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	acknowledged := 0
	for round := range 8 {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			count, ok := strings.CutPrefix(lines.Text(), "acknowledged ")
			if !ok {
				t.Errorf("child: %s", lines.Text())
				break
			}
			acknowledged, _ = strconv.Atoi(count)
			if n == 20+7*round {
				cmd.Process.Kill() // and go on reading what it had printed
			}
		}
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			return
		}
	}
	if acknowledged < 100 {
		t.Fatal("nothing was written")
	}
	b := startEmbedded(t, dir)
	checkNumbered(t, b, "t", acknowledged)
}

// grown makes a directory with a topic of 50 batches of 10 messages, in one segment, and closes it in order. It returns the segment.
func grown(t *testing.T) (dir, segment string) {
	t.Helper()
	dir = t.TempDir()
	b, err := Embedded(dir, EmbeddedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.CreateTopic(testContext(t), connectors.TopicSpec{Name: "t", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	w := newWriter(t, b, "t")
	for i := range 50 {
		if _, err := w.Publish(testContext(t), 0, numbered(i*10, 10)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, filepath.Join(dir, "partitions", "t-0", "0.dat")
}

func TestDamagedSegment(t *testing.T) {
	size := func(t *testing.T, path string) int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	edit := func(t *testing.T, path string, change func([]byte) []byte) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, change(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name    string
		crashed bool // not closed in order
		change  func([]byte) []byte
		records int // that must be there; -1: it must not start
	}{
		{"sound", false, func(b []byte) []byte { return b }, 500},
		{"sound after a crash", true, func(b []byte) []byte { return b }, 500},
		{"bit in the middle", false, func(b []byte) []byte { b[len(b)/2] ^= 4; return b }, -1},
		{"bit in the middle after a crash", true, func(b []byte) []byte { b[len(b)/2] ^= 4; return b }, -1},
		{"bit in the last batch", false, func(b []byte) []byte { b[len(b)-1] ^= 4; return b }, -1},
		{"length in the middle after a crash", true, func(b []byte) []byte {
			n := int(b[10])<<8 + int(b[11]) + 12
			b[n+8] ^= 0x40
			return b
		}, -1},
		{"cut", false, func(b []byte) []byte { return b[:len(b)-3] }, -1},
		{"torn by a crash", true, func(b []byte) []byte { return b[:len(b)-3] }, 490},
		{"half gone after a crash", true, func(b []byte) []byte { return b[:len(b)/2] }, -1},
		{"written but not indexed before a crash", true, func(b []byte) []byte { return append(b, b[:50]...) }, 500},
		{"empty", false, func([]byte) []byte { return nil }, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, segment := grown(t)
			if c.crashed {
				if err := os.Remove(filepath.Join(filepath.Dir(segment), "snapshot.json")); err != nil {
					t.Fatal(err)
				}
			}
			edit(t, segment, c.change)
			before := size(t, segment)
			b, err := Embedded(dir, EmbeddedOptions{})
			if c.records >= 0 {
				if err != nil {
					t.Fatal(err)
				}
				defer b.Close()
				checkNumbered(t, b, "t", c.records)
				if _, err := newWriter(t, b, "t").Publish(testContext(t), 0, numbered(c.records, 10)); err != nil {
					t.Fatal(err)
				}
				checkNumbered(t, b, "t", c.records+10)
				return
			}
			if e := types.AsError(err); err == nil || e.Code != types.CodeDataCorrupted || !strings.Contains(e.Message, segment) || e.Hint == "" {
				t.Fatalf("%v", err)
			}
			if size(t, segment) != before {
				t.Fatal("the damaged file was changed")
			}
		})
	}
}

func TestEmbeddedStartErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Embedded(filepath.Join(file, "dir"), EmbeddedOptions{})
	if e := types.AsError(err); err == nil || e.Code != types.CodeIO || !strings.Contains(e.Message, file) {
		t.Fatal(err)
	}
	dir, _ := grown(t)
	if err := os.WriteFile(filepath.Join(dir, "topics.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Embedded(dir, EmbeddedOptions{})
	if e := types.AsError(err); err == nil || e.Code != types.CodeDataCorrupted || !strings.Contains(e.Message, dir) || !strings.Contains(e.Message, "topics.json") {
		t.Fatal(err)
	}
}

// retries collects what OnRetry hears.
type retries struct {
	mu  sync.Mutex
	all []error
}

func (r *retries) hear(_ string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, err)
}

func (r *retries) heard() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// A full disk is waited out, visibly.
func TestEmbeddedDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("rhumb-test", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	var heard retries
	b, err := Embedded(filepath.Join(dir, "broker"), EmbeddedOptions{OnRetry: heard.hear})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := b.CreateTopic(testContext(t), connectors.TopicSpec{Name: "t", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	w := newWriter(t, b, "t")
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	written := 0
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		_, err = w.Publish(ctx, 0, numbered(written, 5000))
		cancel()
		if err != nil {
			break
		}
		written += 5000
	}
	if e := types.AsError(err); e.Code != types.CodeDiskFull || !strings.Contains(e.Message, "no space left") {
		t.Fatalf("%v", err)
	}
	done := make(chan error, 1)
	before := len(heard.heard())
	go func() {
		_, err := w.Publish(testContext(t), 0, numbered(written, 5000))
		done <- err
	}()
	for len(heard.heard()) == before {
		time.Sleep(10 * time.Millisecond)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	checkNumbered(t, b, "t", written+5000)
	all := heard.heard()
	if len(all) == 0 || !strings.Contains(all[0].Error(), "no space left") || all[len(all)-1] != nil {
		t.Fatal(all)
	}
}

// flakyListener breaks each connection after some bytes have been sent on it.
type flakyListener struct {
	net.Listener
	accepted atomic.Int64
}

type flakyConn struct {
	net.Conn
	left atomic.Int64
}

func (l *flakyListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	f := &flakyConn{Conn: c}
	f.left.Store(20_000 + 1000*(l.accepted.Add(1)%50))
	return f, nil
}

func (c *flakyConn) Write(b []byte) (int, error) {
	if c.left.Add(-int64(len(b))) < 0 {
		c.Conn.Write(b[:len(b)/2])
		c.Conn.Close()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}
