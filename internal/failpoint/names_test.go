package failpoint_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"banger/internal/failpoint"
)

// TestEachNameStandsOnceInTheCode holds Names and the code together.
func TestEachNameStandsOnceInTheCode(t *testing.T) {
	t.Parallel()
	names := failpoint.Names()
	if !slices.IsSorted(names) {
		t.Error("Names are not sorted")
	}
	places := map[string][]string{}
	walkCalls(t, func(where token.Position, call *ast.CallExpr) {
		if name, ok := placeOf(call); ok {
			places[name] = append(places[name], where.String())
		}
	})
	for _, name := range names {
		if len(places[name]) != 1 {
			t.Errorf("%s is at %v: one place is needed", name, places[name])
		}
		delete(places, name)
	}
	for name, where := range places {
		t.Errorf("%s at %v is not in Names", name, where)
	}
}

// placeOf returns the name of a place if call is failpoint.Hit; a name that
// is no literal is "".
func placeOf(call *ast.CallExpr) (string, bool) {
	fn, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || fn.Sel.Name != "Hit" || len(call.Args) != 2 {
		return "", false
	}
	if pkg, ok := fn.X.(*ast.Ident); !ok || pkg.Name != "failpoint" {
		return "", false
	}
	literal, ok := call.Args[1].(*ast.BasicLit)
	if !ok {
		return "", true
	}
	name, err := strconv.Unquote(literal.Value)
	return name, err == nil
}

// walkCalls visits the calls in the project's code, tests aside.
func walkCalls(t *testing.T, visit func(token.Position, *ast.CallExpr)) {
	t.Helper()
	files := token.NewFileSet()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				visit(files.Position(call.Pos()), call)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
