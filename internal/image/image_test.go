package image_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"banger/internal/image"
	"banger/internal/imagemgr"
	"banger/internal/imagepull"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a Store and an operation.OpStore that forgets.
type memory struct {
	mu    sync.Mutex
	rows  []model.Image
	users []string // VMs of any image
	fail  error    // of the next change
}

func (m *memory) failing() error {
	err := m.fail
	m.fail = nil
	return err
}

func (m *memory) InsertImage(_ context.Context, img model.Image) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.failing(); err != nil {
		return err
	}
	for _, have := range m.rows {
		if have.Name == img.Name {
			return model.Errorf(model.CodeConflict, "image %q exists", img.Name)
		}
	}
	m.rows = append(m.rows, img)
	return nil
}

func (m *memory) ReplaceImage(ctx context.Context, img, aside model.Image) error {
	if err := m.UpdateImage(ctx, aside); err != nil {
		return err
	}
	return m.InsertImage(ctx, img)
}

func (m *memory) Image(_ context.Context, name string) (model.Image, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, img := range m.rows {
		if img.Name == name || img.ID == name {
			return img, nil
		}
	}
	return model.Image{}, model.Errorf(model.CodeNotFound, "no image %q", name)
}

func (m *memory) Images(context.Context) ([]model.Image, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.rows), nil
}

func (m *memory) DeleteImage(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.failing(); err != nil {
		return err
	}
	m.rows = slices.DeleteFunc(m.rows, func(img model.Image) bool { return img.ID == id })
	return nil
}

func (m *memory) UpdateImage(_ context.Context, img model.Image) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.failing(); err != nil {
		return err
	}
	for i := range m.rows {
		if m.rows[i].ID == img.ID {
			m.rows[i] = img
			return nil
		}
	}
	return model.Errorf(model.CodeNotFound, "no image %q", img.Name)
}

func (m *memory) SaveOperations(context.Context, []model.Operation, int) error { return nil }
func (m *memory) Operations(context.Context) ([]model.Operation, error)        { return nil, nil }
func (m *memory) InterruptOperations(context.Context, time.Time) (int, error)  { return 0, nil }
func (m *memory) Users(context.Context, string) ([]string, error)              { return m.users, nil }
func (m *memory) EnsureKernel(context.Context, string, model.Report) (model.Kernel, error) {
	return model.Kernel{Name: "debian-6.1"}, nil
}

// puller makes images of nothing and counts.
type puller struct {
	mu       sync.Mutex
	resolves int
	builds   int
	resolve  error
	build    func(ctx context.Context, path string) error // after the file is written
}

func (p *puller) Resolve(_ context.Context, ref imagepull.Ref, _ string, _ model.Report) (*imagepull.Image, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resolves++
	if p.resolve != nil {
		return nil, p.resolve
	}
	return &imagepull.Image{
		Key:    "sha256:1",
		Source: model.ImageSource{Reference: ref.String(), Kind: imagepull.KindRegistry, ManifestDigest: "sha256:1"},
		Config: model.ImageConfig{Cmd: []string{"sh"}},
	}, nil
}

func (p *puller) ResolveStream(ctx context.Context, ref imagepull.Ref, _ io.Reader, platform string, report model.Report) (*imagepull.Image, error) {
	return p.Resolve(ctx, ref, platform, report)
}

func (p *puller) ResolveCached(ctx context.Context, digest, platform string) (*imagepull.Image, error) {
	ref, err := imagepull.ParseRef("example.com/x@" + digest)
	if err != nil {
		return nil, err
	}
	return p.Resolve(ctx, ref, platform, model.Discard)
}

func (p *puller) BuildExt4(ctx context.Context, _ *imagepull.Image, path string, opt imagepull.BuildOptions, _ model.Report) (imagepull.Built, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.builds++
	for _, stage := range []string{"pull", "flatten", "build"} {
		opt.Stage(stage)
	}
	if err := os.WriteFile(path, []byte("rootfs"), 0o600); err != nil {
		return imagepull.Built{}, err
	}
	if p.build != nil {
		if err := p.build(ctx, path); err != nil {
			return imagepull.Built{}, err
		}
	}
	digest, err := imagemgr.RootfsDigest(ctx, path)
	return imagepull.Built{SizeBytes: 1 << 30, UsedBytes: 6, Digest: digest, Layers: []string{"sha256:2"}}, err
}

