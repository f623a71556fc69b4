package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

// imageRegisterOptions are the flags of 'banger image register'.
type imageRegisterOptions struct {
	rootfs, kernel string
	boot           bootFlags
}

func newImageRegisterCommand(a *app) *cobra.Command {
	opts := &imageRegisterOptions{}
	cmd := &cobra.Command{
		Use:   "register [flags] NAME",
		Short: "make an image of a root filesystem that stays where it is",
		Long: "Makes an image of an existing ext4 root filesystem without a copy. The file stays the\n" +
			"user's: it must be clean, and it must not change while VMs are made of it.\n" +
			"'banger image promote' makes it an image with files of its own.",
		Example: "  banger image register mine --rootfs ./rootfs.ext4\n" +
			"  banger image register mine --rootfs ./rootfs.ext4 --kernel-path ./vmlinux --modules-dir ./lib/modules/6.1.0",
		Args: wantArgs(1, 1, "NAME"),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runImageRegister(ctx, a, opts, args[0])
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.rootfs, "rootfs", "", "`FILE` with the root filesystem, ext4")
	flags.StringVar(&opts.kernel, "kernel", "", "`KERNEL` of the catalog to boot with; default: the default kernel")
	opts.boot.add(flags)
	_ = cmd.RegisterFlagCompletionFunc("kernel", a.names(catalogNames, false))
	return cmd
}

func runImageRegister(ctx context.Context, a *app, opts *imageRegisterOptions, name string) error {
	const path = "banger image register"
	if opts.rootfs == "" {
		return usageError(path, "--rootfs is missing")
	}
	if err := opts.boot.check(path, opts.kernel); err != nil {
		return err
	}
	rootfs, err := a.abs(opts.rootfs)
	if err != nil {
		return err
	}
	if err := opts.boot.resolve(a); err != nil {
		return err
	}
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	bar := a.newProgress(true)
	image, err := api.RegisterImage(ctx, rpc.ImageRegisterParams{
		Name: name, Rootfs: rootfs, KernelRef: opts.kernel,
		KernelPath: opts.boot.kernel, InitrdPath: opts.boot.initrd, ModulesDir: opts.boot.modules,
	}, bar.report)
	bar.finish()
	if err != nil {
		return err
	}
	return showName(a, image, image.Name)
}
