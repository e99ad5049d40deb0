package kafka

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/IBM/sarama"
)

// Fetching speaks the protocol itself, on the connection that sarama has opened and authenticated (conn.roundTrip). sarama's own Fetch has
// three faults that a reader for ever cannot have: it takes a batch with more records than compressed bytes for an incomplete one (a
// flood of identical events makes such batches), it hides empty batches and with them the offset to go on at, and it allocates for each
// record and header.
//
// The version is one that brokers have had since 2.3 (2019) and that needs no flexible encoding.
// Format: https://kafka.apache.org/protocol#The_Messages_Fetch

const (
	fetchKey     = 1
	fetchVersion = 11
	// maxResponse is the largest answer read: what was asked for, and one batch that does not keep to it.
	maxResponse = maxFetch + 36<<20
)

// fetchRequest asks for records of one partition.
type fetchRequest struct {
	topic     string
	partition int32
	from      int64
	limit     int32
	wait      time.Duration
	committed bool // only what is committed (isolation level 1)
}

// block is the answer: the state of the partition and raw record batches.
type block struct {
	highWater int64
	stable    int64 // last stable offset
	start     int64
	aborted   []abortedTxn
	batches   []byte
}

// abortedTxn says that the producer's transactional batches from first on are void, until its next abort marker.
type abortedTxn struct {
	producer int64
	first    int64
}

func (r *fetchRequest) append(b []byte) []byte {
	be := binary.BigEndian
	b = be.AppendUint32(b, 0xffffffff) // replica: a consumer
	b = be.AppendUint32(b, uint32(min(r.wait, maxWait)/time.Millisecond))
	b = be.AppendUint32(b, 1) // at least one byte
	// At most, in all: more than of the one partition, for when this limit is reached the embedded broker leaves out the list of aborted
	// transactions.
	b = be.AppendUint32(b, maxResponse)
	if r.committed {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	b = be.AppendUint32(b, 0)          // no session
	b = be.AppendUint32(b, 0xffffffff) // "
	b = be.AppendUint32(b, 1)          // topics
	b = appendString(b, r.topic)
	b = be.AppendUint32(b, 1) // partitions
	b = be.AppendUint32(b, uint32(r.partition))
	// No leader epoch: it tells a stale client from a fresh one, but stale metadata leads to an error soon enough.
	b = be.AppendUint32(b, 0xffffffff)
	b = be.AppendUint64(b, uint64(r.from))
	b = be.AppendUint64(b, 0xffffffffffffffff) // log start: followers only
	b = be.AppendUint32(b, uint32(r.limit))    // at most, of this partition
	b = be.AppendUint32(b, 0)                  // forgotten topics
	return appendString(b, "")                 // rack
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// decodeFetch reads the answer to r. Errors of the broker are sarama.KErrors. The batches alias b.
func (r *fetchRequest) decodeFetch(b []byte) (*block, error) {
	d := wireReader{b: b}
	d.int32() // throttled for so long, already
	if code := d.int16(); code != 0 {
		return nil, sarama.KError(code)
	}
	d.int32() // session
	if d.count() != 1 || d.string() != r.topic || d.count() != 1 || d.int32() != r.partition {
		if d.err == nil {
			d.err = sarama.ErrIncompleteResponse
		}
		return nil, d.err
	}
	code := sarama.KError(d.int16())
	out := &block{highWater: d.int64(), stable: d.int64(), start: d.int64()}
	if n := d.count(); n > 0 {
		out.aborted = make([]abortedTxn, n)
		for i := range out.aborted {
			out.aborted[i] = abortedTxn{producer: d.int64(), first: d.int64()}
		}
	}
	d.int32() // a replica to prefer: none, for we name no rack
	out.batches = d.bytes()
	switch {
	case code != sarama.ErrNoError:
		return nil, code
	case d.err != nil:
		return nil, d.err
	}
	return out, nil
}

// wireReader reads the protocol's types. After the first fault err is set and every read returns zero.
type wireReader struct {
	b   []byte
	err error
}

func (d *wireReader) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		if d.err == nil {
			d.err = sarama.PacketDecodingError{Info: "the answer is cut short"}
		}
		d.b = nil
		return nil
	}
	out := d.b[:n:n]
	d.b = d.b[n:]
	return out
}

func (d *wireReader) int16() int16 {
	if b := d.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (d *wireReader) int32() int32 {
	if b := d.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (d *wireReader) int64() int64 {
	if b := d.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// count reads an array's length; the least element that is counted so takes 6 bytes. Null is 0.
func (d *wireReader) count() int {
	n := int(d.int32())
	if n > len(d.b)/6 {
		d.take(n*6 + 1)
		return 0
	}
	return max(n, 0)
}

func (d *wireReader) string() string { return string(d.take(int(d.int16()))) }

// bytes reads nullable bytes.
func (d *wireReader) bytes() []byte {
	n := d.int32()
	if n < 0 {
		return nil
	}
	return d.take(int(n))
}

// roundTrip sends a request of a kind and version and returns the body of the answer, in memory of its own. wait is how long the broker may take
// its time.
//
// sarama reads from the socket only while a request of its own is in flight, and there is none: a connection serves one request at a time.
func (c *conn) roundTrip(key, version int16, body func([]byte) []byte, clientID string, wait time.Duration) ([]byte, error) {
	if ok, err := c.broker.Connected(); !ok { // waits for Open
		if err == nil {
			err = sarama.ErrNotConnected
		}
		return nil, err
	}
	c.requests++
	be := binary.BigEndian
	req := append(c.request[:0], 0, 0, 0, 0) // size
	req = be.AppendUint16(req, uint16(key))
	req = be.AppendUint16(req, uint16(version))
	req = be.AppendUint32(req, c.requests)
	req = appendString(req, clientID)
	req = body(req)
	be.PutUint32(req, uint32(len(req)-4))
	c.request = req
	if err := c.socket.SetDeadline(time.Now().Add(readTimeout + wait)); err != nil {
		return nil, err
	}
	if _, err := c.socket.Write(req); err != nil {
		return nil, err
	}
	var head [8]byte
	if _, err := io.ReadFull(c.socket, head[:]); err != nil {
		return nil, err
	}
	size := be.Uint32(head[:])
	if size < 4 || size > maxResponse {
		return nil, fmt.Errorf("an answer of %d bytes", size)
	}
	if got := be.Uint32(head[4:]); got != c.requests {
		return nil, fmt.Errorf("an answer to request %d, this is %d", got, c.requests)
	}
	answer := make([]byte, size-4)
	if _, err := io.ReadFull(c.socket, answer); err != nil {
		return nil, err
	}
	return answer, nil
}
