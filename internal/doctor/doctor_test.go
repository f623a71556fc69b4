package doctor_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/doctor"
	"banger/internal/model"
	"banger/internal/proc"
	"banger/internal/rpc"
	"banger/internal/vmm"
	"banger/internal/vmm/vmmtest"
)

// place is a home with rows that the tests write themselves.
type place struct {
	*doctor.Service
	t       *testing.T
	paths   model.Paths
	images  []model.Image
	kernels []model.Kernel
	vms     []model.VM
	volumes []model.Volume
	damage  error
	mended  int
	running int
	feature []model.Check
}

func newPlace(t *testing.T) *place {
	t.Helper()
	dir := t.TempDir()
	p := &place{t: t, paths: model.Paths{State: filepath.Join(dir, "s"), Cache: filepath.Join(dir, "c"), Run: filepath.Join(dir, "r")}}
	for _, d := range []string{p.paths.State, p.paths.Cache, p.paths.Run} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p.Service = doctor.New(doctor.Config{
		Paths: p.paths, Store: p, VMs: p, Driver: vmmtest.NewFake(vmmtest.Echo),
		Running: func() int { return p.running },
	})
	return p
}

func (p *place) Doctor(context.Context) []model.Check            { return p.feature }
func (p *place) Images(context.Context) ([]model.Image, error)   { return p.images, nil }
func (p *place) Kernels(context.Context) ([]model.Kernel, error) { return p.kernels, nil }
func (p *place) VMs(context.Context) ([]model.VM, error)         { return p.vms, nil }
func (p *place) Volumes(context.Context) ([]model.Volume, error) { return p.volumes, nil }
func (p *place) Check(context.Context) error                     { return p.damage }

func (p *place) Mend(context.Context) error {
	p.mended++
	return nil
}

// file makes a file of 8 KiB, and its directories.
func (p *place) file(path ...string) string {
	p.t.Helper()
	name := filepath.Join(path...)
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, make([]byte, 8192), 0o600)); err != nil {
		p.t.Fatal(err)
	}
	return name
}

// addAll makes an image, a kernel and a VM that this test's process runs.
func (p *place) addAll() {
	p.t.Helper()
	id, err := proc.Identify(os.Getpid())
	if err != nil {
		p.t.Fatal(err)
	}
	image, kernel, vm := filepath.Join(p.paths.Images(), "i1"), filepath.Join(p.paths.Kernels(), "k"), filepath.Join(p.paths.VMs(), "v1")
	p.images = []model.Image{{ID: "i1", Name: "debian", Dir: image}}
	p.kernels = []model.Kernel{{Name: "k", Dir: kernel}}
	p.vms = []model.VM{{ID: "v1", Name: "web", ImageID: "i1", Dir: vm, State: model.VMRunning, Runtime: model.VMRuntime{Generation: "g1", Process: id}}}
	p.file(image, model.RootfsFile)
	p.file(kernel, model.VmlinuxFile)
	p.file(vm, model.RootRawFile)
	p.file(p.paths.VMRuns(), "g1", "lock")
}

func (p *place) state(fix bool) (found []string) {
	p.t.Helper()
	checks, err := p.CheckState(p.t.Context(), rpc.CheckParams{Fix: fix})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, c := range checks {
		found = append(found, c.Name+" "+string(c.Level))
	}
	return found
}

func TestStateThatAgrees(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.addAll()
	if diff := cmp.Diff([]string{"state ok"}, p.state(false)); diff != "" {
		t.Error(diff)
	}
}

