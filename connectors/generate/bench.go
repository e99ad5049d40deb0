package generate

import (
	"math/rand/v2"
	"strconv"
)

// BenchSize is the length of every bench record.
const BenchSize = 607

// BenchOptions say what the stream is like; zero values mean the defaults.
type BenchOptions struct {
	Keys       int     // distinct src_ip, each as likely as any other; default 100,000; at most 2^24
	Rate       int     // events per second of event time: 1,000 is sparse, 100,000 dense; default 1,000
	OutOfOrder int64   // milliseconds by which a row's ts may be behind the greatest before it (less than that); default 2,000; -1 = in order
	Pass       float64 // share of rows with outcome = 'failure' AND dst_port = 22; default 0.05
	Start      int64   // ts of the beginning, epoch milliseconds; default 2023-11-14 22:13:20 UTC
}

// Bench makes login and network events of exactly BenchSize bytes: 21 flat fields and a nested object of seven. Next does not allocate when
// dst has room.
type Bench struct {
	opt  BenchOptions
	rng  *rand.PCG
	n    uint64 // events made
	pass uint64 // a draw below it passes the filter
}

// NewBench returns the generator of a seed.
func NewBench(seed uint64, opt BenchOptions) *Bench {
	if opt.Keys <= 0 {
		opt.Keys = 100_000
	}
	opt.Keys = min(opt.Keys, 1<<24)
	if opt.Rate <= 0 {
		opt.Rate = 1_000
	}
	if opt.OutOfOrder == 0 {
		opt.OutOfOrder = 2_000
	}
	if opt.Pass == 0 {
		opt.Pass = 0.05
	}
	if opt.Start == 0 {
		opt.Start = 1_700_000_000_000
	}
	return &Bench{opt: opt, rng: rand.NewPCG(seed, 0x62656e6368), pass: uint64(min(max(opt.Pass, 0), 1) * (1 << 32))}
}

// The values that rows draw from. Their lengths are bounded so that the padding of the last field is never negative.
var (
	benchPorts    = [8]uint64{443, 80, 53, 8080, 3389, 445, 25, 8443} // without 22, which the filter is about
	benchActions  = [4]string{"login", "connect", "request", "transfer"}
	benchProtos   = [4]string{"tcp", "tcp", "tcp", "udp"}
	benchAgents   = [4]string{"curl/8.5.0", "OpenSSH_9.6", "Mozilla/5.0 (X11; Linux x86_64)", "Go-http-client/2.0"}
	benchCities   = [4]string{"Springfield", "Riverside", "Lakewood", "Hillcrest"}
	benchMethods  = [4]string{"password", "publickey", "kerberos", "token"}
	benchSeverity = [4]string{"low", "low", "medium", "high"}
)

const benchFiller = "synthetic event for measuring throughput; this text only fills the record up to its size " +
	"................................................................................................................" +
	"................................................................................................................"

