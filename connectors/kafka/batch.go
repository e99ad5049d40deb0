package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy/xerial"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// The record batch, Kafka's format since 0.11 (https://kafka.apache.org/documentation/#recordbatch):
//
//	 0 first offset 8 | 8 length of what follows 4 | 12 leader epoch 4 | 16 magic 1 = 2 | 17 CRC-32C of what follows 4
//	21 attributes 2 | 23 last offset's distance 4 | 27 first timestamp 8 | 35 greatest timestamp 8
//	43 producer 8 | 51 its epoch 2 | 53 sequence 4 | 57 number of records 4 | 61 records, compressed as one
//
// A record is: length, attributes 1, timestamp's distance, offset's distance, key, value, number of headers, and for each its key and value.
// Numbers are zigzag varints; a key or value of length -1 is null.
const (
	lengthAt       = 8
	lengthEnd      = 12
	magicAt        = 16
	crcAt          = 17
	attributesAt   = 21
	batchHead      = 61
	minRecord      = 7
	codecMask      = 7
	appendTimeBit  = 1 << 3
	transactionBit = 1 << 4
	controlBit     = 1 << 5
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errCut    = errors.New("it is cut short") // more bytes would mend it
	errLegacy = errors.New("it has a format of Kafka before 0.11")
)

// damaged is a batch that no further attempt will make readable.
type damaged struct{ why string }

func (d damaged) Error() string { return d.why }

// batch is the head of a record batch; data is its records, still compressed.
type batch struct {
	first, last  int64 // offsets
	attributes   uint16
	firstTime    int64 // milliseconds
	greatestTime int64
	producer     int64
	records      int
	data         []byte
}

// cutBatch reads the batch at the front of b and returns what follows it. With errCut, need is how long b has to be.
func cutBatch(b []byte) (out batch, rest []byte, need int, err error) {
	if len(b) < magicAt+1 {
		return out, nil, batchHead, errCut
	}
	be := binary.BigEndian
	size := int64(be.Uint32(b[lengthAt:])) + lengthEnd
	if magic := b[magicAt]; magic < 2 {
		return out, nil, 0, errLegacy
	} else if magic > 2 {
		return out, nil, 0, damaged{fmt.Sprintf("its format %d is not known", magic)}
	}
	if size < batchHead || size > math.MaxInt32 {
		return out, nil, 0, damaged{fmt.Sprintf("its length is %d", size)}
	}
	if size > int64(len(b)) {
		return out, nil, int(size), errCut
	}
	b, rest = b[:size:size], b[size:]
	if crc32.Checksum(b[attributesAt:], castagnoli) != be.Uint32(b[crcAt:]) {
		return out, nil, 0, damaged{"its checksum does not hold"}
	}
	out = batch{
		first:        int64(be.Uint64(b)),
		attributes:   be.Uint16(b[attributesAt:]),
		firstTime:    int64(be.Uint64(b[27:])),
		greatestTime: int64(be.Uint64(b[35:])),
		producer:     int64(be.Uint64(b[43:])),
		records:      int(int32(be.Uint32(b[57:]))),
		data:         b[batchHead:],
	}
	distance := int64(int32(be.Uint32(b[23:])))
	if out.first < 0 || distance < 0 || out.first > math.MaxInt64-distance-1 || out.records < 0 {
		return out, nil, 0, damaged{"its head is not sound"}
	}
	out.last = out.first + distance
	return out, rest, 0, nil
}

func (b *batch) control() bool       { return b.attributes&controlBit != 0 }
func (b *batch) transactional() bool { return b.attributes&transactionBit != 0 }

// micros is the timestamp of a record at a distance from the batch's first, or of all records if the broker set them.
func (b *batch) micros(distance int64) int64 {
	ms := b.greatestTime
	if b.attributes&appendTimeBit == 0 {
		ms = b.firstTime + distance
	}
	const limit = math.MaxInt64 / 1000
	return min(max(ms, -limit), limit) * 1000
}

