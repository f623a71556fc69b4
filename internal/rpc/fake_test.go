package rpc_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/rpc/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeAPI answers every call with what it was asked, or with fail.
type fakeAPI struct {
	fail  error
	block bool // calls wait for the end of their ctx
	panic bool

	entered chan struct{} // takes one value for each blocked call
	left    chan error    // takes the cause for which it ended

	mu     sync.Mutex
	params any // of the last call
}

func newFake() *fakeAPI {
	return &fakeAPI{entered: make(chan struct{}, 1), left: make(chan error, 1)}
}

func (f *fakeAPI) called(ctx context.Context, params any) error {
	f.mu.Lock()
	f.params = params
	f.mu.Unlock()
	if f.panic {
		panic("fake fault")
	}
	if f.block {
		f.entered <- struct{}{}
		<-ctx.Done()
		f.left <- context.Cause(ctx)
		return ctx.Err()
	}
	return f.fail
}

func (f *fakeAPI) lastParams() any {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.params
}

// reports is what every long call reports.
func reports() []model.Progress {
	return []model.Progress{
		{Operation: "op1", Stage: "pull"},
		{Operation: "op1", Item: &model.ItemProgress{ID: "sha256:1", Current: 3, Total: 9}},
		{Operation: "op1", Note: "a\nnote\r\n\"with\" odd ☃ bytes \x1b"},
		{Operation: "op1", Stage: "pull", Done: true, Millis: 5},
	}
}

func (f *fakeAPI) long(ctx context.Context, params any, report model.Report) error {
	for _, p := range reports() {
		report(p)
	}
	return f.called(ctx, params)
}

var fakeTime = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

func fakeBlobs() []model.CachedBlob {
	return []model.CachedBlob{{Digest: "sha256:aa", SizeBytes: 1 << 40, UsedAt: fakeTime, InUse: true}, {Digest: "sha256:bb", UsedAt: fakeTime, Partial: true}}
}

func fakeImage(name string) model.Image {
	return model.Image{ID: "01", Name: name, Managed: true, CreatedAt: fakeTime, Config: model.ImageConfig{Labels: map[string]string{"<a>": "&\n"}}}
}
func fakeKernel(name string) model.Kernel {
	return model.Kernel{Name: name, Version: "6.1", CreatedAt: fakeTime}
}
func fakeVM(name string) model.VM {
	return model.VM{ID: "0a", Name: name, State: model.VMRunning, CreatedAt: fakeTime}
}
func fakeOp(id string) model.Operation {
	return model.Operation{ID: id, State: model.OpFailed, Stages: []model.Stage{{Name: "pull"}}, StartedAt: fakeTime,
		Error: &model.Error{Code: model.CodeBoot, Msg: "m", Hint: "h"}}
}

func (f *fakeAPI) Version(ctx context.Context) (model.VersionInfo, error) {
	return model.VersionInfo{Version: "1.2.3", PID: 7}, f.called(ctx, nil)
}
func (f *fakeAPI) Settings(ctx context.Context) (model.Settings, error) {
	return fakeSettings(), f.called(ctx, nil)
}
func (f *fakeAPI) Shutdown(ctx context.Context) error { return f.called(ctx, nil) }

