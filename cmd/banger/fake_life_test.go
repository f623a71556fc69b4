package main

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"time"

	"banger/internal/model"
	"banger/internal/rpc"
)

func (d *fakeDaemon) PauseVM(_ context.Context, p rpc.NameParams) (model.VM, error) {
	return d.change(p.Name, model.VMPaused, model.VMRunning, model.VMPaused)
}

func (d *fakeDaemon) ResumeVM(_ context.Context, p rpc.NameParams) (model.VM, error) {
	return d.change(p.Name, model.VMRunning, model.VMPaused, model.VMRunning)
}

func (d *fakeDaemon) RenameVM(_ context.Context, p rpc.VMRenameParams) (model.VM, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.vm(p.Name)
	switch {
	case i < 0:
		return model.VM{}, notFound("vm", p.Name)
	case d.vm(p.NewName) >= 0:
		return model.VM{}, model.Errorf(model.CodeConflict, "VM %q exists", p.NewName)
	}
	d.vms[i].Name = p.NewName
	return d.vms[i], nil
}

// SetVM holds at once for VMs that are stopped; labels always do.
func (d *fakeDaemon) SetVM(_ context.Context, p rpc.VMSetParams, _ model.Report) (model.VMChange, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.vm(p.Name)
	if i < 0 {
		return model.VMChange{}, notFound("vm", p.Name)
	}
	d.set = p
	change := model.VMChange{Now: []string{}, Later: []string{}}
	if p.CPUs != nil {
		d.vms[i].Spec.CPUs = *p.CPUs
		change.Later = append(change.Later, "cpus")
	}
	if p.MemoryMiB != nil {
		d.vms[i].Spec.MemoryMiB = *p.MemoryMiB
		change.Later = append(change.Later, "memory")
	}
	if d.vms[i].State == model.VMStopped {
		change.Now, change.Later = change.Later, []string{}
	}
	if p.Labels != nil {
		labels := maps.Clone(d.vms[i].Spec.Labels)
		if labels == nil {
			labels = map[string]string{}
		}
		maps.Copy(labels, p.Labels)
		d.vms[i].Spec.Labels = labels
		change.Now = append(change.Now, "labels")
	}
	change.VM = d.vms[i]
	return change, nil
}

func (d *fakeDaemon) PruneVMs(_ context.Context, p rpc.VMPruneParams, _ model.Report) ([]model.VMSummary, error) {
	filter, err := model.ParseVMFilter(p.Filters, epoch)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	found := []model.VMSummary{}
	picked := func(vm model.VM) bool {
		return vm.State == model.VMStopped && filter.Match(vm.Summary()) && (p.IDs == nil || slices.Contains(p.IDs, vm.ID))
	}
	for _, vm := range d.vms {
		if picked(vm) {
			found = append(found, vm.Summary())
		}
	}
	if !p.DryRun {
		d.vms = slices.DeleteFunc(d.vms, picked)
	}
	return found, nil
}

// WaitVM never sees a change: what is not there yet does not come.
func (d *fakeDaemon) WaitVM(ctx context.Context, p rpc.VMWaitParams) (model.VM, error) {
	vm, err := d.ShowVM(ctx, rpc.NameParams{Name: p.Name})
	want := model.VMState(p.For)
	if p.For == rpc.AwaitExit {
		want = model.VMStopped
	}
	if err != nil || vm.State == want {
		return vm, err
	}
	<-ctx.Done()
	return vm, ctx.Err()
}

// ConsoleVM echoes what is typed until ctx ends.
func (d *fakeDaemon) ConsoleVM(ctx context.Context, p rpc.VMConsoleParams, stdio rpc.Stdio, _ model.Report) (model.ExitStatus, error) {
	vm, err := d.ShowVM(ctx, rpc.NameParams{Name: p.Name})
	if err != nil {
		return model.ExitStatus{}, err
	}
	stdio.Started(vm)
	_, _ = io.WriteString(stdio.Stdout, "login: ")
	_, _ = io.Copy(stdio.Stdout, stdio.Stdin)
	<-ctx.Done()
	return model.ExitStatus{}, ctx.Err()
}

// StatsVMs counts one second of CPU, and 1 MiB of all else, with each call;
// half a second passes meanwhile.
func (d *fakeDaemon) StatsVMs(_ context.Context, p rpc.VMStatsParams) ([]model.VMStats, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looks++
	n := int64(d.looks)
	stats := []model.VMStats{}
	for i, vm := range d.vms {
		if vm.State != model.VMRunning || p.Names != nil && !slices.Contains(p.Names, vm.Name) {
			continue
		}
		rank := int64(i + 1) // later VMs use more
		stats = append(stats, model.VMStats{
			ID: vm.ID, Name: vm.Name, State: vm.State, At: epoch.Add(time.Duration(n) * time.Second / 2), CPUs: 1,
			CPUSeconds: float64(rank*n) / 4, MemoryMiB: 512, MemoryBytes: rank * 100 * mib,
			Disks: []model.DiskStats{{ReadBytes: n * mib, WriteBytes: rank * n * mib}},
			Guest: &model.GuestStats{
				Load: [3]float64{0.5}, Processes: 7, MemoryTotalBytes: 500 * mib, MemoryAvailableBytes: 400 * mib,
				Interfaces: []model.InterfaceStats{{Name: "eth0", RxBytes: uint64(n * kib), TxBytes: 0}},
			},
		})
	}
	return stats, nil
}

func (d *fakeDaemon) HealthVM(ctx context.Context, p rpc.NameParams) (model.VMHealth, error) {
	vm, err := d.ShowVM(ctx, p)
	h := model.VMHealth{Name: vm.Name, State: vm.State, Healthy: vm.State == model.VMRunning}
	if h.Healthy {
		h.PingMicros = 2500
		h.Guest = &model.GuestStats{UptimeSeconds: 90, MemoryTotalBytes: gib, MemoryAvailableBytes: gib / 2, RootTotalBytes: gib, RootFreeBytes: gib}
	} else {
		h.Why = "it is " + string(vm.State)
	}
	return h, err
}

func (d *fakeDaemon) PortsVM(ctx context.Context, p rpc.NameParams) ([]model.GuestPort, error) {
	vm, err := d.ShowVM(ctx, p)
	if err == nil && vm.State != model.VMRunning {
		err = model.Errorf(model.CodeConflict, "VM %s is %s", vm.Name, vm.State)
	}
	return []model.GuestPort{{Address: "0.0.0.0", Port: 80, PID: 7, Process: "nginx"}, {Address: "::1", Port: 8080}}, err
}

func fakeEvents() []model.Event {
	return []model.Event{
		{At: epoch, Noun: model.EventVM, ID: "5eed", Name: "dev", Action: "running"},
		{At: epoch, Noun: model.EventOperation, ID: "4f1c", Name: "dev", Action: "failed", Kind: "vm.start", Detail: "no kernel\x1b[2J:\nmore"},
	}
}

func (d *fakeDaemon) Events(_ context.Context, p rpc.EventsParams, w io.Writer) error {
	filter, err := model.ParseEventFilter(p.Filters)
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.events = p
	d.mu.Unlock()
	for _, e := range fakeEvents() {
		if filter.Match(e) {
			if err := json.NewEncoder(w).Encode(e); err != nil {
				return err
			}
		}
	}
	return nil
}
