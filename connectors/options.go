package connectors

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"rhumb/types"
)

// OptionType is what an option's value is.
type OptionType string

// The types of options, and how Resolve writes their values.
const (
	OptionString   OptionType = "string"   // as given
	OptionInt      OptionType = "int"      // decimal digits
	OptionBool     OptionType = "bool"     // true or false
	OptionDuration OptionType = "duration" // as time.Duration prints it: 30s, 5m0s
	OptionBytes    OptionType = "bytes"    // number of bytes; -1 = unlimited
	OptionEnum     OptionType = "enum"     // one of Values
	OptionTime     OptionType = "time"     // one of Values, or an RFC 3339 timestamp in UTC
)

// OptionSpec specifies an option of WITH (...). It is the only place that does: checking, defaults and the reference documentation
// come from it.
type OptionSpec struct {
	Name     string
	Type     OptionType
	Default  string // in any spelling that the type takes; "" = none
	Required bool
	Min      int64    // the least value of an int, bytes or duration (nanoseconds)
	Values   []string // of an enum; the words that a time may be
	Doc      string   // a sentence
	Example  string   // a value
}

// Spec is the options of one kind of object.
type Spec struct {
	Title   string // a heading: "Kafka source"
	Options []OptionSpec
}

// OptionError says which option is wrong, so that the caller can point at it in the statement.
type OptionError struct {
	Name string // as given, or the missing option's
	Err  *types.Error
}

func (e *OptionError) Error() string { return e.Err.Error() }

// Unwrap lets types.AsError find the error.
func (e *OptionError) Unwrap() error { return e.Err }

// Lookup finds an option by name.
func (s Spec) Lookup(name string) (OptionSpec, bool) {
	i := slices.IndexFunc(s.Options, func(o OptionSpec) bool { return o.Name == name })
	if i < 0 {
		return OptionSpec{}, false
	}
	return s.Options[i], true
}

// Resolve checks the options given and returns all options that have a value: the given ones in canonical spelling, the others by their
// defaults. Of several faults it reports the first by name.
func (s Spec) Resolve(given map[string]string) (map[string]string, *OptionError) {
	out := make(map[string]string, len(s.Options))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		o, ok := s.Lookup(strings.ToLower(name))
		if !ok {
			return nil, &OptionError{Name: name, Err: s.unknown(name)}
		}
		v, err := o.canonical(given[name])
		if err != nil {
			return nil, &OptionError{Name: name, Err: err}
		}
		out[o.Name] = v
	}
	for _, o := range s.Options {
		if _, ok := out[o.Name]; ok {
			continue
		}
		if o.Required {
			err := types.Errorf(types.CodeInvalidOption, "option %q is required", o.Name).WithHint("%s Example: %s = '%s'.", o.Doc, o.Name, o.Example)
			return nil, &OptionError{Name: o.Name, Err: err}
		}
		if o.Default != "" {
			v, err := o.canonical(o.Default)
			if err != nil {
				err = types.Errorf(types.CodeInternal, "BUG: the default of option %q is not valid: %s", o.Name, err.Message)
				return nil, &OptionError{Name: o.Name, Err: err}
			}
			out[o.Name] = v
		}
	}
	return out, nil
}

func (s Spec) unknown(name string) *types.Error {
	names := make([]string, len(s.Options))
	for i, o := range s.Options {
		names[i] = o.Name
	}
	err := types.Errorf(types.CodeInvalidOption, "unknown option %q", name)
	if near := types.Suggest(strings.ToLower(name), names); near != "" {
		return err.WithHint("Did you mean %q?", near)
	}
	slices.Sort(names)
	return err.WithHint("The options are: %s.", strings.Join(names, ", "))
}

