package main

import (
	"time"

	"banger/internal/config"
	"banger/internal/imagepull"
)

// pullConfig is what settings mean for pulls.
func pullConfig(set config.Image, cache *imagepull.Cache) imagepull.Config {
	return imagepull.Config{
		Cache:      cache,
		Limits:     pullLimits(set),
		Probe:      time.Duration(set.ContactTimeout),
		TokenHosts: set.TokenHosts,
	}
}

func pullLimits(set config.Image) imagepull.Limits {
	return imagepull.Limits{
		OutputBytes:   int64(set.OutputBytes),
		Entries:       int64(set.Entries),
		MetadataBytes: int64(set.MetadataBytes),
		Layers:        int(set.Layers),
		PathBytes:     int(set.PathBytes),
		Depth:         int(set.Depth),
		XattrBytes:    int(set.XattrBytes),
		ManifestBytes: int64(set.ManifestBytes),
		ConfigBytes:   int64(set.ConfigBytes),
		WindowBytes:   uint64(set.WindowBytes),
		Lookups:       int64(set.Lookups),
		Stall:         time.Duration(set.Stall),
	}
}
