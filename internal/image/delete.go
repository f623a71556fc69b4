package image

import (
	"context"
	"os"
	"strings"

	"banger/internal/failpoint"
	"banger/internal/imagemgr"
	"banger/internal/model"
	"banger/internal/rpc"
)

// DeleteImage removes an image that no VM uses.
//
//	step     what                                         when the daemon dies after it
//	find     the row                                      the image is there
//	lock     no VM is made of it meanwhile; a build of    "
//	         it that goes on: refused
//	users    VMs use it: refused, naming them             "
//	retire   the directory becomes a staging directory    Recover removes it, then the row
//	forget   the row goes; on failure the directory       Recover removes the directory
//	         is put back
//	remove   the staging directory goes                   Recover removes the rest
//
// Of an image that is not managed only the row goes: its files are the user's.
func (s *Service) DeleteImage(ctx context.Context, p rpc.NameParams) (model.Image, error) {
	img, err := s.ShowImage(ctx, p)
	if err != nil {
		return img, err
	}
	if !model.NamesExactly(p.Name, img.Name, img.ID) {
		return img, model.Errorf(model.CodeNotFound, "there is no image %q", p.Name).
			WithHint("if you mean %s: what is deleted is named by the whole name or six characters of the id", img.Name)
	}
	unlock, err := s.lockUnused(ctx, img)
	if err != nil {
		return img, err
	}
	defer unlock()
	if err := failpoint.Hit(ctx, "image.delete/locked"); err != nil {
		return img, err
	}
	if err := s.refuseUsed(ctx, img); err != nil {
		return img, err
	}
	if !img.Managed {
		return img, s.cfg.Store.DeleteImage(ctx, img.ID)
	}
	if err := failpoint.Hit(ctx, "image.delete/unused"); err != nil {
		return img, err
	}
	dir := imagemgr.Existing(s.cfg.Dir, img.ID)
	if err := dir.Retire(); err != nil {
		return img, err
	}
	if err := s.forget(ctx, img); err != nil {
		if back := os.Rename(dir.Dir, dir.Final); back != nil {
			s.cfg.Log.Error("putting an image back", "image", img.Name, "err", back)
		}
		return img, model.Errorf(model.CodeOf(err), "deleting image %q: %w", img.Name, err)
	}
	if err := failpoint.Hit(ctx, "image.delete/forgotten"); err != nil {
		return img, err
	}
	if err := dir.Abort(); err != nil {
		s.cfg.Log.Warn("files of a deleted image are left for the next start", "image", img.Name, "err", err)
	}
	return img, nil
}

// lockUnused locks an image that no operation uses, or will not for long.
func (s *Service) lockUnused(ctx context.Context, img model.Image) (func(), error) {
	wait, cancel := context.WithTimeout(ctx, s.cfg.UsedWait)
	defer cancel()
	unlock, err := s.cfg.Operations.Lock(wait, LockKey(img.ID))
	if err != nil && ctx.Err() == nil {
		return nil, model.Errorf(model.CodeConflict, "image %q is used by an operation that goes on", img.Name).
			WithHint("see `banger operation list`, and wait for it or cancel it")
	}
	return unlock, err
}

// forget removes the row of an image that has been retired.
func (s *Service) forget(ctx context.Context, img model.Image) error {
	if err := failpoint.Hit(ctx, "image.delete/retired"); err != nil {
		return err
	}
	return s.cfg.Store.DeleteImage(ctx, img.ID)
}

func (s *Service) refuseUsed(ctx context.Context, img model.Image) error {
	users, err := s.cfg.Users(ctx, img.ID)
	if err != nil {
		return model.Errorf(model.CodeOf(err), "looking for VMs of image %q: %w", img.Name, err)
	}
	if len(users) == 0 {
		return nil
	}
	return model.Errorf(model.CodeConflict, "image %q is used by %s", img.Name, strings.Join(users, ", ")).
		WithHint("delete the VMs first: banger vm delete %s", strings.Join(users, " "))
}
