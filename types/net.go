package types

import (
	"bytes"
	"cmp"
	"net/netip"
	"strconv"
	"strings"
)

// An INET or CIDR value is a byte for the family (4 or 6), a byte for the length of the network mask, and the 4 or 16
// bytes of the address. A CIDR has no bits right of its mask.

// InetFamily is 4 or 6, or 0 if enc is no INET encoding.
func InetFamily(enc []byte) int {
	switch {
	case len(enc) == 6 && enc[0] == 4 && enc[1] <= 32:
		return 4
	case len(enc) == 18 && enc[0] == 6 && enc[1] <= 128:
		return 6
	}
	return 0
}

// InetBits is the length of the network mask.
func InetBits(enc []byte) int {
	if InetFamily(enc) == 0 {
		return 0
	}
	return int(enc[1])
}

// InetAddr returns the 4 or 16 bytes of the address, borrowed from enc.
func InetAddr(enc []byte) []byte {
	if InetFamily(enc) == 0 {
		return nil
	}
	return enc[2:]
}

// EncodeInet makes an INET of the 4 or 16 bytes of an address.
func EncodeInet(addr []byte, bits int) []byte {
	family := byte(4)
	if len(addr) == 16 {
		family = 6
	}
	return append([]byte{family, byte(bits)}, addr...)
}

// InetNetwork clears the bits right of the mask, in place.
func InetNetwork(enc []byte) []byte {
	addr, bits := InetAddr(enc), InetBits(enc)
	for i := range addr {
		keep := min(max(bits-8*i, 0), 8)
		addr[i] &= byte(uint16(0xff00) >> keep)
	}
	return enc
}

// commonBits reports how the first n bits of two addresses of one family compare.
func commonBits(a, b []byte, n int) int {
	if c := bytes.Compare(a[:n/8], b[:n/8]); c != 0 || n%8 == 0 {
		return c
	}
	mask := byte(uint16(0xff00) >> (n % 8))
	return cmp.Compare(a[n/8]&mask, b[n/8]&mask)
}

// InetContains reports whether network a contains b: a >>= b, or, unless orEqual, a >> b.
func InetContains(a, b []byte, orEqual bool) bool {
	if f := InetFamily(a); f == 0 || f != InetFamily(b) {
		return false
	}
	if a[1] > b[1] || a[1] == b[1] && !orEqual {
		return false
	}
	return commonBits(a[2:], b[2:], int(a[1])) == 0
}

// InetCompare orders as Postgres: by family, the bits that both networks have, the mask's length, the whole address.
func InetCompare(a, b []byte) int {
	if f := InetFamily(a); f == 0 || f != InetFamily(b) {
		return bytes.Compare(a, b)
	}
	if c := commonBits(a[2:], b[2:], int(min(a[1], b[1]))); c != 0 {
		return c
	}
	if a[1] != b[1] {
		return cmp.Compare(a[1], b[1])
	}
	return bytes.Compare(a[2:], b[2:])
}

// ParseInet reads Postgres's text input of INET, or of CIDR, which may leave out trailing octets.
func ParseInet(s string, cidr bool) ([]byte, *Error) {
	name := "inet"
	if cidr {
		name = "cidr"
	}
	bad := func() *Error { return invalidText(name, s) }
	text, bits := s, -1
	if i := strings.IndexByte(s, '/'); i >= 0 {
		n, err := strconv.ParseUint(s[i+1:], 10, 16)
		if err != nil || s[i+1] == '+' {
			return nil, bad()
		}
		text, bits = s[:i], int(n)
	}
	var enc []byte
	if strings.IndexByte(text, ':') >= 0 {
		a, err := netip.ParseAddr(text)
		if err != nil || !a.Is6() || a.Zone() != "" {
			return nil, bad()
		}
		b := a.As16()
		if bits < 0 {
			bits = 128
		}
		enc = append([]byte{6, byte(min(bits, 129))}, b[:]...)
	} else {
		var addr [4]byte
		octets, ok := parseOctets(text, &addr)
		if !ok {
			return nil, bad()
		}
		if bits < 0 {
			if bits = defaultBits(addr[0], octets); octets < 4 && !cidr {
				return nil, bad()
			}
		}
		enc = append([]byte{4, byte(min(bits, 129))}, addr[:]...)
	}
	if InetFamily(enc) == 0 {
		return nil, bad()
	}
	if cidr && !bytes.Equal(enc, InetNetwork(bytes.Clone(enc))) {
		return nil, Errorf(CodeInvalidText, "invalid cidr value: \"%s\"", s).
			WithDetail("Value has bits set to right of mask.").
			WithHint("Use network(inet '%s') or the type inet.", s)
	}
	return enc, nil
}

