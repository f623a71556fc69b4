package rpc

import (
	"context"
	"io"

	"banger/internal/model"
)

// none is the parameters or the result of an operation that has none.
type none struct{}

var _ API = (*Client)(nil)

// Version implements API.
func (c *Client) Version(ctx context.Context) (model.VersionInfo, error) {
	return invoke[model.VersionInfo](ctx, c, "system.version", none{})
}

// Settings implements API.
func (c *Client) Settings(ctx context.Context) (model.Settings, error) {
	return invoke[model.Settings](ctx, c, "system.settings", none{})
}

// Shutdown implements API.
func (c *Client) Shutdown(ctx context.Context) error {
	_, err := invoke[none](ctx, c, "system.shutdown", none{})
	return err
}

// PullImage implements API.
func (c *Client) PullImage(ctx context.Context, p ImagePullParams, report model.Report) (model.Image, error) {
	return follow[model.Image](ctx, c, "image.pull", p, report)
}

// ImportImage implements API.
func (c *Client) ImportImage(ctx context.Context, p ImagePullParams, in io.Reader, report model.Report) (model.Image, error) {
	return attach[model.Image](ctx, c, "image.import", p, true, Stdio{Stdin: in}, report)
}

// ListImages implements API.
func (c *Client) ListImages(ctx context.Context) ([]model.Image, error) {
	return invoke[[]model.Image](ctx, c, "image.list", none{})
}

// ShowImage implements API.
func (c *Client) ShowImage(ctx context.Context, p NameParams) (model.Image, error) {
	return invoke[model.Image](ctx, c, "image.show", p)
}

// DeleteImage implements API.
func (c *Client) DeleteImage(ctx context.Context, p NameParams) (model.Image, error) {
	return invoke[model.Image](ctx, c, "image.delete", p)
}

// ListImageCache implements API.
func (c *Client) ListImageCache(ctx context.Context) ([]model.CachedBlob, error) {
	return invoke[[]model.CachedBlob](ctx, c, "image.cacheList", none{})
}

// PruneImageCache implements API.
func (c *Client) PruneImageCache(ctx context.Context, p ImageCachePruneParams) ([]model.CachedBlob, error) {
	return invoke[[]model.CachedBlob](ctx, c, "image.cachePrune", p)
}

// VerifyImageCache implements API.
func (c *Client) VerifyImageCache(ctx context.Context, report model.Report) ([]model.CachedBlob, error) {
	return follow[[]model.CachedBlob](ctx, c, "image.cacheVerify", none{}, report)
}

// PullKernel implements API.
func (c *Client) PullKernel(ctx context.Context, p KernelPullParams, report model.Report) (model.Kernel, error) {
	return follow[model.Kernel](ctx, c, "kernel.pull", p, report)
}

// ImportKernel implements API.
func (c *Client) ImportKernel(ctx context.Context, p KernelImportParams, report model.Report) (model.Kernel, error) {
	return follow[model.Kernel](ctx, c, "kernel.import", p, report)
}

// ListKernels implements API.
func (c *Client) ListKernels(ctx context.Context) ([]model.Kernel, error) {
	return invoke[[]model.Kernel](ctx, c, "kernel.list", none{})
}

// ListCatalog implements API.
func (c *Client) ListCatalog(ctx context.Context) ([]model.CatalogKernel, error) {
	return invoke[[]model.CatalogKernel](ctx, c, "kernel.catalog", none{})
}

// KernelOptions implements API.
func (c *Client) KernelOptions(ctx context.Context, p NameParams) ([]model.KernelOption, error) {
	return invoke[[]model.KernelOption](ctx, c, "kernel.options", p)
}

// KernelModules implements API.
func (c *Client) KernelModules(ctx context.Context, p NameParams) ([]model.KernelModule, error) {
	return invoke[[]model.KernelModule](ctx, c, "kernel.modules", p)
}

// ShowKernel implements API.
func (c *Client) ShowKernel(ctx context.Context, p NameParams) (model.Kernel, error) {
	return invoke[model.Kernel](ctx, c, "kernel.show", p)
}

// DeleteKernel implements API.
func (c *Client) DeleteKernel(ctx context.Context, p NameParams) (model.Kernel, error) {
	return invoke[model.Kernel](ctx, c, "kernel.delete", p)
}

// BuildKernel implements API.
func (c *Client) BuildKernel(ctx context.Context, p KernelBuildParams, report model.Report) (model.Kernel, error) {
	return follow[model.Kernel](ctx, c, "kernel.build", p, report)
}

// TestKernel implements API.
func (c *Client) TestKernel(ctx context.Context, p KernelTestParams, report model.Report) (model.Kernel, error) {
	return follow[model.Kernel](ctx, c, "kernel.test", p, report)
}

// DefaultKernel implements API.
func (c *Client) DefaultKernel(ctx context.Context, p KernelDefaultParams) (model.Kernel, error) {
	return invoke[model.Kernel](ctx, c, "kernel.default", p)
}

// PushKernel implements API.
func (c *Client) PushKernel(ctx context.Context, p KernelPushParams, report model.Report) (model.KernelArtifact, error) {
	return follow[model.KernelArtifact](ctx, c, "kernel.push", p, report)
}

// PruneKernels implements API.
func (c *Client) PruneKernels(ctx context.Context, p KernelPruneParams) ([]model.Kernel, error) {
	return invoke[[]model.Kernel](ctx, c, "kernel.prune", p)
}

