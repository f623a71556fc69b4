package image

import (
	"context"
	"path/filepath"

	"banger/internal/failpoint"
	"banger/internal/imagemgr"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// TagImage gives an image a second name.
//
//	step     what                                             on disk after
//	parse    the new name is right                            -
//	find     the image                                        -
//	collide  an image has the new name: refused               -
//	lock     the image is not deleted meanwhile               -
//	share    its files get a second name, or are cloned       <id>.staging/
//	publish  fsync, rename, fsync of the parent               <id>/
//	record   the row                                          row
//
// The second name is an image of its own: either may be deleted without the
// other, and a VM uses the one that it was made of. Of an image that is not
// managed only the row is copied.
func (s *Service) TagImage(ctx context.Context, p rpc.ImageTagParams, report model.Report) (model.Image, error) {
	if err := model.ValidateObjectName("image", p.New); err != nil {
		return model.Image{}, err
	}
	return operation.Do(ctx, s.cfg.Operations, "image.tag", p.New, report,
		func(ctx context.Context, op *operation.Op) (model.Image, error) {
			img, unlock, err := s.holdNamed(ctx, p.Name)
			if err != nil {
				return model.Image{}, err
			}
			defer unlock()
			if err := s.free(ctx, p.New); err != nil {
				return model.Image{}, err
			}
			tagged := img
			tagged.ID, tagged.Name, tagged.CreatedAt = model.NewID(), p.New, s.cfg.Now().UTC()
			tagged.Replaced = false
			if !img.Managed {
				return tagged, s.cfg.Store.InsertImage(ctx, tagged)
			}
			return s.tag(ctx, op, img, tagged)
		})
}

func (s *Service) tag(ctx context.Context, op *operation.Op, img, tagged model.Image) (model.Image, error) {
	op.Stage("share")
	staging, err := imagemgr.NewStaging(s.cfg.Dir, tagged.ID)
	if err != nil {
		return model.Image{}, err
	}
	op.Undo("staging", func(context.Context) error { return staging.Remove() })
	tagged.Dir = staging.Final
	if tagged.Boot, err = shareFiles(ctx, img, staging); err != nil {
		return model.Image{}, model.Errorf(model.CodeOf(err), "sharing the files of image %q: %w", img.Name, err)
	}
	if err := failpoint.Hit(ctx, "image.tag/shared"); err != nil {
		return model.Image{}, err
	}
	op.Stage("publish")
	if err := writeMetadata(staging.Path(model.ImageFile), tagged); err != nil {
		return model.Image{}, err
	}
	if err := staging.Publish(); err != nil {
		return model.Image{}, err
	}
	if err := failpoint.Hit(ctx, "image.tag/published"); err != nil {
		return model.Image{}, err
	}
	op.Stage("record")
	if err := s.cfg.Store.InsertImage(ctx, tagged); err != nil {
		return model.Image{}, err
	}
	s.markRecorded(tagged)
	return tagged, nil
}

// shareFiles gives the files of a managed image, which nobody writes again, a
// second place, and returns where its boot set will be.
func shareFiles(ctx context.Context, img model.Image, staging imagemgr.Staging) (model.BootFiles, error) {
	var boot model.BootFiles
	for _, file := range []struct {
		src, name string
		final     *string
	}{
		{img.RootfsPath(), model.RootfsFile, nil},
		{img.Boot.Kernel, model.VmlinuxFile, &boot.Kernel},
		{img.Boot.Initrd, model.InitrdFile, &boot.Initrd},
		{buildFile(img, model.BuildLogFile), model.BuildLogFile, nil},
		{buildFile(img, model.PackagesFile), model.PackagesFile, nil},
	} {
		if file.src == "" {
			continue
		}
		if err := imagemgr.Share(file.src, staging.Path(file.name)); err != nil {
			return boot, err
		}
		if file.final != nil {
			*file.final = staging.FinalPath(file.name)
		}
	}
	if img.Boot.Modules == "" {
		return boot, nil
	}
	boot.Modules = staging.FinalPath(model.ModulesDir)
	return boot, imagemgr.ShareTree(ctx, img.Boot.Modules, staging.Path(model.ModulesDir))
}

// buildFile returns the path of a file that a build has left, or nothing.
func buildFile(img model.Image, name string) string {
	path := filepath.Join(img.Dir, name)
	if img.Source.Build == nil || !exists(path) {
		return ""
	}
	return path
}
