package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"rhumb/connectors/kafka"
	"rhumb/internal/kafkatest"
)

// lineSQL copies the lines of a stream into another and counts both, and what the view has stored of them.
const lineSQL = `
CREATE STREAM s (line text) WITH (format = 'text');
CREATE STREAM copied AS SELECT line FROM s WHERE line <> '';
CREATE MATERIALIZED VIEW counted AS SELECT line, count(*) AS n FROM s GROUP BY line;
SELECT count(*) AS loaded FROM s;
SELECT count(*) AS copied, count(DISTINCT _id) AS ids FROM copied;
SELECT count(*) AS keys, sum(n) AS n FROM counted;
`

// counts is what lineSQL prints as CSV.
func counts(loaded, keys int) string {
	return fmt.Sprintf("loaded\n%d\n\ncopied,ids\n%d,%d\n\nkeys,n\n%d,%d\n", loaded, loaded, loaded, keys, loaded)
}

// numbered is n lines of which no two are the same.
func numbered(from, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d\n", from+i)
	}
	return b.String()
}

func compressed(t *testing.T, text string, open func(io.Writer) (io.WriteCloser, error)) string {
	t.Helper()
	var b bytes.Buffer
	w, err := open(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLoadKinds(t *testing.T) {
	text := numbered(0, 3000)
	dir := files(t, map[string]string{
		"q.sql": lineSQL, "in.log": text, "unended.log": strings.TrimSuffix(text, "\n"), "dos.log": strings.ReplaceAll(text, "\n", "\r\n"), "empty.log": "",
		"in.log.gz":  compressed(t, text, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }),
		"in.log.zst": compressed(t, text, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }),
	})
	for _, name := range []string{"in.log", "unended.log", "dos.log", "in.log.gz", "in.log.zst"} {
		same(t, name, good(t, dir, "run", "-o", "csv", "--load", "s="+name, "q.sql"), counts(3000, 3000))
	}
	same(t, "an empty file", good(t, dir, "run", "-o", "csv", "--load", "s=empty.log", "q.sql"), "loaded\n0\n\ncopied,ids\n0,0\n\nkeys,n\n0,\n")
	same(t, "two files", good(t, dir, "run", "-o", "csv", "--load", "s=in.log", "q.sql", "--load", "s=in.log.gz"), counts(6000, 3000))
	r := start(t, dir, strings.NewReader(text), "run", "-o", "csv", "--load", "s=-", "q.sql").end()
	same(t, "standard input", r.stdout+r.stderr, counts(3000, 3000))
}

func TestDamagedLoad(t *testing.T) {
	whole := compressed(t, numbered(0, 100_000), func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
	dir := files(t, map[string]string{"q.sql": lineSQL, "cut.gz": whole[:len(whole)/2], "liar.gz": "plain text"})
	r := rhumb(t, dir, "run", "--load", "s=cut.gz", "q.sql")
	if r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, "q.sql:5: ERROR:  XX001: loading cut.gz into s: cannot decompress cut.gz after line ") {
		t.Errorf("%+v", r)
	}
	r = rhumb(t, dir, "run", "--load", "s=liar.gz", "q.sql")
	if r.code != 1 || !strings.Contains(r.stderr, "liar.gz is not compressed as its name says") {
		t.Errorf("%+v", r)
	}
}

// A second run on the same directory loads, computes and stores nothing twice; a file that has grown goes on after its last record.
func TestRunAgain(t *testing.T) {
	dir := files(t, map[string]string{"q.sql": lineSQL, "in.log": numbered(0, 2000)})
	again := func(want int) {
		t.Helper()
		same(t, "run", good(t, dir, "run", "--data", "d", "-o", "csv", "--load", "s=in.log", "q.sql"), counts(want, want))
	}
	again(2000)
	again(2000)
	same(t, "without the load", good(t, dir, "run", "--data", "d", "-o", "csv", "q.sql"), counts(2000, 2000))
	write(t, filepath.Join(dir, "in.log"), numbered(0, 2500))
	again(2500)
	write(t, filepath.Join(dir, "in.log"), compressed(t, numbered(0, 2501), func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }))
	again(2501)

	// The same text, written otherwise, is done already.
	write(t, filepath.Join(dir, "q.sql"), strings.ReplaceAll(lineSQL, "CREATE STREAM s (", "-- the same\ncreate   stream S\n("))
	again(2501)
	// Another text is an error that says what to do.
	write(t, filepath.Join(dir, "q.sql"), strings.ReplaceAll(lineSQL, "WHERE line <> ''", "WHERE line <> 'x'"))
	r := rhumb(t, dir, "run", "--data", "d", "q.sql")
	same(t, "another text", r.stderr, `q.sql:3: ERROR:  42P07: stream "copied" already exists
LINE 1: CREATE STREAM copied AS SELECT line FROM s WHERE line <> 'x'
                      ^
HINT:  CREATE OR REPLACE STREAM copied ... replaces it.
`)
	if r.code != 1 || r.stdout != "" {
		t.Errorf("exit status %d, %q", r.code, r.stdout)
	}
}

