package qemu_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/model"
	"banger/internal/vmm"
	"banger/internal/vmm/qemu"
)

func needQEMU(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		t.Skip("no QEMU: ", err)
	}
}

func TestMissingQEMU(t *testing.T) {
	t.Parallel()
	d := qemu.New(qemu.Config{Binary: "/nonexistent/qemu"})
	_, err := d.Features(t.Context())
	if model.CodeOf(err) != model.CodeUnsupported || model.HintOf(err) != "apt install qemu-system-x86" {
		t.Errorf("Features: %v, hint %q", err, model.HintOf(err))
	}
	_, err = d.Start(t.Context(), vmm.Spec{})
	if model.CodeOf(err) != model.CodeUnsupported {
		t.Errorf("Start: %v", err)
	}
}

func TestFeaturesOfForcedAccelerators(t *testing.T) {
	t.Parallel()
	needQEMU(t)
	for accel, why := range map[qemu.Accel]string{qemu.AccelTCG: "emulation was asked for", qemu.AccelKVM: ""} {
		f, err := qemu.New(qemu.Config{Accel: accel}).Features(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if f.Accel != string(accel) || f.Why != why || f.Version == "" {
			t.Errorf("%s: %+v", accel, f)
		}
	}
}

// TestChoiceFollowsTheProbe: the driver says why it does not use KVM.
func TestChoiceFollowsTheProbe(t *testing.T) {
	needQEMU(t)
	cache := filepath.Join(t.TempDir(), "kvm.json")
	f, err := qemu.New(qemu.Config{ProbeCache: cache}).Features(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", f)
	if (f.Accel == "tcg") != (f.Why != "") {
		t.Errorf("%+v", f)
	}
}

// TestEarlyExit: QEMU does not like what it is given; its words are quoted
// and nothing is left.
func TestEarlyExit(t *testing.T) {
	t.Parallel()
	needQEMU(t)
	kernel := filepath.Join(t.TempDir(), "kernel")
	write(t, kernel, []byte("no kernel"))
	spec := newSpec(t, kernel, "")
	_, err := qemu.New(emulated).Start(t.Context(), spec)
	if model.CodeOf(err) != model.CodeBoot || !strings.Contains(err.Error(), "starting QEMU: it ended at once: qemu") {
		t.Errorf("%v", err)
	}
	wantEmpty(t, spec.RunDir)
}

// TestProgramThatIsNoQEMU answers the questions and then never comes up.
func TestProgramThatIsNoQEMU(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "qemu")
	script := `#!/bin/sh
case "$*" in
--version) echo "QEMU emulator version 1.2.3" ;;
*"-netdev help"*) echo "user" ;;
*) exec sleep 1000 ;;
esac
`
	if err := os.WriteFile(binary, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	spec := newSpec(t, "/dev/null", "")
	_, err := qemu.New(qemu.Config{Binary: binary, Accel: qemu.AccelTCG, StartLimit: 1}).Start(t.Context(), spec)
	if model.CodeOf(err) != model.CodeTimeout {
		t.Errorf("%v", err)
	}
	wantEmpty(t, spec.RunDir)
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left in the run directory: %v, %v", left, err)
	}
}
