package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/pflag"

	"banger/internal/rpc"
)

// dockerfileOptions are the flags of 'banger image build' with a Dockerfile.
type dockerfileOptions struct {
	tag, file, target string
	builder           string
	buildArgs         []string
	noCache           bool
}

func (o *dockerfileOptions) add(flags *pflag.FlagSet) {
	flags.StringVarP(&o.tag, "tag", "t", "", "build DIR's Dockerfile as the image `NAME`")
	flags.StringVarP(&o.file, "file", "f", "", "`FILE` in place of DIR/Dockerfile; - is standard input")
	enumFlag(flags, &o.builder, "builder", "what builds a Dockerfile; default: banger, in VMs of its own", builders()...)
	flags.StringVar(&o.target, "target", "", "`STAGE` of the Dockerfile to stop at")
	flags.StringArrayVar(&o.buildArgs, "build-arg", nil, "set ARG `KEY=VALUE`; KEY alone takes the value from here")
	flags.BoolVar(&o.noCache, "no-cache", false, "run all steps of the Dockerfile again")
}

func builders() []string { return []string{"auto", "banger", "buildah", "podman", "docker"} }

// wanted tells whether a Dockerfile is to be built, not a script.
func (o *dockerfileOptions) wanted() bool {
	return o.tag != "" || o.file != "" || o.target != "" || o.builder != "" || len(o.buildArgs) > 0 || o.noCache
}

func runImageBuildDockerfile(ctx context.Context, a *app, opts *imageBuildOptions, dir string) error {
	params, err := opts.dockerfileParams(a, dir)
	if err != nil {
		return err
	}
	return showBuilt(ctx, a, params, rpc.API.BuildDockerfile)
}

func (opts *imageBuildOptions) dockerfileParams(a *app, dir string) (p rpc.DockerfileBuildParams, err error) {
	const path = "banger image build"
	d := opts.docker
	switch {
	case d.tag == "":
		return p, usageError(path, "--tag is missing: the name of the image")
	case opts.from != "" || opts.script != "" || len(opts.packages)+len(opts.with)+len(opts.hooks)+len(opts.env) > 0 || opts.size != 0:
		return p, usageError(path, "--from, --script and what belongs to them do not go with a Dockerfile")
	}
	if err := checkMemory(path, opts.memory); err != nil {
		return p, err
	}
	p = rpc.DockerfileBuildParams{
		Name: d.tag, Builder: d.builder, Target: d.target, NoCache: d.noCache, KernelRef: opts.kernel, Network: opts.network, CPUs: opts.cpus, MemoryMiB: int(opts.memory / mib),
	}
	if p.Context, err = a.abs(dir); err != nil {
		return p, err
	}
	if p.Dockerfile, p.Text, err = a.dockerfile(p.Context, d.file); err != nil {
		return p, err
	}
	p.BuildArgs, err = a.readEnv(nil, d.buildArgs)
	return p, err
}

// dockerfile returns where a Dockerfile lies below the context dir; of one that
// lies elsewhere its text, and what it is called.
func (a *app) dockerfile(dir, file string) (path, text string, err error) {
	if file == "" {
		return "", "", nil
	}
	if file != "-" {
		abs, err := a.abs(file)
		if err != nil {
			return "", "", err
		}
		if rel, err := filepath.Rel(dir, abs); err == nil && filepath.IsLocal(rel) {
			return rel, "", nil
		}
	}
	text, err = a.readText("banger image build", "Dockerfile", file)
	return file, text, err
}
