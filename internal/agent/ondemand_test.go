package agent_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"banger/internal/agent"
)

// TestModulesFor asks for modules as kernels do: by name, by a pattern's
// alias, and with what they need first.
func TestModulesFor(t *testing.T) {
	t.Parallel()
	tree := fstest.MapFS{
		"modules.dep": {Data: []byte("kernel/nf_tables.ko: kernel/nfnetlink.ko kernel/libcrc32c.ko\nkernel/nfnetlink.ko:\n" +
			"kernel/overlay.ko:\nkernel/snd-one.ko:\nkernel/libcrc32c.ko:\nno colon\n")},
		"modules.alias": {Data: []byte("# comment\nalias fs-overlay overlay\nalias nfnetlink-subsys-10 nf_tables\n" +
			"alias pci:v00001AF4d00001[0-9]*sv*bc*i* snd_one\nalias [ broken\nalias one\n")},
	}
	for name, want := range map[string]string{
		"overlay":                      "kernel/overlay.ko",
		"fs-overlay":                   "kernel/overlay.ko",
		"fs_overlay":                   "kernel/overlay.ko",
		"snd-one":                      "kernel/snd-one.ko",
		"nfnetlink-subsys-10":          "kernel/libcrc32c.ko kernel/nfnetlink.ko kernel/nf_tables.ko",
		"pci:v00001AF4d000010sv1bc2i3": "kernel/snd-one.ko",
	} {
		got, err := agent.ModulesFor(tree, name)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "absent", "../../etc/passwd", "pci:v00001AF4d00001Xsv1bc2i3"} {
		if got, err := agent.ModulesFor(tree, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: got %q, %v", name, got, err)
		}
	}
	if _, err := agent.ModulesFor(fstest.MapFS{}, "overlay"); err == nil {
		t.Error("without an index")
	}
	for args, want := range map[string]string{"modprobe -q -- fs-overlay": "fs-overlay", "banger-agent probe": "", "a -q -- b c": ""} {
		if name, ok := agent.ModuleRequest(strings.Fields(args)); name != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", args, name, ok)
		}
	}
}
