package model

import "time"

// Kernel is a kernel that is on this host: vmlinux (ELF) and its modules in
// one directory.
type Kernel struct {
	Name      string    `json:"name"`
	Dir       string    `json:"dir" doc:"absolute directory: vmlinux, modules/, initrd, manifest.json"`
	Version   string    `json:"version" doc:"kernel release as uname -r prints it"`
	Arch      string    `json:"arch"`
	Distro    string    `json:"distro,omitempty"`
	Flavour   string    `json:"flavour,omitempty"`
	Source    string    `json:"source" doc:"catalog source or path that it was made from"`
	Digest    string    `json:"digest" doc:"sha256 of vmlinux"`
	Modules   bool      `json:"modules" doc:"modules/ is present"`
	Initrd    bool      `json:"initrd" doc:"a foreign initrd is present"`
	SizeBytes int64     `json:"size_bytes"`
	Default   bool      `json:"default"`
	CreatedAt time.Time `json:"created_at"`
}

// CatalogKernel is a kernel that can be pulled.
type CatalogKernel struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Distro      string   `json:"distro"`
	Arch        string   `json:"arch"`
	Flavour     string   `json:"flavour"`
	Sources     []string `json:"sources" doc:"where it is looked for, in order"`
	Has         []string `json:"has" doc:"what the kernel brings: modules, virtio, vsock, overlay, ..."`
	Default     bool     `json:"default"`
	Pulled      bool     `json:"pulled" doc:"it is on this host already"`
}
