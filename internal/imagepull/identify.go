package imagepull

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"regexp"
)

// imageMember matches the names in archives of images: of OCI layouts, and of
// what docker, podman, skopeo and go-containerregistry write for docker load.
var imageMember = regexp.MustCompile(`^(blobs(/.*)?|index\.json|oci-layout|manifest\.json|repositories|` +
	`(sha256:)?[0-9a-f]{64}(\.json|\.tar(\.gz)?|/|/layer\.tar|/json|/VERSION)?)$`)

// identify tells by its members whether an archive, compressed or not, is an
// OCI layout, what docker save writes, or else a root filesystem. One that is
// both, as new versions of docker write it, is taken for a layout, whose
// digests cover more. The first member that no archive of images has ends it.
func identify(ctx context.Context, src archiveSource, limits Limits) (kind string, err error) {
	f, err := src.open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	r, err := decompress(contextReader{ctx, f}, limits)
	if err != nil {
		return "", archiveError(err)
	}
	defer r.Close()
	seen := map[string]bool{}
	t := tar.NewReader(r)
	for range maxArchiveFiles {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", archiveError(err)
		}
		name, err := memberPath(h.Name, limits)
		if err != nil {
			return "", err
		}
		if name != "" && !imageMember.MatchString(name) {
			return KindTar, nil
		}
		seen[name] = true
	}
	switch {
	case seen["oci-layout"] && seen["index.json"]:
		return KindOCIArchive, nil
	case seen["manifest.json"]:
		return KindDockerArchive, nil
	}
	return KindTar, nil
}
