package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDefaultKernelOfARegistry: where nothing but an OCI registry can be
// reached, the default kernel is pulled from there and boots.
func TestDefaultKernelOfARegistry(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	pushed := strings.TrimSpace(w.home.ok(t, "kernel", "push", "debian-12-cloud", w.registry.addr+"/kernels/debian-12-cloud:amd64"))
	if !strings.HasPrefix(pushed, w.registry.addr+"/kernels/debian-12-cloud@sha256:") {
		t.Errorf("pushed as %q", pushed)
	}
	// An apt that knows one mirror, which nobody listens at.
	dir := t.TempDir()
	sources := filepath.Join(dir, "sources.list")
	conf := filepath.Join(dir, "apt.conf")
	for name, text := range map[string]string{
		sources: "deb http://127.0.0.1:1/debian bookworm main\n",
		conf: `Dir::Etc::sourcelist "` + sources + `"; Dir::Etc::sourceparts "` + dir + `/none"; ` +
			`Dir::State::lists "` + dir + `/lists"; Acquire::http::Proxy "DIRECT";` + "\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h := freshHome(t)
	h.env = append(h.env, "APT_CONFIG="+conf, "BANGER_KERNEL_REGISTRY="+w.registry.addr+"/kernels")
	r := h.try(t, "run", "--rm", w.registry.ref("busybox"), "--", "uname", "-r")
	if r.code != 0 {
		t.Fatal(r)
	}
	var kernels []struct{ Name, Version, Source string }
	if err := json.Unmarshal([]byte(h.ok(t, "kernel", "list", "--json")), &kernels); err != nil {
		t.Fatal(err)
	}
	if len(kernels) != 1 || kernels[0].Version != strings.TrimSpace(r.stdout) || !strings.HasPrefix(kernels[0].Source, "oci ") {
		t.Errorf("the guest says it runs %q, here are %+v", r.stdout, kernels)
	}
}

// TestKernelByDigest: a kernel that was pushed comes back by its digest as the
// same one.
func TestKernelByDigest(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	pushed := strings.TrimSpace(w.home.ok(t, "kernel", "push", "debian-12-cloud", w.registry.addr+"/kernels/mine:v1"))
	type kernel struct {
		Version, Digest, Source string
		ModuleCount             int `json:"module_count"`
		Has                     []string
	}
	show := func(h *home, name string) (k kernel) {
		if err := json.Unmarshal([]byte(h.ok(t, "kernel", "show", "--json", name)), &k); err != nil {
			t.Fatal(err)
		}
		return k
	}
	h := freshHome(t)
	h.ok(t, "kernel", "pull", pushed)
	got, want := show(h, "mine"), show(w.home, "debian-12-cloud")
	_, digest, _ := strings.Cut(pushed, "@")
	if !strings.Contains(got.Source, digest) {
		t.Errorf("pulled %s, it is from %q", pushed, got.Source)
	}
	got.Source, want.Source = "", ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-pushed +pulled\n%s", diff)
	}
}

// TestKernelTest boots the default kernel with the agent alone.
func TestKernelTest(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	var tested struct {
		Version string
		Test    struct {
			Release string
			BootMS  int64 `json:"boot_ms"`
			Probes  []struct {
				Name   string
				Works  bool
				Detail string
			}
		}
	}
	if err := json.Unmarshal([]byte(w.home.ok(t, "kernel", "test", "--json")), &tested); err != nil {
		t.Fatal(err)
	}
	if tested.Test.Release != tested.Version || tested.Test.BootMS <= 0 {
		t.Errorf("got %+v", tested)
	}
	works := map[string]bool{}
	for _, p := range tested.Test.Probes {
		works[p.Name] = p.Works
	}
	for _, name := range []string{"virtio", "vsock", "overlay", "tun", "nftables", "virtiofs"} {
		if !works[name] {
			t.Errorf("%s: not among what works: %+v", name, tested.Test.Probes)
		}
	}
	if shown := w.home.ok(t, "kernel", "show", "debian-12-cloud"); !strings.Contains(shown, "booted in:") {
		t.Errorf("kernel show says nothing of the test:\n%s", shown)
	}
}

// TestKernelInUse: a kernel that a VM boots because it is the default one is
// not deleted, and neither pruned.
func TestKernelInUse(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	w.home.ok(t, "create", "--name", "needs-default", "busybox")
	w.home.removeAfter(t, "needs-default")
	failure{"", []string{"kernel", "delete", "debian-12-cloud"}, 4, []string{"needed by", "VM needs-default"}, nil}.check(t, w.home)
	if got := w.home.ok(t, "kernel", "prune", "--dry-run"); strings.Contains(got, "debian-12-cloud") {
		t.Errorf("would be pruned: %q", got)
	}
}

// guestHardware prints what a guest runs and where its devices are.
const guestHardware = "uname -r; readlink -f /sys/block/vda; ls /sys/class/net"

// machines are those a guest can boot on, and what is in its disk's path there.
var machines = map[string]string{"microvm": "/platform/", "q35": "/pci"}

// TestFullKernel boots an image with the distribution's kernel of all drivers
// and file systems, on both machines.
func TestFullKernel(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	w.home.ok(t, "kernel", "pull", "debian-12")
	shown := w.home.ok(t, "kernel", "show", "debian-12")
	for machine, bus := range machines {
		got := w.home.ok(t, "run", "--rm", "--kernel", "debian-12", "--machine", machine, "busybox", "--", "sh", "-c", guestHardware)
		version, rest, _ := strings.Cut(got, "\n")
		if !strings.HasSuffix(version, "-amd64") || strings.Contains(version, "cloud") || !strings.Contains(shown, version) {
			t.Errorf("the guest says it runs %q, its kernel is:\n%s", version, shown)
		}
		if !strings.Contains(rest, bus) || !strings.Contains(rest, "eth0") {
			t.Errorf("on %s the guest finds %q", machine, rest)
		}
	}
}

// TestMachineOfVM: a VM is moved to the other machine, and its kernel, the
// distribution's for virtual machines, finds the same devices there.
func TestMachineOfVM(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	w.home.ok(t, "create", "--name", "moves", "busybox")
	w.home.removeAfter(t, "moves")
	w.home.ok(t, "set", "--machine", "q35", "moves")
	w.home.ok(t, "start", "moves")
	got := w.home.ok(t, "exec", "moves", "--", "sh", "-c", guestHardware)
	if !strings.Contains(got, "-cloud-amd64") || !strings.Contains(got, machines["q35"]) || !strings.Contains(got, "eth0") {
		t.Errorf("the guest says %q", got)
	}
	if shown := w.home.ok(t, "show", "moves"); !strings.Contains(shown, "q35") {
		t.Errorf("show says nothing of the machine:\n%s", shown)
	}
	failure{"", []string{"run", "--machine", "pc98", "busybox"}, 125, []string{"pc98", "microvm or q35"}, nil}.check(t, w.home)
}
