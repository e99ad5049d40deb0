package sqlite

import (
	"context"
	"errors"
	"os"

	"zombiezen.com/go/sqlite"

	"rhumb/types"
)

// fault turns an error of SQLite into one that a user can act on. What is a *types.Error already stays as it is.
func (s *Store) fault(doing string, err error) error {
	var known *types.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	failed := func(code, what string) *types.Error {
		return types.Errorf(code, "the document store %s: %s: %s", s.path, doing, what).WithDetail("%v", err)
	}
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultFull:
		return failed(types.CodeDiskFull, "no space left").WithHint("Free space on the disk of the data directory; writing goes on by itself.")
	case sqlite.ResultIOErr, sqlite.ResultPerm, sqlite.ResultReadOnly, sqlite.ResultAuth, sqlite.ResultNoLFS, sqlite.ResultProtocol:
		return failed(types.CodeIO, "reading or writing the file failed").WithHint("Look at the disk, the file's permissions and the system's log.")
	case sqlite.ResultCantOpen:
		e := failed(types.CodeIO, "the file cannot be opened")
		if _, statErr := os.Stat(s.path); statErr != nil {
			e.Detail = statErr.Error()
		}
		return e.WithHint("Does the directory exist, and may this user write to it?")
	case sqlite.ResultCorrupt, sqlite.ResultNotADB:
		return failed(types.CodeDataCorrupted, "the file is damaged or is no SQLite database").
			WithHint("Stop Rhumb, move %s away (with -wal and -shm, if they are there), and start again: documents are made anew from the topics. "+
				"`sqlite3 %s .recover` reads what is left of the old file.", s.path, s.path)
	case sqlite.ResultNoMem:
		return failed(types.CodeOutOfMemory, "out of memory")
	case sqlite.ResultTooBig:
		return failed(types.CodeProgramLimit, "a value or statement is too large")
	case sqlite.ResultInterrupt:
		return failed(types.CodeCanceled, "canceled")
	case sqlite.ResultBusy, sqlite.ResultLocked:
		return failed(types.CodeObjectInUse, "another program holds the file").WithHint("Close other programs that write to it.")
	}
	return failed(types.CodeInternal, "BUG: SQLite refused a statement")
}

func canceled(ctx context.Context) error {
	return types.Errorf(types.CodeCanceled, "canceling statement: %v", context.Cause(ctx))
}

// damaged says that a stored value is none of its type.
func (s *Store) damaged(o *object, column, value string) error {
	return types.Errorf(types.CodeDataCorrupted, "the document store %s: %s holds a value in column %q that is none of its type", s.path, o.table, column).
		WithDetail("The value begins with %q.", value[:min(len(value), 40)]).
		WithHint("Did another program write to the file?")
}