// rig is a service on a directory of its own.
type rig struct {
	*image.Service
	cfg    image.Config
	store  *memory
	puller *puller
}

func newRig(t *testing.T, change func(*image.Config)) *rig {
	t.Helper()
	r := &rig{store: &memory{}, puller: &puller{}}
	cache, err := imagepull.OpenCache(filepath.Join(t.TempDir(), "oci"))
	if err != nil {
		t.Fatal(err)
	}
	ops := operation.New(operation.Config{Store: r.store})
	t.Cleanup(func() {
		if err := ops.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	r.cfg = image.Config{
		Dir: filepath.Join(t.TempDir(), "images"), Store: r.store, Operations: ops, Puller: r.puller, Cache: cache, Steps: filepath.Join(t.TempDir(), "steps"),
		Kernels: r.store, Users: r.store.Users, Version: "1", Now: func() time.Time { return time.Unix(1e9, 0) },
	}
	if change != nil {
		change(&r.cfg)
	}
	r.Service = image.New(r.cfg)
	return r
}

// onDisk returns the paths below the images directory; ids are "ID". The mark
// of what has had a row is left out.
func (r *rig) onDisk(t *testing.T) []string {
	t.Helper()
	found := []string{}
	err := filepath.WalkDir(r.cfg.Dir, func(path string, _ fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		rel, _ := filepath.Rel(r.cfg.Dir, path)
		if len(rel) >= 16 && filepath.Base(rel) != model.RecordedFile {
			found = append(found, "ID"+rel[16:])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// bootSet writes a kernel, an initrd and modules.
func bootSet(t *testing.T) model.BootFiles {
	t.Helper()
	dir := t.TempDir()
	boot := model.BootFiles{Kernel: dir + "/k", Initrd: dir + "/i", Modules: dir + "/m"}
	if err := os.Mkdir(boot.Modules, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{boot.Kernel: "\x7fELF", boot.Initrd: "i", boot.Modules + "/modules.dep": ""} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return boot
}

func TestPullImage(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	boot := bootSet(t)
	var stages []string
	img, err := r.PullImage(context.Background(), rpc.ImagePullParams{
		Ref: "debian:bookworm", KernelPath: boot.Kernel, InitrdPath: boot.Initrd, ModulesDir: boot.Modules,
	}, func(p model.Progress) {
		if p.Stage != "" && p.Done {
			stages = append(stages, p.Stage)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(r.cfg.Dir, img.ID)
	digest, err := imagemgr.RootfsDigest(t.Context(), filepath.Join(dir, model.RootfsFile))
	if err != nil {
		t.Fatal(err)
	}
	want := model.Image{
		ID: img.ID, Name: "debian-bookworm", Digest: digest, Managed: true, Dir: dir, SizeBytes: 1 << 30, UsedBytes: 6,
		Boot:   model.BootFiles{Kernel: dir + "/vmlinux", Initrd: dir + "/initrd", Modules: dir + "/modules"},
		Config: model.ImageConfig{Cmd: []string{"sh"}},
		Source: model.ImageSource{Reference: "debian:bookworm", Kind: "registry", ManifestDigest: "sha256:1",
			Layers: []string{"sha256:2"}, BuilderVersion: "1"},
		CreatedAt: time.Unix(1e9, 0).UTC(),
	}
	if diff := cmp.Diff(want, img); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]model.Image{img}, r.store.rows); diff != "" {
		t.Error(diff)
	}
	wantDisk := []string{"ID", "ID/image.json", "ID/initrd", "ID/modules", "ID/modules/modules.dep", "ID/rootfs.ext4", "ID/vmlinux"}
	if diff := cmp.Diff(wantDisk, r.onDisk(t)); diff != "" {
		t.Error(diff)
	}
	wantStages := "kernel resolve lock stage pull flatten build boot set publish record"
	if got := strings.Join(stages, " "); got != wantStages {
		t.Errorf("stages %q, want %q", got, wantStages)
	}
}

// A failure at any step leaves nothing, and the next pull succeeds.
func TestPullFailsAtEachStep(t *testing.T) {
	t.Parallel()
	full := model.Errorf(model.CodeNoSpace, "disk full")
	cases := []struct {
		step  string
		spoil func(r *rig, p *rpc.ImagePullParams, boot model.BootFiles)
		code  model.Code
	}{
		{"parse", func(_ *rig, p *rpc.ImagePullParams, _ model.BootFiles) { p.Ref = "NOT A REF" }, model.CodeInvalid},
		{"parse name", func(_ *rig, p *rpc.ImagePullParams, _ model.BootFiles) { p.Name = "../x" }, model.CodeInvalid},
		{"parse platform", func(_ *rig, p *rpc.ImagePullParams, _ model.BootFiles) { p.Platform = "plan9" }, model.CodeInvalid},
		{"parse size", func(_ *rig, p *rpc.ImagePullParams, _ model.BootFiles) { p.SizeBytes = -1 }, model.CodeInvalid},
		{"kernel missing", func(_ *rig, p *rpc.ImagePullParams, _ model.BootFiles) { p.KernelPath = "/nonexistent" }, model.CodeNotFound},
		{"kernel twice", func(_ *rig, p *rpc.ImagePullParams, boot model.BootFiles) { p.KernelRef = "debian-6.1" }, model.CodeInvalid},
		{"resolve", func(r *rig, _ *rpc.ImagePullParams, _ model.BootFiles) {
			r.puller.resolve = model.Errorf(model.CodeUnreachable, "no route")
		}, model.CodeUnreachable},
		{"build", func(r *rig, _ *rpc.ImagePullParams, _ model.BootFiles) {
			r.puller.build = func(context.Context, string) error { return full }
		}, model.CodeNoSpace},
		{"build panics", func(r *rig, _ *rpc.ImagePullParams, _ model.BootFiles) {
			r.puller.build = func(context.Context, string) error { panic("a bug") }
		}, model.CodeInternal},
		{"boot set", func(r *rig, _ *rpc.ImagePullParams, boot model.BootFiles) {
			r.puller.build = func(context.Context, string) error { return os.Remove(boot.Initrd) }
		}, model.CodeInternal},
		{"publish", func(r *rig, p *rpc.ImagePullParams, _ model.BootFiles) {
			p.KernelPath, p.InitrdPath, p.ModulesDir = "", "", ""
			r.puller.build = func(_ context.Context, path string) error { return os.RemoveAll(filepath.Dir(path)) }
		}, model.CodeInternal},
		{"record", func(r *rig, _ *rpc.ImagePullParams, _ model.BootFiles) { r.store.fail = full }, model.CodeNoSpace},
	}
	for _, c := range cases {
		t.Run(c.step, func(t *testing.T) {
			t.Parallel()
			r, boot := newRig(t, nil), bootSet(t)
			good := rpc.ImagePullParams{Ref: "debian:bookworm", KernelPath: boot.Kernel, InitrdPath: boot.Initrd, ModulesDir: boot.Modules}
			p := good
			c.spoil(r, &p, boot)
			if _, err := r.PullImage(context.Background(), p, model.Discard); model.CodeOf(err) != c.code {
				t.Fatalf("error %v (%s), want %s", err, model.CodeOf(err), c.code)
			}
			if left := r.onDisk(t); len(left) != 0 || len(r.store.rows) != 0 {
				t.Errorf("left on disk: %v, rows: %v", left, r.store.rows)
			}
			r.puller.resolve, r.puller.build = nil, nil
			if err := os.WriteFile(boot.Initrd, []byte("i"), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := r.PullImage(context.Background(), good, model.Discard); err != nil {
				t.Errorf("a second pull: %v", err)
			}
		})
	}
}

func TestCanceledPullLeavesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r.puller.build = func(ctx context.Context, _ string) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	if _, err := r.PullImage(ctx, rpc.ImagePullParams{Ref: "debian"}, model.Discard); model.CodeOf(err) != model.CodeCanceled {
		t.Errorf("error %v (%s)", err, model.CodeOf(err))
	}
	if left := r.onDisk(t); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestNameCollisionIsRefusedBeforeAnyRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.store.rows = []model.Image{{ID: "1", Name: "debian-bookworm"}}
	_, err := r.PullImage(context.Background(), rpc.ImagePullParams{Ref: "debian:bookworm"}, model.Discard)
	if model.CodeOf(err) != model.CodeConflict || !strings.Contains(model.HintOf(err), "banger image delete debian-bookworm") {
		t.Errorf("error %v, hint %q", err, model.HintOf(err))
	}
	if r.puller.resolves != 0 {
		t.Errorf("%d requests were made", r.puller.resolves)
	}
}

func TestKernelByName(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	img, err := r.PullImage(context.Background(), rpc.ImagePullParams{Ref: "debian", KernelRef: "debian"}, model.Discard)
	if err != nil || img.Kernel != "debian-6.1" || img.Boot != (model.BootFiles{}) {
		t.Errorf("kernel %q, boot %+v, %v", img.Kernel, img.Boot, err)
	}
}

// The same digest under another name shares the root filesystem; another
// size or another version of banger does not.
func TestSameDigestIsBuiltOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	pull := func(p rpc.ImagePullParams) os.FileInfo {
		t.Helper()
		p.Ref = "debian"
		img, err := r.PullImage(context.Background(), p, model.Discard)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(img.Dir, model.RootfsFile))
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	first, second := pull(rpc.ImagePullParams{}), pull(rpc.ImagePullParams{Name: "second"})
	if r.puller.builds != 1 || !os.SameFile(first, second) {
		t.Errorf("%d builds", r.puller.builds)
	}
	pull(rpc.ImagePullParams{Name: "third", SizeBytes: 5 << 30})
	if r.puller.builds != 2 {
		t.Errorf("%d builds after another size", r.puller.builds)
	}
	r.cfg.Version = "2"
	r.Service = image.New(r.cfg)
	pull(rpc.ImagePullParams{Name: "fourth"})
	if r.puller.builds != 3 {
		t.Errorf("%d builds after another version", r.puller.builds)
	}
	if _, err := r.DeleteImage(context.Background(), rpc.NameParams{Name: "debian-bookworm"}); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(r.store.rows[0].Dir, model.RootfsFile)); err != nil || string(b) != "rootfs" {
		t.Errorf("the other image lost its root filesystem: %q, %v", b, err)
	}
}

func TestEnsureImage(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	const callers = 16
	ids := make([]string, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			img, err := r.EnsureImage(context.Background(), "", "", model.Discard)
			if err != nil {
				t.Error(err)
			}
			ids[i] = img.ID
		})
	}
	wg.Wait()
	if slices.Sort(ids); ids[0] != ids[callers-1] || r.puller.builds != 1 {
		t.Errorf("ids %v, %d builds", ids, r.puller.builds)
	}
	before := r.puller.resolves
	for _, name := range []string{ids[0], "debian", "debian:bookworm", "debian-bookworm"} {
		if img, err := r.EnsureImage(context.Background(), name, "", model.Discard); err != nil || img.ID != ids[0] {
			t.Errorf("%q: %v, %v", name, img.ID, err)
		}
	}
	if r.puller.resolves != before {
		t.Errorf("%d requests for what is here", r.puller.resolves-before)
	}
	if _, err := r.EnsureImage(context.Background(), "registry.example/debian:bookworm", "", model.Discard); model.CodeOf(err) != model.CodeConflict {
		t.Errorf("another debian-bookworm: %v", err)
	}
	if _, err := r.FindImage(context.Background(), "debian-bookwrm"); model.CodeOf(err) != model.CodeNotFound || !strings.Contains(model.HintOf(err), "debian-bookworm") {
		t.Errorf("a typo: %v, hint %q", err, model.HintOf(err))
	}
}

func TestListAndShow(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.store.rows = []model.Image{{ID: "2", Name: "b"}, {ID: "1", Name: "a"}}
	images, err := r.ListImages(context.Background())
	if err != nil || len(images) != 2 || images[0].Name != "a" {
		t.Errorf("%v, %v", images, err)
	}
	if img, err := r.ShowImage(context.Background(), rpc.NameParams{Name: "2"}); err != nil || img.Name != "b" {
		t.Errorf("%v, %v", img, err)
	}
	if _, err := r.ShowImage(context.Background(), rpc.NameParams{Name: "c"}); model.CodeOf(err) != model.CodeNotFound || model.HintOf(err) == "" {
		t.Errorf("%v, hint %q", err, model.HintOf(err))
	}
}
