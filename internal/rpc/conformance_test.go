package rpc_test

import (
	"context"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"banger/internal/model"
	"banger/internal/rpc"
)

// longName needs more than one window of input.
var longName = strings.Repeat("name ", 100_000)

// apiCall is one operation as the suite calls it.
type apiCall struct {
	method string
	params any
	do     func(ctx context.Context, api rpc.API, report model.Report) (any, error)
	want   any
	long   bool
}

func apiCalls() []apiCall {
	two := 2
	name, id := rpc.NameParams{Name: "web"}, rpc.IDParams{ID: "0f"}
	pull := rpc.ImagePullParams{Ref: "debian:12", Name: "d", SizeBytes: 1 << 40, Platform: "linux/amd64"}
	check := rpc.CheckParams{Fix: true}
	prune := rpc.ImageCachePruneParams{KeepBytes: 1 << 30}
	kdefault, kpush, kprune := rpc.KernelDefaultParams{Name: "k"}, rpc.KernelPushParams{Name: "k", Ref: "r"}, rpc.KernelPruneParams{DryRun: true}
	tree, diff := rpc.ImageTreeParams{Name: "web", Path: "/etc"}, rpc.ImageDiffParams{From: "a", To: "b", Times: true}
	kbuild, ktest := rpc.KernelBuildParams{Name: "k", Flavour: "net", Fragments: []string{"/f"}, Jobs: 2}, rpc.KernelTestParams{Name: "k"}
	kpull, kimport := rpc.KernelPullParams{Name: "k"}, rpc.KernelImportParams{Name: "k", KernelPath: "/boot/vmlinuz"}
	create := rpc.VMCreateParams{Image: "debian", Name: "web", CPUs: 2, Network: model.NetUser, Env: []string{"A=\x01ü"},
		Labels: map[string]string{"a": "b"}, Entrypoint: []string{}, Driver: "qemu", Start: true,
		Volumes: []rpc.MountParams{{Volume: "data", Path: "/ü", ReadOnly: true}}}
	stop, del := rpc.VMStopParams{Name: "web", GraceSeconds: &two}, rpc.VMDeleteParams{Name: "web", Force: true}
	reset := rpc.VMResetParams{Name: "web", Force: true}
	rebase := rpc.VMRebaseParams{Name: "web", Image: "debian:13", Pull: "never"}
	vprune := rpc.VolumePruneParams{DryRun: true}
	vcreate, vresize := rpc.VolumeCreateParams{Name: "data", SizeBytes: 1 << 40}, rpc.VolumeResizeParams{Name: "data", SizeBytes: 1 << 41}
	logs := rpc.VMLogsParams{Name: "web", Tail: 5}
	exec := rpc.VMExecParams{Name: "web", Argv: []string{"exit", "7"}, Size: &model.WinSize{Rows: 24, Cols: 80}}
	run := rpc.VMRunParams{Create: create, Argv: []string{"exit", "9"}}
	return append(slices.Concat(lifeCalls(), imageLifeCalls(), imageBuildCalls()), []apiCall{
		{"Version", nil, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.Version(ctx) }, model.VersionInfo{Version: "1.2.3", PID: 7}, false},
		{"Settings", nil, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.Settings(ctx) }, fakeSettings(), false},
		{"Shutdown", nil, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return nil, a.Shutdown(ctx) }, nil, false},
		{"Doctor", check, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.Doctor(ctx, check) }, fakeChecks(), false},
		{"CheckState", check, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.CheckState(ctx, check) }, fakeChecks(), false},
		{"DiskUsage", nil, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.DiskUsage(ctx) }, []model.Usage{{Kind: "images", Count: 2, Bytes: 5}}, false},
		{"PullImage", pull, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.PullImage(ctx, pull, r) }, fakeImage("debian:12"), true},
		{"ImportImage", pull, func(ctx context.Context, a rpc.API, r model.Report) (any, error) {
			return a.ImportImage(ctx, pull, strings.NewReader(longName), r)
		}, fakeImage(longName), true},
		{"ListImages", nil, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.ListImages(ctx) }, []model.Image{fakeImage("a"), fakeImage("b")}, false},
		{"ShowImage", name, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.ShowImage(ctx, name) }, fakeImage("web"), false},
		{"DeleteImage", name, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.DeleteImage(ctx, name) }, fakeImage("web"), false},
		{"ListImageCache", nil, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.ListImageCache(ctx) }, fakeBlobs(), false},
		{"PruneImageCache", prune, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) {
			return a.PruneImageCache(ctx, prune)
		}, fakeBlobs(), false},
		{"VerifyImageCache", nil, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.VerifyImageCache(ctx, r) }, fakeBlobs(), true},
		{"TreeImage", tree, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) {
			return collect(func(visit func(model.TreeEntry) error) error { return a.TreeImage(ctx, tree, visit) })
		}, fakeFiles(), false},
		{"DiffImages", diff, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) {
			return collect(func(visit func(model.TreeChange) error) error { return a.DiffImages(ctx, diff, visit) })
		}, fakeChanges(), false},
		{"PullKernel", kpull, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.PullKernel(ctx, kpull, r) }, fakeKernel("k"), true},
		{"ImportKernel", kimport, func(ctx context.Context, a rpc.API, r model.Report) (any, error) {
			return a.ImportKernel(ctx, kimport, r)
		}, fakeKernel("k"), true},
		{"ListKernels", nil, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.ListKernels(ctx) }, []model.Kernel{fakeKernel("k")}, false},
		{"ListCatalog", nil, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.ListCatalog(ctx) }, []model.CatalogKernel{{Name: "c", Has: []string{"vsock"}}}, false},
		{"ShowKernel", name, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.ShowKernel(ctx, name) }, fakeKernel("web"), false},
		{"KernelOptions", name, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.KernelOptions(ctx, name) }, []model.KernelOption{{Name: "CONFIG_A", Value: "y"}}, false},
		{"KernelModules", name, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.KernelModules(ctx, name) }, []model.KernelModule{{Name: "a", Path: "kernel/a.ko"}}, false},
		{"BuildKernel", kbuild, func(ctx context.Context, a rpc.API, r model.Report) (any, error) {
			return a.BuildKernel(ctx, kbuild, r)
		}, fakeKernel("k"), true},
		{"TestKernel", ktest, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.TestKernel(ctx, ktest, r) }, fakeKernel("k"), true},
		{"DefaultKernel", kdefault, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) {
			return a.DefaultKernel(ctx, kdefault)
		}, fakeKernel("k"), false},
		{"PushKernel", kpush, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.PushKernel(ctx, kpush, r) }, model.KernelArtifact{Kernel: "k", Ref: "r"}, true},
		{"PruneKernels", kprune, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.PruneKernels(ctx, kprune) }, []model.Kernel{fakeKernel("k")}, false},
		{"DeleteKernel", name, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.DeleteKernel(ctx, name) }, fakeKernel("web"), false},
		{"CreateVM", create, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.CreateVM(ctx, create, r) }, fakeVM("web"), true},
		{"StartVM", name, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.StartVM(ctx, name, r) }, fakeVM("web"), true},
		{"StopVM", stop, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.StopVM(ctx, stop, r) }, fakeVM("web"), true},
		{"KillVM", name, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.KillVM(ctx, name) }, fakeVM("web"), false},
		{"RestartVM", stop, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.RestartVM(ctx, stop, r) }, fakeVM("web"), true},
		{"ResetVM", reset, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.ResetVM(ctx, reset, r) }, fakeVM("web"), true},
		{"RebaseVM", rebase, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.RebaseVM(ctx, rebase, r) }, fakeVM("web"), true},
		{"DeleteVM", del, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.DeleteVM(ctx, del, r) }, fakeVM("web"), true},
		{"ListVMSummaries", nil, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.ListVMSummaries(ctx) }, []model.VMSummary{{ID: "v"}}, false},
		{"ListVMs", nil, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.ListVMs(ctx) }, []model.VM{fakeVM("v")}, false},
		{"ShowVM", name, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.ShowVM(ctx, name) }, fakeVM("web"), false},
		{"LogsVM", logs, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) {
			var out strings.Builder
			err := a.LogsVM(ctx, logs, &out)
			return out.String(), err
		}, "boot \x00\xff\n", false},
		{"ExecVM", exec, func(ctx context.Context, a rpc.API, r model.Report) (any, error) {
			return a.ExecVM(ctx, exec, rpc.Stdio{Stdout: io.Discard, Stderr: io.Discard}, r)
		}, model.ExitStatus{Code: 7}, true},
		{"RunVM", run, func(ctx context.Context, a rpc.API, r model.Report) (any, error) {
			return a.RunVM(ctx, run, rpc.Stdio{}, r)
		}, model.ExitStatus{Code: 9}, true},
		{"CreateVolume", vcreate, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.CreateVolume(ctx, vcreate) }, fakeVolume("data"), false},
		{"ListVolumes", nil, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.ListVolumes(ctx) }, []model.Volume{fakeVolume("v")}, false},
		{"ShowVolume", name, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.ShowVolume(ctx, name) }, fakeVolume("web"), false},
		{"DeleteVolume", name, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.DeleteVolume(ctx, name) }, fakeVolume("web"), false},
		{"PruneVolumes", vprune, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.PruneVolumes(ctx, vprune) }, []model.Volume{fakeVolume("v")}, false},
		{"ResizeVolume", vresize, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.ResizeVolume(ctx, vresize) }, fakeVolume("data"), false},
		{"ListOperations", nil, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.ListOperations(ctx) }, []model.Operation{fakeOp("1")}, false},
		{"ShowOperation", id, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.ShowOperation(ctx, id) }, fakeOp("0f"), false},
		{"WatchOperation", id, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.WatchOperation(ctx, id, r) }, fakeOp("0f"), true},
		{"CancelOperation", id, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.CancelOperation(ctx, id) }, fakeOp("0f"), false},
	}...)
}

