package main

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"rhumb/types"
)

// printer writes the results of SELECTs.
type printer interface {
	begin(types.Schema) error // of a result
	rows(*types.Batch) error  // a batch is borrowed for the call
	finish() error            // of a result: all of it has been written
}

// formats lists the formats that newPrinter knows.
func formats() []string { return []string{"table", "csv", "json", "jsonl"} }

// newPrinter makes the printer of a format; nil if there is none.
func newPrinter(format string, env *environ) printer {
	b := bufio.NewWriter(env.stdout)
	switch format {
	case "table":
		return &tablePrinter{w: b}
	case "csv":
		return &csvPrinter{w: b, screen: env.screen}
	case "json":
		return &jsonPrinter{w: b, array: true, screen: env.screen}
	case "jsonl":
		return &jsonPrinter{w: b, screen: env.screen}
	}
	return nil
}

// tablePrinter aligns columns as psql does. It keeps a result in memory until it is complete.
type tablePrinter struct {
	w      *bufio.Writer
	schema types.Schema
	cells  [][]string
	many   bool
}

func (p *tablePrinter) begin(s types.Schema) error {
	p.schema, p.cells = s, nil
	return nil
}

func (p *tablePrinter) rows(b *types.Batch) error {
	for _, i := range b.Selection(nil) {
		row := make([]string, len(b.Cols))
		for c, v := range b.Cols {
			if !v.Null(int(i)) {
				row[c] = printable(string(types.AppendText(nil, v, int(i), nil)))
			}
		}
		p.cells = append(p.cells, row)
	}
	return nil
}

