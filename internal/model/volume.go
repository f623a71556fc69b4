package model

import "time"

// VolumeState is where a volume stands.
type VolumeState string

// The states. Only ready volumes can be used.
const (
	VolumeCreating VolumeState = "creating"
	VolumeReady    VolumeState = "ready"
	VolumeDeleting VolumeState = "deleting"
)

// Volume is a disk that no VM owns: an ext4 filesystem that VMs mount by its
// name. One VM that writes has it alone; any number may read it together.
type Volume struct {
	ID        string       `json:"id"`
	Name      string       `json:"name"`
	State     VolumeState  `json:"state"`
	SizeBytes int64        `json:"size_bytes"`
	UsedBytes int64        `json:"used_bytes" doc:"bytes that it takes on this host's disk"`
	Dir       string       `json:"dir" doc:"absolute directory that holds disk.ext4"`
	Users     []VolumeUser `json:"users" doc:"the VMs that mount it"`
	CreatedAt time.Time    `json:"created_at"`
}

// VolumeUser is a VM that mounts a volume.
type VolumeUser struct {
	VM       string `json:"vm" doc:"name of the VM"`
	ReadOnly bool   `json:"read_only"`
	Held     bool   `json:"held" doc:"the VM runs with it"`
}

// VolumeMount is a volume in a VM.
type VolumeMount struct {
	VolumeID string `json:"volume_id"`
	Volume   string `json:"volume" doc:"name of the volume"`
	Path     string `json:"path" doc:"where the guest has it"`
	ReadOnly bool   `json:"read_only,omitempty"`
}

// VolumeFile is the disk in a volume's directory.
const VolumeFile = "disk.ext4"
