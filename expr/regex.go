package expr

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"rhumb/types"
)

// regexFlags are the options of Postgres's regular expressions that have a meaning in RE2.
type regexFlags struct {
	fold     bool // i: without regard to case
	global   bool // g: all matches (regexp_replace)
	lineDot  bool // n, p: . and [^...] do not match a newline
	lineEnds bool // n, w: ^ and $ match at each line
	expanded bool // x: white space and comments are left out
	quoted   bool // q: a plain string
}

// parseFlags reads the flags argument of a function.
func parseFlags(s []byte) (regexFlags, *types.Error) {
	var fl regexFlags
	for _, c := range s {
		if c == 'g' {
			fl.global = true
			continue
		}
		if !fl.set(c) {
			return fl, types.Errorf(types.CodeInvalidOption, "invalid regular expression option: \"%c\"", c)
		}
	}
	return fl, nil
}

// set applies one letter; false if there is no such.
func (fl *regexFlags) set(c byte) bool {
	switch c {
	case 'i':
		fl.fold = true
	case 'c':
		fl.fold = false
	case 'n', 'm':
		fl.lineDot, fl.lineEnds = true, true
	case 's':
		fl.lineDot, fl.lineEnds = false, false
	case 'p':
		fl.lineDot, fl.lineEnds = true, false
	case 'w':
		fl.lineDot, fl.lineEnds = false, true
	case 'x':
		fl.expanded = true
	case 't':
		fl.expanded = false
	case 'q':
		fl.quoted = true
	case 'e':
	default:
		return false
	}
	return true
}

func badRegexp(format string, args ...any) *types.Error {
	return types.Errorf(types.CodeInvalidRegexp, "invalid regular expression: "+format, args...)
}

// compileRegexp compiles one of Postgres's advanced regular expressions to RE2. What RE2 has not (back-references, look-around)
// is refused.
func compileRegexp(pattern string, fl regexFlags) (*regexp.Regexp, *types.Error) {
	switch {
	case strings.HasPrefix(pattern, "***="):
		pattern, fl.quoted = pattern[4:], true
	case strings.HasPrefix(pattern, "***:"):
		pattern = pattern[4:]
	}
	t := regexTranslator{src: pattern, flags: fl}
	if err := t.embedded(); err != nil {
		return nil, err
	}
	if t.flags.quoted {
		t.out.WriteString(regexp.QuoteMeta(t.src[t.pos:]))
	} else if err := t.translate(); err != nil {
		return nil, err
	}
	prefix := "(?s"
	if t.flags.lineDot {
		prefix = "(?"
	}
	if t.flags.lineEnds {
		prefix += "m"
	}
	if t.flags.fold {
		prefix += "i"
	}
	if prefix += ")"; prefix == "(?)" {
		prefix = ""
	}
	re, err := regexp.Compile(prefix + t.out.String())
	if err != nil {
		msg := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		return nil, badRegexp("%s", msg)
	}
	// Postgres prefers the longest match, unless a quantifier says otherwise.
	if !t.reluctant {
		re.Longest()
	}
	return re, nil
}

// regexTranslator rewrites the syntax that differs.
type regexTranslator struct {
	src       string
	pos       int
	flags     regexFlags
	out       strings.Builder
	reluctant bool // there is a non-greedy quantifier
	word      bool // the last atom ends with a word character
}

// embedded reads options at the start: (?i).
func (t *regexTranslator) embedded() *types.Error {
	if !strings.HasPrefix(t.src, "(?") || len(t.src) < 3 || !(t.src[2] >= 'a' && t.src[2] <= 'z') {
		return nil
	}
	end := strings.IndexByte(t.src, ')')
	if end < 0 {
		return badRegexp("parentheses () not balanced")
	}
	for _, c := range []byte(t.src[2:end]) {
		if !t.flags.set(c) {
			return badRegexp("invalid embedded option")
		}
	}
	t.pos = end + 1
	return nil
}

func (t *regexTranslator) rest() string { return t.src[t.pos:] }

func (t *regexTranslator) emit(s string, n int, word bool) {
	t.out.WriteString(s)
	t.pos += n
	t.word = word
}

