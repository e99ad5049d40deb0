package connectors

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"rhumb/types"
)

var testSpec = Spec{Title: "Test", Options: []OptionSpec{
	{Name: "topic", Type: OptionString, Required: true, Doc: "The topic.", Example: "sshd"},
	{Name: "partitions", Type: OptionInt, Default: "4", Min: 1},
	{Name: "archive", Type: OptionBool, Default: "off"},
	{Name: "idle_timeout", Type: OptionDuration, Default: "30 seconds", Min: int64(time.Second)},
	{Name: "retention", Type: OptionBytes, Example: "1GB", Min: 1 << 20},
	{Name: "format", Type: OptionEnum, Values: []string{"json", "text"}, Default: "json"},
	{Name: "start", Type: OptionTime, Values: []string{"earliest", "latest"}, Default: "earliest"},
}}

func TestResolve(t *testing.T) {
	got, err := testSpec.Resolve(map[string]string{
		"TOPIC": "a", "retention": "1.5 GB", "idle_timeout": "1 hour 30 min", "archive": "Yes",
		"start": "2026-01-31 12:00:00+02", "partitions": " 16 ",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"topic": "a", "retention": "1610612736", "idle_timeout": "1h30m0s", "archive": "true",
		"start": "2026-01-31T10:00:00Z", "partitions": "16", "format": "json"}
	if !maps.Equal(got, want) {
		t.Fatalf("got %v\nwant %v", got, want)
	}
	// What Resolve returns resolves to itself: the catalog keeps it.
	again, err := testSpec.Resolve(got)
	if err != nil || !maps.Equal(again, got) {
		t.Fatalf("again %v, %v", again, err)
	}
	o := Options(got)
	word, at := o.Time("start")
	if o.Int("partitions") != 16 || o.Duration("idle_timeout") != 90*time.Minute || !o.Bool("archive") || o.Bytes("retention") != 3<<29 ||
		word != "" || !at.Equal(time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)) {
		t.Fatal("getters", o)
	}
	got, err = testSpec.Resolve(map[string]string{"topic": "a"})
	if err != nil {
		t.Fatal(err)
	}
	if word, _ := Options(got).Time("start"); word != "earliest" {
		t.Fatal("start", word)
	}
	if _, ok := got["retention"]; ok {
		t.Fatal("an option without a default has a value")
	}
}

func TestResolveErrors(t *testing.T) {
	for _, c := range []struct{ name, value, message, hint string }{
		{"topik", "a", `unknown option "topik"`, `"topic"`},
		{"zzzzzzzzzzz", "a", `unknown option "zzzzzzzzzzz"`, "The options are: archive, format"},
		{"partitions", "0", "the least value is 1", ""},
		{"partitions", "four", "expected a whole number", ""},
		{"archive", "maybe", "expected true or false", ""},
		{"idle_timeout", "soon", "expected a time span", ""},
		{"idle_timeout", "1 month", "expected a time span", ""},
		{"idle_timeout", "10ms", "the least value is 1s", ""},
		{"idle_timeout", "-5s", "expected a time span", ""},
		{"retention", "1XB", "expected a number of bytes", "1GB"},
		{"retention", "1000", "the least value is 1048576 bytes", "1GB"},
		{"format", "jsn", "expected one of: json, text", "'json'"},
		{"start", "yesterday", "expected earliest, latest or a time", ""},
		{"topic", "", "it is empty", "sshd"},
	} {
		given := map[string]string{"topic": "a"}
		given[c.name] = c.value
		_, err := testSpec.Resolve(given)
		if err == nil {
			t.Errorf("%s = %q: no error", c.name, c.value)
			continue
		}
		if err.Name != c.name || err.Err.Code != types.CodeInvalidOption || !strings.Contains(err.Err.Message, c.message) || !strings.Contains(err.Err.Hint, c.hint) {
			t.Errorf("%s = %q: %q %s: %v, hint %q", c.name, c.value, err.Name, err.Err.Code, err.Err.Message, err.Err.Hint)
		}
	}
	_, err := testSpec.Resolve(nil)
	if err == nil || err.Name != "topic" || !strings.Contains(err.Err.Message, "required") {
		t.Fatalf("missing option: %v", err)
	}
	var te *types.Error
	if !errors.As(error(err), &te) || types.AsError(err).Code != types.CodeInvalidOption {
		t.Fatal("the error does not unwrap")
	}
}

func TestParseDurationAndBytes(t *testing.T) {
	for s, want := range map[string]time.Duration{"0s": 0, "90s": 90 * time.Second, "1.5h": 90 * time.Minute, "2 days": 48 * time.Hour,
		"1h30m": 90 * time.Minute, "250ms": 250 * time.Millisecond, "1 week": 168 * time.Hour, "1h0m0.5s": time.Hour + 500*time.Millisecond} {
		if d, err := ParseDuration(s); err != nil || d != want {
			t.Errorf("%q: %v, %v", s, d, err)
		}
	}
	for _, s := range []string{"", "5", "s", "1 fortnight", "1e400s", "..s", "99999999999999 weeks"} {
		if d, err := ParseDuration(s); err == nil {
			t.Errorf("%q: %v", s, d)
		}
	}
	for s, want := range map[string]int64{"0": 0, "1": 1, "1kB": 1024, "1 GiB": 1 << 30, "2.5k": 2560, "unlimited": -1, "-1": -1} {
		if n, err := ParseBytes(s); err != nil || n != want {
			t.Errorf("%q: %d, %v", s, n, err)
		}
	}
	for _, s := range []string{"", "GB", "-2", "1 2", "99999999999TB"} {
		if n, err := ParseBytes(s); err == nil {
			t.Errorf("%q: %d", s, n)
		}
	}
}

func TestReference(t *testing.T) {
	ref := testSpec.Reference()
	for _, want := range []string{"### Test\n", "| `topic` | string | required | The topic. | `topic = 'sshd'` |\n",
		"| `format` | json, text | `json` |", "| `start` | earliest, latest or time | `earliest` |"} {
		if !strings.Contains(ref, want) {
			t.Errorf("no %q in\n%s", want, ref)
		}
	}
}
