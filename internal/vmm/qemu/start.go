package qemu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/cgroup"
	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/proc"
	"banger/internal/vmm"
	"banger/internal/vmm/console"
)

// Start implements vmm.Driver.
//
//	1 host      what QEMU and KVM can do here
//	2 validate  the spec
//	3 prepare   lock, sockets and log in the run directory
//	4 spawn     the process, which inherits them
//	5 greet     the monitor answers with the VM's name
//
// A failure after 3 kills the process and empties the run directory again.
func (d *Driver) Start(ctx context.Context, spec vmm.Spec) (vmm.Machine, error) {
	host, err := d.lookAtHost(ctx) // 1
	if err != nil {
		return nil, err
	}
	if err := validate(spec, host); err != nil { // 2
		return nil, fmt.Errorf("starting QEMU: %w", err)
	}
	m, err := d.launch(ctx, spec, host)
	if err != nil {
		return nil, errors.Join(err, sweep(spec.RunDir))
	}
	return m, nil
}

func (d *Driver) launch(ctx context.Context, spec vmm.Spec, host Host) (vmm.Machine, error) {
	files, err := prepare(spec) // 3
	if err != nil {
		return nil, fmt.Errorf("starting QEMU: %w", err)
	}
	if err := failpoint.Hit(ctx, "qemu.start/prepared"); err != nil {
		files.close()
		return nil, err
	}
	process, err := spawn(spec, host, files) // 4
	files.close()
	if err != nil {
		return nil, model.Errorf(model.CodeBoot, "%w", saidSo(spec.RunDir, err))
	}
	ctx, cancel := context.WithTimeout(ctx, d.cfg.StartLimit)
	defer cancel()
	mon, err := greet(ctx, spec.RunDir, vmName(spec.ID, spec.Generation)) // 5
	if err != nil {
		err = startError(ctx, spec.RunDir, process, err)
		_ = process.Close()
		return nil, err
	}
	rec := vmm.Record{
		ID: spec.ID, Generation: spec.Generation,
		Driver: driverName, Accel: string(host.Accel),
		RunDir: spec.RunDir, Process: process.ID(),
	}
	return newMachine(ctx, rec, process, mon), nil
}

// spawn starts the process in a session of its own, with nothing of ours but
// the files. It is reaped by proc.Process.Wait.
func spawn(spec vmm.Spec, host Host, files *runFiles) (*proc.Process, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	child, err := os.StartProcess(host.Binary, append([]string{host.Binary}, Args(spec, host)...), &os.ProcAttr{
		Dir:   "/",
		Env:   []string{},
		Files: []*os.File{null, files.log, files.log, files.lock, files.monitor, files.agent, files.console},
		Sys:   &unix.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, err
	}
	if err := confine(child.Pid, spec.Cgroups); err != nil {
		_ = child.Kill()
		_, _ = child.Wait()
		return nil, err
	}
	process, err := hold(child.Pid)
	if err != nil {
		_ = child.Kill()
		_, _ = child.Wait()
		return nil, err
	}
	return process, child.Release()
}

// hold opens a child that nobody has reaped yet, so that its number is its own.
func hold(pid int) (*proc.Process, error) {
	id, err := proc.Identify(pid)
	if err != nil {
		return nil, err
	}
	process, err := proc.Open(id)
	if errors.Is(err, proc.ErrGone) {
		return nil, errEnded
	}
	return process, err
}

// oomScore lets the kernel prefer VMs to the daemon when memory is short.
const oomScore = "300\n"

// confine sets what a parent may set from outside. Failing does not matter
// enough to refuse a VM.
func confine(pid int, cgroups []string) error {
	_ = unix.Prlimit(pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil) // a core would hold the guest's memory
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte(oomScore), 0)
	if err := cgroup.Join(cgroups, pid); err != nil {
		return fmt.Errorf("putting QEMU into its control group: %w", err)
	}
	return nil
}

// greet connects to the monitor and checks that it is the named VM's.
func greet(ctx context.Context, runDir, name string) (*monitor, error) {
	if err := failpoint.Hit(ctx, "qemu.start/spawned"); err != nil {
		return nil, err
	}
	mon, err := dialMonitor(ctx, filepath.Join(runDir, monitorFile))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Name string `json:"name"`
	}
	err = mon.execute(ctx, "query-name", &answer)
	if err == nil && answer.Name != name {
		err = fmt.Errorf("QEMU's monitor: it is that of %.100q, not of %q", answer.Name, name)
	}
	if err == nil {
		err = failpoint.Hit(ctx, "qemu.start/greeted")
	}
	if err != nil {
		mon.close()
		return nil, err
	}
	return mon, nil
}

// endLimit bounds waiting for the end of a killed process.
const endLimit = 10 * time.Second

var errEnded = errors.New("it ended at once")

// startError ends a process that did not come up and says why. What QEMU
// wrote to its log tells more than a connection that was closed.
func startError(ctx context.Context, runDir string, process *proc.Process, cause error) error {
	code := model.CodeBoot
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		code, cause = model.CodeTimeout, fmt.Errorf("it did not answer in time: %w", cause)
	case ctx.Err() != nil:
		code = model.CodeCanceled
	case connectionEnded(cause):
		cause = errEnded
	}
	killErr := end(ctx, process)
	return errors.Join(hinted(model.Errorf(code, "%w", saidSo(runDir, cause))), killErr)
}

// hinted adds what mends an error whose words are QEMU's.
func hinted(err *model.Error) *model.Error {
	if strings.Contains(err.Error(), "cannot set up guest memory") { // backends/hostmem.c, system/memory.c
		return err.WithHint("the host has not that much memory: give the VM less with --memory (of one that is there: banger vm set), or stop others (banger ps)")
	}
	return err
}

// connectionEnded reports whether the monitor's end of the connection is gone,
// as it is a moment before the process is.
func connectionEnded(err error) bool {
	var errno unix.Errno
	return errors.Is(err, errMonitorClosed) || errors.As(err, &errno)
}

func end(ctx context.Context, process *proc.Process) error {
	if err := process.Signal(unix.SIGKILL); err != nil && !errors.Is(err, proc.ErrGone) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	_, err := process.Wait(ctx)
	return err
}

// saidSo adds the end of QEMU's log to cause.
func saidSo(runDir string, cause error) error {
	tail, _, _ := console.Tail(filepath.Join(runDir, LogFile), 5) // the cause stands without it
	if said := strings.TrimSpace(string(tail)); said != "" {
		return fmt.Errorf("starting QEMU: %w: %.2000s", cause, said)
	}
	return fmt.Errorf("starting QEMU: %w", cause)
}
