package image

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"banger/internal/dockerfile"
	"banger/internal/failpoint"
	"banger/internal/imagepull"
	"banger/internal/imagepush"
	"banger/internal/imagetree"
	"banger/internal/model"
)

// dockerStage is a stage under way: an OCI image in the cache, and what was
// said since its last layer.
type dockerStage struct {
	build   *dockerBuild
	image   *imagepush.Image
	tree    string // filesystem with its files, "" when it was not needed yet
	state   dockerfile.State
	pending []string // instructions without a layer, for the history
	base    model.Image
	kernel  string
	boot    model.BootFiles
}

// runStage runs the instructions of a stage.
func (d *dockerBuild) runStage(ctx context.Context, at int) (*dockerStage, error) {
	stage := d.file.Stages[at]
	st, err := d.begin(ctx, at)
	if err != nil {
		return nil, model.Errorf(model.CodeOf(err), "Dockerfile line %d: %w", stage.From.Line, err)
	}
	d.stages[at] = st
	if d.kernel != "" {
		st.kernel, st.boot = d.kernel, model.BootFiles{}
	}
	for n, in := range stage.Instructions {
		title := fmt.Sprintf("stage %d step %d/%d", at, n+1, len(stage.Instructions))
		d.op.Stage(title)
		d.log.begin(title + ": " + in.String())
		d.steps++
		if err := st.step(ctx, at, in); err != nil {
			return nil, err
		}
		if err := errors.Join(d.log.flush(), failpoint.Hit(ctx, "image.dockerfile/step")); err != nil {
			return nil, err
		}
	}
	return st, st.settle()
}

// begin finds what a stage is made from: an earlier stage, nothing, or an image.
func (d *dockerBuild) begin(ctx context.Context, at int) (*dockerStage, error) {
	stage := d.file.Stages[at]
	base, err := dockerfile.Expand(stage.Base, d.file.Escape, d.lookupGlobal)
	if err != nil {
		return nil, model.Errorf(model.CodeInvalid, "FROM: %w", err)
	}
	d.op.Stage("base")
	d.log.begin("FROM " + base)
	if i, found := d.file.StageBefore(base, at); found {
		before := d.stages[i]
		st := &dockerStage{build: d, tree: before.tree, base: before.base, kernel: before.kernel, boot: before.boot}
		st.state = before.state.Inherit()
		st.image, err = d.load(before.image.Digest)
		return st, err
	}
	platform, err := dockerfile.Expand(stage.From.Flag("platform"), d.file.Escape, d.lookupGlobal)
	if err != nil {
		return nil, model.Errorf(model.CodeInvalid, "FROM: %w", err)
	}
	if base == "scratch" {
		want, err := imagepull.ParsePlatform(platform)
		if err != nil {
			return nil, err
		}
		st := &dockerStage{build: d, state: dockerfile.NewState(model.ImageConfig{})}
		st.image, err = imagepush.Empty(d.service.cfg.Cache, want.String())
		return st, err
	}
	st, err := d.beginImage(ctx, base, platform)
	if err == nil && len(st.base.Config.OnBuild) > 0 {
		err = errors.Join(refuseOnBuild(st.base), st.image.Close())
	}
	return st, err
}

// refuseOnBuild refuses a base that has instructions for what is built on it.
func refuseOnBuild(base model.Image) error {
	return model.Errorf(model.CodeUnsupported, "image %s has ONBUILD instructions, which are not supported: %.200s", base.Name, model.Printable(strings.Join(base.Config.OnBuild, "; "))).
		WithHint("write them into the Dockerfile and begin it with another image, or let docker, podman or buildah build: banger image build --builder auto")
}

