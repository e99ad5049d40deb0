package generate

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// shapeOf is the keys of a JSON object in order, each with the type of its value.
func shapeOf(t *testing.T, row []byte) string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(row))
	var shape []string
	if _, err := d.Token(); err != nil {
		t.Fatalf("%s: %v", row, err)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			t.Fatalf("%s: %v", row, err)
		}
		var v any
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%s: %v", row, err)
		}
		shape = append(shape, fmt.Sprintf("%v %T", key, v))
	}
	if _, err := d.Token(); err != nil {
		t.Fatalf("%s: %v", row, err)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("%s: something follows: %v", row, err)
	}
	return strings.Join(shape, ", ")
}

type dnsRecord struct {
	WriteTS   time.Time `json:"_write_ts"`
	TS        time.Time `json:"ts"`
	UID       string    `json:"uid"`
	Orig      string    `json:"id.orig_h"`
	Resp      string    `json:"id.resp_h"`
	Query     string    `json:"query"`
	QType     int       `json:"qtype"`
	QTypeName string    `json:"qtype_name"`
	RCode     *int      `json:"rcode"`
	RCodeName string    `json:"rcode_name"`
	Answers   []string  `json:"answers"`
	TTLs      []float64 `json:"TTLs"`
}

// codes are the record's numbers with their names.
func (r *dnsRecord) codes() (qtype, rcode string) {
	rcode = "none"
	if r.RCode != nil {
		rcode = fmt.Sprintf("rcode %d=%s", *r.RCode, r.RCodeName)
	}
	return fmt.Sprintf("qtype %d=%s", r.QType, r.QTypeName), rcode
}

// Every row that is made has the keys, order and value types of some real row, and only pairs of codes and names that the real log has.
func TestDNSShapes(t *testing.T) {
	f, err := os.Open("../../../shared/data/zeek-wrccdc/dns.json.gz")
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("RHUMB_REQUIRE_DATA") == "" {
		t.Skipf("no real log to compare with: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	shapes, codes := map[string]bool{}, map[string]bool{}
	for in := bufio.NewScanner(z); in.Scan(); {
		var r dnsRecord
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		shapes[shapeOf(t, in.Bytes())] = true
		qtype, rcode := r.codes()
		codes[qtype], codes[rcode] = true, true
	}
	if len(shapes) < 3 {
		t.Fatalf("%d shapes in the real log", len(shapes))
	}
	made := map[string]bool{}
	for _, row := range take(t, "dns", 1, fewer(20_000)) {
		var r dnsRecord
		if err := json.Unmarshal(row, &r); err != nil {
			t.Fatalf("%s: %v", row, err)
		}
		shape := shapeOf(t, row)
		made[shape] = true
		if !shapes[shape] {
			t.Fatalf("no real row has this shape: %s", row)
		}
		if qtype, rcode := r.codes(); !codes[qtype] || !codes[rcode] {
			t.Fatalf("no real row has these codes: %s", row)
		}
	}
	if len(made) != 3 {
		t.Errorf("%d shapes, want answered, empty and unanswered: %v", len(made), made)
	}
}

func TestDNSContent(t *testing.T) {
	const rows = 50_000
	var chains, manyV4, aaaa, ptr, missing int
	names := map[string]map[string]bool{} // names by address
	clients := map[string]bool{}
	var late []time.Duration
	var newest, written time.Time
	for _, row := range take(t, "dns", 3, rows) {
		var r dnsRecord
		if err := json.Unmarshal(row, &r); err != nil {
			t.Fatal(err)
		}
		if r.WriteTS.Before(written) || r.TS.After(r.WriteTS) {
			t.Fatalf("times: %s", row)
		}
		written = r.WriteTS
		if r.TS.After(newest) {
			newest = r.TS
		}
		late = append(late, newest.Sub(r.TS))
		clients[r.Orig] = true
		if len(r.Answers) != len(r.TTLs) || len(r.UID) != 18 {
			t.Fatalf("%s", row)
		}
		if r.RCodeName == "NXDOMAIN" {
			missing++
			if len(r.Answers) > 0 {
				t.Fatalf("a name that is not there has answers: %s", row)
			}
		}
		v4 := dnsAddresses(t, &r, names)
		switch {
		case r.QType == 28 && len(r.Answers) > 0:
			aaaa++
		case r.QType == 12 && len(r.Answers) > 0:
			ptr++
		case v4 > 1:
			manyV4++
		}
		if r.QType == 1 && len(r.Answers)-v4 >= 2 {
			chains++
		}
	}
	if chains < 500 || manyV4 < 2000 || aaaa < 1000 || ptr < 100 || missing < 500 || len(clients) != dnsClients {
		t.Errorf("%d chains, %d with several addresses, %d AAAA, %d PTR, %d NXDOMAIN, %d clients", chains, manyV4, aaaa, ptr, missing, len(clients))
	}
	slices.Sort(late)
	if p95, top := late[rows*95/100], late[rows-1]; p95 < time.Second || p95 > 15*time.Second || top > 30*time.Second || top < 15*time.Second {
		t.Errorf("rows are late by p95 %v, at most %v", p95, top)
	}
	shared := 0
	for _, n := range names {
		if len(n) >= 5 {
			shared++
		}
	}
	if shared < 50 {
		t.Errorf("only %d addresses have five names or more", shared)
	}
}

// dnsAddresses enters the row's name under each of its addresses, verifies that they are made up, and counts the IPv4 ones.
func dnsAddresses(t *testing.T, r *dnsRecord, names map[string]map[string]bool) (v4 int) {
	t.Helper()
	for _, a := range append([]string{r.Orig, r.Resp}, r.Answers...) {
		addr, err := netip.ParseAddr(a)
		if err != nil {
			if !strings.HasSuffix(a, ".example") && !strings.HasSuffix(a, ".test") {
				t.Fatalf("neither an address nor a made-up name: %q", a)
			}
			continue
		}
		madeUp := false
		for _, net := range []string{"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "10.0.0.0/8"} {
			madeUp = madeUp || netip.MustParsePrefix(net).Contains(addr)
		}
		if !madeUp {
			t.Fatalf("an address that somebody may have: %s", a)
		}
	}
	for _, a := range r.Answers {
		if addr, err := netip.ParseAddr(a); err == nil {
			if addr.Is4() {
				v4++
			}
			if names[a] == nil {
				names[a] = map[string]bool{}
			}
			names[a][r.Query] = true
		}
	}
	return v4
}
