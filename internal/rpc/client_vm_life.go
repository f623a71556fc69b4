package rpc

import (
	"context"
	"errors"
	"io"

	"golang.org/x/sys/unix"

	"banger/internal/model"
	"banger/internal/rpc/protocol"
)

// PauseVM implements API.
func (c *Client) PauseVM(ctx context.Context, p NameParams) (model.VM, error) {
	return invoke[model.VM](ctx, c, "vm.pause", p)
}

// ResumeVM implements API.
func (c *Client) ResumeVM(ctx context.Context, p NameParams) (model.VM, error) {
	return invoke[model.VM](ctx, c, "vm.resume", p)
}

// RenameVM implements API.
func (c *Client) RenameVM(ctx context.Context, p VMRenameParams) (model.VM, error) {
	return invoke[model.VM](ctx, c, "vm.rename", p)
}

// SetVM implements API.
func (c *Client) SetVM(ctx context.Context, p VMSetParams, report model.Report) (model.VMChange, error) {
	return follow[model.VMChange](ctx, c, "vm.set", p, report)
}

// PruneVMs implements API.
func (c *Client) PruneVMs(ctx context.Context, p VMPruneParams, report model.Report) ([]model.VMSummary, error) {
	return follow[[]model.VMSummary](ctx, c, "vm.prune", p, report)
}

// WaitVM implements API.
func (c *Client) WaitVM(ctx context.Context, p VMWaitParams) (model.VM, error) {
	return invoke[model.VM](ctx, c, "vm.wait", p)
}

// ConsoleVM implements API. One Read of Stdin may be under way after it returns.
func (c *Client) ConsoleVM(ctx context.Context, p VMConsoleParams, stdio Stdio, report model.Report) (model.ExitStatus, error) {
	return attach[model.ExitStatus](ctx, c, "vm.console", p, p.Stdin, stdio, report)
}

// StatsVMs implements API.
func (c *Client) StatsVMs(ctx context.Context, p VMStatsParams) ([]model.VMStats, error) {
	return invoke[[]model.VMStats](ctx, c, "vm.stats", p)
}

// HealthVM implements API.
func (c *Client) HealthVM(ctx context.Context, p NameParams) (model.VMHealth, error) {
	return invoke[model.VMHealth](ctx, c, "vm.health", p)
}

// PortsVM implements API.
func (c *Client) PortsVM(ctx context.Context, p NameParams) ([]model.GuestPort, error) {
	return invoke[[]model.GuestPort](ctx, c, "vm.ports", p)
}

// Events implements API.
func (c *Client) Events(ctx context.Context, p EventsParams, w io.Writer) error {
	return c.stream(ctx, "system.events", p, w)
}

// stream calls an operation whose answer is bytes and copies them to w.
func (c *Client) stream(ctx context.Context, verb string, params any, w io.Writer) error {
	resp, err := c.post(ctx, verb, params, "application/octet-stream")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	out := &sink{w: w}
	if _, err := io.Copy(out, resp.Body); err != nil {
		if out.err != nil && ctx.Err() == nil {
			return unwritten(verb, out.err)
		}
		return broken(ctx, verb, err)
	}
	if trailer := resp.Trailer.Get(protocol.ErrorTrailer); trailer != "" {
		return readError(verb, []byte(trailer))
	}
	return nil
}

// sink remembers why it could not be written to: the daemon is not at fault.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.err = err
	return n, err
}

func unwritten(verb string, err error) error {
	if errors.Is(err, unix.ENOSPC) {
		return model.Errorf(model.CodeNoSpace, "writing what %s answers: %w", verb, err).WithHint("make room where it is written to: `df -h` shows what is full")
	}
	return model.Errorf(model.CodeOf(err), "writing what %s answers: %w", verb, err)
}
