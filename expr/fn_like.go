package expr

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"rhumb/types"
)

func likeFuncs() []*Func {
	op := func(name, doc string, fold, not bool) *Func {
		run := likeKernel(fold, not)
		p := func(args []Expr) (kernel, *types.Error) { return prepareLike(args, fold, not) }
		return &Func{Name: name, Kind: Operator, Doc: doc, Sigs: []Sig{
			sig(tBool, run, tText, tText).preparing(p), sig(tBool, run, tText, tText, tText).preparing(p)}}
	}
	return []*Func{
		op("like", "Matches a pattern with % and _.", false, false),
		op("ilike", "LIKE without regard to case.", true, false),
		op("not like", "Does not match a pattern with % and _.", false, true),
		op("not ilike", "NOT LIKE without regard to case.", true, true),
	}
}

// likePattern is a compiled LIKE pattern: pieces between the %s. The first piece stands at the start and the last at the end of
// the text; those between are found from left to right, each as early as it can be.
type likePattern struct {
	pieces []likePiece
	fold   bool
}

// likePiece is literal bytes; the bytes 0xff in it stand for one character each (0xff is in no UTF-8 text).
type likePiece struct {
	b    []byte
	wild bool // there is a 0xff
}

const anyChar = 0xff

func compileLike(pattern, escape []byte, fold bool) (*likePattern, *types.Error) {
	if utf8.RuneCount(escape) > 1 {
		return nil, types.Errorf("22025", "invalid escape string").WithHint("Escape string must be empty or one character.")
	}
	if fold {
		pattern = appendLower(nil, pattern)
	}
	p := &likePattern{fold: fold}
	var piece likePiece
	for len(pattern) > 0 {
		_, size := utf8.DecodeRune(pattern)
		c, rest := pattern[:size], pattern[size:]
		switch {
		case len(escape) > 0 && bytes.Equal(c, escape):
			if len(rest) == 0 {
				return nil, types.Errorf("22025", "LIKE pattern must not end with escape character")
			}
			_, size = utf8.DecodeRune(rest)
			piece.b, rest = append(piece.b, rest[:size]...), rest[size:]
		case c[0] == '%':
			p.pieces, piece = append(p.pieces, piece), likePiece{}
		case c[0] == '_':
			piece.b, piece.wild = append(piece.b, anyChar), true
		default:
			piece.b = append(piece.b, c...)
		}
		pattern = rest
	}
	p.pieces = append(p.pieces, piece)
	return p, nil
}

// appendLower appends b in lower case.
func appendLower(dst, b []byte) []byte {
	start := len(dst)
	dst = append(dst, b...)
	for k, c := range dst[start:] {
		if c >= utf8.RuneSelf {
			return appendRunes(dst[:start+k], b[k:], unicode.ToLower)
		}
		if c-'A' < 26 {
			dst[start+k] = c + 'a' - 'A'
		}
	}
	return dst
}

// appendRunes appends each character of b mapped.
func appendRunes(dst, b []byte, to func(rune) rune) []byte {
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		dst, b = utf8.AppendRune(dst, to(r)), b[size:]
	}
	return dst
}

// prefix returns how many bytes of b the piece takes at its start, or -1.
func (p *likePiece) prefix(b []byte) int {
	if !p.wild {
		if bytes.HasPrefix(b, p.b) {
			return len(p.b)
		}
		return -1
	}
	pos := 0
	for _, c := range p.b {
		if pos == len(b) {
			return -1
		}
		if c == anyChar {
			_, size := utf8.DecodeRune(b[pos:])
			pos += size
			continue
		}
		if b[pos] != c {
			return -1
		}
		pos++
	}
	return pos
}

