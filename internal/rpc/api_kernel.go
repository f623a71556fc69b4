package rpc

import (
	"context"

	"banger/internal/model"
)

// KernelAPI makes and keeps kernels.
type KernelAPI interface {
	// PullKernel gets a kernel of the catalog; the default one when Name is
	// empty. One that is here already is returned at once.
	PullKernel(ctx context.Context, p KernelPullParams, report model.Report) (model.Kernel, error)
	// ImportKernel makes a kernel of files on this host.
	ImportKernel(ctx context.Context, p KernelImportParams, report model.Report) (model.Kernel, error)
	ListKernels(ctx context.Context) ([]model.Kernel, error)
	ListCatalog(ctx context.Context) ([]model.CatalogKernel, error)
	ShowKernel(ctx context.Context, p NameParams) (model.Kernel, error)
	// DeleteKernel refuses while an image or VM needs the kernel.
	DeleteKernel(ctx context.Context, p NameParams) (model.Kernel, error)
}

// KernelPullParams names a kernel of the catalog.
type KernelPullParams struct {
	Name string `json:"name,omitempty" maxLength:"63" doc:"empty: the catalog's default"`
}

// KernelImportParams makes a kernel of files. Kernel may be an ELF vmlinux or a bzImage.
type KernelImportParams struct {
	Name       string `json:"name" maxLength:"63"`
	KernelPath string `json:"kernel_path" maxLength:"4096"`
	InitrdPath string `json:"initrd_path,omitempty" maxLength:"4096"`
	ModulesDir string `json:"modules_dir,omitempty" maxLength:"4096" doc:"a lib/modules/<release> directory"`
}
