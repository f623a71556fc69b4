package banger_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestImportsFollowTheTable holds the code to the package table of
// docs/ARCHITECTURE.md: every package has a row, every row a package, and no
// package imports what its row does not list.
func TestImportsFollowTheTable(t *testing.T) {
	table := readTable(t)
	seen := map[string]bool{}
	for dir, imports := range projectImports(t) {
		allowed, ok := table[dir]
		if !ok {
			t.Errorf("package %s has no row in docs/ARCHITECTURE.md", dir)
			continue
		}
		seen[dir] = true
		for imp, file := range imports {
			if !slices.Contains(allowed, imp) && !slices.Contains(allowed, "*") {
				t.Errorf("%s imports %s, which the row of %s does not list", file, imp, dir)
			}
		}
	}
	for dir := range table {
		if !seen[dir] {
			t.Errorf("docs/ARCHITECTURE.md has a row for %s, which is no package", dir)
		}
	}
}

// readTable returns the packages of the table and what each may import.
func readTable(t *testing.T) map[string][]string {
	t.Helper()
	doc, err := os.ReadFile("docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	table := map[string][]string{}
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			continue
		}
		pkg := strings.TrimSpace(cells[1])
		if strings.HasPrefix(pkg, "cmd/") || strings.HasPrefix(pkg, "internal/") || strings.HasPrefix(pkg, "test/") {
			table[pkg] = strings.Fields(cells[3])
		}
	}
	if len(table) < 10 {
		t.Fatalf("docs/ARCHITECTURE.md: only %d package rows found", len(table))
	}
	return table
}

// projectImports returns, by package directory, the project's packages that
// its non-test files import and one file that does so.
func projectImports(t *testing.T) map[string]map[string]string {
	t.Helper()
	found := map[string]map[string]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "testdata" || d.Name() == "build" || path == "tools"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		if found[dir] == nil {
			found[dir] = map[string]string{}
		}
		for _, spec := range file.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if own, ok := strings.CutPrefix(imp, "banger/"); ok {
				found[dir][own] = path
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
