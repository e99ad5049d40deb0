// Command bench measures Rhumb: events per CPU-second over a Kafka topic, and upserts into the embedded store. It prints a table; claims in
// the README name the line that they come from.
//
// The broker runs in a process of its own, and each measurement in another, so that CPU-seconds and memory are of Rhumb alone; the broker's are
// given beside them. Compare lines of one run, not runs.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"rhumb/connectors/kafka"
)

type flags struct {
	only    string
	events  int
	brokers string
	format  string
	child   string // internal: run this measurement in this process
	serve   string // internal: be the broker, with data in this directory
	profile string
}

// result is a line of the table.
type result struct {
	Name      string  `json:"name"`
	Events    int     `json:"events"`
	Wall      float64 `json:"wall_s"`
	CPU       float64 `json:"cpu_s"`
	BrokerCPU float64 `json:"broker_cpu_s"`
	RowsOut   int64   `json:"rows_out"`
	RSS       float64 `json:"rss_mb"`
	Note      string  `json:"note,omitempty"`
}

func main() {
	var f flags
	flag.StringVar(&f.only, "only", "", "run the measurements whose `name` begins so")
	flag.IntVar(&f.events, "events", 2_000_000, "`number` of events")
	flag.StringVar(&f.brokers, "brokers", "", "a Kafka cluster, `host:port,...` (default: the embedded broker in a process of its own)")
	flag.StringVar(&f.format, "o", "table", "table or jsonl")
	flag.StringVar(&f.profile, "profile", "", "write a CPU profile of each measurement to `DIR`/NAME.prof")
	flag.StringVar(&f.child, "child", "", "internal")
	flag.StringVar(&f.serve, "serve", "", "internal")
	flag.Parse()
	if err := run(context.Background(), &f); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, f *flags) error {
	switch {
	case f.serve != "":
		return serve(f.serve)
	case f.child != "":
		return measure(ctx, f)
	case f.format != "table" && f.format != "jsonl":
		return fmt.Errorf("unknown format %q", f.format)
	}
	return runAll(ctx, f)
}

// serve is the broker's process: it prints its address and runs until its standard input ends.
func serve(dir string) error {
	b, err := kafka.Embedded(dir, kafka.EmbeddedOptions{RetentionBytes: 64 << 30})
	if err != nil {
		return err
	}
	fmt.Println(b.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	return b.Close()
}

// runAll starts the broker, and a process for each measurement.
func runAll(ctx context.Context, f *flags) error {
	brokerPid := 0
	if f.brokers == "" {
		stop, addr, pid, err := startBroker()
		if err != nil {
			return err
		}
		defer stop()
		f.brokers, brokerPid = addr, pid
	}
	var results []result
	for _, m := range measurements() {
		if !strings.HasPrefix(m.name, f.only) {
			continue
		}
		if m.topic != nil {
			if err := m.topic.fill(ctx, f.brokers, f.events); err != nil {
				return err
			}
		}
		before := cpuOf(brokerPid)
		r, err := child(f, m)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		r.BrokerCPU = cpuOf(brokerPid) - before
		results = append(results, r)
		if f.format == "jsonl" {
			b, err := json.Marshal(r)
			if err != nil {
				return err
			}
			fmt.Println(string(b))
		} else {
			fmt.Fprintf(os.Stderr, "%s: %.1f s\n", r.Name, r.Wall)
		}
	}
	if f.format == "table" {
		printTable(results)
	}
	return nil
}

func printTable(results []result) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "name\tevents\trows out per event\tevents per CPU-s\tevents per s\tCPU s\twall s\tbroker CPU s\tpeak RSS MB\t note\t")
	for _, r := range results {
		fmt.Fprintf(w, "%s\t%d\t%.3f\t%.0f\t%.0f\t%.2f\t%.2f\t%.2f\t%.0f\t %s\t\n", r.Name, r.Events, float64(r.RowsOut)/float64(r.Events),
			float64(r.Events)/r.CPU, float64(r.Events)/r.Wall, r.CPU, r.Wall, r.BrokerCPU, r.RSS, r.Note)
	}
	_ = w.Flush()
}

// startBroker starts this program again as the broker.
func startBroker() (stop func(), addr string, pid int, err error) {
	dir, err := os.MkdirTemp("", "rhumb-bench-broker-")
	if err != nil {
		return nil, "", 0, err
	}
	cmd := exec.Command(os.Args[0], "-serve", dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, "", 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", 0, err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", 0, err
	}
	stop = func() {
		_ = in.Close()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return nil, "", 0, errors.New("the broker did not start")
	}
	return stop, strings.TrimSpace(line), cmd.Process.Pid, nil
}

// child runs one measurement in a process of its own. Its CPU is the whole process's, from start to end.
func child(f *flags, m measurement) (result, error) {
	args := []string{"-child", m.name, "-brokers", f.brokers, "-events", strconv.Itoa(f.events), "-profile", f.profile}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Stderr = os.Stderr
	began := time.Now()
	out, err := cmd.Output()
	if err != nil {
		return result{}, err
	}
	r := result{Name: m.name, Events: f.events, Wall: time.Since(began).Seconds()}
	if err := json.Unmarshal(out, &r); err != nil {
		return result{}, err
	}
	r.CPU = cmd.ProcessState.UserTime().Seconds() + cmd.ProcessState.SystemTime().Seconds()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.RSS = float64(usage.Maxrss) / 1024
	}
	return r, nil
}

// cpuOf is the CPU-seconds that a process has used (Linux; elsewhere 0).
func cpuOf(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if pid == 0 || err != nil {
		return 0
	}
	// The fields after the name, which stands in parentheses: user and system time are the 12th and 13th, in hundredths.
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}
