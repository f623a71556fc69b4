package kmod_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/kernelcat/kerneltest"
	"banger/internal/kernelcat/kmod"
	"banger/internal/model"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

const release = "6.1.0-test"

// tree makes a modules directory of name: body and opens it.
func tree(t *testing.T, files map[string][]byte) *kmod.Tree {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return openTree(t, dir)
}

func openTree(t *testing.T, dir string) *kmod.Tree {
	t.Helper()
	tr, err := kmod.OpenTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
	return tr
}

func names(modules []kmod.Module) string {
	var list []string
	for _, m := range modules {
		list = append(list, m.Name)
	}
	return strings.Join(list, " ")
}

func TestPlanOrdersByNeed(t *testing.T) {
	t.Parallel()
	mod := func(name string, depends ...string) []byte { return kerneltest.Module(name, release, depends...) }
	tr := tree(t, map[string][]byte{
		"kernel/virtio_ring.ko":      mod("virtio_ring"),
		"kernel/virtio.ko":           mod("virtio", "virtio_ring"),
		"kernel/block/virtio-blk.ko": mod("virtio_blk", "virtio", "virtio-ring"),
		"kernel/net/virtio_net.ko":   mod("virtio_net", "net_failover", "virtio"),
		"kernel/net/net_failover.ko": mod("net_failover", "failover"),
		"kernel/net/failover.ko":     mod("failover"),
		"kernel/fs/ext4.ko":          mod("ext4", "jbd2"),
		"kernel/circle/a.ko":         mod("a", "b"),
		"kernel/circle/b.ko":         mod("b", "a"),
		"modules.builtin":            []byte("kernel/fs/jbd2/jbd2.ko\nkernel/drivers/virtio/virtio_pci.ko\n"),
	})
	for wanted, want := range map[string]struct{ load, missing string }{
		"virtio_blk virtio_net":            {"virtio_ring virtio virtio_blk failover net_failover virtio_net", ""},
		"virtio_net virtio-blk virtio_blk": {"failover net_failover virtio_ring virtio virtio_net virtio_blk", ""},
		"ext4 jbd2":                        {"ext4", ""},
		"virtio_pci":                       {"", ""},
		"virtio_mmio ext4 9p":              {"ext4", "virtio_mmio 9p"},
		"a":                                {"b a", ""},
	} {
		plan, err := tr.Plan(strings.Fields(wanted))
		if err != nil {
			t.Errorf("%s: %v", wanted, err)
		}
		if got := names(plan.Load); got != want.load {
			t.Errorf("%s: load %s, want %s", wanted, got, want.load)
		}
		if got := strings.Join(plan.Missing, " "); got != want.missing {
			t.Errorf("%s: missing %s, want %s", wanted, got, want.missing)
		}
	}
}

func TestPlanReadsEveryCompression(t *testing.T) {
	t.Parallel()
	plain := kerneltest.Module("m", release)
	var gz, xzb, zst bytes.Buffer
	xzw, err := xz.NewWriter(&xzb)
	if err != nil {
		t.Fatal(err)
	}
	zw, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []interface {
		Write([]byte) (int, error)
		Close() error
	}{gzip.NewWriter(&gz), xzw, zw} {
		if _, err := w.Write(plain); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	tr := tree(t, map[string][]byte{"a.ko": plain, "b.ko.gz": gz.Bytes(), "c.ko.xz": xzb.Bytes(), "d.ko.zst": zst.Bytes()})
	plan, err := tr.Plan([]string{"a", "b", "c", "d"})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range plan.Load {
		want := kmod.Module{Name: m.Name, Path: m.Path, Digest: kmod.Digest(plain), Release: release}
		if diff := cmp.Diff(want, m); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if got, err := tr.Read(m.Path); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: reading gives other bytes, error %v", m.Path, err)
		}
	}
	if len(plan.Load) != 4 {
		t.Errorf("%d of 4 modules planned", len(plan.Load))
	}
}

func TestPlanRefuses(t *testing.T) {
	t.Parallel()
	chain := map[string][]byte{"modules.builtin": nil}
	for i := range 400 {
		chain[fmt.Sprintf("m%d.ko", i)] = kerneltest.Module("m", release, fmt.Sprintf("m%d", i+1))
	}
	one := func(body []byte) map[string][]byte { return map[string][]byte{"m0.ko": body, "modules.builtin": nil} }
	for name, c := range map[string]struct {
		files map[string][]byte
		code  model.Code
	}{
		"needs one that is not there": {one(kerneltest.Module("m0", release, "absent")), model.CodeInvalid},
		"needs a path":                {one(kerneltest.Module("m0", release, "../../etc")), model.CodeInvalid},
		"no release":                  {one(kerneltest.ModuleInfo("name=m0")), model.CodeInvalid},
		"release with a line break":   {one(kerneltest.ModuleInfo("vermagic=6.1\nx y")), model.CodeInvalid},
		"no module":                   {one([]byte("text")), model.CodeInvalid},
		"no .modinfo":                 {one(kerneltest.ELF(kerneltest.Kernel{Release: release})), model.CodeInvalid},
		"damaged compression":         {one([]byte("\x28\xb5\x2f\xfdxxxxxxxxxxxxxx")), model.CodeIntegrity},
		"needs 400 others":            {chain, model.CodeLimit},
	} {
		plan, err := tree(t, c.files).Plan([]string{"m0"})
		if model.CodeOf(err) != c.code {
			t.Errorf("%s: got %s, error %v of code %q", name, names(plan.Load), err, model.CodeOf(err))
		}
	}
}

// TestLinksLeadNowhere: neither a linked module nor a linked directory is
// taken for part of the tree.
func TestLinksLeadNowhere(t *testing.T) {
	t.Parallel()
	outside, dir := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "m.ko"), kerneltest.Module("m", release), 0o644); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"m.ko": filepath.Join(outside, "m.ko"), "build": outside} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	tr := openTree(t, dir)
	if tr.Len() != 0 {
		t.Errorf("%d modules found behind links", tr.Len())
	}
	if _, err := tr.Read("build/m.ko"); err == nil {
		t.Error("a path outside of the tree was read")
	}
}

func TestSample(t *testing.T) {
	t.Parallel()
	tr := tree(t, map[string][]byte{"b.ko": kerneltest.Module("b", "2"), "a.ko": kerneltest.Module("a", "1")})
	m, ok, err := tr.Sample()
	if err != nil || !ok || m.Name != "a" || m.Release != "1" {
		t.Errorf("got %+v, %v, %v", m, ok, err)
	}
	if _, ok, err := tree(t, nil).Sample(); ok || err != nil {
		t.Errorf("an empty tree has a sample: %v, %v", ok, err)
	}
}

func FuzzParseInfo(f *testing.F) {
	f.Add(kerneltest.Module("virtio_net", release, "virtio", "net_failover"))
	f.Add(kerneltest.ModuleInfo("depends=,,", "vermagic="))
	f.Fuzz(func(t *testing.T, ko []byte) {
		info, err := kmod.ParseInfo(ko)
		if model.CodeOf(err) == model.CodeInternal {
			t.Errorf("error without a code: %v", err)
		}
		for _, name := range info.Depends {
			if strings.ContainsAny(name, "/.\x00\n") {
				t.Errorf("a module needs %q", name)
			}
		}
	})
}