// canonical checks a value and returns it in the one spelling that the catalog keeps.
func (o OptionSpec) canonical(v string) (string, *types.Error) {
	switch o.Type {
	case OptionString:
		if v == "" {
			return "", o.invalid(v, "it is empty")
		}
		return v, nil
	case OptionInt:
		n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		if err != nil {
			return "", o.invalid(v, "expected a whole number")
		}
		if n < o.Min {
			return "", o.invalid(v, fmt.Sprintf("the least value is %d", o.Min))
		}
		return strconv.FormatInt(n, 10), nil
	case OptionBool:
		b, ok := parseBool(v)
		if !ok {
			return "", o.invalid(v, "expected true or false")
		}
		return strconv.FormatBool(b), nil
	case OptionDuration:
		d, err := ParseDuration(v)
		if err != nil {
			return "", o.invalid(v, "expected a time span such as '30 seconds' or '5m'")
		}
		if d < time.Duration(o.Min) {
			return "", o.invalid(v, fmt.Sprintf("the least value is %s", time.Duration(o.Min)))
		}
		return d.String(), nil
	case OptionBytes:
		n, err := ParseBytes(v)
		if err != nil {
			return "", o.invalid(v, "expected a number of bytes such as '500MB' or '1GB', or 'unlimited'")
		}
		if n >= 0 && n < o.Min {
			return "", o.invalid(v, fmt.Sprintf("the least value is %d bytes", o.Min))
		}
		return strconv.FormatInt(n, 10), nil
	case OptionEnum:
		if w := strings.ToLower(strings.TrimSpace(v)); slices.Contains(o.Values, w) {
			return w, nil
		}
		err := o.invalid(v, "expected one of: "+strings.Join(o.Values, ", "))
		if near := types.Suggest(strings.ToLower(v), o.Values); near != "" {
			err.WithHint("Did you mean '%s'?", near)
		}
		return "", err
	case OptionTime:
		if w := strings.ToLower(strings.TrimSpace(v)); slices.Contains(o.Values, w) {
			return w, nil
		}
		t, err := parseTime(strings.TrimSpace(v))
		if err != nil {
			return "", o.invalid(v, "expected "+strings.Join(o.Values, ", ")+" or a time such as '2026-01-31 12:00:00+00'")
		}
		return t.UTC().Format(time.RFC3339Nano), nil
	}
	return "", types.Errorf(types.CodeInternal, "BUG: option %q has the unknown type %q", o.Name, o.Type)
}

func (o OptionSpec) invalid(v, why string) *types.Error {
	err := types.Errorf(types.CodeInvalidOption, "invalid value '%s' for option %q: %s", v, o.Name, why)
	if o.Example != "" {
		err.WithHint("Example: %s = '%s'.", o.Name, o.Example)
	}
	return err
}

// Reference renders the options as a markdown table.
func (s Spec) Reference() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n| option | type | default | meaning | example |\n|---|---|---|---|---|\n", s.Title)
	for _, o := range s.Options {
		typ := string(o.Type)
		switch {
		case o.Type == OptionEnum:
			typ = strings.Join(o.Values, ", ")
		case len(o.Values) > 0:
			typ = strings.Join(o.Values, ", ") + " or " + typ
		}
		def := "`" + o.Default + "`"
		switch {
		case o.Required:
			def = "required"
		case o.Default == "":
			def = ""
		}
		example := ""
		if o.Example != "" {
			example = "`" + o.Name + " = '" + o.Example + "'`"
		}
		row := []string{"`" + o.Name + "`", typ, def, o.Doc, example}
		for i := range row {
			row[i] = strings.ReplaceAll(row[i], "|", `\|`)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	return b.String()
}

// Options are options that Resolve has returned. The getters return zero for an option without a value.
type Options map[string]string

// String, Int, Bool, Duration, Bytes return an option's value.
func (o Options) String(name string) string { return o[name] }

func (o Options) Int(name string) int64 {
	n, _ := strconv.ParseInt(o[name], 10, 64)
	return n
}

func (o Options) Bool(name string) bool { return o[name] == "true" }

func (o Options) Duration(name string) time.Duration {
	d, _ := time.ParseDuration(o[name])
	return d
}

func (o Options) Bytes(name string) int64 { return o.Int(name) }

// Time returns the value of a time option: word if it is one of the option's words, else the time.
func (o Options) Time(name string) (word string, t time.Time) {
	t, err := time.Parse(time.RFC3339Nano, o[name])
	if err != nil {
		return o[name], time.Time{}
	}
	return "", t
}

func parseBool(v string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(v)) {
	case "true", "t", "yes", "y", "on", "1":
		return true, true
	case "false", "f", "no", "n", "off", "0":
		return false, true
	}
	return false, false
}

