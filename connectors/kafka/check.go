package kafka

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"rhumb/types"
)

// The embedded broker cuts a damaged segment off at the damage, and what came after it is lost without a word. So its files are read
// before it may. A batch that was torn by a crash, at the end of the last segment, is not damage: it was never acknowledged.
//
// A segment NNN.dat is a run of record batches as they are on the wire (batch.go). The index NNN.idx beside it has an entry for each, written after
// the batch: version 1, check 1, and 13 bytes of which check is the low byte of the CRC-32C.
const (
	indexEntry = 15
	// maxSegmentBatch is more than any batch: it bounds what a damaged length makes us read.
	maxSegmentBatch = 1 << 27
)

// checkSegments verifies all logs of the embedded broker in dir.
func checkSegments(dir string) error {
	parts, err := partitionDirs(dir)
	if err != nil {
		return types.Errorf(types.CodeIO, "the embedded broker cannot read its directory: %v", err)
	}
	for _, part := range parts {
		if err := checkPartition(part); err != nil {
			return err
		}
	}
	return nil
}

func checkPartition(dir string) error {
	bases, err := segments(dir)
	if err != nil {
		return types.Errorf(types.CodeIO, "the embedded broker cannot read its directory: %v", err)
	}
	slices.Sort(bases)
	clean := cleanSizes(dir)
	for i, base := range bases {
		path := filepath.Join(dir, strconv.FormatInt(base, 10)+".dat")
		if err := checkSegment(path, i == len(bases)-1, clean[base]); err != nil {
			return err
		}
	}
	return nil
}

// cleanSizes returns the sizes that the segments had when the broker was closed in order; empty if it was not.
func cleanSizes(dir string) map[int64]int64 {
	var snapshot struct {
		Segments []struct {
			Base int64 `json:"base_offset"`
			Size int64 `json:"size"`
		} `json:"segments"`
	}
	raw, err := os.ReadFile(filepath.Join(dir, "snapshot.json"))
	if err != nil || json.Unmarshal(raw, &snapshot) != nil {
		return nil
	}
	sizes := map[int64]int64{}
	for _, s := range snapshot.Segments {
		sizes[s.Base] = s.Size
	}
	return sizes
}

// checkSegment verifies one file. last says that it is the partition's last, cleanSize how long it was when the broker was closed
// in order (0 = unknown): up to there nothing may be torn.
func checkSegment(path string, last bool, cleanSize int64) error {
	f, err := os.Open(path)
	if err != nil {
		return types.Errorf(types.CodeIO, "the embedded broker cannot read a log segment: %v", err)
	}
	defer f.Close()
	batches, end, size, err := soundBatches(f)
	if err != nil {
		return types.Errorf(types.CodeIO, "the embedded broker cannot read a log segment: %v", err)
	}
	indexed := indexedBatches(strings.TrimSuffix(path, ".dat") + ".idx")
	switch {
	case end == size && (!last || end >= cleanSize) && batches >= indexed:
		return nil
	case last && end >= cleanSize && batches >= indexed-1:
		return nil // one batch, torn: its acknowledgement waited for the end of this write
	}
	return types.Errorf(types.CodeDataCorrupted, "the embedded broker's log segment %s is damaged at byte %d of %d", path, end, max(size, cleanSize)).
		WithDetail("%d batches are sound; the index has %d.", batches, indexed).
		WithHint("Restore the file from a backup. To give up what is behind the damage, cut the file there (truncate -s %d) and delete its .idx file and snapshot.json.", end)
}

// soundBatches counts the batches from the beginning whose checksums hold, and returns where they end and the size of the file.
func soundBatches(f *os.File) (batches int, end, size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, 0, err
	}
	size = info.Size()
	r := bufio.NewReaderSize(f, 1<<20)
	var buf []byte
	for {
		head, err := r.Peek(lengthEnd)
		if errors.Is(err, io.EOF) {
			return batches, end, size, nil
		}
		if err != nil {
			return 0, 0, 0, err
		}
		n := int64(binary.BigEndian.Uint32(head[lengthAt:])) + lengthEnd
		if n < batchHead || n > maxSegmentBatch || end+n > size {
			return batches, end, size, nil
		}
		buf = slices.Grow(buf[:0], int(n))[:n]
		if _, err := io.ReadFull(r, buf); err != nil {
			return 0, 0, 0, err
		}
		if _, _, _, err := cutBatch(buf); err != nil {
			return batches, end, size, nil
		}
		batches++
		end += n
	}
}

// indexedBatches counts the entries of an index up to the first that is not sound; 0 if there is no index.
func indexedBatches(path string) int {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n := 0
	for ; len(raw) >= indexEntry; raw = raw[indexEntry:] {
		if byte(crc32.Checksum(raw[2:indexEntry], castagnoli)) != raw[1] {
			break
		}
		n++
	}
	return n
}