// match reports whether the pattern matches a text (in lower case, if the pattern folds).
func (p *likePattern) match(b []byte) bool {
	n := p.pieces[0].prefix(b)
	last := len(p.pieces) - 1
	if n < 0 || last == 0 {
		return n == len(b)
	}
	b = b[n:]
	for k := 1; k < last; k++ {
		end := p.pieces[k].find(b)
		if end < 0 {
			return false
		}
		b = b[end:]
	}
	return p.pieces[last].atEnd(b)
}

// find returns the end of the first place in b where the piece is, or -1.
func (p *likePiece) find(b []byte) int {
	if !p.wild {
		k := bytes.Index(b, p.b)
		if k < 0 {
			return -1
		}
		return k + len(p.b)
	}
	for k := 0; k <= len(b); {
		if n := p.prefix(b[k:]); n >= 0 {
			return k + n
		}
		_, size := utf8.DecodeRune(b[k:])
		k += max(size, 1)
	}
	return -1
}

// atEnd reports whether b ends with the piece.
func (p *likePiece) atEnd(b []byte) bool {
	if !p.wild {
		return bytes.HasSuffix(b, p.b)
	}
	for k := len(p.b) - 1; k >= 0; k-- {
		switch {
		case len(b) == 0:
			return false
		case p.b[k] == anyChar:
			_, size := utf8.DecodeLastRune(b)
			b = b[:len(b)-size]
		case b[len(b)-1] != p.b[k]:
			return false
		default:
			b = b[:len(b)-1]
		}
	}
	return true
}

var backslash = []byte(`\`)

// prepareLike compiles a constant pattern.
func prepareLike(args []Expr, fold, not bool) (kernel, *types.Error) {
	pattern, ok := constantArg(args, 1)
	if !ok {
		return nil, nil
	}
	escape := backslash
	if len(args) > 2 {
		v, ok := constantArg(args, 2)
		if !ok {
			return nil, nil
		}
		escape = []byte(v.S)
	}
	p, err := compileLike([]byte(pattern.S), escape, fold)
	if err != nil {
		return nil, err
	}
	return p.kernel(not), nil
}

// kernel matches a column. The frequent shapes have loops of their own.
func (p *likePattern) kernel(not bool) kernel {
	if !p.fold && len(p.pieces) <= 3 {
		if test := p.simple(); test != nil {
			return func(f *frame, sel []int32) {
				a, out := f.args[0], f.out.B
				for _, i := range sel {
					out[i] = test(a.Str(a.at(i))) != not
				}
			}
		}
	}
	return func(f *frame, sel []int32) {
		a, out := f.args[0], f.out.B
		for _, i := range sel {
			b := a.Str(a.at(i))
			if p.fold {
				f.buf = appendLower(f.buf[:0], b)
				b = f.buf
			}
			out[i] = p.match(b) != not
		}
	}
}

// simple returns a test for the patterns x%, %x and %x%, nil for others.
func (p *likePattern) simple() func(b []byte) bool {
	for _, piece := range p.pieces {
		if piece.wild {
			return nil
		}
	}
	first, last := p.pieces[0].b, p.pieces[len(p.pieces)-1].b
	switch {
	case len(p.pieces) == 2 && len(last) == 0:
		return func(b []byte) bool { return bytes.HasPrefix(b, first) }
	case len(p.pieces) == 2 && len(first) == 0:
		return func(b []byte) bool { return bytes.HasSuffix(b, last) }
	case len(p.pieces) == 3 && len(first) == 0 && len(last) == 0:
		middle := p.pieces[1].b
		return func(b []byte) bool { return bytes.Contains(b, middle) }
	}
	return nil
}

// likeKernel matches patterns that vary.
func likeKernel(fold, not bool) kernel {
	return each(func(f *frame, i int32) {
		escape := backslash
		if len(f.args) > 2 {
			escape = f.str(2, i)
		}
		p, err := compileLike(f.str(1, i), escape, fold)
		if err != nil {
			f.fail(i, err)
			return
		}
		b := f.str(0, i)
		if fold {
			b = appendLower(nil, b)
		}
		f.setBool(i, p.match(b) != not)
	})
}
