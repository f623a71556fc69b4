package kernelcat

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"

	"banger/internal/model"
)

//go:embed catalog.json
var embeddedCatalog []byte

// builtinFile is what errors call the embedded catalog.
const builtinFile = "the built-in catalog"

// Catalog is the kernels that can be pulled, in the order in which they are
// shown. docs/kernel-catalog.md explains the file.
type Catalog struct {
	Kernels []Entry `json:"kernels"`
}

// Entry is one kernel of the catalog.
type Entry struct {
	Name        string   `json:"name"`
	Default     bool     `json:"default"` // at most one of each architecture
	Description string   `json:"description"`
	Distro      string   `json:"distro"`
	Arch        string   `json:"arch"`    // as GOARCH names it
	Version     string   `json:"version"` // release or its beginning; "": the source's newest
	Flavour     string   `json:"flavour"`
	Digest      string   `json:"digest"` // "sha256:" and 64 digits: of vmlinux; "": what the source vouches for
	Has         []string `json:"has"`
	Sources     []Source `json:"sources"` // tried in order

	file string // that it stands in
}

// features are what an entry may say that its kernel has.
var features = []string{
	"modules", "initrd", "virtio", model.HasVirtioMMIO, model.HasVirtioPCI, "virtio-builtin", "vsock", "tun", "wireguard", "policy-routing", "nftables",
	"overlay", "9p", "virtiofs",
}

var digestRE = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// ParseCatalog reads a catalog strictly: unknown fields, duplicate or bad
// names, entries without sources and a second default are errors.
func ParseCatalog(data []byte) (Catalog, error) { return parseCatalog(data, builtinFile) }

func parseCatalog(data []byte, file string) (Catalog, error) {
	var c Catalog
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return Catalog{}, model.Errorf(model.CodeInvalid, "reading the kernel catalog: %s: %w", file, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Catalog{}, model.Errorf(model.CodeInvalid, "reading the kernel catalog: %s: more than one value", file)
	}
	for i := range c.Kernels {
		c.Kernels[i].file = file
		if err := c.Kernels[i].validate(); err != nil {
			return Catalog{}, model.Errorf(model.CodeInvalid, "reading the kernel catalog: %s: %w", file, err)
		}
	}
	return c, c.validate()
}

// validate checks what entries may not share.
func (c Catalog) validate() error {
	files, defaults := map[string]string{}, map[string]Entry{}
	for _, e := range c.Kernels {
		if other, taken := files[e.Name]; taken {
			return model.Errorf(model.CodeInvalid, "reading the kernel catalog: kernel %s is there twice, in %s and in %s", e.Name, other, e.file).
				WithHint("rename one of them")
		}
		files[e.Name] = e.file
		if other, taken := defaults[e.Arch]; taken && e.Default {
			return model.Errorf(model.CodeInvalid, "reading the kernel catalog: both %s in %s and %s in %s are the default", other.Name, other.file, e.Name, e.file).
				WithHint("leave \"default\" out and choose with: banger kernel default NAME")
		}
		if e.Default {
			defaults[e.Arch] = e
		}
	}
	return nil
}

func (e Entry) validate() error {
	if err := model.ValidateObjectName("kernel", e.Name); err != nil {
		return err
	}
	if e.Description == "" || e.Distro == "" || e.Arch == "" || len(e.Sources) == 0 {
		return fmt.Errorf("%s: description, distro, arch or sources are missing", e.Name)
	}
	if e.Digest != "" && !digestRE.MatchString(e.Digest) {
		return fmt.Errorf("%s: digest %q: sha256: and 64 digits are needed", e.Name, e.Digest)
	}
	for _, has := range e.Has {
		if !slices.Contains(features, has) {
			return fmt.Errorf("%s: has %q: one of %v is needed", e.Name, has, features)
		}
	}
	for _, s := range e.Sources {
		if err := s.validate(); err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
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
