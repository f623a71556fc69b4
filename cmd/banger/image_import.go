package main

import (
	"context"

	"github.com/spf13/cobra"
)

// newImageImportCommand is image pull for an archive, by the word that docker
// and podman have for it.
func newImageImportCommand(a *app) *cobra.Command {
	opts := &imagePullOptions{}
	cmd := &cobra.Command{
		Use:     "import [flags] FILE|-",
		Aliases: []string{"load"},
		Short:   "make an image of an archive",
		Long: "Makes an image of what docker save, podman save or skopeo wrote, of an OCI layout in an\n" +
			"archive, or of a root filesystem in one: its content tells which. It may be compressed\n" +
			"with gzip or zstd. Prints the name of the image. The same as: banger image pull archive:FILE",
		Example: "  banger image import ./app.tar.gz\n" +
			"  docker export box | banger image import --name box -",
		Args: wantArgs(1, 1, "FILE"),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runImagePull(ctx, a, opts, "banger image import", "archive:"+args[0])
		}),
	}
	opts.add(cmd, a)
	return cmd
}