// parseOctets reads one to four decimal octets; those left out are zero.
func parseOctets(s string, addr *[4]byte) (n int, ok bool) {
	for part := range strings.SplitSeq(s, ".") {
		if n == 4 || len(part) == 0 || len(part) > 3 {
			return 0, false
		}
		x := 0
		for i := range len(part) {
			if part[i] < '0' || part[i] > '9' {
				return 0, false
			}
			x = x*10 + int(part[i]-'0')
		}
		if x > 255 {
			return 0, false
		}
		addr[n] = byte(x)
		n++
	}
	return n, true
}

// defaultBits is the mask of an IPv4 address that is written without one: whole if all octets are there, else by class, but
// at least what is written.
func defaultBits(first byte, octets int) int {
	bits := 8
	switch {
	case octets == 4 || first >= 240:
		bits = 32
	case first >= 224:
		bits = 8
	case first >= 192:
		bits = 24
	case first >= 128:
		bits = 16
	}
	return max(bits, octets*8)
}

// AppendInet appends the text of an INET, which leaves out a mask of full length, or of a CIDR, which does not.
func AppendInet(dst, enc []byte, cidr bool) []byte {
	switch InetFamily(enc) {
	case 4:
		dst = appendIPv4(dst, enc[2:])
		if cidr || enc[1] != 32 {
			dst = strconv.AppendUint(append(dst, '/'), uint64(enc[1]), 10)
		}
	case 6:
		dst = appendIPv6(dst, enc[2:])
		if cidr || enc[1] != 128 {
			dst = strconv.AppendUint(append(dst, '/'), uint64(enc[1]), 10)
		}
	}
	return dst
}

// AppendInetHost appends the address alone, without mask.
func AppendInetHost(dst, enc []byte) []byte {
	switch InetFamily(enc) {
	case 4:
		return appendIPv4(dst, enc[2:])
	case 6:
		return appendIPv6(dst, enc[2:])
	}
	return dst
}

func appendIPv4(dst, a []byte) []byte {
	for i, x := range a {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = strconv.AppendUint(dst, uint64(x), 10)
	}
	return dst
}

// appendIPv6 prints as inet_ntop does: the first longest run of two or more zero words is "::", and addresses of the forms
// ::a.b.c.d and ::ffff:a.b.c.d end in IPv4 notation (where netip would write ::102:304).
func appendIPv6(dst, a []byte) []byte {
	var w [8]uint16
	best, bestLen, run := -1, 1, 0
	for i := range w {
		w[i] = uint16(a[2*i])<<8 | uint16(a[2*i+1])
		if w[i] != 0 {
			run = 0
			continue
		}
		if run++; run > bestLen {
			best, bestLen = i-run+1, run
		}
	}
	for i := 0; i < 8; i++ {
		if i == best {
			dst = append(dst, ':')
			if i += bestLen; i == 8 {
				return append(dst, ':')
			}
		}
		if i > 0 {
			dst = append(dst, ':')
		}
		if i == 6 && best == 0 && (bestLen == 6 || bestLen == 5 && w[5] == 0xffff) {
			return appendIPv4(dst, a[12:])
		}
		dst = strconv.AppendUint(dst, uint64(w[i]), 16)
	}
	return dst
}
