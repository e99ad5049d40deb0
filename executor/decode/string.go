package decode

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// A string is kept as valid UTF-8 without NUL. Broken bytes (each), lone surrogates and NULs become U+FFFD: a NUL is replaced
// rather than left out, so that nothing that it kept apart grows together.

const replacement = "\uFFFD"

// appendText appends the text src, without escapes, and reports whether something was replaced.
func appendText(dst, src []byte) ([]byte, bool) {
	if utf8.Valid(src) && bytes.IndexByte(src, 0) < 0 {
		return append(dst, src...), false
	}
	replaced := false
	for len(src) > 0 {
		r, n := utf8.DecodeRune(src)
		if r == utf8.RuneError && n == 1 || r == 0 {
			dst, replaced = append(dst, replacement...), true
		} else {
			dst = append(dst, src[:n]...)
		}
		src = src[n:]
	}
	return dst, replaced
}

// appendUnescaped appends what stands between the quotes of a valid JSON string.
func appendUnescaped(dst, src []byte) ([]byte, bool) {
	replaced := false
	for {
		n := bytes.IndexByte(src, '\\')
		if n < 0 {
			n = len(src)
		}
		var r bool
		dst, r = appendText(dst, src[:n])
		replaced = replaced || r
		if n == len(src) {
			return dst, replaced
		}
		dst, n, r = appendEscape(dst, src, n)
		replaced = replaced || r
		src = src[n:]
	}
}

// appendEscape appends what the escape sequence at src[i] stands for and returns the place behind it.
func appendEscape(dst, src []byte, i int) ([]byte, int, bool) {
	switch c := src[i+1]; c {
	case 'b':
		return append(dst, '\b'), i + 2, false
	case 'f':
		return append(dst, '\f'), i + 2, false
	case 'n':
		return append(dst, '\n'), i + 2, false
	case 'r':
		return append(dst, '\r'), i + 2, false
	case 't':
		return append(dst, '\t'), i + 2, false
	case 'u':
	default:
		return append(dst, c), i + 2, false
	}
	r, _ := hex4(src[i:])
	i += 6
	if utf16.IsSurrogate(r) {
		low, ok := rune(0), false
		if i+1 < len(src) && src[i] == '\\' && src[i+1] == 'u' {
			low, ok = hex4(src[i:])
		}
		if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
			return append(dst, replacement...), i, true
		}
		i += 6
	}
	if r == 0 {
		return append(dst, replacement...), i, true
	}
	return utf8.AppendRune(dst, r), i, false
}

func quoteRune(r rune) string { return strconv.QuoteRune(r) }
