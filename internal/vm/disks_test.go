package vm_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"banger/internal/disk"
	"banger/internal/ext4"
	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/vmm"
)

// addImage adds an image with a real root filesystem, whose user app has a
// home with one file.
func (r *rig) addImage(name, home string) model.Image {
	r.t.Helper()
	dir := filepath.Join(r.t.TempDir(), name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		r.t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, model.RootfsFile))
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	w, err := ext4.Create(f, ext4.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	s := w.NewStream()
	file := func(text string) *ext4.Node {
		body, err := s.WriteBody(strings.NewReader(text), int64(len(text)))
		if err != nil {
			r.t.Fatal(err)
		}
		return &ext4.Node{Mode: unix.S_IFREG | 0o644, Body: body}
	}
	dirOf := func(children map[string]*ext4.Node) *ext4.Node {
		return &ext4.Node{Mode: unix.S_IFDIR | 0o755, Children: children}
	}
	root := dirOf(map[string]*ext4.Node{
		"etc":                   dirOf(map[string]*ext4.Node{"passwd": file("root:x:0:0::/root:\napp:x:7:7::" + home + ":\nidle:x:9:9::/:\n")}),
		strings.Trim(home, "/"): dirOf(map[string]*ext4.Node{"hello": file(name)}),
	})
	if err := s.Close(); err != nil {
		r.t.Fatal(err)
	}
	stats, err := w.Finish(r.t.Context(), root, ext4.FinishOptions{SizeBytes: 32 << 20})
	if err != nil {
		r.t.Fatal(err)
	}
	img := model.Image{ID: model.NewID(), Name: name, Dir: dir, SizeBytes: stats.Blocks * 4096,
		Config: model.ImageConfig{User: "app", Env: []string{"FROM=" + name}, Cmd: []string{"/" + name}}}
	if err := r.db.InsertImage(r.t.Context(), img); err != nil {
		r.t.Fatal(err)
	}
	r.catalog.others = append(r.catalog.others, img)
	return img
}

// TestDiskIsGone: a start without a disk says which and what mends it.
func TestDiskIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "app", Name: "web"}, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(v.RootPath()); err != nil {
		t.Fatal(err)
	}
	_, err = r.StartVM(t.Context(), rpc.NameParams{Name: "web"}, model.Discard)
	if model.CodeOf(err) != model.CodeIntegrity || !strings.Contains(err.Error(), v.RootPath()) || !strings.Contains(model.HintOf(err), "banger reset web") {
		t.Errorf("start: %v, hint %q", err, model.HintOf(err))
	}
}

func TestWorkDisk(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.addImage("one", "/one")
	v, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "one", Name: "dev", WorkBytes: 64 << 20, Start: true}, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if want := (model.WorkDisk{SizeBytes: 64 << 20, Path: "/one"}); v.Spec.Work == nil || *v.Spec.Work != want {
		t.Errorf("spec: %+v, want %+v", v.Spec.Work, want)
	}
	work := filepath.Join(v.Dir, model.WorkFile)
	disks := r.fake.Guest(v.ID).Spec.Disks
	if len(disks) != 2 || disks[1] != (vmm.Disk{Path: work, Format: vmm.Raw}) || v.Runtime.Disks[1] != work {
		t.Errorf("disks: %+v, recorded %q", disks, v.Runtime.Disks)
	}
	if got := readIn(t, work, "/hello"); got != "one" {
		t.Errorf("the work disk holds %q", got)
	}
	for user, code := range map[string]model.Code{"idle": model.CodeInvalid, "": ""} {
		_, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "one", User: user, WorkBytes: 64 << 20}, model.Discard)
		if model.CodeOf(err) != code {
			t.Errorf("user %q: %v", user, err)
		}
	}
	if _, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "one", WorkBytes: 1}, model.Discard); model.CodeOf(err) != model.CodeInvalid {
		t.Errorf("a work disk of one byte: %v", err)
	}
}

