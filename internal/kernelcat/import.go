package kernelcat

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"banger/internal/failpoint"
	"banger/internal/kernelcat/vmlinux"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// ImportKernel makes a kernel of files on this host.
//
//	step     what                                           on disk after
//	name     valid, and free                                -
//	lock     no pull or delete of that name meanwhile       -
//	stage    kernels/<name>.staging                         staging
//	copy     kernel as ELF, initrd, modules                 + vmlinux initrd modules/
//	check    parts fit, boot modules planned, manifest      + manifest.json
//	publish  sync, rename                                   kernels/<name>/
//	record   row                                            row
//
// A failure leaves nothing. The files given are only read. What is no
// kernel, and modules of another kernel, are CodeInvalid.
func (s *Service) ImportKernel(ctx context.Context, p rpc.KernelImportParams, report model.Report) (model.Kernel, error) {
	if err := validateNewName(p.Name); err != nil {
		return model.Kernel{}, err
	}
	p, err := s.importInputs(p)
	if err != nil {
		return model.Kernel{}, err
	}
	return operation.Do(ctx, s.cfg.Operations, "kernel.import", p.Name, report,
		func(ctx context.Context, op *operation.Op) (model.Kernel, error) { return s.importFiles(ctx, op, p) })
}

func (s *Service) importFiles(ctx context.Context, op *operation.Op, p rpc.KernelImportParams) (model.Kernel, error) {
	op.Stage("lock")
	unlock, err := s.cfg.Operations.Lock(ctx, lockKey(p.Name))
	if err != nil {
		return model.Kernel{}, err
	}
	defer unlock()
	if err := failpoint.Hit(ctx, "kernel.import/locked"); err != nil {
		return model.Kernel{}, err
	}
	if err := s.refuseTaken(ctx, p.Name); err != nil {
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

	if err := failpoint.Hit(ctx, "kernel.import/staged"); err != nil {
		return model.Kernel{}, err
	}
	op.Stage("copy")
	info, err := s.importParts(ctx, st, p)
	if err != nil {
		return model.Kernel{}, err
	}
	if err := failpoint.Hit(ctx, "kernel.import/copied"); err != nil {
		return model.Kernel{}, err
	}
	return s.finish(ctx, op, st, info, model.Kernel{Name: p.Name, Source: importSource(p)})
}

// importParts brings packages or single files into the stage.
func (s *Service) importParts(ctx context.Context, st *stage, p rpc.KernelImportParams) (vmlinux.Info, error) {
	if len(p.Packages) == 0 {
		return st.copyParts(ctx, p)
	}
	info, err := s.unpack(ctx, st, fetched{files: p.Packages})
	if err != nil {
		return info, model.Errorf(model.CodeOf(err), "importing %s: %w", importSource(p), err)
	}
	return info, nil
}

func importSource(p rpc.KernelImportParams) string {
	if len(p.Packages) > 0 {
		return strings.Join(p.Packages, " ")
	}
	return p.KernelPath
}

// validateNewName checks a name that the user gives a kernel.
func validateNewName(name string) error {
	if err := model.ValidateObjectName("kernel", name); err != nil {
		return err
	}
	if strings.HasSuffix(name, model.StagingExt) {
		return model.Errorf(model.CodeInvalid, "kernel name %q: the ending %s is banger's own", name, model.StagingExt)
	}
	return nil
}

func nameTaken(name string) error {
	return model.Errorf(model.CodeConflict, "kernel %s is there already", name).
		WithHint("choose another name, or first: banger kernel delete %s", name)
}

// refuseTaken refuses a name that a kernel on this host or of the catalog has.
func (s *Service) refuseTaken(ctx context.Context, name string) error {
	_, err := s.cfg.Store.Kernel(ctx, name)
	if err == nil {
		return nameTaken(name)
	}
	catalog, cerr := s.loadCatalog()
	if cerr != nil {
		return cerr
	}
	if _, ok := catalog.find(name); ok {
		return model.Errorf(model.CodeConflict, "%s is the name of a kernel in the catalog", name).
			WithHint("choose another name; `banger kernel pull` has --name for it")
	}
	if model.CodeOf(err) != model.CodeNotFound {
		return err
	}
	return nil
}

// copyParts copies the kernel, and initrd and modules when they are given.
func (st *stage) copyParts(ctx context.Context, p rpc.KernelImportParams) (vmlinux.Info, error) {
	image, err := readKernel(p.KernelPath)
	if err != nil {
		return vmlinux.Info{}, err
	}
	info, err := st.addKernel(image)
	if err != nil {
		return vmlinux.Info{}, model.Errorf(model.CodeOf(err), "%s: %w", p.KernelPath, err)
	}
	if p.ConfigPath != "" {
		if err := st.copyFile(p.ConfigPath, ConfigFile); err != nil {
			return vmlinux.Info{}, err
		}
	}
	if p.InitrdPath != "" {
		if err := st.copyFile(p.InitrdPath, model.InitrdFile); err != nil {
			return vmlinux.Info{}, err
		}
	}
	if p.ModulesDir == "" {
		return info, nil
	}
	return info, st.copyModules(ctx, p.ModulesDir)
}

// readKernel reads a kernel file of bounded size.
func readKernel(name string) ([]byte, error) {
	f, err := openRegular(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	image, err := io.ReadAll(io.LimitReader(f, vmlinux.MaxImage+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return image, nil
}

func (st *stage) copyFile(from, to string) error {
	f, err := openRegular(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return st.write(to, f)
}

// openRegular opens a file that the user named: an absolute path, since the
// daemon's working directory is not the user's, of a regular file.
func openRegular(name string) (*os.File, error) {
	if !filepath.IsAbs(name) {
		return nil, model.Errorf(model.CodeInvalid, "%q is no absolute path", name)
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, pathError(err)
	}
	if !info.Mode().IsRegular() {
		return nil, model.Errorf(model.CodeInvalid, "%s is no regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, pathError(err)
	}
	return f, nil
}

// copyModules copies the regular files of a lib/modules/<release> directory.
// Links are passed over: build and source lead to headers that a guest does
// not have.
func (st *stage) copyModules(ctx context.Context, dir string) error {
	if !filepath.IsAbs(dir) {
		return model.Errorf(model.CodeInvalid, "%q is no absolute path", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return pathError(err)
	}
	defer root.Close()
	if err := st.root.MkdirAll(model.ModulesDir, 0o755); err != nil {
		return fmt.Errorf("making the modules directory: %w", err)
	}
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return pathError(err)
		case ctx.Err() != nil:
			return ctx.Err()
		case !d.Type().IsRegular():
			return nil
		}
		f, err := root.Open(name)
		if err != nil {
			return pathError(err)
		}
		defer f.Close()
		return st.write(model.ModulesDir+"/"+name, f)
	})
}

// pathError gives what is wrong with a path that the user named its code.
func pathError(err error) error {
	return model.Errorf(model.CodeInvalid, "reading kernel files: %w", err)
}
