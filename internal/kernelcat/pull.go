package kernelcat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"banger/internal/failpoint"
	"banger/internal/kernelcat/artifact"
	"banger/internal/kernelcat/vmlinux"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// packagesDir is where a stage keeps downloaded packages until they are
// unpacked.
const packagesDir = "packages"

// PullKernel gets a kernel of the catalog, or with p.Ref of a registry.
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
	if p.Ref != "" {
		return s.pullReference(ctx, p, report)
	}
	name, err := s.nameOrDefault(p.Name)
	if err != nil {
		return model.Kernel{}, err
	}
	k, err := s.local(ctx, name)
	if err == nil || model.CodeOf(err) != model.CodeNotFound {
		return k, err
	}
	catalog, cerr := s.loadCatalog()
	if cerr != nil {
		return model.Kernel{}, cerr
	}
	entry, ok := catalog.find(name)
	switch {
	case !ok && errors.Is(err, errFilesGone):
		return model.Kernel{}, err
	case !ok:
		return model.Kernel{}, s.unknown(ctx, name)
	}
	return s.pullEntry(ctx, entry, report)
}

// pullReference gets the kernel that an OCI reference names, as if the
// catalog had it.
func (s *Service) pullReference(ctx context.Context, p rpc.KernelPullParams, report model.Report) (model.Kernel, error) {
	ref, err := artifact.ParseReference(p.Ref)
	if err != nil {
		return model.Kernel{}, err
	}
	name := cmp.Or(p.Name, path.Base(ref.Context().RepositoryStr()))
	if err := validateNewName(name); err != nil {
		return model.Kernel{}, err
	}
	k, err := s.local(ctx, name)
	switch {
	case err == nil && strings.HasPrefix(k.Source, "oci "+p.Ref+":"):
		return k, nil
	case err == nil:
		return model.Kernel{}, nameTaken(name)
	case model.CodeOf(err) != model.CodeNotFound:
		return model.Kernel{}, err
	}
	if err := s.refuseTaken(ctx, name); err != nil && !errors.Is(err, errFilesGone) {
		return model.Kernel{}, err
	}
	return s.pullEntry(ctx, Entry{Name: name, Arch: s.cfg.Arch, Sources: []Source{{OCI: p.Ref}}}, report)
}

func (s *Service) pullEntry(ctx context.Context, e Entry, report model.Report) (model.Kernel, error) {
	return operation.Do(ctx, s.cfg.Operations, "kernel.pull", e.Name, report,
		func(ctx context.Context, op *operation.Op) (model.Kernel, error) { return s.pull(ctx, op, e) })
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
	got, err := s.fetch(ctx, op, e, st)
	if err != nil {
		return model.Kernel{}, err
	}
	if err := failpoint.Hit(ctx, "kernel.pull/downloaded"); err != nil {
		return model.Kernel{}, err
	}
	op.Stage("unpack")
	info, err := s.unpack(ctx, st, got)
	if err != nil {
		return model.Kernel{}, fmt.Errorf("unpacking %s: %w", got.what, err)
	}
	if err := e.matches(st, info); err != nil {
		return model.Kernel{}, err
	}
	if err := failpoint.Hit(ctx, "kernel.pull/unpacked"); err != nil {
		return model.Kernel{}, err
	}
	return s.finish(ctx, op, st, info, model.Kernel{
		Name: e.Name, Distro: cmp.Or(got.distro, e.Distro), Flavour: cmp.Or(e.Flavour, got.flavour),
		Source: fmt.Sprintf("%s: %s", got.source, got.what),
	})
}

// matches checks what arrived against what the catalog says of it.
func (e Entry) matches(st *stage, info vmlinux.Info) error {
	if !strings.HasPrefix(info.Release, e.Version) {
		return model.Errorf(model.CodeIntegrity, "kernel %s is version %s: the catalog says %s", e.Name, info.Release, e.Version)
	}
	if e.Digest == "" {
		return nil
	}
	digest, err := fileDigest(st.path(model.VmlinuxFile))
	if err == nil && "sha256:"+digest != e.Digest {
		err = model.Errorf(model.CodeIntegrity, "kernel %s has digest sha256:%s: the catalog says %s", e.Name, digest, e.Digest)
	}
	return err
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
