package expr

import (
	"net/netip"
	"strconv"

	"rhumb/types"
)

func netFuncs() []*Func {
	contains := func(outer, inner int, orEqual bool) kernel {
		return func(f *frame, sel []int32) {
			a, b, out := f.args[outer], f.args[inner], f.out.B
			for _, i := range sel {
				out[i] = types.InetContains(a.Str(a.at(i)), b.Str(b.at(i)), orEqual)
			}
		}
	}
	op := func(name, doc string, run kernel) *Func {
		return &Func{Name: name, Kind: Operator, Doc: doc, Sigs: []Sig{sig(tBool, run, tInet, tInet)}}
	}
	inet := func(name, doc string, ret types.Type, run kernel, more ...types.Type) *Func {
		return &Func{Name: name, Doc: doc, Sigs: []Sig{sig(ret, run, append([]types.Type{tInet}, more...)...)}}
	}
	return []*Func{
		op("<<", "", contains(1, 0, false)),
		op("<<=", "Is contained in or equal to.", contains(1, 0, true)),
		op(">>", "", contains(0, 1, false)),
		op(">>=", "Contains or is equal to.", contains(0, 1, true)),
		op("&&", "", each(func(f *frame, i int32) {
			a, b := f.str(0, i), f.str(1, i)
			f.setBool(i, types.InetContains(a, b, true) || types.InetContains(b, a, true))
		})),
		{Name: "+", Kind: Operator, Sigs: []Sig{sig(tInet, inetAdd(1), tInet, tInt8), sig(tInet, inetAddReversed, tInt8, tInet)}},
		{Name: "-", Kind: Operator, Sigs: []Sig{sig(tInet, inetAdd(-1), tInet, tInt8), sig(tInt8, inetDiff, tInet, tInet)}},
		{Name: "~", Kind: Operator, Sigs: []Sig{sig(tInet, inetBits1(func(x byte) byte { return ^x }), tInet), sig(tInt2, intNot, tInt2), sig(tInt4, intNot, tInt4), sig(tInt8, intNot, tInt8)}},
		{Name: "&", Kind: Operator, Sigs: []Sig{sig(tInet, inetBits2("AND", func(x, y byte) byte { return x & y }), tInet, tInet)}},
		{Name: "|", Kind: Operator, Sigs: []Sig{sig(tInet, inetBits2("OR", func(x, y byte) byte { return x | y }), tInet, tInet)}},
		inet("family", "4 or 6.", tInt4, each(func(f *frame, i int32) { f.setInt(i, int64(types.InetFamily(f.str(0, i)))) })),
		inet("masklen", "The length of the network mask.", tInt4, each(func(f *frame, i int32) { f.setInt(i, int64(types.InetBits(f.str(0, i)))) })),
		inet("host", "The address as text, without mask.", tText, appending(func(f *frame, i int32, dst []byte) []byte { return types.AppendInetHost(dst, f.str(0, i)) })),
		{Name: "abbrev", Doc: "Short text.", Sigs: []Sig{
			sig(tText, appending(func(f *frame, i int32, dst []byte) []byte { return types.AppendInet(dst, f.str(0, i), false) }), tInet),
			sig(tText, abbrevCidr, tCidr)}},
		inet("network", "The network of the address.", tCidr, withNetwork(func(net []byte) {})),
		inet("broadcast", "The broadcast address of the network.", tInet, broadcastKernel),
		inet("netmask", "The network mask.", tInet, maskKernel(true)),
		inet("hostmask", "The inverse of the network mask.", tInet, maskKernel(false)),
		{Name: "set_masklen", Doc: "With another length of the network mask; of a CIDR, cut to the network.", Sigs: []Sig{
			sig(tInet, setMasklen(false), tInet, tInt4), sig(tCidr, setMasklen(true), tCidr, tInt4)}},
		{Name: "inet_same_family", Doc: "Whether both are IPv4, or both IPv6.", Sigs: []Sig{sig(tBool, each(func(f *frame, i int32) {
			f.setBool(i, types.InetFamily(f.str(0, i)) == types.InetFamily(f.str(1, i)))
		}), tInet, tInet)}},
		{Name: "inet_merge", Doc: "The smallest network that contains both.", Sigs: []Sig{sig(tCidr, inetMerge, tInet, tInet)}},
		inet("is_private", "Whether the address is for private use: RFC 1918, RFC 4193, loopback, link-local or RFC 6598.", tBool, each(func(f *frame, i int32) {
			f.setBool(i, isPrivate(types.InetAddr(f.str(0, i))))
		})),
		{Name: "ip_mask", Doc: "The address with the host part zeroed: /24 of IPv4 and /48 of IPv6, or the lengths given.", Sigs: []Sig{
			sig(tInet, ipMask, tInet), sig(tInet, ipMask, tInet, tInt4), sig(tInet, ipMask, tInet, tInt4, tInt4)}},
	}
}

