// Package journal keeps the files of a dataflow in one directory: the journal, a record of every step, and the checkpoints,
// the state between two steps. Together they are what a dataflow recovers from (docs/DESIGN.md).
package journal

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"rhumb/types"
)

// FS is the one directory that a dataflow's files lie in; names have no slashes. What was written to a file survives a crash after
// File.Sync, a change of the directory (create, rename, remove) after SyncDir. Tests put faults behind it (package faultfs).
type FS interface {
	// Open opens a file with flags of os.OpenFile.
	Open(name string, flag int) (File, error)
	// List returns the files in no particular order.
	List() ([]FileInfo, error)
	// Rename replaces the target if there is one.
	Rename(from, to string) error
	Remove(name string) error
	SyncDir() error
}

// File is an open file.
type File interface {
	io.ReaderAt
	io.Writer // appends, if opened with os.O_APPEND
	Truncate(size int64) error
	Sync() error
	io.Closer
}

// FileInfo is an entry of the directory.
type FileInfo struct {
	Name string
	Size int64
}

type osDir string

// Dir returns the directory of the operating system as an FS. It is created if there is none.
func Dir(path string) (FS, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fileError("create directory", path, err)
	}
	// The entry of the directory itself must survive, too.
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, fileError("sync directory", filepath.Dir(path), err)
	}
	return osDir(path), nil
}

func (d osDir) Open(name string, flag int) (File, error) {
	return os.OpenFile(filepath.Join(string(d), name), flag, 0o600)
}

func (d osDir) List() ([]FileInfo, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	var files []FileInfo
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		files = append(files, FileInfo{e.Name(), info.Size()})
	}
	return files, nil
}

func (d osDir) Rename(from, to string) error {
	return os.Rename(filepath.Join(string(d), from), filepath.Join(string(d), to))
}

func (d osDir) Remove(name string) error { return os.Remove(filepath.Join(string(d), name)) }

func (d osDir) SyncDir() error { return syncDir(string(d)) }

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// fileError makes a user's error of a failed file operation.
func fileError(doing, name string, err error) *types.Error {
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
		if path.Path != "" {
			name = path.Path
		}
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return types.Errorf(types.CodeDiskFull, "cannot %s %s: no space left", doing, name).
			WithHint("make room on the disk of the data directory; the dataflow goes on by itself")
	}
	return types.Errorf(types.CodeIO, "cannot %s %s: %v", doing, name, err)
}

// damaged is the error of a file that does not hold what was written to it.
func damaged(name string, offset int64, what string) *types.Error {
	return types.Errorf(types.CodeDataCorrupted, "%s is damaged at offset %d: %s", name, offset, what).
		WithHint("restore the directory from a backup, or drop and create the query again")
}
