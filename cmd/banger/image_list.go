package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/model"
)

func newImageListCommand(a *app) *cobra.Command {
	opts := &listOptions{}
	cmd := &cobra.Command{
		Use:     "list [flags]",
		Aliases: []string{"ls"},
		Short:   "list images",
		Example: "  banger image list\n  banger images -q",
		Args:    noArgs(),
		RunE: a.action(func(ctx context.Context, _ []string) error {
			return runImageList(ctx, a, opts)
		}),
	}
	opts.add(cmd)
	return cmd
}

func runImageList(ctx context.Context, a *app, opts *listOptions) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	images, err := api.ListImages(ctx)
	if err != nil {
		return err
	}
	return showList(a, images, imageName, func(images []model.Image) table { return imageTable(images, opts, a.now()) })
}

func imageTable(images []model.Image, opts *listOptions, now time.Time) table {
	t := table{header: []string{"NAME", "ID", "SOURCE", "KERNEL", "SIZE", "USED", "CREATED"}}
	for _, image := range images {
		t.rows = append(t.rows, []string{
			image.Name, opts.id(image.ID),
			opts.cut(firstOf(image.Source.Reference, "-"), 40),
			opts.cut(firstOf(image.Kernel, image.Boot.Kernel, "default"), 40),
			formatSize(image.SizeBytes), formatSize(image.UsedBytes),
			formatAge(now, image.CreatedAt),
		})
	}
	return t
}
