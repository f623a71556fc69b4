package image

import (
	"context"

	"banger/internal/imagemgr"
	"banger/internal/model"
)

// kernelInputs is what a user says about an image's kernel: the name of one
// of the catalog, or paths, or nothing.
type kernelInputs struct {
	ref  string
	boot model.BootFiles
}

// resolveKernelInputs checks the inputs and pulls a catalog kernel that is
// not here. With no inputs the name is empty too: VMs of the image boot the
// default kernel. Paths are checked, not copied.
func (s *Service) resolveKernelInputs(ctx context.Context, in kernelInputs, report model.Report) (name string, err error) {
	switch {
	case in.ref != "" && in.boot != (model.BootFiles{}):
		return "", model.Errorf(model.CodeInvalid, "kernel %q is named and paths are given: only one can be", in.ref)
	case in.ref != "":
		kernel, err := s.cfg.Kernels.EnsureKernel(ctx, in.ref, report)
		if err != nil {
			return "", model.Errorf(model.CodeOf(err), "resolving kernel %q: %w", in.ref, err)
		}
		return kernel.Name, nil
	case in.boot != (model.BootFiles{}):
		return "", imagemgr.ValidateKernelPaths(in.boot)
	}
	return "", nil
}
