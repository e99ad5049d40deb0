// Package generate makes synthetic events: what `rhumb generate <kind> --events N --seed S` prints, and what tests and
// benchmarks feed. The same kind and seed always give the same records.
//
// Everything in them is made up: addresses are those reserved for documentation (RFC 5737, RFC 3849) and for private networks
// (RFC 1918), names end in .example and .test (RFC 2606).
package generate

import (
	"strings"

	"rhumb/types"
)

// Generator makes records without end. It is not for concurrent use.
type Generator interface {
	// Next appends one record, without a newline, to dst.
	Next(dst []byte) []byte
}

// kind is one entry of the table of generators.
type kind struct {
	name, doc string
	make      func(seed uint64) Generator
}

// kinds lists the generators. It is a function, so that nobody can change it.
func kinds() []kind {
	return []kind{
		{"sshd", "syslog lines of an SSH server: logins, mistyped passwords, guessing from many addresses, bursts of brute force",
			func(seed uint64) Generator { return newSSHD(seed) }},
		{"dns", "dns.log of a Zeek sensor as JSON: A, AAAA, PTR, CNAME chains, shared addresses, rows up to 30 s out of order",
			func(seed uint64) Generator { return newDNS(seed) }},
		{"bench", "login and network events of exactly 607 bytes of JSON, as the benchmarks use them",
			func(seed uint64) Generator { return NewBench(seed, BenchOptions{}) }},
	}
}

// Kinds returns the names that New knows.
func Kinds() []string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

// Doc says in a line what a kind makes; "" if there is no such kind.
func Doc(name string) string {
	for _, k := range kinds() {
		if k.name == name {
			return k.doc
		}
	}
	return ""
}

// New returns the generator of a kind.
func New(name string, seed uint64) (Generator, error) {
	for _, k := range kinds() {
		if k.name == name {
			return k.make(seed), nil
		}
	}
	err := types.Errorf(types.CodeInvalidOption, "there is no generator %q", name)
	if s := types.Suggest(name, Kinds()); s != "" {
		return nil, err.WithHint("Did you mean %q?", s)
	}
	return nil, err.WithHint("There are: %s.", strings.Join(Kinds(), ", "))
}