// CreateVM implements API.
func (c *Client) CreateVM(ctx context.Context, p VMCreateParams, report model.Report) (model.VM, error) {
	return follow[model.VM](ctx, c, "vm.create", p, report)
}

// StartVM implements API.
func (c *Client) StartVM(ctx context.Context, p NameParams, report model.Report) (model.VM, error) {
	return follow[model.VM](ctx, c, "vm.start", p, report)
}

// StopVM implements API.
func (c *Client) StopVM(ctx context.Context, p VMStopParams, report model.Report) (model.VM, error) {
	return follow[model.VM](ctx, c, "vm.stop", p, report)
}

// KillVM implements API.
func (c *Client) KillVM(ctx context.Context, p NameParams) (model.VM, error) {
	return invoke[model.VM](ctx, c, "vm.kill", p)
}

// RestartVM implements API.
func (c *Client) RestartVM(ctx context.Context, p VMStopParams, report model.Report) (model.VM, error) {
	return follow[model.VM](ctx, c, "vm.restart", p, report)
}

// DeleteVM implements API.
func (c *Client) DeleteVM(ctx context.Context, p VMDeleteParams, report model.Report) (model.VM, error) {
	return follow[model.VM](ctx, c, "vm.delete", p, report)
}

// ListVMSummaries implements API.
func (c *Client) ListVMSummaries(ctx context.Context) ([]model.VMSummary, error) {
	return invoke[[]model.VMSummary](ctx, c, "vm.summaries", none{})
}

// ResetVM implements API.
func (c *Client) ResetVM(ctx context.Context, p VMResetParams, report model.Report) (model.VM, error) {
	return follow[model.VM](ctx, c, "vm.reset", p, report)
}

// RebaseVM implements API.
func (c *Client) RebaseVM(ctx context.Context, p VMRebaseParams, report model.Report) (model.VM, error) {
	return follow[model.VM](ctx, c, "vm.rebase", p, report)
}

// ListVMs implements API.
func (c *Client) ListVMs(ctx context.Context) ([]model.VM, error) {
	return invoke[[]model.VM](ctx, c, "vm.list", none{})
}

// ShowVM implements API.
func (c *Client) ShowVM(ctx context.Context, p NameParams) (model.VM, error) {
	return invoke[model.VM](ctx, c, "vm.show", p)
}

// LogsVM implements API.
func (c *Client) LogsVM(ctx context.Context, p VMLogsParams, w io.Writer) error {
	return c.stream(ctx, "vm.logs", p, w)
}

// ExecVM implements API. One Read of Stdin may be under way after it returns.
func (c *Client) ExecVM(ctx context.Context, p VMExecParams, stdio Stdio, report model.Report) (model.ExitStatus, error) {
	return attach[model.ExitStatus](ctx, c, "vm.exec", p, p.Stdin, stdio, report)
}

// RunVM implements API. One Read of Stdin may be under way after it returns.
func (c *Client) RunVM(ctx context.Context, p VMRunParams, stdio Stdio, report model.Report) (model.ExitStatus, error) {
	return attach[model.ExitStatus](ctx, c, "vm.run", p, p.Stdin, stdio, report)
}

// CreateVolume implements API.
func (c *Client) CreateVolume(ctx context.Context, p VolumeCreateParams) (model.Volume, error) {
	return invoke[model.Volume](ctx, c, "volume.create", p)
}

// ListVolumes implements API.
func (c *Client) ListVolumes(ctx context.Context) ([]model.Volume, error) {
	return invoke[[]model.Volume](ctx, c, "volume.list", none{})
}

// ShowVolume implements API.
func (c *Client) ShowVolume(ctx context.Context, p NameParams) (model.Volume, error) {
	return invoke[model.Volume](ctx, c, "volume.show", p)
}

// DeleteVolume implements API.
func (c *Client) DeleteVolume(ctx context.Context, p NameParams) (model.Volume, error) {
	return invoke[model.Volume](ctx, c, "volume.delete", p)
}

// PruneVolumes implements API.
func (c *Client) PruneVolumes(ctx context.Context, p VolumePruneParams) ([]model.Volume, error) {
	return invoke[[]model.Volume](ctx, c, "volume.prune", p)
}

// ResizeVolume implements API.
func (c *Client) ResizeVolume(ctx context.Context, p VolumeResizeParams) (model.Volume, error) {
	return invoke[model.Volume](ctx, c, "volume.resize", p)
}

// ListOperations implements API.
func (c *Client) ListOperations(ctx context.Context) ([]model.Operation, error) {
	return invoke[[]model.Operation](ctx, c, "operation.list", none{})
}

// ShowOperation implements API.
func (c *Client) ShowOperation(ctx context.Context, p IDParams) (model.Operation, error) {
	return invoke[model.Operation](ctx, c, "operation.show", p)
}

// WatchOperation implements API.
func (c *Client) WatchOperation(ctx context.Context, p IDParams, report model.Report) (model.Operation, error) {
	return follow[model.Operation](ctx, c, "operation.watch", p, report)
}

// CancelOperation implements API.
func (c *Client) CancelOperation(ctx context.Context, p IDParams) (model.Operation, error) {
	return invoke[model.Operation](ctx, c, "operation.cancel", p)
}
