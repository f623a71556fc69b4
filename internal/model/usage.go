package model

// Usage is what one kind of thing takes on disk.
type Usage struct {
	Kind             string `json:"kind" doc:"images, kernels, VMs, image cache, initial file systems, package lists, logs"`
	Count            int    `json:"count"`
	Bytes            int64  `json:"bytes" doc:"on disk: holes do not count, and what several share counts once"`
	ReclaimableBytes int64  `json:"reclaimable_bytes" doc:"of what nothing uses"`
}