var intNot = each(func(f *frame, i int32) { f.setInt(i, ^f.int(0, i)) })

// inetSum adds n to an address; ok is false beyond the ends of the address space.
func inetSum(enc []byte, n int64) (ok bool) {
	addr := types.InetAddr(enc)
	carry := n
	for k := len(addr) - 1; k >= 0; k-- {
		// The sum of a byte and the carry's low byte, then the carry shifted with its sign.
		s := int64(addr[k]) + carry&0xff
		addr[k] = byte(s)
		carry = carry>>8 + s>>8
	}
	return carry == 0
}

func inetOutOfRange() *types.Error {
	return types.Errorf(types.CodeOutOfRange, "result is out of range")
}

func inetAdd(direction int64) kernel {
	return trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) {
		start := len(dst)
		dst = append(dst, f.str(0, i)...)
		if !inetSum(dst[start:], direction*f.int(1, i)) {
			return dst, inetOutOfRange()
		}
		return dst, nil
	})
}

var inetAddReversed = trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) {
	start := len(dst)
	dst = append(dst, f.str(1, i)...)
	if !inetSum(dst[start:], f.int(0, i)) {
		return dst, inetOutOfRange()
	}
	return dst, nil
})

var inetDiff = each(func(f *frame, i int32) {
	a, b := types.InetAddr(f.str(0, i)), types.InetAddr(f.str(1, i))
	if len(a) != len(b) {
		f.fail(i, types.Errorf(types.CodeInvalidOption, "cannot subtract inet values of different sizes"))
		return
	}
	// The difference in two's complement; it fits if all bytes beyond the last eight are its sign.
	diff, borrow := int64(0), 0
	for k := len(a) - 1; k >= 0; k-- {
		d := int(a[k]) - int(b[k]) - borrow
		borrow = boolInt(d < 0)
		if place := len(a) - 1 - k; place < 8 {
			diff |= int64(byte(d)) << (8 * place)
		} else if byte(d) != byte(diff>>63) {
			f.fail(i, inetOutOfRange())
			return
		}
	}
	if len(a) == 4 && borrow == 1 {
		diff -= 1 << 32
	}
	f.setInt(i, diff)
})

func inetBits1(op func(byte) byte) kernel {
	return appending(func(f *frame, i int32, dst []byte) []byte {
		start := len(dst)
		dst = append(dst, f.str(0, i)...)
		addr := types.InetAddr(dst[start:])
		for k := range addr {
			addr[k] = op(addr[k])
		}
		return dst
	})
}

func inetBits2(word string, op func(x, y byte) byte) kernel {
	return trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) {
		start := len(dst)
		dst = append(dst, f.str(0, i)...)
		a, b := types.InetAddr(dst[start:]), types.InetAddr(f.str(1, i))
		if len(a) != len(b) {
			return dst, types.Errorf(types.CodeInvalidOption, "cannot %s inet values of different sizes", word)
		}
		for k := range a {
			a[k] = op(a[k], b[k])
		}
		if enc := dst[start:]; len(enc) > 1 {
			enc[1] = byte(max(types.InetBits(f.str(0, i)), types.InetBits(f.str(1, i))))
		}
		return dst, nil
	})
}

