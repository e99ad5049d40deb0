package generate

import (
	"errors"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

var syslogLine = regexp.MustCompile(`^([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) LabSZ sshd\[(\d+)\]: (.*)$`)

// What differs from line to line of one form. User names come first: they may hold spaces.
var sshdVariable = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`for invalid user .* from `), "for invalid user U from "},
	{regexp.MustCompile(`^Invalid user .* from `), "Invalid user U from "},
	{regexp.MustCompile(`request: invalid user .* \[preauth`), "request: invalid user U [preauth"},
	{regexp.MustCompile(`password for (\S+) from`), "password for U from"},
	{regexp.MustCompile(`(opened|closed) for user \S+`), "$1 for user U"},
	{regexp.MustCompile(`user=\S+`), "user=U"},
	{regexp.MustCompile(`(from|closed by) [0-9a-f.:]*[0-9a-f]`), "$1 A"},
	{regexp.MustCompile(`rhost=\S+`), "rhost=A"},
	{regexp.MustCompile(`getaddrinfo for \S+ \[\S+\]`), "getaddrinfo for H [A]"},
	{regexp.MustCompile(`port \d+`), "port N"},
}

func sshdForm(t *testing.T, line string) string {
	t.Helper()
	m := syslogLine.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("not a syslog line: %q", line)
	}
	form := m[3]
	for _, v := range sshdVariable {
		form = v.what.ReplaceAllString(form, v.with)
	}
	return form
}

// Every line that is made has a form that the real log has.
func TestSSHDForms(t *testing.T) {
	real, err := os.ReadFile("../../../shared/data/loghub/OpenSSH_2k.log")
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("RHUMB_REQUIRE_DATA") == "" {
		t.Skipf("no real log to compare with: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for line := range strings.Lines(string(real)) {
		known[sshdForm(t, strings.TrimRight(line, "\r\n"))] = true
	}
	if len(known) < 20 || len(known) > 60 {
		t.Fatalf("%d forms in the real log: the test's patterns do not fit it", len(known))
	}
	made := map[string]int{}
	for _, row := range take(t, "sshd", 1, fewer(200_000)) {
		form := sshdForm(t, string(row))
		if made[form]++; !known[form] {
			t.Fatalf("no such form in the real log: %q (%s)", row, form)
		}
	}
	if len(made) < 15 {
		t.Errorf("only %d forms: %v", len(made), made)
	}
}

// There is what detections look for: bursts from several addresses, one that gets in, folded lines, odd names, an ordinary day behind it.
func TestSSHDContent(t *testing.T) {
	failed := regexp.MustCompile(`Failed password for (invalid user )?(.*) from (\S+) port \d+ ssh2`)
	accepted := regexp.MustCompile(`Accepted password for \S+ from (\S+) port`)
	failures, perMinute := map[string]int{}, map[string]int{}
	var logins, repeated, spaces, brokeIn, v6 int
	prev := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC) // the year that time.Parse gives to a time without one
	for _, row := range take(t, "sshd", 2, 100_000) {
		m := syslogLine.FindStringSubmatch(string(row))
		at, err := time.Parse("Jan _2 15:04:05", m[1])
		if err != nil || at.Before(prev) && at.YearDay() >= prev.YearDay() {
			t.Fatalf("time goes back or is none: %q after %v: %v", row, prev, err)
		}
		prev = at
		if strings.HasPrefix(m[3], "message repeated") {
			repeated++
		}
		if a := accepted.FindStringSubmatch(m[3]); a != nil {
			logins++
			if failures[a[1]] >= 20 {
				brokeIn++
			}
		}
		f := failed.FindStringSubmatch(m[3])
		if f == nil {
			continue
		}
		failures[f[3]]++
		perMinute[f[3]+at.Format(" 02 15:04")]++
		if strings.Contains(f[2], " ") {
			spaces++
		}
		if strings.Contains(f[3], ":") {
			v6++
		}
	}
	bursts := map[string]bool{}
	for k, n := range perMinute {
		if n >= 5 {
			bursts[strings.Fields(k)[0]] = true
		}
	}
	if len(bursts) < 5 || logins < 1000 || repeated < 10 || spaces < 10 || brokeIn < 1 || v6 < 10 {
		t.Errorf("bursts from %d addresses, %d logins, %d folded lines, %d names with spaces, %d break-ins, %d from IPv6",
			len(bursts), logins, repeated, spaces, brokeIn, v6)
	}
	if len(failures) < 200 {
		t.Errorf("failures from only %d addresses: no background", len(failures))
	}
}
