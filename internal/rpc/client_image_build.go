package rpc

import (
	"context"
	"io"

	"banger/internal/model"
)

// BuildImage implements API.
func (c *Client) BuildImage(ctx context.Context, p ImageBuildParams, report model.Report) (model.Image, error) {
	return follow[model.Image](ctx, c, "image.build", p, report)
}

// ImageLog implements API.
func (c *Client) ImageLog(ctx context.Context, p NameParams, w io.Writer) error {
	return c.stream(ctx, "image.log", p, w)
}

// ImagePackages implements API.
func (c *Client) ImagePackages(ctx context.Context, p NameParams) ([]model.Package, error) {
	return invoke[[]model.Package](ctx, c, "image.packages", p)
}
