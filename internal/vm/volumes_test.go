package vm_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/disk"
	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/vmm"
	"banger/internal/vmm/vmmtest"
)

// volume makes a volume of that name and returns the path of its disk.
func (r *rig) volume(name string) string {
	r.t.Helper()
	v := model.Volume{ID: model.NewID(), Name: name, State: model.VolumeReady, SizeBytes: 32 << 20}
	v.Dir = filepath.Join(r.paths.Volumes(), v.ID)
	path := filepath.Join(v.Dir, model.VolumeFile)
	if err := errors.Join(
		os.MkdirAll(v.Dir, 0o700),
		disk.MakeExt4(r.t.Context(), path, disk.Ext4Options{SizeBytes: v.SizeBytes}),
		r.db.InsertVolume(r.t.Context(), v),
	); err != nil {
		r.t.Fatal(err)
	}
	return path
}

func (r *rig) createWith(name string, start bool, mounts ...rpc.MountParams) (model.VM, error) {
	return r.CreateVM(r.t.Context(), rpc.VMCreateParams{Image: "app", Name: name, Start: start, Volumes: mounts}, model.Discard)
}

func (r *rig) held(name string) bool {
	r.t.Helper()
	v, err := r.db.Volume(r.t.Context(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, u := range v.Users {
		if u.Held {
			return true
		}
	}
	return false
}

func TestVolumes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	data, models := r.volume("data"), r.volume("models")
	v, err := r.createWith("web", true,
		rpc.MountParams{Volume: "data", Path: "/srv//data/"}, rpc.MountParams{Volume: "models", Path: "/models", ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	disks := r.fake.Guest(v.ID).Spec.Disks
	if len(disks) != 3 || disks[1] != (vmm.Disk{Path: data, Format: vmm.Raw}) || disks[2] != (vmm.Disk{Path: models, Format: vmm.Raw, ReadOnly: true}) {
		t.Errorf("disks: %+v", disks)
	}
	if v.Spec.Volumes[0].Path != "/srv/data" || !r.held("data") || !r.held("models") {
		t.Errorf("mounts: %+v, held: %t, %t", v.Spec.Volumes, r.held("data"), r.held("models"))
	}
	_, err = r.createWith("second", true, rpc.MountParams{Volume: "data", Path: "/d"})
	if model.CodeOf(err) != model.CodeConflict || !strings.Contains(err.Error(), "in use by VM web") || model.HintOf(err) == "" {
		t.Errorf("a second writer: %v", err)
	}
	if _, err = r.createWith("reader", true, rpc.MountParams{Volume: "models", Path: "/m", ReadOnly: true}); err != nil {
		t.Errorf("a second reader: %v", err)
	}
	r.restart() // a VM that goes on keeps what it holds
	if !r.held("data") {
		t.Error("the next daemon has released a volume of a VM that runs")
	}
	if _, err := r.KillVM(t.Context(), rpc.NameParams{Name: "web"}); err != nil || r.held("data") {
		t.Errorf("after the end of the VM: %v, held: %t", err, r.held("data"))
	}
}

// TestVolumesAreReleased: however a VM ends or fails to start.
func TestVolumesAreReleased(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.volume("data")
	if _, err := r.createWith("web", false, rpc.MountParams{Volume: "data", Path: "/d"}); err != nil {
		t.Fatal(err)
	}
	for name, faults := range map[string]vmmtest.Faults{
		"no process": {Start: errors.New("no machine")}, "no agent": {Silent: true}, "ends at once": {Die: vmmtest.DieAtStart},
	} {
		r.fake.SetFaults(faults)
		if _, err := r.StartVM(t.Context(), rpc.NameParams{Name: "web"}, model.Discard); err == nil || r.held("data") {
			t.Errorf("%s: %v, held: %t", name, err, r.held("data"))
		}
	}
	r.fake.SetFaults(vmmtest.Faults{})
	v, err := r.StartVM(t.Context(), rpc.NameParams{Name: "web"}, model.Discard)
	if err != nil || !r.held("data") {
		t.Fatalf("%v, held: %t", err, r.held("data"))
	}
	r.Close()
	r.fake.Guest(v.ID).End(vmm.ExitCrashed) // while there is no daemon
	r.restart()
	if r.held("data") {
		t.Error("what ended without a daemon holds its volume")
	}
}

// TestDeletedVMsWriteTheirVolumes: a VM that is deleted as it runs is killed,
// but one that may have something to write to a volume switches itself off.
func TestDeletedVMsWriteTheirVolumes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.volume("data")
	writes := []rpc.MountParams{{Volume: "data", Path: "/d"}}
	reads := []rpc.MountParams{{Volume: "data", Path: "/d", ReadOnly: true}}
	for _, c := range []struct {
		what   string
		mounts []rpc.MountParams
		paused bool
		want   vmm.ExitReason
	}{
		{"no volume", nil, false, vmm.ExitKilled},
		{"it reads", reads, false, vmm.ExitKilled},
		{"it writes", writes, false, vmm.ExitPoweroff},
		{"it is paused", writes, true, vmm.ExitPoweroff},
	} {
		v, err := r.createWith("web", true, c.mounts...)
		if err != nil {
			t.Fatal(err)
		}
		if c.paused {
			if _, err := r.PauseVM(t.Context(), rpc.NameParams{Name: "web"}); err != nil {
				t.Fatal(err)
			}
		}
		guest := r.fake.Guest(v.ID)
		if _, err := r.DeleteVM(t.Context(), rpc.VMDeleteParams{Name: "web", Force: true}, model.Discard); err != nil || r.held("data") {
			t.Errorf("%s: %v, held: %t", c.what, err, r.held("data"))
		}
		if got := guest.Exit().Reason; got != c.want {
			t.Errorf("%s: ended by %v, want %v", c.what, got, c.want)
		}
	}
	// The same for a VM that goes with its command.
	var guest *vmmtest.Guest
	_, err := r.RunVM(t.Context(), rpc.VMRunParams{
		Create: rpc.VMCreateParams{Image: "app", AutoRemove: true, WorkingDir: "/", Volumes: writes}, Argv: []string{"/bin/true"},
	}, rpc.Stdio{Started: func(v model.VM) { guest = r.fake.Guest(v.ID) }}, model.Discard)
	if err != nil || guest.Exit().Reason != vmm.ExitPoweroff {
		t.Errorf("run --rm: %v, ended by %v", err, guest.Exit().Reason)
	}
}

func TestVolumesThatCannotBeMounted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.volume("data")
	r.volume("other")
	at := func(path string) rpc.MountParams { return rpc.MountParams{Volume: "data", Path: path} }
	for name, tc := range map[string]struct {
		mounts []rpc.MountParams
		code   model.Code
	}{
		"no such volume": {[]rpc.MountParams{{Volume: "none", Path: "/d"}}, model.CodeNotFound},
		"the root":       {[]rpc.MountParams{at("/")}, model.CodeInvalid},
		"the kernel's":   {[]rpc.MountParams{at("/proc/x")}, model.CodeInvalid},
		"above the root": {[]rpc.MountParams{at("/a/../..")}, model.CodeInvalid},
		"relative":       {[]rpc.MountParams{at("d")}, model.CodeInvalid},
		"a NUL":          {[]rpc.MountParams{at("/d\x00")}, model.CodeInvalid},
		"twice":          {[]rpc.MountParams{at("/d"), at("/e")}, model.CodeInvalid},
		"two in a place": {[]rpc.MountParams{at("/d"), {Volume: "other", Path: "/d/"}}, model.CodeInvalid},
		"too many":       {make([]rpc.MountParams, 13), model.CodeLimit},
	} {
		if _, err := r.createWith("web", false, tc.mounts...); model.CodeOf(err) != tc.code {
			t.Errorf("%s: %s %v", name, model.CodeOf(err), err)
		}
	}
	r.nothingLeft()
}
