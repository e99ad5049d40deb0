package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"github.com/zeebo/xxh3"

	"rhumb/types"
)

// A segment is a file of the journal: a header (the step after which it begins, and the fingerprint), then groups. A group is what one
// Sync wrote, and is there whole or not at all:
//
//	marker 4 | length of the payload 4 | step before the group 8 | checksum of these 4 | payload | checksum of all of it 8
//
// The payload is records: the difference to the step before, a length, the bytes. Checksums are xxh3 seeded with the hash of the header.
// The header holds the hash seed of the data directory (in the fingerprint), so nobody can put bytes into an event that look like a group.
//
// A group is begun only when the one before is durable. So a bad group at the end of the last segment is the rest of a Sync that a
// crash cut short (a torn tail), whichever of its pages reached the disk; a bad group that a good one follows is damage.
const (
	groupFixed = 20
	groupMark  = 0x9ec3f7e1 // no byte of it is ASCII
)

// segment is what is known of a segment file.
type segment struct {
	name        string
	fingerprint string
	after       uint64 // its records are of steps greater than this
	last        uint64 // the last of them; after if there are none
	size        int64  // without a torn tail
	seed        uint64
}

const (
	segmentPrefix = "journal-"
	tempSuffix    = ".tmp"
)

func segmentName(after uint64) string { return fmt.Sprintf("%s%020d", segmentPrefix, after) }

// stepOf reads the number out of a file name made with a prefix and %020d.
func stepOf(name, prefix string) (step uint64, ok bool) {
	digits, ok := strings.CutPrefix(name, prefix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return 0, false
		}
		step = step*10 + uint64(c-'0')
	}
	return step, true
}

// createSegment makes a new segment file, durable and empty, and opens it for appending.
func createSegment(fs FS, after uint64, fingerprint string) (segment, File, error) {
	s := segment{name: segmentName(after), fingerprint: fingerprint, after: after, last: after}
	var payload types.Encoder
	payload.U64(after)
	payload.String(fingerprint)
	head := appendHeader(nil, journalMagic, payload.B)
	s.size, s.seed = int64(len(head)), xxh3.Hash(head)
	// Under another name until it is durable: a segment always has its header.
	temp := s.name + tempSuffix
	if err := writeFile(fs, temp, head); err != nil {
		return segment{}, nil, err
	}
	if err := fs.Rename(temp, s.name); err != nil {
		return segment{}, nil, fileError("rename", temp, err)
	}
	if err := fs.SyncDir(); err != nil {
		return segment{}, nil, fileError("sync the directory of", s.name, err)
	}
	f, err := fs.Open(s.name, os.O_RDWR|os.O_APPEND)
	if err != nil {
		return segment{}, nil, fileError("open", s.name, err)
	}
	return s, f, nil
}

// writeFile writes a small file and makes its contents durable.
func writeFile(fs FS, name string, b []byte) error {
	f, err := fs.Open(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND)
	if err != nil {
		return fileError("create", name, err)
	}
	if _, err := f.Write(b); err != nil {
		f.Close()
		return fileError("write", name, err)
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return fileError("sync", name, err)
	}
	if err := f.Close(); err != nil {
		return fileError("close", name, err)
	}
	return nil
}

// readFile reads a whole file.
func readFile(fs FS, info FileInfo) ([]byte, error) {
	f, err := fs.Open(info.Name, os.O_RDONLY)
	if err != nil {
		return nil, fileError("open", info.Name, err)
	}
	defer f.Close()
	b := make([]byte, info.Size)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return nil, fileError("read", info.Name, err)
	}
	return b, nil
}

// appendGroup appends the group of a payload.
func appendGroup(dst []byte, seed, prev uint64, payload []byte) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, groupMark)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(payload)))
	dst = binary.LittleEndian.AppendUint64(dst, prev)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(xxh3.HashSeed(dst[start:], seed)))
	dst = append(dst, payload...)
	return binary.LittleEndian.AppendUint64(dst, xxh3.HashSeed(dst[start:], seed))
}

// parseGroup reads the group at the start of b; what says why there is none.
func parseGroup(b []byte, seed uint64) (payload []byte, prev uint64, what string) {
	switch {
	case len(b) < groupFixed+sumSize:
		return nil, 0, "a group of records is cut off"
	case binary.LittleEndian.Uint32(b) != groupMark:
		return nil, 0, "no group of records begins here"
	case binary.LittleEndian.Uint32(b[16:]) != uint32(xxh3.HashSeed(b[:16], seed)):
		return nil, 0, "the checksum of a group's head is wrong"
	}
	n := uint64(binary.LittleEndian.Uint32(b[4:]))
	if n > uint64(len(b)-groupFixed-sumSize) {
		return nil, 0, "a group of records is cut off"
	}
	end := groupFixed + int(n)
	if xxh3.HashSeed(b[:end], seed) != binary.LittleEndian.Uint64(b[end:]) {
		return nil, 0, "the checksum of a group of records is wrong"
	}
	return b[groupFixed:end], binary.LittleEndian.Uint64(b[8:]), ""
}

// holdsGroup reports whether there is a sound group anywhere in b.
func holdsGroup(b []byte, seed uint64) bool {
	mark := binary.LittleEndian.AppendUint32(nil, groupMark)
	for {
		i := bytes.Index(b, mark)
		if i < 0 {
			return false
		}
		if _, _, what := parseGroup(b[i:], seed); what == "" {
			return true
		}
		b = b[i+1:]
	}
}

// readSegment verifies a segment file and calls fn (unless nil) with each record. final says that the file is the journal's last, so that
// its tail may be torn: s.size is then what is sound.
func readSegment(name string, b []byte, final bool, fn func(step uint64, rec []byte) error) (segment, error) {
	payload, size, herr := parseHeader(name, journalMagic, b)
	if herr != nil {
		return segment{}, herr
	}
	d := types.Decoder{B: payload}
	s := segment{name: name, size: int64(size), seed: xxh3.Hash(b[:size]), after: d.U64(), fingerprint: d.String()}
	if d.Err != nil || segmentName(s.after) != name {
		return segment{}, damaged(name, 0, "the header does not fit the file")
	}
	s.last = s.after
	for s.size < int64(len(b)) {
		rest := b[s.size:]
		payload, prev, what := parseGroup(rest, s.seed)
		if what != "" {
			if !final || holdsGroup(rest[1:], s.seed) {
				return segment{}, damaged(name, s.size, what)
			}
			return s, nil
		}
		if prev != s.last {
			return segment{}, damaged(name, s.size, fmt.Sprintf("the records after step %d are missing", s.last))
		}
		last, err := readGroup(name, s.size, payload, prev, fn)
		if err != nil {
			return segment{}, err
		}
		s.last = last
		s.size += int64(groupFixed + len(payload) + sumSize)
	}
	return s, nil
}

// readGroup calls fn with the records of a group and returns the last step.
func readGroup(name string, at int64, payload []byte, step uint64, fn func(step uint64, rec []byte) error) (uint64, error) {
	d := types.Decoder{B: payload}
	for len(d.B) > 0 {
		delta := d.Uvarint()
		rec := d.Bytes()
		if d.Err != nil || delta == 0 || step+delta < step {
			return 0, damaged(name, at, "a group of records does not decode")
		}
		step += delta
		if fn != nil {
			if err := fn(step, rec); err != nil {
				return 0, err
			}
		}
	}
	return step, nil
}
