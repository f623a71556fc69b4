package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

func newImagePushCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "push IMAGE REF",
		Short: "write an image to a registry",
		Long: "Writes an image to a registry as an OCI image, which other tools run as a container, and\n" +
			"prints the reference that pulls exactly this one. The layers are those that were pulled\n" +
			"while the cache has them; else one is made from the files. What the registry has is not\n" +
			"sent again. Log in with docker login or podman login.",
		Example:           "  banger image push debian-bookworm registry.example/team/base:v1",
		Args:              wantArgs(2, 2, "IMAGE", "REF"),
		ValidArgsFunction: a.names(imageNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			api, err := a.connect(ctx)
			if err != nil {
				return err
			}
			return pushImage(ctx, a, api, args[0], args[1])
		}),
	}
}

func pushImage(ctx context.Context, a *app, api rpc.API, name, ref string) error {
	bar := a.newProgress(true)
	pushed, err := api.PushImage(ctx, rpc.ImagePushParams{Name: name, Ref: ref}, bar.report)
	bar.finish()
	if err != nil {
		return err
	}
	return showName(a, pushed, pushed.Ref)
}
