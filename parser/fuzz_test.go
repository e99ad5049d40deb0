package parser

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"rhumb/types"
)

// seeds are the inputs of the goldens.
func seeds(f *testing.F) []string {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatal("no goldens", err)
	}
	var out []string
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, block := range strings.Split(string(b), "\n\n") {
			cmd, rest, _ := strings.Cut(block, "\n")
			input, _, _ := strings.Cut(rest, "\n----")
			if cmd == "expr" {
				input = "select " + input
			}
			out = append(out, input)
		}
	}
	return out
}

// FuzzParse: no panic; errors have a code that is no internal one and a position in the text; positions of trees are in the text and
// point at what they name; the canonical text reads back as the same tree and is its own canonical text.
func FuzzParse(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, script string) {
		if len(script) > 4096 {
			return
		}
		parsed, err := Parse(script)
		if err != nil {
			checkError(t, script, err)
			return
		}
		for _, p := range parsed {
			if script[p.Start-1:p.Start-1+len(p.Text)] != p.Text {
				t.Fatalf("text %q does not begin at %d", p.Text, p.Start)
			}
			checkPositions(t, p.Text, reflect.ValueOf(p.Stmt))
			again, err := Parse(p.Canonical)
			if err != nil {
				t.Fatalf("canonical text %q of %q: %v", p.Canonical, p.Text, err)
			}
			if again[0].Canonical != p.Canonical {
				t.Fatalf("canonical text %q becomes %q", p.Canonical, again[0].Canonical)
			}
			if a, b := withoutText(p.Stmt), withoutText(again[0].Stmt); a != b {
				t.Fatalf("%q is\n%s\nand canonically\n%s", p.Text, a, b)
			}
		}
	})
}

func checkError(t *testing.T, text string, err error) {
	t.Helper()
	e, ok := err.(*types.Error)
	if !ok || e.Code == types.CodeInternal || e.Code == "" || e.Message == "" {
		t.Fatalf("%q: error %#v", text, err)
	}
	if e.Pos < 1 || e.Pos > len(text)+1 {
		t.Fatalf("%q: position %d of %q", text, e.Pos, e.Message)
	}
	if utf8.ValidString(text) && !utf8.ValidString(Caret(text, e)) {
		t.Fatalf("%q: invalid UTF-8 in %q", text, Caret(text, e))
	}
}

// withoutText prints a statement with the texts that it keeps as written in canonical form.
func withoutText(s Statement) string {
	switch in := innermost(s).(type) {
	case *CreateAs:
		in.QueryText = canonicalText(in.QueryText)
	case *CreateStream:
		in.WatermarkText = canonicalText(in.WatermarkText)
		for i := range in.Columns {
			c := &in.Columns[i]
			c.DefaultText, c.AsText = canonicalText(c.DefaultText), canonicalText(c.AsText)
		}
	}
	return statementString(s)
}

func innermost(s Statement) Statement {
	if e, ok := s.(*Explain); ok {
		return innermost(e.Stmt)
	}
	return s
}

func canonicalText(s string) string {
	st, err := (&scanner{lex: lexer{src: s}}).statement()
	if err != nil || st == nil {
		return s
	}
	return canonical(st.toks[:len(st.toks)-1])
}

// checkPositions walks a tree by reflection.
func checkPositions(t *testing.T, text string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			checkPositions(t, text, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			checkPositions(t, text, v.Index(i))
		}
	case reflect.Struct:
		if id, ok := v.Interface().(Ident); ok {
			if id != (Ident{}) {
				checkIdent(t, text, id)
			}
			return
		}
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name == "Pos" || name == "VPos" {
				if pos := v.Field(i).Int(); pos < 1 || pos > int64(len(text)) {
					t.Fatalf("%q: position %d of %s", text, pos, v.Type())
				}
				continue
			}
			checkPositions(t, text, v.Field(i))
		}
	}
}

// checkIdent verifies that an identifier stands where it says. Names of functions with a syntax of their own are not in the text.
func checkIdent(t *testing.T, text string, id Ident) {
	if id.Pos < 1 || id.Pos > len(text) {
		t.Fatalf("%q: position %d of %q", text, id.Pos, id.Name)
	}
	switch id.Name {
	case "btrim", "ltrim", "rtrim", "similar_to_escape", "grouping sets":
		return
	}
	at := text[id.Pos-1:]
	if !strings.HasPrefix(at, `"`) && !strings.HasPrefix(foldASCII(at), id.Name) {
		t.Fatalf("%q: %q is not at %d", text, id.Name, id.Pos)
	}
}

// FuzzLexer: tokens do not overlap, what is between them is space or comment, brackets match in pairs, Split does not lose tokens.
func FuzzLexer(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		pieces, splitErr := Split(text)
		if splitErr != nil {
			checkError(t, text, splitErr)
		}
		if checkText(text) != nil {
			return
		}
		l := &lexer{src: text}
		end := 0
		for {
			tok, err := l.next()
			if err != nil {
				checkError(t, text, err)
				break
			}
			if tok.pos < end || tok.end < tok.pos || tok.end > len(text) || tok.end == tok.pos && tok.kind != tEOF {
				t.Fatalf("%q: token %+v after %d", text, tok, end)
			}
			gap := &lexer{src: text[end:tok.pos]}
			if err := gap.skip(); err != nil || gap.off != len(gap.src) {
				t.Fatalf("%q: lost %q", text, text[end:tok.pos])
			}
			end = tok.end
			if tok.kind == tEOF {
				break
			}
		}
		for _, p := range pieces {
			if !strings.HasPrefix(text[p.Start-1:], p.Text) {
				t.Fatalf("%q: piece %q is not at %d", text, p.Text, p.Start)
			}
		}
	})
}

// FuzzParseExpr: what ParseExpr accepts, SELECT accepts with the same tree.
func FuzzParseExpr(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(strings.TrimPrefix(s, "select "))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		e, err := ParseExpr(text)
		if err != nil {
			checkError(t, text, err)
			return
		}
		checkPositions(t, text, reflect.ValueOf(&e))
		parsed, err := Parse("select (" + text + "\n)")
		if err != nil {
			if types.AsError(err).Code == types.CodeTooComplex {
				return
			}
			t.Fatalf("%q: %v", text, err)
		}
		got := exprString(parsed[0].Stmt.(*SelectStmt).Query.Items[0].Expr)
		if want := exprString(e); got != want {
			t.Fatalf("%q: %s and %s", text, want, got)
		}
	})
}
