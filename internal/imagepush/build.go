package imagepush

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"

	"banger/internal/imagetree"
	"banger/internal/model"
)

// Creator is what the history says of a layer that FromTree makes.
const Creator = "banger"

// FromTree makes an image of one layer of a tree. The same tree and
// configuration make the same image.
func FromTree(ctx context.Context, blobs Blobs, tree *imagetree.Tree, config model.ImageConfig, platform string, report model.Report) (*Image, error) {
	made, err := makeLayer(blobs, types.OCILayer, func(w io.Writer) error { return WriteTree(ctx, w, tree, report) })
	if err != nil {
		return nil, err
	}
	doc, err := json.Marshal(newConfig(config, platform, made.diffID))
	if err != nil {
		return nil, fmt.Errorf("writing the image configuration: %w", err)
	}
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Layers: []v1.Descriptor{made.Descriptor}}
	m.Config.MediaType = types.OCIConfigJSON
	return assemble(blobs, m, doc)
}

// Step is what made a layer, for the image's history.
type Step struct {
	CreatedBy string
	Created   time.Time
}

// Append makes an image of base and one more layer, that of a difference. All
// else of base stays.
func Append(ctx context.Context, blobs Blobs, base *Image, d Difference, step Step, report model.Report) (*Image, error) {
	return AppendLayer(blobs, base, step, func(w io.Writer) error { return WriteDiff(ctx, w, d, report) })
}

// madeLayer is a layer that is among the blobs.
type madeLayer struct {
	v1.Descriptor
	diffID v1.Hash
}

// makeLayer compresses what write writes into a blob.
func makeLayer(blobs Blobs, mediaType types.MediaType, write func(io.Writer) error) (madeLayer, error) {
	sum := sha256.New()
	digest, size, err := blobs.WriteBlob(func(w io.Writer) error {
		z := gzip.NewWriter(w)
		return errors.Join(write(io.MultiWriter(z, sum)), z.Close())
	})
	if err != nil {
		return madeLayer{}, err
	}
	h, err := v1.NewHash(digest)
	diffID := v1.Hash{Algorithm: "sha256", Hex: fmt.Sprintf("%x", sum.Sum(nil))}
	return madeLayer{v1.Descriptor{MediaType: mediaType, Size: size, Digest: h}, diffID}, err
}

// assemble completes the manifest and keeps both documents.
func assemble(blobs Blobs, m v1.Manifest, config []byte) (*Image, error) {
	digest, err := blobs.PutBlob(config)
	if err != nil {
		return nil, err
	}
	m.Config = v1.Descriptor{MediaType: m.Config.MediaType, Size: int64(len(config))}
	if m.Config.Digest, err = v1.NewHash(digest); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("writing the manifest: %w", err)
	}
	if digest, err = blobs.PutBlob(raw); err != nil {
		return nil, err
	}
	img, err := Load(blobs, digest)
	if err == nil && img == nil {
		err = model.Errorf(model.CodeConflict, "a layer left the cache while the image was made").WithHint("try again")
	}
	return img, err
}

// newConfig is the configuration of an image of one layer.
func newConfig(c model.ImageConfig, platform string, diffID v1.Hash) v1.ConfigFile {
	system, rest, _ := strings.Cut(platform, "/")
	arch, variant, _ := strings.Cut(rest, "/")
	if c.Architecture != "" {
		arch = c.Architecture
	}
	if system == "" {
		system = "linux"
	}
	epoch := v1.Time{Time: time.Unix(0, 0).UTC()}
	return v1.ConfigFile{
		Architecture: arch, Variant: variant, OS: system, Created: epoch,
		RootFS:  v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{diffID}},
		History: []v1.History{{Created: epoch, CreatedBy: Creator}},
		Config: v1.Config{
			Entrypoint: c.Entrypoint, Cmd: c.Cmd, Env: c.Env, WorkingDir: c.WorkingDir, User: c.User,
			StopSignal: c.StopSignal, Labels: c.Labels, OnBuild: c.OnBuild,
			ExposedPorts: set(c.ExposedPorts), Volumes: set(c.Volumes),
		},
	}
}

func set(keys []string) map[string]struct{} {
	var m map[string]struct{}
	for _, k := range keys {
		if m == nil {
			m = map[string]struct{}{}
		}
		m[k] = struct{}{}
	}
	return m
}

// appendConfig adds a layer to a configuration and keeps what it does not know.
func appendConfig(doc []byte, diffID v1.Hash, step Step) ([]byte, error) {
	var fields map[string]json.RawMessage
	var known struct {
		RootFS  v1.RootFS         `json:"rootfs"`
		History []json.RawMessage `json:"history"`
	}
	if err := errors.Join(json.Unmarshal(doc, &fields), json.Unmarshal(doc, &known)); err != nil {
		return nil, model.Errorf(model.CodeIntegrity, "decoding the image configuration: %w", err)
	}
	entry, err := json.Marshal(v1.History{Created: v1.Time{Time: step.Created.UTC()}, CreatedBy: step.CreatedBy})
	if err != nil {
		return nil, err
	}
	known.RootFS.DiffIDs = append(known.RootFS.DiffIDs, diffID)
	for name, value := range map[string]any{
		"rootfs":  known.RootFS,
		"history": append(known.History, entry),
		"created": step.Created.UTC(),
	} {
		if fields[name], err = json.Marshal(value); err != nil {
			return nil, err
		}
	}
	return json.Marshal(fields)
}
