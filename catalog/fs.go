package catalog

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// fileSystem is what the catalog needs of the operating system; tests put faults in its place.
type fileSystem interface {
	ReadFile(name string) ([]byte, error)
	// Create opens a file for writing, emptying it if it exists.
	Create(name string) (syncFile, error)
	Rename(from, to string) error
	// SyncDir makes a directory's entries durable.
	SyncDir(dir string) error
}

type syncFile interface {
	io.WriteCloser
	Sync() error
}

type osFiles struct{}

func (osFiles) ReadFile(name string) ([]byte, error) { return os.ReadFile(name) }

func (osFiles) Create(name string) (syncFile, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
}

func (osFiles) Rename(from, to string) error { return os.Rename(from, to) }

func (osFiles) SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be flushed there; NTFS journals the rename
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

// writeAtomically replaces dir/name by b: after a crash at any point the file is the old one or the new one, whole. renamed reports
// whether the new file may already be in place when err is not nil.
func writeAtomically(fs fileSystem, dir, name string, b []byte) (renamed bool, err error) {
	path := filepath.Join(dir, name)
	temp := path + ".tmp"
	f, err := fs.Create(temp)
	if err != nil {
		return false, err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return false, err
	}
	if err := fs.Rename(temp, path); err != nil {
		return true, err
	}
	return true, fs.SyncDir(dir)
}