func TestStateThatDoesNot(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spoil func(p *place)
		want  string
	}{
		"no process":       {func(p *place) { p.vms[0].Runtime.Process.Start++ }, "VM web fail"},
		"another boot":     {func(p *place) { p.vms[0].Runtime.Process.BootID = "earlier" }, "VM web fail"},
		"unknown":          {func(p *place) { p.vms[0].State = model.VMUnknown }, "VM web warn"},
		"no disk":          {func(p *place) { p.vms[0].RootClone = "overlay" }, "VM web fail"},
		"no image files":   {func(p *place) { p.images[0].Dir += "x" }, "image debian fail"},
		"no kernel files":  {func(p *place) { p.kernels[0].Dir += "x" }, "kernel k fail"},
		"strange start":    {func(p *place) { p.file(p.paths.VMRuns(), "g2", "lock") }, "start warn"},
		"strange VM":       {func(p *place) { p.file(p.paths.VMs(), "v2", "root.ext4") }, "VM directory warn"},
		"half made image":  {func(p *place) { p.file(p.paths.Images(), "i2.staging", "x") }, "image directory warn"},
		"half made kernel": {func(p *place) { p.file(p.paths.Kernels(), "k2.staging", "x") }, "kernel directory warn"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.addAll()
			tc.spoil(p)
			if diff := cmp.Diff([]string{tc.want}, p.state(false)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFixRemovesWhatIsHalfMadeAndNothingElse(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.addAll()
	half, disk := p.file(p.paths.Images(), "i2.staging", "x"), p.file(p.paths.VMs(), "v2", "root.ext4")
	p.running = 1
	p.state(true)
	if _, err := os.Stat(half); err != nil {
		t.Errorf("what is being made was touched: %v", err)
	}
	p.running = 0
	if diff := cmp.Diff([]string{"VM directory warn"}, p.state(true)); diff != "" || p.mended != 2 {
		t.Errorf("mended %d times: %s", p.mended, diff)
	}
	if _, err := os.Stat(disk); err != nil {
		t.Errorf("a disk was removed: %v", err)
	}
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.addAll()
	if err := os.Chmod(p.paths.Cache, 0o777); err != nil {
		t.Fatal(err)
	}
	p.damage = model.Errorf(model.CodeIntegrity, "page 3 is broken").WithHint("move it away")
	failed := p.failing(false)
	if diff := cmp.Diff([]string{"permissions", "database"}, failed); diff != "" {
		t.Error(diff)
	}
	p.damage = nil
	if failed := p.failing(true); len(failed) > 0 {
		t.Errorf("still failing: %q", failed)
	}
	p.feature = []model.Check{{Name: "a feature", Level: model.CheckFail, Message: "is broken", Hint: "mend it"}}
	if failed := p.failing(false); !slices.Equal(failed, []string{"a feature"}) {
		t.Errorf("failing: %q", failed)
	}
	if info, err := os.Stat(p.paths.Cache); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func (p *place) failing(fix bool) (names []string) {
	p.t.Helper()
	checks, err := p.Service.Doctor(p.t.Context(), rpc.CheckParams{Fix: fix})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, c := range checks {
		if c.Level == model.CheckFail {
			names = append(names, c.Name)
		}
		if c.Level == model.CheckFail && c.Hint == "" {
			p.t.Errorf("%s: no next command", c.Name)
		}
	}
	return names
}

// noDriver is a host without a hypervisor.
type noDriver struct{ vmm.Driver }

func (noDriver) Features(context.Context) (vmm.Features, error) {
	return vmm.Features{}, model.Errorf(model.CodeUnsupported, "QEMU is not installed").WithHint("apt install qemu-system-x86")
}

func TestDoctorWithoutHypervisor(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.Service = doctor.New(doctor.Config{Paths: p.paths, Store: p, VMs: p, Driver: noDriver{}, Running: func() int { return 0 }})
	if failed := p.failing(false); !slices.Equal(failed, []string{"driver"}) {
		t.Errorf("failing: %q", failed)
	}
}

func TestDiskUsageCountsSharedFilesOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.addAll()
	twin := filepath.Join(p.paths.Images(), "i2")
	if err := errors.Join(os.Mkdir(twin, 0o700), os.Link(filepath.Join(p.images[0].Dir, model.RootfsFile), filepath.Join(twin, model.RootfsFile))); err != nil {
		t.Fatal(err)
	}
	before := p.usage("images")
	p.images = append(p.images, model.Image{ID: "i2", Name: "twin", Dir: twin})
	after := p.usage("images")
	if before.Bytes < 8192 || after.Bytes-before.Bytes >= 8192 {
		t.Errorf("%d bytes, with a twin %d", before.Bytes, after.Bytes)
	}
	if before.ReclaimableBytes != 0 || after.ReclaimableBytes != after.Bytes-before.Bytes {
		t.Errorf("reclaimable: %d, with an unused twin %d", before.ReclaimableBytes, after.ReclaimableBytes)
	}
}

func (p *place) usage(kind string) model.Usage {
	p.t.Helper()
	all, err := p.DiskUsage(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(u model.Usage) bool { return u.Kind == kind })
	if i < 0 {
		p.t.Fatalf("no %s in %+v", kind, all)
	}
	return all[i]
}

// TestReplacedRootAndVolumes: a root disk under another name is found, and so
// is what is wrong with volumes.
func TestReplacedRootAndVolumes(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	dir := filepath.Join(p.paths.VMs(), "0a")
	data := filepath.Join(p.paths.Volumes(), "0b")
	for _, d := range []string{dir, data, filepath.Join(p.paths.Volumes(), "0c")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "root-1.qcow2"), make([]byte, 8192), 0o600); err != nil {
		t.Fatal(err)
	}
	p.vms = []model.VM{{ID: "0a", Name: "web", State: model.VMStopped, Dir: dir, RootFile: "root-1.qcow2", RootClone: "overlay"}}
	p.volumes = []model.Volume{{ID: "0b", Name: "data", State: model.VolumeReady, Dir: data}}
	found, err := p.CheckState(t.Context(), rpc.CheckParams{})
	if err != nil || len(found) != 2 || found[0].Name != "volume directory" || found[1].Name != "volume data" {
		t.Errorf("found %+v, %v", found, err)
	}
	p.volumes = nil
	if u := p.usage("volumes"); u.Count != 0 {
		t.Errorf("usage: %+v", u)
	}
}
