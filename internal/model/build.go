package model

// BuildRecord is what an image was built of, beside the steps in its history.
type BuildRecord struct {
	Base         string      `json:"base" doc:"name of the image that it was built from"`
	BaseID       string      `json:"base_id"`
	BaseRef      string      `json:"base_reference,omitempty" doc:"where that came from"`
	BaseManifest string      `json:"base_manifest_digest,omitempty"`
	BaseRootfs   string      `json:"base_rootfs_digest,omitempty"`
	Script       string      `json:"script,omitempty" doc:"name of the script that was run"`
	ScriptDigest string      `json:"script_digest,omitempty" doc:"sha256 of the script"`
	Packages     []string    `json:"packages,omitempty" doc:"those that were asked for"`
	Tools        []string    `json:"tools,omitempty" doc:"name and version of each"`
	Hooks        []string    `json:"hooks,omitempty" doc:"moment and name of each"`
	Network      NetworkMode `json:"network" doc:"what the build could reach"`
	Kernel       string      `json:"kernel,omitempty" doc:"release of the kernel that it ran on"`
	Log          string      `json:"log,omitempty" doc:"file of what the build said, in the image's directory"`
	Builder      string      `json:"builder,omitempty" doc:"what built the Dockerfile, and its version"`
	Dockerfile   string      `json:"dockerfile,omitempty" doc:"path of the Dockerfile below its context"`
	Steps        int         `json:"steps,omitempty" doc:"instructions of the Dockerfile that were done"`
	Cached       int         `json:"cached,omitempty" doc:"of them, those that were in the cache"`
	Installed    int         `json:"installed" doc:"packages that are in the image: see packages.json"`
}

// Package is one that a package manager of an image knows as installed.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Arch    string `json:"arch,omitempty"`
	Manager string `json:"manager" doc:"dpkg, apk or rpm"`
}
