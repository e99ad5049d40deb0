package expr

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"rhumb/types"
)

// benchBatch is 4,096 rows like those of a log of SSH logins.
func benchBatch() (*types.Batch, []*Column) {
	r := rand.New(rand.NewPCG(1, 1))
	const n = 4096
	b := &types.Batch{N: n}
	var cols []*Column
	add := func(name string, t types.Type, value func() string) {
		v := types.NewVec(t, n)
		for range n {
			x, err := types.ParseValue(t, value(), nil)
			if err != nil {
				panic(err)
			}
			v.AppendValue(x)
		}
		cols = append(cols, &Column{Index: len(b.Cols), T: t, Name: name})
		b.Cols = append(b.Cols, v)
	}
	users := []string{"root", "admin", "alice", "bob", "postgres", "ubuntu"}
	add("port", tInt4, func() string { return fmt.Sprint(r.IntN(65536)) })
	add("bytes", tInt8, func() string { return fmt.Sprint(r.IntN(1 << 30)) })
	add("username", tText, func() string { return users[r.IntN(len(users))] })
	add("message", tText, func() string {
		return fmt.Sprintf("Failed password for invalid user %s from 10.%d.%d.%d port %d ssh2", users[r.IntN(len(users))], r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(65536))
	})
	add("ts", tTimestamptz, func() string { return fmt.Sprintf("2024-01-15 %02d:%02d:%02d+00", r.IntN(24), r.IntN(60), r.IntN(60)) })
	add("ip", tInet, func() string { return fmt.Sprintf("10.%d.%d.%d", r.IntN(256), r.IntN(256), r.IntN(256)) })
	add("score", tFloat8, func() string { return fmt.Sprint(r.Float64() * 100) })
	add("amount", tNumeric, func() string { return fmt.Sprintf("%d.%02d", r.IntN(10000), r.IntN(100)) })
	add("doc", tJSONB, func() string {
		return fmt.Sprintf(`{"event": {"kind": "auth", "outcome": "failure"}, "user": {"name": "%s"}, "count": %d}`, users[r.IntN(len(users))], r.IntN(100))
	})
	return b, cols
}

// BenchmarkFilter measures ns per row (4,096 rows an iteration).
func BenchmarkFilter(b *testing.B) {
	batch, cols := benchBatch()
	sel := batch.Selection(nil)
	out := make([]int32, 0, batch.N)
	for _, text := range []string{
		"port = 22", "port > 1024", "port between 1024 and 2048 and bytes > 1000000", "bytes + 100 > 500000000", "port in (22, 80, 443)",
		"username = 'root'", "username <> 'root'", "username in ('root', 'admin')", "username < 'b'", "lower(username) = 'root'",
		"message like 'Failed%'", "message like '%invalid user root%'", "message ilike '%INVALID USER root%'", "message like '%user%from%'",
		"message ~ 'Failed password for (invalid user )?root'", "message ~ '^Accepted'", "substring(message from 1 for 6) = 'Failed'",
		"ts > '2024-01-15 12:00+00'", "ts > now() - interval '1 hour'", "date_trunc('hour', ts) = '2024-01-15 12:00+00'", "extract(hour from ts) = 3",
		"ip << '10.1.0.0/16'", "is_private(ip)", "score > 50", "amount > 5000", "amount * 2 > 5000", "port::text = '22'",
		"doc ->> 'count' = '5'", "(doc ->> 'count')::int > 50", "doc -> 'user' ->> 'name' = 'root'", "doc #>> '{user,name}' = 'root'", "doc @> '{\"count\": 5}'",
		"username = 'root' or username = 'admin' or port = 22", "case when port < 1024 then username else message end = 'root'",
	} {
		e, err := parseExpr(text, cols...)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) {
			ev := NewEvaluator(Fold(e))
			ctx := Ctx{Now: 1705320000000000}
			b.ReportAllocs()
			for b.Loop() {
				ctx.Errs = ctx.Errs[:0]
				out = ev.Filter(&ctx, batch, sel, out)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(batch.N), "ns/row")
		})
	}
}
