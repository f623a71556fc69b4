package image

import (
	"context"
	"errors"
	"fmt"

	"banger/internal/imagemgr"
	"banger/internal/imagetree"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// VerifyImages reads images and tells what is wrong with them.
//
//	digest      the root filesystem's file holds what it did when it was made
//	metadata    every inode, directory and extent is reached and has its checksum
//	e2fsck      finds nothing, where it is installed
//	boot files  the kernel given by paths is one
//	layers      those in the cache are what their digests say
func (s *Service) VerifyImages(ctx context.Context, p rpc.ImageVerifyParams, report model.Report) ([]model.ImageVerdict, error) {
	images, err := s.chosen(ctx, p.Names)
	if err != nil {
		return nil, err
	}
	return operation.Do(ctx, s.cfg.Operations, "image.verify", "", report,
		func(ctx context.Context, op *operation.Op) ([]model.ImageVerdict, error) {
			verdicts := []model.ImageVerdict{}
			for _, img := range images {
				op.Stage(img.Name)
				v := &verdict{model.ImageVerdict{Name: img.Name, Checked: []string{}, Problems: []string{}}}
				if err := s.verify(ctx, img, v); err != nil {
					return verdicts, model.Errorf(model.CodeOf(err), "verifying image %q: %w", img.Name, err)
				}
				verdicts = append(verdicts, v.ImageVerdict)
			}
			return verdicts, nil
		})
}

// chosen returns the images of names; all when there are none.
func (s *Service) chosen(ctx context.Context, names []string) ([]model.Image, error) {
	if len(names) == 0 {
		return s.ListImages(ctx)
	}
	images := make([]model.Image, len(names))
	for i, name := range names {
		var err error
		if images[i], err = s.ShowImage(ctx, rpc.NameParams{Name: name}); err != nil {
			return nil, err
		}
	}
	return images, nil
}

// verdict gathers what the checks find.
type verdict struct{ model.ImageVerdict }

func (v *verdict) add(check string, err error) {
	v.Checked = append(v.Checked, check)
	if err != nil {
		v.Problems = append(v.Problems, fmt.Sprintf("%s: %v", check, err))
	}
}

func (v *verdict) note(format string, args ...any) {
	v.Notes = append(v.Notes, fmt.Sprintf(format, args...))
}

// verify fails only when ctx ends: whatever else goes wrong is the verdict.
func (s *Service) verify(ctx context.Context, img model.Image, v *verdict) error {
	if img.Digest == "" {
		v.note("no digest is recorded")
	} else {
		v.add("digest", checkDigest(ctx, img))
	}
	v.add("metadata", checkMetadata(ctx, img))
	switch err := fsckReadOnly(ctx, img.RootfsPath()); {
	case errors.Is(err, errNoFsck):
		v.note("e2fsck is not installed")
	default:
		v.add("e2fsck", err)
	}
	if img.Boot != (model.BootFiles{}) {
		v.add("boot files", imagemgr.ValidateKernelPaths(img.Boot))
	}
	s.verifyLayers(ctx, img, v)
	return ctx.Err()
}

func checkDigest(ctx context.Context, img model.Image) error {
	digest, err := imagemgr.RootfsDigest(ctx, img.RootfsPath())
	if err == nil && digest != img.Digest {
		return fmt.Errorf("%s is not what it was: its digest is %s, recorded is %s", img.RootfsPath(), digest, img.Digest)
	}
	return err
}

func checkMetadata(ctx context.Context, img model.Image) error {
	tree, err := imagetree.Open(img.RootfsPath())
	if err != nil {
		return err
	}
	err = tree.List(ctx, "/", func(model.TreeEntry) error { return nil })
	return errors.Join(err, tree.Close())
}

// verifyLayers checks the layers that are in the cache. One that is not is no
// fault: images do not need them.
func (s *Service) verifyLayers(ctx context.Context, img model.Image, v *verdict) {
	var damaged []error
	here := 0
	for _, digest := range img.Source.Layers {
		present, err := s.cfg.Cache.Check(ctx, digest)
		if present {
			here++
		}
		damaged = append(damaged, err)
	}
	if here > 0 {
		v.add("layers", errors.Join(damaged...))
	}
	if missing := len(img.Source.Layers) - here; missing > 0 {
		v.note("%d of %d layers are not in the cache", missing, len(img.Source.Layers))
	}
}
