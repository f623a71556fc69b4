package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
	"banger/internal/rpc/server"
)

// closeTimeout bounds the wait for operations that undo what they did.
const closeTimeout = 30 * time.Second

// Parts is what a Daemon is made of.
type Parts struct {
	Images     rpc.ImageAPI
	Kernels    rpc.KernelAPI
	VMs        rpc.VMAPI
	Volumes    rpc.VolumeAPI
	Operations *operation.Service
	Events     rpc.EventAPI
	Health     rpc.HealthAPI
	Version    model.VersionInfo
	Settings   model.Settings
	Accel      func() string // what VMs run on, "" until it is known; may be nil
	// Recovery is done in this order before the first call is answered.
	Recovery []RecoveryStep
	// LetGo lets go of VMs before calls are canceled: a VM whose command is
	// canceled is stopped, one whose daemon goes away is not.
	LetGo func() // may be nil
	Log   *slog.Logger
}

// RecoveryStep puts one kind of thing right that an earlier daemon left. An
// error means that the daemon must not serve.
type RecoveryStep struct {
	What string // operations, images, VMs, ...
	Do   func(ctx context.Context) error
}

// Daemon is the API of all services.
type Daemon struct {
	rpc.ImageAPI
	rpc.KernelAPI
	rpc.VMAPI
	rpc.VolumeAPI
	rpc.OperationAPI
	rpc.EventAPI
	rpc.HealthAPI

	parts Parts
	stop  func() // closes stopped, once
	ended <-chan struct{}
}

var _ rpc.API = (*Daemon)(nil)

// New returns a Daemon of parts.
func New(parts Parts) *Daemon {
	stopped := make(chan struct{})
	return &Daemon{
		ImageAPI:     parts.Images,
		KernelAPI:    parts.Kernels,
		VMAPI:        parts.VMs,
		VolumeAPI:    parts.Volumes,
		OperationAPI: parts.Operations,
		EventAPI:     parts.Events,
		HealthAPI:    parts.Health,
		parts:        parts,
		stop:         sync.OnceFunc(func() { close(stopped) }),
		ended:        stopped,
	}
}

// Version implements rpc.API.
func (d *Daemon) Version(context.Context) (model.VersionInfo, error) {
	info := d.parts.Version
	if d.parts.Accel != nil {
		info.Accel = d.parts.Accel()
	}
	return info, nil
}

// Settings implements rpc.API.
func (d *Daemon) Settings(context.Context) (model.Settings, error) { return d.parts.Settings, nil }

// Shutdown implements rpc.API: Serve returns soon after.
func (d *Daemon) Shutdown(context.Context) error {
	d.stop()
	return nil
}

// Serve recovers, calls ready, and answers the connections of l until ctx
// ends or Shutdown is called. Calls under way are then canceled and undone;
// VMs go on. It closes l.
func (d *Daemon) Serve(ctx context.Context, l net.Listener, ready func()) error {
	if err := d.recoverAll(ctx); err != nil {
		return errors.Join(err, l.Close())
	}
	calls, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	go func() {
		defer cancel()
		select {
		case <-d.ended:
		case <-ctx.Done():
		case <-calls.Done():
			return
		}
		if d.parts.LetGo != nil {
			d.parts.LetGo()
		}
	}()
	ready()
	err := server.New(d, d.parts.Log).Serve(calls, l)
	d.parts.Log.Info("stopping")
	grace, done := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer done()
	return errors.Join(err, d.parts.Operations.Close(grace))
}

// recoverAll repairs step by step.
func (d *Daemon) recoverAll(ctx context.Context) error {
	for _, step := range d.parts.Recovery {
		if err := step.Do(ctx); err != nil {
			return model.Errorf(model.CodeOf(err), "recovering %s: %w", step.What, err)
		}
	}
	return nil
}
