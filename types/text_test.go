package types

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// testType reads a type of the golden files, with modifiers.
func testType(t *testing.T, name string) Type {
	base, mods, ok := strings.Cut(strings.TrimSuffix(name, ")"), "(")
	typ, known := ParseType(base)
	if !known {
		t.Fatalf("unknown type %s", name)
	}
	if ok {
		m, s, _ := strings.Cut(mods, ",")
		n, _ := strconv.Atoi(m)
		scale, _ := strconv.Atoi(s)
		typ.Mod, typ.Scale = int32(n), int32(scale)
	}
	return typ
}

var copyUnescape = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t", `\r`, "\r", `\b`, "\b", `\f`, "\f", `\v`, "\v")

// deviations are the inputs that we read otherwise than Postgres, on purpose.
func readDeviations(t *testing.T) map[string]string {
	b, err := os.ReadFile("testdata/deviations.txt")
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		if f := strings.Split(line, "\t"); len(f) == 3 {
			m[f[0]+"\t"+f[1]] = f[2]
		}
	}
	return m
}

func TestTextIsPostgres(t *testing.T) {
	b, err := os.ReadFile("testdata/postgres_io.txt")
	if err != nil {
		t.Fatal(err)
	}
	dev := readDeviations(t)
	for n, line := range strings.Split(strings.TrimRight(string(b), "\n"), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		typ := testType(t, f[0])
		want := f[2]
		if d, ok := dev[f[0]+"\t"+f[1]]; ok {
			if d == want {
				t.Errorf("line %d: %q is listed as a deviation and is none", n+1, line)
			}
			want = d
			delete(dev, f[0]+"\t"+f[1])
		}
		got := ""
		v, perr := ParseValue(typ, copyUnescape.Replace(f[1]), nil)
		if perr != nil {
			got = "ERROR " + perr.Code + " " + perr.Message
		} else if got = FormatValue(v, nil); len(got) > 300 {
			got = fmt.Sprintf("LEN %d", len(got))
		}
		if got != copyUnescape.Replace(want) {
			t.Errorf("line %d: %s %q:\n got %s\nwant %s", n+1, f[0], f[1], got, want)
		}
	}
	for d := range dev {
		t.Errorf("deviation of an unknown input: %q", d)
	}
}