func TestResize(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.addImage("one", "/one")
	v, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "one", Name: "dev", WorkBytes: 64 << 20}, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(v.Dir, model.WorkFile)
	resize := func(name string, root, work int64) error {
		p := rpc.VMSetParams{Name: name}
		if root != 0 {
			p.DiskBytes = &root
		}
		if work != 0 {
			p.WorkBytes = &work
		}
		change, err := r.SetVM(t.Context(), p, model.Discard)
		if err == nil && len(change.Later) > 0 {
			t.Errorf("%q waits for the next start", change.Later)
		}
		return err
	}
	if err := resize("dev", 48<<20, 96<<20); err != nil {
		t.Fatal(err)
	}
	if _, err := r.StartVM(t.Context(), rpc.NameParams{Name: "dev"}, model.Discard); err != nil {
		t.Fatal(err)
	}
	wantSize(t, rootOf(t, r, "dev"), 48<<20)
	wantSize(t, vmm.Disk{Path: work, Format: vmm.Raw}, 96<<20)
	if err := resize("dev", 0, 128<<20); err != nil { // while it runs
		t.Fatal(err)
	}
	wantSize(t, vmm.Disk{Path: work, Format: vmm.Raw}, 128<<20)

	for name, tc := range map[string]struct {
		err  error
		code model.Code
	}{
		"smaller":   {resize("dev", 32<<20, 0), model.CodeInvalid},
		"work less": {resize("dev", 0, 64<<20), model.CodeInvalid},
		"too large": {resize("dev", 3<<40, 0), model.CodeLimit},
		"nothing":   {resize("dev", 0, 0), model.CodeInvalid},
		"no VM":     {resize("none", 48<<20, 0), model.CodeNotFound},
	} {
		if model.CodeOf(tc.err) != tc.code || tc.code == model.CodeInvalid && model.HintOf(tc.err) == "" {
			t.Errorf("%s: %v", name, tc.err)
		}
	}
	r.create("plain")
	if err := resize("plain", 0, 64<<20); model.CodeOf(err) != model.CodeConflict || model.HintOf(err) == "" {
		t.Errorf("no work disk: %v", err)
	}
	if v, err := r.ShowVM(t.Context(), rpc.NameParams{Name: "dev"}); err != nil || v.Spec.DiskBytes != 48<<20 || v.Spec.Work.SizeBytes != 128<<20 {
		t.Errorf("spec: %+v, %v", v.Spec, err)
	}
}

// TestResetAndRebase: the root disk is new, the work disk is the old one.
func TestResetAndRebase(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.addImage("one", "/one")
	two := r.addImage("two", "/two")
	v, err := r.CreateVM(t.Context(), rpc.VMCreateParams{Image: "one", Name: "dev", WorkBytes: 64 << 20, Env: []string{"MY=1"}, Start: true}, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	first := rootOf(t, r, "dev").Path
	if _, err := r.ResetVM(t.Context(), rpc.VMResetParams{Name: "dev"}, model.Discard); model.CodeOf(err) != model.CodeConflict || model.HintOf(err) == "" {
		t.Errorf("resetting a VM that runs: %v", err)
	}
	if got, err := r.ResetVM(t.Context(), rpc.VMResetParams{Name: "dev", Force: true}, model.Discard); err != nil || got.State != model.VMStopped {
		t.Fatalf("reset: %+v, %v", got, err)
	}
	second := rootOf(t, r, "dev").Path
	if second == first {
		t.Error("the root disk is the old one")
	}
	got, err := r.RebaseVM(t.Context(), rpc.VMRebaseParams{Name: "dev", Image: "two"}, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got.ImageID != two.ID || got.Image != "two" || got.Spec.Work.Path != "/two" || !slices.Equal(got.Spec.Config.Cmd, []string{"/two"}) ||
		!slices.Equal(got.Spec.Config.Env, []string{"FROM=two", "MY=1"}) {
		t.Errorf("rebased: %+v", got)
	}
	if names := filesOf(t, v.Dir); !slices.Equal(names, []string{"console.log", got.RootFile, "work.ext4"}) {
		t.Errorf("files: %q", names)
	}
	if hello := readIn(t, filepath.Join(v.Dir, model.WorkFile), "/hello"); hello != "one" {
		t.Errorf("the work disk was made anew: %q", hello)
	}
	if v, err := r.StartVM(t.Context(), rpc.NameParams{Name: "dev"}, model.Discard); err != nil || v.State != model.VMRunning {
		t.Errorf("start: %+v, %v", v, err)
	}
	if _, err := r.RebaseVM(t.Context(), rpc.VMRebaseParams{Name: "dev", Image: "three", Force: true}, model.Discard); model.CodeOf(err) != model.CodeNotFound || r.state("dev") != model.VMRunning {
		t.Errorf("rebasing to nothing: %v, the VM is %s", err, r.state("dev"))
	}
}

func rootOf(t *testing.T, r *rig, name string) vmm.Disk {
	t.Helper()
	v, err := r.ShowVM(t.Context(), rpc.NameParams{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	d := vmm.Disk{Path: v.RootPath(), Format: vmm.Raw}
	if v.RootClone == disk.Overlay {
		d.Format = vmm.Qcow2
	}
	if _, err := os.Stat(d.Path); err != nil {
		t.Error(err)
	}
	return d
}

func wantSize(t *testing.T, d vmm.Disk, want int64) {
	t.Helper()
	if got, err := disk.Size(d.Path, d.Format); err != nil || got != want {
		t.Errorf("%s has %d bytes, want %d; %v", d.Path, got, want, err)
	}
}

// readIn returns the text of a file of a filesystem.
func readIn(t *testing.T, image, name string) string {
	t.Helper()
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	fs, err := ext4.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	file, err := fs.OpenFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text := make([]byte, file.Size())
	if _, err := file.ReadAt(text, 0); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func filesOf(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
