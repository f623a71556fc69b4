package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const daemonStart = 20 * time.Second

// daemon measures how much memory the real daemon has had at most when it has
// pulled the image, as `make build` made it.
func (b *bench) daemon(ctx context.Context) (err error) {
	home, err := os.MkdirTemp("", "bgi")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	bin, err := filepath.Abs(filepath.Join("build", "bin"))
	if err != nil {
		return err
	}
	kernel := filepath.Join(home, "vmlinux")
	if err := os.WriteFile(kernel, []byte("\x7fELF, and no more: nothing boots here"), 0o600); err != nil {
		return err
	}
	env := append(os.Environ(), "BANGER_HOME="+home)
	daemon := exec.CommandContext(ctx, filepath.Join(bin, "bangerd"))
	daemon.Env = env
	daemon.Cancel = func() error { return daemon.Process.Signal(syscall.SIGTERM) }
	daemon.WaitDelay = daemonStart
	if err := daemon.Start(); err != nil {
		return fmt.Errorf("%w (make build)", err)
	}
	defer func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		_ = daemon.Wait() // it was told to end
	}()
	if err := awaitSocket(ctx, home); err != nil {
		return err
	}
	client := exec.CommandContext(ctx, filepath.Join(bin, "banger"), "image", "pull", "--kernel-path", kernel, b.server.ref("large"))
	client.Env = env
	if out, err := client.CombinedOutput(); err != nil {
		return fmt.Errorf("pulling with the daemon: %w: %.500s", err, out)
	}
	kib, err := peakOf(daemon.Process.Pid)
	b.costs["daemon"] = append(b.costs["daemon"], cost{peak: kib / 1024})
	return err
}

// awaitSocket waits for the daemon's socket, somewhere in its home.
func awaitSocket(ctx context.Context, home string) error {
	ctx, cancel := context.WithTimeout(ctx, daemonStart)
	defer cancel()
	for {
		found, err := filepath.Glob(filepath.Join(home, "*", "banger.sock"))
		if err != nil || len(found) > 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the daemon: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// peakOf returns the most memory, in KiB, that a process has had resident.
func peakOf(pid int) (kib float64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		return 0, fmt.Errorf("reading VmHWM: %w", err)
	}
	return kib, nil
}
