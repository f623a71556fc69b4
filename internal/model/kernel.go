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

	Has         []string    `json:"has,omitempty" doc:"what its configuration and modules have: modules, virtio, vsock, tun, ..."`
	ModuleCount int         `json:"module_count,omitempty" doc:"loadable modules"`
	Config      string      `json:"config,omitempty" doc:"path of its build configuration, when that is known"`
	Test        *KernelTest `json:"test,omitempty" doc:"what the last kernel test found"`
}

// KernelTest is what a boot of a kernel found.
type KernelTest struct {
	At         time.Time     `json:"at"`
	Driver     string        `json:"driver"`
	Accel      string        `json:"accel" doc:"kvm or tcg"`
	BootMillis int64         `json:"boot_ms" doc:"from the start of the VM's process to the agent's answer"`
	Release    string        `json:"release" doc:"what the guest says it runs"`
	Probes     []KernelProbe `json:"probes"`
}

// KernelProbe is one thing that was tried in the guest.
type KernelProbe struct {
	Name   string `json:"name" doc:"virtio, vsock, overlay, tun, nftables, ..."`
	Works  bool   `json:"works"`
	Detail string `json:"detail,omitempty" doc:"how it works, or why not"`
}

// KernelArtifact is a kernel in a registry.
type KernelArtifact struct {
	Kernel string `json:"kernel"`
	Ref    string `json:"ref" doc:"with the digest: what to pull exactly this by"`
	Digest string `json:"digest" doc:"sha256:... of the manifest"`
}

// CatalogKernel is a kernel that can be pulled.
type CatalogKernel struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Distro      string   `json:"distro"`
	Arch        string   `json:"arch"`
	Version     string   `json:"version,omitempty" doc:"release or its beginning; empty: the newest"`
	Flavour     string   `json:"flavour"`
	Digest      string   `json:"digest,omitempty" doc:"sha256:... of vmlinux, when it is pinned"`
	Sources     []string `json:"sources" doc:"where it is looked for, in order"`
	Has         []string `json:"has" doc:"what the kernel brings: modules, virtio, vsock, overlay, ..."`
	Default     bool     `json:"default"`
	Pulled      bool     `json:"pulled" doc:"it is on this host already"`
}
