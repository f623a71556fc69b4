package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"time"

	"banger/internal/buildvm"
	"banger/internal/failpoint"
	"banger/internal/imagemgr"
	"banger/internal/imagepush"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/provision"
	"banger/internal/rpc"
)

// Machines runs the steps of builds in transient VMs; buildvm.Service does.
type Machines interface {
	// With boots spec, lets do work in the guest and ends the VM, whatever
	// happens. After nil the filesystem is clean.
	With(ctx context.Context, spec buildvm.Spec, report model.Report, do func(ctx context.Context, g *buildvm.Guest) error) error
}

// BuildImage makes a managed image of what packages, tools, hooks and a script
// make of another image in a transient VM.
//
//	step      what                                              on disk after
//	parse     name, sizes and wishes are right                  -
//	collide   an image of that name that was not built: refused -
//	base      it is here or is pulled, and is not deleted       -
//	          meanwhile
//	stage     a staging directory                               <id>.staging/
//	clone     the base's filesystem, grown when asked           + rootfs.ext4
//	boot      a VM of it, of which no list knows                + console.log
//	(steps)   packages, tools, hooks, script, one by one        + build.log
//	off       the guest unmounts and switches itself off        "
//	packages  what package managers know as installed           + packages.json
//	layer     what differs from the base, in the cache          + blobs
//	boot set  the kernel of the base, when it has its own       + vmlinux initrd modules/
//	publish   fsync, rename, fsync of the parent                <id>/
//	record    the row; an image that was built under that name  row
//	          before gives it up
//
// A failure at any step ends the VM and removes the staging directory; the
// error has the end of the log.
func (s *Service) BuildImage(ctx context.Context, p rpc.ImageBuildParams, report model.Report) (model.Image, error) {
	b, err := planBuild(p) // parse
	if err != nil {
		return model.Image{}, err
	}
	if err := s.replaceable(ctx, p.Name); err != nil { // collide
		return model.Image{}, err
	}
	defer s.dropReplaced(ctx)
	return operation.Do(ctx, s.cfg.Operations, "image.build", p.Name, report,
		func(ctx context.Context, op *operation.Op) (model.Image, error) {
			op.Stage("base")
			base, err := s.EnsureImage(ctx, p.Base, "", op.Report)
			if err != nil {
				return model.Image{}, err
			}
			base, unlock, err := s.holdNamed(ctx, base.ID)
			if err != nil {
				return model.Image{}, err
			}
			defer unlock()
			if err := failpoint.Hit(ctx, "image.build/base"); err != nil {
				return model.Image{}, err
			}
			b.service, b.op, b.base = s, op, base
			if err := b.chooseKernel(ctx); err != nil {
				return model.Image{}, err
			}
			return b.run(ctx)
		})
}

// build is one call of BuildImage.
type build struct {
	params rpc.ImageBuildParams
	wishes provision.Wishes
	steps  []provision.Step
	vm     buildvm.Spec // without paths and kernel

	service *Service
	op      *operation.Op
	base    model.Image
	kernel  string          // of the build and of the image
	boot    model.BootFiles // in its place when it is not empty
	img     model.Image     // to be
}

// planBuild checks the parameters and decides what will be run.
func planBuild(p rpc.ImageBuildParams) (*build, error) {
	if err := model.ValidateObjectName("image", p.Name); err != nil {
		return nil, err
	}
	if p.Base == "" {
		return nil, model.Errorf(model.CodeInvalid, "there is no image to build from").
			WithHint("banger image build NAME --from IMAGE")
	}
	if p.Network == "" {
		p.Network = model.NetUser
	}
	b := &build{params: p, vm: buildvm.Spec{CPUs: p.CPUs, MemoryMiB: p.MemoryMiB, Network: p.Network}, wishes: wishesOf(p)}
	if err := b.vm.Check(); err != nil {
		return nil, err
	}
	if p.Network == model.NetNone && b.wishes.Fetches() {
		return nil, model.Errorf(model.CodeInvalid, "packages and tools are downloaded by the guest, which has no network with --network none").
			WithHint("build with --network user, or install from files of the base image in a script")
	}
	for _, kv := range p.Env {
		if strings.IndexByte(kv, '=') < 1 || strings.IndexByte(kv, 0) >= 0 {
			return nil, model.Errorf(model.CodeInvalid, "environment entry %.80q: KEY=VALUE is needed", kv)
		}
	}
	var err error
	b.steps, err = provision.Plan(b.wishes)
	return b, err
}

func wishesOf(p rpc.ImageBuildParams) provision.Wishes {
	w := provision.Wishes{Packages: p.Packages, Tools: p.Tools, Script: p.Script, ScriptName: p.ScriptName}
	if w.ScriptName == "" {
		w.ScriptName = "-"
	}
	for _, h := range p.Hooks {
		w.Hooks = append(w.Hooks, provision.Hook{When: provision.When(h.When), Name: h.Name, Script: h.Script})
	}
	return w
}

// chooseKernel lays the kernel that was asked for over the base's.
func (b *build) chooseKernel(ctx context.Context) error {
	b.kernel, b.boot = b.base.Kernel, b.base.Boot
	if b.params.KernelRef == "" {
		return nil
	}
	b.op.Stage("kernel")
	name, err := b.service.resolveKernelInputs(ctx, kernelInputs{ref: b.params.KernelRef}, b.op.Report)
	b.kernel, b.boot = name, model.BootFiles{}
	return err
}

