package main

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"banger/internal/rpc"
)

// bootFlags are the paths of a kernel that is no catalog kernel.
type bootFlags struct{ kernel, initrd, modules string }

func (f *bootFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.kernel, "kernel-path", "", "kernel `FILE`: vmlinux or bzImage")
	flags.StringVar(&f.initrd, "initrd-path", "", "initrd `FILE` for the kernel")
	flags.StringVar(&f.modules, "modules-dir", "", "`DIR` of the kernel's modules (lib/modules/<release>)")
}

// check refuses flags that contradict each other; kernel is that of --kernel.
func (f *bootFlags) check(path, kernel string) error {
	switch {
	case f.kernel == "" && (f.initrd != "" || f.modules != ""):
		return usageError(path, "--initrd-path and --modules-dir need --kernel-path")
	case f.kernel != "" && kernel != "":
		return usageError(path, "--kernel and --kernel-path exclude each other")
	}
	return nil
}

// resolve makes the paths absolute: the daemon works in another directory.
func (f *bootFlags) resolve(a *app) error {
	for _, path := range []*string{&f.kernel, &f.initrd, &f.modules} {
		if *path == "" {
			continue
		}
		abs, err := a.abs(*path)
		if err != nil {
			return err
		}
		*path = abs
	}
	return nil
}

// imagePullOptions are the flags of image pull.
type imagePullOptions struct {
	name     string
	kernel   string
	boot     bootFlags
	size     sizeValue
	platform string
}

func newImagePullCommand(a *app) *cobra.Command {
	opts := &imagePullOptions{}
	cmd := &cobra.Command{
		Use:   "pull [flags] REF",
		Short: "make an image of an OCI reference",
		Long: "Pulls an OCI image, flattens it into an ext4 filesystem and pairs it with a kernel.\n" +
			"Prints the name of the image.\n\n" +
			"REF is an image of the catalog, of a registry, or of files on the daemon's host:\n\n" +
			"  oci:/DIR[:TAG]               OCI image layout\n" +
			"  oci-archive:/FILE[:TAG]      the same in a tar archive\n" +
			"  docker-archive:/FILE[:TAG]   what docker save writes\n" +
			"  tar:/FILE                    a root filesystem in a tar archive (plain, gzip, zstd)\n" +
			"  dir:/DIR                     a root filesystem in a directory",
		Example: "  banger image pull debian:bookworm\n" +
			"  banger image pull --name base --size 8G docker.io/library/debian:bookworm\n" +
			"  banger image pull --kernel-path ./vmlinux --modules-dir ./modules alpine\n" +
			"  banger image pull dir:/srv/rootfs",
		Args: wantArgs(1, 1, "REF"),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runImagePull(ctx, a, opts, args)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.name, "name", "", "`NAME` of the image; default: derived from REF")
	flags.StringVar(&opts.kernel, "kernel", "", "`KERNEL` to boot; default: the catalog's")
	opts.boot.add(flags)
	flags.Var(&opts.size, "size", "size of the filesystem; default: what the image needs and a quarter, at least 1GiB")
	flags.StringVar(&opts.platform, "platform", "", "`OS/ARCH[/VARIANT]` to pull; default: this host's")
	_ = cmd.RegisterFlagCompletionFunc("kernel", a.names(catalogNames, false))
	return cmd
}

func runImagePull(ctx context.Context, a *app, opts *imagePullOptions, args []string) error {
	const path = "banger image pull"
	if err := opts.boot.check(path, opts.kernel); err != nil {
		return err
	}
	if err := opts.boot.resolve(a); err != nil {
		return err
	}
	ref, err := a.absoluteRef(args[0])
	if err != nil {
		return err
	}
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	bar := a.newProgress(true)
	image, err := api.PullImage(ctx, rpc.ImagePullParams{
		Ref: ref, Name: opts.name, KernelRef: opts.kernel,
		KernelPath: opts.boot.kernel, InitrdPath: opts.boot.initrd, ModulesDir: opts.boot.modules,
		SizeBytes: int64(opts.size), Platform: opts.platform,
	}, bar.report)
	bar.finish()
	if err != nil {
		return err
	}
	return showName(a, image, image.Name)
}
