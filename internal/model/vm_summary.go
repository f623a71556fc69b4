package model

import "time"

// VMSummary is what a list of VMs shows of each: small, since a list of
// thousands goes through the socket.
type VMSummary struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	State     VMState           `json:"state"`
	Reason    string            `json:"reason,omitempty"`
	ImageID   string            `json:"image_id,omitempty"`
	Image     string            `json:"image,omitempty"`
	CPUs      int               `json:"cpus,omitempty"`
	MemoryMiB int               `json:"memory_mib,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	CreatedAt time.Time         `json:"created_at"`
	StartedAt time.Time         `json:"started_at,omitzero"`
}

// Summary returns what a list shows of vm.
func (vm *VM) Summary() VMSummary {
	return VMSummary{
		ID: vm.ID, Name: vm.Name, State: vm.State, Reason: vm.Reason,
		ImageID: vm.ImageID, Image: vm.Image,
		CPUs: vm.Spec.CPUs, MemoryMiB: vm.Spec.MemoryMiB, Labels: vm.Spec.Labels,
		CreatedAt: vm.CreatedAt, StartedAt: vm.StartedAt,
	}
}
