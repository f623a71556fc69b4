package main

import (
	"context"
	"io"

	"banger/internal/model"
	"banger/internal/rpc"
)

func (d *fakeDaemon) addImage(image model.Image) (model.Image, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.image(image.Name) >= 0 {
		return image, model.Errorf(model.CodeConflict, "image %q exists already", image.Name)
	}
	d.images = append(d.images, image)
	return image, nil
}

func (d *fakeDaemon) RegisterImage(_ context.Context, p rpc.ImageRegisterParams, _ model.Report) (model.Image, error) {
	boot := model.BootFiles{Kernel: p.KernelPath, Initrd: p.InitrdPath, Modules: p.ModulesDir}
	return d.addImage(model.Image{ID: "00000000000000f1", Name: p.Name, Rootfs: p.Rootfs, Kernel: p.KernelRef, Boot: boot, CreatedAt: epoch})
}

func (d *fakeDaemon) PromoteImage(ctx context.Context, p rpc.NameParams, _ model.Report) (model.Image, error) {
	image, err := d.ShowImage(ctx, p)
	image.Managed = true
	return image, err
}

func (d *fakeDaemon) TagImage(ctx context.Context, p rpc.ImageTagParams, _ model.Report) (model.Image, error) {
	image, err := d.ShowImage(ctx, rpc.NameParams{Name: p.Name})
	if err != nil {
		return image, err
	}
	image.ID, image.Name = "00000000000000f2", p.New
	return d.addImage(image)
}

func (d *fakeDaemon) PruneImages(ctx context.Context, p rpc.ImagePruneParams) ([]model.Image, error) {
	images, err := d.ListImages(ctx)
	if !p.DryRun {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.images = nil
	}
	return images, err
}

// VerifyImages finds that images called damaged are.
func (d *fakeDaemon) VerifyImages(ctx context.Context, p rpc.ImageVerifyParams, _ model.Report) ([]model.ImageVerdict, error) {
	verdicts := []model.ImageVerdict{}
	for _, name := range p.Names {
		if _, err := d.ShowImage(ctx, rpc.NameParams{Name: name}); err != nil {
			return nil, err
		}
		v := model.ImageVerdict{Name: name, Checked: []string{"digest", "metadata"}, Problems: []string{}, Notes: []string{"e2fsck is not installed"}}
		if name == "damaged" {
			v.Problems = append(v.Problems, "digest: it is not what it was")
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, nil
}

func (d *fakeDaemon) ExportImage(ctx context.Context, p rpc.ImageExportParams, w io.Writer) error {
	if _, err := d.ShowImage(ctx, rpc.NameParams{Name: p.Name}); err != nil {
		return err
	}
	_, err := io.WriteString(w, p.Format+" of "+p.Name)
	return err
}

func (d *fakeDaemon) PushImage(ctx context.Context, p rpc.ImagePushParams, _ model.Report) (model.PushedImage, error) {
	if _, err := d.ShowImage(ctx, rpc.NameParams{Name: p.Name}); err != nil {
		return model.PushedImage{}, err
	}
	return model.PushedImage{Name: p.Name, Ref: p.Ref + "@sha256:aa", Digest: "sha256:aa"}, nil
}

func (d *fakeDaemon) CommitVM(ctx context.Context, p rpc.VMCommitParams, _ model.Report) (model.Image, error) {
	if _, err := d.ShowVM(ctx, rpc.NameParams{Name: p.Name}); err != nil {
		return model.Image{}, err
	}
	return d.addImage(model.Image{ID: "00000000000000f3", Name: p.Image, Managed: true, CreatedAt: epoch})
}
