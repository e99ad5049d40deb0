// Package faultfs is a journal.FS in memory for tests: it fails when told to, runs out of space, and crashes: then what was not synced is
// lost, whole or in part.
package faultfs

import (
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"

	"rhumb/executor/journal"
)

// FS is a directory in memory. It is not safe for concurrent use.
//
// It remembers of each file what is durable, by blocks, and of the directory the changes since it was last synced. It is as unkind as real
// file systems are: pages of one write reach the disk in any order, and a failed sync forgets which pages were dirty, so that syncing again
// succeeds without having written them.
type FS struct {
	// Fault is asked before each operation (nil = none fails). A write that fails has written half.
	Fault func(op Op, name string) error
	// Capacity is the number of bytes that fit, 0 = any.
	Capacity int64

	rng     *rand.Rand
	entries map[string]*inode
	durable map[string]*inode
	changes []func(map[string]*inode) // of the directory, since it was synced
}

// Op names an operation.
type Op string

// The operations.
const (
	Open     Op = "open"
	List     Op = "list"
	Rename   Op = "rename"
	Remove   Op = "remove"
	SyncDir  Op = "syncdir"
	Read     Op = "read"
	Write    Op = "write"
	Truncate Op = "truncate"
	Sync     Op = "sync"
)

const block = 512

// inode is a file: what programs see, what is on the disk, and which blocks of the former are to be written to the latter.
type inode struct {
	data, disk []byte
	dirty      map[int]bool
}

// New returns an empty directory whose crashes are decided by seed.
func New(seed uint64) *FS {
	return &FS{rng: rand.New(rand.NewPCG(seed, 1)), entries: map[string]*inode{}, durable: map[string]*inode{}}
}

// Crash is the power failing: open files are dead (do not use them), and the directory is what had reached the disk.
func (fs *FS) Crash() {
	kept := fs.rng.IntN(len(fs.changes) + 1)
	for _, change := range fs.changes[:kept] {
		change(fs.durable)
	}
	fs.entries, fs.changes = map[string]*inode{}, nil
	for _, name := range names(fs.durable) {
		fs.entries[name] = fs.durable[name].crash(fs.rng)
		fs.durable[name] = fs.entries[name]
	}
}

