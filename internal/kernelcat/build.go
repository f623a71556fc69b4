package kernelcat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"banger/internal/failpoint"
	"banger/internal/kernelcat/apt"
	"banger/internal/kernelcat/archive"
	"banger/internal/kernelcat/kbuild"
	"banger/internal/kernelcat/vmlinux"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// The package that a kernel is built from when no source is given.
const (
	sourceDistro  = "debian"
	sourceSuite   = "bookworm"
	sourcePackage = "linux-source"
)

const maxFragmentBytes = 1 << 20

// BuildKernel builds a kernel of a flavour from source.
//
//	step       what                                           on disk after
//	name       valid, and free                                -
//	lock       no pull or import of that name meanwhile       -
//	download   the distribution's source, unless one is given Cache/kernel-build/<name>/source.tar*
//	source     unpacked                                       + src/
//	configure  the flavour's options                          + out/.config
//	compile    make vmlinux                                   + out/vmlinux
//	copy       as an import                                   kernels/<name>.staging
//	check, publish, record                                    kernels/<name>/, row
//	clean      the build directory is removed                 -
//
// When it fails or is ended up to compile, the build directory stays, and the
// same call goes on there.
func (s *Service) BuildKernel(ctx context.Context, p rpc.KernelBuildParams, report model.Report) (model.Kernel, error) {
	p.Flavour = cmp.Or(p.Flavour, kbuild.Flavours()[0].Name)
	p.Name = cmp.Or(p.Name, p.Flavour)
	if err := validateNewName(p.Name); err != nil {
		return model.Kernel{}, err
	}
	if p.Source != "" && !filepath.IsAbs(p.Source) {
		return model.Kernel{}, model.Errorf(model.CodeInvalid, "%q is no absolute path", p.Source)
	}
	options, err := readOptions(p)
	if err != nil {
		return model.Kernel{}, err
	}
	return operation.Do(ctx, s.cfg.Operations, "kernel.build", p.Name, report,
		func(ctx context.Context, op *operation.Op) (model.Kernel, error) { return s.build(ctx, op, p, options) })
}

// readOptions puts the flavour's options and those of the user's files
// together.
func readOptions(p rpc.KernelBuildParams) ([]byte, error) {
	var more [][]byte
	for _, name := range p.Fragments {
		f, err := openRegular(name)
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(io.LimitReader(f, maxFragmentBytes+1))
		_ = f.Close() // was only read
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		if len(text) > maxFragmentBytes {
			return nil, model.Errorf(model.CodeLimit, "%s has more than %d bytes", name, maxFragmentBytes)
		}
		more = append(more, text)
	}
	return kbuild.Config(p.Flavour, more...)
}

func (s *Service) build(ctx context.Context, op *operation.Op, p rpc.KernelBuildParams, options []byte) (model.Kernel, error) {
	op.Stage("lock")
	unlock, err := s.cfg.Operations.Lock(ctx, lockKey(p.Name))
	if err != nil {
		return model.Kernel{}, err
	}
	defer unlock()
	if err := failpoint.Hit(ctx, "kernel.build/locked"); err != nil {
		return model.Kernel{}, err
	}
	if err := s.refuseTaken(ctx, p.Name); err != nil {
		return model.Kernel{}, err
	}
	dir := filepath.Join(s.cfg.Paths.KernelBuilds(), p.Name)
	built, source, err := s.compile(ctx, op, p, dir, options)
	if err != nil {
		return model.Kernel{}, resumable(err, dir)
	}
	if err := failpoint.Hit(ctx, "kernel.build/compiled"); err != nil {
		return model.Kernel{}, err
	}
	if err := s.removeFiles(p.Name); err != nil { // without a row they are a crash's
		return model.Kernel{}, err
	}
	st, err := newStage(s.dir(p.Name))
	if err != nil {
		return model.Kernel{}, err
	}
	defer st.abort() //nolint:errcheck // Recover removes what this cannot
	op.Stage("copy")
	info, err := st.copyParts(ctx, rpc.KernelImportParams{KernelPath: built.Vmlinux, ConfigPath: built.Config})
	if err != nil {
		return model.Kernel{}, resumable(err, dir)
	}
	if err := failpoint.Hit(ctx, "kernel.build/copied"); err != nil {
		return model.Kernel{}, err
	}
	return s.finishBuild(ctx, op, st, info, model.Kernel{Name: p.Name, Flavour: p.Flavour, Source: "built from " + source}, dir)
}

