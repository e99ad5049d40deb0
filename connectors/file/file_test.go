package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"rhumb/types"
)

func gz(t testing.TB, s string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(s))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zst(t testing.TB, s string) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll([]byte(s), nil)
}

func write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// readAll returns "number:line" for each line, and the error that is not the end.
func readAll(r *Reader) (lines []string, err error) {
	for {
		line, n, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
		lines = append(lines, fmt.Sprintf("%d:%s", n, line))
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", bufferSize+10)
	for _, c := range []struct {
		content string
		want    []string
	}{
		{"", nil},
		{"\n\n\r\n", nil},
		{"a\nb\n", []string{"1:a", "2:b"}},
		{"a\nb", []string{"1:a", "2:b"}},
		{"a\r\n\r\nb\r\n", []string{"1:a", "3:b"}},
		{"\n\na\rb\n\n c \n", []string{"3:a\rb", "5: c "}},
		{"\xef\xbb\xbf{}\n\xef\xbb\xbf", []string{"1:{}", "2:\xef\xbb\xbf"}},
		{"a\n" + long + "\nb\n", []string{"1:a", "2:" + long, "3:b"}},
		{long + "\r\n" + long, []string{"1:" + long, "2:" + long}},
		{"\x00\xff\n", []string{"1:\x00\xff"}},
	} {
		for name, content := range map[string][]byte{"f": []byte(c.content), "f.gz": gz(t, c.content), "f.zst": zst(t, c.content), "renamed": gz(t, c.content),
			"two.gz": append(gz(t, c.content[:len(c.content)/2]), gz(t, c.content[len(c.content)/2:])...)} {
			r, err := Open(write(t, name, content))
			if err != nil {
				t.Fatal(err)
			}
			got, err := readAll(r)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%s %.20q: %.50q, %v", name, c.content, got, err)
			}
			if _, _, err := r.Next(); !errors.Is(err, io.EOF) {
				t.Errorf("after the end: %v", err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestLongLines(t *testing.T) {
	longest := strings.Repeat("y", maxLine)
	r, err := Open(write(t, "f.gz", gz(t, "a\n"+longest+"\r\nb\n\nc"+longest+"\nd\n")))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := readAll(r)
	if len(got) != 3 || got[1] != "2:"+longest || got[2] != "3:b" {
		t.Fatalf("%d lines", len(got))
	}
	if e := types.AsError(err); err == nil || e.Code != types.CodeProgramLimit || !strings.Contains(e.Message, "line 5") {
		t.Fatal(err)
	}
	if _, _, again := r.Next(); !errors.Is(again, err) {
		t.Fatal(again)
	}
}

// A file that inflates to gigabytes is read in constant memory up to the line that is too long.
func TestBomb(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	zeros := make([]byte, 1<<20)
	for range 200 {
		w.Write(zeros)
	}
	w.Close()
	r, err := Open(write(t, "bomb.gz", b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, _, err := r.Next(); err == nil || types.AsError(err).Code != types.CodeProgramLimit {
		t.Fatal(err)
	}
	if cap(r.long) > 3*maxLine {
		t.Fatalf("%d bytes of memory", cap(r.long))
	}
}

func TestErrors(t *testing.T) {
	code := func(err error, code, message string) {
		t.Helper()
		if e := types.AsError(err); err == nil || e.Code != code || !strings.Contains(e.Message, message) {
			t.Errorf("%v; want %s %s", err, code, message)
		}
	}
	_, err := Open(filepath.Join(t.TempDir(), "none"))
	code(err, "58P01", "does not exist")
	_, err = Open(t.TempDir())
	code(err, types.CodeWrongObjectType, "is a directory")
	_, err = Open(write(t, "f.gz", []byte("plain\n")))
	code(err, types.CodeDataCorrupted, "not compressed")
	_, err = Open(write(t, "f.zst", []byte("plain\n")))
	code(err, types.CodeDataCorrupted, "not compressed")
	_, err = Open(write(t, "f", []byte{0x1f, 0x8b, 1}))
	code(err, types.CodeDataCorrupted, "cannot decompress")
	// Damage in the middle: what is before it is read.
	var content strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&content, "line %d %x\n", i, i*i)
	}
	for name, compressed := range map[string][]byte{"f.gz": gz(t, content.String()), "f.zst": zst(t, content.String())} {
		r, err := Open(write(t, name, compressed[:len(compressed)-100]))
		if err != nil {
			t.Fatal(err)
		}
		lines, err := readAll(r)
		code(err, types.CodeDataCorrupted, "after line")
		if len(lines) < 1000 {
			t.Errorf("%s: %d lines", name, len(lines))
		}
		r.Close()
	}
}

func TestIdentityAndSkip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	identity := func(content []byte) string {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		return r.Identity()
	}
	first := identity([]byte("a 1\nb\n"))
	if first == "" || len(first) != 32 {
		t.Fatal(first)
	}
	if identity([]byte("a 1\nb\nc\nd\n")) != first {
		t.Error("an appended file is another")
	}
	if identity(gz(t, "a 1\nb\nc\nd\n")) != first {
		t.Error("a compressed file is another")
	}
	if identity([]byte("a 2\nb\n")) == first {
		t.Error("a replaced file is the same")
	}
	head := strings.Repeat("h", identityBytes)
	if identity([]byte(head+"1")) != identity([]byte(head+"2\nmore")) {
		t.Error("what is behind the first 4 KiB counts")
	}
	other, err := Open(write(t, "f", []byte("a 1\nb\n")))
	if err != nil || other.Identity() == first {
		t.Error("the same content elsewhere is the same file", err)
	}
	for skip, want := range map[int64]string{0: "1:a", 1: "3:b", 2: "3:b", 3: "4:c", 4: ""} {
		r, err := Open(write(t, "f", []byte("a\n\nb\nc")))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Skip(skip); err != nil {
			t.Fatal(err)
		}
		lines, err := readAll(r)
		if err != nil || skip == 4 && len(lines) != 0 || skip < 4 && lines[0] != want {
			t.Errorf("skip %d: %q, %v", skip, lines, err)
		}
		r.Close()
	}
	r, err := Open(write(t, "f", []byte("a\nb\n")))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Skip(3); err == nil || types.AsError(err).Code != types.CodeNotInPrerequisite || !strings.Contains(err.Error(), "has 2 lines, but 3") {
		t.Fatal(err)
	}
}

func TestStandardInput(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stdin
	os.Stdin = r
	defer func() { os.Stdin = before }()
	go func() {
		w.WriteString("a\nb")
		w.Close()
	}()
	in, err := Open("-")
	if err != nil {
		t.Fatal(err)
	}
	if lines, err := readAll(in); err != nil || !slices.Equal(lines, []string{"1:a", "2:b"}) || in.Identity() != "" {
		t.Fatal(lines, err, in.Identity())
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestNextDoesNotAllocate(t *testing.T) {
	r, err := Open(write(t, "f", []byte(strings.Repeat(`{"a": 1, "b": "some text"}`+"\n", 100_000))))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n := testing.AllocsPerRun(10_000, func() { r.Next() }); n != 0 {
		t.Fatalf("%v allocations a line", n)
	}
}

// Next agrees with splitting the whole content.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\r\n\nc"))
	f.Add(gz(f, "a\nb"))
	f.Add(zst(f, "a\nb"))
	f.Fuzz(func(t *testing.T, content []byte) {
		r, err := open("f", bytes.NewReader(content), "/f")
		if err != nil {
			return
		}
		got, err := readAll(r)
		if err != nil || bytes.HasPrefix(content, []byte{0x1f, 0x8b}) || bytes.HasPrefix(content, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
			return
		}
		var want []string
		for i, line := range bytes.Split(bytes.TrimPrefix(content, byteOrderMark), []byte("\n")) {
			if line = bytes.TrimSuffix(line, []byte("\r")); len(line) > 0 {
				want = append(want, fmt.Sprintf("%d:%s", i+1, line))
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q\nwant %q", got, want)
		}
	})
}
