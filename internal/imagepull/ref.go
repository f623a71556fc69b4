package imagepull

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"banger/internal/model"
)

// Kinds of sources, as model.ImageSource.Kind tells them.
const (
	KindRegistry   = "registry"
	KindOCILayout  = "oci"
	KindTar        = "tar"
	KindMmdebstrap = "mmdebstrap"
)

// maxRefBytes bounds a reference.
const maxRefBytes = 4096

// Ref is a reference whose syntax is right. It names an image of the catalog,
// an image in a registry, or one in a file of this host (oci:DIR[:TAG],
// tar:FILE).
type Ref struct {
	kind  string
	text  string         // canonical form
	entry *catalogEntry  // of the catalog, or nil
	image name.Reference // in a registry
	path  string         // in a file
	tag   string         // in an OCI layout
}

// ParseRef checks the syntax of s; nothing is looked up.
func ParseRef(s string) (Ref, error) {
	if len(s) > maxRefBytes {
		return Ref{}, model.Errorf(model.CodeInvalid, "reference %.40q... has %d bytes: at most %d are allowed", s, len(s), maxRefBytes)
	}
	if dir, ok := strings.CutPrefix(s, "oci:"); ok && isPath(dir) {
		return parseLayoutRef(dir)
	}
	if file, ok := strings.CutPrefix(s, "tar:"); ok && isPath(file) {
		return parseFileRef(KindTar, file, "")
	}
	if entry := catalog().find(s); entry != nil {
		return Ref{kind: KindRegistry, text: entry.Name, entry: entry}, nil
	}
	return parseRegistryRef(s)
}

func parseRegistryRef(s string) (Ref, error) {
	image, err := name.ParseReference(s)
	if err == nil {
		err = checkGrammar(image)
	}
	if err != nil {
		return Ref{}, model.Errorf(model.CodeInvalid, "%.200q is no image reference: %w", s, err).
			WithHint("references look like debian:bookworm, registry.example/team/app:v1, oci:/dir:tag or tar:/file")
	}
	if d, ok := image.(name.Digest); ok {
		if _, err := ParseDigest(d.DigestStr()); err != nil {
			return Ref{}, err
		}
	}
	return Ref{kind: KindRegistry, text: image.Name(), image: image}, nil
}

// The grammar of distribution-spec, "Pulling manifests", which the library
// does not hold references to.
var (
	repositoryRE = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagRE        = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
)

func checkGrammar(image name.Reference) error {
	repo := image.Context()
	if !repositoryRE.MatchString(repo.RepositoryStr()) || strings.HasPrefix(repo.RegistryStr(), ".") {
		return fmt.Errorf("repository %q is not well-formed", repo.Name())
	}
	if tag, ok := image.(name.Tag); ok && !tagRE.MatchString(tag.TagStr()) {
		return fmt.Errorf("tag %q is not well-formed", tag.TagStr())
	}
	return nil
}

// isPath tells a file from a repository that is called oci or tar.
func isPath(s string) bool { return strings.HasPrefix(s, "/") || strings.HasPrefix(s, ".") }

func parseLayoutRef(s string) (Ref, error) {
	dir, tag := s, ""
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, '/') {
		dir, tag = s[:i], s[i+1:]
	}
	if strings.Contains(dir, ":") || tag == "" && dir != s {
		return Ref{}, model.Errorf(model.CodeInvalid, "oci:%.200q is neither a directory nor a directory and a tag", s)
	}
	return parseFileRef(KindOCILayout, dir, tag)
}

func parseFileRef(kind, file, tag string) (Ref, error) {
	if !filepath.IsAbs(file) {
		return Ref{}, model.Errorf(model.CodeInvalid, "path %q is not absolute", file).
			WithHint("write %s:/the/whole/path", kind)
	}
	r := Ref{kind: kind, path: filepath.Clean(file), tag: tag}
	r.text = kind + ":" + r.path
	if tag != "" {
		r.text += ":" + tag
	}
	return r, nil
}

// String returns the canonical reference: the same for all spellings of it.
func (r Ref) String() string { return r.text }

// DefaultName returns the name of the image when the user gives none: the
// last part of the repository and the tag (debian-bookworm), the repository
// alone for latest, or the head of the digest. Characters that names may not
// have become '-'. It is "" when nothing is left.
func (r Ref) DefaultName() string {
	switch image := r.image.(type) {
	case name.Tag:
		return objectName(path.Base(image.RepositoryStr()), suffix(image.TagStr()))
	case name.Digest:
		return objectName(path.Base(image.RepositoryStr()), Digest(image.DigestStr()).Short())
	}
	if r.entry != nil {
		repository, tag, _ := strings.Cut(r.entry.Name, ":")
		return objectName(path.Base(repository), suffix(tag))
	}
	base := filepath.Base(r.path)
	for _, ext := range []string{".gz", ".zst", ".tar"} {
		base = strings.TrimSuffix(base, ext)
	}
	return objectName(base, suffix(r.tag))
}

// familiar returns a registry reference as people write it, without the
// default registry.
func (r Ref) familiar() string {
	if r.image == nil {
		return r.text
	}
	repo := r.image.Context()
	short := repo.RepositoryStr() + ":" + r.image.Identifier()
	if repo.RegistryStr() != name.DefaultRegistry {
		return repo.RegistryStr() + "/" + short
	}
	return strings.TrimPrefix(short, "library/")
}

// suffix leaves out the tag that says nothing.
func suffix(tag string) string {
	if tag == name.DefaultTag {
		return ""
	}
	return tag
}

var notInNames = regexp.MustCompile(`[^a-z0-9._-]+|\.\.+`)

// objectName joins base and suffix into a name that model.ValidateObjectName
// accepts. A long base is cut, the suffix tells images apart.
func objectName(base, suffix string) string {
	clean := func(s string, most int) string {
		s = notInNames.ReplaceAllString(strings.ToLower(s), "-")
		return strings.Trim(s[:min(len(s), max(most, 0))], "._-")
	}
	suffix = clean(suffix, model.MaxNameLength/2)
	if suffix == "" {
		return clean(base, model.MaxNameLength)
	}
	base = clean(base, model.MaxNameLength-1-len(suffix))
	return strings.Trim(base+"-"+suffix, "-")
}
