package image

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"banger/internal/failpoint"
	"banger/internal/imagemgr"
	"banger/internal/model"
)

// Recover repairs what a daemon that was killed left behind. It is called
// before the first operation:
//
//	staging     directories that were not published, or were being deleted, go
//	scratch     temporary files of programs that make images go
//	unrecorded  directories that never had a row go: nobody was told of them
//	lost row    directories that had a row, of a database that is gone, get it
//	            back; one that is not whole is moved aside, never deleted
//	copy        directories of images that are not managed go: what was to
//	            become of them was not recorded, their files are elsewhere
//	no files    rows of managed images whose files are gone go; nothing can be
//	            made of them any more
//	replaced    images whose name a later build has go, unless a VM uses them
func (s *Service) Recover(ctx context.Context) error {
	swept, err := imagemgr.Sweep(s.cfg.Dir)
	for _, dir := range swept {
		s.cfg.Log.Info("removed an unfinished image", "dir", dir)
	}
	if err != nil {
		return model.Errorf(model.CodeInternal, "recovering images: %w", err)
	}
	if err := s.cfg.Cache.Sweep(ctx); err != nil {
		s.cfg.Log.Warn("temporary files of an earlier daemon are kept until the next start", "error", err)
	}
	if err := failpoint.Hit(ctx, "image.recover/swept"); err != nil {
		return err
	}
	images, err := s.cfg.Store.Images(ctx)
	if err != nil {
		return model.Errorf(model.CodeOf(err), "recovering images: %w", err)
	}
	if err := s.recoverDirs(ctx, images); err != nil {
		return model.Errorf(model.CodeOf(err), "recovering images: %w", err)
	}
	if err := failpoint.Hit(ctx, "image.recover/removed"); err != nil {
		return err
	}
	if err := s.forgetLost(ctx, images); err != nil {
		return err
	}
	s.dropReplaced(ctx)
	return nil
}

// recoverDirs compares the image directories with the rows. Other names than
// ids are not ours and stay.
func (s *Service) recoverDirs(ctx context.Context, images []model.Image) error {
	rows := map[string]*model.Image{}
	for i := range images {
		rows[images[i].ID] = &images[i]
	}
	entries, err := os.ReadDir(s.cfg.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || len(e.Name()) != len(model.NewID()) || strings.Contains(e.Name(), ".") {
			continue
		}
		if err := s.recoverDir(ctx, e.Name(), rows[e.Name()]); err != nil {
			return err
		}
	}
	return nil
}

// recoverDir decides about the directory of an id and its row, which may be nil.
func (s *Service) recoverDir(ctx context.Context, id string, row *model.Image) error {
	dir := imagemgr.Existing(s.cfg.Dir, id)
	switch {
	case row != nil && row.Managed:
		s.markRecorded(*row)
		return nil
	case row != nil || !exists(dir.FinalPath(model.RecordedFile)):
		s.cfg.Log.Info("removed an image that was not recorded", "dir", dir.Final)
		return dir.Remove()
	}
	return s.recoverRow(ctx, dir, id)
}

// markRecorded notes beside the files of an image that it has had a row. When
// that fails the next start does it.
func (s *Service) markRecorded(img model.Image) {
	path := filepath.Join(img.Dir, model.RecordedFile)
	if exists(path) {
		return
	}
	err := os.WriteFile(path, nil, 0o600)
	if err == nil {
		err = imagemgr.SyncDir(img.Dir)
	}
	if err != nil {
		s.cfg.Log.Warn("marking an image as recorded", "image", img.Name, "err", err)
	}
}

// forgetLost deletes the rows of managed images without a root filesystem.
func (s *Service) forgetLost(ctx context.Context, images []model.Image) error {
	for _, img := range images {
		_, err := os.Stat(img.RootfsPath())
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
