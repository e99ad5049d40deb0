// Package sqlite is the embedded document store: one SQLite file (zombiezen.com/go/sqlite, pure Go) that any SQLite tool can read.
//
// The file holds
//
//	doc_<object>        the documents of an object: typed columns c0, c1, ... in the order of its schema, and the system columns
//	doc_<object>_old<g> documents under an earlier definition, kept until the object is dropped
//	CEPSchema           one row per object: its name and, as JSON, what it is and what its columns are
//	rhumb_cursor        how far each object's topic has been applied, written in the transaction of the documents
//	rhumb_topic         names of streams by number, which lineage refers to
//	a view per object   under the user's names, with times as ISO 8601 and lineage as JSON: for people, not for Rhumb
//
// Rhumb's statements contain generated names only (doc_41, c0); the user's names stand in views, quoted, and nowhere else. Values are always
// bound parameters.
//
// A document has no JSON copy beside its columns: the columns hold every value, exactly, where JSONB has no dates, decimals or
// binary; a second copy would double the bytes that each revision writes, and bytes written are the cost (see BenchmarkApply).
//
// Settings. Measured on the bare layout (documents of 1 KB with 14 events, transactions of 20,000, half of them replacing, to 1 M documents)
// on a machine of two cores that was not idle, so the CPU time says more than the rate:
//
//	                                    upserts/s   CPU µs each   file
//	8 KB pages, in order of ids         27,700      32.2          1,009 MB    chosen
//	  a cache of 512 MB                 28,400      30.6          1,009 MB    256 MB was chosen
//	  pages of 16 KB                    26,700      31.6            961 MB
//	  in the order of the topic         23,800      35.6          1,010 MB
//	  rows clustered by id              13,400      60.5          1,221 MB    WITHOUT ROWID
//	4 KB pages, in order of ids         25,600      35.4          1,123 MB
//	  synchronous = NORMAL              25,800      34.9          1,123 MB    FULL costs 1 %: an fsync for some 100 MB
//	  a cache of 64 MB                  19,900      42.6          1,123 MB
//	  two entity columns                21,000      41.2          1,149 MB
//
// Looking a document up first, to leave alone the indexes that it does not change, costs more than it saves when last_event changes (36.0 µs),
// and it nearly always does. Checkpoints cost too little to give them a connection of their own (28 to 32 µs with and without any).
// FULL, because the records of what NORMAL may lose can be past retention.
package sqlite

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"rhumb/connectors"
	"rhumb/types"
)

const (
	applicationID = 0x52484d42 // "RHMB", in the file's header
	formatVersion = 1          // of the file; in user_version

	pageSize       = 8192
	checkpointSize = 256 << 20 // of the write-ahead log
	writerCache    = 256 << 20 // bytes of pages; a transaction of 20,000 documents changes about 100 MB of them
	readerCache    = 32 << 20
	idleReaders    = 4 // connections kept open for the next scan
)

// Store is the documents of all objects in one file. Safe for concurrent use: one transaction writes at a time, scans read beside it.
type Store struct {
	path   string
	writer chan *sqlite.Conn // the one writing connection, taken out while it is used

	mu      sync.Mutex
	closed  bool
	readers []*sqlite.Conn     // idle
	objects map[uint32]*object // what is defined; an object is never changed, only replaced
	topics  map[uint32]string  // never changed, only replaced
}

// Open opens or creates the store in the file path. The file belongs to one process at a time for writing; others may read it.
func Open(path string) (connectors.Store, error) {
	s := &Store{path: path, writer: make(chan *sqlite.Conn, 1), objects: map[uint32]*object{}, topics: map[uint32]string{}}
	if path == "" {
		return nil, types.Errorf(types.CodeInvalidOption, "the store needs the path of a file")
	}
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return nil, s.fault("opening it", err)
	}
	if err := s.prepareFile(conn); err != nil {
		conn.Close()
		return nil, err
	}
	s.writer <- conn
	return s, nil
}

// prepareFile verifies that the file is ours or new, sets up the connection and the tables, and loads the definitions.
func (s *Store) prepareFile(conn *sqlite.Conn) error {
	app, err := sqlitex.ResultInt64(conn.Prep("PRAGMA application_id"))
	if err != nil {
		return s.fault("opening it", err)
	}
	version, err := sqlitex.ResultInt64(conn.Prep("PRAGMA user_version"))
	if err != nil {
		return s.fault("opening it", err)
	}
	tables, err := sqlitex.ResultInt64(conn.Prep("SELECT count(*) FROM sqlite_schema"))
	if err != nil {
		return s.fault("opening it", err)
	}
	switch {
	case app != applicationID && tables > 0:
		return types.Errorf(types.CodeNotInPrerequisite, "%s is an SQLite database of another program", s.path).
			WithHint("Name another file.")
	case version > formatVersion:
		return types.Errorf(types.CodeNotInPrerequisite, "%s was written by a newer Rhumb (format %d, this one reads %d)", s.path, version, formatVersion).
			WithHint("Use that version of Rhumb, or name another file.")
	}
	if err := s.configure(conn, writerCache); err != nil {
		return err
	}
	if err := sqlitex.ExecuteTransient(conn, fmt.Sprintf("PRAGMA page_size = %d", pageSize), nil); err != nil {
		return s.fault("preparing it", err)
	}
	mode, err := sqlitex.ResultText(conn.Prep("PRAGMA journal_mode = WAL"))
	if err == nil && mode != "wal" {
		return types.Errorf(types.CodeIO, "the document store %s cannot keep a write-ahead log here", s.path).
			WithHint("The file must lie on a local disk: network file systems do not share memory.")
	}
	if err != nil {
		return s.fault("preparing it", err)
	}
	for _, stmt := range []string{
		"PRAGMA synchronous = FULL",
		"PRAGMA legacy_alter_table = ON", // renaming a table leaves views that users made as they are
		fmt.Sprintf("PRAGMA wal_autocheckpoint = %d", checkpointSize/pageSize),
		fmt.Sprintf("PRAGMA journal_size_limit = %d", 2*checkpointSize),
		fmt.Sprintf("PRAGMA application_id = %d", applicationID),
		fmt.Sprintf("PRAGMA user_version = %d", formatVersion),
		"CREATE TABLE IF NOT EXISTS CEPSchema (object INTEGER PRIMARY KEY, name TEXT NOT NULL, document TEXT NOT NULL)",
		"CREATE TABLE IF NOT EXISTS rhumb_topic (object INTEGER PRIMARY KEY, name TEXT NOT NULL)",
		"CREATE TABLE IF NOT EXISTS rhumb_cursor (object INTEGER PRIMARY KEY, position BLOB NOT NULL)",
	} {
		if err := sqlitex.ExecuteTransient(conn, stmt, nil); err != nil {
			return s.fault("preparing it", err)
		}
	}
	return s.load(conn)
}

