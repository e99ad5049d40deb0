package journal

import (
	"encoding/binary"
	"fmt"
	"os"

	"github.com/zeebo/xxh3"

	"rhumb/types"
)

// A checkpoint is a file: a header (Meta), then sections, then a footer, and nothing after it. It is written under a temporary name; Commit
// renames it, and that makes it valid.
//
//	section  kind 1 | shard 4 | length of operator 4 | length of data 8 | operator | xxh3-64 of all that 8 | data | xxh3-64 of head and data 8
//	footer   kind 1 | number of sections 8 | offset of the footer 8 | xxh3-64 of the sections' checksums 8 | xxh3-64 of all that 8
const (
	checkpointPrefix = "ckpt-"
	sectionFixed     = 17
	footerSize       = 33
	kindSection      = 1
	kindFooter       = 2
	maxOperatorName  = 1 << 12
	writeBuffer      = 256 << 10
)

// Meta is what a checkpoint says of itself.
type Meta struct {
	Step           uint64 // the state is that after this step
	Clock          int64  // of that step, microseconds
	CatalogVersion uint64
	HashSeed       uint64 // state is sharded by hash, so it must be kept
	Fingerprint    string // of the binary that wrote it: information, a checkpoint may be opened by another
	Sources        []SourcePosition
}

// SourcePosition is how far a source partition is consumed.
type SourcePosition struct {
	Object    uint32
	Partition int32
	Next      int64  // offset of the next record
	Identity  string // of the topic (connectors.TopicInfo.Identity)
}

func checkpointName(step uint64) string { return fmt.Sprintf("%s%020d", checkpointPrefix, step) }

func (m *Meta) appendTo(e *types.Encoder) {
	e.Uvarint(m.Step)
	e.Varint(m.Clock)
	e.Uvarint(m.CatalogVersion)
	e.U64(m.HashSeed)
	e.String(m.Fingerprint)
	e.Uvarint(uint64(len(m.Sources)))
	for i := range m.Sources {
		s := &m.Sources[i]
		e.Uvarint(uint64(s.Object))
		e.Varint(int64(s.Partition))
		e.Varint(s.Next)
		e.String(s.Identity)
	}
}

func decodeMeta(b []byte) (Meta, error) {
	d := types.Decoder{B: b}
	m := Meta{Step: d.Uvarint(), Clock: d.Varint(), CatalogVersion: d.Uvarint(), HashSeed: d.U64(), Fingerprint: d.String()}
	for range d.Len(4) {
		m.Sources = append(m.Sources, SourcePosition{Object: uint32(d.Uvarint()), Partition: int32(d.Varint()), Next: d.Varint(), Identity: d.String()})
	}
	return m, d.Err
}

// CheckpointWriter writes a checkpoint. It is not valid before Commit. After an error of NewCheckpoint, Section or Finish, Abort it and
// begin another one later.
type CheckpointWriter struct {
	fs       FS
	name     string
	file     File
	buf      []byte
	written  int64 // bytes of the file before buf
	seen     map[sectionKey]bool
	sums     xxh3.Hasher
	finished bool
	renamed  bool
}

type sectionKey struct {
	operator string
	shard    int32
}

// NewCheckpoint begins a checkpoint. Steps of checkpoints rise.
func NewCheckpoint(fs FS, m Meta) (*CheckpointWriter, error) {
	w := &CheckpointWriter{fs: fs, name: checkpointName(m.Step), seen: map[sectionKey]bool{}}
	f, err := fs.Open(w.name+tempSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND)
	if err != nil {
		return nil, fileError("create", w.name+tempSuffix, err)
	}
	w.file = f
	var meta types.Encoder
	m.appendTo(&meta)
	w.buf = appendHeader(w.buf, checkpointMagic, meta.B)
	return w, nil
}

