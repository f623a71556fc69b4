package qemu

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/model"
	"banger/internal/proc"
	"banger/internal/vmm"
)

func TestExitOf(t *testing.T) {
	t.Parallel()
	at := time.Unix(1700000000, 0)
	child := func(code int, sig unix.Signal) proc.Status { return proc.Status{Known: true, Code: code, Signal: sig} }
	for _, c := range []struct {
		event  string
		status proc.Status
		killed bool
		want   vmm.ExitReason
	}{
		{event: "guest-shutdown", want: vmm.ExitPoweroff},
		{event: "guest-reset", want: vmm.ExitReset},
		{event: "guest-panic", want: vmm.ExitReset},
		{event: "host-qmp-quit", want: vmm.ExitKilled},
		{event: "host-signal", want: vmm.ExitKilled},
		{event: "host-error", want: vmm.ExitCrashed},
		{event: "of-a-later-release", want: vmm.ExitCrashed},
		{event: "guest-shutdown", killed: true, want: vmm.ExitPoweroff},
		{killed: true, want: vmm.ExitKilled},
		{status: child(0, unix.SIGKILL), want: vmm.ExitKilled},
		{status: child(0, unix.SIGSEGV), want: vmm.ExitCrashed},
		{status: child(1, 0), want: vmm.ExitCrashed},
		{want: vmm.ExitCrashed},
	} {
		event := shutdownEvent{reason: c.event}
		if c.event != "" {
			event.at = at
		}
		got := exitOf(event, c.status, c.killed)
		if got.Reason != c.want || got.Detail == "" || got.At.IsZero() || c.event != "" && got.At != at {
			t.Errorf("event %q, status %+v, killed %t: %+v", c.event, c.status, c.killed, got)
		}
	}
}

func TestTSCKHz(t *testing.T) {
	t.Parallel()
	const flags = "flags\t\t: fpu tsc constant_tsc nopl\n"
	for _, c := range []struct {
		cpuinfo string
		want    int
	}{
		{flags + "bogomips\t: 4599.99\n", 2299995},
		{flags + "bogomips\t: 4890.84\nprocessor\t: 1\nbogomips\t: 1.00\n", 2445420},
		{"flags\t\t: fpu tsc nopl\nbogomips\t: 4599.99\n", 0}, // the counter's frequency changes
		{flags + "bogomips\t: many\n", 0},
		{"", 0},
	} {
		if got := tscKHz(c.cpuinfo); got != c.want {
			t.Errorf("%q: %d, want %d", c.cpuinfo, got, c.want)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := func() vmm.Spec {
		return vmm.Spec{
			ID: "a1", Generation: "b2", RunDir: "/r", Kernel: "/k", Console: "/c", CPUs: 1, MemoryMiB: 1,
			Disks:   []vmm.Disk{{Path: "/d", Format: vmm.Raw}},
			Network: model.NetUser, MAC: "52:54:00:12:34:56",
		}
	}
	host := Host{Accel: AccelTCG, UserNet: true}
	if err := validate(good(), host); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*vmm.Spec, *Host){
		"comma in id":       func(s *vmm.Spec, _ *Host) { s.ID = "a,b" },
		"empty generation":  func(s *vmm.Spec, _ *Host) { s.Generation = "" },
		"no CPU":            func(s *vmm.Spec, _ *Host) { s.CPUs = 0 },
		"no memory":         func(s *vmm.Spec, _ *Host) { s.MemoryMiB = 0 },
		"too many disks":    func(s *vmm.Spec, _ *Host) { s.Disks = make([]vmm.Disk, maxDisks+1) },
		"relative kernel":   func(s *vmm.Spec, _ *Host) { s.Kernel = "k" },
		"no console":        func(s *vmm.Spec, _ *Host) { s.Console = "" },
		"NUL in a path":     func(s *vmm.Spec, _ *Host) { s.Initrd = "/a\x00b" },
		"unknown format":    func(s *vmm.Spec, _ *Host) { s.Disks[0].Format = "vmdk" },
		"qcow2 on nothing":  func(s *vmm.Spec, _ *Host) { s.Disks[0].Format = vmm.Qcow2 },
		"raw on something":  func(s *vmm.Spec, _ *Host) { s.Disks[0].Backing = "/b" },
		"newline":           func(s *vmm.Spec, _ *Host) { s.Cmdline = "a\nb" },
		"long command line": func(s *vmm.Spec, _ *Host) { s.Cmdline = strings.Repeat("a", maxCmdline) },
		"long socket path":  func(s *vmm.Spec, _ *Host) { s.RunDir = "/" + strings.Repeat("r", 100) },
		"options in a MAC":  func(s *vmm.Spec, _ *Host) { s.MAC = "52:54:00:12:34:56,x=y" },
		"unknown network":   func(s *vmm.Spec, _ *Host) { s.Network = "open" },
		"no slirp":          func(_ *vmm.Spec, h *Host) { h.UserNet = false },
	} {
		s, h := good(), host
		spoil(&s, &h)
		if err := validate(s, h); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestHintOfQEMUsWords(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"qemu: cannot set up guest memory 'pc.ram': Cannot allocate memory": "--memory",
		"qemu: something else": "",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, LogFile), []byte(said), 0o600); err != nil {
			t.Fatal(err)
		}
		err := hinted(model.Errorf(model.CodeBoot, "%w", saidSo(dir, errEnded)))
		if hint := model.HintOf(err); !strings.Contains(err.Error(), said) || (want == "") != (hint == "") || !strings.Contains(hint, want) {
			t.Errorf("%q: %v, hint %q", said, err, hint)
		}
	}
}
