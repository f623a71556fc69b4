package artifact

import (
	"bytes"
	"encoding/json"
	"regexp"

	"banger/internal/model"
)

// Media types of a kernel in a registry.
const (
	ManifestType = "application/vnd.oci.image.manifest.v1+json"
	ConfigType   = "application/vnd.banger.kernel.v1+json"
	VmlinuxType  = "application/vnd.banger.kernel.vmlinux.v1+zstd"
	ModulesType  = "application/vnd.banger.kernel.modules.v1.tar+zstd"
	BuildType    = "application/vnd.banger.kernel.config.v1+zstd"
	InitrdType   = "application/vnd.banger.kernel.initrd.v1+zstd"
)

// Limits of one artifact in bytes.
const (
	maxManifest = 1 << 20
	maxConfig   = 64 << 10
	maxLayer    = 2 << 30
)

// Info is the artifact's config: which kernel it is.
type Info struct {
	Name    string   `json:"name"`
	Version string   `json:"version"` // as uname -r prints it
	Arch    string   `json:"arch"`    // as GOARCH names it
	Distro  string   `json:"distro,omitempty"`
	Flavour string   `json:"flavour,omitempty"`
	Has     []string `json:"has,omitempty"`
}

// manifest is an OCI image manifest (image-spec, manifest.md).
type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Config        descriptor        `json:"config"`
	Layers        []descriptor      `json:"layers"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// newManifest puts a manifest together.
func newManifest(info Info, config descriptor, layers []descriptor) manifest {
	return manifest{
		SchemaVersion: 2, MediaType: ManifestType, ArtifactType: ConfigType, Config: config, Layers: layers,
		Annotations: map[string]string{
			"org.opencontainers.image.title":   info.Name,
			"org.opencontainers.image.version": info.Version,
			"org.opencontainers.image.vendor":  info.Distro,
			"dev.banger.kernel.arch":           info.Arch,
			"dev.banger.kernel.flavour":        info.Flavour,
		},
	}
}

var digestRE = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// parseManifest reads what a registry sent and checks that it is a kernel.
func parseManifest(doc []byte) (manifest, error) {
	var m manifest
	if err := json.Unmarshal(doc, &m); err != nil {
		return manifest{}, model.Errorf(model.CodeIntegrity, "reading the artifact's manifest: %w", err)
	}
	if m.Config.MediaType != ConfigType {
		return manifest{}, model.Errorf(model.CodeInvalid, "this is no kernel but something of type %q", model.Printable(m.Config.MediaType)).
			WithHint("`banger image pull` gets images; `banger kernel push` makes kernels of a registry")
	}
	seen := map[string]bool{}
	for _, d := range append([]descriptor{m.Config}, m.Layers...) {
		if !digestRE.MatchString(d.Digest) || d.Size < 0 || d.Size > maxLayer {
			return manifest{}, model.Errorf(model.CodeIntegrity, "the artifact has a layer of digest %.80q and %d bytes", d.Digest, d.Size)
		}
		if seen[d.MediaType] {
			return manifest{}, model.Errorf(model.CodeIntegrity, "the artifact has two layers of type %s", model.Printable(d.MediaType))
		}
		seen[d.MediaType] = true
	}
	if !seen[VmlinuxType] {
		return manifest{}, model.Errorf(model.CodeIntegrity, "the artifact has no vmlinux")
	}
	return m, nil
}

func parseInfo(doc []byte) (Info, error) {
	var info Info
	dec := json.NewDecoder(bytes.NewReader(doc))
	if err := dec.Decode(&info); err != nil {
		return Info{}, model.Errorf(model.CodeIntegrity, "reading the artifact's config: %w", err)
	}
	return info, nil
}
