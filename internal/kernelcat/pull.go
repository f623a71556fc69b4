package kernelcat

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"banger/internal/failpoint"
	"banger/internal/kernelcat/apt"
	"banger/internal/kernelcat/vmlinux"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// packagesDir is where a stage keeps downloaded packages until they are
// unpacked.
const packagesDir = "packages"

// PullKernel gets a kernel of the catalog.
//
//	step      what                                             on disk after
//	name      "" is the default; found in the catalog          -
//	lock      one pull of a kernel; others share its result    -
//	have      on this host already: returned at once           -
//	stage     kernels/<name>.staging                           staging
//	download  the first source that this host can reach        + packages/
//	unpack    vmlinux, config and modules out of the packages  + vmlinux modules/
//	check     parts fit, boot modules planned, manifest        + manifest.json
//	publish   sync, rename                                     kernels/<name>/
//	record    row                                              row
//
// A failure before publish removes the staging directory, one after it the
// kernel's. What a crash leaves is removed by Recover.
func (s *Service) PullKernel(ctx context.Context, p rpc.KernelPullParams, report model.Report) (model.Kernel, error) {
	name, err := s.nameOrDefault(p.Name)
	if err != nil {
		return model.Kernel{}, err
	}
	k, err := s.local(ctx, name)
	if err == nil || model.CodeOf(err) != model.CodeNotFound {
		return k, err
	}
	entry, ok := s.catalog.find(name)
	switch {
	case !ok && errors.Is(err, errFilesGone):
		return model.Kernel{}, err
	case !ok:
		return model.Kernel{}, s.unknown(ctx, name)
	}
	return operation.Do(ctx, s.cfg.Operations, "kernel.pull", name, report,
		func(ctx context.Context, op *operation.Op) (model.Kernel, error) { return s.pull(ctx, op, entry) })
}

func (s *Service) pull(ctx context.Context, op *operation.Op, e Entry) (model.Kernel, error) {
	op.Stage("lock")
	unlock, err := s.cfg.Operations.Lock(ctx, lockKey(e.Name))
	if err != nil {
		return model.Kernel{}, err
	}
	defer unlock()
	if err := failpoint.Hit(ctx, "kernel.pull/locked"); err != nil {
		return model.Kernel{}, err
	}
	if k, err := s.local(ctx, e.Name); err == nil || model.CodeOf(err) != model.CodeNotFound {
		return k, err
	}
	if err := s.forget(ctx, e.Name); err != nil {
		return model.Kernel{}, err
	}
	st, err := newStage(s.dir(e.Name))
	if err != nil {
		return model.Kernel{}, err
	}
	defer st.abort() //nolint:errcheck // Recover removes what this cannot

	if err := failpoint.Hit(ctx, "kernel.pull/staged"); err != nil {
		return model.Kernel{}, err
	}
	op.Stage("download")
	got, source, err := s.download(ctx, op, e, st)
	if err != nil {
		return model.Kernel{}, err
	}
	if err := failpoint.Hit(ctx, "kernel.pull/downloaded"); err != nil {
		return model.Kernel{}, err
	}
	op.Stage("unpack")
	info, err := s.unpack(ctx, st, got.Files)
	if err != nil {
		return model.Kernel{}, fmt.Errorf("unpacking %s: %w", got.Package, err)
	}
	if err := failpoint.Hit(ctx, "kernel.pull/unpacked"); err != nil {
		return model.Kernel{}, err
	}
	return s.finish(ctx, op, st, info, model.Kernel{
		Name: e.Name, Distro: source.Distro, Flavour: e.Flavour,
		Source: fmt.Sprintf("%s: %s %s", source, got.Package, got.Version),
	})
}

