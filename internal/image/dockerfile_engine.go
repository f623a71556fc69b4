package image

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"banger/internal/builder"
	"banger/internal/imagepull"
	"banger/internal/model"
)

// What a Dockerfile is built with; else it is the name of an engine.
const (
	BuilderBanger = "banger" // VMs of banger's own
	BuilderAuto   = "auto"   // the first engine that can be used, else banger
)

// chooseBuilder finds the engine that is asked for; nil is banger itself.
func (d *dockerBuild) chooseBuilder(ctx context.Context) error {
	name := d.params.Builder
	switch name {
	case "", BuilderBanger:
		return nil
	case BuilderAuto:
		if engine, found := d.service.cfg.Builders.Any(ctx); found && d.refuseForEngine(engine.Name) == nil {
			d.engine = &engine
		}
		d.op.Report(model.Progress{Note: "builder: " + d.builtBy()})
		return nil
	case "docker", "podman", "buildah":
	default:
		return model.Errorf(model.CodeInvalid, "builder %q: auto, banger, buildah, podman or docker is wanted", name)
	}
	if err := d.refuseForEngine(name); err != nil {
		return err
	}
	engine, err := d.service.cfg.Builders.Find(ctx, name)
	d.engine = &engine
	return err
}

// refuseForEngine names what an engine does not honour.
func (d *dockerBuild) refuseForEngine(name string) error {
	var what string
	switch {
	case d.params.CPUs != 0:
		what = "--cpus"
	case d.params.MemoryMiB != 0:
		what = "--memory"
	default:
		return nil
	}
	return model.Errorf(model.CodeInvalid, "%s is of the VMs of banger's own builder: builder %s does not take it", what, name)
}

// builtBy names the builder and its version.
func (d *dockerBuild) builtBy() string {
	if d.engine == nil {
		return BuilderBanger + " " + d.service.cfg.Version
	}
	return d.engine.String()
}

// runEngine lets an engine build the Dockerfile and takes in the result as if
// it had been pulled.
func (d *dockerBuild) runEngine(ctx context.Context) (model.Image, error) {
	id, err := d.buildByEngine(ctx)
	if err != nil {
		return model.Image{}, err
	}
	d.op.Stage("save")
	resolved, err := d.takeIn(ctx, id)
	if err != nil {
		return model.Image{}, err
	}
	defer func() { _ = resolved.Close() }() // what it came in has no name
	if err := os.RemoveAll(d.work()); err != nil {
		return model.Image{}, err
	}
	have, err := d.service.named(ctx, d.params.Name)
	if err != nil {
		return model.Image{}, err
	}
	if have != nil && have.Source.Build != nil && have.Source.Build.Builder == d.builtBy() &&
		have.Source.ConfigDigest == resolved.Source.ConfigDigest && have.Kernel == d.kernel {
		return *have, d.staging.Remove()
	}
	built, err := d.service.cfg.Puller.BuildExt4(ctx, resolved, d.staging.Path(model.RootfsFile), imagepull.BuildOptions{Stage: d.op.Stage}, d.op.Report)
	if err != nil {
		return model.Image{}, err
	}
	img := d.newImage(resolved.Source, resolved.Config, built)
	img.Kernel, img.Source.Layers = d.kernel, built.Layers
	return d.keep(ctx, img, model.BootFiles{})
}

// buildByEngine returns the id that the engine has given to the image.
func (d *dockerBuild) buildByEngine(ctx context.Context) (id string, err error) {
	d.op.Stage("build")
	if d.log, err = createBuildLog(d.staging.Path(model.BuildLogFile), d.op.Report); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, d.log.Close()) }()
	d.log.begin(d.builtBy())
	file, err := d.fileForEngine()
	if err != nil {
		return "", err
	}
	b := builder.Build{
		Context: d.params.Context, Dockerfile: file, Target: d.params.Target,
		Args: d.params.BuildArgs, NoCache: d.params.NoCache, Network: d.params.Network, Tag: "localhost/banger/" + d.params.Name,
	}
	id, err = d.engine.Build(ctx, b, d.work(), d.log)
	if err := d.log.flush(); err != nil {
		return "", err
	}
	if errors.Is(err, builder.ErrFailed) {
		return "", model.Errorf(model.CodeFailed, "%w%s", err, d.log.lastWords())
	}
	return id, err
}

// fileForEngine returns the path of the Dockerfile, which is written when it
// came as text.
func (d *dockerBuild) fileForEngine() (string, error) {
	if d.params.Text == "" {
		return filepath.Join(d.params.Context, d.params.Dockerfile), nil
	}
	path := filepath.Join(d.work(), "Dockerfile")
	return path, os.WriteFile(path, []byte(d.params.Text), 0o600)
}

// takeIn reads an image of the engine, whose archive is trusted no more than
// any other.
func (d *dockerBuild) takeIn(ctx context.Context, id string) (_ *imagepull.Image, err error) {
	ref, err := imagepull.ParseRef("docker-archive:-")
	if err != nil {
		return nil, err
	}
	archive, err := d.engine.Save(ctx, id)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	resolved, err := d.service.cfg.Puller.ResolveStream(ctx, ref, archive, "", d.op.Report)
	if err != nil {
		return nil, model.Errorf(model.CodeOf(err), "taking in what %s has built: %w", d.engine.Name, err)
	}
	return resolved, nil
}
