package image

import (
	"context"
	"encoding/json"
	"io"
	"os"

	"banger/internal/cosign"
	"banger/internal/failpoint"
	"banger/internal/imagemgr"
	"banger/internal/imagepull"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// PullImage makes a managed image of a reference.
//
//	step      what                                                on disk after it
//	parse     the reference and key are checked, a name derived   -
//	collide   an image of that name is here: refused              -
//	kernel    catalog kernel or paths, checked                    -
//	resolve   reference to digest; its signature, if one is asked -
//	lock      one build per digest; who waited shares the result  -
//	stage     a staging directory                                 <id>.staging/
//	pull      layers are verified and unpacked as they arrive     + blobs, part of rootfs.ext4
//	flatten   their trees are merged                              "
//	build     the filesystem's metadata is written                + rootfs.ext4
//	boot set  kernel, initrd and modules given by paths           + vmlinux initrd modules/
//	publish   fsync, rename, fsync of the parent                  <id>/
//	record    the row                                             row
//
// When the content has been built before, its rootfs.ext4 is shared in place
// of pull, flatten and build. A failure at any step removes the staging or
// the final directory; verified blobs stay in the cache.
func (s *Service) PullImage(ctx context.Context, p rpc.ImagePullParams, report model.Report) (model.Image, error) {
	return s.pullFrom(ctx, p, nil, report)
}

// ImportImage is PullImage for a reference to standard input, which in is: an
// archive of images or a root filesystem. Nothing has to be kept by the
// caller; it is read once.
func (s *Service) ImportImage(ctx context.Context, p rpc.ImagePullParams, in io.Reader, report model.Report) (model.Image, error) {
	return s.pullFrom(ctx, p, in, report)
}

func (s *Service) pullFrom(ctx context.Context, p rpc.ImagePullParams, in io.Reader, report model.Report) (model.Image, error) {
	plan, err := planPull(p) // parse
	if err != nil {
		return model.Image{}, err
	}
	if plan.input = in; plan.ref.IsStream() != (in != nil) {
		return model.Image{}, model.Errorf(model.CodeInvalid, "reference %q and standard input do not fit each other", p.Ref).
			WithHint("an archive is read from standard input by: banger image pull --name NAME -")
	}
	if err := s.collide(ctx, plan); err != nil {
		return model.Image{}, err
	}
	return operation.Do(ctx, s.cfg.Operations, "image.pull", plan.name, report,
		func(ctx context.Context, op *operation.Op) (model.Image, error) { return s.pull(ctx, op, plan) })
}

// pullPlan is a pull whose parameters have been checked.
type pullPlan struct {
	ref       imagepull.Ref
	input     io.Reader // of a reference to standard input, else nil
	name      string
	kernel    kernelInputs
	sizeBytes int64
	platform  string
}

func planPull(p rpc.ImagePullParams) (pullPlan, error) {
	plan := pullPlan{
		name:      p.Name,
		kernel:    kernelInputs{p.KernelRef, model.BootFiles{Kernel: p.KernelPath, Initrd: p.InitrdPath, Modules: p.ModulesDir}},
		sizeBytes: p.SizeBytes,
		platform:  p.Platform,
	}
	var err error
	if plan.ref, err = imagepull.ParseRef(p.Ref); err != nil {
		return plan, err
	}
	if plan.ref, err = signed(plan.ref, p.VerifyKey); err != nil {
		return plan, err
	}
	if plan.name == "" {
		plan.name = plan.ref.DefaultName()
	}
	if err := model.ValidateObjectName("image", plan.name); err != nil {
		return plan, model.Errorf(model.CodeInvalid, "%w", err).WithHint("choose a name: banger image pull --name NAME %s", p.Ref)
	}
	if p.SizeBytes < 0 {
		return plan, model.Errorf(model.CodeInvalid, "size %d is negative", p.SizeBytes)
	}
	_, err = imagepull.ParsePlatform(p.Platform)
	return plan, err
}

// signed demands a signature of the key, when there is one.
func signed(ref imagepull.Ref, pem string) (imagepull.Ref, error) {
	if pem == "" {
		return ref, nil
	}
	key, err := cosign.ParseKey([]byte(pem))
	if err != nil {
		return ref, err
	}
	return ref.SignedBy(key)
}

// collide refuses a name that is taken, before any request leaves this host.
func (s *Service) collide(ctx context.Context, plan pullPlan) error {
	have, err := s.named(ctx, plan.name)
	if err != nil || have == nil {
		return err
	}
	return model.Errorf(model.CodeConflict, "image %q exists already: it is %s", have.Name, have.Source.Reference).
		WithHint("pull under another name (--name), or delete it: banger image delete %s", have.Name)
}

func (s *Service) pull(ctx context.Context, op *operation.Op, plan pullPlan) (model.Image, error) {
	op.Stage("kernel")
	kernel, err := s.resolveKernelInputs(ctx, plan.kernel, op.Report)
	if err != nil {
		return model.Image{}, err
	}
	if err := failpoint.Hit(ctx, "image.pull/kernel"); err != nil {
		return model.Image{}, err
	}
	op.Stage("resolve")
	resolved, err := s.resolve(ctx, op, plan)
	if err != nil {
		return model.Image{}, err
	}
	defer func() { _ = resolved.Close() }() // what it came in has no name
	if err := failpoint.Hit(ctx, "image.pull/resolved"); err != nil {
		return model.Image{}, err
	}
	op.Stage("lock")
	unlock, err := s.cfg.Operations.Lock(ctx, "image.build/"+resolved.Key)
	if err != nil {
		return model.Image{}, err
	}
	defer unlock()
	if err := failpoint.Hit(ctx, "image.pull/locked"); err != nil {
		return model.Image{}, err
	}
	if have, err := s.named(ctx, plan.name); err != nil || have != nil && sameSource(have.Source, resolved.Source) {
		return orNone(have), err // built while this call waited
	}
	return s.stage(ctx, op, plan, resolved, kernel)
}

// sameSource tells whether an image that is here is what was asked for.
func sameSource(have, want model.ImageSource) bool {
	return have.Reference == want.Reference && have.Verified == want.Verified
}

func (s *Service) resolve(ctx context.Context, op *operation.Op, plan pullPlan) (*imagepull.Image, error) {
	if plan.input != nil {
		return s.cfg.Puller.ResolveStream(ctx, plan.ref, plan.input, plan.platform, op.Report)
	}
	return s.cfg.Puller.Resolve(ctx, plan.ref, plan.platform, op.Report)
}

// stage makes the image in a directory that becomes its own when all is there.
func (s *Service) stage(ctx context.Context, op *operation.Op, plan pullPlan, resolved *imagepull.Image, kernel string) (model.Image, error) {
	op.Stage("stage")
	id := model.NewID()
	staging, err := imagemgr.NewStaging(s.cfg.Dir, id)
	if err != nil {
		return model.Image{}, err
	}
	op.Undo("staging", func(context.Context) error { return staging.Remove() })
	if err := failpoint.Hit(ctx, "image.pull/staged"); err != nil {
		return model.Image{}, err
	}

	built, err := s.rootfs(ctx, op, plan, resolved, staging.Path(model.RootfsFile))
	if err != nil {
		return model.Image{}, err
	}
	if err := failpoint.Hit(ctx, "image.pull/rootfs"); err != nil {
		return model.Image{}, err
	}
	op.Stage("boot set")
	boot, err := imagemgr.StageBootArtifacts(ctx, staging, plan.kernel.boot)
	if err != nil {
		return model.Image{}, err
	}
	if err := failpoint.Hit(ctx, "image.pull/bootset"); err != nil {
		return model.Image{}, err
	}
	img := s.describe(plan, resolved, built, staging.Final, id)
	img.Kernel, img.Boot = kernel, boot
	op.Stage("publish")
	if err := writeMetadata(staging.Path(model.ImageFile), img); err != nil {
		return model.Image{}, err
	}
	if err := failpoint.Hit(ctx, "image.pull/described"); err != nil {
		return model.Image{}, err
	}
	if err := staging.Publish(); err != nil {
		return model.Image{}, err
	}
	if err := failpoint.Hit(ctx, "image.pull/published"); err != nil {
		return model.Image{}, err
	}
	op.Stage("record")
	if err := s.cfg.Store.InsertImage(ctx, img); err != nil {
		return model.Image{}, err
	}
	s.markRecorded(img)
	return img, nil
}

// rootfs makes the root filesystem at path, or shares that of an image with
// the same content.
func (s *Service) rootfs(ctx context.Context, op *operation.Op, plan pullPlan, resolved *imagepull.Image, path string) (imagepull.Built, error) {
	twin, err := s.twin(ctx, plan, resolved)
	if err != nil {
		return imagepull.Built{}, err
	}
	if twin != nil {
		op.Stage("share")
		built := imagepull.Built{SizeBytes: twin.SizeBytes, UsedBytes: twin.UsedBytes, Digest: twin.Digest, Layers: twin.Source.Layers}
		return built, imagemgr.Share(twin.RootfsPath(), path)
	}
	opt := imagepull.BuildOptions{SizeBytes: plan.sizeBytes, Stage: op.Stage}
	return s.cfg.Puller.BuildExt4(ctx, resolved, path, opt, op.Report)
}

// describe returns the image that the steps made, its kernel aside.
func (s *Service) describe(plan pullPlan, resolved *imagepull.Image, built imagepull.Built, dir, id string) model.Image {
	source := resolved.Source
	source.Layers = built.Layers
	source.BuilderVersion = s.cfg.Version
	return model.Image{
		ID:        id,
		Name:      plan.name,
		Managed:   true,
		Dir:       dir,
		SizeBytes: built.SizeBytes,
		UsedBytes: built.UsedBytes,
		Digest:    built.Digest,
		Config:    resolved.Config,
		Source:    source,
		CreatedAt: s.cfg.Now().UTC(),
	}
}

// writeMetadata leaves a copy of the row beside the image, for people.
func writeMetadata(path string, img model.Image) error {
	b, err := json.MarshalIndent(img, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o600)
}

func orNone(img *model.Image) model.Image {
	if img == nil {
		return model.Image{}
	}
	return *img
}
