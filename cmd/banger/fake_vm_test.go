package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"banger/internal/model"
	"banger/internal/rpc"
)

func (d *fakeDaemon) vm(name string) int {
	return slices.IndexFunc(d.vms, func(vm model.VM) bool {
		return vm.Name == name || name != "" && strings.HasPrefix(vm.ID, name)
	})
}

func (d *fakeDaemon) CreateVM(_ context.Context, p rpc.VMCreateParams, report model.Report) (model.VM, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p.Name == "" {
		d.created++
		p.Name = fmt.Sprintf("brave-fox-%d", d.created)
	}
	if d.vm(p.Name) >= 0 {
		return model.VM{}, model.Errorf(model.CodeConflict, "VM %q exists", p.Name).WithHint("banger rm %s", p.Name)
	}
	if strings.HasPrefix(p.Image, "bad") {
		return model.VM{}, notFound("image", p.Image)
	}
	if p.Image == "" {
		p.Image = "debian-bookworm"
	}
	vm := model.VM{
		ID: fmt.Sprintf("5eed0000000000%02d", len(d.vms)), Name: p.Name, State: model.VMStopped, Image: p.Image,
		Spec: model.VMSpec{
			CPUs: max(p.CPUs, 1), MemoryMiB: max(p.MemoryMiB, 512), DiskBytes: p.DiskBytes, Kernel: p.Kernel,
			Network: p.Network, Hostname: p.Hostname, Labels: p.Labels, AutoRemove: p.AutoRemove,
			Config: model.ImageConfig{Env: p.Env, WorkingDir: p.WorkingDir, User: p.User, Entrypoint: p.Entrypoint},
		},
		CreatedAt: epoch,
	}
	if p.Start {
		vm.State = model.VMRunning
		report(model.Progress{Stage: "boot", Done: true, Millis: 3100})
	}
	d.vms = append(d.vms, vm)
	return vm, nil
}

// change sets the state of a VM that must be in one of the states from.
func (d *fakeDaemon) change(name string, to model.VMState, from ...model.VMState) (model.VM, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.vm(name)
	if i < 0 {
		return model.VM{}, notFound("vm", name)
	}
	if len(from) > 0 && !slices.Contains(from, d.vms[i].State) {
		return model.VM{}, model.Errorf(model.CodeConflict, "VM %q is %s", name, d.vms[i].State)
	}
	d.vms[i].State = to
	return d.vms[i], nil
}

func (d *fakeDaemon) StartVM(_ context.Context, p rpc.NameParams, report model.Report) (model.VM, error) {
	report(model.Progress{Stage: "boot", Done: true, Millis: 3100})
	return d.change(p.Name, model.VMRunning)
}

func (d *fakeDaemon) StopVM(_ context.Context, p rpc.VMStopParams, _ model.Report) (model.VM, error) {
	d.mu.Lock()
	d.stop = p
	d.mu.Unlock()
	return d.change(p.Name, model.VMStopped)
}

func (d *fakeDaemon) KillVM(_ context.Context, p rpc.NameParams) (model.VM, error) {
	return d.change(p.Name, model.VMStopped, model.VMRunning)
}

func (d *fakeDaemon) RestartVM(_ context.Context, p rpc.VMStopParams, _ model.Report) (model.VM, error) {
	return d.change(p.Name, model.VMRunning)
}

func (d *fakeDaemon) ResetVM(_ context.Context, p rpc.VMResetParams, _ model.Report) (model.VM, error) {
	from := []model.VMState{model.VMStopped, model.VMFailed}
	if p.Force {
		from = nil
	}
	return d.change(p.Name, model.VMStopped, from...)
}

func (d *fakeDaemon) RebaseVM(ctx context.Context, p rpc.VMRebaseParams, report model.Report) (model.VM, error) {
	return d.ResetVM(ctx, rpc.VMResetParams{Name: p.Name, Force: p.Force}, report)
}

func (d *fakeDaemon) DeleteVM(_ context.Context, p rpc.VMDeleteParams, _ model.Report) (model.VM, error) {
	from := []model.VMState{model.VMStopped, model.VMFailed}
	if p.Force {
		from = nil
	}
	vm, err := d.change(p.Name, model.VMDeleting, from...)
	if err == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.vms = slices.DeleteFunc(d.vms, func(v model.VM) bool { return v.Name == vm.Name })
	}
	return vm, err
}

func (d *fakeDaemon) ListVMs(context.Context) ([]model.VM, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.vms), nil
}

func (d *fakeDaemon) ListVMSummaries(ctx context.Context) ([]model.VMSummary, error) {
	vms, err := d.ListVMs(ctx)
	summaries := make([]model.VMSummary, len(vms))
	for i := range vms {
		summaries[i] = vms[i].Summary()
	}
	return summaries, err
}

func (d *fakeDaemon) ShowVM(_ context.Context, p rpc.NameParams) (model.VM, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.vm(p.Name)
	if i < 0 {
		return model.VM{}, notFound("vm", p.Name)
	}
	return d.vms[i], nil
}

