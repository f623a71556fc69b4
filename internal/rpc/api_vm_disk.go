package rpc

import (
	"context"

	"banger/internal/model"
)

// VMDiskAPI makes root disks anew.
type VMDiskAPI interface {
	// ResetVM makes the root disk anew from the VM's image; what is on the
	// work disk and on volumes stays.
	ResetVM(ctx context.Context, p VMResetParams, report model.Report) (model.VM, error)
	// RebaseVM is ResetVM with another image, which the VM has from then on.
	RebaseVM(ctx context.Context, p VMRebaseParams, report model.Report) (model.VM, error)
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
