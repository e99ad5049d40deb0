package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"time"

	"rhumb/catalog"
	"rhumb/connectors"
	"rhumb/connectors/generate"
	"rhumb/connectors/kafka"
	"rhumb/executor"
	"rhumb/executor/decode"
	"rhumb/executor/journal"
	"rhumb/parser"
	"rhumb/planner"
	"rhumb/types"
)

// measurement is a line of the table.
type measurement struct {
	name  string
	topic *topic // nil = none is read
	sql   string // of a continuous query over ev
	opts  string // its WITH clause
	note  string
	run   func(ctx context.Context, b connectors.Broker, t *topic, events int) (rows int64, err error) // instead of sql
}

// topic is a topic of generated events.
type topic struct {
	name string
	rate int // events per second of event time
	lz4  bool
}

var (
	dense  = &topic{"bench_dense", 100_000, false}
	sparse = &topic{"bench_sparse", 1_000, false}
	packed = &topic{"bench_dense_lz4", 100_000, true}
)

const partitions = 4

func measurements() []measurement {
	const filter = `SELECT ts, src_ip, dst_port, username, bytes_in FROM ev WHERE outcome = 'failure' AND dst_port = 22`
	const tumble = `SELECT src_ip, count(*) AS n, window_start, window_end FROM TUMBLE(ev, ts, INTERVAL '10 seconds') GROUP BY src_ip, window_start, window_end`
	return []measurement{
		{name: "read", topic: dense, note: "fetch only", run: readOnly},
		{name: "decode", topic: dense, note: "5 of 20 fields", run: decodeOnly},
		{name: "filter", topic: dense, note: "filter and project, 5 % pass", opts: "lineage_limit = 0",
			sql: filter},
		{name: "filter-lz4", topic: packed, note: "the same from a topic compressed with lz4", opts: "lineage_limit = 0", sql: filter},
		{name: "tumble-dense", topic: dense, note: "10 s count by 100,000 keys", opts: "lineage_limit = 0", sql: tumble},
		{name: "tumble-dense-lineage", topic: dense, note: "the same, with lineage", sql: tumble},
		{name: "tumble-sparse", topic: sparse, note: "10 s count, 1 row per event", opts: "lineage_limit = 0", sql: tumble},
		{name: "tumble-sparse-lineage", topic: sparse, note: "the same, with lineage", sql: tumble},
		{name: "view", topic: dense, note: "count by key for ever (materialized view)", opts: "lineage_limit = 0",
			sql: `SELECT src_ip, count(*) AS n, max(ts) AS last FROM ev GROUP BY src_ip`},
		{name: "store", note: "upserts of 1 KB documents, half replacing", run: storeUpserts},
	}
}

const source = `CREATE STREAM ev (
	ts timestamptz, src_ip text, dst_port int, username text PATH '$.user', outcome text, bytes_in bigint,
	WATERMARK FOR ts AS ts - INTERVAL '2 seconds'
) WITH (topic = '%s')`

// fill makes the topic and its events, if they are not there.
func (t *topic) fill(ctx context.Context, brokers string, events int) error {
	b, err := kafka.Open(ctx, kafka.Config{Addrs: strings.Split(brokers, ","), RetentionBytes: 64 << 30, Uncompressed: !t.lz4})
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	name := t.topicName(events)
	if _, err := b.Topic(ctx, name); err == nil {
		return nil
	}
	if _, err := b.CreateTopic(ctx, connectors.TopicSpec{Name: name, Partitions: partitions}); err != nil {
		return err
	}
	w, err := b.Writer(ctx, name)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	g := generate.NewBench(7, generate.BenchOptions{Rate: t.rate})
	const batch = 1000
	for done, p := 0, int32(0); done < events; done, p = done+batch, (p+1)%partitions {
		msgs := make([]connectors.Message, 0, batch)
		for range min(batch, events-done) {
			msgs = append(msgs, connectors.Message{Value: g.Next(make([]byte, 0, generate.BenchSize)), Time: time.Now().UnixMicro()})
		}
		if _, err := w.Publish(ctx, p, msgs); err != nil {
			return err
		}
	}
	return nil
}

func (t *topic) topicName(events int) string { return fmt.Sprintf("%s_%d", t.name, events) }

// measure runs one measurement in this process and prints what the parent cannot see of it.
func measure(ctx context.Context, f *flags) error {
	executor.TuneCollector()
	for _, m := range measurements() {
		if m.name != f.child {
			continue
		}
		if f.profile != "" {
			p, err := os.Create(filepath.Join(f.profile, m.name+".prof"))
			if err != nil {
				return err
			}
			if err := pprof.StartCPUProfile(p); err != nil {
				return err
			}
			defer pprof.StopCPUProfile()
		}
		b, err := kafka.Open(ctx, kafka.Config{Addrs: strings.Split(f.brokers, ",")})
		if err != nil {
			return err
		}
		began := time.Now()
		run := m.run
		if run == nil {
			run = m.query
		}
		rows, err := run(ctx, b, m.topic, f.events)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(map[string]any{"rows_out": rows, "wall_s": time.Since(began).Seconds(), "note": m.note})
	}
	return fmt.Errorf("no measurement %q", f.child)
}

