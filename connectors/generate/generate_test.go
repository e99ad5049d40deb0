package generate

import (
	"bytes"
	"errors"
	"testing"

	"rhumb/types"
)

// fewer is a tenth of the rows with -short, as under the race detector.
func fewer(rows int) int {
	if testing.Short() {
		return rows / 10
	}
	return rows
}

func take(t *testing.T, kind string, seed uint64, n int) [][]byte {
	t.Helper()
	g, err := New(kind, seed)
	if err != nil {
		t.Fatal(err)
	}
	rows := make([][]byte, n)
	for i := range rows {
		rows[i] = g.Next(nil)
		if bytes.ContainsAny(rows[i], "\n\r\x00") || len(rows[i]) == 0 {
			t.Fatalf("%s: record %d is not one line: %q", kind, i, rows[i])
		}
	}
	return rows
}

func TestSameSeedSameRecords(t *testing.T) {
	for _, kind := range Kinds() {
		a, b, c := take(t, kind, 7, 5000), take(t, kind, 7, 5000), take(t, kind, 8, 5000)
		differ := 0
		for i := range a {
			if !bytes.Equal(a[i], b[i]) {
				t.Fatalf("%s: record %d differs:\n%s\n%s", kind, i, a[i], b[i])
			}
			if !bytes.Equal(a[i], c[i]) {
				differ++
			}
		}
		if differ < len(a)*9/10 {
			t.Errorf("%s: another seed changed only %d of %d records", kind, differ, len(a))
		}
	}
}

func TestNextAppends(t *testing.T) {
	for _, kind := range Kinds() {
		g, _ := New(kind, 1)
		want := append([]byte("before"), take(t, kind, 1, 1)[0]...)
		if got := g.Next([]byte("before")); !bytes.Equal(got, want) {
			t.Errorf("%s: %q, want %q", kind, got, want)
		}
		if Doc(kind) == "" {
			t.Errorf("%s has no description", kind)
		}
	}
}

func TestUnknownKind(t *testing.T) {
	_, err := New("ssdh", 1)
	var e *types.Error
	if !errors.As(err, &e) || e.Code != types.CodeInvalidOption || e.Hint != `Did you mean "sshd"?` {
		t.Errorf("got %#v", err)
	}
}
