package kbuild_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"banger/internal/kernelcat/kbuild"
	"banger/internal/model"
)

// fakeMakefile stands in for a kernel's: allnoconfig takes the wanted options
// but those that it does not know, vmlinux takes three steps.
const fakeMakefile = `
allnoconfig:
	@grep -v -e UNKNOWN $(KCONFIG_ALLCONFIG) > $(O)/.config
	@echo configured >> $(O)/log
$(O)/one.o:
	@echo "  CC      one.o"; echo one >> $(O)/log; touch $@
$(O)/two.o: $(O)/one.o
	@if test -e $(O)/../broken; then echo "two.c:1: error: no such thing" >&2; exit 1; fi
	@if test -e $(O)/../slow; then touch $(O)/waiting; sleep 600; fi
	@echo two >> $(O)/log; touch $@
vmlinux: $(O)/two.o
	@cp $(O)/.config $(O)/vmlinux
`

// needTools skips on a host that cannot build kernels.
func needTools(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"make", "gcc", "ld", "flex", "bison", "bc", "tar", "nice"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s on this host", tool)
		}
	}
}

// newTree makes a source tree and returns its archive.
func newTree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "linux-6.1")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	archive := dir + ".tar.xz"
	if out, err := exec.CommandContext(t.Context(), "tar", "-cJf", archive, "-C", filepath.Dir(dir), filepath.Base(dir)).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return archive
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func request(t *testing.T) kbuild.Request {
	t.Helper()
	options, err := kbuild.Config("tiny")
	if err != nil {
		t.Fatal(err)
	}
	return kbuild.Request{
		Dir: t.TempDir(), Options: options, Jobs: 1,
		Source: newTree(t, map[string]string{"Makefile": fakeMakefile, "Kconfig": "\n"}),
	}
}

func build(ctx context.Context, r kbuild.Request) (kbuild.Result, error) {
	return kbuild.Build(ctx, r, func(string) {}, func(string) {})
}

func TestBuildGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	needTools(t)
	r := request(t)
	broken := filepath.Join(r.Dir, "broken")
	write(t, broken, "")
	_, err := build(t.Context(), r)
	if model.CodeOf(err) != model.CodeInvalid || !strings.Contains(err.Error(), "two.c:1: error") {
		t.Fatalf("a source that does not compile: %v", err)
	}
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	got, err := build(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if log := read(t, filepath.Join(r.Dir, "out/log")); log != "configured\none\ntwo\n" {
		t.Errorf("what was done: %q", log)
	}
	if !strings.Contains(read(t, got.Vmlinux), "CONFIG_VIRTIO_BLK=y") {
		t.Errorf("got %+v", got)
	}
	r.Options = append(r.Options, "CONFIG_TUN=y\n"...)
	if got, err = build(t.Context(), r); err != nil || !strings.Contains(read(t, got.Config), "CONFIG_TUN=y") {
		t.Errorf("other options: %+v, %v", got, err)
	}
}

// TestDroppedOptions: an option that the kernel's rules take away is named,
// and can be done without.
func TestDroppedOptions(t *testing.T) {
	t.Parallel()
	needTools(t)
	r := request(t)
	r.Options = append(r.Options, "CONFIG_UNKNOWN_HERE=y\nCONFIG_TUN=y\n"...)
	_, err := build(t.Context(), r)
	if model.CodeOf(err) != model.CodeInvalid || !strings.HasSuffix(err.Error(), ": CONFIG_UNKNOWN_HERE") || !strings.Contains(model.HintOf(err), "CONFIG_UNKNOWN_HERE=n") {
		t.Errorf("got %v (%s)", err, model.HintOf(err))
	}
	r.Options = append(r.Options, "CONFIG_UNKNOWN_HERE=n\n"...)
	if _, err := build(t.Context(), r); err != nil {
		t.Errorf("without it: %v", err)
	}
}

func TestBuildIsCanceled(t *testing.T) {
	t.Parallel()
	needTools(t)
	r := request(t)
	write(t, filepath.Join(r.Dir, "slow"), "")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat(filepath.Join(r.Dir, "out/waiting")); err == nil {
				return
			}
		}
	}()
	if _, err := build(ctx, r); model.CodeOf(err) != model.CodeCanceled {
		t.Errorf("got %v", err)
	}
}

func TestBuildRefuses(t *testing.T) {
	t.Parallel()
	needTools(t)
	good := request(t)
	for name, change := range map[string]func(*kbuild.Request){
		"no source":         func(r *kbuild.Request) { r.Source = "/nonexistent" },
		"no archive":        func(r *kbuild.Request) { write(t, r.Source, "text") },
		"no kernel":         func(r *kbuild.Request) { r.Source = newTree(t, map[string]string{"README": "x"}) },
		"a tree of another": func(r *kbuild.Request) { r.Source = t.TempDir() },
		"no disk driver":    func(r *kbuild.Request) { r.Options = append(slices.Clone(r.Options), "CONFIG_VIRTIO_BLK=n\n"...) },
	} {
		r := good
		r.Dir, r.Source = t.TempDir(), newTree(t, map[string]string{"Makefile": fakeMakefile, "Kconfig": "\n"})
		change(&r)
		if _, err := build(t.Context(), r); model.CodeOf(err) != model.CodeInvalid {
			t.Errorf("%s: got %v of code %q", name, err, model.CodeOf(err))
		}
		if _, err := os.Stat(filepath.Join(r.Dir, "out/vmlinux")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: there is a kernel: %v", name, err)
		}
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	has := map[string][]string{
		"tiny":   {"CONFIG_VIRTIO_BLK=y", "CONFIG_OVERLAY_FS=y", "CONFIG_VIRTIO_VSOCKETS=y", "CONFIG_NET_9P_VIRTIO=y"},
		"net":    {"CONFIG_VIRTIO_BLK=y", "CONFIG_TUN=y", "CONFIG_WIREGUARD=y", "CONFIG_IP_MULTIPLE_TABLES=y", "CONFIG_NF_TABLES=y"},
		"docker": {"CONFIG_VETH=y", "CONFIG_BRIDGE_NETFILTER=y", "CONFIG_IP_NF_NAT=y", "CONFIG_CGROUP_PIDS=y"},
		"debug":  {"CONFIG_KPROBES=y", "CONFIG_FTRACE=y"},
	}
	for _, f := range kbuild.Flavours() {
		text, err := kbuild.Config(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if len(has[f.Name]) == 0 || f.Description == "" {
			t.Errorf("flavour %s: nothing is known of it here", f.Name)
		}
		for _, line := range has[f.Name] {
			if !strings.Contains(string(text), "\n"+line+"\n") {
				t.Errorf("flavour %s lacks %s", f.Name, line)
			}
		}
		seen := map[string]bool{}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "CONFIG_") && seen[line] {
				t.Errorf("flavour %s has %s twice", f.Name, strings.TrimSpace(line))
			}
			seen[line] = true
		}
	}
	if _, err := kbuild.Config("huge"); model.CodeOf(err) != model.CodeNotFound {
		t.Errorf("an unknown flavour: %v", err)
	}
	for _, line := range []string{"CONFIG_A", "CONFIG_A=", "A=y", "CONFIG_A;rm=y", "$(shell id)=y"} {
		if _, err := kbuild.Config("tiny", []byte(line)); model.CodeOf(err) != model.CodeInvalid {
			t.Errorf("%q: %v", line, err)
		}
	}
}
