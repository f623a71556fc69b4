package vmmtest_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"banger/internal/model"
	"banger/internal/vmm"
	"banger/internal/vmm/vmmtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func fakeSpec(t *testing.T) vmm.Spec {
	t.Helper()
	dir := t.TempDir()
	run := filepath.Join(dir, "run")
	kernel := filepath.Join(dir, "vmlinux")
	if err := errors.Join(os.Mkdir(run, 0o700), os.WriteFile(kernel, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	return vmm.Spec{
		ID: model.NewID(), Generation: model.NewID(), RunDir: run, Kernel: kernel,
		CPUs: 1, MemoryMiB: 64, Network: model.NetNone, Console: filepath.Join(dir, "console.log"),
	}
}

func TestFake(t *testing.T) {
	fake := vmmtest.NewFake(vmmtest.Echo)
	vmmtest.Run(t, vmmtest.Subject{Driver: func(*testing.T) vmm.Driver { return fake }, Spec: fakeSpec})
	if n := fake.Running(); n != 0 {
		t.Errorf("%d VMs still run", n)
	}
}

func TestFaults(t *testing.T) {
	boom := errors.New("boom")
	fake := vmmtest.NewFake(vmmtest.Echo)
	fake.SetFaults(vmmtest.Faults{Start: boom})
	if _, err := fake.Start(t.Context(), fakeSpec(t)); !errors.Is(err, boom) {
		t.Errorf("Start: %v", err)
	}
	for _, point := range []vmmtest.DiePoint{vmmtest.DieAtStart, vmmtest.DieAtDial, vmmtest.DieAtPause} {
		fake.SetFaults(vmmtest.Faults{Die: point, Exit: vmm.ExitCrashed})
		m, err := fake.Start(t.Context(), fakeSpec(t))
		if err != nil {
			t.Fatal(err)
		}
		if point == vmmtest.DieAtDial {
			_, err = m.Dial(t.Context())
		} else {
			err = m.Pause(t.Context())
		}
		if !errors.Is(err, vmm.ErrGone) {
			t.Errorf("%s: %v", point, err)
		}
		if exit, err := m.Wait(t.Context()); err != nil || exit.Reason != vmm.ExitCrashed {
			t.Errorf("%s: %+v, %v", point, exit, err)
		}
	}
}

func TestFaultsOfRunningVM(t *testing.T) {
	boom := errors.New("boom")
	fake := vmmtest.NewFake(vmmtest.Echo)
	spec := fakeSpec(t)
	m, err := fake.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	fake.SetFaults(vmmtest.Faults{Attach: boom, Silent: true})
	if _, err := fake.Attach(t.Context(), m.Record()); !errors.Is(err, boom) {
		t.Errorf("Attach: %v", err)
	}
	conn, err := m.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("anybody there?\n")); err != nil {
		t.Error(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a silent guest said %d bytes, %v", n, err)
	}
	fake.Guest(spec.ID).End(vmm.ExitCrashed)
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection outlived the guest")
	}
	_ = conn.Close()
	if fake.Guest(spec.ID) != nil {
		t.Error("the guest is still there")
	}
}
