package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"banger/internal/model"
	"banger/internal/rpc"
)

var _ rpc.API = (*fakeDaemon)(nil)

// epoch is when all objects of a fakeDaemon were made.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fakeDaemon is a daemon in memory. Its VMs know a few commands (see
// fakeProcess); object names that begin with "bad" make calls fail.
type fakeDaemon struct {
	mu         sync.Mutex
	vms        []model.VM
	images     []model.Image
	blobs      []model.CachedBlob
	kernels    []model.Kernel
	operations []model.Operation
	console    map[string]string
	created    int
	looks      int // calls of StatsVMs
	down       bool
	// last parameters seen, for tests of flags
	run    rpc.VMRunParams
	exec   rpc.VMExecParams
	pull   rpc.ImagePullParams
	imp    rpc.KernelImportParams
	kpull  rpc.KernelPullParams
	stop   rpc.VMStopParams
	set    rpc.VMSetParams
	events rpc.EventsParams
}

func newFakeDaemon() *fakeDaemon {
	return &fakeDaemon{
		blobs: []model.CachedBlob{
			{Digest: "sha256:" + strings.Repeat("a", 24), SizeBytes: 5 * mib, UsedAt: epoch},
			{Digest: "sha256:" + strings.Repeat("b", 24), SizeBytes: mib, UsedAt: epoch, Partial: true, InUse: true},
		},
		kernels: []model.Kernel{{
			Name: "debian-12", Version: "6.1.0-44-amd64", Arch: "amd64", Modules: true, Default: true,
			SizeBytes: 60 * mib, Source: "deb", CreatedAt: epoch,
		}},
		operations: []model.Operation{{
			ID: "4f1c5a9e2b7d8063", Kind: "image.pull", Object: "alpine", State: model.OpRunning, StartedAt: epoch,
			Stages: []model.Stage{{Name: "resolve", Millis: 120, Done: true}, {Name: "pull", Millis: 2100}},
		}},
		console: map[string]string{},
	}
}

func (d *fakeDaemon) connect(context.Context) (rpc.API, error) {
	if d.down {
		return nil, model.Errorf(model.CodeUnreachable, "the daemon does not answer").WithHint("banger system version")
	}
	return d, nil
}

func (d *fakeDaemon) Version(context.Context) (model.VersionInfo, error) {
	return model.VersionInfo{Version: "1.2.3", Commit: "abc", PID: 42, Home: "/home/u/.local/state/banger", Accel: "tcg"}, nil
}

func (d *fakeDaemon) Shutdown(context.Context) error {
	d.down = true
	return nil
}

func (d *fakeDaemon) PullImage(_ context.Context, p rpc.ImagePullParams, report model.Report) (model.Image, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pull = p
	if strings.HasPrefix(p.Ref, "bad") {
		return model.Image{}, model.Errorf(model.CodeUnreachable, "pulling %s: no such host\x1b[2J", p.Ref).WithHint("check the name of the registry")
	}
	image := model.Image{
		ID: "00000000000000" + fmt.Sprintf("%02d", len(d.images)), Name: p.Name, Kernel: "debian-12",
		SizeBytes: gib, UsedBytes: 120 * mib, CreatedAt: epoch,
		Source: model.ImageSource{Reference: p.Ref, Layers: []string{"sha256:aa"}},
		Config: model.ImageConfig{Cmd: []string{"sh", "-c", "a b"}, Env: []string{"PATH=/bin"}},
	}
	if image.Name == "" {
		image.Name = strings.NewReplacer(":", "-", "/", "-").Replace(p.Ref)
	}
	if d.image(image.Name) >= 0 {
		return image, model.Errorf(model.CodeConflict, "image %q exists", image.Name).WithHint("banger image delete %s", image.Name)
	}
	for _, stage := range []string{"resolve", "pull", "build"} {
		report(model.Progress{Stage: stage})
		report(model.Progress{Item: &model.ItemProgress{ID: "sha256:aa", Current: 5 * mib, Total: 10 * mib}})
		report(model.Progress{Stage: stage, Done: true, Millis: 1500})
	}
	report(model.Progress{Note: "no KVM here: VMs will be slow"})
	d.images = append(d.images, image)
	return image, nil
}

func (d *fakeDaemon) image(name string) int {
	return slices.IndexFunc(d.images, func(i model.Image) bool { return i.Name == name || i.ID == name })
}

func (d *fakeDaemon) ListImages(context.Context) ([]model.Image, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.images), nil
}

func (d *fakeDaemon) ShowImage(_ context.Context, p rpc.NameParams) (model.Image, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.image(p.Name)
	if i < 0 {
		return model.Image{}, notFound("image", p.Name)
	}
	return d.images[i], nil
}

func (d *fakeDaemon) DeleteImage(ctx context.Context, p rpc.NameParams) (model.Image, error) {
	image, err := d.ShowImage(ctx, p)
	if err == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.images = slices.DeleteFunc(d.images, func(i model.Image) bool { return i.ID == image.ID })
	}
	return image, err
}

