package expr

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"unicode/utf8"

	"rhumb/types"
)

func hashFuncs() []*Func {
	sum := func(fn func(b []byte) []byte) kernel {
		return each(func(f *frame, i int32) { f.setStr(i, fn(f.str(0, i))) })
	}
	md5Hex := appending(func(f *frame, i int32, dst []byte) []byte {
		s := md5.Sum(f.str(0, i))
		return hex.AppendEncode(dst, s[:])
	})
	return []*Func{
		{Name: "md5", Doc: "The MD5 hash in hexadecimal.", Sigs: []Sig{sig(tText, md5Hex, tText), sig(tText, md5Hex, tBytea)}},
		{Name: "sha224", Doc: "The SHA-224 hash.", Sigs: []Sig{sig(tBytea, sum(func(b []byte) []byte { s := sha256.Sum224(b); return s[:] }), tBytea)}},
		{Name: "sha256", Doc: "The SHA-256 hash.", Sigs: []Sig{sig(tBytea, sum(func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }), tBytea)}},
		{Name: "sha384", Doc: "The SHA-384 hash.", Sigs: []Sig{sig(tBytea, sum(func(b []byte) []byte { s := sha512.Sum384(b); return s[:] }), tBytea)}},
		{Name: "sha512", Doc: "The SHA-512 hash.", Sigs: []Sig{sig(tBytea, sum(func(b []byte) []byte { s := sha512.Sum512(b); return s[:] }), tBytea)}},
		{Name: "encode", Doc: "Bytes as text: hex, base64 or escape.", Sigs: []Sig{sig(tText, encodeKernel, tBytea, tText)}},
		{Name: "decode", Doc: "Bytes of a text in hex, base64 or escape.", Sigs: []Sig{sig(tBytea, decodeKernel, tText, tText)}},
		{Name: "to_hex", Doc: "In hexadecimal.", Sigs: []Sig{
			sig(tText, appending(func(f *frame, i int32, dst []byte) []byte {
				return strconv.AppendUint(dst, uint64(uint32(f.int(0, i))), 16)
			}), tInt4),
			sig(tText, appending(func(f *frame, i int32, dst []byte) []byte { return strconv.AppendUint(dst, uint64(f.int(0, i)), 16) }), tInt8)}},
		{Name: "convert_from", Doc: "Text of bytes in an encoding (UTF8).", Sigs: []Sig{sig(tText, convertFrom, tBytea, tText)}},
		{Name: "convert_to", Doc: "The bytes of a text in an encoding (UTF8).", Sigs: []Sig{sig(tBytea, convertTo, tText, tText)}},
	}
}

func unknownEncoding(b []byte) *types.Error {
	return types.Errorf(types.CodeInvalidOption, "unrecognized encoding: \"%s\"", b).WithHint("There are hex, base64 and escape.")
}

var encodeKernel = trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) {
	b := f.str(0, i)
	switch string(bytes.ToLower(f.str(1, i))) {
	case "hex":
		return hex.AppendEncode(dst, b), nil
	case "base64":
		// MIME's lines of 76 characters, as Postgres breaks them.
		for len(b) > 57 {
			dst = append(base64.StdEncoding.AppendEncode(dst, b[:57]), '\n')
			b = b[57:]
		}
		return base64.StdEncoding.AppendEncode(dst, b), nil
	case "escape":
		for _, c := range b {
			switch {
			case c == 0 || c >= 0x80:
				dst = append(dst, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
			case c == '\\':
				dst = append(dst, c, c)
			default:
				dst = append(dst, c)
			}
		}
		return dst, nil
	}
	return dst, unknownEncoding(f.str(1, i))
})

var decodeKernel = trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) {
	b := f.str(0, i)
	switch string(bytes.ToLower(f.str(1, i))) {
	case "hex":
		return decodeHex(dst, b)
	case "base64":
		return decodeBase64(dst, b)
	case "escape":
		return decodeEscape(dst, b)
	}
	return dst, unknownEncoding(f.str(1, i))
})

func decodeHex(dst, b []byte) ([]byte, *types.Error) {
	var digits []byte
	for _, c := range b {
		switch {
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
		case !isHex(c):
			return dst, types.Errorf(types.CodeInvalidOption, "invalid hexadecimal digit: \"%c\"", c)
		default:
			digits = append(digits, c)
		}
	}
	if len(digits)%2 != 0 {
		return dst, types.Errorf(types.CodeInvalidOption, "invalid hexadecimal data: odd number of digits")
	}
	dst, _ = hex.AppendDecode(dst, digits)
	return dst, nil
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func decodeBase64(dst, b []byte) ([]byte, *types.Error) {
	var chars []byte
	for _, c := range b {
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			chars = append(chars, c)
		}
	}
	start := len(dst)
	dst, err := base64.StdEncoding.AppendDecode(dst, chars)
	if err == nil {
		return dst, nil
	}
	for _, c := range chars {
		if !(isWordByte(c) && c < 0x80 && c != '_' || c == '+' || c == '/' || c == '=') {
			return dst[:start], types.Errorf(types.CodeInvalidOption, "invalid symbol \"%c\" found while decoding base64 sequence", c)
		}
	}
	return dst[:start], types.Errorf(types.CodeInvalidOption, "invalid base64 end sequence").
		WithHint("Input data is missing padding, is truncated, or is otherwise corrupted.")
}

func decodeEscape(dst, b []byte) ([]byte, *types.Error) {
	for k := 0; k < len(b); k++ {
		switch {
		case b[k] != '\\':
			dst = append(dst, b[k])
		case k+1 < len(b) && b[k+1] == '\\':
			dst = append(dst, '\\')
			k++
		case k+3 < len(b) && b[k+1] >= '0' && b[k+1] <= '3' && isOctal(b[k+2]) && isOctal(b[k+3]):
			dst = append(dst, (b[k+1]-'0')<<6|(b[k+2]-'0')<<3|(b[k+3]-'0'))
			k += 3
		default:
			return dst, types.Errorf(types.CodeInvalidText, "invalid input syntax for type bytea")
		}
	}
	return dst, nil
}

func isOctal(c byte) bool { return c >= '0' && c <= '7' }

func isUTF8Name(b []byte) bool {
	s := string(bytes.ToUpper(b))
	return s == "UTF8" || s == "UTF-8"
}

func notUTF8Name(b []byte) *types.Error {
	return types.Errorf(types.CodeInvalidOption, "encoding \"%s\" is not supported", b).WithHint("There is UTF8.")
}

var convertFrom = trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) {
	b := f.str(0, i)
	if !isUTF8Name(f.str(1, i)) {
		return dst, notUTF8Name(f.str(1, i))
	}
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		return dst, types.Errorf(types.CodeCharNotInRepertoire, "invalid byte sequence for encoding \"UTF8\"")
	}
	return append(dst, b...), nil
})

var convertTo = trying(func(f *frame, i int32, dst []byte) ([]byte, *types.Error) {
	if !isUTF8Name(f.str(1, i)) {
		return dst, notUTF8Name(f.str(1, i))
	}
	return append(dst, f.str(0, i)...), nil
})
