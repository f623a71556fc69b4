package rpc

import (
	"context"

	"banger/internal/model"
)

// Doctor implements API.
func (c *Client) Doctor(ctx context.Context, p CheckParams) ([]model.Check, error) {
	return invoke[[]model.Check](ctx, c, "system.doctor", p)
}

// CheckState implements API.
func (c *Client) CheckState(ctx context.Context, p CheckParams) ([]model.Check, error) {
	return invoke[[]model.Check](ctx, c, "system.check", p)
}

// DiskUsage implements API.
func (c *Client) DiskUsage(ctx context.Context) ([]model.Usage, error) {
	return invoke[[]model.Usage](ctx, c, "system.df", none{})
}
