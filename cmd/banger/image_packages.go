package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newImagePackagesCommand(a *app) *cobra.Command {
	opts := &listOptions{}
	cmd := &cobra.Command{
		Use:   "packages [flags] IMAGE",
		Short: "list the packages that are installed in an image",
		Long: "Lists what the databases of dpkg, apk and rpm in an image have as installed. Nothing of the\n" +
			"image is run.",
		Example:           "  banger image packages debian-bookworm",
		Args:              wantArgs(1, 1, "IMAGE"),
		ValidArgsFunction: a.names(imageNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			api, err := a.connect(ctx)
			if err != nil {
				return err
			}
			packages, err := api.ImagePackages(ctx, rpc.NameParams{Name: args[0]})
			if err != nil {
				return err
			}
			return showList(a, packages, func(p model.Package) string { return p.Name }, func(packages []model.Package) table {
				t := table{header: []string{"PACKAGE", "VERSION", "ARCH", "MANAGER"}}
				for _, p := range packages {
					t.rows = append(t.rows, []string{opts.cut(p.Name, 40), opts.cut(p.Version, 40), firstOf(p.Arch, "-"), p.Manager})
				}
				return t
			})
		}),
	}
	opts.add(cmd)
	return cmd
}
