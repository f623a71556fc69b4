package rpc

import (
	"context"

	"banger/internal/model"
)

// VMLifeAPI changes VMs that are there and tells how they do.
type VMLifeAPI interface {
	// PauseVM stops the processors of a running VM; memory, disks and
	// connections stay.
	PauseVM(ctx context.Context, p NameParams) (model.VM, error)
	// ResumeVM lets a paused VM go on; one that runs is left as it is.
	ResumeVM(ctx context.Context, p NameParams) (model.VM, error)
	// RenameVM gives a VM another name, in any state.
	RenameVM(ctx context.Context, p VMRenameParams) (model.VM, error)
	// SetVM changes what a VM is made of: at once where that is possible,
	// else from its next start on.
	SetVM(ctx context.Context, p VMSetParams, report model.Report) (model.VMChange, error)
	// PruneVMs deletes the VMs that are stopped or failed, and returns them.
	PruneVMs(ctx context.Context, p VMPruneParams, report model.Report) ([]model.VMSummary, error)
	// WaitVM returns when the VM has come to what is waited for.
	WaitVM(ctx context.Context, p VMWaitParams) (model.VM, error)
	// ConsoleVM attaches to the guest's serial console until ctx or the VM
	// ends. One caller at a time is attached.
	ConsoleVM(ctx context.Context, p VMConsoleParams, stdio Stdio, report model.Report) (model.ExitStatus, error)
	// StatsVMs measures VMs: those named, or all that have a process.
	StatsVMs(ctx context.Context, p VMStatsParams) ([]model.VMStats, error)
	// HealthVM asks a VM's agent for an answer; none is no error.
	HealthVM(ctx context.Context, p NameParams) (model.VMHealth, error)
	// PortsVM returns the TCP ports that the guest listens on.
	PortsVM(ctx context.Context, p NameParams) ([]model.GuestPort, error)
}

// VMRenameParams names a VM and its next name.
type VMRenameParams struct {
	Name    string `json:"name" maxLength:"256"`
	NewName string `json:"new_name" maxLength:"63"`
}

// VMSetParams says what to change; what is left out stays.
type VMSetParams struct {
	Name         string             `json:"name" maxLength:"256"`
	CPUs         *int               `json:"cpus,omitempty" minimum:"1" maximum:"64"`
	MemoryMiB    *int               `json:"memory_mib,omitempty" minimum:"1"`
	DiskBytes    *int64             `json:"disk_bytes,omitempty" minimum:"1" doc:"of the root disk, which never shrinks"`
	WorkBytes    *int64             `json:"work_bytes,omitempty" minimum:"1" doc:"of the work disk, which never shrinks"`
	Kernel       *string            `json:"kernel,omitempty" maxLength:"63" doc:"catalog name, pulled when missing; empty: the image's. A kernel that does not boot is given up for the one before"`
	Machine      *model.MachineType `json:"machine,omitempty" enum:"microvm,q35," doc:"empty: what the kernel can boot on"`
	Hostname     *string            `json:"hostname,omitempty" maxLength:"63"`
	Restart      *string            `json:"restart,omitempty" maxLength:"64" doc:"no, on-failure, on-failure:N, always, unless-stopped"`
	TTLSeconds   *int64             `json:"ttl_seconds,omitempty" minimum:"0" doc:"counted from the start; 0: never"`
	IdleSeconds  *int64             `json:"idle_seconds,omitempty" minimum:"0" doc:"0: never"`
	Labels       map[string]string  `json:"labels,omitempty" doc:"to add or replace"`
	RemoveLabels []string           `json:"remove_labels,omitempty" maxItems:"256" doc:"keys"`
}

// VMPruneParams says which of the VMs that are stopped or failed to delete.
type VMPruneParams struct {
	Filters []string `json:"filters,omitempty" maxItems:"64" doc:"KEY=VALUE with the keys state, label, image, name, id, until"`
	IDs     []string `json:"ids,omitempty" maxItems:"10000" doc:"of these VMs only"`
	DryRun  bool     `json:"dry_run,omitempty" doc:"return them and delete nothing"`
}

// VMStatsParams names the VMs to measure.
type VMStatsParams struct {
	Names []string `json:"names,omitempty" maxItems:"10000" doc:"default: all that have a process"`
}

// VMConsoleParams names the VM to attach to.
type VMConsoleParams struct {
	Name  string `json:"name" maxLength:"256"`
	Stdin bool   `json:"stdin,omitempty" doc:"pass on what is typed"`
	Tail  int    `json:"tail,omitempty" minimum:"0" maximum:"100000" doc:"begin with the last lines"`
}

// VMWaitParams says what to wait for.
type VMWaitParams struct {
	Name string  `json:"name" maxLength:"256"`
	For  VMAwait `json:"for,omitempty" enum:"running,paused,stopped,exit," doc:"default exit"`
}

// VMAwait is what can be waited for.
type VMAwait string

// What can be waited for. A VM that fails or is deleted ends each wait, for
// all but AwaitExit with an error.
const (
	AwaitRunning VMAwait = "running"
	AwaitPaused  VMAwait = "paused"
	AwaitStopped VMAwait = "stopped" // and not failed
	AwaitExit    VMAwait = "exit"    // it has no process: stopped, failed or deleted
)
