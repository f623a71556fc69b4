package vm

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/vmm"
	"banger/internal/wire"
)

const (
	// statsTimeout bounds what measuring one VM may take: a guest that does
	// not answer must not hold up the others.
	statsTimeout = 2 * time.Second
	// statsAtOnce is how many VMs are measured at a time.
	statsAtOnce = 16
)

// StatsVMs measures the VMs of those names, or all that have a process: from
// outside what the process uses, from inside what the agent tells. It is no
// operation and takes no lock.
func (s *Service) StatsVMs(ctx context.Context, p rpc.VMStatsParams) ([]model.VMStats, error) {
	vms, err := s.measurable(ctx, p.Names)
	if err != nil {
		return nil, err
	}
	stats := make([]model.VMStats, len(vms))
	var group errgroup.Group
	group.SetLimit(statsAtOnce)
	for i, vm := range vms {
		group.Go(func() error {
			bounded, cancel := context.WithTimeout(ctx, statsTimeout)
			defer cancel()
			stats[i] = s.measure(bounded, vm)
			return nil
		})
	}
	_ = group.Wait()
	return stats, ctx.Err()
}

// measurable returns the VMs to measure, never nil.
func (s *Service) measurable(ctx context.Context, names []string) ([]model.VM, error) {
	if len(names) == 0 {
		all, err := s.cfg.Store.VMs(ctx)
		return slices.DeleteFunc(all, func(vm model.VM) bool { return s.lookup(vm.ID) == nil }), err
	}
	vms := make([]model.VM, len(names))
	for i, name := range names {
		var err error
		if vms[i], err = s.find(ctx, name); err != nil {
			return nil, err
		}
	}
	return vms, nil
}

// measure measures one VM. One without a process has used nothing.
func (s *Service) measure(ctx context.Context, vm model.VM) model.VMStats {
	stats := model.VMStats{
		ID: vm.ID, Name: vm.Name, State: vm.State, CPUs: vm.Spec.CPUs, MemoryMiB: vm.Spec.MemoryMiB, Disks: []model.DiskStats{},
	}
	l := s.lookup(vm.ID)
	if l == nil {
		stats.At = s.cfg.Now()
		return stats
	}
	stats.StartedAt = vm.StartedAt
	guest, guestErr := guestStats(ctx, vm, l)
	usage, err := l.machine.Usage(ctx)
	stats.At = s.cfg.Now()
	switch {
	case err != nil:
		stats.GuestError = err.Error()
	case guestErr != nil:
		stats.GuestError = guestErr.Error()
	}
	stats.Guest = guest
	addUsage(&stats, usage)
	return stats
}

func addUsage(stats *model.VMStats, usage vmm.Usage) {
	stats.CPUSeconds = usage.CPU.Seconds()
	stats.MemoryBytes = usage.MemoryBytes
	for _, d := range usage.Disks {
		stats.Disks = append(stats.Disks, model.DiskStats(d))
	}
}

// guestStats asks the agent. A VM that does not run is not asked: what is
// sent to a paused guest stays on its way.
func guestStats(ctx context.Context, vm model.VM, l *live) (*model.GuestStats, error) {
	if vm.State != model.VMRunning {
		return nil, model.Errorf(model.CodeConflict, "VM %s is %s", vm.Name, vm.State)
	}
	agent, err := l.agent(ctx)
	if err != nil {
		return nil, err
	}
	status, err := agent.Status(ctx)
	if err != nil {
		return nil, err
	}
	return toGuestStats(status), nil
}

func toGuestStats(s wire.Status) *model.GuestStats {
	stats := &model.GuestStats{
		UptimeSeconds: s.UptimeSeconds, Load: s.Load, Processes: s.Processes,
		MemoryTotalBytes: s.MemoryTotal, MemoryAvailableBytes: s.MemoryAvailable,
		RootTotalBytes: s.RootTotal, RootFreeBytes: s.RootFree,
		Interfaces: []model.InterfaceStats{},
	}
	for _, i := range s.Interfaces {
		stats.Interfaces = append(stats.Interfaces, model.InterfaceStats(i))
	}
	return stats
}
