package expr

import (
	"bytes"
	"math"
	"unicode/utf8"

	"rhumb/types"
)

// securityFuncs are for the analysis of security events; Postgres has none of them but levenshtein (in fuzzystrmatch).
func securityFuncs() []*Func {
	return []*Func{
		{Name: "entropy", Doc: "Shannon entropy of a text, in bits per byte: high for random names.", Sigs: []Sig{sig(tFloat8, entropyKernel, tText)}},
		{Name: "levenshtein", Doc: "The number of characters to insert, delete or replace to make one text of the other.", Sigs: []Sig{sig(tInt4, levenshteinKernel, tText, tText)}},
		{Name: "defang", Doc: "Makes an indicator harmless: hxxp, [.] and [at].", Sigs: []Sig{sig(tText, appending(func(f *frame, i int32, dst []byte) []byte {
			return replaceAll(dst, f.str(0, i), fangs, false)
		}), tText)}},
		{Name: "refang", Doc: "Reverses defang; [dot], (.) and hxxp in other spellings too.", Sigs: []Sig{sig(tText, appending(func(f *frame, i int32, dst []byte) []byte {
			return replaceAll(dst, f.str(0, i), unfangs, true)
		}), tText)}},
		{Name: "url_host", Doc: "The host of a URL in lower case, without user and port; NULL if there is none.", Sigs: []Sig{sig(tText, urlHost, tText)}},
		{Name: "url_path", Doc: "The path of a URL, without query and fragment; NULL if it is no URL.", Sigs: []Sig{sig(tText, urlPath, tText)}},
	}
}

var entropyKernel = each(func(f *frame, i int32) {
	var count [256]int
	b := f.str(0, i)
	for _, c := range b {
		count[c]++
	}
	bits := 0.0
	for _, n := range count {
		if n > 0 {
			p := float64(n) / float64(len(b))
			bits -= p * math.Log2(p)
		}
	}
	f.setFloat(i, bits)
})

// maxLevenshtein is the limit of Postgres's fuzzystrmatch; the time grows with the product of the lengths.
const maxLevenshtein = 255

var levenshteinKernel = each(func(f *frame, i int32) {
	a, b := []rune(string(f.str(0, i))), []rune(string(f.str(1, i)))
	if len(a) > maxLevenshtein || len(b) > maxLevenshtein {
		f.fail(i, types.Errorf(types.CodeInvalidOption, "levenshtein argument exceeds maximum length of %d characters", maxLevenshtein))
		return
	}
	// The matrix of Wagner and Fischer (1974), one row at a time; corner is the value above to the left.
	var row [maxLevenshtein + 1]int
	for k := range b {
		row[k+1] = k + 1
	}
	for j, x := range a {
		corner := row[0]
		row[0] = j + 1
		for k, y := range b {
			above := row[k+1]
			row[k+1] = min(above+1, row[k]+1, corner+boolInt(x != y))
			corner = above
		}
	}
	f.setInt(i, int64(row[len(b)]))
})

var fangs = [][2]string{{"http://", "hxxp://"}, {"https://", "hxxps://"}, {"ftp://", "fxp://"}, {".", "[.]"}, {"@", "[at]"}}

var unfangs = [][2]string{{"hxxps://", "https://"}, {"hxxp://", "http://"}, {"hxxps[:]//", "https://"}, {"hxxp[:]//", "http://"}, {"fxp://", "ftp://"},
	{"[://]", "://"}, {"[:]", ":"}, {"[.]", "."}, {"(.)", "."}, {"[dot]", "."}, {"(dot)", "."}, {"[at]", "@"}, {"(at)", "@"}, {"[@]", "@"}}

// replaceAll replaces what stands first in the list at each place.
func replaceAll(dst, b []byte, list [][2]string, fold bool) []byte {
	for k := 0; k < len(b); {
		n := 0
		for _, r := range list {
			if len(b)-k < len(r[0]) {
				continue
			}
			head := b[k : k+len(r[0])]
			if string(head) == r[0] || fold && bytes.EqualFold(head, []byte(r[0])) {
				dst, n = append(dst, r[1]...), len(r[0])
				break
			}
		}
		if n == 0 {
			dst, n = append(dst, b[k]), 1
		}
		k += n
	}
	return dst
}

// splitURL divides scheme://authority/path?query#fragment.
func splitURL(b []byte) (authority, path []byte, ok bool) {
	k := bytes.Index(b, []byte("://"))
	if k <= 0 {
		return nil, nil, false
	}
	for _, c := range b[:k] {
		if !isWordByte(c) && c != '+' && c != '-' && c != '.' || c >= utf8.RuneSelf {
			return nil, nil, false
		}
	}
	b = b[k+3:]
	if k = bytes.IndexAny(b, "?#"); k >= 0 {
		b = b[:k]
	}
	if k = bytes.IndexByte(b, '/'); k >= 0 {
		return b[:k], b[k:], true
	}
	return b, nil, true
}

var urlHost = each(func(f *frame, i int32) {
	host, _, ok := splitURL(f.str(0, i))
	if k := bytes.LastIndexByte(host, '@'); k >= 0 {
		host = host[k+1:]
	}
	if end := bytes.IndexByte(host, ']'); len(host) > 0 && host[0] == '[' && end > 0 { // IPv6
		host = host[1:end]
	} else if k := bytes.IndexByte(host, ':'); k >= 0 {
		host = host[:k]
	}
	if !ok || len(host) == 0 {
		f.setNull(i)
		return
	}
	f.end(i, appendLower(f.begin(), host))
})

var urlPath = each(func(f *frame, i int32) {
	_, path, ok := splitURL(f.str(0, i))
	if !ok {
		f.setNull(i)
		return
	}
	f.setStr(i, path)
})
