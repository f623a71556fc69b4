package rpc

import (
	"context"

	"banger/internal/model"
)

// ImageTreeAPI looks into the root filesystems of images. An error of visit
// ends a call.
type ImageTreeAPI interface {
	// TreeImage calls visit for the file at Path and all below it: a directory
	// before its children, children by name.
	TreeImage(ctx context.Context, p ImageTreeParams, visit func(model.TreeEntry) error) error
	// DiffImages calls visit for every name in which two images differ.
	DiffImages(ctx context.Context, p ImageDiffParams, visit func(model.TreeChange) error) error
}

// ImageTreeParams says what of which image to list.
type ImageTreeParams struct {
	Name string `json:"name" maxLength:"256" doc:"name, id or unique prefix of the id"`
	Path string `json:"path,omitempty" maxLength:"4096" doc:"default: the root; symbolic links are not followed"`
}

// ImageDiffParams names the images to compare.
type ImageDiffParams struct {
	From  string `json:"from" maxLength:"256" doc:"name, id or unique prefix of the id"`
	To    string `json:"to" maxLength:"256"`
	Times bool   `json:"times,omitempty" doc:"compare modification times too"`
}
