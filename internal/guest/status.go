package guest

import (
	"context"
	"fmt"

	"banger/internal/wire"
)

// Status asks how the guest does. CodeUnsupported: its agent is older than
// the call; the VM's next start brings it up to date.
func (c *Client) Status(ctx context.Context) (wire.Status, error) {
	resp, err := c.control(ctx, controlTimeout, wire.Request{Op: wire.OpStatus})
	if err != nil {
		return wire.Status{}, fmt.Errorf("asking the guest how it does: %w", err)
	}
	if resp.Status == nil {
		return wire.Status{}, c.broken(fmt.Errorf("%w: status without an answer", wire.ErrViolation))
	}
	if err := resp.Status.Validate(); err != nil {
		return wire.Status{}, c.broken(err)
	}
	return *resp.Status, nil
}

// Ports asks for the TCP ports that the guest listens on; CodeUnsupported as
// for Status.
func (c *Client) Ports(ctx context.Context) ([]wire.Port, error) {
	resp, err := c.control(ctx, controlTimeout, wire.Request{Op: wire.OpPorts})
	if err != nil {
		return nil, fmt.Errorf("asking the guest for its ports: %w", err)
	}
	if err := wire.ValidatePorts(resp.Ports); err != nil {
		return nil, c.broken(err)
	}
	return resp.Ports, nil
}
