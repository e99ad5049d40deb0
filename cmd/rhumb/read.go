package main

import (
	"context"
	"io"
	"os"
	"slices"

	"rhumb/connectors/file"
)

// readAll reads a file of statements; - is standard input.
func readAll(env *environ, name string) (string, error) {
	if name == "-" {
		b, err := io.ReadAll(env.stdin)
		return string(b), err
	}
	b, err := os.ReadFile(name)
	return string(b), err
}

// stdinLines is the records of standard input. A read from it cannot be interrupted, so it is done elsewhere and left there when the
// command is.
type stdinLines struct {
	ctx  context.Context
	recs chan stdinRecord
}

type stdinRecord struct {
	line   []byte
	number int64
	err    error
}

func readStdin(ctx context.Context) *stdinLines {
	s := &stdinLines{ctx: ctx, recs: make(chan stdinRecord, 1024)}
	go s.read()
	return s
}

func (s *stdinLines) read() {
	f, err := file.Open("-")
	for err == nil {
		var r stdinRecord
		r.line, r.number, err = f.Next()
		if err != nil {
			break
		}
		r.line = slices.Clone(r.line)
		if !s.send(r) {
			return
		}
	}
	s.send(stdinRecord{err: err})
}

func (s *stdinLines) send(r stdinRecord) bool {
	select {
	case s.recs <- r:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// Next returns the next record.
func (s *stdinLines) Next() ([]byte, int64, error) {
	select {
	case r := <-s.recs:
		return r.line, r.number, r.err
	case <-s.ctx.Done():
		return nil, 0, s.ctx.Err()
	}
}

// Identity is empty: what comes in cannot be told from what came before.
func (s *stdinLines) Identity() string { return "" }
