package generate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// dns writes dns.log as a Zeek sensor does with its JSON writer: the keys and their order are those of the real thing, including
// "id.orig_h". The network behind it is a few dozen clients that look up dnsNames names:
//
//   - names of cdnCount content networks are CNAME chains (www.shop7.example -> shop7.cdn3.test -> edge5.cdn3.test) that end in one to eight
//     of the addresses that all names of the network share;
//   - the others have an address or two of their own, or share a hosting address with their neighbours;
//   - what is popular is asked for more often (Zipf).
//
// Zeek writes a row when the answer has come or the wait for it is over, so rows are in order of _write_ts while ts may be up to
// dnsMaxDelay behind: a quarter of the rows are late, most of those by seconds.
type dns struct {
	rng     *rand.Rand
	zipf    *rand.Zipf
	names   []dnsName
	written int64 // _write_ts of the last row, microseconds
}

const (
	dnsNames    = 2_000
	dnsClients  = 77
	cdnCount    = 8
	dnsMaxDelay = 30 * second
)

// dnsStart is the time of the first row.
var dnsStart = time.Date(2024, 3, 24, 17, 15, 20, 0, time.UTC).UnixMicro()

// dnsName is a name and what it resolves to.
type dnsName struct {
	name    string
	cnames  []string
	v4      []string
	v6      []string
	missing bool // NXDOMAIN
}

func newDNS(seed uint64) *dns {
	r := rand.New(rand.NewPCG(seed, 0x646e73))
	g := &dns{rng: r, zipf: rand.NewZipf(r, 1.1, 4, dnsNames-1), written: dnsStart}
	for i := range dnsNames {
		g.names = append(g.names, g.makeName(i))
	}
	r.Shuffle(len(g.names), func(i, j int) { g.names[i], g.names[j] = g.names[j], g.names[i] })
	return g
}

var dnsWords = []string{"shop", "news", "mail", "cloud", "video", "bank", "forum", "photo", "update", "track", "static", "api"}

func (g *dns) makeName(i int) dnsName {
	site := fmt.Sprintf("%s%d", dnsWords[i%len(dnsWords)], i)
	n := dnsName{name: pick(g.rng, []string{"www.", "", "img.", "login."}) + site + pick(g.rng, []string{".example", ".test"})}
	switch p := g.rng.IntN(100); {
	case p < 6:
		n.missing = true
	case p < 46:
		g.onCDN(&n, site)
	case p < 70: // shared hosting: eight names an address
		n.v4 = []string{fmt.Sprintf("203.0.113.%d", i/8%256)}
	default:
		for range 1 + g.rng.IntN(2) {
			n.v4 = append(n.v4, fmt.Sprintf("198.51.100.%d", g.rng.IntN(256)))
		}
		if g.rng.IntN(3) == 0 {
			n.v6 = []string{fmt.Sprintf("2001:db8:%x::%x", i+1, 1+g.rng.IntN(0xfffe))}
		}
	}
	return n
}

// onCDN gives a name a chain into one of the content networks and addresses of its pool, 192.0.2.(32k) to 192.0.2.(32k+31).
func (g *dns) onCDN(n *dnsName, site string) {
	k := g.rng.IntN(cdnCount)
	n.cnames = []string{fmt.Sprintf("%s.cdn%d.test", site, k)}
	if g.rng.IntN(2) == 0 {
		n.cnames = append(n.cnames, fmt.Sprintf("edge%d.cdn%d.test", g.rng.IntN(16), k))
	}
	first := g.rng.IntN(32)
	for j := range 1 + g.rng.IntN(8) {
		n.v4 = append(n.v4, fmt.Sprintf("192.0.2.%d", 32*k+(first+j)%32))
		if j < 2 {
			n.v6 = append(n.v6, fmt.Sprintf("2001:db8:cd%d::%x", k, (first+j)%32+1))
		}
	}
}

// dnsRow is one transaction as it will be written.
type dnsRow struct {
	query    string
	qtype    int
	answered bool
	rcode    int
	answers  []string
}

