package model

import "time"

// HistoryEntry is one step in the making of an image (OCI image-spec,
// config.md, "history"). What it says is untrusted.
type HistoryEntry struct {
	CreatedBy string    `json:"created_by,omitempty" doc:"the command"`
	Comment   string    `json:"comment,omitempty"`
	Created   time.Time `json:"created,omitzero"`
	Digest    string    `json:"digest,omitempty" doc:"of the compressed layer; absent for a step that made none"`
	SizeBytes int64     `json:"size_bytes,omitempty" doc:"of the compressed layer"`
}

// ImageVerdict is what a check of an image found.
type ImageVerdict struct {
	Name     string   `json:"name"`
	Checked  []string `json:"checked" doc:"what was looked at: digest, metadata, e2fsck, boot files, layers"`
	Problems []string `json:"problems" doc:"empty: the image is whole"`
	Notes    []string `json:"notes,omitempty" doc:"what could not be checked, and why"`
}

// PushedImage is an image in a registry.
type PushedImage struct {
	Name   string        `json:"name"`
	Ref    string        `json:"ref" doc:"pulls exactly this image: it has the digest"`
	Digest string        `json:"digest" doc:"of the manifest"`
	Layers []PushedLayer `json:"layers"`
}

// PushedLayer is one layer of a PushedImage, lowest first.
type PushedLayer struct {
	Digest    string `json:"digest"`
	SizeBytes int64  `json:"size_bytes"`
	Original  bool   `json:"original" doc:"the layer that was pulled, not one made from the files"`
}
