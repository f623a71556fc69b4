package banger_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestEveryErrorCodeIsDocumented holds docs/ERRORS.md to the codes of
// internal/model: a row for each code and none for another.
func TestEveryErrorCodeIsDocumented(t *testing.T) {
	rows := map[string]int{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(read(t, "docs/ERRORS.md"), -1) {
		rows[m[1]]++
	}
	codes := errorCodes(t)
	if len(codes) == 0 {
		t.Fatal("internal/model/error.go: no codes found")
	}
	for _, code := range codes {
		if rows[code] != 1 {
			t.Errorf("docs/ERRORS.md has %d rows for %s, want 1", rows[code], code)
		}
		delete(rows, code)
	}
	for code := range rows {
		t.Errorf("docs/ERRORS.md has a row for %s, which is no code", code)
	}
}

// errorCodes returns the values of the constants of type Code.
func errorCodes(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "internal/model/error.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); !ok || name.Name != "Code" {
			return true
		}
		for _, value := range spec.Values {
			if lit, ok := value.(*ast.BasicLit); ok {
				code, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				codes = append(codes, code)
			}
		}
		return true
	})
	return codes
}

// TestEveryPackageIsDocumented: one package comment in each, not two.
func TestEveryPackageIsDocumented(t *testing.T) {
	comments := map[string]int{}
	walkGo(t, func(path string) {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(path)
		comments[dir] += 0
		if file.Doc != nil {
			comments[dir]++
		}
	})
	for dir, n := range comments {
		if n != 1 && dir != "." { // the root holds tests of the tree, no package
			t.Errorf("%s has %d package comments, want 1", dir, n)
		}
	}
}

// TestTargetsInDocumentsExist: every make command that a document tells a
// reader to type is a target, and every script is there.
func TestTargetsInDocumentsExist(t *testing.T) {
	makefile := read(t, "Makefile")
	for _, doc := range []string{"README.md", "CONTRIBUTING.md", "AGENTS.md"} {
		text := read(t, doc)
		commands := regexp.MustCompile("(?m)(?:^|`|sudo |&& )make ((?:[a-z][a-z-]*[ \t`]?)+)").FindAllStringSubmatch(text, -1)
		if len(commands) == 0 {
			t.Errorf("%s: no make command found", doc)
		}
		for _, m := range commands {
			for _, target := range strings.Fields(strings.Trim(m[1], "`")) {
				if !regexp.MustCompile(`(?m)^` + target + `:`).MatchString(makefile) {
					t.Errorf("%s: make %s, which is no target", doc, target)
				}
			}
		}
		for _, m := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(m[1]); err != nil {
				t.Errorf("%s: %v", doc, err)
			}
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// walkGo calls visit for every Go file of the project, tests included.
func walkGo(t *testing.T, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || path == "build" || strings.HasPrefix(path, ".") && path != "."):
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(path, ".go"):
			visit(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