func (t *regexTranslator) translate() *types.Error {
	for t.pos < len(t.src) {
		c := t.src[t.pos]
		var err *types.Error
		switch {
		case c == '\\':
			err = t.escape(false)
		case c == '[':
			err = t.bracket()
		case c == '(':
			err = t.group()
		case t.flags.expanded && strings.IndexByte(" \t\n\r\v\f", c) >= 0:
			t.pos++
		case t.flags.expanded && c == '#':
			for t.pos < len(t.src) && t.src[t.pos] != '\n' {
				t.pos++
			}
		case strings.IndexByte("*+?}", c) >= 0:
			if strings.HasPrefix(t.src[t.pos+1:], "?") {
				t.reluctant = true
				t.emit(t.src[t.pos:t.pos+2], 2, t.word)
			} else {
				t.emit(t.src[t.pos:t.pos+1], 1, t.word)
			}
		default:
			t.emit(t.src[t.pos:t.pos+1], 1, isWordByte(c) && c < 0x80)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// group passes groups on and refuses look-around.
func (t *regexTranslator) group() *types.Error {
	rest := t.rest()
	switch {
	case strings.HasPrefix(rest, "(?:"):
		t.emit("(?:", 3, false)
	case strings.HasPrefix(rest, "(?#"):
		end := strings.IndexByte(rest, ')')
		if end < 0 {
			return badRegexp("parentheses () not balanced")
		}
		t.pos += end + 1
	case strings.HasPrefix(rest, "(?="), strings.HasPrefix(rest, "(?!"), strings.HasPrefix(rest, "(?<"):
		return badRegexp("lookahead and lookbehind are not supported").
			WithHint("Regular expressions are RE2; write the condition as a second expression joined by AND.")
	case strings.HasPrefix(rest, "(?"):
		return badRegexp("quantifier operand invalid")
	default:
		t.emit("(", 1, false)
	}
	return nil
}

// escape rewrites a backslash sequence.
func (t *regexTranslator) escape(inBracket bool) *types.Error {
	rest := t.rest()
	if len(rest) < 2 {
		return badRegexp(`invalid escape \ sequence`)
	}
	c := rest[1]
	if !(isWordByte(c) && c < 0x80 && c != '_') {
		if c >= 0x80 || c == '_' {
			t.emit(rest[1:2], 2, c == '_')
		} else {
			t.emit(rest[:2], 2, false)
		}
		return nil
	}
	switch c {
	case 'd', 's', 'w', 'D', 'S', 'W':
		t.emit(rest[:2], 2, c == 'd' || c == 'w')
	case 'f', 'n', 'r', 't', 'v', 'a':
		t.emit(rest[:2], 2, false)
	case 'b':
		t.emit(`\x08`, 2, false)
	case 'B':
		t.emit(`\\`, 2, false)
	case 'e':
		t.emit(`\x1b`, 2, false)
	case '0':
		t.emit(`\x00`, 2, false)
	case 'c':
		if len(rest) < 3 {
			return badRegexp(`invalid escape \ sequence`)
		}
		t.emit(`\x{`+strconv.FormatInt(int64(rest[2]&31), 16)+`}`, 3, false)
	case 'u', 'U', 'x':
		return t.hexEscape(c)
	case 'p', 'P': // RE2's Unicode classes
		t.emit(rest[:2], 2, false)
	default:
		if inBracket {
			return badRegexp(`invalid escape \ sequence`)
		}
		return t.constraint(c)
	}
	return nil
}

// hexEscape rewrites \uwxyz, \Ustuvwxyz and \xhhh.
func (t *regexTranslator) hexEscape(c byte) *types.Error {
	digits := t.rest()[2:]
	n := 0
	for n < len(digits) && isHex(digits[n]) && n < 8 {
		n++
	}
	switch {
	case c == 'u' && n >= 4:
		n = 4
	case c == 'x' && n >= 1, c == 'U' && n == 8:
	default:
		return badRegexp(`invalid escape \ sequence`)
	}
	t.emit(`\x{`+digits[:n]+`}`, 2+n, false)
	return nil
}

// constraint rewrites the escapes that match between characters.
func (t *regexTranslator) constraint(c byte) *types.Error {
	rest := t.rest()
	switch {
	case c == 'A':
		t.emit(`\A`, 2, false)
	case c == 'Z':
		t.emit(`\z`, 2, false)
	case c == 'y':
		t.emit(`\b`, 2, false)
	case c == 'Y':
		t.emit(`\B`, 2, false)
	case c == 'm' && t.wordFollows(rest[2:]), c == 'M' && t.word:
		// A boundary before a word character is a word's start, one behind a word character its end.
		t.emit(`\b`, 2, false)
	case c == 'm' || c == 'M':
		return badRegexp(`\%c is supported only next to a word character`, c).WithHint(`Use \y, which matches at either end of a word.`)
	case c >= '1' && c <= '9':
		return badRegexp("back-references are not supported").WithHint("Regular expressions are RE2.")
	default:
		return badRegexp(`invalid escape \ sequence`)
	}
	return nil
}

// wordFollows reports whether what follows can only begin with a word character.
func (t *regexTranslator) wordFollows(s string) bool {
	s = strings.TrimLeft(s, "(")
	s = strings.TrimPrefix(s, "?:")
	return s != "" && (isWordByte(s[0]) && s[0] < 0x80 || strings.HasPrefix(s, `\w`) || strings.HasPrefix(s, `\d`))
}

// bracket rewrites a bracket expression.
func (t *regexTranslator) bracket() *types.Error {
	for _, ends := range []string{"[[:<:]]", "[[:>:]]"} {
		if strings.HasPrefix(t.rest(), ends) {
			t.emit(`\b`, len(ends), false)
			return nil
		}
	}
	t.emit("[", 1, false)
	if strings.HasPrefix(t.rest(), "^") {
		t.emit("^", 1, false)
		if t.flags.lineDot {
			t.out.WriteString(`\n`)
		}
	}
	for first := true; ; first = false {
		rest := t.rest()
		switch {
		case rest == "":
			return badRegexp("brackets [] not balanced")
		case rest[0] == ']' && !first:
			t.emit("]", 1, false)
			return nil
		case rest[0] == ']':
			t.emit(`\]`, 1, false)
		case rest[0] == '\\':
			if err := t.escape(true); err != nil {
				return err
			}
		case strings.HasPrefix(rest, "[:"):
			end := strings.Index(rest, ":]")
			if end < 0 {
				return badRegexp("brackets [] not balanced")
			}
			t.emit(rest[:end+2], end+2, false)
		case strings.HasPrefix(rest, "[."), strings.HasPrefix(rest, "[="):
			return badRegexp("collating elements and equivalence classes are not supported")
		case rest[0] == '[':
			t.emit(`\[`, 1, false)
		default:
			t.emit(rest[:1], 1, false)
		}
	}
}

// appendSimilar appends the expression for a pattern of SIMILAR TO, which matches the whole text.
func appendSimilar(dst, pattern, escape []byte) ([]byte, *types.Error) {
	dst = append(dst, "^(?:"...)
	inBracket := false
	for k := 0; k < len(pattern); k++ {
		switch c := pattern[k]; {
		case len(escape) > 0 && bytes.HasPrefix(pattern[k:], escape):
			k += len(escape)
			n := runePrefix(pattern[min(k, len(pattern)):], 1)
			if n == 0 {
				return dst, types.Errorf("22025", "SIMILAR TO pattern must not end with escape character")
			}
			dst = append(append(dst, '\\'), pattern[k:k+n]...)
			k += n - 1
		case inBracket:
			if c == '\\' {
				dst = append(dst, '\\')
			}
			dst = append(dst, c)
			inBracket = c != ']'
		case c == '%':
			dst = append(dst, ".*"...)
		case c == '_':
			dst = append(dst, '.')
		case c == '(':
			dst = append(dst, "(?:"...)
		case bytes.IndexByte([]byte(`\.^$`), c) >= 0:
			dst = append(dst, '\\', c)
		default:
			dst = append(dst, c)
			inBracket = c == '['
		}
	}
	return append(dst, ")$"...), nil
}
