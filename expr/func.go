package expr

import (
	"cmp"
	"sort"
	"strings"

	"rhumb/types"
)

// Func is a function or operator: one entry of the table, with an overload for each combination of argument types.
type Func struct {
	Name string
	Kind FuncKind
	Doc  string
	Sigs []Sig
}

// FuncKind says how a call is written.
type FuncKind uint8

// The kinds. A Construct is syntax of its own (IS NULL, ARRAY[...]) and cannot be called by name.
const (
	Function FuncKind = iota
	Operator
	Construct
	SetReturning
)

// Sig is one overload. Types may be the pseudo-types of coerce.go.
type Sig struct {
	Args      []types.Type
	Ret       types.Type
	Variadic  bool // the last argument may come any number of times, once at least
	NonStrict bool // it is called for NULL arguments too; others return NULL for them
	Volatile  bool // it depends on the clock
	run       kernel
	// prepare, if not nil, makes a kernel for the arguments of one call, or nil if run is as good: patterns that are
	// constant are compiled once. Its error is that of the call.
	prepare func(args []Expr) (kernel, *types.Error)
}

// sig is an overload.
func sig(ret types.Type, run kernel, args ...types.Type) Sig {
	return Sig{Ret: ret, Args: args, run: run}
}

func (s Sig) nonStrict() Sig { s.NonStrict = true; return s }
func (s Sig) variadic() Sig  { s.Variadic = true; return s }
func (s Sig) volatile() Sig  { s.Volatile = true; return s }
func (s Sig) preparing(p func(args []Expr) (kernel, *types.Error)) Sig {
	s.prepare = p
	return s
}

// funcs is the one table, by name. Each fn_*.go holds a family.
var funcs = index(compareFuncs(), boolFuncs(), arithFuncs(), mathFuncs(), textFuncs(), formatFuncs(), hashFuncs(), likeFuncs(), regexFuncs(),
	timeFuncs(), timePartFuncs(), timeFormatFuncs(), jsonFuncs(), netFuncs(), arrayFuncs(), setFuncs(), securityFuncs())

func index(families ...[]*Func) map[string]*Func {
	m := map[string]*Func{}
	for _, fam := range families {
		for _, f := range fam {
			if g := m[f.Name]; g != nil {
				g.Sigs = append(g.Sigs, f.Sigs...)
				g.Doc = cmp.Or(g.Doc, f.Doc)
				continue
			}
			m[f.Name] = f
		}
	}
	return m
}

// aliases are other names of functions.
var aliases = map[string]string{"!=": "<>", "char_length": "length", "character_length": "length", "ceiling": "ceil",
	"pow": "power", "substr": "substring", "current_timestamp": "now", "transaction_timestamp": "now",
	"statement_timestamp": "now", "~~": "like", "~~*": "ilike", "!~~": "not like", "!~~*": "not ilike"}

func lookup(name string) *Func {
	if a, ok := aliases[name]; ok {
		name = a
	}
	if f := funcs[name]; f != nil && f.Kind != Construct {
		return f
	}
	return nil
}

// FuncDoc describes a function for the reference and for completion.
type FuncDoc struct {
	Name       string
	Kind       string // "function", "operator" or "set-returning function"
	Doc        string
	Signatures []string
}

// Functions describes every function and operator, by name.
func Functions() []FuncDoc {
	var out []FuncDoc
	add := func(name string, f *Func) {
		d := FuncDoc{Name: name, Kind: [...]string{"function", "operator", "", "set-returning function"}[f.Kind], Doc: f.Doc}
		for i := range f.Sigs {
			d.Signatures = append(d.Signatures, f.signature(name, i))
		}
		out = append(out, d)
	}
	for name, f := range funcs {
		if f.Kind != Construct {
			add(name, f)
		}
	}
	for name, target := range aliases {
		add(name, funcs[target])
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// signature is an overload as the reference and error messages show it.
func (f *Func) signature(name string, i int) string {
	s := &f.Sigs[i]
	names := make([]string, len(s.Args))
	for j, t := range s.Args {
		names[j] = typeName(t)
		if s.Variadic && j == len(s.Args)-1 {
			names[j] = "VARIADIC " + names[j]
		}
	}
	ret := " → " + typeName(s.Ret)
	if f.Kind == Operator {
		switch len(names) {
		case 1:
			return name + " " + names[0] + ret
		case 2:
			return names[0] + " " + name + " " + names[1] + ret
		}
	}
	return name + "(" + strings.Join(names, ", ") + ")" + ret
}

// IsSetReturning reports whether a function returns rows: it may stand in FROM only.
func IsSetReturning(name string) bool {
	f := lookup(name)
	return f != nil && f.Kind == SetReturning
}
