package kernelcat

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"banger/internal/model"
)

// Limits of the user's own catalog files.
const (
	maxCatalogFiles = 100
	maxCatalogBytes = 1 << 20 // of one file
)

// LoadCatalog returns the built-in catalog with the kernels of dir/*.json
// behind it, file by file. A name that is there twice is refused, naming both
// files. dir need not exist, and may be "".
func LoadCatalog(dir string) (Catalog, error) {
	c, err := ParseCatalog(embeddedCatalog)
	if err != nil {
		return Catalog{}, err
	}
	if dir == "" {
		return c, nil
	}
	files, err := filepath.Glob(filepath.Join(globQuote(dir), "*.json"))
	if err != nil {
		return Catalog{}, fmt.Errorf("listing catalog files: %w", err)
	}
	if len(files) > maxCatalogFiles {
		return Catalog{}, model.Errorf(model.CodeLimit, "%s has %d catalog files: at most %d are allowed", dir, len(files), maxCatalogFiles)
	}
	slices.Sort(files)
	for _, file := range files {
		more, err := readCatalog(file)
		if err != nil {
			return Catalog{}, err
		}
		c.Kernels = append(c.Kernels, more.Kernels...)
	}
	return c, c.validate()
}

// globQuote keeps Glob from reading a directory's name as a pattern.
func globQuote(dir string) string {
	var quoted []rune
	for _, r := range dir {
		if r == '*' || r == '?' || r == '[' || r == '\\' {
			quoted = append(quoted, '\\')
		}
		quoted = append(quoted, r)
	}
	return string(quoted)
}

func readCatalog(file string) (Catalog, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NONBLOCK, 0) // of a pipe too
	if errors.Is(err, fs.ErrNotExist) {                         // it has just gone
		return Catalog{}, nil
	}
	if err != nil {
		return Catalog{}, fmt.Errorf("reading the kernel catalog: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return Catalog{}, errors.Join(model.Errorf(model.CodeInvalid, "reading the kernel catalog: %s is no regular file", file), err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxCatalogBytes+1))
	switch {
	case err != nil:
		return Catalog{}, fmt.Errorf("reading the kernel catalog: %w", err)
	case len(data) > maxCatalogBytes:
		return Catalog{}, model.Errorf(model.CodeLimit, "%s has more than %d bytes", file, maxCatalogBytes)
	}
	return parseCatalog(data, file)
}
