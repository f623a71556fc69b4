package kmod_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/kernelcat/kerneltest"
	"banger/internal/kernelcat/kmod"
)

// TestIndex: what is needed stands behind a module in the order in which
// depmod writes it, the first to be loaded last; what is no word is left out.
func TestIndex(t *testing.T) {
	t.Parallel()
	var x kmod.Index
	for path, ko := range map[string][]byte{
		"kernel/net/tun.ko.xz": kerneltest.ModuleInfo("vermagic="+release+" SMP", "alias=devname:net/tun", "alias=char-major-10-200", "alias=rtnl-link-tun"),
		"kernel/fs/a-b.ko":     kerneltest.ModuleInfo("vermagic="+release, "depends=c,d", "alias=fs-ab", "alias=two words", "alias=line\nbreak"),
		"kernel/fs/c.ko":       kerneltest.ModuleInfo("vermagic="+release, "depends=d,builtin"),
		"kernel/fs/d.ko":       kerneltest.ModuleInfo("vermagic=" + release),
	} {
		if _, err := x.Add(path, ko); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]string{}
	for name, text := range x.Files() {
		got[name] = string(text)
	}
	want := map[string]string{
		"modules.dep": "kernel/fs/a-b.ko: kernel/fs/c.ko kernel/fs/d.ko\nkernel/fs/c.ko: kernel/fs/d.ko\n" +
			"kernel/fs/d.ko:\nkernel/net/tun.ko:\n",
		"modules.alias":   "alias fs-ab a_b\nalias char-major-10-200 tun\nalias rtnl-link-tun tun\n",
		"modules.devname": "tun net/tun c10:200\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := x.Add("kernel/x.ko", []byte("text")); err == nil {
		t.Error("what is no module was taken")
	}
}