// overBoth runs test against the fake itself and through a socket.
func overBoth(t *testing.T, test func(t *testing.T, fake *fakeAPI, api rpc.API)) {
	t.Helper()
	t.Run("direct", func(t *testing.T) {
		t.Parallel()
		fake := newFake()
		test(t, fake, fake)
	})
	t.Run("socket", func(t *testing.T) {
		t.Parallel()
		fake := newFake()
		socket, _ := serve(t, fake)
		test(t, fake, client(t, socket))
	})
}

func TestSuiteKnowsEveryOperation(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, c := range apiCalls() {
		known[c.method] = true
	}
	api := reflect.TypeFor[rpc.API]()
	for method := range api.Methods() {
		if !known[method.Name] {
			t.Errorf("the suite does not call %s", method.Name)
		}
	}
	if len(known) != api.NumMethod() {
		t.Errorf("the suite knows %d methods, the API has %d", len(known), api.NumMethod())
	}
}

func TestCallsCarryParametersResultsAndProgress(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, fake *fakeAPI, api rpc.API) {
		for _, c := range apiCalls() {
			var got []model.Progress
			result, err := c.do(t.Context(), api, func(p model.Progress) { got = append(got, p) })
			if err != nil {
				t.Errorf("%s: %v", c.method, err)
			}
			if d := cmp.Diff(c.want, result); d != "" {
				t.Errorf("%s: result (-want +got):\n%s", c.method, d)
			}
			if d := cmp.Diff(c.params, fake.lastParams(), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("%s: parameters (-want +got):\n%s", c.method, d)
			}
			if c.long {
				if d := cmp.Diff(reports(), got); d != "" {
					t.Errorf("%s: progress (-want +got):\n%s", c.method, d)
				}
			}
		}
	})
}

