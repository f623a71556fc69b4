package imagepull

import (
	"context"
	"strings"

	"banger/internal/model"
)

const (
	maxIndexDepth = 4
	maxUnlabelled = 16 // manifests that are fetched to learn their platform
	maxListed     = 10 // platforms that an error lists
)

// documents reads small JSON documents of one source. What it returns has the
// digest and size of its descriptor.
type documents interface {
	manifest(ctx context.Context, d descriptor) ([]byte, error)
	config(ctx context.Context, d descriptor) ([]byte, error)
}

// chosen is the one image that a reference and a platform lead to.
type chosen struct {
	digest   Digest // of the manifest
	manifest *document
	config   *configDoc
}

// chooser walks indexes to the manifest for a platform.
type chooser struct {
	docs   documents
	want   Platform
	limits Limits

	have       []string // platforms seen
	unlabelled int
}

// choose follows doc, which has the digest of d, to an image for c.want.
func (c *chooser) choose(ctx context.Context, d descriptor, doc []byte) (*chosen, error) {
	found, err := c.walk(ctx, d, doc, 0)
	if err != nil || found != nil {
		return found, err
	}
	return nil, c.noMatch()
}

// walk returns nil when nothing below d is for the platform.
func (c *chooser) walk(ctx context.Context, d descriptor, doc []byte, depth int) (*chosen, error) {
	parsed, err := parseDocument(doc, d.MediaType, c.limits)
	if err != nil {
		return nil, err
	}
	if !parsed.isIndex() {
		return c.check(ctx, d, parsed)
	}
	if depth == maxIndexDepth {
		return nil, fixedLimitError("depth of indexes", maxIndexDepth, "indexes are nested too deep")
	}
	for _, m := range parsed.Manifests {
		if !c.worthAsking(m) {
			continue
		}
		doc, err := c.docs.manifest(ctx, m)
		if err != nil {
			return nil, err
		}
		if found, err := c.walk(ctx, m, doc, depth+1); err != nil || found != nil {
			return found, err
		}
	}
	return nil, nil
}

// worthAsking tells whether an entry of an index may be, or lead to, the image.
func (c *chooser) worthAsking(m descriptor) bool {
	if m.MediaType == typeOCIIndex || m.MediaType == typeDockerList || m.Platform == nil || m.Platform.unknown() {
		c.unlabelled++
		return c.unlabelled <= maxUnlabelled
	}
	if m.Platform.OS == "unknown" { // attestations of BuildKit
		return false
	}
	c.have = append(c.have, m.Platform.String())
	return c.want.runs(*m.Platform)
}

// check holds a manifest's configuration against the platform.
func (c *chooser) check(ctx context.Context, d descriptor, m *document) (*chosen, error) {
	doc, err := c.docs.config(ctx, *m.Config)
	if err != nil {
		return nil, err
	}
	config, err := parseConfig(doc, len(m.Layers))
	if err != nil {
		return nil, err
	}
	if config.Arch != "" && config.Arch != c.want.Arch {
		c.have = append(c.have, config.Platform.String())
		return nil, nil
	}
	return &chosen{digest: d.Digest, manifest: m, config: config}, nil
}

func (c *chooser) noMatch() error {
	list := strings.Join(c.have[:min(maxListed, len(c.have))], ", ")
	if len(c.have) > maxListed {
		list += ", ..."
	}
	if list == "" {
		list = "nothing that boots"
	}
	return model.Errorf(model.CodeNotFound, "there is no image for %s: it has %.300q", c.want, list).
		WithHint("choose one with --platform, or pull an image for this host's CPU")
}
