package decode

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"testing"

	"rhumb/types"
)

const dataDir = "../../../shared/data/"

// lines reads the lines of a file of the shared data, which is not part of the project.
func lines(t testing.TB, name string, zipped bool) [][]byte {
	f, err := os.Open(dataDir + name)
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	r := io.Reader(f)
	if zipped {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	var out [][]byte
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<22)
	for s.Scan() {
		out = append(out, bytes.Clone(s.Bytes()))
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	return out
}

// decodeAll decodes in batches and hands each row's texts to check.
func decodeAll(t *testing.T, cols []Column, values [][]byte, check func(p []byte, row []string)) {
	d, err := New("json", cols, Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, c := vectors(cols), NewCounters(len(cols))
	for n := 0; n < len(values); n += 1000 {
		batch := values[n:min(n+1000, len(values))]
		if rej := d.Decode(batch, out, nil, c); len(rej) > 0 {
			t.Fatalf("%s: %v", batch[rej[0].Row], rej[0].Err)
		}
		for i, p := range batch {
			var row []string
			for _, v := range out {
				row = append(row, show(v, i))
			}
			check(p, row)
		}
	}
	for i := range cols {
		if c.Defects[i]+c.Replaced[i]+c.DuplicateKeys > 0 {
			t.Errorf("%s: %+v", cols[i].Name, c)
		}
	}
}

func optional[T any](p *T, t types.Type, value func(T) types.Value) string {
	if p == nil {
		return "NULL"
	}
	v := value(*p)
	v.Type = t
	return types.FormatValue(v, nil)
}

func equal(t *testing.T, p []byte, cols []Column, got, want []string) {
	t.Helper()
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%s: column %s: got %q, want %q", p, cols[i].Name, got[i], want[i])
		}
	}
}

func TestZeekDNS(t *testing.T) {
	values := lines(t, "zeek-wrccdc/dns.json.gz", true)
	cols := []Column{column("ts", types.Timestamptz), column("id.orig_h", types.Inet), column("query", types.Text),
		{Name: "answers", Type: types.ArrayOf(types.Text)}, column("qtype_name", types.Text), column("rtt", types.Float8)}
	rows, answers := 0, 0
	decodeAll(t, cols, values, func(p []byte, row []string) {
		var e struct {
			TS      string   `json:"ts"`
			Orig    string   `json:"id.orig_h"`
			Query   *string  `json:"query"`
			Answers []string `json:"answers"`
			QType   *string  `json:"qtype_name"`
			RTT     *float64 `json:"rtt"`
		}
		if err := json.Unmarshal(p, &e); err != nil {
			t.Fatal(err)
		}
		ts, err := types.ParseValue(cols[0].Type, e.TS, nil)
		if err != nil {
			t.Fatal(err)
		}
		list := "NULL"
		if e.Answers != nil {
			var elems []types.Value
			for _, a := range e.Answers {
				elems = append(elems, types.TextValue(a))
			}
			list = types.FormatValue(types.Value{Type: cols[3].Type, S: string(types.EncodeArray(elems))}, nil)
			answers++
		}
		text := func(s string) types.Value { return types.TextValue(s) }
		equal(t, p, cols, row, []string{types.FormatValue(ts, nil), e.Orig, optional(e.Query, cols[2].Type, text), list,
			optional(e.QType, cols[4].Type, text), optional(e.RTT, cols[5].Type, types.FloatValue)})
		rows++
	})
	if rows != 53615 || answers == 0 {
		t.Errorf("%d rows, %d with answers", rows, answers)
	}
}

func TestZeekAPT29(t *testing.T) {
	values := lines(t, "otrf/apt29_day1_combined_zeek.log", false)
	cols := []Column{column("@stream", types.Text), column("ts", types.Numeric), column("id_orig_h", types.Text), column("id_resp_p", types.Int4),
		column("orig_bytes", types.Int8), column("duration", types.Float8), column("service", types.Text),
		{Name: "time", Type: types.T(types.Timestamptz), Path: []string{"ts"}}}
	rows, sent := 0, int64(0)
	decodeAll(t, cols, values, func(p []byte, row []string) {
		var e struct {
			Stream   *string      `json:"@stream"`
			TS       *json.Number `json:"ts"`
			Orig     *string      `json:"id_orig_h"`
			RespPort *int64       `json:"id_resp_p"`
			Bytes    *int64       `json:"orig_bytes"`
			Duration *float64     `json:"duration"`
			Service  *string      `json:"service"`
			RespHost string       `json:"id_resp_h"`
		}
		if err := json.Unmarshal(p, &e); err != nil {
			t.Fatal(err)
		}
		text := func(s string) types.Value { return types.TextValue(s) }
		integer := func(i int64) types.Value { return types.IntValue(types.Int8, i) }
		ts, us := "NULL", "NULL"
		if e.TS != nil {
			ts = e.TS.String()
			x, _ := oracleNumber(ts)
			us, _ = oracleEpoch(x)
		}
		equal(t, p, cols, row, []string{optional(e.Stream, cols[0].Type, text), ts, optional(e.Orig, cols[2].Type, text),
			optional(e.RespPort, cols[3].Type, integer), optional(e.Bytes, cols[4].Type, integer),
			optional(e.Duration, cols[5].Type, types.FloatValue), optional(e.Service, cols[6].Type, text), us})
		rows++
		if e.Bytes != nil {
			sent += *e.Bytes
		}
	})
	if rows != 2140 || sent == 0 {
		t.Errorf("%d rows, %d bytes", rows, sent)
	}
}
