// Package kafkatest starts real Kafka clusters for tests: Apache Kafka in KRaft mode, from jars that Maven fetches once into the user's cache
// directory.
package kafkatest

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

//go:embed pom.xml
var pom []byte

const (
	version      = "4.4.0"
	fetchTimeout = 5 * time.Minute
	readyTimeout = 2 * time.Minute
	ready        = "Kafka Server started"
	clusterID    = "cmh1bWItdGVzdC1rYWZrYQ"
)

// Cluster is a running cluster. It is stopped when the test ends.
type Cluster struct {
	Nodes []*Node
}

// Addrs are the addresses of all nodes.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, len(c.Nodes))
	for i, n := range c.Nodes {
		addrs[i] = n.Addr
	}
	return addrs
}

// Node is a broker, which is also a controller. Its methods are not safe for concurrent use.
type Node struct {
	Addr string

	t    testing.TB
	jars string
	dir  string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// Start starts a cluster of one or three nodes. Topics of three nodes have three replicas and need two in sync; a node that is killed
// is missed after six seconds.
//
// Without Java or Maven the test is skipped, unless RHUMB_REQUIRE_KAFKA is set.
func Start(t testing.TB, nodes int) *Cluster {
	t.Helper()
	if nodes != 1 && nodes != 3 {
		t.Fatalf("BUG: a cluster of %d nodes; 1 and 3 are supported", nodes)
	}
	for _, tool := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("RHUMB_REQUIRE_KAFKA") != "" {
				t.Fatalf("RHUMB_REQUIRE_KAFKA is set: %v", err)
			}
			t.Skipf("no Kafka: %v", err)
		}
	}
	jars, err := fetch()
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{}
	ports := freePorts(t, 2*nodes)
	for i := range nodes {
		n := &Node{t: t, jars: jars, dir: t.TempDir(), Addr: fmt.Sprintf("127.0.0.1:%d", ports[i])}
		n.write("server.properties", properties(i, n.dir, ports))
		n.java("kafka.tools.StorageTool", "format", "-t", clusterID, "-c", "server.properties")
		c.Nodes = append(c.Nodes, n)
	}
	t.Cleanup(func() {
		for i, n := range c.Nodes {
			n.Kill()
			if t.Failed() {
				t.Logf("end of the log of Kafka node %d:\n%s", i+1, n.logTail())
			}
		}
	})
	for _, n := range c.Nodes {
		n.start()
	}
	for _, n := range c.Nodes {
		n.await()
	}
	return c
}

// Kill ends the node's process with SIGKILL, if it runs.
func (n *Node) Kill() { n.end(syscall.SIGKILL) }

// Stop ends the node in order.
func (n *Node) Stop() { n.end(syscall.SIGTERM) }

func (n *Node) end(sig syscall.Signal) {
	if n.cmd == nil {
		return
	}
	_ = n.cmd.Process.Signal(sig) // it may have ended by itself
	select {
	case <-n.done:
	case <-time.After(30 * time.Second):
		_ = n.cmd.Process.Kill()
		<-n.done
	}
	n.cmd = nil
}

// Restart starts a node that was killed or stopped, and waits until it serves.
func (n *Node) Restart() {
	n.t.Helper()
	n.start()
	n.await()
}

// Pause and Continue stop the process in its tracks and let it go on: a broker that neither answers nor closes its connections.
func (n *Node) Pause() { _ = n.cmd.Process.Signal(syscall.SIGSTOP) }

func (n *Node) Continue() { _ = n.cmd.Process.Signal(syscall.SIGCONT) }

func (n *Node) start() {
	n.t.Helper()
	log, err := os.Create(filepath.Join(n.dir, "log"))
	if err != nil {
		n.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=info", "-cp", filepath.Join(n.jars, "*"), "kafka.Kafka", "server.properties")
	cmd.Dir, cmd.Stdout, cmd.Stderr = n.dir, log, log
	n.done = make(chan struct{})
	started := make(chan error)
	go run(cmd, started, n.done)
	if err := <-started; err != nil {
		n.t.Fatal(err)
	}
	n.cmd = cmd
}

// await waits until the node serves.
func (n *Node) await() {
	n.t.Helper()
	for deadline := time.Now().Add(readyTimeout); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		log, err := os.ReadFile(filepath.Join(n.dir, "log"))
		if err == nil && strings.Contains(string(log), ready) {
			return
		}
		select {
		case <-n.done:
			n.t.Fatalf("Kafka has ended:\n%s", n.logTail())
		default:
		}
	}
	n.t.Fatalf("Kafka is not ready after %v:\n%s", readyTimeout, n.logTail())
}

func (n *Node) logTail() string {
	log, err := os.ReadFile(filepath.Join(n.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-8000):])
}

func (n *Node) write(name, text string) {
	n.t.Helper()
	if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

func (n *Node) java(class string, args ...string) {
	n.t.Helper()
	cmd := exec.Command("java", append([]string{"-cp", filepath.Join(n.jars, "*"), class}, args...)...)
	cmd.Dir = n.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		n.t.Fatalf("%s: %v\n%s", class, err, out)
	}
}

// properties configures node i; ports are those of the brokers, then those of the controllers.
func properties(i int, dir string, ports []int) string {
	nodes := len(ports) / 2
	var voters []string
	for j := range nodes {
		voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d", j+1, ports[nodes+j]))
	}
	replicas, inSync := nodes, (nodes+1)/2
	return fmt.Sprintf(`process.roles=broker,controller
node.id=%d
controller.quorum.voters=%s
listeners=PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d
advertised.listeners=PLAINTEXT://127.0.0.1:%[3]d
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=%[5]s
num.partitions=4
default.replication.factor=%[6]d
min.insync.replicas=%[7]d
offsets.topic.replication.factor=%[6]d
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=%[6]d
transaction.state.log.min.isr=%[7]d
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=%[6]d
share.coordinator.state.topic.min.isr=%[7]d
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=6000
broker.heartbeat.interval.ms=1000
log.retention.ms=-1
log.retention.check.interval.ms=1000
log.cleaner.backoff.ms=500
file.delete.delay.ms=100
auto.create.topics.enable=false
`, i+1, strings.Join(voters, ","), ports[i], ports[nodes+i], filepath.Join(dir, "data"), replicas, inSync)
}

func freePorts(t testing.TB, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports
}

// fetch returns the directory of the jars. It fetches them if they are not there; packages under test may do so at the same time.
func fetch() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	root := filepath.Join(cache, "rhumb-test")
	jars := filepath.Join(root, "kafka-"+version)
	if _, err := os.Stat(jars); err == nil {
		return jars, nil
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(root, "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := os.WriteFile(filepath.Join(tmp, "pom.xml"), pom, 0o600); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	lib := filepath.Join(tmp, "lib")
	cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory="+lib)
	cmd.Dir = tmp
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetching Kafka with Maven: %w\n%s", err, out)
	}
	if err := os.Rename(lib, jars); err != nil {
		if _, there := os.Stat(jars); there != nil { // nobody else was faster
			return "", err
		}
	}
	return jars, nil
}
