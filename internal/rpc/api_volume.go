package rpc

import (
	"context"

	"banger/internal/model"
)

// VolumeAPI keeps disks that no VM owns.
type VolumeAPI interface {
	// CreateVolume makes an empty volume.
	CreateVolume(ctx context.Context, p VolumeCreateParams) (model.Volume, error)
	ListVolumes(ctx context.Context) ([]model.Volume, error)
	ShowVolume(ctx context.Context, p NameParams) (model.Volume, error)
	// DeleteVolume refuses a volume that a VM uses, running or not.
	DeleteVolume(ctx context.Context, p NameParams) (model.Volume, error)
	// PruneVolumes deletes the volumes that no VM uses and returns them.
	PruneVolumes(ctx context.Context, p VolumePruneParams) ([]model.Volume, error)
	// ResizeVolume makes a volume larger that no VM runs with; the filesystem
	// fills it when it is mounted to be written.
	ResizeVolume(ctx context.Context, p VolumeResizeParams) (model.Volume, error)
}

// VolumeCreateParams is a volume to be.
type VolumeCreateParams struct {
	Name      string `json:"name" maxLength:"63"`
	SizeBytes int64  `json:"size_bytes,omitempty" minimum:"0" doc:"0: 10 GiB; space is taken for what is written alone"`
}

// VolumePruneParams says whether to delete or only to tell.
type VolumePruneParams struct {
	DryRun bool `json:"dry_run,omitempty" doc:"return what would be deleted"`
}

// VolumeResizeParams names a volume and the size that it shall have.
type VolumeResizeParams struct {
	Name      string `json:"name" maxLength:"256"`
	SizeBytes int64  `json:"size_bytes" minimum:"1"`
}

// MountParams is a volume for a VM.
type MountParams struct {
	Volume   string `json:"volume" maxLength:"63" doc:"name or id"`
	Path     string `json:"path" maxLength:"4096" doc:"absolute, in the guest"`
	ReadOnly bool   `json:"read_only,omitempty"`
}
