package imagepull

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"banger/internal/cosign"
	"banger/internal/model"
)

// Kinds of sources, as model.ImageSource.Kind tells them.
const (
	KindRegistry      = "registry"
	KindOCILayout     = "oci"
	KindOCIArchive    = "oci-archive"
	KindDockerArchive = "docker-archive"
	KindTar           = "tar"
	KindDir           = "dir"
	KindArchive       = "archive" // of references alone: what it holds decides
	KindDockerDaemon  = "docker-daemon"
	KindPodman        = "podman"
	KindMmdebstrap    = "mmdebstrap"
)

// streamPath stands for standard input in the place of a path.
const (
	streamPath = "-"
	streamName = "standard input"
)

// maxRefBytes bounds a reference.
const maxRefBytes = 4096

// Ref is a reference whose syntax is right. It names an image of the catalog,
// an image in a registry, one in files of this host (oci:DIR[:TAG],
// oci-archive:FILE[:TAG], docker-archive:FILE[:TAG], tar:FILE, archive:FILE,
// dir:DIR), one that a docker or podman of this host has (docker-daemon:NAME,
// podman:NAME), or one on standard input ("-" in place of FILE, or alone).
type Ref struct {
	kind  string
	text  string         // canonical form
	entry *catalogEntry  // of the catalog, or nil
	image name.Reference // in a registry
	path  string         // in files; of a container engine, the image's name
	tag   string         // in a layout or an archive of several images
	key   *cosign.Key    // whose signature it must have, or nil
}

// ParseRef checks the syntax of s; nothing is looked up.
func ParseRef(s string) (Ref, error) {
	if len(s) > maxRefBytes {
		return Ref{}, model.Errorf(model.CodeInvalid, "reference %.40q... has %d bytes: at most %d are allowed", s, len(s), maxRefBytes)
	}
	if s == streamPath {
		return Ref{kind: KindArchive, text: s, path: s}, nil
	}
	kind, rest, ok := strings.Cut(s, ":")
	switch {
	case ok && (kind == KindDockerDaemon || kind == KindPodman):
		return parseEngineRef(kind, rest)
	case ok && isPath(rest) && (kind == KindTar || kind == KindDir):
		return parseFileRef(kind, rest, "")
	case ok && isPath(rest) && slices.Contains(taggedKinds, kind):
		return parseTaggedRef(kind, rest)
	}
	if entry := catalog().find(s); entry != nil {
		return Ref{kind: KindRegistry, text: entry.Name, entry: entry}, nil
	}
	return parseRegistryRef(s)
}

// taggedKinds are the kinds whose files may hold several images.
var taggedKinds = []string{KindOCILayout, KindOCIArchive, KindDockerArchive, KindArchive}

// IsStream tells whether the reference is to standard input: ResolveStream is
// for those, Resolve for all others.
func (r Ref) IsStream() bool { return r.path == streamPath }

func parseRegistryRef(s string) (Ref, error) {
	image, err := name.ParseReference(s)
	if err == nil {
		err = checkGrammar(image)
	}
	if err != nil {
		return Ref{}, model.Errorf(model.CodeInvalid, "%.200q is no image reference: %w", s, err).
			WithHint("references look like debian:bookworm, registry.example/team/app:v1, oci:/dir:tag, docker-archive:/file or tar:/file")
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

// isPath tells a file from a repository of that name, as localhost/oci.
func isPath(s string) bool {
	return strings.HasPrefix(s, "/") || strings.HasPrefix(s, ".") || s == streamPath || strings.HasPrefix(s, streamPath+":")
}

// parseTaggedRef splits a path and a tag at the first colon, since a tag of a
// Docker archive may be a whole reference (docker-archive:/f.tar:team/app:v1).
func parseTaggedRef(kind, s string) (Ref, error) {
	file, tag, tagged := strings.Cut(s, ":")
	reference := kind == KindDockerArchive || kind == KindArchive
	if tagged && (tag == "" || !reference && !tagRE.MatchString(tag)) {
		return Ref{}, model.Errorf(model.CodeInvalid, "%s:%.200q is neither a path nor a path and a tag", kind, s)
	}
	if tagged && reference {
		if _, err := name.ParseReference(tag); err != nil {
			return Ref{}, model.Errorf(model.CodeInvalid, "%.200q is no tag: %w", tag, err)
		}
	}
	return parseFileRef(kind, file, tag)
}

func parseFileRef(kind, file, tag string) (Ref, error) {
	if file == streamPath && kind != KindOCILayout && kind != KindDir {
		text := strings.TrimSuffix(kind+":"+file+":"+tag, ":")
		return Ref{kind: kind, text: text, path: file, tag: tag}, nil
	}
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
	if r.kind == KindDockerDaemon || r.kind == KindPodman {
		return engineImageName(r.path)
	}
	if r.IsStream() && r.tag == "" {
		return ""
	}
	if image, err := name.ParseReference(r.tag); err == nil && strings.ContainsAny(r.tag, "/:") {
		return objectName(path.Base(image.Context().RepositoryStr()), suffix(image.Identifier()))
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
	if d, ok := r.image.(name.Digest); ok {
		short = repo.RepositoryStr() + "@" + d.DigestStr()
	}
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
