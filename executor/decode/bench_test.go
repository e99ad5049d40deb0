package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"rhumb/types"
)

// benchEvent is a login event of 20 flat fields and 607 bytes, its keys in the order of order.
func benchEvent(rng *rand.Rand, order []int) []byte {
	users := []string{"alice", "bob", "root", "administrator", "svc_backup", "mallory"}
	actions := []string{"login", "logout", "sudo", "password_change"}
	agents := []string{"Mozilla/5.0 (X11; Linux x86_64)", "curl/8.5.0", "OpenSSH_9.6p1", "Go-http-client/2.0"}
	ip := func() string {
		return fmt.Sprintf("10.%d.%d.%d", rng.IntN(256), rng.IntN(256), rng.IntN(256))
	}
	fields := []string{
		fmt.Sprintf(`"ts":"2026-03-%02dT%02d:%02d:%02d.%06dZ"`, 1+rng.IntN(28), rng.IntN(24), rng.IntN(60), rng.IntN(60), rng.IntN(1e6)),
		fmt.Sprintf(`"event_id":"%016x"`, rng.Uint64()),
		fmt.Sprintf(`"src_ip":"%s"`, ip()),
		fmt.Sprintf(`"dst_ip":"%s"`, ip()),
		fmt.Sprintf(`"src_port":%d`, 1024+rng.IntN(60000)),
		fmt.Sprintf(`"dst_port":%d`, []int{22, 80, 443, 8080}[rng.IntN(4)]),
		fmt.Sprintf(`"user":"%s"`, users[rng.IntN(len(users))]),
		fmt.Sprintf(`"host":"web-%02d.prod.example.com"`, rng.IntN(40)),
		fmt.Sprintf(`"action":"%s"`, actions[rng.IntN(len(actions))]),
		fmt.Sprintf(`"outcome":"%s"`, []string{"success", "failure"}[rng.IntN(2)]),
		`"proto":"tcp"`,
		fmt.Sprintf(`"bytes_in":%d`, rng.IntN(1e6)),
		fmt.Sprintf(`"bytes_out":%d`, rng.IntN(1e5)),
		fmt.Sprintf(`"duration":%.6f`, rng.Float64()*10),
		fmt.Sprintf(`"severity":"%s"`, []string{"low", "medium", "high"}[rng.IntN(3)]),
		fmt.Sprintf(`"agent":"%s"`, agents[rng.IntN(len(agents))]),
		fmt.Sprintf(`"mfa":%v`, rng.IntN(2) == 0),
		`"session":null`,
		fmt.Sprintf(`"country":"%s"`, []string{"FR", "DE", "US", "JP"}[rng.IntN(4)]),
	}
	size := len(`{,"message":""}`) + len(fields) - 1
	for _, f := range fields {
		size += len(f)
	}
	fields = append(fields, `"message":"`+strings.Repeat("synthetic event for measurements ", 20)[:607-size]+`"`)
	if order != nil {
		shuffled := make([]string, len(fields))
		for i, k := range order {
			shuffled[i] = fields[k]
		}
		fields = shuffled
	}
	return []byte("{" + strings.Join(fields, ",") + "}")
}

func benchEvents(n int, shuffle bool) [][]byte {
	rng := rand.New(rand.NewPCG(1, 2))
	values := make([][]byte, n)
	for i := range values {
		var order []int
		if shuffle {
			order = rng.Perm(20)
		}
		values[i] = benchEvent(rng, order)
		if len(values[i]) != 607 {
			panic(len(values[i]))
		}
	}
	return values
}

func column(name string, k types.Kind) Column { return Column{Name: name, Type: types.T(k)} }

var (
	benchOne  = []Column{column("src_ip", types.Text)}
	benchFive = []Column{column("ts", types.Timestamptz), column("src_ip", types.Inet), column("dst_port", types.Int4),
		column("user", types.Text), column("outcome", types.Text)}
	benchFiveText = []Column{column("event_id", types.Text), column("src_ip", types.Text), column("dst_port", types.Int4),
		column("user", types.Text), column("outcome", types.Text)}
	benchAll = []Column{column("ts", types.Timestamptz), column("event_id", types.Text), column("src_ip", types.Inet),
		column("dst_ip", types.Inet), column("src_port", types.Int4), column("dst_port", types.Int4), column("user", types.Text),
		column("host", types.Text), column("action", types.Text), column("outcome", types.Text), column("proto", types.Text),
		column("bytes_in", types.Int8), column("bytes_out", types.Int8), column("duration", types.Float8),
		column("severity", types.Text), column("agent", types.Text), column("mfa", types.Bool), column("session", types.Text),
		column("country", types.Text), column("message", types.Text)}
)

