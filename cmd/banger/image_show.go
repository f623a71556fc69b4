package main

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newImageShowCommand(a *app) *cobra.Command {
	var tree bool
	cmd := &cobra.Command{
		Use:     "show [flags] IMAGE [PATH]",
		Aliases: []string{"inspect"},
		Short:   "show all about an image, or its files",
		Long: "Shows all about an image. With --tree it lists the files of the image instead, or those\n" +
			"at and below PATH: mode, owner, size, time, path and target. Bytes that are not\n" +
			"printable are escaped. The image may be in use.",
		Example: "  banger image show debian-bookworm\n  banger image inspect --json debian-bookworm\n" +
			"  banger image show --tree debian-bookworm /etc",
		Args:              wantArgs(1, 2, "IMAGE"),
		ValidArgsFunction: a.names(imageNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			switch {
			case tree:
				return runImageTree(ctx, a, args[0], strings.Join(args[1:], ""))
			case len(args) > 1:
				return usageError("banger image show", "unexpected argument %q", args[1]).
					WithHint("banger image show --tree %s %s", args[0], args[1])
			}
			return runImageShow(ctx, a, args)
		}),
	}
	cmd.Flags().BoolVar(&tree, "tree", false, "list the files of the image")
	return cmd
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
	facts := []fact{
		{"name", image.Name},
		{"replaced", replacedNote(image)},
		{"id", image.ID},
		{"source", source.Reference},
		{"kind", source.Kind},
		{"platform", source.Platform},
		{"manifest", source.ManifestDigest},
		{"config", source.ConfigDigest},
		{"signed by", source.Verified},
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
		{"file", image.Rootfs},
		{"digest", image.Digest},
		{"built by", source.BuilderVersion},
		{"created", formatTime(image.CreatedAt)},
	}
	if source.Build != nil {
		facts = append(facts, buildFacts(image.Dir, source.Build)...)
	}
	return facts
}

// buildFacts are those of an image that was built here.
func buildFacts(dir string, build *model.BuildRecord) []fact {
	return []fact{
		{"built from", build.Base},
		{"base id", build.BaseID},
		{"base source", build.BaseRef},
		{"base manifest", build.BaseManifest},
		{"base digest", build.BaseRootfs},
		{"builder", build.Builder},
		{"dockerfile", build.Dockerfile},
		{"script", build.Script},
		{"script digest", build.ScriptDigest},
		{"packages", strings.Join(build.Packages, " ")},
		{"tools", strings.Join(build.Tools, ", ")},
		{"hooks", quoteArgs(build.Hooks)},
		{"build network", string(build.Network)},
		{"build kernel", build.Kernel},
		{"installed", positive(build.Installed)},
		{"build log", filepath.Join(dir, build.Log)},
	}
}

// replacedNote tells what becomes of an image whose name a later build has.
func replacedNote(image model.Image) string {
	if !image.Replaced {
		return ""
	}
	return "a later build has its name; it goes with the last VM that is made of it"
}