func (b *build) run(ctx context.Context) (model.Image, error) {
	b.op.Stage("stage")
	b.img = b.describe()
	staging, err := imagemgr.NewStaging(b.service.cfg.Dir, b.img.ID)
	if err != nil {
		return model.Image{}, err
	}
	b.op.Undo("staging", func(context.Context) error { return staging.Remove() })
	b.img.Dir = staging.Final
	if err := failpoint.Hit(ctx, "image.build/staged"); err != nil {
		return model.Image{}, err
	}
	b.op.Stage("clone")
	rootfs := staging.Path(model.RootfsFile)
	if err := b.service.cloneRootfs(ctx, b.base.RootfsPath(), rootfs); err != nil {
		return model.Image{}, err
	}
	if err := ResizeRootfs(rootfs, b.params.SizeBytes); err != nil {
		return model.Image{}, err
	}
	if err := failpoint.Hit(ctx, "image.build/cloned"); err != nil {
		return model.Image{}, err
	}
	if err := b.runSteps(ctx, staging); err != nil {
		return model.Image{}, err
	}
	if err := failpoint.Hit(ctx, "image.build/ran"); err != nil {
		return model.Image{}, err
	}
	return b.finish(ctx, staging)
}

// ResizeRootfs makes the file of a root filesystem size bytes long; 0 leaves
// it. The guest that mounts it next lets the filesystem fill it. It cannot
// become smaller.
func ResizeRootfs(path string, size int64) error {
	if size == 0 {
		return nil
	}
	const block = 4096
	size = (size + block - 1) / block * block
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if size < info.Size() {
		return model.Errorf(model.CodeInvalid, "size %d is smaller than the base image, which has %d bytes", size, info.Size()).
			WithHint("leave --size out, or make it larger")
	}
	return os.Truncate(path, size)
}

// finish makes an image of the filesystem that the steps have left.
func (b *build) finish(ctx context.Context, staging imagemgr.Staging) (model.Image, error) {
	s, rootfs := b.service, staging.Path(model.RootfsFile)
	if err := checkClean(rootfs); err != nil {
		return model.Image{}, err
	}
	b.op.Stage("packages")
	if err := b.recordPackages(ctx, staging); err != nil {
		return model.Image{}, err
	}
	b.op.Stage("layer")
	if err := b.layer().enter(ctx, rootfs, &b.img); err != nil {
		return model.Image{}, model.Errorf(model.CodeOf(err), "making a layer of the build: %w", err)
	}
	if err := failpoint.Hit(ctx, "image.build/layer"); err != nil {
		return model.Image{}, err
	}
	b.op.Stage("boot set")
	var err error
	if b.img.Boot, err = imagemgr.StageBootArtifacts(ctx, staging, b.boot); err != nil {
		return model.Image{}, err
	}
	b.op.Stage("publish")
	if err := s.publish(ctx, staging, &b.img); err != nil {
		return model.Image{}, err
	}
	if err := failpoint.Hit(ctx, "image.build/published"); err != nil {
		return model.Image{}, err
	}
	b.op.Stage("record")
	return b.img, s.recordBuilt(ctx, b.img)
}

// KindBuild is the kind of source of images that were built of others.
const KindBuild = "build"

// describe returns the image to be: the base's configuration and kernel, and
// what becomes of it.
func (b *build) describe() model.Image {
	s, base, img := b.service, b.base, b.base
	img.ID, img.Name, img.Managed, img.Rootfs, img.Digest = model.NewID(), b.params.Name, true, "", ""
	img.Kernel, img.CreatedAt, img.Replaced = b.kernel, s.cfg.Now().UTC(), false
	record := &model.BuildRecord{
		Base: base.Name, BaseID: base.ID, BaseRef: base.Source.Reference,
		BaseManifest: base.Source.ManifestDigest, BaseRootfs: base.Digest,
		Packages: b.wishes.Packages, Tools: provision.Pinned(b.wishes.Tools), Network: b.params.Network, Log: model.BuildLogFile,
	}
	if b.wishes.Script != "" {
		sum := sha256.Sum256([]byte(b.wishes.Script))
		record.Script, record.ScriptDigest = b.wishes.ScriptName, "sha256:"+hex.EncodeToString(sum[:])
	}
	for _, h := range b.wishes.Hooks {
		record.Hooks = append(record.Hooks, string(h.When)+"="+h.Name)
	}
	img.Source = model.ImageSource{
		Kind: KindBuild, Platform: base.Source.Platform, BuilderVersion: s.cfg.Version,
		History: slices.Clone(base.Source.History), Build: record,
	}
	return img
}

// layer is how the layer of the build comes about. What the history tells has
// the time of the build: what is downloaded is another time another thing.
func (b *build) layer() layering {
	words := []string{"banger image build --from", b.base.Name}
	for _, step := range b.steps {
		words = append(words, "["+step.Name+"]")
	}
	step := imagepush.Step{CreatedBy: strings.Join(words, " "), Created: b.img.CreatedAt.Truncate(time.Second)}
	return layering{service: b.service, op: b.op, base: b.base, step: step}
}