// A process that is killed at any moment, again and again, leaves a directory on which the next one goes on.
func TestKill(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("processes are killed otherwise")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "dns.json"), good(t, "", "generate", "dns", "--events", "20000", "--seed", "5"))
	args := []string{"run", "-o", "csv", "--load", "dns=dns.json", repository(t, "queries/correlation/ip_domain.sql")}
	want := good(t, dir, args...)
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	killed := 0
	for killed < 5 {
		p := start(t, dir, nil, append(args, "--data", "d")...)
		time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
		_ = p.Process.Kill() // it may have ended
		if r := p.end(); r.code == 0 {
			same(t, "a run that came to its end", r.stdout, want)
			break
		}
		killed++
	}
	same(t, fmt.Sprintf("after %d kills", killed), good(t, dir, append(args, "--data", "d")...), want)
	same(t, "and once more", good(t, dir, append(args, "--data", "d")...), want)
}

// open starts a run that waits for its standard input, and returns when it has the directory's lock and the first lines.
func open(t *testing.T, dir string) (*process, *os.File) {
	t.Helper()
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); out.Close() })
	p := start(t, dir, in, "run", "--data", "d", "-o", "csv", "--load", "s=-", "q.sql")
	if _, err := io.WriteString(out, numbered(0, 100)); err != nil {
		t.Fatal(err)
	}
	// The dataflow is opened just before the load begins.
	for range 600 {
		if found, _ := filepath.Glob(filepath.Join(dir, "d", "flows", "*")); len(found) > 0 {
			return p, out
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("it does not start")
	return nil, nil
}

func TestSecondProcess(t *testing.T) {
	dir := files(t, map[string]string{"q.sql": lineSQL})
	p, in := open(t, dir)
	r := rhumb(t, dir, "run", "--data", "d", "q.sql")
	want := fmt.Sprintf("rhumb run: ERROR:  55006: data directory d is in use by another rhumb process (pid %d)\nHINT:  Stop that process, or start this one "+
		"with another data directory.\n", p.Process.Pid)
	if same(t, "second process", r.stderr, want); r.code != 1 || r.stdout != "" {
		t.Errorf("exit status %d, %q", r.code, r.stdout)
	}
	in.Close()
	if r := p.end(); r.code != 0 || r.stdout != counts(100, 100) {
		t.Errorf("the first process was disturbed: %+v", r)
	}
}

// Ctrl-C ends a run with a checkpoint, even while it waits for input, and nothing that it has read is lost.
func TestInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals")
	}
	dir := files(t, map[string]string{"q.sql": lineSQL, "in.log": numbered(100, 100)})
	p, _ := open(t, dir)
	time.Sleep(300 * time.Millisecond) // it reads the lines
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	r := p.end()
	if same(t, "interrupted", r.stderr, "rhumb run: ERROR:  57014: interrupted\nHINT:  Run again on the same directory to go on: --data d\n"); r.code != 1 || r.stdout != "" {
		t.Errorf("exit status %d, %q", r.code, r.stdout)
	}
	same(t, "afterwards", good(t, dir, "run", "--data", "d", "-o", "csv", "q.sql", "--load", "s=in.log"), counts(200, 200))
}

// An interrupt while it computes.
func TestInterruptComputing(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "dns.json"), good(t, "", "generate", "dns", "--events", "50000", "--seed", "6"))
	args := []string{"run", "--data", "d", "-o", "csv", "--load", "dns=dns.json", repository(t, "queries/correlation/ip_domain.sql")}
	p := start(t, dir, nil, args...)
	for range 600 {
		if found, _ := filepath.Glob(filepath.Join(dir, "d", "flows", "*", "*")); len(found) > 1 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if r := p.end(); r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, "57014: interrupted") {
		t.Errorf("%+v", r)
	}
	want := good(t, dir, append(args, "--data", "other")...)
	same(t, "afterwards", good(t, dir, args...), want)
}

// Without --data nothing stays, however the run ends.
func TestTemporaryDirectory(t *testing.T) {
	dir := files(t, map[string]string{"q.sql": lineSQL, "wrong.sql": lineSQL + "SELECT 1/0;", "in.log": numbered(0, 10)})
	for _, script := range []string{"q.sql", "wrong.sql"} {
		tmp := t.TempDir()
		p := start(t, dir, nil, "run", "--load", "s=in.log", script)
		for _, e := range p.Env {
			if v, ok := strings.CutPrefix(e, "TMPDIR="); ok {
				tmp = v
			}
		}
		p.end()
		if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
			t.Errorf("%s: left behind: %v, %v", script, left, err)
		}
	}
}

