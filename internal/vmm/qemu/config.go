package qemu

import (
	"context"
	"sync"
	"time"

	"banger/internal/vmm"
)

// Accel says what runs the guest's instructions.
type Accel string

// The accelerators.
const (
	AccelAuto Accel = ""    // KVM where it can run kernels, else TCG
	AccelKVM  Accel = "kvm" // hardware virtualization; not checked first
	AccelTCG  Accel = "tcg" // emulation
)

// Config is what the driver is told by its user.
type Config struct {
	Binary     string        // "": qemu-system-x86_64 of PATH
	Accel      Accel         // AccelAuto asks package kvm
	ProbeCache string        // file for the verdict of package kvm; "": measured anew by each Driver
	StartLimit time.Duration // longest time until QEMU's monitor answers; 0: 30 s
}

const defaultStartLimit = 30 * time.Second

// Driver is the vmm.Driver of QEMU. Use New.
type Driver struct {
	cfg Config

	mu   sync.Mutex // held while the host is looked at
	host *Host      // nil: not yet
}

var _ vmm.Driver = (*Driver)(nil)

// New returns a driver. It touches nothing until it is used.
func New(cfg Config) *Driver {
	if cfg.StartLimit == 0 {
		cfg.StartLimit = defaultStartLimit
	}
	return &Driver{cfg: cfg}
}

// Features implements vmm.Driver. An error of model.CodeUnsupported: there is
// no QEMU.
func (d *Driver) Features(ctx context.Context) (vmm.Features, error) {
	host, err := d.lookAtHost(ctx)
	if err != nil {
		return vmm.Features{}, err
	}
	return vmm.Features{
		Driver:   driverName,
		Accel:    string(host.Accel),
		Why:      host.Why,
		Version:  host.Version,
		Overlays: true,
		UserNet:  host.UserNet,
		Pause:    true,
	}, nil
}

const driverName = "qemu"