func (d *fakeDaemon) ExecVM(ctx context.Context, p rpc.VMExecParams, stdio rpc.Stdio, report model.Report) (model.ExitStatus, error) {
	d.mu.Lock()
	d.exec = p
	d.mu.Unlock()
	vm, err := d.ShowVM(ctx, rpc.NameParams{Name: p.Name})
	switch {
	case err != nil:
		return model.ExitStatus{}, err
	case vm.State != model.VMRunning && p.NoStart:
		return model.ExitStatus{}, model.Errorf(model.CodeConflict, "VM %q is %s", p.Name, vm.State).WithHint("banger start %s", p.Name)
	}
	if vm.State != model.VMRunning {
		if vm, err = d.StartVM(ctx, rpc.NameParams{Name: p.Name}, report); err != nil {
			return model.ExitStatus{}, err
		}
	}
	stdio.Started(vm)
	if p.Detach {
		return model.ExitStatus{}, nil
	}
	return fakeProcess(ctx, p.Argv, p.Env, stdio)
}

func (d *fakeDaemon) RunVM(ctx context.Context, p rpc.VMRunParams, stdio rpc.Stdio, report model.Report) (model.ExitStatus, error) {
	d.mu.Lock()
	d.run = p
	d.mu.Unlock()
	if p.Create.Image == "slow-boot" { // never comes up
		<-ctx.Done()
		return model.ExitStatus{}, ctx.Err()
	}
	p.Create.Start = true
	vm, err := d.CreateVM(ctx, p.Create, report)
	if err != nil {
		return model.ExitStatus{}, err
	}
	stdio.Started(vm)
	if p.Detach {
		return model.ExitStatus{}, nil
	}
	status, err := fakeProcess(ctx, p.Argv, p.Create.Env, stdio)
	_, _ = d.change(vm.Name, model.VMStopped)
	if p.Create.AutoRemove {
		_, _ = d.DeleteVM(ctx, rpc.VMDeleteParams{Name: vm.Name}, model.Discard)
	}
	return status, err
}

// fakeProcess runs one of the commands that a fake VM knows.
func fakeProcess(ctx context.Context, argv, env []string, stdio rpc.Stdio) (model.ExitStatus, error) {
	if len(argv) == 0 {
		argv = []string{"sh"}
	}
	switch argv[0] {
	case "echo":
		fmt.Fprintln(stdio.Stdout, strings.Join(argv[1:], " "))
	case "warn":
		fmt.Fprintln(stdio.Stderr, strings.Join(argv[1:], " "))
	case "env":
		fmt.Fprintln(stdio.Stdout, strings.Join(env, "\n"))
	case "cat":
		if stdio.Stdin != nil {
			_, err := io.Copy(stdio.Stdout, stdio.Stdin)
			return model.ExitStatus{}, err
		}
	case "sh": // says what it reads; ends on "exit N"
		return fakeShell(stdio)
	case "wait": // says which signals come; ends on TERM
		return fakeWait(ctx, stdio)
	case "exit":
		code, err := strconv.Atoi(argv[1])
		return model.ExitStatus{Code: code}, err
	case "die":
		return model.ExitStatus{Code: 128 + 9, Signal: "KILL"}, nil
	case "lost":
		return model.ExitStatus{}, model.Errorf(model.CodeBoot, "the VM went away")
	default:
		return model.ExitStatus{Code: 127, Err: argv[0] + ": not found"}, nil
	}
	return model.ExitStatus{}, nil
}

func fakeShell(stdio rpc.Stdio) (model.ExitStatus, error) {
	if stdio.Stdin == nil {
		return model.ExitStatus{}, nil
	}
	fmt.Fprint(stdio.Stdout, "$ ")
	in := bufio.NewReader(stdio.Stdin)
	for {
		line, _ := in.ReadString('\r')
		if line == "" {
			return model.ExitStatus{}, nil
		}
		var code int
		if _, err := fmt.Sscanf(line, "exit %d", &code); err == nil {
			return model.ExitStatus{Code: code}, nil
		}
		fmt.Fprintf(stdio.Stdout, "read %q\r\n", line)
	}
}

func fakeWait(ctx context.Context, stdio rpc.Stdio) (model.ExitStatus, error) {
	fmt.Fprintln(stdio.Stdout, "waiting")
	for {
		select {
		case sig := <-stdio.Signals:
			fmt.Fprintln(stdio.Stdout, "got", sig)
			if sig == "TERM" {
				return model.ExitStatus{Code: 128 + 15, Signal: "TERM"}, nil
			}
		case size := <-stdio.Resize:
			fmt.Fprintf(stdio.Stdout, "size %dx%d\r\n", size.Cols, size.Rows)
		case <-ctx.Done():
			return model.ExitStatus{}, ctx.Err()
		}
	}
}