// record is one record; its slices alias the batch's data.
type record struct {
	time    int64 // distances from the batch's firsts
	offset  int64
	key     []byte
	value   []byte
	headers int    // their number
	raw     []byte // the headers
}

// varint is binary.Varint, faster for the one and two bytes that most take.
func varint(b []byte) (int64, int) {
	if len(b) > 1 {
		if b[0] < 0x80 {
			return int64(b[0]>>1) ^ -int64(b[0]&1), 1
		}
		if b[1] < 0x80 {
			u := uint64(b[0]&0x7f) | uint64(b[1])<<7
			return int64(u>>1) ^ -int64(u&1), 2
		}
	}
	return binary.Varint(b)
}

// cutRecord reads the record at the front of b and returns what follows it.
func cutRecord(b []byte) (r record, rest []byte, ok bool) {
	size, n := varint(b)
	if n <= 0 || size < minRecord-1 || size > int64(len(b)-n) {
		return r, nil, false
	}
	end := n + int(size)
	rest, b = b[end:], b[n+1:end] // attributes have no meaning
	if r.time, n = varint(b); n <= 0 {
		return r, nil, false
	}
	b = b[n:]
	if r.offset, n = varint(b); n <= 0 || r.offset < 0 {
		return r, nil, false
	}
	if r.key, b, ok = cutBytes(b[n:]); !ok {
		return r, nil, false
	}
	if r.value, b, ok = cutBytes(b); !ok {
		return r, nil, false
	}
	count, n := varint(b)
	r.raw = b[max(n, 0):]
	// The least header takes two bytes.
	if n <= 0 || count < 0 || count > int64(len(r.raw)/2) {
		return r, nil, false
	}
	r.headers = int(count)
	return r, rest, true
}

// cutBytes reads nullable bytes.
func cutBytes(b []byte) (v, rest []byte, ok bool) {
	size, n := varint(b)
	if n <= 0 || size > int64(len(b)-n) {
		return nil, nil, false
	}
	if size < 0 {
		return nil, b[n:], true
	}
	end := n + int(size)
	return b[n:end:end], b[end:], true
}

// inflater decompresses batches. Safe for concurrent use.
type inflater struct {
	scratch, gzip, lz4 sync.Pool // *[]byte, *gzip.Reader, *lz4.Reader
	zstd               *zstd.Decoder
}

func newInflater() (*inflater, error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxDecompressed), zstd.WithDecoderConcurrency(0))
	if err != nil {
		return nil, err
	}
	return &inflater{zstd: z}, nil
}

// inflate returns the records of a batch: the batch's own memory if it is not compressed, else memory of its own. More than
// maxDecompressed bytes are an error.
func (f *inflater) inflate(b *batch) ([]byte, error) {
	codec := b.attributes & codecMask
	if codec == 0 {
		return b.data, nil
	}
	scratch, _ := f.scratch.Get().(*[]byte)
	if scratch == nil {
		scratch = new([]byte)
	}
	defer f.scratch.Put(scratch)
	var err error
	switch codec {
	case 1:
		r, _ := f.gzip.Get().(*gzip.Reader)
		if r == nil {
			r = new(gzip.Reader)
		}
		defer f.gzip.Put(r)
		if err = r.Reset(bytes.NewReader(b.data)); err == nil {
			*scratch, err = readBounded((*scratch)[:0], r)
		}
	case 2:
		*scratch, err = unsnappy((*scratch)[:0], b.data)
	case 3:
		if out, ok := unlz4(b.data, scratch); ok {
			return out, nil
		}
		r, _ := f.lz4.Get().(*lz4.Reader)
		if r == nil {
			r = lz4.NewReader(nil)
		}
		defer f.lz4.Put(r)
		r.Reset(bytes.NewReader(b.data))
		*scratch, err = readBounded((*scratch)[:0], r)
	case 4:
		var out []byte
		if out, err = f.zstd.DecodeAll(b.data, (*scratch)[:0]); err == nil {
			*scratch = out
		}
	default:
		return nil, damaged{fmt.Sprintf("its codec %d is not known", codec)}
	}
	if errors.Is(err, errTooLarge) || errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, xerial.ErrDstTooSmall) {
		return nil, damaged{fmt.Sprintf("it decompresses to more than %d MiB", maxDecompressed>>20)}
	}
	if err != nil {
		return nil, damaged{"it does not decompress: " + err.Error()}
	}
	return bytes.Clone(*scratch), nil
}