// Next appends one event.
func (b *Bench) Next(dst []byte) []byte {
	begin := len(dst)
	r := b.rng.Uint64() // what the row is
	s := b.rng.Uint64() // numbers in it
	t := b.rng.Uint64() // its time and key
	key := below(t, uint64(b.opt.Keys))
	ts := b.opt.Start + int64(b.n*1000/uint64(b.opt.Rate))
	if b.opt.OutOfOrder > 0 {
		ts -= int64(below(t<<32, uint64(b.opt.OutOfOrder)))
	}
	failure, port := b.kindOf(r)

	dst = append(dst, `{"ts":`...)
	dst = strconv.AppendInt(dst, ts, 10)
	dst = append(dst, `,"event_id":"`...)
	dst = appendHex(dst, b.n)
	dst = append(dst, `","src_ip":"`...)
	dst = appendKeyIP(dst, key)
	dst = append(dst, `","dst_ip":"192.0.2.`...)
	dst = strconv.AppendUint(dst, s&0xff, 10)
	dst = append(dst, `","src_port":`...)
	dst = strconv.AppendUint(dst, 1024+s>>8&0x7fff, 10)
	dst = append(dst, `,"dst_port":`...)
	dst = strconv.AppendUint(dst, port, 10)
	dst = append(dst, `,"proto":"`...)
	dst = append(dst, benchProtos[r>>40&3]...)
	dst = append(dst, `","action":"`...)
	dst = append(dst, benchActions[r>>42&3]...)
	if failure {
		dst = append(dst, `","outcome":"failure","user":"user`...)
	} else {
		dst = append(dst, `","outcome":"success","user":"user`...)
	}
	dst = strconv.AppendUint(dst, s>>24&0x3fff, 10)
	dst = append(dst, `","host":"host`...)
	dst = strconv.AppendUint(dst, s>>38&0x3ff, 10)
	dst = append(dst, `.corp.example","bytes_in":`...)
	dst = strconv.AppendUint(dst, s>>12&0xfffff, 10)
	dst = append(dst, `,"bytes_out":`...)
	dst = strconv.AppendUint(dst, s>>32&0xfffff, 10)
	dst = append(dst, `,"duration_ms":`...)
	dst = strconv.AppendUint(dst, s>>48&0x1fff, 10)
	dst = append(dst, `,"severity":"`...)
	dst = append(dst, benchSeverity[r>>44&3]...)
	dst = append(dst, `","score":0.`...)
	dst = strconv.AppendUint(dst, 100+r>>46&0x1ff, 10)
	dst = append(dst, `,"is_internal":`...)
	dst = strconv.AppendBool(dst, r>>57&1 == 0)
	dst = append(dst, `,"url":"https://www.example/path/`...)
	dst = strconv.AppendUint(dst, s>>20&0xffff, 10)
	dst = append(dst, `","user_agent":"`...)
	dst = append(dst, benchAgents[r>>58&3]...)
	dst = append(dst, `","session":"`...)
	dst = appendHex(dst, s)
	dst = append(dst, `",`...)
	dst = b.appendNested(dst, r, s)
	dst = append(dst, `"message":"`...)
	pad := BenchSize - 2 - (len(dst) - begin)
	dst = append(dst, benchFiller[:pad]...)
	b.n++
	return append(dst, `"}`...)
}

// appendNested appends the object that is inside each event.
func (b *Bench) appendNested(dst []byte, r, s uint64) []byte {
	dst = append(dst, `"geo":{"country":"ZZ","city":"`...)
	dst = append(dst, benchCities[r>>60&3]...)
	dst = append(dst, `","asn":`...)
	dst = strconv.AppendUint(dst, 64496+s>>28&15, 10) // RFC 5398
	dst = append(dst, `,"location":{"lat":`...)
	dst = strconv.AppendUint(dst, 10+s>>3&63, 10)
	dst = append(dst, `.25,"lon":`...)
	dst = strconv.AppendUint(dst, 10+s>>9&63, 10)
	dst = append(dst, `.75}},"auth":{"method":"`...)
	dst = append(dst, benchMethods[r>>62&3]...)
	return append(dst, `"},`...)
}

// kindOf draws whether the row passes the filter (outcome = 'failure' AND dst_port = 22), and if not, which half it lacks, so
// that neither half alone decides.
func (b *Bench) kindOf(r uint64) (failure bool, port uint64) {
	if r&0xffffffff < b.pass {
		return true, 22
	}
	switch r >> 32 & 7 {
	case 0, 1:
		return false, 22
	case 2, 3:
		return true, benchPorts[r>>35&7]
	}
	return false, benchPorts[r>>35&7]
}

// below maps the upper 32 bits of x evenly to [0, n), for n < 2^32 (Lemire 2019, without the correction of a bias below n/2^32).
func below(x, n uint64) uint64 { return (x >> 32) * n >> 32 }

// appendKeyIP appends the k-th address of 10.0.0.0/8.
func appendKeyIP(dst []byte, k uint64) []byte {
	dst = append(dst, "10."...)
	dst = strconv.AppendUint(dst, k>>16&0xff, 10)
	dst = append(dst, '.')
	dst = strconv.AppendUint(dst, k>>8&0xff, 10)
	dst = append(dst, '.')
	return strconv.AppendUint(dst, k&0xff, 10)
}

// appendHex appends 16 hexadecimal digits.
func appendHex(dst []byte, x uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, digits[x>>shift&15])
	}
	return dst
}
