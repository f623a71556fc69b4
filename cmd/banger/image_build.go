package main

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

// imageBuildOptions are the flags of 'banger image build'.
type imageBuildOptions struct {
	from, script string
	kernel       string
	packages     []string
	with         []string
	hooks        []string
	env          []string
	size, memory sizeValue
	cpus         int
	network      model.NetworkMode
	docker       dockerfileOptions
}

func newImageBuildCommand(a *app) *cobra.Command {
	opts := &imageBuildOptions{}
	cmd := &cobra.Command{
		Use:   "build [flags] NAME|DIR",
		Short: "make an image with a script or a Dockerfile",
		Long: "Boots a copy of the image that --from names in a VM of its own, which no list shows, and\n" +
			"installs packages with its package manager (apt-get, apk or dnf), then tools in versions\n" +
			"that banger knows, and runs the script, as root. What is on the disk then becomes the\n" +
			"image NAME: its configuration and kernel are those of the base.\n\n" +
			"A script for sh or bash stops at the first command that fails, and the error has its line\n" +
			"and the end of the log; a script with another first line (#!) runs as it wants to. Hooks\n" +
			"are scripts that run at other moments: before-packages, after-packages, after-tools and\n" +
			"after-script. When a step fails, nothing of the build is left.\n\n" +
			"The steps see the environment of the base and that of --env, which is not kept.\n\n" +
			"With --tag NAME the argument is a directory, and its Dockerfile is built: each RUN in a VM\n" +
			"of its own. What a step made is kept, and taken again while nothing before it changes.\n" +
			"banger image cache prune drops it. --builder lets docker, podman or buildah of this host\n" +
			"build instead; auto is the first of them that answers, else banger.",
		Example: "  banger image build -t web .\n" +
			"  banger image build web --from debian:bookworm --package nginx --script setup.sh\n" +
			"  banger image build mine --from base --network none --size 8G --script setup.sh --hook after-script=clean.sh",
		Args: wantArgs(1, 1, "NAME|DIR"),
		RunE: a.action(func(ctx context.Context, args []string) error {
			if opts.docker.wanted() {
				return runImageBuildDockerfile(ctx, a, opts, args[0])
			}
			return runImageBuild(ctx, a, opts, args[0])
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.from, "from", "", "`IMAGE` to build from; pulled when it is not here")
	flags.StringVar(&opts.script, "script", "", "`FILE` to run; - is standard input")
	flags.StringSliceVar(&opts.packages, "package", nil, "install `PACKAGE`; may be repeated")
	flags.StringSliceVar(&opts.with, "with", nil, "install `TOOL`: claude, codex, mise, opencode, tmux; may be repeated")
	flags.StringArrayVar(&opts.hooks, "hook", nil, "run a script at another moment: `WHEN=FILE`")
	flags.StringArrayVarP(&opts.env, "env", "e", nil, "set `KEY=VALUE` for the steps; KEY alone takes the value from here")
	flags.StringVar(&opts.kernel, "kernel", "", "`KERNEL` for the build and the image to boot; default: the base's")
	flags.Var(&opts.size, "size", "size of the filesystem; default: the base's")
	flags.VarP(countValue{&opts.cpus, 1, maxCPUs, "count"}, "cpus", "c", "number of CPUs of the build")
	flags.VarP(&opts.memory, "memory", "m", "memory of the build, such as 512M or 2G")
	enumFlag(flags, &opts.network, "network", "what the build may reach; default: user", string(model.NetNone), string(model.NetUser))
	opts.docker.add(flags)
	_ = cmd.RegisterFlagCompletionFunc("builder", words(builders()...))
	_ = cmd.RegisterFlagCompletionFunc("network", words(string(model.NetNone), string(model.NetUser)))
	_ = cmd.RegisterFlagCompletionFunc("kernel", a.names(catalogNames, false))
	_ = cmd.RegisterFlagCompletionFunc("with", words("claude", "codex", "mise", "opencode", "tmux"))
	_ = cmd.RegisterFlagCompletionFunc("from", a.names(imageNames, false))
	return cmd
}

func runImageBuild(ctx context.Context, a *app, opts *imageBuildOptions, name string) error {
	params, err := opts.params(a, name)
	if err != nil {
		return err
	}
	return showBuilt(ctx, a, params, rpc.API.BuildImage)
}

// showBuilt builds an image, shows how that goes, and prints its name.
func showBuilt[P any](ctx context.Context, a *app, params P, build func(rpc.API, context.Context, P, model.Report) (model.Image, error)) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	bar := a.newProgress(true)
	image, err := build(api, ctx, params, bar.report)
	bar.finish()
	if err != nil {
		return err
	}
	return showName(a, image, image.Name)
}

// params checks the flags and reads the scripts: the daemon may not be able
// to.
func (opts *imageBuildOptions) params(a *app, name string) (p rpc.ImageBuildParams, err error) {
	const path = "banger image build"
	if opts.from == "" {
		return p, usageError(path, "--from is missing: the image to build from")
	}
	if err := checkMemory(path, opts.memory); err != nil {
		return p, err
	}
	p = rpc.ImageBuildParams{
		Name: name, Packages: opts.packages, Tools: opts.with, KernelRef: opts.kernel, SizeBytes: int64(opts.size),
		Network: opts.network, CPUs: opts.cpus, MemoryMiB: int(opts.memory / mib),
	}
	if p.Base, err = a.absoluteRef(opts.from); err != nil {
		return p, err
	}
	if p.Env, err = a.readEnv(nil, opts.env); err != nil {
		return p, err
	}
	if opts.script != "" {
		p.ScriptName = scriptName(opts.script)
		if p.Script, err = a.readText(path, "script", opts.script); err != nil {
			return p, err
		}
	}
	p.Hooks, err = opts.readHooks(a, path)
	return p, err
}

func (opts *imageBuildOptions) readHooks(a *app, path string) ([]rpc.ImageBuildHook, error) {
	var hooks []rpc.ImageBuildHook
	for _, h := range opts.hooks {
		when, file, found := strings.Cut(h, "=")
		if !found || file == "" {
			return nil, usageError(path, "--hook %q: WHEN=FILE is wanted", h)
		}
		script, err := a.readText(path, "script", file)
		if err != nil {
			return nil, err
		}
		hooks = append(hooks, rpc.ImageBuildHook{When: when, Name: scriptName(file), Script: script})
	}
	return hooks, nil
}

// scriptName is what a script is called in errors and in the image's record.
func scriptName(file string) string {
	if file == "-" {
		return "-"
	}
	return filepath.Base(file)
}