func (d *fakeDaemon) ListImageCache(context.Context) ([]model.CachedBlob, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.blobs), nil
}

// PruneImageCache has no order: all goes, or nothing.
func (d *fakeDaemon) PruneImageCache(_ context.Context, p rpc.ImageCachePruneParams) ([]model.CachedBlob, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p.KeepBytes > 0 {
		return nil, nil
	}
	removed := d.blobs
	d.blobs = nil
	return removed, nil
}

// VerifyImageCache finds that partial blobs are damaged.
func (d *fakeDaemon) VerifyImageCache(context.Context, model.Report) ([]model.CachedBlob, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var damaged, sound []model.CachedBlob
	for _, b := range d.blobs {
		if b.Partial {
			damaged = append(damaged, b)
		} else {
			sound = append(sound, b)
		}
	}
	d.blobs = sound
	return damaged, nil
}

func notFound(noun, name string) error {
	return model.Errorf(model.CodeNotFound, "no %s %q", noun, name).WithHint("banger %s list", noun)
}

func (d *fakeDaemon) PullKernel(ctx context.Context, p rpc.KernelPullParams, _ model.Report) (model.Kernel, error) {
	if p.Name == "" && p.Ref == "" {
		p.Name = "debian-12"
	}
	d.kpull = p
	return d.ShowKernel(ctx, rpc.NameParams{Name: p.Name})
}

func (d *fakeDaemon) ImportKernel(_ context.Context, p rpc.KernelImportParams, _ model.Report) (model.Kernel, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.imp = p
	kernel := model.Kernel{Name: p.Name, Version: "6.9.0", Arch: "amd64", Source: p.KernelPath, CreatedAt: epoch, SizeBytes: 50 * mib}
	d.kernels = append(d.kernels, kernel)
	return kernel, nil
}

func (d *fakeDaemon) ListKernels(context.Context) ([]model.Kernel, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.kernels), nil
}

func (d *fakeDaemon) ListCatalog(context.Context) ([]model.CatalogKernel, error) {
	return []model.CatalogKernel{
		{Name: "debian-12", Arch: "amd64", Flavour: "cloud", Default: true, Pulled: true, Has: []string{"modules", "virtio"}, Description: "Debian's kernel for clouds"},
		{Name: "tiny", Arch: "amd64", Description: "small"},
	}, nil
}

func (d *fakeDaemon) ShowKernel(_ context.Context, p rpc.NameParams) (model.Kernel, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range d.kernels {
		if k.Name == p.Name {
			return k, nil
		}
	}
	return model.Kernel{}, notFound("kernel", p.Name)
}

func (d *fakeDaemon) DeleteKernel(ctx context.Context, p rpc.NameParams) (model.Kernel, error) {
	kernel, err := d.ShowKernel(ctx, p)
	if err == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.kernels = slices.DeleteFunc(d.kernels, func(k model.Kernel) bool { return k.Name == kernel.Name })
	}
	return kernel, err
}

func (d *fakeDaemon) ListOperations(context.Context) ([]model.Operation, error) {
	return slices.Clone(d.operations), nil
}

func (d *fakeDaemon) operation(id string) (*model.Operation, error) {
	for i := range d.operations {
		if id != "" && strings.HasPrefix(d.operations[i].ID, id) {
			return &d.operations[i], nil
		}
	}
	return nil, notFound("operation", id)
}

func (d *fakeDaemon) ShowOperation(_ context.Context, p rpc.IDParams) (model.Operation, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	op, err := d.operation(p.ID)
	if err != nil {
		return model.Operation{}, err
	}
	return *op, nil
}

func (d *fakeDaemon) WatchOperation(ctx context.Context, p rpc.IDParams, report model.Report) (model.Operation, error) {
	op, err := d.ShowOperation(ctx, p)
	if err != nil {
		return op, err
	}
	report(model.Progress{Operation: op.ID, Stage: "pull", Done: true, Millis: 2100})
	if op.State == model.OpRunning {
		op.State, op.EndedAt = model.OpDone, epoch.Add(3*time.Second)
	}
	return op, nil
}

func (d *fakeDaemon) CancelOperation(_ context.Context, p rpc.IDParams) (model.Operation, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	op, err := d.operation(p.ID)
	if err != nil {
		return model.Operation{}, err
	}
	op.State, op.EndedAt = model.OpCanceled, epoch.Add(3*time.Second)
	return *op, nil
}

// writeConsole adds to the console of a VM.
func (d *fakeDaemon) writeConsole(name, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.console[name] += text
}

func (d *fakeDaemon) LogsVM(ctx context.Context, p rpc.VMLogsParams, w io.Writer) error {
	if _, err := d.ShowVM(ctx, rpc.NameParams{Name: p.Name}); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := strings.SplitAfter(d.console[p.Name], "\n")
	if p.Tail < 0 {
		lines = nil
	}
	if p.Tail > 0 && len(lines) > p.Tail+1 {
		lines = lines[len(lines)-p.Tail-1:]
	}
	_, err := io.WriteString(w, strings.Join(lines, ""))
	return err
}
