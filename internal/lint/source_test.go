package lint

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// eachFile parses the files of the repository that are not tests, with the package's path.
func eachFile(t *testing.T, do func(fset *token.FileSet, file *ast.File, pkg string)) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && name != root || d.Name() == "testdata" || d.Name() == "bin"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		seen++
		do(fset, f, path.Dir(filepath.ToSlash(rel)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 50 {
		t.Fatalf("only %d files were read: the test looks in the wrong place", seen)
	}
}

// TestOnlyCommandsEndTheProcess: a package that calls os.Exit, log.Fatal or reads the command line cannot be used or tested by another.
func TestOnlyCommandsEndTheProcess(t *testing.T) {
	ends := []string{"os.Exit", "os.Args", "log.Fatal", "log.Fatalf", "log.Fatalln", "log.Panic", "log.Panicf", "log.Panicln", "signal.Notify", "signal.NotifyContext"}
	eachFile(t, func(fset *token.FileSet, f *ast.File, pkg string) {
		if f.Name.Name == "main" || pkg == "connectors/conformance" { // which has processes killed
			return
		}
		for _, imp := range f.Imports {
			if imp.Path.Value == `"flag"` {
				t.Errorf("%s: package %s imports flag", fset.Position(imp.Pos()), pkg)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && slices.Contains(ends, x.Name+"."+sel.Sel.Name) {
					t.Errorf("%s: package %s uses %s.%s", fset.Position(n.Pos()), pkg, x.Name, sel.Sel.Name)
				}
			}
			return true
		})
	})
}

// TestNoInit holds the rule against init() registration.
func TestNoInit(t *testing.T) {
	eachFile(t, func(fset *token.FileSet, f *ast.File, _ string) {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: init() registers or computes something behind the reader's back", fset.Position(fn.Pos()))
			}
		}
	})
}

// deterministic lists the packages that are computed again in a replay.
var deterministic = []string{"executor/op", "executor/state", "executor/match"}

// outside lists what leads out of a step: a clock, chance, other goroutines, files, networks.
var outside = []string{"time", "sync", "sync/atomic", "net", "net/http", "os", "os/exec", "io/fs", "math/rand", "math/rand/v2", "crypto/rand", "hash/maphash", "context",
	"runtime", "log", "log/slog"}

// TestOperatorsAreDeterministic: no operator reads a clock, starts a goroutine, takes a lock, iterates a map into output, or touches a network.
func TestOperatorsAreDeterministic(t *testing.T) {
	eachFile(t, func(fset *token.FileSet, f *ast.File, pkg string) {
		if !slices.Contains(deterministic, pkg) {
			return
		}
		for _, imp := range f.Imports {
			if name, err := strconv.Unquote(imp.Path.Value); err != nil || slices.Contains(outside, name) {
				t.Errorf("%s: package %s must not import %s", fset.Position(imp.Pos()), pkg, imp.Path.Value)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n.(type) {
			case *ast.GoStmt, *ast.ChanType, *ast.SelectStmt, *ast.SendStmt:
				t.Errorf("%s: a goroutine or channel in package %s", fset.Position(n.Pos()), pkg)
			}
			return true
		})
	})
}

// TestOperatorsDoNotRangeOverMaps: their order is chance. A loop in which it cannot show says so: "in any order".
func TestOperatorsDoNotRangeOverMaps(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles the packages")
	}
	for _, pkg := range deterministic {
		dir := filepath.Join("..", "..", filepath.FromSlash(pkg))
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		fset := token.NewFileSet()
		var files []*ast.File
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		if len(files) == 0 {
			continue // the package is not there yet
		}
		info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
		config := types.Config{Importer: importer.ForCompiler(fset, "source", nil)}
		if _, err := config.Check(module+pkg, fset, files, info); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			for _, pos := range mapRanges(fset, f, info) {
				t.Errorf("%s: a loop over a map", pos)
			}
		}
	}
}

// TestMapRanges: the check itself finds what it is for.
func TestMapRanges(t *testing.T) {
	const text = `package p
type index map[string]int
func f(a index, b map[int]int, c []int, d func(func(int) bool)) {
	for range a {}
	for range b {} // in any order: the loop is empty
	for range c {}
	// The rows come in any order.
	for range b {}
	for range d {}
	for k, v := range b { _, _ = k, v }
}`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "p.go", text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	if _, err := new(types.Config).Check("p", fset, []*ast.File{f}, info); err != nil {
		t.Fatal(err)
	}
	var lines []int
	for _, pos := range mapRanges(fset, f, info) {
		lines = append(lines, pos.Line)
	}
	if !slices.Equal(lines, []int{4, 10}) {
		t.Errorf("loops over maps in lines %v, want 4 and 10", lines)
	}
}

// mapRanges finds the loops over maps.
func mapRanges(fset *token.FileSet, f *ast.File, info *types.Info) (found []token.Position) {
	said := map[int]bool{}
	for _, c := range f.Comments {
		if strings.Contains(c.Text(), "in any order") {
			said[fset.Position(c.End()).Line] = true // the loop's line, or the one before
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		loop, ok := n.(*ast.RangeStmt)
		if !ok {
			return true
		}
		line := fset.Position(loop.Pos()).Line
		if _, ok := info.TypeOf(loop.X).Underlying().(*types.Map); ok && !said[line] && !said[line-1] {
			found = append(found, fset.Position(loop.Pos()))
		}
		return true
	})
	return found
}
