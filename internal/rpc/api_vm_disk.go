package rpc

import (
	"context"

	"banger/internal/model"
)

// VMDiskAPI changes the disks of a VM.
type VMDiskAPI interface {
	// ResizeVM makes disks larger: at once when the VM runs, else when it
	// starts. No disk shrinks.
	ResizeVM(ctx context.Context, p VMResizeParams, report model.Report) (model.VM, error)
	// ResetVM makes the root disk anew from the VM's image; what is on the
	// work disk and on volumes stays.
	ResetVM(ctx context.Context, p VMResetParams, report model.Report) (model.VM, error)
	// RebaseVM is ResetVM with another image, which the VM has from then on.
	RebaseVM(ctx context.Context, p VMRebaseParams, report model.Report) (model.VM, error)
}

// VMResizeParams names a VM and the sizes that its disks shall have.
type VMResizeParams struct {
	Name      string `json:"name" maxLength:"256"`
	DiskBytes int64  `json:"disk_bytes,omitempty" minimum:"0" doc:"of the root disk; 0: as it is"`
	WorkBytes int64  `json:"work_bytes,omitempty" minimum:"0" doc:"of the work disk; 0: as it is"`
}

// VMResetParams names a VM whose root disk is made anew.
type VMResetParams struct {
	Name  string `json:"name" maxLength:"256"`
	Force bool   `json:"force,omitempty" doc:"stop it first when it runs"`
}

// VMRebaseParams names a VM and the image that it is moved to.
type VMRebaseParams struct {
	Name     string `json:"name" maxLength:"256"`
	Image    string `json:"image" maxLength:"4096" doc:"local image name or a reference to pull"`
	Force    bool   `json:"force,omitempty" doc:"stop it first when it runs"`
	Pull     string `json:"pull,omitempty" enum:"missing,never,"`
	Platform string `json:"platform,omitempty" maxLength:"64"`
}
