package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rhumb/connectors"
	"rhumb/connectors/file"
	"rhumb/connectors/generate"
	"rhumb/connectors/kafka"
	"rhumb/connectors/sqlite"
	"rhumb/engine"
	"rhumb/executor"
	"rhumb/parser"
)

// The proof of recovery: a child process loads and computes the correlation of IPs and domains on real input, is killed with -9 at random moments and
// started again on its directory, and in the end the store and the topics are those of an undisturbed run. And the proof of the proof: with
// each of some planted bugs, the same harness finds a difference.

const (
	killDir   = "RHUMB_KILL_DIR"
	killPlant = "RHUMB_KILL_PLANT"
	killPause = "RHUMB_KILL_PAUSE" // microseconds after each 100 records
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		if err := killChild(dir); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// plantCursor is the plant that is not the executor's.
const plantCursor = "cursor"

// killSQL is what the child runs: the saved query file, and a windowed count, whose results are facts.
func killSQL() (string, error) {
	b, err := os.ReadFile("../queries/correlation/ip_domain.sql")
	if err != nil {
		return "", err
	}
	sql, _, _ := strings.Cut(string(b), "SELECT count(*) AS domains")
	return sql + `
		CREATE STREAM per_minute AS SELECT client, count(*) AS n, min(ts) AS first, window_start
		FROM TUMBLE(dns, ts, INTERVAL '1 minute') GROUP BY client, window_start, window_end;
		CREATE STREAM nxdomain AS SELECT ts, client, query FROM dns WHERE answers IS NULL AND query LIKE '%.com';`, nil
}

// killChild is the child: it goes on where it was, to the end of the load.
func killChild(dir string) error {
	ctx := context.Background()
	b, err := kafka.Embedded(filepath.Join(dir, "broker"), kafka.EmbeddedOptions{})
	if err != nil {
		return err
	}
	s, err := sqlite.Open(filepath.Join(dir, "store.db"))
	if err != nil {
		return err
	}
	cfg := engine.Config{Dir: dir, Broker: b, Store: s, Options: specs, Flow: executor.Config{CheckpointEvery: 100 * time.Millisecond}}
	if p := os.Getenv(killPlant); p == plantCursor {
		cfg.PlantCursor = true
	} else if p != "" {
		n, err := strconv.Atoi(p)
		if err != nil {
			return err
		}
		cfg.Flow.Plant = executor.Plant(n)
	}
	e, err := engine.Open(ctx, cfg)
	if err != nil {
		return err
	}
	sql, err := killSQL()
	if err != nil {
		return err
	}
	statements, err := parser.Parse(sql)
	if err != nil {
		return err
	}
	for _, p := range statements {
		if _, err := e.Exec(ctx, p); err != nil {
			return err
		}
	}
	if err := e.StartPending(ctx); err != nil {
		return err
	}
	f, err := openDNS()
	if err != nil {
		return err
	}
	pause, err := strconv.Atoi(os.Getenv(killPause))
	if err != nil {
		return err
	}
	if err := e.Load(ctx, "dns", &slowLines{f, time.Duration(pause) * time.Microsecond}, nil); err != nil {
		return err
	}
	if err := e.Finish(ctx); err != nil {
		return err
	}
	if err := e.WaitStored(ctx, e.Stored()...); err != nil {
		return err
	}
	if err := errors.Join(e.Close(), s.Close(), b.Close()); err != nil {
		return err
	}
	return nil
}

const dnsFile = "../../shared/data/zeek-wrccdc/dns.json.gz"

// openDNS opens the real log, or, where it is not, a made-up one of the same length.
func openDNS() (engine.Lines, error) {
	f, err := file.Open(dnsFile)
	if err == nil {
		return f, nil
	}
	if _, serr := os.Stat(dnsFile); !errors.Is(serr, fs.ErrNotExist) {
		return nil, err
	}
	g, err := generate.New("dns", 1)
	return &madeUpLines{g: g, most: 53_615}, err
}

type madeUpLines struct {
	g    generate.Generator
	most int64
	n    int64
	line []byte
}

func (m *madeUpLines) Next() ([]byte, int64, error) {
	if m.n == m.most {
		return nil, 0, io.EOF
	}
	m.n++
	m.line = m.g.Next(m.line[:0])
	return m.line, m.n, nil
}

func (m *madeUpLines) Identity() string { return "made up" }

// slowLines rests now and then, so that a load takes as long as it is disturbed. Small batches of records make many steps.
type slowLines struct {
	engine.Lines
	pause time.Duration
}

func (s *slowLines) Next() ([]byte, int64, error) {
	line, n, err := s.Lines.Next()
	if n%100 == 0 {
		time.Sleep(s.pause)
	}
	return line, n, err
}

// runChild runs the child; it is killed after a while, unless that is 0. It returns whether the child came to its end.
func runChild(t *testing.T, dir, plant string, pause int, after time.Duration) (done bool, err error) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killDir+"="+dir, killPlant+"="+plant, fmt.Sprintf("%s=%d", killPause, pause))
	var out bytes.Buffer
	cmd.Stderr, cmd.Stdout = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if after > 0 {
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return true, nil
	case errors.As(err, &exit) && exit.ExitCode() == 3:
		return false, fmt.Errorf("%s", strings.TrimSpace(out.String()))
	case errors.As(err, &exit) && exit.ExitCode() == -1:
		return false, nil // killed
	}
	return false, fmt.Errorf("%w: %s", err, out.String())
}

