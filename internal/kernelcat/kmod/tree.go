package kmod

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"banger/internal/kernelcat/decompress"
	"banger/internal/model"
)

// Limits of one tree; the largest distributions' have some 7,000 modules.
const (
	MaxFiles       = 100_000
	maxModuleBytes = 64 << 20
	maxListBytes   = 4 << 20
)

// Tree is a lib/modules/<release> directory. Nothing outside of the directory
// is ever opened, whatever links it holds.
type Tree struct {
	root    *os.Root
	paths   map[string]string   // module name: file below root
	builtin map[string]struct{} // nil: there is no modules.builtin
}

// OpenTree lists the modules in dir. The caller closes the tree.
func OpenTree(dir string) (*Tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening modules: %w", err)
	}
	t := &Tree{root: root, paths: map[string]string{}}
	if err := errors.Join(t.list(), t.readBuiltin()); err != nil {
		_ = root.Close()
		return nil, err
	}
	return t, nil
}

// Close lets go of the directory.
func (t *Tree) Close() error { return t.root.Close() }

// Len returns how many loadable modules there are.
func (t *Tree) Len() int { return len(t.paths) }

// Has tells whether a module of that name can be loaded or is built in, as
// far as the tree knows.
func (t *Tree) Has(name string) bool {
	name = normalize(name)
	_, loadable := t.paths[name]
	_, builtin := t.builtin[name]
	return loadable || builtin
}

// list finds the module files: *.ko, plain or compressed.
func (t *Tree) list() error {
	files := 0
	return fs.WalkDir(t.root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("listing modules: %w", err)
		}
		if files++; files > MaxFiles {
			return model.Errorf(model.CodeLimit, "the modules directory has more than %d entries", MaxFiles)
		}
		if name, ok := ModuleName(p); ok && d.Type().IsRegular() {
			t.paths[name] = p
		}
		return nil
	})
}

// ModuleName returns the name of the module in a file, if it is one.
func ModuleName(p string) (string, bool) {
	base, suffix, ok := strings.Cut(path.Base(p), ".ko")
	switch suffix {
	case "", ".gz", ".xz", ".zst":
		name := normalize(base)
		return name, ok && nameRE.MatchString(name)
	}
	return "", false
}

// readBuiltin reads modules.builtin: one path of a .ko in each line.
func (t *Tree) readBuiltin() error {
	f, err := t.root.Open("modules.builtin")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening modules.builtin: %w", err)
	}
	defer f.Close()
	t.builtin = map[string]struct{}{}
	lines := bufio.NewScanner(io.LimitReader(f, maxListBytes))
	for lines.Scan() {
		if name, ok := ModuleName(lines.Text()); ok {
			t.builtin[name] = struct{}{}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading modules.builtin: %w", err)
	}
	return nil
}

// Read returns the plain bytes of the module file at path, as Module has it.
func (t *Tree) Read(path string) ([]byte, error) {
	data, err := t.readFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading module %s: %w", path, err)
	}
	format := decompress.Detect(data)
	if format == "" {
		return data, nil
	}
	plain, err := decompress.All(format, data, maxModuleBytes)
	if err != nil {
		return nil, model.Errorf(model.CodeIntegrity, "unpacking module %s: %w", path, err)
	}
	return plain, nil
}

func (t *Tree) readFile(path string) ([]byte, error) {
	f, err := t.root.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxModuleBytes+1))
	if err == nil && len(data) > maxModuleBytes {
		err = model.Errorf(model.CodeLimit, "more than %d bytes", maxModuleBytes)
	}
	return data, err
}

// Paths returns the files of all modules, sorted, as Read takes them.
func (t *Tree) Paths() []string { return slices.Sorted(maps.Values(t.paths)) }

// ReadList returns a file of the tree that is no module, such as
// modules.builtin; fs.ErrNotExist when it is not there.
func (t *Tree) ReadList(name string) ([]byte, error) {
	f, err := t.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxListBytes+1))
	if err == nil && len(text) > maxListBytes {
		err = model.Errorf(model.CodeLimit, "%s has more than %d bytes", name, maxListBytes)
	}
	return text, err
}
