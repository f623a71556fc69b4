package image

import (
	"context"
	"os"

	"banger/internal/failpoint"
	"banger/internal/imagemgr"
	"banger/internal/imagepull"
	"banger/internal/imagepush"
	"banger/internal/model"
)

// finish makes the image of the last stage.
func (d *dockerBuild) finish(ctx context.Context, last *dockerStage) (model.Image, error) {
	s := d.service
	if err := os.RemoveAll(d.work()); err != nil {
		return model.Image{}, err
	}
	have, err := s.named(ctx, d.params.Name)
	if err != nil {
		return model.Image{}, err
	}
	if have != nil && have.Source.Build != nil && have.Source.ManifestDigest == last.image.Digest && have.Kernel == last.kernel {
		return *have, d.staging.Remove()
	}
	d.op.Stage("rootfs")
	img, err := d.describe(ctx, last)
	if err != nil {
		return model.Image{}, err
	}
	return d.keep(ctx, img, last.boot)
}

// keep gives the image, whose root filesystem is staged, its place and row.
func (d *dockerBuild) keep(ctx context.Context, img model.Image, boot model.BootFiles) (_ model.Image, err error) {
	if err := failpoint.Hit(ctx, "image.dockerfile/rootfs"); err != nil {
		return model.Image{}, err
	}
	d.op.Stage("boot set")
	if img.Boot, err = imagemgr.StageBootArtifacts(ctx, d.staging, boot); err != nil {
		return model.Image{}, err
	}
	d.op.Stage("publish")
	if err := place(d.staging, img); err != nil {
		return model.Image{}, err
	}
	if err := failpoint.Hit(ctx, "image.dockerfile/published"); err != nil {
		return model.Image{}, err
	}
	d.op.Stage("record")
	return img, d.service.recordBuilt(ctx, img)
}

// newImage returns the image to be; source and config are what is known of the
// OCI image that it is made of, built of its root filesystem.
func (d *dockerBuild) newImage(source model.ImageSource, config model.ImageConfig, built imagepull.Built) model.Image {
	return model.Image{
		ID: d.id, Name: d.params.Name, Managed: true, Dir: d.staging.Final, Config: config, CreatedAt: d.service.cfg.Now().UTC(),
		SizeBytes: built.SizeBytes, UsedBytes: built.UsedBytes, Digest: built.Digest,
		Source: model.ImageSource{
			Kind: KindBuild, ManifestDigest: source.ManifestDigest, ConfigDigest: source.ConfigDigest, Platform: source.Platform,
			BuilderVersion: d.service.cfg.Version, History: source.History,
			Build: &model.BuildRecord{
				Network: d.params.Network, Log: model.BuildLogFile, Dockerfile: d.params.Dockerfile, Builder: d.builtBy(),
			},
		},
	}
}

// describe makes the root filesystem and returns the image to be.
func (d *dockerBuild) describe(ctx context.Context, last *dockerStage) (model.Image, error) {
	source, built, err := d.rootfs(ctx, last.image, d.staging.Path(model.RootfsFile))
	if err != nil {
		return model.Image{}, err
	}
	source.ManifestDigest, source.ConfigDigest = last.image.Digest, last.image.ConfigDigest()
	img := d.newImage(source, last.state.Config, built)
	img.Kernel = last.kernel
	record, base := img.Source.Build, last.base
	record.Base, record.BaseID, record.BaseRef = base.Name, base.ID, base.Source.Reference
	record.BaseManifest, record.BaseRootfs = base.Source.ManifestDigest, base.Digest
	record.Steps, record.Cached = d.steps, d.cached
	for _, l := range last.image.Layers() {
		img.Source.Layers = append(img.Source.Layers, l.Digest)
	}
	return img, nil
}

// rootfs makes the filesystem of img at path, or shares the one of an image
// that has the same layers.
func (d *dockerBuild) rootfs(ctx context.Context, img *imagepush.Image, path string) (model.ImageSource, imagepull.Built, error) {
	images, err := d.service.cfg.Store.Images(ctx)
	if err != nil {
		return model.ImageSource{}, imagepull.Built{}, err
	}
	for _, have := range images {
		same := have.Managed && have.Source.ManifestDigest == img.Digest && have.Source.BuilderVersion == d.service.cfg.Version
		if same && have.Source.Build != nil && have.Source.Build.Dockerfile != "" && exists(have.RootfsPath()) {
			built := imagepull.Built{SizeBytes: have.SizeBytes, UsedBytes: have.UsedBytes, Digest: have.Digest}
			return have.Source, built, imagemgr.Share(have.RootfsPath(), path)
		}
	}
	return d.flatten(ctx, img, path)
}