func (f *fakeAPI) PullImage(ctx context.Context, p rpc.ImagePullParams, report model.Report) (model.Image, error) {
	return fakeImage(p.Ref), f.long(ctx, p, report)
}
func (f *fakeAPI) ListImages(ctx context.Context) ([]model.Image, error) {
	return []model.Image{fakeImage("a"), fakeImage("b")}, f.called(ctx, nil)
}
func (f *fakeAPI) ShowImage(ctx context.Context, p rpc.NameParams) (model.Image, error) {
	return fakeImage(p.Name), f.called(ctx, p)
}
func (f *fakeAPI) ListImageCache(ctx context.Context) ([]model.CachedBlob, error) {
	return fakeBlobs(), f.called(ctx, nil)
}
func (f *fakeAPI) PruneImageCache(ctx context.Context, p rpc.ImageCachePruneParams) ([]model.CachedBlob, error) {
	return fakeBlobs(), f.called(ctx, p)
}
func (f *fakeAPI) VerifyImageCache(ctx context.Context, report model.Report) ([]model.CachedBlob, error) {
	return fakeBlobs(), f.long(ctx, nil, report)
}
func (f *fakeAPI) DeleteImage(ctx context.Context, p rpc.NameParams) (model.Image, error) {
	return fakeImage(p.Name), f.called(ctx, p)
}
func (f *fakeAPI) PullKernel(ctx context.Context, p rpc.KernelPullParams, report model.Report) (model.Kernel, error) {
	return fakeKernel(p.Name), f.long(ctx, p, report)
}
func (f *fakeAPI) ImportKernel(ctx context.Context, p rpc.KernelImportParams, report model.Report) (model.Kernel, error) {
	return fakeKernel(p.Name), f.long(ctx, p, report)
}
func (f *fakeAPI) ListKernels(ctx context.Context) ([]model.Kernel, error) {
	return []model.Kernel{fakeKernel("k")}, f.called(ctx, nil)
}
func (f *fakeAPI) ListCatalog(ctx context.Context) ([]model.CatalogKernel, error) {
	return []model.CatalogKernel{{Name: "c", Has: []string{"vsock"}}}, f.called(ctx, nil)
}
func (f *fakeAPI) ShowKernel(ctx context.Context, p rpc.NameParams) (model.Kernel, error) {
	return fakeKernel(p.Name), f.called(ctx, p)
}
func (f *fakeAPI) KernelOptions(ctx context.Context, p rpc.NameParams) ([]model.KernelOption, error) {
	return []model.KernelOption{{Name: "CONFIG_A", Value: "y"}}, f.called(ctx, p)
}
func (f *fakeAPI) KernelModules(ctx context.Context, p rpc.NameParams) ([]model.KernelModule, error) {
	return []model.KernelModule{{Name: "a", Path: "kernel/a.ko"}}, f.called(ctx, p)
}
func (f *fakeAPI) BuildKernel(ctx context.Context, p rpc.KernelBuildParams, report model.Report) (model.Kernel, error) {
	return fakeKernel(p.Name), f.long(ctx, p, report)
}
func (f *fakeAPI) TestKernel(ctx context.Context, p rpc.KernelTestParams, report model.Report) (model.Kernel, error) {
	return fakeKernel(p.Name), f.long(ctx, p, report)
}
func (f *fakeAPI) DefaultKernel(ctx context.Context, p rpc.KernelDefaultParams) (model.Kernel, error) {
	return fakeKernel(p.Name), f.called(ctx, p)
}
func (f *fakeAPI) PushKernel(ctx context.Context, p rpc.KernelPushParams, report model.Report) (model.KernelArtifact, error) {
	return model.KernelArtifact{Kernel: p.Name, Ref: p.Ref}, f.long(ctx, p, report)
}
func (f *fakeAPI) PruneKernels(ctx context.Context, p rpc.KernelPruneParams) ([]model.Kernel, error) {
	return []model.Kernel{fakeKernel("k")}, f.called(ctx, p)
}
func (f *fakeAPI) DeleteKernel(ctx context.Context, p rpc.NameParams) (model.Kernel, error) {
	return fakeKernel(p.Name), f.called(ctx, p)
}
func (f *fakeAPI) CreateVM(ctx context.Context, p rpc.VMCreateParams, report model.Report) (model.VM, error) {
	return fakeVM(p.Name), f.long(ctx, p, report)
}
func (f *fakeAPI) StartVM(ctx context.Context, p rpc.NameParams, report model.Report) (model.VM, error) {
	return fakeVM(p.Name), f.long(ctx, p, report)
}
func (f *fakeAPI) StopVM(ctx context.Context, p rpc.VMStopParams, report model.Report) (model.VM, error) {
	return fakeVM(p.Name), f.long(ctx, p, report)
}
func (f *fakeAPI) ResetVM(ctx context.Context, p rpc.VMResetParams, report model.Report) (model.VM, error) {
	return fakeVM(p.Name), f.long(ctx, p, report)
}
func (f *fakeAPI) RebaseVM(ctx context.Context, p rpc.VMRebaseParams, report model.Report) (model.VM, error) {
	return fakeVM(p.Name), f.long(ctx, p, report)
}
func (f *fakeAPI) KillVM(ctx context.Context, p rpc.NameParams) (model.VM, error) {
	return fakeVM(p.Name), f.called(ctx, p)
}
func (f *fakeAPI) RestartVM(ctx context.Context, p rpc.VMStopParams, report model.Report) (model.VM, error) {
	return fakeVM(p.Name), f.long(ctx, p, report)
}
func (f *fakeAPI) DeleteVM(ctx context.Context, p rpc.VMDeleteParams, report model.Report) (model.VM, error) {
	return fakeVM(p.Name), f.long(ctx, p, report)
}
func (f *fakeAPI) ListVMs(ctx context.Context) ([]model.VM, error) {
	return []model.VM{fakeVM("v")}, f.called(ctx, nil)
}
func (f *fakeAPI) ListVMSummaries(ctx context.Context) ([]model.VMSummary, error) {
	return []model.VMSummary{{ID: "v"}}, f.called(ctx, nil)
}
func (f *fakeAPI) ShowVM(ctx context.Context, p rpc.NameParams) (model.VM, error) {
	return fakeVM(p.Name), f.called(ctx, p)
}

