package config

import "time"

// Config is all that can be set. The tags are the keys of config.toml, what
// `banger config show` says of them, and the most that is allowed.
type Config struct {
	Image Image `toml:"image"`
	VM    VM    `toml:"vm"`
}

// Image bounds what pulls may cost (imagepull.Limits) and whom they trust.
type Image struct {
	OutputBytes    Size     `toml:"output_bytes" max:"16TiB" doc:"what all layers may unpack to"`
	Entries        Count    `toml:"entries" max:"100000000" doc:"archive members of all layers"`
	MetadataBytes  Size     `toml:"metadata_bytes" max:"64GiB" doc:"what the files of all layers take in memory: inodes, names, link targets, extended attributes"`
	Layers         Count    `toml:"layers" max:"10000" doc:"layers of one image"`
	PathBytes      Count    `toml:"path_bytes" max:"4095" doc:"length of a path"`
	Depth          Count    `toml:"depth" max:"2048" doc:"directories below each other"`
	XattrBytes     Size     `toml:"xattr_bytes" max:"1MiB" doc:"extended attributes of one file"`
	ManifestBytes  Size     `toml:"manifest_bytes" max:"64MiB" doc:"a manifest or an index"`
	ConfigBytes    Size     `toml:"config_bytes" max:"64MiB" doc:"an image configuration"`
	WindowBytes    Size     `toml:"window_bytes" max:"2GiB" doc:"window of a zstd frame"`
	Lookups        Count    `toml:"lookups" max:"1000000000000" doc:"names looked up while layers are merged"`
	Stall          Duration `toml:"stall" max:"1h" doc:"time that a transfer may stand still"`
	ContactTimeout Duration `toml:"contact_timeout" max:"10m" doc:"time that the first contact with a registry may take"`
	TokenHosts     Hosts    `toml:"token_hosts" doc:"token servers that any registry may have its credentials sent to"`
}

// VM is what all VMs of a user may have together . NoQuota is no bound.
type VM struct {
	Memory Size `toml:"memory" max:"1024TiB" doc:"what the VMs that run may have together, those of builds and of kernel tests among them"`
	Disk   Size `toml:"disk" max:"1024TiB" doc:"what the disks of all VMs, builds and volumes may have together, as guests see them"`
}

// NoQuota is more than any host has.
const NoQuota Size = 1 << 50

// Default returns the settings of a daemon without a file.
func Default() Config {
	return Config{
		Image: Image{
			OutputBytes:    64 << 30,
			Entries:        5_000_000,
			MetadataBytes:  160 << 20,
			Layers:         512,
			PathBytes:      4095,
			Depth:          2048,
			XattrBytes:     64 << 10,
			ManifestBytes:  4 << 20,
			ConfigBytes:    8 << 20,
			WindowBytes:    32 << 20,
			Lookups:        1 << 28,
			Stall:          Duration(time.Minute),
			ContactTimeout: Duration(12 * time.Second),
		},
		VM: VM{Memory: NoQuota, Disk: NoQuota},
	}
}
