package image

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"banger/internal/buildcontext"
	"banger/internal/builder"
	"banger/internal/buildvm"
	"banger/internal/dockerfile"
	"banger/internal/failpoint"
	"banger/internal/imagemgr"
	"banger/internal/imagepull"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// BuildDockerfile makes a managed image of what a Dockerfile says.
//
//	step      what                                               on disk after
//	parse     the parameters and the Dockerfile are right        -
//	stage     a staging directory                                <id>.staging/
//	context   the directory is listed, .dockerignore left out    "
//	(stages)  those that the target needs, instruction by        + build.log
//	          instruction; each leaves an OCI image in the cache, + blobs
//	          under the key of the step
//	work      filesystems, of steps that are not in the cache    + work/
//	rootfs    made of the layers, or shared with an image that   + rootfs.ext4
//	          has the same
//	boot set  the kernel of the base, when it has its own        + vmlinux initrd modules/
//	publish   fsync, rename, fsync of the parent                 <id>/
//	record    the row; an image that was built under that name   row
//	          before gives it up
//
// An engine of this host may build in place of context, stages and work: see
// runEngine. An image of that name that was made of the same is returned as it is. A RUN
// runs in a VM of its own. After a failure the staging directory is gone; the
// steps that were done stay in the cache.
func (s *Service) BuildDockerfile(ctx context.Context, p rpc.DockerfileBuildParams, report model.Report) (model.Image, error) {
	d, err := planDockerfile(p)
	if err != nil {
		return model.Image{}, err
	}
	if err := s.replaceable(ctx, p.Name); err != nil {
		return model.Image{}, err
	}
	defer s.dropReplaced(ctx)
	return operation.Do(ctx, s.cfg.Operations, "image.dockerfile", p.Name, report,
		func(ctx context.Context, op *operation.Op) (model.Image, error) {
			d.service, d.op = s, op
			if err := d.chooseBuilder(ctx); err != nil {
				return model.Image{}, err
			}
			if d.engine == nil {
				if err := d.parse(); err != nil {
					return model.Image{}, err
				}
			}
			return d.run(ctx)
		})
}

// dockerBuild is one call of BuildDockerfile.
type dockerBuild struct {
	params rpc.DockerfileBuildParams
	text   string
	engine *builder.Engine // nil: banger itself
	file   *dockerfile.File
	order  []int // of stages
	given  map[string]string
	global map[string]string
	vm     buildvm.Spec // without paths and kernel

	service *Service
	op      *operation.Op
	context *buildcontext.Context
	staging imagemgr.Staging
	kernel  string // in place of the bases', or ""
	log     *buildLog
	id      string
	stages  map[int]*dockerStage // that are done
	held    []func()             // let go of images that stages begin with
	trees   int                  // that were made
	said    sync.Map             // notes of VMs
	cached  int
	steps   int
}

// planDockerfile checks the parameters.
func planDockerfile(p rpc.DockerfileBuildParams) (*dockerBuild, error) {
	if err := model.ValidateObjectName("image", p.Name); err != nil {
		return nil, err
	}
	if !filepath.IsAbs(p.Context) {
		return nil, model.Errorf(model.CodeInvalid, "the build context %q is no absolute path", p.Context)
	}
	if p.Dockerfile == "" {
		p.Dockerfile = "Dockerfile"
	}
	if p.Network == "" {
		p.Network = model.NetUser
	}
	d := &dockerBuild{params: p, given: map[string]string{}, global: map[string]string{}, stages: map[int]*dockerStage{}}
	d.vm = buildvm.Spec{CPUs: p.CPUs, MemoryMiB: p.MemoryMiB, Network: p.Network}
	if err := d.vm.Check(); err != nil {
		return nil, err
	}
	for _, kv := range p.BuildArgs {
		key, value, found := strings.Cut(kv, "=")
		if !found || key == "" || strings.IndexByte(kv, 0) >= 0 {
			return nil, model.Errorf(model.CodeInvalid, "build argument %.80q: KEY=VALUE is needed", kv)
		}
		d.given[key] = value
	}
	if d.text = p.Text; d.text != "" {
		return d, nil
	}
	var err error
	d.text, err = buildcontext.ReadDockerfile(p.Context, p.Dockerfile)
	return d, err
}

// path is where the Dockerfile lies below the context, "" when it came as text.
func (d *dockerBuild) path() string {
	if d.params.Text != "" {
		return ""
	}
	return d.params.Dockerfile
}

// parse reads the Dockerfile, for banger's own builder.
func (d *dockerBuild) parse() (err error) {
	if d.file, err = dockerfile.Parse(d.text); err != nil {
		return err
	}
	host, err := imagepull.ParsePlatform("")
	if err != nil {
		return err
	}
	head, err := d.file.Begin(d.given, host.String(), d.params.Target)
	if err != nil {
		return err
	}
	if unused := d.file.Unused(d.given); len(unused) > 0 {
		d.op.Report(model.Progress{Note: "no ARG takes the build argument " + strings.Join(unused, ", ")})
	}
	d.global = head.Args
	d.order, err = d.file.Plan(d.params.Target, head.Lookup)
	return err
}

// lookupGlobal finds what ARG gave before the first FROM.
func (d *dockerBuild) lookupGlobal(name string) (string, bool) {
	v, found := d.global[name]
	return v, found
}

func (d *dockerBuild) run(ctx context.Context) (_ model.Image, err error) {
	d.op.Stage("stage")
	d.id = model.NewID()
	if d.staging, err = imagemgr.NewStaging(d.service.cfg.Dir, d.id); err != nil {
		return model.Image{}, err
	}
	d.op.Undo("staging", func(context.Context) error { return d.staging.Remove() })
	if err := os.Mkdir(d.work(), 0o700); err != nil {
		return model.Image{}, err
	}
	if err := failpoint.Hit(ctx, "image.dockerfile/staged"); err != nil {
		return model.Image{}, err
	}
	if d.kernel, err = d.service.resolveKernelInputs(ctx, kernelInputs{ref: d.params.KernelRef}, d.op.Report); err != nil {
		return model.Image{}, err
	}
	if d.engine != nil {
		return d.runEngine(ctx)
	}
	return d.runOwn(ctx)
}

// runOwn builds in VMs of banger's own.
func (d *dockerBuild) runOwn(ctx context.Context) (_ model.Image, err error) {
	d.op.Stage("context")
	if d.context, err = buildcontext.Open(ctx, d.params.Context, d.path()); err != nil {
		return model.Image{}, err
	}
	defer d.context.Close()
	defer d.release()
	last, err := d.runStages(ctx)
	if err != nil {
		return model.Image{}, err
	}
	return d.finish(ctx, last)
}

// work is where filesystems of steps lie.
func (d *dockerBuild) work() string { return d.staging.Path("work") }

// release lets go of the layers of all stages, and of what they began with.
func (d *dockerBuild) release() {
	for _, unlock := range d.held {
		unlock()
	}
	for _, st := range d.stages {
		_ = st.image.Close()
	}
}

// runStages runs what the target needs and returns the target.
func (d *dockerBuild) runStages(ctx context.Context) (last *dockerStage, err error) {
	if d.log, err = createBuildLog(d.staging.Path(model.BuildLogFile), d.op.Report); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.log.Close()) }()
	for _, i := range d.order {
		if last, err = d.runStage(ctx, i); err != nil {
			return nil, err
		}
	}
	if len(last.image.Layers()) == 0 {
		return nil, model.Errorf(model.CodeInvalid, "the Dockerfile makes an image without files").WithHint("COPY something")
	}
	return last, nil
}
