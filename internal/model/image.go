package model

import (
	"path/filepath"
	"time"
)

// Image is a bootable root filesystem: rootfs.ext4 in its directory, the
// kernel that it boots with, and where it came from.
type Image struct {
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	Managed   bool        `json:"managed" doc:"the files live in banger's own state directory"`
	Dir       string      `json:"dir" doc:"absolute directory that holds the root filesystem"`
	Rootfs    string      `json:"rootfs,omitempty" doc:"absolute path of the root filesystem when it is not rootfs.ext4 in dir"`
	Digest    string      `json:"rootfs_digest,omitempty" doc:"of what the root filesystem's file holds, however its holes lie: see image verify"`
	SizeBytes int64       `json:"size_bytes" doc:"apparent size of rootfs.ext4"`
	UsedBytes int64       `json:"used_bytes" doc:"bytes that rootfs.ext4 takes on disk"`
	Kernel    string      `json:"kernel,omitempty" doc:"name of the kernel it boots with; empty: the default kernel, or its own boot set"`
	Boot      BootFiles   `json:"boot" doc:"absolute paths of a boot set given by paths; empty with a catalog kernel"`
	Config    ImageConfig `json:"config"`
	Source    ImageSource `json:"source"`
	CreatedAt time.Time   `json:"created_at"`
	Replaced  bool        `json:"replaced,omitempty" doc:"a later build has its name; it goes with the last VM that is made of it"`
}

// RootfsPath is the absolute path of the root filesystem.
func (img *Image) RootfsPath() string {
	if img.Rootfs != "" {
		return img.Rootfs
	}
	return filepath.Join(img.Dir, RootfsFile)
}

// BootFiles is a kernel given by paths instead of by catalog name.
type BootFiles struct {
	Kernel  string `json:"kernel,omitempty"`
	Initrd  string `json:"initrd,omitempty"`
	Modules string `json:"modules,omitempty"`
}

// ImageConfig is the part of an OCI image configuration that a VM honours
// (OCI image-spec, config.md). Every field is untrusted input.
type ImageConfig struct {
	Architecture string            `json:"architecture,omitempty"`
	Entrypoint   []string          `json:"entrypoint,omitempty"`
	Cmd          []string          `json:"cmd,omitempty"`
	Env          []string          `json:"env,omitempty"`
	WorkingDir   string            `json:"working_dir,omitempty"`
	User         string            `json:"user,omitempty"`
	StopSignal   string            `json:"stop_signal,omitempty"`
	ExposedPorts []string          `json:"exposed_ports,omitempty"`
	Volumes      []string          `json:"volumes,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
	OnBuild      []string          `json:"on_build,omitempty" doc:"instructions for Dockerfiles that begin with the image"`
}

// ImageSource says where an image came from and by whom it was built.
type ImageSource struct {
	Reference      string   `json:"reference,omitempty" doc:"what the user asked for"`
	Kind           string   `json:"kind,omitempty" doc:"registry, mmdebstrap, tar, ..."`
	ManifestDigest string   `json:"manifest_digest,omitempty"`
	ConfigDigest   string   `json:"config_digest,omitempty"`
	Layers         []string `json:"layers,omitempty" doc:"digests of the compressed layers, lowest first"`
	Platform       string   `json:"platform,omitempty"`
	BuilderVersion string   `json:"builder_version,omitempty"`

	History  []HistoryEntry `json:"history,omitempty" doc:"how the layers were made, lowest first, as the image says"`
	Verified string         `json:"verified,omitempty" doc:"fingerprint of the key whose signature was checked"`
	Build    *BuildRecord   `json:"build,omitempty" doc:"of an image that was built here"`
}
