package imagepush

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/internal/model"
)

// AppendLayer makes an image of base and one more layer: the tar archive that
// write writes. All else of base stays.
func AppendLayer(blobs Blobs, base *Image, step Step, write func(io.Writer) error) (*Image, error) {
	mediaType := types.OCILayer
	if base.manifest.MediaType == types.DockerManifestSchema2 {
		mediaType = types.DockerLayer
	}
	made, err := makeLayer(blobs, mediaType, write)
	if err != nil {
		return nil, err
	}
	doc, err := appendConfig(base.config, made.diffID, step)
	if err != nil {
		return nil, err
	}
	m := base.manifest
	m.Layers = append(m.Layers[:len(m.Layers):len(m.Layers)], made.Descriptor)
	m.Annotations, m.Subject = nil, nil // they are of base
	return assemble(blobs, m, doc)
}

// Empty makes an image without layers: what FROM scratch is.
func Empty(blobs Blobs, platform string) (*Image, error) {
	config := newConfig(model.ImageConfig{}, platform, v1.Hash{})
	config.RootFS.DiffIDs, config.History = []v1.Hash{}, nil
	doc, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("writing the image configuration: %w", err)
	}
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Layers: []v1.Descriptor{}}
	m.Config.MediaType = types.OCIConfigJSON
	return assemble(blobs, m, doc)
}

// Configure makes an image of base with another configuration, and what was
// done to it as steps without layers, at the time of base. What is not known of
// base stays.
func Configure(blobs Blobs, base *Image, config model.ImageConfig, steps []string) (*Image, error) {
	var fields, inner map[string]json.RawMessage
	var history struct {
		Created v1.Time           `json:"created"`
		History []json.RawMessage `json:"history"`
	}
	if err := errors.Join(json.Unmarshal(base.config, &fields), json.Unmarshal(base.config, &history)); err != nil {
		return nil, model.Errorf(model.CodeIntegrity, "decoding the image configuration: %w", err)
	}
	if raw := fields["config"]; raw != nil {
		if err := json.Unmarshal(raw, &inner); err != nil {
			return nil, model.Errorf(model.CodeIntegrity, "decoding the image configuration: %w", err)
		}
	}
	inner, err := changed(inner, config)
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		entry, err := json.Marshal(v1.History{Created: history.Created, CreatedBy: s, EmptyLayer: true})
		if err != nil {
			return nil, err
		}
		history.History = append(history.History, entry)
	}
	for name, value := range map[string]any{"config": inner, "history": history.History} {
		if fields[name], err = json.Marshal(value); err != nil {
			return nil, err
		}
	}
	doc, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	return assemble(blobs, base.manifest, doc)
}

// changed lays the fields that a build may change over those of a base.
func changed(inner map[string]json.RawMessage, c model.ImageConfig) (map[string]json.RawMessage, error) {
	if inner == nil {
		inner = map[string]json.RawMessage{}
	}
	for name, value := range map[string]any{
		"Entrypoint": c.Entrypoint, "Cmd": c.Cmd, "Env": c.Env, "WorkingDir": c.WorkingDir, "User": c.User,
		"Labels": c.Labels, "ExposedPorts": set(c.ExposedPorts), "Volumes": set(c.Volumes),
	} {
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		inner[name] = raw
	}
	return inner, nil
}