// LogsVM writes one line, and goes on until its ctx ends when it follows.
func (f *fakeAPI) LogsVM(ctx context.Context, p rpc.VMLogsParams, w io.Writer) error {
	if !p.Follow {
		if err := f.called(ctx, p); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(w, "boot \x00\xff\n"); err != nil {
		return err
	}
	if p.Follow {
		return f.called(ctx, p)
	}
	return nil
}

func (f *fakeAPI) ListOperations(ctx context.Context) ([]model.Operation, error) {
	return []model.Operation{fakeOp("1")}, f.called(ctx, nil)
}
func (f *fakeAPI) ShowOperation(ctx context.Context, p rpc.IDParams) (model.Operation, error) {
	return fakeOp(p.ID), f.called(ctx, p)
}
func (f *fakeAPI) WatchOperation(ctx context.Context, p rpc.IDParams, report model.Report) (model.Operation, error) {
	return fakeOp(p.ID), f.long(ctx, p, report)
}
func (f *fakeAPI) CancelOperation(ctx context.Context, p rpc.IDParams) (model.Operation, error) {
	return fakeOp(p.ID), f.called(ctx, p)
}

func (f *fakeAPI) ExecVM(ctx context.Context, p rpc.VMExecParams, stdio rpc.Stdio, report model.Report) (model.ExitStatus, error) {
	if err := f.long(ctx, p, report); err != nil {
		return model.ExitStatus{}, err
	}
	return process(ctx, p.Argv, stdio)
}

func (f *fakeAPI) RunVM(ctx context.Context, p rpc.VMRunParams, stdio rpc.Stdio, report model.Report) (model.ExitStatus, error) {
	if err := f.long(ctx, p, report); err != nil {
		return model.ExitStatus{}, err
	}
	if stdio.Started != nil {
		stdio.Started(fakeVM("run"))
	}
	return process(ctx, p.Argv, stdio)
}

// process is a small world of programs.
func process(ctx context.Context, argv []string, stdio rpc.Stdio) (model.ExitStatus, error) {
	switch argv[0] {
	case "exit":
		code, err := strconv.Atoi(argv[1])
		return model.ExitStatus{Code: code}, err
	case "cat":
		if stdio.Stdin == nil {
			return model.ExitStatus{}, nil
		}
		_, err := io.Copy(stdio.Stdout, stdio.Stdin)
		return model.ExitStatus{}, err
	case "head": // takes a few bytes and leaves the rest
		b := make([]byte, 4)
		_, err := io.ReadFull(stdio.Stdin, b)
		fmt.Fprintf(stdio.Stdout, "%s", b)
		return model.ExitStatus{}, err
	case "both":
		_, _ = io.WriteString(stdio.Stdout, "out")
		_, _ = io.WriteString(stdio.Stderr, "err")
		return model.ExitStatus{Code: 3}, nil
	case "zeros":
		n, _ := strconv.Atoi(argv[1])
		_, err := io.Copy(stdio.Stdout, io.LimitReader(zeros{}, int64(n)))
		return model.ExitStatus{}, err
	case "signal": // takes no input and ends at a signal
		_, _ = io.WriteString(stdio.Stdout, "ready")
		select {
		case name := <-stdio.Signals:
			return model.ExitStatus{Code: 130, Signal: name}, nil
		case <-ctx.Done():
			return model.ExitStatus{}, ctx.Err()
		}
	case "size":
		select {
		case size := <-stdio.Resize:
			fmt.Fprintf(stdio.Stdout, "%dx%d", size.Cols, size.Rows)
			return model.ExitStatus{}, nil
		case <-ctx.Done():
			return model.ExitStatus{}, ctx.Err()
		}
	}
	return model.ExitStatus{Code: 127, Err: "not found"}, nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// serve puts api on a socket until the test ends and returns its path. What
// is logged is in the buffer.
func serve(t testing.TB, api rpc.API) (socket string, log *syncBuffer) {
	t.Helper()
	log = &syncBuffer{}
	socket, _ = serveLogging(t, api, log)
	return socket, log
}

// serveUntil is serve with a way to end it.
func serveUntil(t testing.TB, api rpc.API) (socket string, stop func()) {
	t.Helper()
	return serveLogging(t, api, &syncBuffer{})
}

func serveLogging(t testing.TB, api rpc.API, log io.Writer) (socket string, stop func()) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "run", "banger.sock")
	l, err := rpc.Listen(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := server.New(api, slog.New(slog.NewTextHandler(log, nil)))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return socket, stop
}

func client(t testing.TB, socket string) *rpc.Client {
	t.Helper()
	c := rpc.NewClient(socket)
	t.Cleanup(c.Close)
	return c
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func discardLog() *slog.Logger { return slog.New(slog.DiscardHandler) }