func (s *Service) finishBuild(ctx context.Context, op *operation.Op, st *stage, info vmlinux.Info, k model.Kernel, dir string) (model.Kernel, error) {
	done, err := s.finish(ctx, op, st, info, k)
	if err != nil {
		return model.Kernel{}, resumable(err, dir)
	}
	op.Stage("clean")
	if err := os.RemoveAll(dir); err != nil {
		op.Report(model.Progress{Note: "the build directory " + dir + " cannot be removed: " + err.Error()})
	}
	return done, nil
}

// compile gets the source and builds it in dir; source is what it is called.
func (s *Service) compile(ctx context.Context, op *operation.Op, p rpc.KernelBuildParams, dir string, options []byte) (built kbuild.Result, source string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return built, "", fmt.Errorf("making the build directory: %w", err)
	}
	tree, source := p.Source, p.Source
	if tree == "" {
		op.Stage("download")
		if tree, err = s.downloadSource(ctx, op, dir); err != nil {
			return built, "", err
		}
		source = sourceDistro + " " + sourceSuite + " " + filepath.Base(tree)
	}
	built, err = kbuild.Build(ctx, kbuild.Request{Dir: dir, Source: tree, Options: options, Jobs: p.Jobs},
		op.Stage, func(text string) { op.Report(model.Progress{Note: text}) })
	return built, source, err
}

// resumable tells the user that what was done so far is kept.
func resumable(err error, dir string) error {
	e := model.Errorf(model.CodeOf(err), "%w", err)
	if hint := model.HintOf(err); hint != "" {
		return e.WithHint("%s", hint)
	}
	return e.WithHint("what is built so far is kept in %s: the same command goes on there", dir)
}

// downloadSource returns the archive of the distribution's kernel source in
// dir, which is there already when an earlier call has got so far.
func (s *Service) downloadSource(ctx context.Context, op *operation.Op, dir string) (string, error) {
	have, err := filepath.Glob(filepath.Join(globQuote(dir), sourcePackage+"-*.tar.*"))
	if err != nil || len(have) == 1 {
		return strings.Join(have, ""), err
	}
	packages := filepath.Join(dir, packagesDir)
	if err := errors.Join(os.RemoveAll(packages), os.Mkdir(packages, 0o700)); err != nil {
		return "", fmt.Errorf("making the build directory: %w", err)
	}
	defer os.RemoveAll(packages) // the next call does
	req := apt.Request{Distro: sourceDistro, Suite: sourceSuite, Package: sourcePackage, Source: true}
	got, err := s.cfg.Packages.Download(ctx, req, packages, func(text string) { op.Report(model.Progress{Note: text}) })
	if err != nil {
		return "", err
	}
	for _, name := range got.Files {
		tree, err := takeSource(name, dir)
		if err != nil || tree != "" {
			return tree, err
		}
	}
	return "", model.Errorf(model.CodeInvalid, "package %s has no usr/src/%s-*.tar", got.Package, sourcePackage)
}

// takeSource keeps the archive of a source package in dir, whole or not at
// all, and returns its path; "" when there is none.
func takeSource(pkg, dir string) (found string, err error) {
	f, err := os.Open(pkg)
	if err != nil {
		return "", fmt.Errorf("opening package: %w", err)
	}
	defer f.Close()
	err = archive.Files(f, func(f archive.File) error {
		ok, err := path.Match("usr/src/"+sourcePackage+"-*.tar.*", f.Name)
		if err != nil || !ok || found != "" {
			return err
		}
		found = filepath.Join(dir, path.Base(f.Name))
		return writeWhole(found, f.Body)
	})
	return found, err
}

func writeWhole(name string, r io.Reader) error {
	f, err := renameio.NewPendingFile(name, renameio.WithTempDir(filepath.Dir(name)), renameio.WithPermissions(0o600))
	if err != nil {
		return err
	}
	defer f.Cleanup() //nolint:errcheck // nothing is left after the replace
	if _, err := io.Copy(f, io.LimitReader(r, maxKernelBytes)); err != nil {
		return writeError(filepath.Base(name), err)
	}
	return f.CloseAtomicallyReplace()
}
