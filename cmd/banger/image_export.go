package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

// imageExportOptions are the flags of image export.
type imageExportOptions struct{ output, format string }

// exportedFile is the answer of 'banger image export --json'.
type exportedFile struct {
	Image  string `json:"image"`
	File   string `json:"file"`
	Format string `json:"format"`
	Bytes  int64  `json:"bytes"`
}

func newImageExportCommand(a *app) *cobra.Command {
	opts := &imageExportOptions{}
	formats := []string{"tar", "oci", "docker"}
	cmd := &cobra.Command{
		Use:   "export [flags] IMAGE",
		Short: "write an image to an archive",
		Long: "Writes an image to a file, or to standard output, in one of three formats:\n\n" +
			"  tar     the files of the root filesystem\n" +
			"  oci     an OCI image layout, for skopeo, podman and banger (oci-archive:FILE)\n" +
			"  docker  what docker load reads (docker-archive:FILE)\n\n" +
			"The same image makes the same archive.",
		Example: "  banger image export debian-bookworm -o debian.tar --format oci\n" +
			"  banger image export debian-bookworm -o - --format docker | docker load",
		Args:              wantArgs(1, 1, "IMAGE"),
		ValidArgsFunction: a.names(imageNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runImageExport(ctx, a, opts, args[0])
		}),
	}
	flags := cmd.Flags()
	flags.StringVarP(&opts.output, "output", "o", "", "`FILE` to write; - is standard output")
	flags.StringVar(&opts.format, "format", "tar", "`FORMAT` of the archive: "+orList(formats))
	_ = cmd.RegisterFlagCompletionFunc("format", words(formats...))
	return cmd
}

func runImageExport(ctx context.Context, a *app, opts *imageExportOptions, name string) error {
	const path = "banger image export"
	switch {
	case opts.output == "":
		return usageError(path, "--output is missing; - is standard output")
	case opts.output == "-" && a.flags.json:
		return usageError(path, "--json and -o - exclude each other: an archive is no JSON value")
	case opts.output == "-" && isTerminal(a.stdout):
		return usageError(path, "an archive is not written to a terminal")
	}
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	params := rpc.ImageExportParams{Name: name, Format: opts.format}
	if opts.output == "-" {
		return api.ExportImage(ctx, params, a.stdout)
	}
	file, err := a.abs(opts.output)
	if err != nil {
		return err
	}
	size, err := writeWhole(file, func(w io.Writer) error { return api.ExportImage(ctx, params, w) })
	if err != nil {
		return err
	}
	return showName(a, exportedFile{name, file, opts.format, size}, file)
}