// finish is the common end of pull and import: check, publish, record. It
// takes back what it did itself, while the caller still holds the lock.
func (s *Service) finish(ctx context.Context, op *operation.Op, st *stage, info vmlinux.Info, k model.Kernel) (model.Kernel, error) {
	op.Stage("check")
	m, err := s.assemble(st, k, info)
	if err != nil {
		return model.Kernel{}, err
	}
	if !m.PVH && m.Kernel.Arch == "amd64" {
		op.Report(model.Progress{Note: "kernel " + k.Name + " has no PVH entry (CONFIG_PVH): QEMU will not boot it"})
	}
	if err := failpoint.Hit(ctx, "kernel.finish/checked"); err != nil {
		return model.Kernel{}, err
	}
	op.Stage("publish")
	if err := st.publish(s.dir(k.Name)); err != nil {
		return model.Kernel{}, errors.Join(err, s.removeFiles(k.Name))
	}
	op.Stage("record")
	if err := s.record(ctx, m.Kernel); err != nil {
		return model.Kernel{}, errors.Join(err, s.removeFiles(k.Name))
	}
	return s.marked(m.Kernel), nil
}

// record adds the row of a kernel that has been published.
func (s *Service) record(ctx context.Context, k model.Kernel) error {
	if err := failpoint.Hit(ctx, "kernel.finish/published"); err != nil {
		return err
	}
	return s.cfg.Store.InsertKernel(ctx, k)
}

// errFilesGone: there is a row, but its files are missing or another's.
var errFilesGone = errors.New("its files are gone or damaged")

// local returns the kernel if it is on this host with its files, else
// CodeNotFound.
func (s *Service) local(ctx context.Context, name string) (model.Kernel, error) {
	k, err := s.cfg.Store.Kernel(ctx, name)
	if err != nil {
		return model.Kernel{}, err
	}
	if m, err := readManifest(k.Dir); err != nil || m.Kernel.Digest != k.Digest {
		return model.Kernel{}, model.Errorf(model.CodeNotFound, "kernel %s in %s: %w", name, k.Dir, errFilesGone).
			WithHint("banger kernel delete %s, then pull or import it again", name)
	}
	return s.marked(k), nil
}

// forget removes the row of a kernel whose files are gone, and files without
// a row, so that the kernel can be made anew.
func (s *Service) forget(ctx context.Context, name string) error {
	err := s.cfg.Store.DeleteKernel(ctx, name)
	if err != nil && model.CodeOf(err) != model.CodeNotFound {
		return err
	}
	return s.removeFiles(name)
}

// download tries the entry's sources in order. A source that cannot serve
// this host gives way to the next; wrong bytes end it at once.
func (s *Service) download(ctx context.Context, op *operation.Op, e Entry, st *stage) (apt.Result, Source, error) {
	note := func(text string) { op.Report(model.Progress{Note: text}) }
	var failed []error
	for _, source := range e.Sources {
		dir := st.path(packagesDir)
		if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
			return apt.Result{}, source, fmt.Errorf("making a staging directory: %w", err)
		}
		req := apt.Request{Distro: source.Distro, Suite: source.Suite, Package: source.Package}
		got, err := s.cfg.Packages.Download(ctx, req, dir, note)
		if err == nil {
			return got, source, nil
		}
		err = fmt.Errorf("%s: %w", source, err)
		if code := model.CodeOf(err); code == model.CodeIntegrity || code == model.CodeNoSpace || ctx.Err() != nil {
			return apt.Result{}, source, err
		}
		failed = append(failed, err)
	}
	return apt.Result{}, Source{}, noSource(e, failed)
}

// noSource sums up why no source worked. What could be otherwise next time
// (an unreachable mirror) says more than what this host is not.
func noSource(e Entry, failed []error) error {
	cause := failed[0]
	reasons := make([]string, 0, len(failed))
	for _, err := range failed {
		reasons = append(reasons, err.Error())
		if model.CodeOf(cause) == model.CodeUnsupported {
			cause = err
		}
	}
	err := model.Errorf(model.CodeOf(cause), "no source of kernel %s works here: %s", e.Name, strings.Join(reasons, "; "))
	if hint := model.HintOf(cause); hint != "" {
		return err.WithHint("%s", hint)
	}
	return err.WithHint("import a kernel that you have: banger kernel import --kernel-path FILE NAME")
}