// outcome is what a run leaves behind.
type outcome struct {
	store  map[string]string            // object -> rows
	topics map[string]map[string]string // topic -> id -> last value, lineage, state; of append topics all values
	twice  int                          // records whose position had been there
}

// readOutcome reads the store and the topics of a directory.
func readOutcome(t *testing.T, dir string) outcome {
	t.Helper()
	w := openWorld(t, dir, plain())
	defer w.close()
	o := outcome{store: map[string]string{}, topics: map[string]map[string]string{}}
	for _, q := range [][2]string{
		{"domain_ips", `SELECT domain, ips, addresses, answers, first_seen, last_seen, _id, _state, _events_total, _events FROM domain_ips ORDER BY domain`},
		{"ip_domains", `SELECT ip, domains, names, answers, first_seen, last_seen, _id, _state, _events_total, _events FROM ip_domains ORDER BY ip`},
		{"per_minute", `SELECT client, n, first, window_start, _id, _events_total, _events FROM per_minute ORDER BY window_start, client`},
		{"nxdomain", `SELECT ts, client, query, _id, _events FROM nxdomain ORDER BY _id`},
	} {
		if err := w.engine.WaitStored(w.ctx(), w.engine.Stored()...); err != nil {
			t.Fatal(err)
		}
		o.store[q[0]] = w.exec(q[1])
		o.topics[q[0]] = map[string]string{}
		o.twice += readTopic(t, w, q[0], o.topics[q[0]])
	}
	return o
}

