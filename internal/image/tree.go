package image

import (
	"context"
	"errors"

	"banger/internal/imagetree"
	"banger/internal/model"
	"banger/internal/rpc"
)

// TreeImage lists the files of an image.
func (s *Service) TreeImage(ctx context.Context, p rpc.ImageTreeParams, visit func(model.TreeEntry) error) (err error) {
	tree, err := s.openTree(ctx, p.Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	if err := tree.List(ctx, p.Path, visit); err != nil {
		return listError(p, err)
	}
	return nil
}

// listError names what was looked for.
func listError(p rpc.ImageTreeParams, err error) error {
	e := model.Errorf(model.CodeOf(err), "listing the files of image %q: %w", p.Name, err)
	if e.Code != model.CodeNotFound {
		return e
	}
	return model.Errorf(model.CodeNotFound, "image %q has no file %q", p.Name, p.Path).
		WithHint("symbolic links are not followed; see banger image show --tree %s", p.Name)
}

// DiffImages tells in what the files of two images differ.
func (s *Service) DiffImages(ctx context.Context, p rpc.ImageDiffParams, visit func(model.TreeChange) error) (err error) {
	from, err := s.openTree(ctx, p.From)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := s.openTree(ctx, p.To)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if err := imagetree.Diff(ctx, from, to, imagetree.DiffOptions{Times: p.Times}, visit); err != nil {
		return model.Errorf(model.CodeOf(err), "comparing images %q and %q: %w", p.From, p.To, err)
	}
	return nil
}

// openTree opens the root filesystem of an image. Once it is open the image
// may be deleted.
func (s *Service) openTree(ctx context.Context, name string) (*imagetree.Tree, error) {
	img, err := s.ShowImage(ctx, rpc.NameParams{Name: name})
	if err != nil {
		return nil, err
	}
	tree, err := imagetree.Open(img.RootfsPath())
	if err != nil {
		return nil, model.Errorf(model.CodeOf(err), "reading image %q: %w", img.Name, err)
	}
	return tree, nil
}
