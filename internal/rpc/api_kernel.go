package rpc

import (
	"context"

	"banger/internal/model"
)

// KernelAPI makes and keeps kernels.
type KernelAPI interface {
	// PullKernel gets a kernel of the catalog, the default one when Name is
	// empty, or with Ref of a registry. One that is here already is returned
	// at once.
	PullKernel(ctx context.Context, p KernelPullParams, report model.Report) (model.Kernel, error)
	// ImportKernel makes a kernel of files on this host.
	ImportKernel(ctx context.Context, p KernelImportParams, report model.Report) (model.Kernel, error)
	// BuildKernel builds a kernel of a flavour from source. When it fails or
	// is canceled the same call goes on where it was.
	BuildKernel(ctx context.Context, p KernelBuildParams, report model.Report) (model.Kernel, error)
	// TestKernel boots a kernel with the agent, tries what it can do, and
	// keeps what was found with the kernel.
	TestKernel(ctx context.Context, p KernelTestParams, report model.Report) (model.Kernel, error)
	ListKernels(ctx context.Context) ([]model.Kernel, error)
	ListCatalog(ctx context.Context) ([]model.CatalogKernel, error)
	ShowKernel(ctx context.Context, p NameParams) (model.Kernel, error)
	// KernelOptions returns the build configuration of a kernel on this host.
	KernelOptions(ctx context.Context, p NameParams) ([]model.KernelOption, error)
	// KernelModules returns the modules that a kernel on this host can load.
	KernelModules(ctx context.Context, p NameParams) ([]model.KernelModule, error)
	// DefaultKernel makes a kernel on this host the default one; without a
	// name it returns the default one.
	DefaultKernel(ctx context.Context, p KernelDefaultParams) (model.Kernel, error)
	// PushKernel writes a kernel on this host to a registry.
	PushKernel(ctx context.Context, p KernelPushParams, report model.Report) (model.KernelArtifact, error)
	// PruneKernels deletes the kernels that nothing needs but the default
	// one, and returns them; with DryRun it only returns them.
	PruneKernels(ctx context.Context, p KernelPruneParams) ([]model.Kernel, error)
	// DeleteKernel refuses while an image or VM needs the kernel.
	DeleteKernel(ctx context.Context, p NameParams) (model.Kernel, error)
}

// KernelPullParams names a kernel of the catalog or of a registry.
type KernelPullParams struct {
	Name string `json:"name,omitempty" maxLength:"63" doc:"empty: the catalog's default, or with ref the last part of the repository's name"`
	Ref  string `json:"ref,omitempty" maxLength:"1024" doc:"REGISTRY/NAME[:TAG][@DIGEST] of a kernel in a registry"`
}

// KernelImportParams makes a kernel of files: of a kernel (an ELF vmlinux or a
// bzImage) and what belongs to it, or of packages, or of the host's own.
type KernelImportParams struct {
	Name       string   `json:"name" maxLength:"63"`
	KernelPath string   `json:"kernel_path,omitempty" maxLength:"4096"`
	InitrdPath string   `json:"initrd_path,omitempty" maxLength:"4096"`
	ModulesDir string   `json:"modules_dir,omitempty" maxLength:"4096" doc:"a lib/modules/<release> directory"`
	ConfigPath string   `json:"config_path,omitempty" maxLength:"4096" doc:"the build configuration"`
	Packages   []string `json:"packages,omitempty" maxItems:"16" doc:"paths of .deb, .rpm or .apk packages, or of bundles"`
	Host       bool     `json:"host,omitempty" doc:"the kernel that the host runs"`
}

// KernelDefaultParams names the kernel that is to be the default.
type KernelDefaultParams struct {
	Name string `json:"name,omitempty" maxLength:"63" doc:"empty: only say which one it is"`
}

// KernelPushParams says which kernel goes where.
type KernelPushParams struct {
	Name string `json:"name,omitempty" maxLength:"63" doc:"empty: the default kernel"`
	Ref  string `json:"ref" maxLength:"1024" doc:"REGISTRY/NAME[:TAG]"`
}

// KernelPruneParams says whether to delete.
type KernelPruneParams struct {
	DryRun bool `json:"dry_run,omitempty"`
}

// KernelBuildParams says what to build of which source.
type KernelBuildParams struct {
	Name      string   `json:"name,omitempty" maxLength:"63" doc:"empty: the flavour's"`
	Flavour   string   `json:"flavour,omitempty" maxLength:"63" doc:"tiny, net, docker or debug; empty: tiny"`
	Source    string   `json:"source,omitempty" maxLength:"4096" doc:"path of a kernel tree or an archive of one; empty: the distribution's source package"`
	Fragments []string `json:"fragments,omitempty" maxItems:"16" doc:"paths of files with more options, CONFIG_NAME=value"`
	Jobs      int      `json:"jobs,omitempty" minimum:"0" maximum:"256" doc:"compilers at a time; 0: one"`
}

// KernelTestParams names the kernel to boot.
type KernelTestParams struct {
	Name string `json:"name,omitempty" maxLength:"63" doc:"empty: the default kernel"`
}
