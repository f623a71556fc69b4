package image

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"banger/internal/imagepush"
	"banger/internal/imagetree"
	"banger/internal/model"
)

// ociImage returns an image as an OCI image; see ociOf.
func (s *Service) ociImage(ctx context.Context, name string, report model.Report) (model.Image, *imagepush.Image, error) {
	row, unlock, err := s.holdNamed(ctx, name)
	if err != nil {
		return row, nil, err
	}
	defer unlock()
	img, err := s.ociOf(ctx, row, report)
	return row, img, err
}

// ociOf returns the OCI image that an image was made of while the cache has
// it, else one whose single layer has all its files, always the same one.
func (s *Service) ociOf(ctx context.Context, row model.Image, report model.Report) (*imagepush.Image, error) {
	if row.Managed {
		img, err := imagepush.Load(s.cfg.Cache, row.Source.ManifestDigest)
		if img != nil || err != nil {
			return img, err
		}
	}
	key, err := filesKey(row)
	if err != nil {
		return nil, err
	}
	unlock, err := s.cfg.Operations.Lock(ctx, "image.layers/"+row.ID) // it is made once
	if err != nil {
		return nil, err
	}
	defer unlock()
	if key != "" {
		if img, err := s.lookupStep(key); img != nil || err != nil {
			return img, err
		}
	}
	img, err := s.ociOfFiles(ctx, row, report)
	if err != nil || key == "" {
		return img, err
	}
	if err := s.keepStep(key, img.Digest); err != nil {
		return nil, errors.Join(err, img.Close())
	}
	return img, nil
}

// filesKey is what the image of a root filesystem's files is remembered by; ""
// of files that may change.
func filesKey(row model.Image) (string, error) {
	if !row.Managed || row.Digest == "" {
		return "", nil
	}
	config, err := json.Marshal(row.Config)
	if err != nil {
		return "", fmt.Errorf("writing the configuration of image %q: %w", row.Name, err)
	}
	return fmt.Sprintf("%x", sha256.Sum256([]byte("files\n"+row.Digest+"\n"+row.Source.Platform+"\n"+string(config)))), nil
}

func (s *Service) ociOfFiles(ctx context.Context, row model.Image, report model.Report) (*imagepush.Image, error) {
	report(model.Progress{Note: "not all layers of image " + row.Name + " are in the cache as they were pulled: making one of its files"})
	tree, err := imagetree.Open(row.RootfsPath())
	if err != nil {
		return nil, model.Errorf(model.CodeOf(err), "reading image %q: %w", row.Name, err)
	}
	img, err := imagepush.FromTree(ctx, s.cfg.Cache, tree, row.Config, row.Source.Platform, report)
	if err != nil {
		err = model.Errorf(model.CodeOf(err), "making a layer of image %q: %w", row.Name, err)
	}
	return img, errors.Join(err, tree.Close())
}