// printable escapes what would move a terminal's cursor or reorder its text: the content of logs is written by attackers.
func printable(s string) string {
	if !strings.ContainsFunc(s, hostile) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case hostile(r) && r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case hostile(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hostile reports control characters, line separators and what reorders text (Unicode's Bidi_Control).
func hostile(r rune) bool {
	return unicode.IsControl(r) || r == 0x2028 || r == 0x2029 || unicode.Is(unicode.Bidi_Control, r)
}

// appendHarmless appends JSON so that a terminal shows it as it is.
func appendHarmless(dst, text []byte) []byte {
	for _, r := range string(text) {
		if hostile(r) {
			dst = fmt.Appendf(dst, `\u%04x`, r)
		} else {
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

func (p *tablePrinter) finish() error {
	if p.many {
		fmt.Fprintln(p.w)
	}
	p.many = true
	widths := make([]int, len(p.schema))
	for c, f := range p.schema {
		widths[c] = utf8.RuneCountInString(printable(f.Name))
		for _, row := range p.cells {
			widths[c] = max(widths[c], utf8.RuneCountInString(row[c]))
		}
	}
	for c, f := range p.schema {
		name := printable(f.Name)
		left := (widths[c] - utf8.RuneCountInString(name)) / 2
		p.cell(c, strings.Repeat(" ", left)+name, widths[c], false)
	}
	p.endLine()
	for c := range p.schema {
		if c > 0 {
			p.w.WriteByte('+')
		}
		p.w.WriteString(strings.Repeat("-", widths[c]+2))
	}
	p.endLine()
	for _, row := range p.cells {
		for c, f := range p.schema {
			p.cell(c, row[c], widths[c], f.Type.IsNumber())
		}
		p.endLine()
	}
	plural := "s"
	if len(p.cells) == 1 {
		plural = ""
	}
	fmt.Fprintf(p.w, "(%d row%s)\n", len(p.cells), plural)
	return p.w.Flush()
}

// cell writes a cell. No space stands behind the last column.
func (p *tablePrinter) cell(c int, s string, width int, right bool) {
	if c > 0 {
		p.w.WriteByte('|')
	}
	last := c == len(p.schema)-1
	if s == "" && last {
		return
	}
	pad := strings.Repeat(" ", width-utf8.RuneCountInString(s))
	if right {
		s, pad = pad+s, ""
	}
	p.w.WriteString(" " + s)
	if !last {
		p.w.WriteString(pad + " ")
	}
}

func (p *tablePrinter) endLine() { p.w.WriteByte('\n') }

// csvPrinter writes a header and rows; results are separated by an empty line. As with COPY, NULL is nothing and the empty text is "", except that
// NULL as the only column is "" too: an empty line is not a row.
type csvPrinter struct {
	w      *bufio.Writer
	screen bool
	many   bool
	buf    []byte
}

func (p *csvPrinter) begin(s types.Schema) error {
	if p.many {
		p.w.WriteByte('\n')
	}
	p.many, p.buf = true, p.buf[:0]
	for c, f := range s {
		p.cell(c, []byte(f.Name))
	}
	return p.line()
}

func (p *csvPrinter) rows(b *types.Batch) error {
	var text []byte
	for _, i := range b.Selection(nil) {
		p.buf = p.buf[:0]
		for c, v := range b.Cols {
			switch {
			case !v.Null(int(i)):
				text = types.AppendText(text[:0], v, int(i), nil)
				p.cell(c, text)
			case len(b.Cols) == 1:
				p.cell(c, nil)
			case c > 0:
				p.buf = append(p.buf, ',')
			}
		}
		if err := p.line(); err != nil {
			return err
		}
	}
	return nil
}

// cell appends a value, in quotes if it has to be (RFC 4180).
func (p *csvPrinter) cell(c int, text []byte) {
	if c > 0 {
		p.buf = append(p.buf, ',')
	}
	if p.screen {
		text = []byte(printable(string(text)))
	}
	if len(text) > 0 && !bytes.ContainsAny(text, ",\"\r\n") && text[0] != ' ' && text[len(text)-1] != ' ' {
		p.buf = append(p.buf, text...)
		return
	}
	p.buf = append(p.buf, '"')
	p.buf = append(p.buf, bytes.ReplaceAll(text, []byte{'"'}, []byte(`""`))...)
	p.buf = append(p.buf, '"')
}

func (p *csvPrinter) line() error {
	_, err := p.w.Write(append(p.buf, '\n'))
	return err
}

func (p *csvPrinter) finish() error { return p.w.Flush() }

// jsonPrinter writes an object a row: one a line, or (array) a result as an array.
type jsonPrinter struct {
	w      *bufio.Writer
	array  bool
	screen bool
	names  [][]byte
	first  bool
	buf    []byte
	value  []byte
}

func (p *jsonPrinter) begin(s types.Schema) error {
	p.names, p.first = nil, true
	for _, f := range s {
		name := append(types.AppendJSONString(nil, []byte(f.Name)), ':')
		if p.screen {
			name = appendHarmless(nil, name)
		}
		p.names = append(p.names, name)
	}
	if p.array {
		p.w.WriteByte('[')
	}
	return nil
}

func (p *jsonPrinter) rows(b *types.Batch) error {
	for _, i := range b.Selection(nil) {
		p.buf = p.buf[:0]
		if p.array && !p.first {
			p.buf = append(p.buf, ",\n "...)
		}
		p.first = false
		p.buf = append(p.buf, '{')
		for c, v := range b.Cols {
			if c > 0 {
				p.buf = append(p.buf, ',')
			}
			p.buf = append(p.buf, p.names[c]...)
			switch {
			case v.Null(int(i)):
				p.buf = append(p.buf, "null"...)
			case p.screen:
				p.value = types.AppendJSON(p.value[:0], v, int(i))
				p.buf = appendHarmless(p.buf, p.value)
			default:
				p.buf = types.AppendJSON(p.buf, v, int(i))
			}
		}
		p.buf = append(p.buf, '}')
		if !p.array {
			p.buf = append(p.buf, '\n')
		}
		if _, err := p.w.Write(p.buf); err != nil {
			return err
		}
	}
	return nil
}

func (p *jsonPrinter) finish() error {
	if p.array {
		p.w.WriteString("]\n")
	}
	return p.w.Flush()
}