// names returns the names of a directory in an order that does not change from run to run.
func names(dir map[string]*inode) []string {
	var all []string
	for name := range dir {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// crash is what a file is after a crash: of its dirty blocks some were written, and so perhaps was its new length.
func (n *inode) crash(rng *rand.Rand) *inode {
	disk := slices.Clone(n.disk)
	if len(n.data) != len(n.disk) && rng.IntN(2) == 0 {
		lo, hi := min(len(n.data), len(n.disk)), max(len(n.data), len(n.disk))
		disk = resize(disk, lo+rng.IntN(hi-lo+1))
	}
	all := rng.IntN(3) == 0 // often the writes were all there
	for b := 0; b*block < len(disk); b++ {
		if n.dirty[b] && (all || rng.IntN(2) == 0) {
			copyBlock(disk, n.data, b)
		}
	}
	return &inode{data: disk, disk: slices.Clone(disk), dirty: map[int]bool{}}
}

func resize(b []byte, n int) []byte {
	if n <= len(b) {
		return b[:n]
	}
	return append(b, make([]byte, n-len(b))...)
}

func copyBlock(to, from []byte, b int) {
	lo := b * block
	if lo < len(to) && lo < len(from) {
		copy(to[lo:min(lo+block, len(to))], from[lo:min(lo+block, len(from))])
	}
}

// Flip flips a bit of a file, on the disk and off.
func (fs *FS) Flip(name string, offset int, bit uint) {
	n := fs.entries[name]
	n.data[offset] ^= 1 << bit
	if offset < len(n.disk) {
		n.disk[offset] ^= 1 << bit
	}
}

// Bytes returns a file's contents; nil if there is none.
func (fs *FS) Bytes(name string) []byte {
	if n := fs.entries[name]; n != nil {
		return n.data
	}
	return nil
}

// Put makes a file with these contents, durable.
func (fs *FS) Put(name string, b []byte) {
	n := &inode{data: slices.Clone(b), disk: slices.Clone(b), dirty: map[int]bool{}}
	fs.entries[name], fs.durable[name] = n, n
}

func (fs *FS) fault(op Op, name string) error {
	if fs.Fault == nil {
		return nil
	}
	if err := fs.Fault(op, name); err != nil {
		return &os.PathError{Op: string(op), Path: name, Err: err}
	}
	return nil
}

// change changes the directory, for now in memory alone.
func (fs *FS) change(f func(map[string]*inode)) {
	f(fs.entries)
	fs.changes = append(fs.changes, f)
}

// Open implements journal.FS.
func (fs *FS) Open(name string, flag int) (journal.File, error) {
	if err := fs.fault(Open, name); err != nil {
		return nil, err
	}
	n := fs.entries[name]
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		return nil, &os.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
	case n == nil:
		n = &inode{dirty: map[int]bool{}}
		fs.change(func(dir map[string]*inode) { dir[name] = n })
	case flag&os.O_TRUNC != 0:
		n.data = nil
	}
	return &file{fs: fs, name: name, node: n}, nil
}

// List implements journal.FS.
func (fs *FS) List() ([]journal.FileInfo, error) {
	if err := fs.fault(List, ""); err != nil {
		return nil, err
	}
	var files []journal.FileInfo
	for _, name := range names(fs.entries) {
		files = append(files, journal.FileInfo{Name: name, Size: int64(len(fs.entries[name].data))})
	}
	fs.rng.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	return files, nil
}

// Rename implements journal.FS.
func (fs *FS) Rename(from, to string) error {
	if err := fs.fault(Rename, from); err != nil {
		return err
	}
	n := fs.entries[from]
	if n == nil {
		return &os.PathError{Op: "rename", Path: from, Err: syscall.ENOENT}
	}
	fs.change(func(dir map[string]*inode) {
		delete(dir, from)
		dir[to] = n
	})
	return nil
}

// Remove implements journal.FS.
func (fs *FS) Remove(name string) error {
	if err := fs.fault(Remove, name); err != nil {
		return err
	}
	if fs.entries[name] == nil {
		return &os.PathError{Op: "remove", Path: name, Err: syscall.ENOENT}
	}
	fs.change(func(dir map[string]*inode) { delete(dir, name) })
	return nil
}

// SyncDir implements journal.FS.
func (fs *FS) SyncDir() error {
	if err := fs.fault(SyncDir, ""); err != nil {
		return err
	}
	for _, change := range fs.changes {
		change(fs.durable)
	}
	fs.changes = nil
	return nil
}

// used is the number of bytes of all files.
func (fs *FS) used() (n int64) {
	for _, f := range fs.entries {
		n += int64(len(f.data))
	}
	return n
}

// file is an open file. Writes append.
type file struct {
	fs   *FS
	name string
	node *inode
}

// ReadAt implements io.ReaderAt.
func (f *file) ReadAt(b []byte, off int64) (int, error) {
	if err := f.fs.fault(Read, f.name); err != nil {
		return 0, err
	}
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.node.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// Write implements io.Writer.
func (f *file) Write(b []byte) (int, error) {
	err := f.fs.fault(Write, f.name)
	whole := len(b)
	if err != nil {
		b = b[:whole/2]
	} else if room := f.fs.Capacity - f.fs.used(); f.fs.Capacity > 0 && int64(whole) > room {
		b = b[:max(room, 0)]
		err = &os.PathError{Op: "write", Path: f.name, Err: syscall.ENOSPC}
	}
	from := len(f.node.data)
	f.node.data = append(f.node.data, b...)
	f.node.touch(from, len(f.node.data))
	return len(b), err
}

func (n *inode) touch(from, to int) {
	for b := from / block; b*block < to; b++ {
		n.dirty[b] = true
	}
}

// Truncate implements journal.File.
func (f *file) Truncate(size int64) error {
	if err := f.fs.fault(Truncate, f.name); err != nil {
		return err
	}
	f.node.data = resize(slices.Clone(f.node.data), int(size))
	// A block that is cut in two is written again, with zeros behind the end.
	f.node.touch(int(size), int(size)+1)
	return nil
}

// Sync implements journal.File.
func (f *file) Sync() error {
	n := f.node
	err := f.fs.fault(Sync, f.name)
	if err == nil {
		n.disk = resize(n.disk, len(n.data))
		for b := range n.dirty {
			copyBlock(n.disk, n.data, b)
		}
	}
	clear(n.dirty)
	return err
}

// Close implements io.Closer.
func (f *file) Close() error { return nil }
