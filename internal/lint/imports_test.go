// Package lint holds the rules of the code base that a compiler does not check.
package lint

import (
	"go/ast"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// mayImport lists what each package may import of ours (docs/DESIGN.md has the reasons). A name ending in /... stands for the package and those below
// it. Packages that are not listed may not exist.
var mayImport = map[string][]string{
	"types":              {},
	"expr":               {"types"},
	"parser":             {"types"},
	"connectors":         {"types"},
	"executor/state":     {"types", "expr"},
	"executor/match":     {"types", "expr"},
	"executor/journal":   {"types"},
	"executor/decode":    {"types"},
	"catalog":            {"types", "expr", "connectors"},
	"planner":            {"parser", "expr", "catalog", "types", "connectors"},
	"executor/op":        {"types", "expr", "executor/state", "executor/match"},
	"executor":           {"planner", "executor/...", "connectors", "expr", "types", "catalog"},
	"engine":             {"types", "expr", "parser", "connectors", "catalog", "planner", "executor/..."},
	"pgwire":             {"types"},
	"web":                {"types"},
	"connectors/*":       {"connectors", "types"},
	"cmd/*":              {"..."},
	"bench":              {"..."},
	"internal/*":         {"..."},
	"executor/journal/*": {"executor/journal", "types"},
}

// only lists the outside modules that one package alone may import.
var only = map[string]string{
	"github.com/pingcap/tidb":     "parser",
	"github.com/IBM/sarama":       "connectors/kafka",
	"github.com/twmb/franz-go":    "connectors/kafka",
	"go.mongodb.org/mongo-driver": "connectors/mongo",
	"zombiezen.com/go/sqlite":     "connectors/sqlite",
	"github.com/jackc/pgproto3":   "pgwire",
	"github.com/spf13/viper":      "cmd/rhumb",
}

const module = "rhumb/"

func TestImports(t *testing.T) {
	eachFile(t, func(fset *token.FileSet, f *ast.File, pkg string) { checkImports(t, fset, f, pkg) })
}

func checkImports(t *testing.T, fset *token.FileSet, f *ast.File, pkg string) {
	file := fset.Position(f.Pos()).Filename
	allowed, ok := rule(pkg)
	if !ok {
		t.Errorf("%s: package %s has no line in mayImport", file, pkg)
		return
	}
	for _, imp := range f.Imports {
		name, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if of, ok := strings.CutPrefix(name, module); ok && !matches(of, allowed) {
			t.Errorf("%s: package %s must not import %s", file, pkg, of)
		}
		for mod, owner := range only {
			if strings.HasPrefix(name, mod) && pkg != owner && !strings.HasPrefix(pkg, "internal/") && pkg != "bench" {
				t.Errorf("%s: only %s imports %s", file, owner, mod)
			}
		}
	}
}

// rule finds the line of a package.
func rule(pkg string) ([]string, bool) {
	if allowed, ok := mayImport[pkg]; ok {
		return allowed, true
	}
	allowed, ok := mayImport[path.Dir(pkg)+"/*"]
	return allowed, ok
}

func matches(pkg string, allowed []string) bool {
	for _, a := range allowed {
		if a == "..." || a == pkg {
			return true
		}
		if dir, below := strings.CutSuffix(a, "/..."); below && (pkg == dir || strings.HasPrefix(pkg, dir+"/")) {
			return true
		}
	}
	return false
}

// TestNoFileIsTooLong holds the limit of style.md: 600 lines, or a reason in the first lines ("Long because").
func TestNoFileIsTooLong(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") {
			return err
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		text := string(b)
		if n := strings.Count(text, "\n"); n > 600 && !strings.Contains(text[:min(len(text), 1500)], "Long because") {
			t.Errorf("%s has %d lines and no reason at the top", file, n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
