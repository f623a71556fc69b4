package imagepull

import (
	"strings"

	"banger/internal/model"
)

// Media types of OCI image-spec 1.1 (media-types.md) and of Docker.
const (
	typeOCIIndex      = "application/vnd.oci.image.index.v1+json"
	typeOCIManifest   = "application/vnd.oci.image.manifest.v1+json"
	typeOCIConfig     = "application/vnd.oci.image.config.v1+json"
	typeDockerList    = "application/vnd.docker.distribution.manifest.list.v2+json"
	typeDockerImage   = "application/vnd.docker.distribution.manifest.v2+json"
	typeDockerConfig  = "application/vnd.docker.container.image.v1+json"
	typeDockerSchema1 = "application/vnd.docker.distribution.manifest.v1"
)

// acceptManifests is what is asked of a registry.
const acceptManifests = typeOCIIndex + ", " + typeOCIManifest + ", " + typeDockerList + ", " + typeDockerImage

// descriptor points at content (image-spec, descriptor.md).
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      Digest            `json:"digest"`
	Size        int64             `json:"size"`
	Data        []byte            `json:"data"`
	Platform    *Platform         `json:"platform"`
	Annotations map[string]string `json:"annotations"`
}

// contents guesses how many bytes the files of a layer have, from what the layers of distributions do. Only
// the speed of a build depends on it.
func (d *descriptor) contents() int64 {
	size := min(d.Size, 1<<40)
	if strings.HasSuffix(d.MediaType, "tar") {
		return size
	}
	return size * 13 / 4
}

// document is a manifest or an index, never both.
type document struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        *descriptor  `json:"config"`
	Layers        []descriptor `json:"layers"`
	Manifests     []descriptor `json:"manifests"`
	FSLayers      []any        `json:"fsLayers"` // Docker schema 1
}

func (d *document) isIndex() bool { return d.Manifests != nil }

// parseDocument checks a manifest or an index that came as mediaType, which
// may be "" when the carrier did not say.
func parseDocument(doc []byte, mediaType string, limits Limits) (*document, error) {
	var d document
	if err := decodeStrict(doc, &d); err != nil {
		return nil, model.Errorf(model.CodeIntegrity, "decoding the manifest: %w", err)
	}
	if d.FSLayers != nil || d.SchemaVersion == 1 || strings.HasPrefix(mediaType, typeDockerSchema1) {
		return nil, model.Errorf(model.CodeUnsupported, "the image has a Docker schema 1 manifest, a format given up in 2017").
			WithHint("push the image again with a current tool")
	}
	if d.SchemaVersion != 2 {
		return nil, model.Errorf(model.CodeIntegrity, "the manifest has schema version %d, not 2", d.SchemaVersion)
	}
	if err := d.checkType(mediaType); err != nil {
		return nil, err
	}
	if d.isIndex() {
		return &d, d.checkIndex()
	}
	return &d, d.checkManifest(limits)
}

// checkType refuses documents that can be read as something else than what
// they are said to be (CVE-2021-41190).
func (d *document) checkType(mediaType string) error {
	if d.isIndex() && (d.Layers != nil || d.Config != nil) {
		return model.Errorf(model.CodeIntegrity, "the manifest has both layers and manifests")
	}
	if known(mediaType) && known(d.MediaType) && mediaType != d.MediaType {
		return model.Errorf(model.CodeIntegrity, "the manifest says that it is %q but came as %q", d.MediaType, mediaType)
	}
	for _, t := range []string{mediaType, d.MediaType} {
		if known(t) && d.isIndex() != (t == typeOCIIndex || t == typeDockerList) {
			return model.Errorf(model.CodeIntegrity, "the manifest is not the %q that it is said to be", t)
		}
	}
	if d.MediaType != "" && !known(d.MediaType) {
		return model.Errorf(model.CodeUnsupported, "manifest type %.100q is not known", d.MediaType)
	}
	return nil
}

func known(mediaType string) bool {
	return mediaType == typeOCIIndex || mediaType == typeOCIManifest || mediaType == typeDockerList || mediaType == typeDockerImage
}

func (d *document) checkIndex() error {
	if len(d.Manifests) == 0 {
		return model.Errorf(model.CodeIntegrity, "the index is empty")
	}
	for i := range d.Manifests {
		if err := d.Manifests[i].check(); err != nil {
			return err
		}
	}
	return nil
}

func (d *document) checkManifest(limits Limits) error {
	switch {
	case d.Config == nil:
		return model.Errorf(model.CodeIntegrity, "the manifest has no configuration")
	case d.Config.MediaType != typeOCIConfig && d.Config.MediaType != typeDockerConfig:
		return model.Errorf(model.CodeUnsupported, "it is an artifact of type %.100q, not an image", d.Config.MediaType)
	case len(d.Layers) == 0:
		return model.Errorf(model.CodeIntegrity, "the manifest has no layers")
	case len(d.Layers) > limits.Layers:
		return limitError("layers", limits.Layers, "the image has %d layers", len(d.Layers))
	}
	if err := d.Config.check(); err != nil {
		return err
	}
	for i := range d.Layers {
		if err := d.Layers[i].check(); err != nil {
			return err
		}
		if err := checkLayerType(d.Layers[i].MediaType); err != nil {
			return err
		}
	}
	return nil
}

// check checks the digest, the size and the embedded content.
func (d *descriptor) check() error {
	if _, err := ParseDigest(string(d.Digest)); err != nil {
		return err
	}
	if d.Size < 0 {
		return model.Errorf(model.CodeIntegrity, "descriptor %s has the size %d", d.Digest.Short(), d.Size)
	}
	if d.Data == nil {
		return nil
	}
	h := d.Digest.newHash()
	h.Write(d.Data)
	if int64(len(d.Data)) != d.Size || !d.Digest.matches(h) {
		return model.Errorf(model.CodeIntegrity, "descriptor %s embeds other data than its digest says", d.Digest.Short())
	}
	return nil
}

// checkLayerType refuses layers that are no tar archives. How an archive is
// compressed is told by its own bytes. The urls of non-distributable layers
// are never followed: they are asked of the registry like all others.
func checkLayerType(mediaType string) error {
	if strings.HasSuffix(mediaType, "+encrypted") {
		return model.Errorf(model.CodeUnsupported, "a layer is encrypted").
			WithHint("decrypt the image first, for example with skopeo copy --decryption-key")
	}
	base, _, _ := strings.Cut(mediaType, "+")
	base = strings.TrimSuffix(base, ".gzip")
	switch base {
	case "application/vnd.oci.image.layer.v1.tar",
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		"application/vnd.docker.image.rootfs.diff.tar",
		"application/vnd.docker.image.rootfs.foreign.diff.tar":
		return nil
	}
	return model.Errorf(model.CodeUnsupported, "layer type %.100q is not known", mediaType)
}
