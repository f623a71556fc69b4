package image_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"banger/internal/agent"
	"banger/internal/buildvm"
	"banger/internal/image"
	"banger/internal/imagepull"
	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/vmm/vmmtest"
)

// kernel is the one that builds boot: the fake driver wants files, no more.
type kernel struct{ dir string }

func (k kernel) EnsureKernel(context.Context, string, model.Report) (model.Kernel, error) {
	return model.Kernel{Name: "k", Dir: k.dir}, nil
}
func (k kernel) Initramfs(context.Context, model.Kernel) (string, error) {
	return filepath.Join(k.dir, model.VmlinuxFile), nil
}
func (k kernel) InitramfsFor(context.Context, model.BootFiles) (string, error) {
	return filepath.Join(k.dir, model.VmlinuxFile), nil
}

// buildRig builds in VMs of a fake driver, whose guests are agents that run
// processes on this host: what they change is not on the image's disk.
type buildRig struct {
	*rig
	fake *vmmtest.Fake
	runs string
	base model.Image
}

func newBuildRig(t *testing.T, members ...member) *buildRig {
	t.Helper()
	b := &buildRig{runs: filepath.Join(t.TempDir(), "r")}
	b.fake = vmmtest.NewFake(func(g *vmmtest.Guest, conn net.Conn) {
		server := agent.NewServer(agent.Options{Version: "test", Shutdown: g.Poweroff})
		defer server.Close()
		_ = server.ServeConn(t.Context(), conn)
	})
	k := kernel{t.TempDir()}
	if err := os.WriteFile(filepath.Join(k.dir, model.VmlinuxFile), []byte("kernel"), 0o600); err != nil {
		t.Fatal(err)
	}
	cache, err := imagepull.OpenCache(t.TempDir() + "/oci")
	if err != nil {
		t.Fatal(err)
	}
	b.rig = newRig(t, func(c *image.Config) {
		c.Steps = t.TempDir()
		c.Puller, c.Cache = imagepull.New(imagepull.Config{Cache: cache}), cache
		c.Machines = buildvm.New(buildvm.Config{Driver: b.fake, Kernels: k, RunDir: b.runs, BootTimeout: 10 * time.Second})
	})
	b.base = b.pullTree(t, "base", append(members, file("etc/motd", "hello")))
	return b
}

// setUsedWait replaces the service by one that waits so long.
func (b *buildRig) setUsedWait(wait time.Duration) {
	b.cfg.UsedWait = wait
	b.Service = image.New(b.cfg)
}

// wantNothing checks that nothing is left of a build that failed.
func (b *buildRig) wantNothing(t *testing.T, what string) {
	t.Helper()
	runs, _ := filepath.Glob(b.runs + "/*")
	if n := b.fake.Running(); n != 0 || len(runs) != 0 {
		t.Errorf("%s: %d VMs run, %q is left of them", what, n, runs)
	}
	if d := cmp.Diff([]string{"ID", "ID/image.json", "ID/rootfs.ext4"}, b.onDisk(t)); d != "" {
		t.Errorf("%s: %s", what, d)
	}
}

const dpkgStatus = `Package: zlib1g
Status: install ok installed
Architecture: amd64
Version: 1:1.2.13

Package: gone
Status: deinstall ok config-files
Version: 1

Package: curl
Status: install ok installed
Architecture: amd64
Version: 7.88.1-10
`

