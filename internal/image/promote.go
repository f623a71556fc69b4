package image

import (
	"context"

	"banger/internal/failpoint"
	"banger/internal/imagemgr"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// PromoteImage makes a registered image a managed one.
//
//	step     what                                                on disk after
//	find     the row; a managed image is refused                 -
//	lock     no VM is made of it meanwhile                       -
//	users    VMs use it: refused, their disks may lie above it   -
//	copy     the filesystem is cloned and still clean            <id>.staging/rootfs.ext4
//	boot set kernel, initrd and modules given by paths           + vmlinux initrd modules/
//	publish  fsync, rename, fsync of the parent                  <id>/
//	record   the row tells that it is managed                    row
//
// Killed before the row is written the image is what it was: Recover removes
// the copy.
func (s *Service) PromoteImage(ctx context.Context, p rpc.NameParams, report model.Report) (model.Image, error) {
	return operation.Do(ctx, s.cfg.Operations, "image.promote", p.Name, report,
		func(ctx context.Context, op *operation.Op) (model.Image, error) {
			img, unlock, err := s.lockNamed(ctx, p.Name)
			if err != nil {
				return model.Image{}, err
			}
			defer unlock()
			if img.Managed {
				return img, model.Errorf(model.CodeConflict, "image %q is managed already", img.Name)
			}
			if err := s.refuseUsed(ctx, img); err != nil {
				return img, err
			}
			return s.promote(ctx, op, img)
		})
}

// lockNamed finds an image and locks it; the row is read again under the lock.
func (s *Service) lockNamed(ctx context.Context, name string) (model.Image, func(), error) {
	return s.takeNamed(ctx, name, s.cfg.Operations.Lock)
}

// holdNamed is lockNamed for who only needs the image to stay: others may hold
// it too.
func (s *Service) holdNamed(ctx context.Context, name string) (model.Image, func(), error) {
	return s.takeNamed(ctx, name, s.cfg.Operations.Share)
}

func (s *Service) takeNamed(ctx context.Context, name string, take func(ctx context.Context, key string) (func(), error)) (model.Image, func(), error) {
	img, err := s.ShowImage(ctx, rpc.NameParams{Name: name})
	if err != nil {
		return img, nil, err
	}
	unlock, err := take(ctx, LockKey(img.ID))
	if err != nil {
		return img, nil, err
	}
	if img, err = s.cfg.Store.Image(ctx, img.ID); err != nil {
		unlock()
		return img, nil, err
	}
	return img, unlock, nil
}

func (s *Service) promote(ctx context.Context, op *operation.Op, img model.Image) (model.Image, error) {
	op.Stage("copy")
	staging, err := imagemgr.NewStaging(s.cfg.Dir, img.ID)
	if err != nil {
		return img, err
	}
	op.Undo("staging", func(context.Context) error { return staging.Remove() })
	if err := s.cloneRootfs(ctx, img.RootfsPath(), staging.Path(model.RootfsFile)); err != nil {
		return img, err
	}
	if err := failpoint.Hit(ctx, "image.promote/copied"); err != nil {
		return img, err
	}
	op.Stage("boot set")
	managed := img
	managed.Managed, managed.Dir, managed.Rootfs = true, staging.Final, ""
	managed.Source.BuilderVersion = s.cfg.Version
	if managed.Boot, err = imagemgr.StageBootArtifacts(ctx, staging, img.Boot); err != nil {
		return img, err
	}
	op.Stage("publish")
	if err := s.publish(ctx, staging, &managed); err != nil {
		return img, err
	}
	if err := failpoint.Hit(ctx, "image.promote/published"); err != nil {
		return img, err
	}
	op.Stage("record")
	if err := s.cfg.Store.UpdateImage(ctx, managed); err != nil {
		return img, err
	}
	s.markRecorded(managed)
	return managed, nil
}

// cloneRootfs copies a filesystem of the user's, who may have mounted it since
// it was registered.
func (s *Service) cloneRootfs(ctx context.Context, src, dst string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := imagemgr.Clone(src, dst); err != nil {
		return model.Errorf(model.CodeOf(err), "copying the root filesystem: %w", err)
	}
	return checkClean(dst)
}

// publish completes what img says of its files, which are all staged, and
// gives them their place.
func (s *Service) publish(ctx context.Context, staging imagemgr.Staging, img *model.Image) error {
	rootfs := staging.Path(model.RootfsFile)
	var err error
	if img.SizeBytes, img.UsedBytes, err = sizes(rootfs); err != nil {
		return err
	}
	if img.Digest, err = imagemgr.RootfsDigest(ctx, rootfs); err != nil {
		return err
	}
	return place(staging, *img)
}

// place gives the files of img, which knows all of them, their place.
func place(staging imagemgr.Staging, img model.Image) error {
	if err := writeMetadata(staging.Path(model.ImageFile), img); err != nil {
		return err
	}
	return staging.Publish()
}