// withNetwork computes on the network of the address.
func withNetwork(change func(net []byte)) kernel {
	return appending(func(f *frame, i int32, dst []byte) []byte {
		start := len(dst)
		dst = append(dst, f.str(0, i)...)
		change(types.InetNetwork(dst[start:]))
		return dst
	})
}

// hostBits sets or clears the bits right of the mask.
func hostBits(enc []byte, bits int, set bool) {
	addr := types.InetAddr(enc)
	for k := range addr {
		mask := byte(0xff >> min(max(bits-8*k, 0), 8))
		if set {
			addr[k] |= mask
		} else {
			addr[k] &^= mask
		}
	}
}

var broadcastKernel = withNetwork(func(net []byte) { hostBits(net, types.InetBits(net), true) })

// maskKernel is the mask, or its inverse, as an address.
func maskKernel(network bool) kernel {
	return appending(func(f *frame, i int32, dst []byte) []byte {
		start := len(dst)
		dst = append(dst, f.str(0, i)...)
		enc := dst[start:]
		bits := types.InetBits(enc)
		addr := types.InetAddr(enc)
		for k := range addr {
			addr[k] = 0
		}
		hostBits(enc, bits, true)
		for k := range addr {
			if network {
				addr[k] = ^addr[k]
			}
		}
		if len(enc) > 1 {
			enc[1] = byte(len(addr) * 8)
		}
		return dst
	})
}

func setMasklen(cidr bool) kernel {
	return trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) {
		start, n := len(dst), f.int(1, i)
		dst = append(dst, f.str(0, i)...)
		enc := dst[start:]
		size := int64(len(types.InetAddr(enc)) * 8)
		if n == -1 {
			n = size
		}
		if n < 0 || n > size || len(enc) < 2 {
			return dst, types.Errorf(types.CodeInvalidOption, "invalid mask length: %d", n)
		}
		if enc[1] = byte(n); cidr {
			types.InetNetwork(enc)
		}
		return dst, nil
	})
}

var inetMerge = trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) {
	start := len(dst)
	dst = append(dst, f.str(0, i)...)
	enc, b := dst[start:], f.str(1, i)
	x, y := types.InetAddr(enc), types.InetAddr(b)
	if len(x) != len(y) || len(enc) < 2 {
		return dst, types.Errorf(types.CodeInvalidOption, "cannot merge addresses from different families")
	}
	bits := 0
	for most := min(types.InetBits(enc), types.InetBits(b)); bits < most; bits++ {
		if mask := byte(0x80 >> (bits % 8)); (x[bits/8]^y[bits/8])&mask != 0 {
			break
		}
	}
	enc[1] = byte(bits)
	types.InetNetwork(enc)
	return dst, nil
})

// abbrevCidr leaves out the octets of an IPv4 network that are zero.
var abbrevCidr = appending(func(f *frame, i int32, dst []byte) []byte {
	enc := f.str(0, i)
	bits := types.InetBits(enc)
	if types.InetFamily(enc) != 4 {
		return types.AppendInet(dst, enc, true)
	}
	addr := types.InetAddr(enc)
	for k := 0; k < max((bits+7)/8, 1); k++ {
		if k > 0 {
			dst = append(dst, '.')
		}
		dst = strconv.AppendUint(dst, uint64(addr[k]), 10)
	}
	return strconv.AppendInt(append(dst, '/'), int64(bits), 10)
})

// sharedSpace is the address space of carrier-grade NAT (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

func isPrivate(addr []byte) bool {
	a, ok := netip.AddrFromSlice(addr)
	if !ok {
		return false
	}
	a = a.Unmap()
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified() || a.Is4() && sharedSpace.Contains(a)
}

var ipMask = trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) {
	start := len(dst)
	dst = append(dst, f.str(0, i)...)
	enc := dst[start:]
	bits, arg := int64(24), 1
	if types.InetFamily(enc) == 6 {
		bits, arg = 48, 2
	}
	if arg < len(f.args) {
		bits = f.int(arg, i)
	}
	if bits < 0 || bits > int64(len(types.InetAddr(enc))*8) {
		return dst, types.Errorf(types.CodeInvalidOption, "invalid mask length: %d", bits)
	}
	hostBits(enc, int(bits), false)
	return dst, nil
})
