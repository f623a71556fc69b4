package image

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"

	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/rpc"
)

// replaceable refuses a name that a build may not take: that of an image which
// was not built here. Nobody could make that again.
func (s *Service) replaceable(ctx context.Context, name string) error {
	have, err := s.named(ctx, name)
	if err != nil || have == nil || have.Source.Build != nil {
		return err
	}
	return s.free(ctx, name)
}

// recordBuilt gives an image that was built its row.
//
//	step    what                                             when the daemon dies after it
//	find    the image that has the name, if one has          it has it
//	record  the row; the image that had the name has         the new one has the name;
//	        another one now: both at once                    Recover removes the old one
//
// The old image is left to dropReplaced.
func (s *Service) recordBuilt(ctx context.Context, img model.Image) error {
	unlock, err := s.cfg.Operations.Lock(ctx, "image.name/"+img.Name)
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.replaceable(ctx, img.Name); err != nil {
		return err
	}
	old, err := s.named(ctx, img.Name)
	if err != nil {
		return err
	}
	if old == nil {
		err = s.cfg.Store.InsertImage(ctx, img)
	} else {
		err = s.replace(ctx, img, *old)
	}
	if err != nil {
		return err
	}
	s.markRecorded(img)
	return nil
}

func (s *Service) replace(ctx context.Context, img, old model.Image) error {
	old.Name, old.Replaced = fmt.Sprintf("%.54s-%.8s", img.Name, old.ID), true
	if err := failpoint.Hit(ctx, "image.replace/found"); err != nil {
		return err
	}
	if err := s.cfg.Store.ReplaceImage(ctx, img, old); err != nil {
		return err
	}
	if err := rewriteMetadata(old); err != nil {
		s.cfg.Log.Warn("noting the new name of an image beside it", "image", old.Name, "err", err)
	}
	return nil
}

// rewriteMetadata is writeMetadata for an image that has its place.
func rewriteMetadata(img model.Image) error {
	b, err := json.MarshalIndent(img, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(img.Dir, model.ImageFile), append(b, '\n'), 0o600)
}

// leaveLimit bounds the wait for an image that is in use otherwise: the next
// build or start removes it then.
const leaveLimit = 2 * time.Second

// ImageLeft is told that a VM is no longer made of an image: one whose name is
// another's goes with its last VM.
func (s *Service) ImageLeft(ctx context.Context, imageID string) {
	ctx, cancel := context.WithTimeout(ctx, leaveLimit)
	defer cancel()
	img, err := s.cfg.Store.Image(ctx, imageID)
	if err == nil {
		err = s.dropIfReplaced(ctx, img)
	}
	if err != nil && model.CodeOf(err) != model.CodeNotFound {
		s.cfg.Log.Warn("an image that was replaced is left for the next start", "image", imageID, "err", err)
	}
}

// dropReplaced removes the images that were replaced and that no VM uses. What
// cannot be removed now is tried again later.
func (s *Service) dropReplaced(ctx context.Context) {
	images, err := s.cfg.Store.Images(ctx)
	if err != nil {
		s.cfg.Log.Warn("looking for images that were replaced", "err", err)
		return
	}
	for _, img := range images {
		if err := s.dropIfReplaced(ctx, img); err != nil {
			s.cfg.Log.Warn("an image that was replaced is left for the next start", "image", img.Name, "err", err)
		}
	}
}

func (s *Service) dropIfReplaced(ctx context.Context, img model.Image) error {
	if !img.Replaced {
		return nil
	}
	if err := failpoint.Hit(ctx, "image.replace/replaced"); err != nil {
		return err
	}
	switch _, err := s.DeleteImage(ctx, rpc.NameParams{Name: img.ID}); model.CodeOf(err) {
	case model.CodeConflict, model.CodeNotFound: // used, or gone meanwhile
		return nil
	default:
		return err
	}
}
