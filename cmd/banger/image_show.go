package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newImageShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "show IMAGE",
		Aliases:           []string{"inspect"},
		Short:             "show all about an image",
		Example:           "  banger image show debian-bookworm\n  banger image inspect --json debian-bookworm",
		Args:              wantArgs(1, 1, "IMAGE"),
		ValidArgsFunction: a.names(imageNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runImageShow(ctx, a, args)
		}),
	}
}

func runImageShow(ctx context.Context, a *app, args []string) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	image, err := api.ShowImage(ctx, rpc.NameParams{Name: args[0]})
	if err != nil {
		return err
	}
	return showOne(a, image, image.Name, imageFacts(image))
}

func imageFacts(image model.Image) []fact {
	config, source := image.Config, image.Source
	return []fact{
		{"name", image.Name},
		{"id", image.ID},
		{"source", source.Reference},
		{"platform", source.Platform},
		{"manifest", source.ManifestDigest},
		{"layers", positive(len(source.Layers))},
		{"kernel", firstOf(image.Kernel, image.Boot.Kernel, "default")},
		{"initrd", image.Boot.Initrd},
		{"modules", image.Boot.Modules},
		{"size", positiveSize(image.SizeBytes)},
		{"used", positiveSize(image.UsedBytes)},
		{"entrypoint", quoteArgs(config.Entrypoint)},
		{"command", quoteArgs(config.Cmd)},
		{"working dir", config.WorkingDir},
		{"user", config.User},
		{"environment", quoteArgs(config.Env)},
		{"ports", strings.Join(config.ExposedPorts, " ")},
		{"volumes", quoteArgs(config.Volumes)},
		{"labels", joinLabels(config.Labels)},
		{"directory", image.Dir},
		{"created", formatTime(image.CreatedAt)},
	}
}
