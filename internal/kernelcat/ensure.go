package kernelcat

import (
	"context"

	"banger/internal/model"
	"banger/internal/rpc"
)

// EnsureKernel returns the kernel called name, "" being the default one. One
// on this host is returned at once, one of the catalog is pulled, any other is
// CodeNotFound and names what is near to it.
func (s *Service) EnsureKernel(ctx context.Context, name string, report model.Report) (model.Kernel, error) {
	return s.PullKernel(ctx, rpc.KernelPullParams{Name: name}, report)
}
