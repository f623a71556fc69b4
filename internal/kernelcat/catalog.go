package kernelcat

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"

	"banger/internal/model"
)

//go:embed catalog.json
var embeddedCatalog []byte

// Catalog is the kernels that can be pulled, in the order in which they are
// shown. docs/kernel-catalog.md explains the file.
type Catalog struct {
	Kernels []Entry `json:"kernels"`
}

// Entry is one kernel of the catalog.
type Entry struct {
	Name        string   `json:"name"`
	Default     bool     `json:"default"` // exactly one of each architecture
	Description string   `json:"description"`
	Distro      string   `json:"distro"`
	Arch        string   `json:"arch"` // as GOARCH names it
	Flavour     string   `json:"flavour"`
	Has         []string `json:"has"`
	Sources     []Source `json:"sources"` // tried in order
}

// Source is a package of a distribution.
type Source struct {
	Distro  string `json:"distro"`
	Suite   string `json:"suite"` // "": the release that this host runs
	Package string `json:"package"`
}

// String names the source to users.
func (s Source) String() string {
	if s.Suite == "" {
		return s.Distro + " (this host's release) " + s.Package
	}
	return s.Distro + " " + s.Suite + " " + s.Package
}

// ParseCatalog reads a catalog strictly: unknown fields, duplicate or bad
// names, entries without sources and a second default are errors.
func ParseCatalog(data []byte) (Catalog, error) {
	var c Catalog
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return Catalog{}, fmt.Errorf("reading the kernel catalog: %w", err)
	}
	if dec.More() {
		return Catalog{}, fmt.Errorf("reading the kernel catalog: more than one value")
	}
	seen, defaults := map[string]bool{}, map[string]string{}
	for _, e := range c.Kernels {
		if err := e.validate(); err != nil {
			return Catalog{}, fmt.Errorf("reading the kernel catalog: %w", err)
		}
		if seen[e.Name] {
			return Catalog{}, fmt.Errorf("reading the kernel catalog: %s is there twice", e.Name)
		}
		seen[e.Name] = true
		if other := defaults[e.Arch]; e.Default && other != "" {
			return Catalog{}, fmt.Errorf("reading the kernel catalog: both %s and %s are the default", other, e.Name)
		}
		if e.Default {
			defaults[e.Arch] = e.Name
		}
	}
	return c, nil
}

func (e Entry) validate() error {
	if err := model.ValidateObjectName("kernel", e.Name); err != nil {
		return err
	}
	if e.Description == "" || e.Distro == "" || e.Arch == "" || len(e.Sources) == 0 {
		return fmt.Errorf("%s: description, distro, arch or sources are missing", e.Name)
	}
	for _, s := range e.Sources {
		if s.Distro == "" || s.Package == "" {
			return fmt.Errorf("%s: a source without distro or package", e.Name)
		}
	}
	return nil
}

// forArch returns the entries of one architecture.
func (c Catalog) forArch(arch string) Catalog {
	var fit Catalog
	for _, e := range c.Kernels {
		if e.Arch == arch {
			fit.Kernels = append(fit.Kernels, e)
		}
	}
	return fit
}

// find returns the entry called name.
func (c Catalog) find(name string) (Entry, bool) {
	for _, e := range c.Kernels {
		if e.Name == name {
			return e, true
		}
	}
	return Entry{}, false
}

// defaultName returns the name of the default kernel, or "".
func (c Catalog) defaultName() string {
	for _, e := range c.Kernels {
		if e.Default {
			return e.Name
		}
	}
	return ""
}
