package image

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"banger/internal/failpoint"
	"banger/internal/imagemgr"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// KindRegistered is the kind of source of registered images.
const KindRegistered = "registered"

// RegisterImage makes an unmanaged image: its files stay the user's.
//
//	step     what                                              on disk after
//	parse    the name and the paths are right                  -
//	collide  an image of that name is here: refused            -
//	check    the filesystem is ext4, clean, and sound for      -
//	         e2fsck where that is installed
//	shell    its programs are for this CPU                     -
//	kernel   catalog kernel or paths, checked                  -
//	record   the row                                           row
func (s *Service) RegisterImage(ctx context.Context, p rpc.ImageRegisterParams, report model.Report) (model.Image, error) {
	boot := model.BootFiles{Kernel: p.KernelPath, Initrd: p.InitrdPath, Modules: p.ModulesDir}
	if err := model.ValidateObjectName("image", p.Name); err != nil { // parse
		return model.Image{}, err
	}
	if err := imagemgr.ValidateRegisterPaths(p.Rootfs, boot); err != nil {
		return model.Image{}, err
	}
	if err := s.free(ctx, p.Name); err != nil { // collide
		return model.Image{}, err
	}
	return operation.Do(ctx, s.cfg.Operations, "image.register", p.Name, report,
		func(ctx context.Context, op *operation.Op) (model.Image, error) { return s.register(ctx, op, p, boot) })
}

// free refuses a name that an image has.
func (s *Service) free(ctx context.Context, name string) error {
	have, err := s.named(ctx, name)
	if err != nil || have == nil {
		return err
	}
	return model.Errorf(model.CodeConflict, "image %q exists already", name).
		WithHint("choose another name, or delete it: banger image delete %s", name)
}

func (s *Service) register(ctx context.Context, op *operation.Op, p rpc.ImageRegisterParams, boot model.BootFiles) (model.Image, error) {
	op.Stage("check")
	if err := checkClean(p.Rootfs); err != nil {
		return model.Image{}, err
	}
	err := fsckReadOnly(ctx, p.Rootfs)
	if errors.Is(err, errNoFsck) {
		op.Report(model.Progress{Note: "e2fsck is not installed: only the superblock was checked"})
	} else if err != nil {
		return model.Image{}, err
	}
	config, err := registeredConfig(op, p.Rootfs)
	if err != nil {
		return model.Image{}, err
	}
	if err := failpoint.Hit(ctx, "image.register/checked"); err != nil {
		return model.Image{}, err
	}
	op.Stage("kernel")
	kernel, err := s.resolveKernelInputs(ctx, kernelInputs{p.KernelRef, boot}, op.Report)
	if err != nil {
		return model.Image{}, err
	}
	op.Stage("record")
	img, err := s.describeRegistered(p, config, kernel, boot)
	if err != nil {
		return model.Image{}, err
	}
	if err := failpoint.Hit(ctx, "image.register/kernel"); err != nil {
		return model.Image{}, err
	}
	return img, s.cfg.Store.InsertImage(ctx, img)
}

// registeredConfig is the configuration of a root filesystem that has none: its
// shell is the command.
func registeredConfig(op *operation.Op, rootfs string) (model.ImageConfig, error) {
	config := model.ImageConfig{
		Architecture: runtime.GOARCH,
		Cmd:          []string{shellPath},
		Env:          []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
	}
	err := checkShell(rootfs)
	switch {
	case err == nil:
	case errors.Is(err, errOtherCPU):
		return config, model.Errorf(model.CodeUnsupported, "root filesystem %s: %w", rootfs, err)
	case errors.Is(err, errNoShell):
		config.Cmd = nil
		op.Report(model.Progress{Note: errNoShell.Error() + ": name the command when you run it"})
	default:
		op.Report(model.Progress{Note: "its programs could not be looked at: " + err.Error()})
	}
	return config, nil
}

func (s *Service) describeRegistered(p rpc.ImageRegisterParams, config model.ImageConfig, kernel string, boot model.BootFiles) (model.Image, error) {
	size, used, err := sizes(p.Rootfs)
	if err != nil {
		return model.Image{}, err
	}
	rootfs := filepath.Clean(p.Rootfs)
	return model.Image{
		ID:        model.NewID(),
		Name:      p.Name,
		Dir:       filepath.Dir(rootfs),
		Rootfs:    rootfs,
		SizeBytes: size,
		UsedBytes: used,
		Kernel:    kernel,
		Boot:      boot,
		Config:    config,
		Source:    model.ImageSource{Kind: KindRegistered, Reference: rootfs, Platform: "linux/" + runtime.GOARCH},
		CreatedAt: s.cfg.Now().UTC(),
	}, nil
}

// sizes returns the length of a file and the bytes that it takes on disk.
func sizes(path string) (size, used int64, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, model.Errorf(model.CodeNotFound, "looking at the root filesystem: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, 0, model.Errorf(model.CodeInvalid, "looking at %s: %w", path, err)
	}
	return info.Size(), st.Blocks * 512, nil
}
