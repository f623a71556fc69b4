package qemu_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/model"
	"banger/internal/vmm"
	"banger/internal/vmm/qemu"
)

var update = flag.Bool("update", false, "write the golden files")

// plainSpec is a VM with all that a spec can hold.
func plainSpec() vmm.Spec {
	return vmm.Spec{
		ID: "0123456789abcdef", Generation: "fedcba9876543210",
		RunDir: "/run/banger/vm/fedcba9876543210",
		Kernel: "/k/vmlinux", Initrd: "/k/initramfs.cpio", Cmdline: "banger=1",
		CPUs: 2, MemoryMiB: 512,
		Disks: []vmm.Disk{
			{Path: "/v/root.qcow2", Format: vmm.Qcow2, Backing: "/i/rootfs.ext4"},
			{Path: "/v/work.ext4", Format: vmm.Raw},
			{Path: "/v/data.ext4", Format: vmm.Raw, ReadOnly: true},
		},
		Network: model.NetUser, MAC: "52:54:00:12:34:56",
		Console: "/v/console.log",
	}
}

// TestArgs compares with testdata/NAME.args, one argument a line.
func TestArgs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*vmm.Spec)
		host   qemu.Host
	}{
		"kvm": {func(*vmm.Spec) {}, qemu.Host{Accel: qemu.AccelKVM, Sandbox: true, TSCKHz: 2300000}},
		"tcg": {func(*vmm.Spec) {}, qemu.Host{Accel: qemu.AccelTCG, Sandbox: true, TSCKHz: 2300000}},
		"q35": {func(s *vmm.Spec) { s.Machine = model.MachineQ35 }, qemu.Host{Accel: qemu.AccelTCG, Sandbox: true, TSCKHz: 2300000}},
		"least": {func(s *vmm.Spec) {
			s.Initrd, s.Cmdline, s.Disks, s.Network, s.MAC = "", "", nil, model.NetNone, ""
		}, qemu.Host{Accel: qemu.AccelTCG}},
		"hostile-paths": {func(s *vmm.Spec) {
			s.RunDir = `/run/a,id=x`
			s.Console = `/v/a,b",append=off`
			s.Kernel = `/k/a,b`
			s.Disks = []vmm.Disk{{Path: `/v/a","driver":"nbd`, Format: vmm.Qcow2, Backing: `/i/json:{},b`}}
		}, qemu.Host{Accel: qemu.AccelKVM, Sandbox: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := plainSpec()
			c.change(&spec)
			compareGolden(t, name, strings.Join(qemu.Args(spec, c.host), "\n")+"\n")
		})
	}
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".args")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
