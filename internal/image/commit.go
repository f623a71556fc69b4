package image

import (
	"context"
	"errors"
	"time"

	"banger/internal/failpoint"
	"banger/internal/imagemgr"
	"banger/internal/imagepull"
	"banger/internal/imagepush"
	"banger/internal/model"
	"banger/internal/operation"
)

// CommitDisk makes a managed image of the root disk of a VM that does not run;
// to is a name or a reference. flatten writes the disk to a file that does not
// exist.
//
//	step     what                                                on disk after
//	parse    the name is right                                   -
//	collide  an image of that name is here: refused              -
//	lock     the VM's image is not deleted meanwhile             -
//	flatten  a copy of the disk                                  <id>.staging/rootfs.ext4
//	replay   what is only in its journal, by e2fsck              "
//	layer    what differs from the VM's image, in the cache      + blobs
//	boot set the kernel of the VM's image, when it has its own   + vmlinux initrd modules/
//	publish  fsync, rename, fsync of the parent                  <id>/
//	record   the row                                             row
//
// When the layers of the VM's image are not in the cache, one of its files
// stands for them.
func (s *Service) CommitDisk(ctx context.Context, vm model.VM, to string, flatten func(ctx context.Context, dst string) error, report model.Report) (model.Image, error) {
	name, reference, err := commitName(to)
	if err != nil {
		return model.Image{}, err
	}
	if err := s.free(ctx, name); err != nil {
		return model.Image{}, err
	}
	return operation.Do(ctx, s.cfg.Operations, "image.commit", name, report,
		func(ctx context.Context, op *operation.Op) (model.Image, error) {
			base, unlock, err := s.holdNamed(ctx, vm.ImageID)
			if err != nil {
				return model.Image{}, err
			}
			defer unlock()
			c := &commit{service: s, op: op, vm: vm, base: base}
			c.img = s.describeCommit(base, name, reference)
			return c.run(ctx, flatten)
		})
}

// commitName returns the name of an image to be, and the reference when one is
// given in its place.
func commitName(to string) (name, reference string, err error) {
	if err := model.ValidateObjectName("image", to); err == nil {
		return to, "", nil
	}
	ref, err := imagepull.ParseRef(to)
	if err != nil {
		return "", "", err
	}
	name = ref.DefaultName()
	return name, ref.String(), model.ValidateObjectName("image", name)
}

// KindCommit is the kind of source of images that were VMs' disks.
const KindCommit = "commit"

func (s *Service) describeCommit(base model.Image, name, reference string) model.Image {
	img := base
	img.ID, img.Name, img.Managed, img.Rootfs, img.Digest = model.NewID(), name, true, "", ""
	img.CreatedAt, img.Replaced = s.cfg.Now().UTC(), false
	img.Source = model.ImageSource{
		Kind: KindCommit, Reference: reference, Platform: base.Source.Platform, BuilderVersion: s.cfg.Version,
		History: base.Source.History,
	}
	return img
}

// commit is one call of CommitDisk.
type commit struct {
	service *Service
	op      *operation.Op
	vm      model.VM
	base    model.Image
	img     model.Image // to be
}

func (c *commit) run(ctx context.Context, flatten func(ctx context.Context, dst string) error) (model.Image, error) {
	c.op.Stage("flatten")
	staging, err := imagemgr.NewStaging(c.service.cfg.Dir, c.img.ID)
	if err != nil {
		return model.Image{}, err
	}
	c.op.Undo("staging", func(context.Context) error { return staging.Remove() })
	c.img.Dir = staging.Final
	rootfs := staging.Path(model.RootfsFile)
	if err := flatten(ctx, rootfs); err != nil {
		return model.Image{}, err
	}
	if err := failpoint.Hit(ctx, "image.commit/flattened"); err != nil {
		return model.Image{}, err
	}
	if err := c.replay(ctx, rootfs); err != nil {
		return model.Image{}, err
	}
	c.op.Stage("layer")
	layer := layering{service: c.service, op: c.op, base: c.base, step: c.step()}
	if err := layer.enter(ctx, rootfs, &c.img); err != nil {
		return model.Image{}, model.Errorf(model.CodeOf(err), "making a layer of VM %s: %w", c.vm.Name, err)
	}
	if err := failpoint.Hit(ctx, "image.commit/layer"); err != nil {
		return model.Image{}, err
	}
	return c.finish(ctx, staging)
}

// replay makes the copy clean: its journal may hold changes when the guest was
// killed.
func (c *commit) replay(ctx context.Context, rootfs string) error {
	dirty := checkClean(rootfs)
	if model.CodeOf(dirty) != model.CodeConflict {
		return dirty
	}
	c.op.Stage("replay")
	switch err := fsckReplay(ctx, rootfs); {
	case errors.Is(err, errNoFsck):
		return model.Errorf(model.CodeConflict, "the disk of VM %s was not unmounted, and e2fsck is not installed to replay its journal", c.vm.Name).
			WithHint("start the VM and stop it: banger start %s && banger stop %s", c.vm.Name, c.vm.Name)
	case err != nil:
		return err
	}
	return checkClean(rootfs)
}

// step is what the history tells: nothing of the time of the commit, so that
// two commits of one disk are the same image. A VM that has only been paused
// has not been stopped.
func (c *commit) step() imagepush.Step {
	when := c.vm.StoppedAt
	if when.IsZero() {
		when = c.vm.CreatedAt
	}
	return imagepush.Step{CreatedBy: "banger vm commit " + c.vm.Name, Created: when.UTC().Truncate(time.Second)}
}

func (c *commit) finish(ctx context.Context, staging imagemgr.Staging) (model.Image, error) {
	s := c.service
	var err error
	c.op.Stage("boot set")
	if c.img.Boot, err = imagemgr.StageBootArtifacts(ctx, staging, c.base.Boot); err != nil {
		return model.Image{}, err
	}
	c.op.Stage("publish")
	if err := s.publish(ctx, staging, &c.img); err != nil {
		return model.Image{}, err
	}
	if err := failpoint.Hit(ctx, "image.commit/published"); err != nil {
		return model.Image{}, err
	}
	c.op.Stage("record")
	if err := s.cfg.Store.InsertImage(ctx, c.img); err != nil {
		return model.Image{}, err
	}
	s.markRecorded(c.img)
	return c.img, nil
}