// A SELECT in the middle of a script sees what was loaded; a query that is created after it sees all of it too.
func TestSelectInTheMiddle(t *testing.T) {
	dir := files(t, map[string]string{"in.log": numbered(0, 50), "q.sql": `
CREATE STREAM s (line text) WITH (format = 'text');
SELECT count(*) AS before FROM s;
CREATE STREAM short AS SELECT line FROM s WHERE length(line) = 6;
SELECT count(*) AS short FROM short;
CREATE MATERIALIZED VIEW ends AS SELECT right(line, 1) AS digit, count(*) AS n FROM short GROUP BY right(line, 1);
SELECT count(*) AS digits, max(n) AS most FROM ends;`, "more.sql": "SELECT min(line) AS first FROM short; DROP MATERIALIZED VIEW ends; SELECT count(*) AS rest FROM short;"})
	same(t, "script", good(t, dir, "run", "-o", "csv", "--load", "s=in.log", "q.sql", "more.sql"),
		"before\n50\n\nshort\n10\n\ndigits,most\n10,1\n\nfirst\nline 0\n\nrest\n10\n")
}

// brokersGive runs over a cluster twice and compares with the embedded broker's results.
func brokersGive(t *testing.T, addrs string) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "dns.json"), good(t, "", "generate", "dns", "--events", "5000", "--seed", "8"))
	args := []string{"run", "-o", "csv", "--load", "dns=dns.json", repository(t, "queries/correlation/ip_domain.sql")}
	want := good(t, dir, args...)
	cluster := append(args, "--data", "d", "--brokers", addrs)
	same(t, "on the cluster", good(t, dir, cluster...), want)
	same(t, "again", good(t, dir, cluster...), want)
	if found, _ := filepath.Glob(filepath.Join(dir, "d", "broker*")); len(found) > 0 {
		t.Errorf("a broker was started beside the cluster: %v", found)
	}
}

func TestBrokers(t *testing.T) {
	b, err := kafka.Embedded(t.TempDir(), kafka.EmbeddedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	brokersGive(t, b.Addr())
}

func TestKafkaCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a Kafka")
	}
	brokersGive(t, strings.Join(kafkatest.Start(t, 1).Addrs(), ","))
}

// Whoever reads the results may stop at any time: the run ends in silence, with status 1.
func TestReaderGoesAway(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals")
	}
	dir := files(t, map[string]string{"q.sql": "SELECT x FROM generate_series(1, 200000) AS u(x);"})
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out.Close()
	p := newProcess(t, dir, nil, "run", "-o", "csv", "q.sql")
	p.Stdout = in
	p.begin()
	in.Close()
	if r := p.end(); r.code != 1 || r.stderr != "" {
		t.Errorf("%+v", r)
	}
}

func TestNoBroker(t *testing.T) {
	dir := files(t, map[string]string{"q.sql": "SELECT 1;"})
	r := rhumb(t, dir, "run", "--brokers", "127.0.0.1:1", "q.sql")
	if r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, "ERROR:  08006:") || !strings.Contains(r.stderr, "127.0.0.1:1") {
		t.Errorf("%+v", r)
	}
}

// WITH (key = ...) puts the records of one key into one partition, and a load goes on in each.
func TestLoadKey(t *testing.T) {
	line := func(i int) string { return fmt.Sprintf(`{"user": {"name": "u%d"}, "n": %d}`+"\n", i%7, i) }
	var b strings.Builder
	for i := range 500 {
		b.WriteString(line(i))
	}
	dir := files(t, map[string]string{"in.json": b.String() + "{}\n", "q.sql": `
CREATE STREAM s (name text PATH '$.user.name', n bigint) WITH (key = 'name', partitions = 3);
SELECT name, count(*) AS n, count(DISTINCT _partition) AS partitions, bool_and(_key = name) AS keyed FROM s WHERE name IS NOT NULL GROUP BY name ORDER BY name;
SELECT count(DISTINCT _partition) AS used FROM s;`,
		"wrong.sql": "CREATE STREAM s (n bigint, m bigint AS (n + 1)) WITH (key = 'm')"})
	args := []string{"run", "--data", "d", "-o", "csv", "--load", "s=in.json", "q.sql"}
	want := "name,n,partitions,keyed\nu0,72,1,t\nu1,72,1,t\nu2,72,1,t\nu3,71,1,t\nu4,71,1,t\nu5,71,1,t\nu6,71,1,t\n\nused\n3\n"
	same(t, "loaded", good(t, dir, args...), want)
	same(t, "again", good(t, dir, args...), want)
	write(t, filepath.Join(dir, "in.json"), b.String()+"{}\n"+line(500))
	same(t, "grown", good(t, dir, args...), strings.Replace(want, "u3,71", "u3,72", 1))
	if r := rhumb(t, dir, "run", "wrong.sql"); r.code != 1 || !strings.Contains(r.stderr, `22023: the key "m" of stream "s" is not a column that its payload has`) {
		t.Errorf("%+v", r)
	}
}
