package model

import "time"

// CachedBlob is a blob of the image cache: a layer, a manifest or a
// configuration.
type CachedBlob struct {
	Digest    string    `json:"digest"`
	SizeBytes int64     `json:"size_bytes"`
	UsedAt    time.Time `json:"used_at" doc:"when a pull last read or wrote it"`
	InUse     bool      `json:"in_use,omitempty" doc:"a pull reads or fetches it now"`
	Partial   bool      `json:"partial,omitempty" doc:"a part that the next pull continues"`
}
