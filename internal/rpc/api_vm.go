package rpc

import (
	"context"
	"io"

	"banger/internal/model"
)

// VMAPI runs sandboxes. A VM is named by its name, its id or a unique prefix
// of its id.
type VMAPI interface {
	VMDiskAPI
	VMLifeAPI
	// CreateVM makes a stopped VM; with Start it boots it too.
	CreateVM(ctx context.Context, p VMCreateParams, report model.Report) (model.VM, error)
	// StartVM returns when the agent has answered.
	StartVM(ctx context.Context, p NameParams, report model.Report) (model.VM, error)
	// StopVM asks the guest to power off and kills it after the grace.
	StopVM(ctx context.Context, p VMStopParams, report model.Report) (model.VM, error)
	KillVM(ctx context.Context, p NameParams) (model.VM, error)
	RestartVM(ctx context.Context, p VMStopParams, report model.Report) (model.VM, error)
	// DeleteVM refuses a running VM unless Force is set.
	DeleteVM(ctx context.Context, p VMDeleteParams, report model.Report) (model.VM, error)
	// CommitVM makes an image of the root disk of a VM that does not run.
	CommitVM(ctx context.Context, p VMCommitParams, report model.Report) (model.Image, error)
	ListVMs(ctx context.Context) ([]model.VM, error)
	// ListVMSummaries is ListVMs without what a list does not show.
	ListVMSummaries(ctx context.Context) ([]model.VMSummary, error)
	ShowVM(ctx context.Context, p NameParams) (model.VM, error)
	// LogsVM writes the guest's console to w; with Follow until ctx ends or
	// the VM stops.
	LogsVM(ctx context.Context, p VMLogsParams, w io.Writer) error
	// ExecVM runs a process in the VM, which is started first unless NoStart.
	ExecVM(ctx context.Context, p VMExecParams, stdio Stdio, report model.Report) (model.ExitStatus, error)
	// RunVM creates and starts a VM, runs the command (or the image's own)
	// and returns its status. When the command ends or ctx does, the VM is
	// stopped, and with AutoRemove deleted.
	RunVM(ctx context.Context, p VMRunParams, stdio Stdio, report model.Report) (model.ExitStatus, error)
}

// VMCreateParams is a VM to be.
type VMCreateParams struct {
	Image      string            `json:"image,omitempty" maxLength:"4096" doc:"local image name or a reference to pull; empty: the default image"`
	Name       string            `json:"name,omitempty" maxLength:"63" doc:"default: generated"`
	CPUs       int               `json:"cpus,omitempty" minimum:"0" maximum:"64"`
	MemoryMiB  int               `json:"memory_mib,omitempty" minimum:"0"`
	DiskBytes  int64             `json:"disk_bytes,omitempty" minimum:"0" doc:"of the root disk; 0: the image's own"`
	Volumes    []MountParams     `json:"volumes,omitempty" maxItems:"16"`
	WorkBytes  int64             `json:"work_bytes,omitempty" minimum:"0" doc:"of a disk at the user's home that outlives the root disk; 0: none"`
	Kernel     string            `json:"kernel,omitempty" maxLength:"63"`
	Driver     string            `json:"driver,omitempty" enum:"qemu,firecracker,"`
	Machine    model.MachineType `json:"machine,omitempty" enum:"microvm,q35," doc:"empty: what the kernel can boot on"`
	Network    model.NetworkMode `json:"network,omitempty" enum:"none,user,"`
	Hostname   string            `json:"hostname,omitempty" maxLength:"63"`
	Env        []string          `json:"env,omitempty" doc:"KEY=VALUE, over the image's"`
	WorkingDir string            `json:"working_dir,omitempty" maxLength:"4096"`
	User       string            `json:"user,omitempty" maxLength:"256"`
	Entrypoint []string          `json:"entrypoint,omitempty" doc:"replaces the image's entrypoint and drops its command"`
	Labels     map[string]string `json:"labels,omitempty"`
	AutoRemove bool              `json:"auto_remove,omitempty"`
	Pull       string            `json:"pull,omitempty" enum:"missing,never," doc:"pull the image when it is not here: missing (default) or never"`
	Platform   string            `json:"platform,omitempty" maxLength:"64" doc:"of an image that is pulled: os/arch[/variant]; default: linux and this host's"`
	Policy     model.Policy      `json:"policy,omitzero"`
	Start      bool              `json:"start,omitempty"`
}

// VMStopParams names a VM and how long it may take to power off.
type VMStopParams struct {
	Name         string `json:"name" maxLength:"256"`
	GraceSeconds *int   `json:"grace_seconds,omitempty" minimum:"0" maximum:"3600" doc:"default 10; then the VM is killed"`
}

// VMDeleteParams names a VM to delete.
type VMDeleteParams struct {
	Name  string `json:"name" maxLength:"256"`
	Force bool   `json:"force,omitempty" doc:"kill it first when it runs"`
}

// VMLogsParams says which part of the console to show.
type VMLogsParams struct {
	Name   string `json:"name" maxLength:"256"`
	Follow bool   `json:"follow,omitempty"`
	Tail   int    `json:"tail,omitempty" minimum:"-1" doc:"last lines only; 0: all that is kept; -1: none, which is for follow"`
}

// VMExecParams is a process to run in a VM.
type VMExecParams struct {
	Name       string         `json:"name" maxLength:"256"`
	Argv       []string       `json:"argv" minItems:"1"`
	Env        []string       `json:"env,omitempty" doc:"KEY=VALUE, over the VM's"`
	WorkingDir string         `json:"working_dir,omitempty" maxLength:"4096" doc:"default: the VM's"`
	User       string         `json:"user,omitempty" maxLength:"256" doc:"name, uid, name:group or uid:gid; default: the VM's"`
	TTY        bool           `json:"tty,omitempty"`
	Stdin      bool           `json:"stdin,omitempty" doc:"keep standard input open; else it is empty"`
	Size       *model.WinSize `json:"size,omitempty" doc:"first size of the terminal"`
	NoStart    bool           `json:"no_start,omitempty"`
	Detach     bool           `json:"detach,omitempty" doc:"return when the process runs; its output goes to the VM's log"`
}

// VMRunParams is a VM to be and the process in it; an empty Argv means the
// image's entrypoint and command.
type VMRunParams struct {
	Create VMCreateParams `json:"create"`
	Argv   []string       `json:"argv,omitempty"`
	TTY    bool           `json:"tty,omitempty"`
	Stdin  bool           `json:"stdin,omitempty"`
	Size   *model.WinSize `json:"size,omitempty"`
	// Detach returns when the process runs; the VM then runs until stopped.
	Detach bool `json:"detach,omitempty"`
}

// Stdio is the caller's side of a process: where its bytes come from and go
// to. Stdin nil is an empty input. With a terminal all output is on Stdout.
// Resize and Signals may be nil and may be closed.
type Stdio struct {
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Resize  <-chan model.WinSize
	Signals <-chan string // names without SIG: INT, TERM, HUP, ...
	// Started, when not nil, is called once with the VM before the process runs.
	Started func(model.VM)
}

// VMCommitParams names a VM and the image that its root disk becomes.
type VMCommitParams struct {
	Name  string `json:"name" maxLength:"256"`
	Image string `json:"image" maxLength:"4096" doc:"a name, or a reference from which one is derived"`
}
