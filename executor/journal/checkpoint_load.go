package journal

import (
	"encoding/binary"
	"os"
	"slices"

	"github.com/zeebo/xxh3"
)

// Checkpoint is an open, verified checkpoint. Its methods are safe for concurrent use.
type Checkpoint struct {
	Meta     Meta
	name     string
	file     File
	sections []section // by operator, shard
}

// section is where a section's data lies.
type section struct {
	sectionKey
	offset int64
	length int64
	sum    uint64
}

// LoadCheckpoint opens the newest valid checkpoint; nil if there is none. All of it is verified. If it is damaged that is an error that names the
// file, and never an older checkpoint instead: the journal in between is cut.
func LoadCheckpoint(fs FS) (*Checkpoint, error) {
	files, err := fs.List()
	if err != nil {
		return nil, fileError("list", "the directory of the checkpoints", err)
	}
	var newest *FileInfo
	for i := range files {
		if _, ok := stepOf(files[i].Name, checkpointPrefix); ok && (newest == nil || files[i].Name > newest.Name) {
			newest = &files[i]
		}
	}
	if newest == nil {
		return nil, nil
	}
	f, err := fs.Open(newest.Name, os.O_RDONLY)
	if err != nil {
		return nil, fileError("open", newest.Name, err)
	}
	c := &Checkpoint{name: newest.Name, file: f}
	if err := c.verify(newest.Size); err != nil {
		f.Close()
		return nil, err
	}
	return c, nil
}

// verify reads the whole file and notes where the sections are.
func (c *Checkpoint) verify(size int64) error {
	r := &verifier{c: c, size: size}
	if err := r.header(); err != nil {
		return err
	}
	for {
		kind, err := r.bytes(1)
		if err != nil {
			return err
		}
		switch kind[0] {
		case kindSection:
			if err := r.section(); err != nil {
				return err
			}
		case kindFooter:
			if err := r.footer(); err != nil {
				return err
			}
			return c.sort()
		default:
			return damaged(c.name, r.at-1, "no section begins here")
		}
	}
}

// sort orders the sections for look-up.
func (c *Checkpoint) sort() error {
	slices.SortFunc(c.sections, func(a, b section) int { return a.compare(b.sectionKey) })
	for i := 1; i < len(c.sections); i++ {
		if c.sections[i].sectionKey == c.sections[i-1].sectionKey {
			return damaged(c.name, c.sections[i].offset, "a section is there twice")
		}
	}
	return nil
}

func (k sectionKey) compare(o sectionKey) int {
	switch {
	case k.operator < o.operator || k.operator == o.operator && k.shard < o.shard:
		return -1
	case k == o:
		return 0
	}
	return 1
}

// verifier reads a checkpoint from front to back. It never asks for more memory than the file has bytes left.
type verifier struct {
	c    *Checkpoint
	size int64
	at   int64
	buf  []byte
	sums xxh3.Hasher
}

// bytes reads the next n bytes, valid until the next call.
func (r *verifier) bytes(n int64) ([]byte, error) {
	if n > r.size-r.at {
		return nil, damaged(r.c.name, r.at, "the file ends before its footer")
	}
	r.buf = slices.Grow(r.buf[:0], int(n))[:n]
	if m, err := r.c.file.ReadAt(r.buf, r.at); m < len(r.buf) {
		return nil, fileError("read", r.c.name, err)
	}
	r.at += n
	return r.buf, nil
}

func (r *verifier) header() error {
	fixed, err := r.bytes(min(headerFixed, r.size))
	if err != nil {
		return err
	}
	if len(fixed) == headerFixed {
		size := min(headerSize(fixed), r.size)
		r.at = 0
		if fixed, err = r.bytes(size); err != nil {
			return err
		}
	}
	payload, _, herr := parseHeader(r.c.name, checkpointMagic, fixed)
	if herr != nil {
		return herr
	}
	if r.c.Meta, err = decodeMeta(payload); err != nil || checkpointName(r.c.Meta.Step) != r.c.name {
		return damaged(r.c.name, 0, "the header does not fit the file")
	}
	return nil
}

// section reads a section whose kind has been read.
func (r *verifier) section() error {
	start := r.at - 1
	b, err := r.bytes(sectionFixed - 1)
	if err != nil {
		return err
	}
	s := section{sectionKey: sectionKey{shard: int32(binary.LittleEndian.Uint32(b))}}
	nameLen, length := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint64(b[8:])
	if nameLen > maxOperatorName {
		return damaged(r.c.name, start, "the head of a section is wrong")
	}
	if b, err = r.bytes(int64(nameLen) + sumSize); err != nil {
		return err
	}
	s.operator = string(b[:nameLen])
	head := sectionHead(s.operator, s.shard, length)
	if string(head[sectionFixed+nameLen:]) != string(b[nameLen:]) {
		return damaged(r.c.name, start, "the checksum of a section's head is wrong")
	}
	if length > uint64(r.size-r.at) {
		return damaged(r.c.name, start, "a section is longer than the file")
	}
	s.offset, s.length = r.at, int64(length)
	var h xxh3.Hasher
	h.Write(head)
	for left := s.length; left > 0; {
		part, err := r.bytes(min(left, writeBuffer))
		if err != nil {
			return err
		}
		h.Write(part)
		left -= int64(len(part))
	}
	s.sum = h.Sum64()
	if b, err = r.bytes(sumSize); err != nil {
		return err
	}
	if binary.LittleEndian.Uint64(b) != s.sum {
		return damaged(r.c.name, start, "the checksum of section "+s.operator+" is wrong")
	}
	r.sums.Write(b)
	r.c.sections = append(r.c.sections, s)
	return nil
}

// footer reads the footer, whose kind has been read.
func (r *verifier) footer() error {
	start := r.at - 1
	b, err := r.bytes(footerSize - 1)
	if err != nil {
		return err
	}
	want := appendFooter(nil, uint64(len(r.c.sections)), uint64(start), r.sums.Sum64())
	if string(b) != string(want[1:]) {
		return damaged(r.c.name, start, "the footer does not fit the sections")
	}
	if r.at != r.size {
		return damaged(r.c.name, r.at, "there are bytes after the footer")
	}
	return nil
}

// Section returns the bytes of an operator's shard, nil if there is no such section.
func (c *Checkpoint) Section(operator string, shard int32) ([]byte, error) {
	i, ok := slices.BinarySearchFunc(c.sections, sectionKey{operator, shard}, func(s section, k sectionKey) int { return s.compare(k) })
	if !ok {
		return nil, nil
	}
	s := &c.sections[i]
	b := make([]byte, s.length)
	if n, err := c.file.ReadAt(b, s.offset); n < len(b) {
		return nil, fileError("read", c.name, err)
	}
	// Once more: what is used is what was verified.
	if sectionSum(sectionHead(operator, shard, uint64(s.length)), b) != s.sum {
		return nil, damaged(c.name, s.offset, "the checksum of section "+operator+" is wrong")
	}
	return b, nil
}

// Shards returns the shards of which an operator has a section, ascending.
func (c *Checkpoint) Shards(operator string) []int32 {
	var shards []int32
	for i := range c.sections {
		if c.sections[i].operator == operator {
			shards = append(shards, c.sections[i].shard)
		}
	}
	return shards
}

// Operators returns the operators that have sections, in the order of their names.
func (c *Checkpoint) Operators() []string {
	var names []string
	for i := range c.sections {
		if n := len(names); n == 0 || names[n-1] != c.sections[i].operator {
			names = append(names, c.sections[i].operator)
		}
	}
	return names
}

// Close closes the file.
func (c *Checkpoint) Close() error { return c.file.Close() }
