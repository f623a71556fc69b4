package main

import (
	"context"
	"sync/atomic"

	"banger/internal/vmm"
)

// accelerator is what VMs run on, once that is known. Finding out may take
// seconds where KVM is there and does not work, so it is done beside the
// first calls; the driver keeps the result, and no boot waits for it again.
type accelerator struct{ name atomic.Value }

func (a *accelerator) find(ctx context.Context, driver vmm.Driver) {
	if features, err := driver.Features(ctx); err == nil {
		a.name.Store(features.Accel)
	}
}

func (a *accelerator) known() string {
	name, _ := a.name.Load().(string)
	return name
}