// The record types and codes that occur, with Zeek's names.
var (
	dnsTypeNames = map[int]string{1: "A", 12: "PTR", 28: "AAAA"}
	dnsCodeNames = map[int]string{0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN"}
)

// draw decides what is asked and what comes back.
func (g *dns) draw() dnsRow {
	n := &g.names[g.zipf.Uint64()]
	row := dnsRow{query: n.name, qtype: 1, answered: g.rng.IntN(100) >= 12}
	switch p := g.rng.IntN(100); {
	case p < 4:
		return g.reverse(n, row)
	case p < 28:
		row.qtype = 28
	}
	switch {
	case n.missing:
		row.rcode = 3
	case g.rng.IntN(2000) == 0:
		row.rcode = 2
	case row.qtype == 28:
		if len(n.v6) > 0 {
			row.answers = append(append(row.answers, n.cnames...), n.v6...)
		} else {
			row.answers = append(row.answers, n.cnames...)
		}
	default:
		row.answers = append(append(row.answers, n.cnames...), n.v4...)
	}
	return row
}

// reverse asks for the name of one of n's addresses, or of a host of the network, which has none.
func (g *dns) reverse(n *dnsName, row dnsRow) dnsRow {
	row.qtype = 12
	var a, b, c, d int
	if len(n.v4) == 0 || g.rng.IntN(2) == 0 {
		row.query = fmt.Sprintf("%d.%d.47.10.in-addr.arpa", 1+g.rng.IntN(254), g.rng.IntN(8))
		row.rcode = 3
		return row
	}
	fmt.Sscanf(n.v4[0], "%d.%d.%d.%d", &a, &b, &c, &d)
	row.query = fmt.Sprintf("%d.%d.%d.%d.in-addr.arpa", d, c, b, a)
	row.answers = []string{n.name}
	return row
}

// delay is how far ts is behind _write_ts, in microseconds.
func (g *dns) delay(answered bool) int64 {
	if answered && g.rng.IntN(100) < 86 {
		return 300 + int64(g.rng.ExpFloat64()*4_000)
	}
	return min(int64(g.rng.ExpFloat64()*4*float64(second)), dnsMaxDelay-second)
}

// Next appends one row.
func (g *dns) Next(dst []byte) []byte {
	g.written += 1 + int64(g.rng.ExpFloat64()*50_000) // 20 rows a second
	row := g.draw()
	delay := g.delay(row.answered)

	dst = append(dst, `{"_path":"dns","_write_ts":"`...)
	dst = appendZeekTime(dst, g.written)
	dst = append(dst, `","ts":"`...)
	dst = appendZeekTime(dst, g.written-delay)
	dst = append(dst, `","uid":"`...)
	dst = g.appendUID(dst)
	client := g.rng.IntN(dnsClients)
	dst = fmt.Appendf(dst, `","id.orig_h":"10.47.%d.%d","id.orig_p":%d,"id.resp_h":"10.0.0.%d","id.resp_p":53,"proto":"udp","trans_id":%d`,
		1+client/10, 100+client%10, 1024+g.rng.IntN(64512), 53+client%2, g.rng.IntN(65536))
	if len(row.answers) > 0 && row.answered {
		dst = append(dst, `,"rtt":`...)
		dst = strconv.AppendFloat(dst, float64(delay)/1e6, 'f', -1, 64)
	}
	dst = fmt.Appendf(dst, `,"query":"%s","qclass":1,"qclass_name":"C_INTERNET","qtype":%d,"qtype_name":"%s"`,
		row.query, row.qtype, dnsTypeNames[row.qtype])
	if row.answered {
		dst = fmt.Appendf(dst, `,"rcode":%d,"rcode_name":"%s"`, row.rcode, dnsCodeNames[row.rcode])
	}
	dst = fmt.Appendf(dst, `,"AA":false,"TC":false,"RD":true,"RA":%t,"Z":0`, row.answered && row.rcode == 0)
	if len(row.answers) > 0 && row.answered {
		dst = g.appendAnswers(dst, row.answers)
	}
	return fmt.Appendf(dst, `,"rejected":%t}`, row.answered && row.rcode != 0)
}

func (g *dns) appendAnswers(dst []byte, answers []string) []byte {
	dst = append(dst, `,"answers":[`...)
	for i, a := range answers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendQuote(dst, a)
	}
	dst = append(dst, `],"TTLs":[`...)
	for i := range answers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendFloat(dst, math.Floor(g.rng.ExpFloat64()*600)+1, 'f', 1, 64)
	}
	return append(dst, ']')
}

func appendZeekTime(dst []byte, micros int64) []byte {
	return time.UnixMicro(micros).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z")
}

// appendUID appends a connection id as Zeek forms them: C and 17 base-62 digits.
func (g *dns) appendUID(dst []byte) []byte {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	dst = append(dst, 'C')
	for range 17 {
		dst = append(dst, digits[g.rng.IntN(62)])
	}
	return dst
}
