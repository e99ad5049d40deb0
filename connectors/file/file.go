// Package file reads files of events, one a line, for loading them into a stream.
package file

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"rhumb/types"
)

const (
	bufferSize = 256 << 10
	// maxLine is the longest line that is read.
	maxLine = 16 << 20
	// identityBytes is how much of the content the identity looks at.
	identityBytes = 4 << 10
	// maxWindow bounds the memory that a zstd file may ask for: what zstd --long uses.
	maxWindow = 128 << 20
)

var byteOrderMark = []byte("\xef\xbb\xbf")

// Reader reads the lines of a file, compressed (gzip, zstd) or not. It decompresses as it reads, so its memory does not depend on what the
// file inflates to.
type Reader struct {
	name     string
	identity string
	closers  []func() error
	lines    *bufio.Reader
	long     []byte // a line longer than the buffer
	number   int64
	err      error // what Next will go on returning
}

// Open opens a file; "-" is the standard input.
func Open(path string) (*Reader, error) {
	if path == "-" {
		return open("standard input", os.Stdin, "")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, openError(path, err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = types.Errorf(types.CodeWrongObjectType, "%s is a directory", path).WithHint("Name a file, or several with one --load each.")
	}
	var abs string
	if err == nil {
		abs, err = filepath.Abs(path)
	}
	if err != nil {
		f.Close()
		return nil, openError(path, err)
	}
	r, err := open(path, f, abs)
	if err != nil {
		f.Close()
		return nil, err
	}
	r.closers = append(r.closers, f.Close)
	return r, nil
}

func openError(path string, err error) error {
	var e *types.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, fs.ErrNotExist):
		return types.Errorf("58P01", "file %s does not exist", path)
	}
	return types.Errorf(types.CodeIO, "cannot open the file: %v", err)
}

// open reads from f. path is where the file is; empty if it is none.
func open(name string, f io.Reader, path string) (*Reader, error) {
	r := &Reader{name: name}
	raw := bufio.NewReaderSize(f, bufferSize)
	magic, err := raw.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, r.readError(err)
	}
	isGzip, isZstd := bytes.HasPrefix(magic, []byte{0x1f, 0x8b}), bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd})
	ext := strings.ToLower(filepath.Ext(path))
	switch {
	case isGzip:
		z, err := gzip.NewReader(raw)
		if err != nil {
			return nil, r.readError(err)
		}
		r.lines = bufio.NewReaderSize(z, bufferSize)
	case isZstd:
		z, err := zstd.NewReader(raw, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, r.readError(err)
		}
		r.closers = append(r.closers, func() error { z.Close(); return nil })
		r.lines = bufio.NewReaderSize(z, bufferSize)
	case len(magic) > 0 && (ext == ".gz" || ext == ".zst"):
		return nil, types.Errorf(types.CodeDataCorrupted, "%s is not compressed as its name says", name)
	default:
		r.lines = raw
	}
	most := identityBytes
	if path == "" {
		most = len(byteOrderMark) // what comes in by and by is not waited for
	}
	first, err := r.lines.Peek(most)
	if err != nil && !errors.Is(err, io.EOF) {
		r.Close()
		return nil, r.readError(err)
	}
	if path != "" {
		r.identity = identify(path, first)
	}
	if bytes.HasPrefix(first, byteOrderMark) {
		_, _ = r.lines.Discard(len(byteOrderMark)) // it was peeked at
	}
	return r, nil
}

// identify hashes a file's place and its first line, or the beginning of it: both stay when something is appended.
func identify(path string, content []byte) string {
	if i := bytes.IndexByte(content, '\n'); i >= 0 {
		content = content[:i]
	}
	h := sha256.New()
	h.Write([]byte(path))
	h.Write([]byte{0})
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Identity tells files apart: another file in the same place has another identity, the same file grown or compressed anew has the
// same. It is empty for the standard input. A first line that is not complete yet makes an identity that does not last.
func (r *Reader) Identity() string { return r.identity }

// Next returns the next line that is not empty, without its end (\n or \r\n), and its number, from 1. The line is valid until
// the next call. At the end the error is io.EOF; others are *types.Error.
func (r *Reader) Next() (line []byte, number int64, err error) {
	for {
		line, err := r.line()
		if err != nil {
			return nil, 0, err
		}
		if len(line) > 0 {
			return line, r.number, nil
		}
	}
}

// line returns the next line, which may be empty.
func (r *Reader) line() ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	line, err := r.lines.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = r.longLine(line)
	}
	switch {
	case err == nil:
		line = line[:len(line)-1]
	case errors.Is(err, io.EOF) && len(line) > 0: // the last line need not end
	case errors.Is(err, io.EOF):
		r.err = io.EOF
		return nil, r.err
	default:
		r.err = r.readError(err)
		return nil, r.err
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if len(line) > maxLine {
		r.err = r.tooLong()
		return nil, r.err
	}
	r.number++
	return line, nil
}

// longLine puts together a line that is longer than the buffer.
func (r *Reader) longLine(part []byte) ([]byte, error) {
	r.long = append(r.long[:0], part...)
	for {
		part, err := r.lines.ReadSlice('\n')
		r.long = append(r.long, part...)
		if len(r.long) > maxLine+2 { // with its end
			return nil, r.tooLong()
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return r.long, err
		}
	}
}

func (r *Reader) tooLong() *types.Error {
	return types.Errorf(types.CodeProgramLimit, "%s: line %d is longer than %d MiB", r.name, r.number+1, maxLine>>20).
		WithHint("Is it one record per line?")
}

// Skip passes over the first n lines, those that Next has numbered 1 to n. It is for a Reader that has not been read from.
func (r *Reader) Skip(n int64) error {
	for r.number < n {
		if _, err := r.line(); errors.Is(err, io.EOF) {
			return types.Errorf(types.CodeNotInPrerequisite, "%s has %d lines, but %d were loaded from it before", r.name, r.number, n).
				WithDetail("It was cut, or another file with the same beginning was put in its place.").
				WithHint("Load it under another name.")
		} else if err != nil {
			return err
		}
	}
	return nil
}

// readError makes the user's error. Damage in a compressed file shows only when reading gets there.
func (r *Reader) readError(err error) *types.Error {
	var e *types.Error
	if errors.As(err, &e) {
		return e
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return types.Errorf(types.CodeIO, "cannot read %s: %v", r.name, path.Err)
	}
	return types.Errorf(types.CodeDataCorrupted, "cannot decompress %s after line %d: %v", r.name, r.number, err)
}

// Close closes the file. The standard input stays open.
func (r *Reader) Close() error {
	var err error
	for _, c := range r.closers {
		err = errors.Join(err, c())
	}
	r.closers = nil
	return err
}
