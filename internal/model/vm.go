package model

import "time"

// VMState is where a VM stands in the machine drawn in docs/ARCHITECTURE.md.
type VMState string

// The states. Only running VMs answer exec; unknown is set at recovery when a
// VM's process can be neither reached nor ruled out, and is never acted upon.
const (
	VMCreating VMState = "creating"
	VMStopped  VMState = "stopped"
	VMStarting VMState = "starting"
	VMRunning  VMState = "running"
	VMPaused   VMState = "paused"
	VMStopping VMState = "stopping"
	VMFailed   VMState = "failed"
	VMDeleting VMState = "deleting"
	VMUnknown  VMState = "unknown"
)

// VM is a persistent sandbox: what was asked for and how it stands.
type VM struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	State     VMState   `json:"state"`
	Reason    string    `json:"reason,omitempty" doc:"why it is in this state, when that is not plain"`
	ImageID   string    `json:"image_id"`
	Image     string    `json:"image" doc:"name of the image at creation"`
	Spec      VMSpec    `json:"spec"`
	Dir       string    `json:"dir" doc:"absolute directory of its disks and logs"`
	RootBytes int64     `json:"root_bytes,omitempty" doc:"size of the root disk at creation"`
	RootFile  string    `json:"root_file,omitempty" doc:"name of the root disk in the directory"`
	RootClone string    `json:"root_clone,omitempty" doc:"how the root disk was cloned: reflink, overlay or copy"`
	Runtime   VMRuntime `json:"runtime"`
	CreatedAt time.Time `json:"created_at"`
	StartedAt time.Time `json:"started_at,omitzero"`
	StoppedAt time.Time `json:"stopped_at,omitzero"`
	Ended     EndKind   `json:"ended,omitempty" doc:"how it ended the last time: asked, poweroff or failure"`
	Restarts  int       `json:"restarts,omitempty" doc:"by its restart policy, since it last ran well"`
	// FallbackKernel is what the VM booted with before another kernel was
	// chosen that has not come up yet.
	FallbackKernel *string `json:"fallback_kernel,omitempty" doc:"what it goes back to when its new kernel does not boot"`
}

// VMSpec is what the user decides about a VM. Zero values mean "the default".
type VMSpec struct {
	CPUs       int               `json:"cpus"`
	MemoryMiB  int               `json:"memory_mib"`
	DiskBytes  int64             `json:"disk_bytes" doc:"size of the root disk; 0: the image's own"`
	Kernel     string            `json:"kernel,omitempty" doc:"catalog name; empty: the image's"`
	Driver     string            `json:"driver,omitempty" doc:"qemu or firecracker; empty: the best that works here"`
	Machine    MachineType       `json:"machine,omitempty" doc:"microvm or q35; empty: what the kernel can boot on"`
	Network    NetworkMode       `json:"network"`
	Hostname   string            `json:"hostname,omitempty"`
	Config     ImageConfig       `json:"config" doc:"the image's configuration with the user's overrides applied"`
	Labels     map[string]string `json:"labels,omitempty"`
	Work       *WorkDisk         `json:"work,omitempty" doc:"none when it is missing"`
	Volumes    []VolumeMount     `json:"volumes,omitempty"`
	AutoRemove bool              `json:"auto_remove" doc:"deleted as soon as it stops"`
	Policy     Policy            `json:"policy,omitzero"`
	Command    []string          `json:"command,omitempty" doc:"of a detached run: started again at every start"`
}

// NetworkMode says what a guest may reach.
type NetworkMode string

// The modes of this release.
const (
	NetNone NetworkMode = "none" // no network card
	NetUser NetworkMode = "user" // user-mode network: outgoing connections, DNS
)

// VMRuntime is how a VM runs at the moment; zero when it does not.
type VMRuntime struct {
	Generation string      `json:"generation,omitempty" doc:"id of this start; names its run directory"`
	Driver     string      `json:"driver,omitempty"`
	Accel      string      `json:"accel,omitempty" doc:"kvm or tcg"`
	Machine    MachineType `json:"machine,omitempty" doc:"microvm or q35"`
	Process    ProcessID   `json:"process"`
	Kernel     string      `json:"kernel,omitempty"`
	Disks      []string    `json:"disks,omitempty" doc:"files of the disks, in the guest's order: vda, vdb, ..."`
	Guest      GuestFacts  `json:"guest"`
	Limits     string      `json:"limits,omitempty" doc:"what its process may use of this host, or why that is not limited"`
	BootMillis int64       `json:"boot_millis,omitempty" doc:"from the VMM's exec to the agent's answer"`
}

// ProcessID names a process beyond reuse of its number: a pid is only ever
// signalled when boot id and start time still agree.
type ProcessID struct {
	BootID string `json:"boot_id,omitempty" doc:"/proc/sys/kernel/random/boot_id"`
	PID    int    `json:"pid,omitempty"`
	Start  uint64 `json:"start,omitempty" doc:"field 22 of /proc/PID/stat: clock ticks since boot"`
}

// GuestFacts is what the agent said of its guest. Untrusted: shown, never acted on.
type GuestFacts struct {
	AgentVersion string `json:"agent_version,omitempty"`
	Kernel       string `json:"kernel,omitempty"`
}

// ExitStatus is how a process in a guest ended.
type ExitStatus struct {
	Code   int    `json:"code" doc:"exit code; 128+n after signal n; 126 not executable; 127 not found"`
	Signal string `json:"signal,omitempty"`
	Err    string `json:"error,omitempty" doc:"why the process could not be started"`
}

// WinSize is a terminal's size in characters.
type WinSize struct {
	Rows uint16 `json:"rows"`
	Cols uint16 `json:"cols"`
}