func TestBuildImage(t *testing.T) {
	t.Parallel()
	b := newBuildRig(t, file("var/lib/dpkg/status", dpkgStatus))
	var mu sync.Mutex
	var stages, notes []string
	script := "#!/bin/sh\necho \"$WHAT\"\nprintf 'no end\\033[2J'\n"
	img, err := b.BuildImage(t.Context(), rpc.ImageBuildParams{
		Name: "built", Base: "base", Script: script, ScriptName: "setup.sh", Env: []string{"WHAT=a step"},
		Hooks:   []rpc.ImageBuildHook{{When: "after-script", Name: "last", Script: "echo last"}, {When: "before-packages", Name: "first", Script: "echo first"}},
		Network: model.NetNone, SizeBytes: 2<<30 - 1,
	}, func(p model.Progress) {
		mu.Lock()
		defer mu.Unlock()
		if p.Stage != "" && !p.Done {
			stages = append(stages, p.Stage)
		}
		if p.Note != "" {
			notes = append(notes, p.Note)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"base", "stage", "clone", "boot", "before-packages hook first", "script setup.sh", "after-script hook last", "off",
		"packages", "layer", "boot set", "publish", "record",
	}
	if d := cmp.Diff(want, stages); d != "" {
		t.Errorf("stages: %s", d)
	}
	const log = "==> before-packages hook first\nfirst\n==> script setup.sh\na step\nno end\\x1b[2J\n==> after-script hook last\nlast\n"
	var kept bytes.Buffer
	if err := b.ImageLog(t.Context(), rpc.NameParams{Name: "built"}, &kept); err != nil || kept.String() != log {
		t.Errorf("log %q, %v", kept.String(), err)
	}
	if d := cmp.Diff(strings.Split(strings.TrimSpace(log), "\n"), notes[:7]); d != "" {
		t.Errorf("notes: %s", d)
	}
	wantRecord(t, b, img)
	if b.onDisk(t); img.SizeBytes != 2<<30 || img.Source.Kind != image.KindBuild || len(img.Source.Layers) != 2 { // the base and what the build has changed
		t.Errorf("image %+v", img)
	}
	if b.fake.Running() != 0 {
		t.Error("the VM runs on")
	}
}

// wantRecord checks what is kept of a build, and the packages of its image.
func wantRecord(t *testing.T, b *buildRig, img model.Image) {
	t.Helper()
	got := *img.Source.Build
	if !strings.HasPrefix(got.ScriptDigest, "sha256:") || got.Kernel == "" {
		t.Errorf("record %+v", got)
	}
	got.ScriptDigest, got.Kernel = "", ""
	want := model.BuildRecord{
		Base: "base", BaseID: b.base.ID, BaseRef: b.base.Source.Reference, BaseManifest: b.base.Source.ManifestDigest, BaseRootfs: b.base.Digest,
		Script: "setup.sh", Hooks: []string{"after-script=last", "before-packages=first"}, Network: model.NetNone, Log: "build.log", Installed: 2,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("record: %s", d)
	}
	installed := []model.Package{
		{Name: "curl", Version: "7.88.1-10", Arch: "amd64", Manager: "dpkg"},
		{Name: "zlib1g", Version: "1:1.2.13", Arch: "amd64", Manager: "dpkg"},
	}
	packages, err := b.ImagePackages(t.Context(), rpc.NameParams{Name: img.Name})
	if d := cmp.Diff(installed, packages); d != "" || err != nil {
		t.Errorf("packages: %s, %v", d, err)
	}
	text, err := os.ReadFile(filepath.Join(img.Dir, model.PackagesFile))
	var written []model.Package
	if err != nil || json.Unmarshal(text, &written) != nil || cmp.Diff(installed, written) != "" {
		t.Errorf("packages.json: %s, %v", text, err)
	}
}

func TestBuildsThatFailLeaveNothing(t *testing.T) {
	t.Parallel()
	b := newBuildRig(t)
	for name, c := range map[string]struct {
		change func(*rpc.ImageBuildParams)
		code   model.Code
		says   string
	}{
		"a command fails": {func(p *rpc.ImageBuildParams) {
			p.Script, p.ScriptName = "echo 1\necho 2\necho 3\necho 4\necho 5\necho 6\ntest a = b  \necho 8\n", "s.sh"
		}, model.CodeFailed, "script s.sh failed at line 7 (test a = b) with status 1; the end of its log:\n1\n2\n3\n4\n5\n6"},
		"a script exits": {func(p *rpc.ImageBuildParams) { p.Script = "if true\nthen\n  exit 3\nfi\n" }, model.CodeFailed,
			"failed at line 3 (exit 3) with status 3"},
		"a hook fails": {func(p *rpc.ImageBuildParams) {
			p.Hooks = []rpc.ImageBuildHook{{When: "after-tools", Name: "h", Script: "false"}}
		}, model.CodeFailed, "after-tools hook h failed at line 1 (false) with status 1"},
		"no shell's text": {func(p *rpc.ImageBuildParams) { p.Script = "if\n" }, model.CodeFailed, "script - failed with status"},
		"a moment":        {func(p *rpc.ImageBuildParams) { p.Hooks = []rpc.ImageBuildHook{{When: "later"}} }, model.CodeInvalid, "no such moment"},
		"a name":          {func(p *rpc.ImageBuildParams) { p.Name = "../x" }, model.CodeInvalid, "image name"},
		"a name is taken": {func(p *rpc.ImageBuildParams) { p.Name = "base" }, model.CodeConflict, "exists already"},
		"no base":         {func(p *rpc.ImageBuildParams) { p.Base = "" }, model.CodeInvalid, "no image to build from"},
		"not so small":    {func(p *rpc.ImageBuildParams) { p.SizeBytes = 1 << 20 }, model.CodeInvalid, "smaller than the base"},
		"an option":       {func(p *rpc.ImageBuildParams) { p.Packages = []string{"-o"} }, model.CodeInvalid, `package "-o"`},
		"a tool":          {func(p *rpc.ImageBuildParams) { p.Tools = []string{"nope"} }, model.CodeInvalid, `tool "nope"`},
		"no network": {func(p *rpc.ImageBuildParams) { p.Packages, p.Network = []string{"curl"}, model.NetNone }, model.CodeInvalid,
			"no network"},
		"a network":   {func(p *rpc.ImageBuildParams) { p.Network = "host" }, model.CodeInvalid, `network "host"`},
		"a variable":  {func(p *rpc.ImageBuildParams) { p.Env = []string{"=x"} }, model.CodeInvalid, "KEY=VALUE"},
		"little room": {func(p *rpc.ImageBuildParams) { p.MemoryMiB = 1 }, model.CodeInvalid, "at least"},
	} {
		p := rpc.ImageBuildParams{Name: "built", Base: "base", Script: "true\n"}
		c.change(&p)
		_, err := b.BuildImage(t.Context(), p, model.Discard)
		if model.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v of code %q, want %q", name, err, model.CodeOf(err), c.says)
		}
		b.wantNothing(t, name)
	}
}

// TestBuildInAGuestThatDies: nothing is left of VMs that end by themselves.
func TestBuildInAGuestThatDies(t *testing.T) {
	t.Parallel()
	b := newBuildRig(t)
	for _, at := range []vmmtest.DiePoint{vmmtest.DieAtStart, vmmtest.DieAtDial} {
		b.fake.SetFaults(vmmtest.Faults{Die: at})
		_, err := b.BuildImage(t.Context(), rpc.ImageBuildParams{Name: "built", Base: "base", Script: "true\n"}, model.Discard)
		if model.CodeOf(err) != model.CodeBoot || !strings.Contains(err.Error(), "booting the build's VM") {
			t.Errorf("%s: %v", at, err)
		}
		b.wantNothing(t, string(at))
	}
}

// TestCanceledBuild: a caller who goes away ends the step that runs.
func TestCanceledBuild(t *testing.T) {
	t.Parallel()
	b := newBuildRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := b.BuildImage(ctx, rpc.ImageBuildParams{Name: "built", Base: "base", Script: "echo now\nsleep 1000\n"}, func(p model.Progress) {
		if p.Note == "now" {
			cancel()
		}
	})
	if model.CodeOf(err) != model.CodeCanceled {
		t.Errorf("got %v", err)
	}
	b.wantNothing(t, "canceled")
}
