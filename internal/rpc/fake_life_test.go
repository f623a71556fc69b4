package rpc_test

import (
	"context"
	"io"
	"strings"

	"banger/internal/model"
	"banger/internal/rpc"
)

func (f *fakeAPI) PauseVM(ctx context.Context, p rpc.NameParams) (model.VM, error) {
	return fakeVM(p.Name), f.called(ctx, p)
}
func (f *fakeAPI) ResumeVM(ctx context.Context, p rpc.NameParams) (model.VM, error) {
	return fakeVM(p.Name), f.called(ctx, p)
}
func (f *fakeAPI) RenameVM(ctx context.Context, p rpc.VMRenameParams) (model.VM, error) {
	return fakeVM(p.NewName), f.called(ctx, p)
}
func (f *fakeAPI) SetVM(ctx context.Context, p rpc.VMSetParams, report model.Report) (model.VMChange, error) {
	return fakeChange(p.Name), f.long(ctx, p, report)
}
func (f *fakeAPI) PruneVMs(ctx context.Context, p rpc.VMPruneParams, report model.Report) ([]model.VMSummary, error) {
	return []model.VMSummary{{ID: "v"}}, f.long(ctx, p, report)
}
func (f *fakeAPI) WaitVM(ctx context.Context, p rpc.VMWaitParams) (model.VM, error) {
	return fakeVM(p.Name), f.called(ctx, p)
}
func (f *fakeAPI) ConsoleVM(ctx context.Context, p rpc.VMConsoleParams, stdio rpc.Stdio, report model.Report) (model.ExitStatus, error) {
	if err := f.long(ctx, p, report); err != nil {
		return model.ExitStatus{}, err
	}
	return process(ctx, []string{"cat"}, stdio)
}
func (f *fakeAPI) StatsVMs(ctx context.Context, p rpc.VMStatsParams) ([]model.VMStats, error) {
	return []model.VMStats{fakeStats()}, f.called(ctx, p)
}
func (f *fakeAPI) HealthVM(ctx context.Context, p rpc.NameParams) (model.VMHealth, error) {
	return model.VMHealth{Name: p.Name, Healthy: true, PingMicros: 7}, f.called(ctx, p)
}
func (f *fakeAPI) PortsVM(ctx context.Context, p rpc.NameParams) ([]model.GuestPort, error) {
	return []model.GuestPort{{Address: "::", Port: 80}}, f.called(ctx, p)
}

func fakeStats() model.VMStats {
	return model.VMStats{Name: "web", At: fakeTime, CPUSeconds: 0.25, Disks: []model.DiskStats{{Reads: 3}}, Guest: &model.GuestStats{
		Load: [3]float64{1, 0.5, 0}, Interfaces: []model.InterfaceStats{{Name: "eth0", RxBytes: 1 << 63}}}}
}

func (f *fakeAPI) Events(ctx context.Context, p rpc.EventsParams, w io.Writer) error {
	if err := f.called(ctx, p); err != nil {
		return err
	}
	_, err := io.WriteString(w, "{}\n")
	return err
}

func fakeChange(name string) model.VMChange {
	return model.VMChange{VM: fakeVM(name), Now: []string{"labels"}, Later: []string{"cpus"}}
}

// lifeCalls are the calls of rpc.VMLifeAPI and rpc.EventAPI.
func lifeCalls() []apiCall {
	two, kernel := 2, ""
	name := rpc.NameParams{Name: "web"}
	rename := rpc.VMRenameParams{Name: "web", NewName: "www"}
	set := rpc.VMSetParams{Name: "web", CPUs: &two, Kernel: &kernel, Labels: map[string]string{"a": ""}, RemoveLabels: []string{"b"}}
	prune := rpc.VMPruneParams{Filters: []string{"label=a"}, IDs: []string{"v"}, DryRun: true}
	wait := rpc.VMWaitParams{Name: "web", For: rpc.AwaitPaused}
	console := rpc.VMConsoleParams{Name: "web", Tail: 3}
	stats := rpc.VMStatsParams{Names: []string{"web"}}
	events := rpc.EventsParams{Since: fakeTime, Tail: 3, Filters: []string{"noun=vm"}}
	return []apiCall{
		{"PauseVM", name, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.PauseVM(ctx, name) }, fakeVM("web"), false},
		{"ResumeVM", name, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.ResumeVM(ctx, name) }, fakeVM("web"), false},
		{"RenameVM", rename, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.RenameVM(ctx, rename) }, fakeVM("www"), false},
		{"SetVM", set, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.SetVM(ctx, set, r) }, fakeChange("web"), true},
		{"PruneVMs", prune, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.PruneVMs(ctx, prune, r) }, []model.VMSummary{{ID: "v"}}, true},
		{"WaitVM", wait, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.WaitVM(ctx, wait) }, fakeVM("web"), false},
		{"ConsoleVM", console, func(ctx context.Context, a rpc.API, r model.Report) (any, error) {
			return a.ConsoleVM(ctx, console, rpc.Stdio{Stdout: io.Discard}, r)
		}, model.ExitStatus{}, true},
		{"StatsVMs", stats, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.StatsVMs(ctx, stats) }, []model.VMStats{fakeStats()}, false},
		{"HealthVM", name, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.HealthVM(ctx, name) }, model.VMHealth{Name: "web", Healthy: true, PingMicros: 7}, false},
		{"PortsVM", name, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.PortsVM(ctx, name) }, []model.GuestPort{{Address: "::", Port: 80}}, false},
		{"Events", events, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) {
			var out strings.Builder
			err := a.Events(ctx, events, &out)
			return out.String(), err
		}, "{}\n", false},
	}
}
