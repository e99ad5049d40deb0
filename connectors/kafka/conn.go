package kafka

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"rhumb/connectors"
)

// pool keeps connections to brokers. A connection serves one request at a time: sarama holds a connection's lock until the
// response is there, so a fetch that waits for records would hold up everything behind it. There are as many connections as there
// were requests at the same moment.
type pool struct {
	config *sarama.Config

	mu     sync.Mutex
	idle   map[string][]*conn // by address, the last used at the end
	closed bool
}

// idleLimit is less than the time after which brokers close idle connections (connections.max.idle.ms, 10 minutes).
const idleLimit = 4 * time.Minute

// conn is a connection that a request can be broken off on: sarama's Broker waits for the response whatever happens, unless
// the socket below it is closed.
type conn struct {
	broker   *sarama.Broker
	used     time.Time
	requests uint32 // made by roundTrip
	request  []byte // memory of the last

	mu      sync.Mutex
	ctx     context.Context // of the request that opened it, for dialling
	socket  net.Conn
	aborted bool
}

// Dial makes conn sarama's dialer.
func (c *conn) Dial(network, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	socket, err := d.DialContext(c.ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.aborted {
		socket.Close()
		return nil, net.ErrClosed
	}
	c.socket = socket
	return socket, nil
}

// abort breaks off the request in flight, and the connection with it.
func (c *conn) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.aborted = true
	if c.socket != nil {
		c.socket.Close()
	}
}

// close frees what the connection holds; no request is in flight.
func (c *conn) close() {
	c.abort()
	_ = c.broker.Close() // reports that the socket is closed
}

func newPool(config *sarama.Config) *pool {
	return &pool{config: config, idle: map[string][]*conn{}}
}

// do runs a request on a connection to addr. request returns errors of the connection, not those that the broker answered.
func (p *pool) do(ctx context.Context, addr string, request func(*conn) error) error {
	c, err := p.get(ctx, addr)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, c.abort)
	err = request(c)
	if stop() && err == nil {
		p.put(addr, c)
		return nil
	}
	c.close()
	return err
}

func (p *pool) get(ctx context.Context, addr string) (*conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, sarama.ErrClosedClient
	}
	if idle := p.idle[addr]; len(idle) > 0 {
		c := idle[len(idle)-1]
		p.idle[addr] = idle[:len(idle)-1]
		if time.Since(c.used) < idleLimit {
			return c, nil
		}
		// The others are idle for longer still.
		for _, old := range append(p.idle[addr], c) {
			go old.close()
		}
		delete(p.idle, addr)
	}
	c := &conn{broker: sarama.NewBroker(addr), ctx: ctx}
	config := *p.config
	config.Net.Proxy.Enable = true
	config.Net.Proxy.Dialer = c
	if err := c.broker.Open(&config); err != nil { // it only begins to dial
		return nil, err
	}
	return c, nil
}

func (p *pool) put(addr string, c *conn) {
	c.used = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		go c.close()
		return
	}
	p.idle[addr] = append(p.idle[addr], c)
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, idle := range p.idle {
		for _, c := range idle {
			c.close()
		}
	}
	p.idle = nil
}

// await runs one of sarama's blocking calls. When ctx ends first it returns ctx's error and leaves the call to its own timeouts.
func await[T any](ctx context.Context, call func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		v, err := call()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
		var zero T
		return zero, ctx.Err()
	}
}

// sleep waits, and reports whether ctx has not ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// retry calls try until it succeeds, fails for good, or ctx ends. onRetry hears of every failure that is tried again, and of nil
// when it goes on after that.
func retry(ctx context.Context, what, topic string, onRetry func(string, error), try func() error) error {
	var last error
	for pause := minBackoff; ; pause = min(2*pause, maxBackoff) {
		err := try()
		if err == nil {
			if last != nil && onRetry != nil {
				onRetry(topic, nil)
			}
			return nil
		}
		if ctx.Err() != nil {
			// The failure is that of ctx, unless something was wrong before.
			if last == nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, ctx.Err()) {
				last = err
			}
			return ended(ctx, what, last)
		}
		if !transient(err) {
			return mapped(what, topic, err)
		}
		last = err
		if onRetry != nil {
			onRetry(topic, err)
		}
		connectors.Retrying(ctx, mapped(what, topic, err))
		if !sleep(ctx, pause) {
			return ended(ctx, what, last)
		}
	}
}