func TestErrorsArriveAsTheyWere(t *testing.T) {
	t.Parallel()
	codes := []model.Code{
		model.CodeInvalid, model.CodeNotFound, model.CodeConflict, model.CodeUnauthorized, model.CodeUnreachable,
		model.CodeNoSpace, model.CodeUnsupported, model.CodeIntegrity, model.CodeLimit, model.CodeTimeout,
		model.CodeCanceled, model.CodeBoot, model.CodeFailed, model.CodeInternal,
	}
	overBoth(t, func(t *testing.T, fake *fakeAPI, api rpc.API) {
		for i, c := range apiCalls() {
			code := codes[i%len(codes)]
			fake.fail = model.Errorf(code, "pulling %q: odd ☃\n: %w", "x", errors.New("cause")).WithHint("do that")
			_, err := c.do(t.Context(), api, model.Discard)
			var got *model.Error
			if !errors.As(err, &got) {
				t.Errorf("%s: %v is no *model.Error", c.method, err)
				continue
			}
			want := &model.Error{Code: code, Msg: "pulling \"x\": odd ☃\n: cause", Hint: "do that"}
			if d := cmp.Diff(want, got, cmpopts.IgnoreFields(model.Error{}, "Err")); d != "" {
				t.Errorf("%s (-want +got):\n%s", c.method, d)
			}
		}
	})
}

func TestCancelEndsTheCallOnBothSides(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, fake *fakeAPI, api rpc.API) {
		fake.block = true
		for _, c := range apiCalls() {
			ctx, cancel := context.WithCancel(t.Context())
			failed := make(chan error, 1)
			go func() {
				_, err := c.do(ctx, api, model.Discard)
				failed <- err
			}()
			<-fake.entered
			cancel()
			if err := <-failed; err == nil || !errors.Is(err, context.Canceled) && model.CodeOf(err) != model.CodeCanceled {
				t.Errorf("%s: %v", c.method, err)
			}
			if cause := <-fake.left; cause == nil {
				t.Errorf("%s: the call was not canceled", c.method)
			}
		}
	})
}

func TestPanicsEndOnlyTheirCall(t *testing.T) {
	t.Parallel()
	fake := newFake()
	fake.panic = true
	socket, log := serve(t, fake)
	api := client(t, socket)
	for _, c := range apiCalls() {
		_, err := c.do(t.Context(), api, model.Discard)
		if model.CodeOf(err) != model.CodeInternal || !strings.Contains(err.Error(), "internal error: fake fault") || model.HintOf(err) == "" {
			t.Errorf("%s: %v", c.method, err)
		}
	}
	if !strings.Contains(log.String(), "fake_test.go") {
		t.Error("the log has no stack")
	}
}

