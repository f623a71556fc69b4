package vm

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/vmm"
	"banger/internal/wire"
)

func TestPlanSpecLaysWishesOverTheImage(t *testing.T) {
	t.Parallel()
	img := model.Image{Name: "app", SizeBytes: 1 << 30, Config: model.ImageConfig{
		Entrypoint: []string{"/entry"}, Cmd: []string{"serve"}, Env: []string{"PATH=/bin", "A=1", "=bad", "worse"},
		WorkingDir: "/srv", User: "app",
	}}
	got, err := planSpec(rpc.VMCreateParams{
		CPUs: 2, Env: []string{"A=2", "B=3"}, User: "root", Entrypoint: []string{"/bin/sh"},
	}, "web", img)
	if err != nil {
		t.Fatal(err)
	}
	want := model.VMSpec{
		CPUs: 2, MemoryMiB: DefaultMemoryMiB, Hostname: "web",
		Config: model.ImageConfig{
			Entrypoint: []string{"/bin/sh"}, Env: []string{"PATH=/bin", "A=2", "B=3"},
			WorkingDir: "/srv", User: "root",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestPlanSpecRefuses(t *testing.T) {
	t.Parallel()
	img := model.Image{Name: "app", SizeBytes: 1 << 30}
	for name, p := range map[string]rpc.VMCreateParams{
		"too little memory":      {MemoryMiB: 16},
		"a disk below the image": {DiskBytes: 1 << 20},
		"an empty variable":      {Env: []string{"=x"}},
		"no variable":            {Env: []string{"x"}},
		"a NUL":                  {Env: []string{"x=\x00"}},
		"a bad hostname":         {Hostname: "a b"},
	} {
		if _, err := planSpec(p, "web", img); model.CodeOf(err) != model.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMainArgv(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name       string
		entry, cmd []string
		args, want []string
	}{
		{"the image's own", []string{"/e"}, []string{"c"}, nil, []string{"/e", "c"}},
		{"arguments replace the command", []string{"/e"}, []string{"c"}, []string{"x", "y"}, []string{"/e", "x", "y"}},
		{"command only", nil, []string{"sh"}, nil, []string{"sh"}},
		{"arguments only", nil, nil, []string{"true"}, []string{"true"}},
	} {
		got, err := mainArgv(model.ImageConfig{Entrypoint: tc.entry, Cmd: tc.cmd}, tc.args)
		if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", tc.name, err, diff)
		}
	}
	if _, err := mainArgv(model.ImageConfig{}, nil); model.CodeOf(err) != model.CodeInvalid || model.HintOf(err) == "" {
		t.Errorf("nothing to run: %v", err)
	}
}

func TestPlanMachineAndGuest(t *testing.T) {
	t.Parallel()
	vm := model.VM{
		ID: "0123456789abcdef", Dir: "/s/vms/1", RootClone: "overlay",
		Spec:    model.VMSpec{CPUs: 2, MemoryMiB: 256, Network: model.NetUser, Hostname: "web", DiskBytes: 2 << 30},
		Runtime: model.VMRuntime{Generation: "g"},
	}
	planned := func(vm model.VM) Plan {
		plan := Plan{
			Machine: planMachine(vm, bootSet{"k", "/k/vmlinux", "/c/i.cpio", model.Image{Dir: "/s/images/1"}, model.MachineQ35, ""}, "/r/g"),
			Guest:   planGuest(vm),
		}
		if err := (hooks{rootHook(), networkHook()}).configure(vm, &plan); err != nil {
			t.Fatal(err)
		}
		return plan
	}
	plan := planned(vm)
	want := vmm.Spec{
		ID: vm.ID, Generation: "g", RunDir: "/r/g", Machine: model.MachineQ35, Kernel: "/k/vmlinux", Initrd: "/c/i.cpio", CPUs: 2, MemoryMiB: 256,
		Disks:   []vmm.Disk{{Path: "/s/vms/1/root.qcow2", Format: vmm.Qcow2, Backing: "/s/images/1/rootfs.ext4"}},
		Network: model.NetUser, MAC: "02:01:23:45:67:89", Console: "/s/vms/1/console.log",
	}
	if diff := cmp.Diff(want, plan.Machine); diff != "" {
		t.Errorf("machine: -want +got\n%s", diff)
	}
	vm.Spec.Machine = model.MachineMicroVM
	if got := planned(vm).Machine.Machine; got != model.MachineMicroVM {
		t.Errorf("what was asked for is over what the kernel wants: got %q", got)
	}
	guest := plan.Guest
	if !guest.Root.Grow || guest.Network == nil || guest.Network.MAC != want.MAC || guest.Hostname != "web" {
		t.Errorf("guest: %+v", guest)
	}
	vm.Spec.Network, vm.RootClone = model.NetNone, "reflink"
	if planned(vm).Guest.Network != nil {
		t.Error("a VM without network is given one")
	}
	if d := rootDisk(vm, model.Image{}); d != (vmm.Disk{Path: "/s/vms/1/root.ext4", Format: vmm.Raw}) {
		t.Errorf("root disk: %+v", d)
	}
}

func TestPlanExecDefaults(t *testing.T) {
	t.Parallel()
	vm := model.VM{Spec: model.VMSpec{Config: model.ImageConfig{Env: []string{"A=1", "B=1"}, WorkingDir: "/srv", User: "app"}}}
	want := wire.ExecRequest{Argv: []string{"x"}, Env: []string{"A=1", "B=2"}, WorkingDir: "/srv", MakeWorkingDir: true, User: "app"}
	if diff := cmp.Diff(want, planExec(vm, rpc.VMExecParams{Argv: []string{"x"}, Env: []string{"B=2"}})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	over := planExec(vm, rpc.VMExecParams{Argv: []string{"x"}, WorkingDir: "/w", User: "root"})
	if over.WorkingDir != "/w" || over.User != "root" {
		t.Errorf("the call's wishes are lost: %+v", over)
	}
	if got := planExec(model.VM{}, rpc.VMExecParams{Argv: []string{"x"}}); got.WorkingDir != "/" {
		t.Errorf("no working directory: %+v", got)
	}
}