// query runs the measurement's continuous query to the end of its topic.
func (m measurement) query(ctx context.Context, b connectors.Broker, t *topic, events int) (int64, error) {
	plan, out, err := m.plan(t, events)
	if err != nil {
		return 0, err
	}
	if _, err := b.CreateTopic(ctx, connectors.TopicSpec{Name: out.Topic, Partitions: 1}); err != nil {
		return 0, err
	}
	defer func() { _ = b.DeleteTopic(ctx, out.Topic) }()
	dir, err := os.MkdirTemp("", "rhumb-bench-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	fs, err := journal.Dir(dir)
	if err != nil {
		return 0, err
	}
	d, err := executor.Open(ctx, executor.Config{FS: fs, Broker: b, Pool: executor.NewPool(0), Seed: 1, Fingerprint: "bench"}, []planner.Node{plan})
	if err != nil {
		return 0, err
	}
	d.Start()
	if err := d.Finish(ctx); err != nil {
		return 0, err
	}
	if err := d.Stop(); err != nil {
		return 0, err
	}
	src, err := b.Source(ctx, out.Topic)
	if err != nil {
		return 0, err
	}
	_, end, err := src.Offsets(ctx, 0)
	return end, err
}

// lookup is a catalog of one stream.
type lookup struct{ o *catalog.Object }

func (l lookup) Object(name string) (*catalog.Object, bool) { return l.o, name == l.o.Name }
func (l lookup) ByNumber(n uint32) (*catalog.Object, bool)  { return l.o, n == l.o.Number }
func (l lookup) Names() []string                            { return []string{l.o.Name} }
func specOf(kind string, given []parser.Option) (map[string]string, error) {
	switch catalog.Kind(kind) {
	case catalog.Source:
		return planner.ResolveOptions(kafka.SourceOptions, given)
	case catalog.MatView:
		return planner.ResolveOptions(kafka.ViewOptions, given)
	}
	return planner.ResolveOptions(kafka.StreamOptions, given)
}

// plan binds the query.
func (m measurement) plan(t *topic, events int) (planner.Node, *catalog.Object, error) {
	env := planner.Env{Options: specOf}
	stmt, err := parser.Parse(fmt.Sprintf(source, t.topicName(events)))
	if err != nil {
		return nil, nil, err
	}
	src, err := planner.BindSource(stmt[0].Stmt.(*parser.CreateStream), env)
	if err != nil {
		return nil, nil, err
	}
	src.Number, src.Version = 1, 1
	kind, word := catalog.Derived, "STREAM"
	if m.name == "view" {
		kind, word = catalog.MatView, "MATERIALIZED VIEW"
	}
	with := ""
	if m.opts != "" {
		with = "WITH (" + m.opts + ") "
	}
	stmt, err = parser.Parse(fmt.Sprintf("CREATE %s bench_out_%d %sAS %s", word, time.Now().UnixNano(), with, m.sql))
	if err != nil {
		return nil, nil, err
	}
	c := stmt[0].Stmt.(*parser.CreateAs)
	env.Catalog = lookup{src}
	plan, o, err := planner.BindContinuous(kind, c.Name.Name, c.Query, c.Options, env)
	if err != nil {
		return nil, nil, err
	}
	o.Number, o.Version = 2, 1
	return planner.Optimize(plan, planner.Setting{}), o, nil
}

// readOnly fetches the topic without decoding.
func readOnly(ctx context.Context, b connectors.Broker, t *topic, events int) (int64, error) {
	return 0, fetchAll(ctx, b, t, events, func(int, *connectors.Records) {})
}

// decodeOnly fetches and decodes 5 fields.
func decodeOnly(ctx context.Context, b connectors.Broker, t *topic, events int) (int64, error) {
	var cols []decode.Column
	for _, c := range []struct {
		name string
		kind types.Kind
	}{{"ts", types.Timestamptz}, {"src_ip", types.Text}, {"dst_port", types.Int4}, {"outcome", types.Text}, {"bytes_in", types.Int8}} {
		cols = append(cols, decode.Column{Name: c.name, Type: types.T(c.kind)})
	}
	proto, err := decode.New("json", cols, decode.Options{})
	if err != nil {
		return 0, err
	}
	decoders := make([]decode.Decoder, partitions)
	vecs := make([][]*types.Vec, partitions)
	for p := range decoders {
		decoders[p] = proto.Clone()
		for range cols {
			vecs[p] = append(vecs[p], &types.Vec{})
		}
	}
	counters := decode.NewCounters(len(cols))
	return 0, fetchAll(ctx, b, t, events, func(p int, r *connectors.Records) {
		for lo := 0; lo < len(r.Values); lo += 4096 {
			decoders[p].Decode(r.Values[lo:min(lo+4096, len(r.Values))], vecs[p], nil, counters)
		}
	})
}

// fetchAll reads all partitions side by side.
func fetchAll(ctx context.Context, b connectors.Broker, t *topic, events int, fn func(p int, r *connectors.Records)) error {
	src, err := b.Source(ctx, t.topicName(events))
	if err != nil {
		return err
	}
	errs := make(chan error, partitions)
	for p := range partitions {
		go func() {
			_, end, err := src.Offsets(ctx, int32(p))
			for at := int64(0); err == nil && at < end; {
				var r *connectors.Records
				if r, err = src.Fetch(ctx, int32(p), at, 4<<20, time.Second); err == nil {
					fn(p, r)
					at = r.Next
				}
			}
			errs <- err
		}()
	}
	for range partitions {
		if e := <-errs; e != nil {
			err = e
		}
	}
	return err
}
