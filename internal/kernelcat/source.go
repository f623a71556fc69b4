package kernelcat

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"banger/internal/kernelcat/web"
	"banger/internal/model"
)

// Source is one place that a kernel of the catalog comes from: a package of a
// distribution, an OCI artifact, a file by URL, or files of this host.
type Source struct {
	Distro  string `json:"distro"`  // of a package: debian or ubuntu
	Suite   string `json:"suite"`   // "": the release that this host runs
	Package string `json:"package"` // may be a meta package

	// OCI is a reference of an artifact. One that begins with "/" is below
	// the registry that this host is set up with.
	OCI string `json:"oci"`

	URL    string `json:"url"`    // https, or http of this host: package, bundle or kernel
	SHA256 string `json:"sha256"` // of what URL names: 64 hexadecimal digits

	Files []string `json:"files"` // absolute paths: packages, a bundle or a kernel
}

// kinds lists which of the kinds of source s claims to be.
func (s Source) kinds() []string {
	var kinds []string
	for _, k := range []struct {
		name  string
		given bool
	}{
		{"package", s.Package != "" || s.Distro != "" || s.Suite != ""},
		{"oci", s.OCI != ""},
		{"url", s.URL != "" || s.SHA256 != ""},
		{"files", len(s.Files) > 0},
	} {
		if k.given {
			kinds = append(kinds, k.name)
		}
	}
	return kinds
}

func (s Source) validate() error {
	kinds := s.kinds()
	if len(kinds) != 1 {
		return fmt.Errorf("a source needs one of package, oci, url and files, this has %v", kinds)
	}
	switch kinds[0] {
	case "package":
		if s.Distro == "" || s.Package == "" {
			return fmt.Errorf("a source without distro or package")
		}
	case "url":
		return s.validateURL()
	case "files":
		for _, f := range s.Files {
			if !filepath.IsAbs(f) {
				return fmt.Errorf("file %q is no absolute path", f)
			}
		}
	}
	return nil
}

func (s Source) validateURL() error {
	u, err := url.Parse(s.URL)
	switch {
	case err != nil:
		return fmt.Errorf("reading a source's URL: %w", err)
	case u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !web.IsLoopback(u.Hostname())):
		return fmt.Errorf("URL %q: https is needed", s.URL)
	case !digestRE.MatchString("sha256:" + s.SHA256):
		return fmt.Errorf("URL %q: its sha256 of 64 digits is needed", s.URL)
	}
	return nil
}

// String names the source to users.
func (s Source) String() string {
	switch {
	case s.OCI != "":
		return "oci " + s.OCI
	case s.URL != "":
		return s.URL
	case len(s.Files) > 0:
		return strings.Join(s.Files, " ")
	case s.Suite == "":
		return s.Distro + " (this host's release) " + s.Package
	}
	return s.Distro + " " + s.Suite + " " + s.Package
}

// reference returns the OCI reference that s means on a host with that
// registry, "" being none.
func (s Source) reference(registry string) (string, error) {
	if !strings.HasPrefix(s.OCI, "/") {
		return s.OCI, nil
	}
	if registry == "" {
		return "", model.Errorf(model.CodeUnsupported, "no registry of kernels is set up").
			WithHint("set BANGER_KERNEL_REGISTRY to one that has %s, or import a kernel: banger kernel import --kernel-path FILE NAME", strings.TrimPrefix(s.OCI, "/"))
	}
	return strings.TrimSuffix(registry, "/") + s.OCI, nil
}