// Section adds the state of one operator instance in one shard. The pair is new and the name has at most 4096 bytes.
func (w *CheckpointWriter) Section(operator string, shard int32, data []byte) error {
	key := sectionKey{operator, shard}
	if w.seen[key] || len(operator) > maxOperatorName {
		return types.Errorf(types.CodeInternal, "BUG: checkpoint section %q, shard %d: twice, or too long a name", operator, shard)
	}
	w.seen[key] = true
	head := sectionHead(operator, shard, uint64(len(data)))
	sum := sectionSum(head, data)
	var tail [sumSize]byte
	binary.LittleEndian.PutUint64(tail[:], sum)
	w.sums.Write(tail[:])
	w.buf = append(w.buf, head...)
	if len(w.buf)+len(data) > writeBuffer {
		if err := w.flush(); err != nil {
			return err
		}
		if len(data) > writeBuffer {
			// Not through the buffer: it would be copied for nothing.
			if err := w.write(data); err != nil {
				return err
			}
			data = nil
		}
	}
	w.buf = append(w.buf, data...)
	w.buf = append(w.buf, tail[:]...)
	return nil
}

// sectionHead is the bytes of a section before its data.
func sectionHead(operator string, shard int32, length uint64) []byte {
	b := make([]byte, 0, sectionFixed+len(operator)+sumSize)
	b = append(b, kindSection)
	b = binary.LittleEndian.AppendUint32(b, uint32(shard))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(operator)))
	b = binary.LittleEndian.AppendUint64(b, length)
	b = append(b, operator...)
	return binary.LittleEndian.AppendUint64(b, xxh3.Hash(b))
}

// sectionSum is the checksum of a section: a section's data never passes for that of another.
func sectionSum(head, data []byte) uint64 {
	var h xxh3.Hasher
	h.Write(head)
	h.Write(data)
	return h.Sum64()
}

func (w *CheckpointWriter) write(b []byte) error {
	if _, err := w.file.Write(b); err != nil {
		return fileError("write", w.name+tempSuffix, err)
	}
	w.written += int64(len(b))
	return nil
}

func (w *CheckpointWriter) flush() error {
	err := w.write(w.buf)
	w.buf = w.buf[:0]
	return err
}

// Finish writes the footer and makes the file durable. It is still not valid.
func (w *CheckpointWriter) Finish() error {
	w.buf = appendFooter(w.buf, uint64(len(w.seen)), uint64(w.written)+uint64(len(w.buf)), w.sums.Sum64())
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return fileError("sync", w.name+tempSuffix, err)
	}
	err := w.file.Close()
	w.file = nil
	if err != nil {
		return fileError("close", w.name+tempSuffix, err)
	}
	w.finished = true
	return nil
}

func appendFooter(dst []byte, sections, offset, sums uint64) []byte {
	start := len(dst)
	dst = append(dst, kindFooter)
	dst = binary.LittleEndian.AppendUint64(dst, sections)
	dst = binary.LittleEndian.AppendUint64(dst, offset)
	dst = binary.LittleEndian.AppendUint64(dst, sums)
	return binary.LittleEndian.AppendUint64(dst, xxh3.Hash(dst[start:]))
}

// Commit makes a finished checkpoint valid: call it when all outputs up to its step are acknowledged, and Journal.Cut when it has
// returned nil. It may be called again after an error.
func (w *CheckpointWriter) Commit() error {
	if !w.finished {
		return types.Errorf(types.CodeInternal, "BUG: checkpoint %s is committed before it is finished", w.name)
	}
	if !w.renamed {
		if err := w.fs.Rename(w.name+tempSuffix, w.name); err != nil {
			return fileError("rename", w.name+tempSuffix, err)
		}
		w.renamed = true
	}
	if err := w.fs.SyncDir(); err != nil {
		return fileError("sync the directory of", w.name, err)
	}
	return nil
}

// Abort removes a checkpoint that is not committed.
func (w *CheckpointWriter) Abort() error {
	if w.file != nil {
		w.file.Close()
		w.file = nil
	}
	if w.renamed {
		return nil
	}
	if err := w.fs.Remove(w.name + tempSuffix); err != nil {
		return fileError("remove", w.name+tempSuffix, err)
	}
	return nil
}