// beginImage begins a stage on an image, which is pulled when it is not here
// and stays until the build is done.
func (d *dockerBuild) beginImage(ctx context.Context, base, platform string) (*dockerStage, error) {
	row, err := d.service.EnsureImage(ctx, base, platform, d.op.Report)
	if err != nil {
		return nil, err
	}
	row, unlock, err := d.service.holdNamed(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	d.held = append(d.held, unlock)
	img, err := d.service.ociOf(ctx, row, d.op.Report)
	if err != nil {
		return nil, err
	}
	st := &dockerStage{build: d, image: img, base: row, kernel: row.Kernel, boot: row.Boot, state: dockerfile.NewState(row.Config)}
	return st, failpoint.Hit(ctx, "image.dockerfile/base")
}

// load opens an image that must be in the cache.
func (d *dockerBuild) load(digest string) (*imagepush.Image, error) {
	img, err := imagepush.Load(d.service.cfg.Cache, digest)
	if err == nil && img == nil {
		err = model.Errorf(model.CodeConflict, "a layer left the cache during the build").WithHint("try again")
	}
	return img, err
}

// step runs one instruction.
func (st *dockerStage) step(ctx context.Context, at int, in dockerfile.Instruction) error {
	d := st.build
	switch in.Name {
	case "RUN":
		return st.run(ctx, in)
	case "COPY", "ADD":
		return st.copy(ctx, at, in)
	case "WORKDIR":
		return st.workdir(ctx, in)
	}
	st.pending = append(st.pending, in.String())
	return st.state.Apply(in, d.file.Escape, d.given, d.global)
}

// settle writes what is pending into the image.
func (st *dockerStage) settle() error {
	img, err := imagepush.Configure(st.build.service.cfg.Cache, st.image, st.state.Config, st.pending)
	if err != nil {
		return err
	}
	st.pending = nil
	return st.replace(img)
}

// replace makes img the image of the stage; the files may be others.
func (st *dockerStage) replace(img *imagepush.Image) error {
	old := st.image
	st.image = img
	return old.Close()
}

// cachedStep is a step with layers: it is taken from the cache, or made. make
// returns the image and the filesystem with its files, or "".
func (st *dockerStage) cachedStep(ctx context.Context, step dockerfile.Step, make func(ctx context.Context) (*imagepush.Image, string, error)) error {
	if err := st.settle(); err != nil {
		return err
	}
	d := st.build
	step.Parent = st.image.Digest
	key := step.Key()
	if !d.params.NoCache {
		img, err := d.service.lookupStep(key)
		if err != nil {
			return err
		}
		if img != nil {
			d.cached++
			d.log.keep("(cached)")
			st.tree = ""
			return st.replace(img)
		}
	}
	img, tree, err := make(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(st.replace(img), failpoint.Hit(ctx, "image.dockerfile/made")); err != nil {
		return err
	}
	st.tree = tree
	return d.service.keepStep(key, img.Digest)
}

// openTree opens the filesystem of the stage, which is made when it is not
// there yet; nil of an image without layers.
func (st *dockerStage) openTree(ctx context.Context) (*imagetree.Tree, error) {
	if len(st.image.Layers()) == 0 {
		return nil, nil
	}
	if st.tree == "" {
		path := st.build.newTree()
		if _, _, err := st.build.flatten(ctx, st.image, path); err != nil {
			return nil, err
		}
		st.tree = path
	}
	return imagetree.Open(st.tree)
}

// newTree names a filesystem to be made.
func (d *dockerBuild) newTree() string {
	d.trees++
	return filepath.Join(d.work(), fmt.Sprintf("%d.ext4", d.trees))
}

// flatten makes the filesystem of an image in the cache.
func (d *dockerBuild) flatten(ctx context.Context, img *imagepush.Image, path string) (model.ImageSource, imagepull.Built, error) {
	resolved, err := d.service.cfg.Puller.ResolveCached(ctx, img.Digest, "")
	if err != nil {
		return model.ImageSource{}, imagepull.Built{}, err
	}
	built, err := d.service.cfg.Puller.BuildExt4(ctx, resolved, path, imagepull.BuildOptions{Stage: func(string) {}}, model.Discard)
	return resolved.Source, built, err
}
