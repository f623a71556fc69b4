package image

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"banger/internal/imagepull"
	"banger/internal/model"
	"banger/internal/rpc"
)

// ListImages returns all images by name.
func (s *Service) ListImages(ctx context.Context) ([]model.Image, error) {
	images, err := s.cfg.Store.Images(ctx)
	if err != nil {
		return nil, model.Errorf(model.CodeOf(err), "listing images: %w", err)
	}
	slices.SortFunc(images, func(a, b model.Image) int { return cmp.Compare(a.Name, b.Name) })
	return images, nil
}

// ShowImage returns the image of that name or id.
func (s *Service) ShowImage(ctx context.Context, p rpc.NameParams) (model.Image, error) {
	img, err := s.cfg.Store.Image(ctx, p.Name)
	if model.CodeOf(err) == model.CodeNotFound {
		return img, s.withSuggestions(ctx, p.Name, err)
	}
	return img, err
}

// withSuggestions adds to a not-found error what name may have meant.
func (s *Service) withSuggestions(ctx context.Context, name string, err error) error {
	var e *model.Error
	if !errors.As(err, &e) {
		return err
	}
	if near := s.nearest(ctx, name); len(near) > 0 {
		return e.WithHint("did you mean %s?", strings.Join(near, " or "))
	}
	return e.WithHint("see banger image list, or get it: banger image pull REF")
}

// nearest returns the names of images that name may be a misspelling of; none
// when they cannot be listed, since they only serve a hint.
func (s *Service) nearest(ctx context.Context, name string) []string {
	images, err := s.cfg.Store.Images(ctx)
	if err != nil {
		return nil
	}
	names := make([]string, len(images))
	for i := range images {
		names[i] = images[i].Name
	}
	return model.Nearest(name, names)
}

// named returns the image of exactly that name, or nil; ids do not count.
func (s *Service) named(ctx context.Context, name string) (*model.Image, error) {
	images, err := s.cfg.Store.Images(ctx)
	if err != nil {
		return nil, model.Errorf(model.CodeOf(err), "looking for image %q: %w", name, err)
	}
	for i := range images {
		if images[i].Name == name {
			return &images[i], nil
		}
	}
	return nil, nil
}

// FindImage returns the image that nameOrRef means and that is here: by name,
// by id, or by the reference that it was pulled from. "" is the default
// image. Nothing is pulled; an image that is not here is model.CodeNotFound.
func (s *Service) FindImage(ctx context.Context, nameOrRef string) (model.Image, error) {
	if nameOrRef == "" {
		nameOrRef = imagepull.DefaultRef()
	}
	img, err := s.cfg.Store.Image(ctx, nameOrRef)
	if model.CodeOf(err) != model.CodeNotFound {
		return img, err
	}
	ref, refErr := imagepull.ParseRef(nameOrRef)
	if refErr != nil {
		return img, s.withSuggestions(ctx, nameOrRef, err)
	}
	images, listErr := s.cfg.Store.Images(ctx)
	if listErr != nil {
		return img, listErr
	}
	newest := model.Image{}
	for _, have := range images {
		if have.Source.Reference == ref.String() && !have.CreatedAt.Before(newest.CreatedAt) {
			newest = have
		}
	}
	if newest.ID == "" {
		return newest, s.withSuggestions(ctx, nameOrRef, err)
	}
	return newest, nil
}
