package rpc

import (
	"context"
	"io"

	"banger/internal/model"
)

// RegisterImage implements API.
func (c *Client) RegisterImage(ctx context.Context, p ImageRegisterParams, report model.Report) (model.Image, error) {
	return follow[model.Image](ctx, c, "image.register", p, report)
}

// PromoteImage implements API.
func (c *Client) PromoteImage(ctx context.Context, p NameParams, report model.Report) (model.Image, error) {
	return follow[model.Image](ctx, c, "image.promote", p, report)
}

// TagImage implements API.
func (c *Client) TagImage(ctx context.Context, p ImageTagParams, report model.Report) (model.Image, error) {
	return follow[model.Image](ctx, c, "image.tag", p, report)
}

// PruneImages implements API.
func (c *Client) PruneImages(ctx context.Context, p ImagePruneParams) ([]model.Image, error) {
	return invoke[[]model.Image](ctx, c, "image.prune", p)
}

// VerifyImages implements API.
func (c *Client) VerifyImages(ctx context.Context, p ImageVerifyParams, report model.Report) ([]model.ImageVerdict, error) {
	return follow[[]model.ImageVerdict](ctx, c, "image.verify", p, report)
}

// ExportImage implements API.
func (c *Client) ExportImage(ctx context.Context, p ImageExportParams, w io.Writer) error {
	return c.stream(ctx, "image.export", p, w)
}

// PushImage implements API.
func (c *Client) PushImage(ctx context.Context, p ImagePushParams, report model.Report) (model.PushedImage, error) {
	return follow[model.PushedImage](ctx, c, "image.push", p, report)
}

// CommitVM implements API.
func (c *Client) CommitVM(ctx context.Context, p VMCommitParams, report model.Report) (model.Image, error) {
	return follow[model.Image](ctx, c, "vm.commit", p, report)
}
