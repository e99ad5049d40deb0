package catalog

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"rhumb/types"
)

// Catalog is the named objects of a data directory. A change is durable before it is seen. Safe for concurrent use: changes
// are made one at a time; reading takes a snapshot and never waits.
type Catalog struct {
	dir  string
	fs   fileSystem
	mu   sync.Mutex // held by changes
	snap atomic.Pointer[Snapshot]
	// broken is set when it is unknown which of two states is on disk: until the directory is opened again there can be no change
	// that would be safe to acknowledge. Guarded by mu.
	broken error
}

// Snapshot is the catalog at one version. It is immutable.
type Snapshot struct {
	dataID   string
	seed     uint64
	version  uint64
	next     uint32
	byName   map[string]*Object
	byNumber map[uint32]*Object
	old      []*Object // superseded versions to which an object is still bound, by number and version
}

var _ Lookup = (*Snapshot)(nil)

// Open loads the catalog of a data directory, or begins it with a hash seed and an id of its own. The caller holds the
// directory's Lock.
func Open(dir string) (*Catalog, error) { return open(dir, osFiles{}) }

func open(dir string, files fileSystem) (*Catalog, error) {
	c := &Catalog{dir: dir, fs: files}
	path := filepath.Join(dir, fileName)
	b, err := files.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, c.begin()
	}
	if err != nil {
		return nil, types.Errorf(types.CodeIO, "could not read %s: %s", path, err)
	}
	s, err := decodeFile(b)
	if err != nil {
		e := types.AsError(err)
		return nil, types.Errorf(e.Code, "the catalog file %s cannot be used: %s", path, e.Message).
			WithHint("Restore the file from a backup of the data directory; nothing has been changed.")
	}
	c.snap.Store(s)
	return c, nil
}

// begin writes the first version of a new catalog.
func (c *Catalog) begin() error {
	var b [24]byte
	if _, err := rand.Read(b[:]); err != nil {
		return types.Errorf(types.CodeInternal, "no randomness for the hash seed: %s", err)
	}
	return c.commit(&Snapshot{dataID: hex.EncodeToString(b[:16]), seed: binary.LittleEndian.Uint64(b[16:]), next: 1,
		byName: map[string]*Object{}, byNumber: map[uint32]*Object{}})
}

// Snapshot is the catalog as it is now.
func (c *Catalog) Snapshot() *Snapshot { return c.snap.Load() }

// Seed is the seed of every hash in the data directory.
func (s *Snapshot) Seed() uint64 { return s.seed }

// DataID is the id of the data directory.
func (s *Snapshot) DataID() string { return s.dataID }

// Version rises with every change.
func (s *Snapshot) Version() uint64 { return s.version }

// Object finds an object by name.
func (s *Snapshot) Object(name string) (*Object, bool) { o, ok := s.byName[name]; return o, ok }

// ByNumber finds an object by number.
func (s *Snapshot) ByNumber(n uint32) (*Object, bool) { o, ok := s.byNumber[n]; return o, ok }

// Names is the names of all objects, in order.
func (s *Snapshot) Names() []string { return slices.Sorted(maps.Keys(s.byName)) }

func (s *Snapshot) numbers() []uint32 { return slices.Sorted(maps.Keys(s.byNumber)) }

// at finds a version of an object, current or superseded.
func (s *Snapshot) at(number, version uint32) *Object {
	if o := s.byNumber[number]; o != nil && o.Version == version {
		return o
	}
	for _, o := range s.old {
		if o.Number == number && o.Version == version {
			return o
		}
	}
	return nil
}

// As is the catalog as o saw it when it was bound: what its query means does not change when a view that it uses is replaced. Only
// what o depends on is there.
func (s *Snapshot) As(o *Object) Lookup {
	p := pinned{byName: map[string]*Object{}}
	for i, n := range o.DependsOn {
		if dep := s.at(n, o.Versions[i]); dep != nil {
			p.byName[dep.Name] = dep
		}
	}
	return p
}

type pinned struct{ byName map[string]*Object }

func (p pinned) Object(name string) (*Object, bool) { o, ok := p.byName[name]; return o, ok }

func (p pinned) ByNumber(n uint32) (*Object, bool) {
	for _, o := range p.byName {
		if o.Number == n {
			return o, true
		}
	}
	return nil, false
}

func (p pinned) Names() []string { return slices.Sorted(maps.Keys(p.byName)) }

// Dependants are the objects that depend on any of these, themselves left out, in the order of their numbers.
func (s *Snapshot) Dependants(numbers ...uint32) []*Object {
	reached := map[uint32]bool{}
	for _, n := range numbers {
		reached[n] = true
	}
	var out []*Object
	// DependsOn lists what is reached through views too, but a stream of a stream only its own inputs: repeat until nothing is added.
	for again := true; again; {
		again = false
		for _, n := range s.numbers() {
			o := s.byNumber[n]
			if !reached[n] && slices.ContainsFunc(o.DependsOn, func(d uint32) bool { return reached[d] }) {
				reached[n], again = true, true
				out = append(out, o)
			}
		}
	}
	slices.SortFunc(out, func(a, b *Object) int { return int(a.Number) - int(b.Number) })
	return out
}

// edit returns a copy of the snapshot to be changed.
func (s *Snapshot) edit() *Snapshot {
	n := *s
	n.byName, n.byNumber, n.old = maps.Clone(s.byName), maps.Clone(s.byNumber), slices.Clone(s.old)
	return &n
}

// forget lets go of superseded versions to which nothing is bound any more.
func (s *Snapshot) forget() {
	type version struct{ number, version uint32 }
	used := map[version]bool{}
	for _, o := range s.byNumber {
		for i, n := range o.DependsOn {
			used[version{n, o.Versions[i]}] = true
		}
	}
	s.old = slices.DeleteFunc(s.old, func(o *Object) bool { return !used[version{o.Number, o.Version}] })
}

// commit makes s durable and then visible.
func (c *Catalog) commit(s *Snapshot) error {
	if c.broken != nil {
		return c.broken
	}
	s.version++
	s.forget()
	b, err := encodeFile(s)
	if err != nil {
		return types.Errorf(types.CodeInternal, "BUG: the catalog cannot be encoded: %s", err)
	}
	renamed, err := writeAtomically(c.fs, c.dir, fileName, b)
	if err == nil {
		c.snap.Store(s)
		return nil
	}
	path := filepath.Join(c.dir, fileName)
	failure := types.Errorf(types.CodeIO, "could not write %s: %s", path, err).
		WithHint("Nothing was changed. Check the disk, and repeat the statement.")
	if renamed {
		failure.WithHint("It is not known whether the change is on disk. Check the disk and restart rhumb: it will read what is there.")
		c.broken = types.Errorf(types.CodeIO, "the catalog is read-only since %s could not be written: %s", path, err).
			WithHint("Check the disk and restart rhumb.")
	}
	return failure
}
