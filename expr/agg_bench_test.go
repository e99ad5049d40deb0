package expr

import (
	"math/rand/v2"
	"testing"
)

func BenchmarkAggUpdate(b *testing.B) {
	const rows, groups = 4096, 1000
	r := rand.New(rand.NewPCG(1, 1))
	for _, tc := range [][2]string{{"count(*)", "bigint"}, {"count", "bigint"}, {"sum", "integer"}, {"sum", "bigint"}, {"sum", "double precision"},
		{"sum", "numeric"}, {"min", "timestamptz"}, {"max", "double precision"}, {"min", "text"}, {"first", "bigint"}, {"last", "text"},
		{"count distinct", "text"}, {"count distinct", "bigint"}} {
		b.Run(tc[0]+"/"+tc[1], func(b *testing.B) {
			c := testAgg(b, tc[0], tc[1], "")
			in := randomInput(r, mustType(b, tc[1]), rows, groups)
			acc := c.NewAccumulator()
			acc.Resize(groups)
			sel := make([]int32, rows)
			for i := range sel {
				sel[i] = int32(i)
			}
			args := in.args(c)
			ctx := &Ctx{}
			b.ReportAllocs()
			for b.Loop() {
				acc.Update(ctx, in.groups, sel, args, nil, &in.origin)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}