// readTopic reads a topic as a Rhumb reader does: repeated positions are dropped. A repetition has to be identical.
func readTopic(t *testing.T, w *world, name string, into map[string]string) (twice int) {
	t.Helper()
	src, err := w.broker.Source(w.ctx(), name)
	if err != nil {
		t.Fatal(err)
	}
	_, end, err := src.Offsets(w.ctx(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var last connectors.Position
	at := map[connectors.Position]string{}
	for next := int64(0); next < end; {
		r, err := src.Fetch(w.ctx(), 0, next, 1<<20, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		next = r.Next
		for i := range r.Offsets {
			rec := string(r.Values[i])
			var id string
			var pos connectors.Position
			for _, h := range r.Headers[i] {
				switch h.Key {
				case connectors.HeaderPosition:
					if pos, err = connectors.DecodePosition(h.Value); err != nil {
						t.Fatal(err)
					}
				case connectors.HeaderID:
					id = string(h.Value)
				case connectors.HeaderLineage, connectors.HeaderState:
					rec += "\x00" + string(h.Value)
				}
			}
			if was, ok := at[pos]; ok && was != rec {
				t.Errorf("topic %s has two different records at position %v", name, pos)
			}
			at[pos] = rec
			if !pos.After(last) {
				twice++
				continue
			}
			last = pos
			if was, ok := into[id]; ok && (name == "per_minute" || name == "nxdomain") {
				rec = was + "\x01" + rec // a fact that is there twice is a difference
			}
			into[id] = rec
		}
	}
	return twice
}

// differs says in what an outcome is not the expected one; "" if in nothing.
func differs(want, got outcome) string {
	for object, rows := range want.store {
		if d := firstDifference(rows, got.store[object]); d != "" {
			return "store, " + object + ": " + d
		}
	}
	for topic, records := range want.topics {
		have := got.topics[topic]
		for id, rec := range records {
			if have[id] != rec {
				return fmt.Sprintf("topic %s, %s:\n  want %q\n  have %q", topic, id, rec, have[id])
			}
		}
		for id := range have {
			if _, ok := records[id]; !ok {
				return fmt.Sprintf("topic %s has a record too many: %s", topic, id)
			}
		}
	}
	return ""
}

func firstDifference(want, have string) string {
	w, h := strings.Split(want, "\n"), strings.Split(have, "\n")
	for i := range max(len(w), len(h)) {
		a, b := "(none)", "(none)"
		if i < len(w) {
			a = w[i]
		}
		if i < len(h) {
			b = h[i]
		}
		if a != b {
			return fmt.Sprintf("line %d:\n  want %s\n  have %s", i+1, a, b)
		}
	}
	return ""
}

func undisturbed(t *testing.T) outcome {
	t.Helper()
	dir := t.TempDir()
	if done, err := runChild(t, dir, "", 0, 0); !done {
		t.Fatal("the undisturbed run failed:", err)
	}
	o := readOutcome(t, dir)
	domains, addresses := strings.Count(o.store["domain_ips"], "\n"), strings.Count(o.store["ip_domains"], "\n")
	_, err := os.Stat(dnsFile)
	if domains == 0 || addresses == 0 || err == nil && (domains != 1056 || addresses != 1435) {
		t.Fatal("the undisturbed run does not give the known numbers of domains and addresses")
	}
	return o
}

// torture kills a child so many times and lets it end; it returns what is wrong, or "".
func torture(t *testing.T, want outcome, plant string, kills, pause int, r *rand.Rand) string {
	t.Helper()
	dir := t.TempDir()
	done, killed := false, 0
	for i := 0; i < kills && !done; i++ {
		var err error
		after := time.Duration(50+r.IntN(700)) * time.Millisecond
		if done, err = runChild(t, dir, plant, pause, after); err != nil {
			return err.Error()
		}
		killed++
	}
	for i := 0; !done; i++ {
		var err error
		if done, err = runChild(t, dir, plant, 0, 0); err != nil {
			return err.Error()
		}
	}
	got := readOutcome(t, dir)
	t.Logf("%d kills, %d records twice in the topics", killed, got.twice)
	if got.twice > 0 {
		// Readers drop them, so nothing is wrong with the results; but the broker died with the process, so no request can have come late.
		return fmt.Sprintf("%d records are twice in the topics", got.twice)
	}
	return differs(want, got)
}

func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("kills take minutes; run without -short")
	}
	kills, pause := 20, 10_000
	if os.Getenv("RHUMB_LONG") != "" {
		kills, pause = 200, 100_000
	}
	if diff := torture(t, undisturbed(t), "", kills, pause, rand.New(rand.NewPCG(1, 1))); diff != "" {
		t.Error(diff)
	}
}

func TestKillFindsPlantedBugs(t *testing.T) {
	if testing.Short() {
		t.Skip("kills take minutes; run without -short")
	}
	needData(t, dnsFile) // that so few kills find every plant was seen with this input
	want := undisturbed(t)
	plants := map[string]string{
		"publish before the journal's write":         strconv.Itoa(int(executor.PublishBeforeJournal)),
		"checkpoint before outputs are acknowledged": strconv.Itoa(int(executor.CheckpointBeforeAck)),
		"position not skipped on recovery":           strconv.Itoa(int(executor.RepublishOnRecovery)),
		"clock not journalled":                       strconv.Itoa(int(executor.ClockNotJournalled)),
		"cursor's position outside its transaction":  plantCursor,
	}
	names := make([]string, 0, len(plants))
	for n := range plants {
		names = append(names, n)
	}
	slices.Sort(names)
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(i), 2))
			for try := range 30 {
				if found := torture(t, want, plants[name], 10, 5_000, r); found != "" {
					t.Logf("found at try %d: %s", try+1, found[:min(len(found), 300)])
					return
				}
			}
			t.Error("the planted bug was not found")
		})
	}
}