var errTooLarge = errors.New("too large")

// readBounded appends all of r to b.
func readBounded(b []byte, r io.Reader) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			grown := make([]byte, len(b), max(2*cap(b), 64<<10))
			copy(grown, b)
			b = grown
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case len(b) > maxDecompressed:
			return b, errTooLarge
		case err == io.EOF:
			return b, nil
		case err != nil:
			return b, err
		}
	}
}

// unlz4 decodes the LZ4 frames that Kafka clients write: one, of independent blocks. Its checksums are not looked at, for the batch has
// one. Whatever else it finds, or finds wrong, it leaves to the library (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md).
func unlz4(data []byte, scratch *[]byte) (out []byte, ok bool) {
	const (
		magic                                     = 0x184d2204
		version, independent, sums, sized, summed = 0x40, 0x20, 0x10, 0x08, 0x04
		known                                     = 0xff &^ (independent | sums | sized | summed)
		stored                                    = 1 << 31
	)
	le := binary.LittleEndian
	if len(data) < 7 || le.Uint32(data) != magic || data[4]&known != version || data[4]&independent == 0 || data[5]&0x8f != 0 || data[5]>>4 < 4 {
		return nil, false
	}
	flags, blockSize := data[4], 1<<(8+2*(data[5]>>4))
	head := 7
	if flags&sized != 0 {
		head += 8
	}
	tail := 0
	if flags&sums != 0 {
		tail = 4
	}
	blocks := 0
	for at := head; ; blocks++ {
		if at+4 > len(data) {
			return nil, false
		}
		n := int(le.Uint32(data[at:]) &^ stored)
		if n == 0 {
			if at += 4; flags&summed != 0 {
				at += 4
			}
			if at != len(data) {
				return nil, false
			}
			break
		}
		at += 4 + n + tail
	}
	if blocks*blockSize > maxDecompressed {
		return nil, false
	}
	// Several blocks have memory of their own at once, the last of them perhaps too much; one block may be much smaller than it says.
	if blocks == 1 {
		*scratch = slices.Grow((*scratch)[:0], blockSize)
		out = (*scratch)[:blockSize]
	} else {
		out = make([]byte, blocks*blockSize)
	}
	size := 0
	for at := head; blocks > 0; blocks-- {
		n := le.Uint32(data[at:])
		block := data[at+4 : at+4+int(n&^stored)]
		at += 4 + len(block) + tail
		if n&stored != 0 {
			if len(block) > blockSize {
				return nil, false
			}
			size += copy(out[size:], block)
			continue
		}
		got, err := lz4.UncompressBlock(block, out[size:min(size+blockSize, len(out))])
		if err != nil {
			return nil, false
		}
		size += got
	}
	if len(out) == blockSize {
		return bytes.Clone(out[:size]), true
	}
	return out[:size:size], true
}

// unsnappy decodes both framings in use, xerial's and none. Its decoder fails rather than outgrow the buffer it is given.
func unsnappy(b, data []byte) ([]byte, error) {
	for size := max(cap(b), 64<<10); ; size = min(2*size, maxDecompressed) {
		if cap(b) < size {
			b = make([]byte, 0, size)
		}
		out, err := xerial.DecodeCapped(b[:0:size], data)
		if errors.Is(err, xerial.ErrDstTooSmall) && size < maxDecompressed {
			continue
		}
		return out, err
	}
}
