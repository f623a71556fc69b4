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
	events := rpc.EventsParams{Since: fakeTime, Tail: 3, Filters: []string{"noun=vm"}}
	return []apiCall{
		{"PauseVM", name, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.PauseVM(ctx, name) }, fakeVM("web"), false},
		{"ResumeVM", name, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.ResumeVM(ctx, name) }, fakeVM("web"), false},
		{"RenameVM", rename, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.RenameVM(ctx, rename) }, fakeVM("www"), false},
		{"SetVM", set, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.SetVM(ctx, set, r) }, fakeChange("web"), true},
		{"PruneVMs", prune, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.PruneVMs(ctx, prune, r) }, []model.VMSummary{{ID: "v"}}, true},
		{"WaitVM", wait, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.WaitVM(ctx, wait) }, fakeVM("web"), false},
		{"Events", events, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) {
			var out strings.Builder
			err := a.Events(ctx, events, &out)
			return out.String(), err
		}, "{}\n", false},
	}
}
