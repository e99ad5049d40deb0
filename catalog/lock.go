package catalog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"rhumb/types"
)

const lockName = "LOCK"

// errLocked is what the platform's lockFile returns when another process has the lock.
var errLocked = errors.New("locked")

// DirLock is a process's exclusive right to a data directory. The operating system takes it back when the process ends, however it
// ends. The file itself stays: removing it would let two processes lock two files of one name.
type DirLock struct{ f *os.File }

// Lock takes the directory's lock, or refuses with 55006 and the other process's id.
func Lock(dir string) (*DirLock, error) {
	path := filepath.Join(dir, lockName)
	f, err := lockFile(path)
	if errors.Is(err, errLocked) {
		return nil, types.Errorf(types.CodeObjectInUse, "data directory %s is in use by another rhumb process (pid %s)", dir, lockHolder(path)).
			WithHint("Stop that process, or start this one with another data directory.")
	}
	if err != nil {
		return nil, types.Errorf(types.CodeIO, "could not lock data directory %s: %s", dir, err)
	}
	if err := writePid(f); err != nil {
		return nil, errors.Join(types.Errorf(types.CodeIO, "could not write %s: %s", path, err), f.Close())
	}
	return &DirLock{f}, nil
}

// Unlock gives the directory free.
func (l *DirLock) Unlock() error { return l.f.Close() }

func writePid(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return err
}

// lockHolder is the process id in the lock file; "unknown" in the moment between locking and writing.
func lockHolder(path string) string {
	b, err := os.ReadFile(path)
	pid := strings.TrimSpace(string(b))
	if _, perr := strconv.Atoi(pid); err != nil || perr != nil {
		return "unknown"
	}
	return pid
}