func TestShutdownEndsCallsUnderWay(t *testing.T) {
	t.Parallel()
	for _, c := range apiCalls() {
		if c.method != "ShowVM" && c.method != "StartVM" && c.method != "ExecVM" {
			continue
		}
		t.Run(c.method, func(t *testing.T) {
			t.Parallel()
			fake := newFake()
			fake.block = true
			socket, stop := serveUntil(t, fake)
			api := client(t, socket)
			failed := make(chan error, 1)
			go func() {
				_, err := c.do(t.Context(), api, model.Discard)
				failed <- err
			}()
			<-fake.entered
			stop()
			if err := <-failed; model.CodeOf(err) != model.CodeCanceled || err.Error() != "the daemon is shutting down" {
				t.Errorf("%s: %v", model.CodeOf(err), err)
			}
			if cause := <-fake.left; cause == nil {
				t.Error("the call was not canceled")
			}
			if _, err := api.Version(t.Context()); model.CodeOf(err) != model.CodeUnreachable || model.HintOf(err) == "" {
				t.Errorf("after the shutdown: %v", err)
			}
		})
	}
}

// imageBuildCalls are the calls of rpc.ImageBuildAPI.
func imageBuildCalls() []apiCall {
	name := rpc.NameParams{Name: "web"}
	build := rpc.ImageBuildParams{Name: "w4", Base: "web", Script: "make\n", Hooks: []rpc.ImageBuildHook{{When: "after-script", Name: "h", Script: "x"}}, Network: "none"}
	docker := rpc.DockerfileBuildParams{Name: "w5", Context: "/c", Dockerfile: "D", Target: "t", BuildArgs: []string{"A=1"}, NoCache: true, KernelRef: "k", Network: "none"}
	return []apiCall{
		{"BuildImage", build, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.BuildImage(ctx, build, r) }, fakeImage("w4"), true},
		{"BuildDockerfile", docker, func(ctx context.Context, a rpc.API, r model.Report) (any, error) {
			return a.BuildDockerfile(ctx, docker, r)
		}, fakeImage("w5"), true},
		{"ImageLog", name, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) {
			var out strings.Builder
			err := a.ImageLog(ctx, name, &out)
			return out.String(), err
		}, "+ make\n\x00\xff\n", false},
		{"ImagePackages", name, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.ImagePackages(ctx, name) }, []model.Package{fakePackage}, false},
	}
}

// imageLifeCalls are the calls of rpc.ImageLifeAPI, and the commit of a VM.
func imageLifeCalls() []apiCall {
	name := rpc.NameParams{Name: "web"}
	register, tag := rpc.ImageRegisterParams{Name: "mine", Rootfs: "/r"}, rpc.ImageTagParams{Name: "web", New: "w2"}
	iprune, verify := rpc.ImagePruneParams{DryRun: true}, rpc.ImageVerifyParams{Names: []string{"web"}}
	export, ipush := rpc.ImageExportParams{Name: "web", Format: "oci"}, rpc.ImagePushParams{Name: "web", Ref: "r"}
	commit := rpc.VMCommitParams{Name: "web", Image: "w3"}
	return []apiCall{
		{"RegisterImage", register, func(ctx context.Context, a rpc.API, r model.Report) (any, error) {
			return a.RegisterImage(ctx, register, r)
		}, fakeImage("mine"), true},
		{"PromoteImage", name, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.PromoteImage(ctx, name, r) }, fakeImage("web"), true},
		{"TagImage", tag, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.TagImage(ctx, tag, r) }, fakeImage("w2"), true},
		{"PruneImages", iprune, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) { return a.PruneImages(ctx, iprune) }, []model.Image{fakeImage("a")}, false},
		{"VerifyImages", verify, func(ctx context.Context, a rpc.API, r model.Report) (any, error) {
			return a.VerifyImages(ctx, verify, r)
		}, []model.ImageVerdict{fakeVerdict}, true},
		{"ExportImage", export, func(ctx context.Context, a rpc.API, _ model.Report) (any, error) {
			var out strings.Builder
			err := a.ExportImage(ctx, export, &out)
			return out.String(), err
		}, "tar \x00\xff\n", false},
		{"PushImage", ipush, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.PushImage(ctx, ipush, r) }, fakePushed, true},
		{"CommitVM", commit, func(ctx context.Context, a rpc.API, r model.Report) (any, error) { return a.CommitVM(ctx, commit, r) }, fakeImage("w3"), true},
	}
}
