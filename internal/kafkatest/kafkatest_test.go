package kafkatest

import (
	"net"
	"testing"
	"time"
)

func reachable(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

func TestStart(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a JVM")
	}
	c := Start(t, 1)
	n := c.Nodes[0]
	if len(c.Addrs()) != 1 || !reachable(n.Addr) {
		t.Fatal("not reachable")
	}
	n.Kill()
	if reachable(n.Addr) {
		t.Fatal("killed and reachable")
	}
	n.Restart()
	if !reachable(n.Addr) {
		t.Fatal("not reachable after a restart")
	}
	n.Stop()
}