func BenchmarkDecode(b *testing.B) {
	same, shuffled := benchEvents(1024, false), benchEvents(1024, true)
	for _, bm := range []struct {
		name   string
		cols   []Column
		values [][]byte
		opts   Options
	}{
		{"none", nil, same, Options{}},
		{"1of20", benchOne, same, Options{}},
		{"5of20", benchFive, same, Options{}},
		{"text5of20", benchFiveText, same, Options{}},
		{"20of20", benchAll, same, Options{}},
		{"noshape5of20", benchFive, same, Options{NoShapeCache: true}},
		{"shuffled5of20", benchFive, shuffled, Options{}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			d, err := New("json", bm.cols, bm.opts)
			if err != nil {
				b.Fatal(err)
			}
			out, c := vectors(bm.cols), NewCounters(len(bm.cols))
			if rej := d.Decode(bm.values, out, nil, c); len(rej) > 0 {
				b.Fatal(rej[0].Err)
			}
			b.ReportAllocs()
			b.SetBytes(607)
			begin := cpuTime()
			for n := 0; n < b.N; n += len(bm.values) {
				d.Decode(bm.values, out, nil, c)
			}
			b.ReportMetric(float64(cpuTime()-begin)/float64((b.N+1023)/1024*1024), "cpu-ns/op")
		})
	}
}

// cpuTime is the processor time that the process has used, in nanoseconds: other work on a shared machine disturbs it less.
func cpuTime() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkBytes is what merely touching the bytes costs.
func BenchmarkBytes(b *testing.B) {
	values := benchEvents(1024, false)
	b.Run("indexbyte", func(b *testing.B) {
		b.SetBytes(607)
		for n := 0; n < b.N; n++ {
			if bytes.IndexByte(values[n&1023], 0) >= 0 {
				b.Fatal("NUL")
			}
		}
	})
	b.Run("swar", func(b *testing.B) {
		b.SetBytes(607)
		hits := 0
		for n := 0; n < b.N; n++ {
			for p, i := values[n&1023], 0; i < len(p); i++ {
				i = stringStop(p, i)
				hits++
			}
		}
		b.ReportMetric(float64(hits)/float64(b.N), "quotes")
	})
	b.Run("json.Valid", func(b *testing.B) {
		b.SetBytes(607)
		for n := 0; n < b.N; n++ {
			if !json.Valid(values[n&1023]) {
				b.Fatal("invalid")
			}
		}
	})
}

func vectors(cols []Column) []*types.Vec {
	var out []*types.Vec
	for _, c := range cols {
		out = append(out, types.NewVec(c.Type, 0))
	}
	return out
}

// BenchmarkZeek decodes real events, whose fields are optional and whose kinds are mixed.
func BenchmarkZeek(b *testing.B) {
	for _, bm := range []struct {
		name, file string
		zipped     bool
		cols       []Column
	}{
		{"dns", "zeek-wrccdc/dns.json.gz", true, []Column{column("ts", types.Timestamptz), column("id.orig_h", types.Inet), column("query", types.Text),
			{Name: "answers", Type: types.ArrayOf(types.Text)}, column("qtype_name", types.Text), column("rtt", types.Float8)}},
		{"mixed", "otrf/apt29_day1_combined_zeek.log", false, []Column{column("@stream", types.Text), column("ts", types.Timestamptz),
			column("id_orig_h", types.Inet), column("id_resp_p", types.Int4), column("orig_bytes", types.Int8)}},
	} {
		for _, noCache := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/noshape=%v", bm.name, noCache), func(b *testing.B) {
				values := lines(b, bm.file, bm.zipped)
				values = values[:min(len(values), 4096)]
				bytes := 0
				for _, v := range values {
					bytes += len(v)
				}
				d, err := New("json", bm.cols, Options{NoShapeCache: noCache})
				if err != nil {
					b.Fatal(err)
				}
				out, c := vectors(bm.cols), NewCounters(len(bm.cols))
				d.Decode(values, out, nil, c)
				b.ReportAllocs()
				b.ResetTimer()
				begin, n := cpuTime(), 0
				for ; n < b.N; n += len(values) {
					d.Decode(values, out, nil, c)
				}
				b.ReportMetric(float64(cpuTime()-begin)/float64(n), "cpu-ns/op")
				b.ReportMetric(float64(bytes)/float64(len(values)), "bytes/event")
			})
		}
	}
}
