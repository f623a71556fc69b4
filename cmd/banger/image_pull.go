package main

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"banger/internal/model"
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
	key      string // path
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
			"  tar:/FILE                    a root filesystem in a tar archive\n" +
			"  archive:/FILE[:TAG]          one of these three: its content tells which\n" +
			"  dir:/DIR                     a root filesystem in a directory\n" +
			"  docker-daemon:NAME           an image of the docker that runs on that host\n" +
			"  podman:NAME                  the same of podman\n\n" +
			"Archives may be compressed with gzip or zstd. '-' is an archive on standard input, of\n" +
			"any of the three kinds; 'tar:-' and the like say which.\n\n" +
			"With --verify-key an image of a registry is taken only when its manifest has a cosign\n" +
			"signature made with the key pair. It is checked before any layer is fetched.",
		Example: "  banger image pull debian:bookworm\n" +
			"  banger image pull --name base --size 8G docker.io/library/debian:bookworm\n" +
			"  banger image pull --kernel-path ./vmlinux --modules-dir ./modules alpine\n" +
			"  banger image pull dir:/srv/rootfs\n" +
			"  banger image pull --verify-key cosign.pub registry.example/team/app:v1\n" +
			"  docker save app | banger image pull --name app -",
		Args: wantArgs(1, 1, "REF"),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runImagePull(ctx, a, opts, "banger image pull", args[0])
		}),
	}
	opts.add(cmd, a)
	return cmd
}

func (opts *imagePullOptions) add(cmd *cobra.Command, a *app) {
	flags := cmd.Flags()
	flags.StringVar(&opts.name, "name", "", "`NAME` of the image; default: derived from REF")
	flags.StringVar(&opts.kernel, "kernel", "", "`KERNEL` to boot; default: the catalog's")
	opts.boot.add(flags)
	flags.Var(&opts.size, "size", "size of the filesystem; default: what the image needs and a quarter, at least 1GiB")
	flags.StringVar(&opts.platform, "platform", "", "`OS/ARCH[/VARIANT]` to pull; default: this host's")
	flags.StringVar(&opts.key, "verify-key", "", "`FILE` of the public key whose cosign signature the image must have")
	_ = cmd.RegisterFlagCompletionFunc("kernel", a.names(catalogNames, false))
}

// runImagePull pulls ref for the command at path.
func runImagePull(ctx context.Context, a *app, opts *imagePullOptions, path, ref string) error {
	if err := opts.boot.check(path, opts.kernel); err != nil {
		return err
	}
	if err := opts.boot.resolve(a); err != nil {
		return err
	}
	if isStream(ref) && isTerminal(a.stdin) {
		return usageError(path, "standard input is a terminal: an archive is wanted")
	}
	ref, err := a.absoluteRef(ref)
	if err != nil {
		return err
	}
	key, err := a.readVerifyKey(opts.key)
	if err != nil {
		return err
	}
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	bar := a.newProgress(true)
	image, err := pullOrImport(ctx, api, a.stdin, rpc.ImagePullParams{
		Ref: ref, Name: opts.name, KernelRef: opts.kernel,
		KernelPath: opts.boot.kernel, InitrdPath: opts.boot.initrd, ModulesDir: opts.boot.modules,
		SizeBytes: int64(opts.size), Platform: opts.platform, VerifyKey: key,
	}, bar.report)
	bar.finish()
	if err != nil {
		return err
	}
	return showName(a, image, image.Name)
}

// readVerifyKey returns the text of a public key's file; "" when name is.
func (a *app) readVerifyKey(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	text, err := a.readSmallFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", model.Errorf(model.CodeNotFound, "reading --verify-key: %w", err)
	case err != nil:
		return "", model.Errorf(model.CodeInvalid, "reading --verify-key: %w", err)
	}
	if text == "" {
		return "", model.Errorf(model.CodeInvalid, "--verify-key %q is empty", name)
	}
	return text, nil
}

// pullOrImport sends standard input to the daemon when it is what is meant.
func pullOrImport(ctx context.Context, api rpc.API, in io.Reader, p rpc.ImagePullParams, report model.Report) (model.Image, error) {
	if isStream(p.Ref) {
		return api.ImportImage(ctx, p, in, report)
	}
	return api.PullImage(ctx, p, report)
}
