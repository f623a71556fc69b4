package rpc

import (
	"context"
	"io"

	"banger/internal/model"
)

// API is everything that the daemon can do. Client and daemon.Daemon both
// implement it. Errors are *model.Error. Cancelling ctx undoes a long call
// that has not been acknowledged.
type API interface {
	SystemAPI
	ImageAPI
	KernelAPI
	VMAPI
	OperationAPI
}

// SystemAPI is about the daemon itself.
type SystemAPI interface {
	// Version says what the daemon is and where it keeps its state.
	Version(ctx context.Context) (model.VersionInfo, error)
	// Shutdown ends the daemon; running VMs go on.
	Shutdown(ctx context.Context) error
}

// ImageAPI makes and keeps images.
type ImageAPI interface {
	// PullImage makes Ref a managed image. A name that is taken is refused
	// before any download.
	PullImage(ctx context.Context, p ImagePullParams, report model.Report) (model.Image, error)
	ListImages(ctx context.Context) ([]model.Image, error)
	ShowImage(ctx context.Context, p NameParams) (model.Image, error)
	// DeleteImage refuses while a VM uses the image, naming the VMs.
	DeleteImage(ctx context.Context, p NameParams) (model.Image, error)
	// ListImageCache returns what pulls have kept, the one used last first.
	ListImageCache(ctx context.Context) ([]model.CachedBlob, error)
	// PruneImageCache removes the longest unused blobs and returns them; none
	// that a pull uses.
	PruneImageCache(ctx context.Context, p ImageCachePruneParams) ([]model.CachedBlob, error)
	// VerifyImageCache reads all blobs, and removes and returns damaged ones.
	VerifyImageCache(ctx context.Context, report model.Report) ([]model.CachedBlob, error)
}

// KernelAPI makes and keeps kernels.
type KernelAPI interface {
	// PullKernel gets a kernel of the catalog; the default one when Name is
	// empty. One that is here already is returned at once.
	PullKernel(ctx context.Context, p KernelPullParams, report model.Report) (model.Kernel, error)
	// ImportKernel makes a kernel of files on this host.
	ImportKernel(ctx context.Context, p KernelImportParams, report model.Report) (model.Kernel, error)
	ListKernels(ctx context.Context) ([]model.Kernel, error)
	ListCatalog(ctx context.Context) ([]model.CatalogKernel, error)
	ShowKernel(ctx context.Context, p NameParams) (model.Kernel, error)
	// DeleteKernel refuses while an image or VM needs the kernel.
	DeleteKernel(ctx context.Context, p NameParams) (model.Kernel, error)
}

// VMAPI runs sandboxes. A VM is named by its name, its id or a unique prefix
// of its id.
type VMAPI interface {
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
	ListVMs(ctx context.Context) ([]model.VM, error)
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

// OperationAPI shows and ends long calls from elsewhere.
type OperationAPI interface {
	ListOperations(ctx context.Context) ([]model.Operation, error)
	ShowOperation(ctx context.Context, p IDParams) (model.Operation, error)
	// WatchOperation reports what the operation does until it ends.
	WatchOperation(ctx context.Context, p IDParams, report model.Report) (model.Operation, error)
	CancelOperation(ctx context.Context, p IDParams) (model.Operation, error)
}

// NameParams names one object.
type NameParams struct {
	Name string `json:"name" maxLength:"256" doc:"name, id or unique prefix of the id"`
}

// IDParams names one operation.
type IDParams struct {
	ID string `json:"id" maxLength:"64" doc:"id or unique prefix"`
}

// ImagePullParams says what to pull, how to call it and what it boots with.
type ImagePullParams struct {
	Ref        string `json:"ref" maxLength:"4096" doc:"OCI reference, or the name of a catalog image"`
	Name       string `json:"name,omitempty" maxLength:"63" doc:"default: derived from ref"`
	KernelRef  string `json:"kernel_ref,omitempty" maxLength:"63" doc:"kernel by catalog name; pulled when missing"`
	KernelPath string `json:"kernel_path,omitempty" maxLength:"4096"`
	InitrdPath string `json:"initrd_path,omitempty" maxLength:"4096"`
	ModulesDir string `json:"modules_dir,omitempty" maxLength:"4096"`
	SizeBytes  int64  `json:"size_bytes,omitempty" minimum:"0" doc:"size of the filesystem; 0: max(tree x 1.25, 1 GiB)"`
	Platform   string `json:"platform,omitempty" maxLength:"64" doc:"os/arch[/variant]; default: linux and this host's"`
}

// ImageCachePruneParams says how much of the cache to keep.
type ImageCachePruneParams struct {
	KeepBytes int64 `json:"keep_bytes,omitempty" minimum:"0" doc:"of all blobs together; 0: nothing that no pull uses"`
}

// KernelPullParams names a kernel of the catalog.
type KernelPullParams struct {
	Name string `json:"name,omitempty" maxLength:"63" doc:"empty: the catalog's default"`
}

// KernelImportParams makes a kernel of files. Kernel may be an ELF vmlinux or a bzImage.
type KernelImportParams struct {
	Name       string `json:"name" maxLength:"63"`
	KernelPath string `json:"kernel_path" maxLength:"4096"`
	InitrdPath string `json:"initrd_path,omitempty" maxLength:"4096"`
	ModulesDir string `json:"modules_dir,omitempty" maxLength:"4096" doc:"a lib/modules/<release> directory"`
}

// VMCreateParams is a VM to be.
type VMCreateParams struct {
	Image      string            `json:"image,omitempty" maxLength:"4096" doc:"local image name or a reference to pull; empty: the default image"`
	Name       string            `json:"name,omitempty" maxLength:"63" doc:"default: generated"`
	CPUs       int               `json:"cpus,omitempty" minimum:"0" maximum:"64"`
	MemoryMiB  int               `json:"memory_mib,omitempty" minimum:"0"`
	DiskBytes  int64             `json:"disk_bytes,omitempty" minimum:"0"`
	Kernel     string            `json:"kernel,omitempty" maxLength:"63"`
	Driver     string            `json:"driver,omitempty" enum:"qemu,firecracker,"`
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
	Tail   int    `json:"tail,omitempty" minimum:"0" doc:"last lines only; 0: all that is kept"`
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