// configure sets up what every connection needs.
func (s *Store) configure(conn *sqlite.Conn, cache int) error {
	for name, compare := range collations() {
		if err := conn.SetCollation(name, compare); err != nil {
			return s.fault("opening it", err)
		}
	}
	if err := sqlitex.ExecuteTransient(conn, fmt.Sprintf("PRAGMA cache_size = -%d", cache>>10), nil); err != nil {
		return s.fault("opening it", err)
	}
	return nil
}

// Close waits for the transaction that is being written. Scans that are still running end on their own.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	idle := s.readers
	s.readers = nil
	s.mu.Unlock()
	for _, conn := range idle {
		conn.Close()
	}
	conn := <-s.writer
	close(s.writer)
	if err := conn.Close(); err != nil {
		return s.fault("closing it", err)
	}
	return nil
}

func (s *Store) errClosed() error {
	return types.Errorf(types.CodeNotInPrerequisite, "the store %s is closed", s.path)
}

// write runs fn in a transaction of its own: all of it is there afterwards, or nothing.
func (s *Store) write(ctx context.Context, doing string, fn func(conn *sqlite.Conn) error) (err error) {
	var conn *sqlite.Conn
	var open bool
	select {
	case conn, open = <-s.writer:
		if !open {
			return s.errClosed()
		}
	case <-ctx.Done():
		return canceled(ctx)
	}
	defer func() { s.writer <- conn }()
	defer conn.SetInterrupt(conn.SetInterrupt(ctx.Done()))

	if err = execute(conn, "BEGIN IMMEDIATE"); err == nil {
		if err = fn(conn); err == nil {
			err = execute(conn, "COMMIT")
		}
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = canceled(ctx)
	}
	// SQLite has ended the transaction itself after some errors. What is interrupted could not be rolled back.
	conn.SetInterrupt(nil)
	if !conn.AutocommitEnabled() {
		if rollback := execute(conn, "ROLLBACK"); rollback != nil {
			return s.fault("rolling back after: "+err.Error(), rollback)
		}
	}
	return s.fault(doing, err)
}

// execute runs a statement without results, which stays prepared.
func execute(conn *sqlite.Conn, sql string, args ...any) error {
	return sqlitex.Execute(conn, sql, &sqlitex.ExecOptions{Args: args})
}

// reader hands out a connection for reading; done gives it back.
func (s *Store) reader(ctx context.Context) (conn *sqlite.Conn, err error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, s.errClosed()
	}
	if n := len(s.readers); n > 0 {
		conn = s.readers[n-1]
		s.readers = s.readers[:n-1]
	}
	s.mu.Unlock()
	if conn == nil {
		if conn, err = s.openReader(); err != nil {
			return nil, err
		}
	}
	conn.SetInterrupt(ctx.Done())
	return conn, nil
}

func (s *Store) openReader() (*sqlite.Conn, error) {
	conn, err := sqlite.OpenConn(s.path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, s.fault("opening it", err)
	}
	if err = s.configure(conn, readerCache); err == nil {
		if err = sqlitex.ExecuteTransient(conn, "PRAGMA query_only = ON", nil); err != nil {
			err = s.fault("opening it", err)
		}
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func (s *Store) done(conn *sqlite.Conn) {
	conn.SetInterrupt(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.readers) >= idleReaders {
		conn.Close()
		return
	}
	s.readers = append(s.readers, conn)
}

// object finds a definition.
func (s *Store) object(number uint32) (*object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, s.errClosed()
	}
	if o := s.objects[number]; o != nil {
		return o, nil
	}
	return nil, types.Errorf(types.CodeUndefinedTable, "the store %s has no documents of object %d", s.path, number)
}

// setObject makes a committed definition known; nil removes it.
func (s *Store) setObject(number uint32, o *object, topics map[uint32]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects = maps.Clone(s.objects)
	if o == nil {
		delete(s.objects, number)
	} else {
		s.objects[number] = o
	}
	merged := maps.Clone(s.topics)
	maps.Copy(merged, topics)
	s.topics = merged
}
