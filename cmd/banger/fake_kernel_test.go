package main

import (
	"cmp"
	"context"
	"strings"

	"banger/internal/model"
	"banger/internal/rpc"
)

func (d *fakeDaemon) DefaultKernel(ctx context.Context, p rpc.KernelDefaultParams) (model.Kernel, error) {
	if p.Name == "" {
		p.Name = "debian-12"
	}
	return d.ShowKernel(ctx, rpc.NameParams(p))
}

func (d *fakeDaemon) PushKernel(ctx context.Context, p rpc.KernelPushParams, _ model.Report) (model.KernelArtifact, error) {
	k, err := d.ShowKernel(ctx, rpc.NameParams{Name: p.Name})
	digest := "sha256:" + strings.Repeat("c", 64)
	return model.KernelArtifact{Kernel: k.Name, Ref: p.Ref + "@" + digest, Digest: digest}, err
}

// PruneKernels: nothing needs the kernels of the fake but its default one.
func (d *fakeDaemon) PruneKernels(ctx context.Context, p rpc.KernelPruneParams) ([]model.Kernel, error) {
	kernels, err := d.ListKernels(ctx)
	pruned := []model.Kernel{}
	for _, k := range kernels {
		if k.Default {
			continue
		}
		if !p.DryRun {
			_, err = d.DeleteKernel(ctx, rpc.NameParams{Name: k.Name})
		}
		pruned = append(pruned, k)
	}
	return pruned, err
}

func (d *fakeDaemon) KernelOptions(ctx context.Context, p rpc.NameParams) ([]model.KernelOption, error) {
	_, err := d.ShowKernel(ctx, p)
	return []model.KernelOption{{Name: "CONFIG_NET", Value: "y"}, {Name: "CONFIG_TUN", Value: "m"}}, err
}

func (d *fakeDaemon) KernelModules(ctx context.Context, p rpc.NameParams) ([]model.KernelModule, error) {
	_, err := d.ShowKernel(ctx, p)
	return []model.KernelModule{{Name: "tun", Path: "kernel/drivers/net/tun.ko.xz"}}, err
}

func (d *fakeDaemon) BuildKernel(ctx context.Context, p rpc.KernelBuildParams, report model.Report) (model.Kernel, error) {
	return d.ImportKernel(ctx, rpc.KernelImportParams{Name: cmp.Or(p.Name, p.Flavour, "tiny")}, report)
}

func (d *fakeDaemon) TestKernel(ctx context.Context, p rpc.KernelTestParams, _ model.Report) (model.Kernel, error) {
	k, err := d.ShowKernel(ctx, rpc.NameParams{Name: cmp.Or(p.Name, "debian-12")})
	k.Test = &model.KernelTest{At: epoch, Driver: "qemu", Accel: "tcg", BootMillis: 1234, Release: k.Version, Probes: []model.KernelProbe{
		{Name: "virtio", Works: true, Detail: "virtio_blk virtio_console"}, {Name: "9p", Detail: "file system not known"},
	}}
	return k, err
}
