package imagepull

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"banger/internal/model"
)

// dockerArchive is an image in what `docker save` writes: a tar archive with
// manifest.json, configurations and layers.
type dockerArchive struct {
	puller *Puller
	src    archiveSource
	tag    string
}

// savedImage is an element of manifest.json.
type savedImage struct {
	Config   string
	RepoTags []string
	Layers   []string // lowest first
}

func (s *dockerArchive) String() string { return "Docker archive " + s.src.String() }

func (s *dockerArchive) resolve(ctx context.Context, want Platform, _ model.Report) (*Image, error) {
	src, err := s.puller.plain(ctx, s.src)
	if err != nil {
		return nil, err
	}
	img, err := s.find(ctx, src, want)
	if err != nil {
		return nil, errors.Join(err, src.close())
	}
	img.kept = src
	return img, nil
}

// find returns the image of a plain archive.
func (s *dockerArchive) find(ctx context.Context, src archiveSource, want Platform) (*Image, error) {
	files, err := indexArchive(ctx, src, s.puller.limits)
	if err != nil {
		return nil, err
	}
	doc, err := readFile(files, "manifest.json", s.puller.limits.ManifestBytes, "manifest_bytes")
	if err != nil {
		return nil, err
	}
	var images []savedImage
	if err := decodeStrict(doc, &images); err != nil {
		return nil, model.Errorf(model.CodeIntegrity, "decoding manifest.json: %w", err)
	}
	saved, err := s.tagged(images)
	if err != nil {
		return nil, err
	}
	return s.image(files, saved, want)
}

// tagged returns the image of the tag, or the only one when none is asked for.
func (s *dockerArchive) tagged(images []savedImage) (*savedImage, error) {
	var tags []string
	for i := range images {
		if s.tag == "" && len(images) == 1 {
			return &images[i], nil
		}
		for _, tag := range images[i].RepoTags {
			if s.tag != "" && sameTag(s.tag, tag) {
				return &images[i], nil
			}
			tags = append(tags, tag)
		}
	}
	if s.tag != "" {
		return nil, model.Errorf(model.CodeNotFound, "%s has no image %q", s, s.tag).
			WithHint("%s", tagHint(s.tag, tags))
	}
	e := model.Errorf(model.CodeInvalid, "%s holds %d images: name one", s, len(images))
	if len(tags) > 0 {
		return nil, e.WithHint("for example docker-archive:%s:%s", s.src, model.Printable(tags[0]))
	}
	return nil, e
}

// sameTag tells whether want, a reference or a bare tag, means the image have.
func sameTag(want, have string) bool {
	image, err := name.ParseReference(have)
	if err != nil {
		return false
	}
	if !strings.ContainsAny(want, "/:") && image.Identifier() == want {
		return true
	}
	asked, err := name.ParseReference(want)
	return err == nil && asked.Name() == image.Name()
}

// image checks the configuration. Its digests of the layers are all that
// there is to verify them by.
func (s *dockerArchive) image(files *archiveFiles, saved *savedImage, want Platform) (*Image, error) {
	if len(saved.Layers) == 0 {
		return nil, model.Errorf(model.CodeIntegrity, "the image has no layers")
	}
	if len(saved.Layers) > s.puller.limits.Layers {
		return nil, limitError("layers", s.puller.limits.Layers, "the image has %d layers", len(saved.Layers))
	}
	doc, err := readFile(files, saved.Config, s.puller.limits.ConfigBytes, "config_bytes")
	if err != nil {
		return nil, err
	}
	config, err := parseConfig(doc, len(saved.Layers))
	if err != nil {
		return nil, err
	}
	if config.Arch != "" && config.Arch != want.Arch {
		c := chooser{want: want, have: []string{config.Platform.String()}}
		return nil, c.noMatch()
	}
	id := digestOf(doc)
	img := &Image{
		Key:     string(id),
		Config:  config.image(),
		Created: config.created(),
		Source:  model.ImageSource{Kind: KindDockerArchive, ConfigDigest: string(id), Platform: config.Platform.String()},
	}
	for i, file := range saved.Layers {
		l, err := savedLayer(files, file)
		if err != nil {
			return nil, err
		}
		l.diffID = Digest(config.RootFS.DiffIDs[i])
		img.layers = append(img.layers, l)
		img.Source.Layers = append(img.Source.Layers, string(l.diffID))
	}
	img.Source.History = config.history(img.layers)
	return img, nil
}

func savedLayer(files *archiveFiles, file string) (layer, error) {
	at, err := files.find(file)
	if err != nil {
		return layer{}, err
	}
	return layer{size: at.size, open: func(context.Context, model.Report) (io.ReadCloser, error) {
		return files.open(file)
	}}, nil
}
