package image

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"banger/internal/failpoint"
	"banger/internal/imagemgr"
	"banger/internal/model"
)

// Recover repairs what a daemon that was killed left behind. It is called
// before the first operation:
//
//	staging    directories that were not published, or were being deleted, go
//	no row     directories whose pull was not recorded go
//	no files   rows of managed images whose files are gone go; nothing can be
//	           made of them any more
func (s *Service) Recover(ctx context.Context) error {
	swept, err := imagemgr.Sweep(s.cfg.Dir)
	for _, dir := range swept {
		s.cfg.Log.Info("removed an unfinished image", "dir", dir)
	}
	if err != nil {
		return model.Errorf(model.CodeInternal, "recovering images: %w", err)
	}
	if err := failpoint.Hit(ctx, "image.recover/swept"); err != nil {
		return err
	}
	images, err := s.cfg.Store.Images(ctx)
	if err != nil {
		return model.Errorf(model.CodeOf(err), "recovering images: %w", err)
	}
	if err := s.removeUnrecorded(images); err != nil {
		return model.Errorf(model.CodeInternal, "recovering images: %w", err)
	}
	if err := failpoint.Hit(ctx, "image.recover/removed"); err != nil {
		return err
	}
	return s.forgetLost(ctx, images)
}

// removeUnrecorded removes image directories that no row names. Other names
// than ids are not ours and stay.
func (s *Service) removeUnrecorded(images []model.Image) error {
	recorded := map[string]bool{}
	for _, img := range images {
		recorded[img.ID] = true
	}
	entries, err := os.ReadDir(s.cfg.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || recorded[e.Name()] || len(e.Name()) != len(model.NewID()) {
			continue
		}
		dir := imagemgr.Existing(s.cfg.Dir, e.Name())
		if err := dir.Remove(); err != nil {
			return err
		}
		s.cfg.Log.Info("removed an image that was not recorded", "dir", dir.Final)
	}
	return nil
}

// forgetLost deletes the rows of managed images without a root filesystem.
func (s *Service) forgetLost(ctx context.Context, images []model.Image) error {
	for _, img := range images {
		_, err := os.Stat(filepath.Join(img.Dir, model.RootfsFile))
		if !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if !img.Managed {
			s.cfg.Log.Warn("the files of an image are gone", "image", img.Name, "dir", img.Dir)
			continue
		}
		if err := s.cfg.Store.DeleteImage(ctx, img.ID); err != nil {
			return model.Errorf(model.CodeOf(err), "forgetting image %q: %w", img.Name, err)
		}
		s.cfg.Log.Warn("forgot an image whose files are gone", "image", img.Name, "id", img.ID)
	}
	return nil
}
