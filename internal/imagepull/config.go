package imagepull

import (
	"slices"
	"time"

	"banger/internal/model"
)

// configDoc is an image configuration (image-spec, config.md).
type configDoc struct {
	Platform
	Created *time.Time `json:"created"`
	Config  struct {
		User         string
		ExposedPorts map[string]struct{}
		OnBuild      []string
		Env          []string
		Entrypoint   []string
		Cmd          []string
		Volumes      map[string]struct{}
		WorkingDir   string
		Labels       map[string]string
		StopSignal   string
	} `json:"config"`
	RootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
	History []historyStep `json:"history"`
}

// parseConfig checks a configuration for an image of so many layers.
func parseConfig(doc []byte, layers int) (*configDoc, error) {
	var c configDoc
	if err := decodeStrict(doc, &c); err != nil {
		return nil, model.Errorf(model.CodeIntegrity, "decoding the image configuration: %w", err)
	}
	if c.OS != "" && c.OS != "linux" {
		return nil, model.Errorf(model.CodeUnsupported, "the image is for %.32q: only linux images boot", c.OS)
	}
	if c.RootFS.Type != "layers" {
		return nil, model.Errorf(model.CodeUnsupported, "root filesystem type %.32q is not known", c.RootFS.Type)
	}
	if len(c.RootFS.DiffIDs) != layers {
		return nil, model.Errorf(model.CodeIntegrity, "the manifest has %d layers, the configuration %d", layers, len(c.RootFS.DiffIDs))
	}
	for _, id := range c.RootFS.DiffIDs {
		if _, err := ParseDigest(id); err != nil {
			return nil, err
		}
	}
	return &c, nil
}

// image returns the part that a VM honours.
func (c *configDoc) image() model.ImageConfig {
	return model.ImageConfig{
		Architecture: c.Arch,
		Entrypoint:   c.Config.Entrypoint,
		Cmd:          c.Config.Cmd,
		Env:          c.Config.Env,
		WorkingDir:   c.Config.WorkingDir,
		User:         c.Config.User,
		StopSignal:   c.Config.StopSignal,
		ExposedPorts: sortedKeys(c.Config.ExposedPorts),
		OnBuild:      c.Config.OnBuild,
		Volumes:      sortedKeys(c.Config.Volumes),
		Labels:       c.Config.Labels,
	}
}

// created returns the time of the build, the epoch when it is not told.
func (c *configDoc) created() time.Time {
	if c.Created == nil {
		return time.Unix(0, 0).UTC()
	}
	return c.Created.UTC()
}

func sortedKeys(m map[string]struct{}) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
