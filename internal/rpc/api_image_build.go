package rpc

import (
	"context"
	"io"

	"banger/internal/model"
)

// ImageBuildAPI makes images of other images.
type ImageBuildAPI interface {
	// BuildImage runs what is asked for in a transient VM of the base image
	// and makes its disk an image. What the build says comes as notes.
	BuildImage(ctx context.Context, p ImageBuildParams, report model.Report) (model.Image, error)
	// BuildDockerfile makes an image of what a Dockerfile says; its RUNs run
	// in transient VMs.
	BuildDockerfile(ctx context.Context, p DockerfileBuildParams, report model.Report) (model.Image, error)
	// ImageLog writes what the build of an image has said to w.
	ImageLog(ctx context.Context, p NameParams, w io.Writer) error
	// ImagePackages returns the packages that the package managers of an image
	// know as installed, by name.
	ImagePackages(ctx context.Context, p NameParams) ([]model.Package, error)
}

// ImageBuildParams says what to build of which image.
type ImageBuildParams struct {
	Name       string            `json:"name" maxLength:"63"`
	Base       string            `json:"base" maxLength:"4096" doc:"name, id or reference of an image; pulled when it is not here"`
	Script     string            `json:"script,omitempty" maxLength:"262144" doc:"text of a provisioning script"`
	ScriptName string            `json:"script_name,omitempty" maxLength:"256" doc:"what it is called when it fails"`
	Packages   []string          `json:"packages,omitempty" maxItems:"1024" doc:"to be installed with apt-get, apk or dnf"`
	Tools      []string          `json:"tools,omitempty" maxItems:"64" doc:"to be installed in banger's versions of them"`
	Hooks      []ImageBuildHook  `json:"hooks,omitempty" maxItems:"64"`
	Env        []string          `json:"env,omitempty" maxItems:"1024" doc:"KEY=VALUE for all steps; not kept in the image"`
	KernelRef  string            `json:"kernel_ref,omitempty" maxLength:"63" doc:"kernel by catalog name, for the build and the image; default: the base's"`
	SizeBytes  int64             `json:"size_bytes,omitempty" minimum:"0" doc:"size of the filesystem; 0: the base's"`
	Network    model.NetworkMode `json:"network,omitempty" enum:"none,user" doc:"what the build may reach; default: user"`
	CPUs       int               `json:"cpus,omitempty" minimum:"0" maximum:"1024"`
	MemoryMiB  int               `json:"memory_mib,omitempty" minimum:"0" maximum:"16777216"`
}

// ImageBuildHook is a script that runs at some moment of a build.
type ImageBuildHook struct {
	When   string `json:"when" enum:"before-packages,after-packages,after-tools,after-script"`
	Name   string `json:"name" maxLength:"256" doc:"what it is called when it fails"`
	Script string `json:"script" maxLength:"262144"`
}

// DockerfileBuildParams says which Dockerfile to build.
type DockerfileBuildParams struct {
	Name       string            `json:"name" maxLength:"63"`
	Context    string            `json:"context" maxLength:"4096" doc:"absolute path of the directory that is copied from"`
	Dockerfile string            `json:"dockerfile,omitempty" maxLength:"4096" doc:"path below the context; default: Dockerfile; with text, what it is called"`
	Text       string            `json:"text,omitempty" maxLength:"262144" doc:"the Dockerfile itself, which then lies nowhere"`
	Builder    string            `json:"builder,omitempty" enum:"auto,banger,buildah,podman,docker" doc:"what builds: VMs of banger's own, or an engine of the daemon's host; default: banger"`
	Target     string            `json:"target,omitempty" maxLength:"256" doc:"stage to stop at; default: the last"`
	BuildArgs  []string          `json:"build_args,omitempty" maxItems:"1024" doc:"KEY=VALUE for ARG"`
	KernelRef  string            `json:"kernel_ref,omitempty" maxLength:"63" doc:"kernel by catalog name, for the build and the image; default: the base's"`
	NoCache    bool              `json:"no_cache,omitempty" doc:"run all steps again"`
	Network    model.NetworkMode `json:"network,omitempty" enum:"none,user" doc:"what a RUN may reach; default: user"`
	CPUs       int               `json:"cpus,omitempty" minimum:"0" maximum:"1024"`
	MemoryMiB  int               `json:"memory_mib,omitempty" minimum:"0" maximum:"16777216"`
}