// parseTime takes what Postgres prints for a timestamp, and RFC 3339. A time without a zone is in UTC.
func parseTime(v string) (time.Time, error) {
	var first error
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07",
		"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04", "2006-01-02"} {
		t, err := time.Parse(layout, v)
		if err == nil {
			return t, nil
		}
		if first == nil {
			first = err
		}
	}
	return time.Time{}, first
}

// units of time spans, as Postgres's intervals and Go's durations spell them. Months and years have no fixed length and are left out.
var timeUnits = map[string]time.Duration{
	"us": time.Microsecond, "µs": time.Microsecond, "microsecond": time.Microsecond, "microseconds": time.Microsecond,
	"ms": time.Millisecond, "millisecond": time.Millisecond, "milliseconds": time.Millisecond,
	"s": time.Second, "sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second,
	"m": time.Minute, "min": time.Minute, "mins": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"h": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour,
	"w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour, "weeks": 7 * 24 * time.Hour,
}

// ParseDuration reads a time span: numbers with units ('90s', '1 hour 30 minutes', '1.5h'). It is never negative.
func ParseDuration(v string) (time.Duration, error) {
	bad := fmt.Errorf("not a time span: %q", v)
	var total float64
	rest := strings.ToLower(strings.TrimSpace(v))
	if rest == "" {
		return 0, bad
	}
	for rest != "" {
		n, unit, tail, ok := quantity(rest)
		size, known := timeUnits[unit]
		if !ok || !known {
			return 0, bad
		}
		total += n * float64(size)
		rest = tail
	}
	if total > float64(1<<62) {
		return 0, bad
	}
	return time.Duration(total), nil
}

// quantity splits "12.5 unit rest" at the front of s.
func quantity(s string) (n float64, unit, rest string, ok bool) {
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
		i++
	}
	n, err := strconv.ParseFloat(s[:i], 64)
	if err != nil {
		return 0, "", "", false
	}
	s = strings.TrimLeft(s[i:], " ")
	i = 0
	for i < len(s) && s[i] != ' ' && s[i] != '.' && (s[i] < '0' || s[i] > '9') {
		i++
	}
	return n, s[:i], strings.TrimLeft(s[i:], " "), true
}

// The units of sizes are powers of 1024, as Postgres's are.
var byteUnits = map[string]float64{
	"": 1, "b": 1, "byte": 1, "bytes": 1,
	"k": 1 << 10, "kb": 1 << 10, "kib": 1 << 10,
	"m": 1 << 20, "mb": 1 << 20, "mib": 1 << 20,
	"g": 1 << 30, "gb": 1 << 30, "gib": 1 << 30,
	"t": 1 << 40, "tb": 1 << 40, "tib": 1 << 40,
}

// ParseBytes reads a size ('1048576', '500MB', '1.5 GB'; units are powers of 1024); 'unlimited' and -1 are -1.
func ParseBytes(v string) (int64, error) {
	s := strings.ToLower(strings.TrimSpace(v))
	if s == "unlimited" || s == "-1" {
		return -1, nil
	}
	n, unit, rest, ok := quantity(s)
	size, known := byteUnits[unit]
	if !ok || !known || rest != "" || n*size > float64(1<<62) {
		return 0, fmt.Errorf("not a size: %q", v)
	}
	return int64(n * size), nil
}
