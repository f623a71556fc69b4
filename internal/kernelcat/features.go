package kernelcat

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"banger/internal/kernelcat/kmod"
	"banger/internal/kernelcat/vmlinux"
	"banger/internal/model"
)

// feature is something that a kernel has when its configuration says so or a
// module is there.
type feature struct {
	name   string
	option string // of the kernel's Kconfig
	module string
}

// knownFeatures are those that a kernel is looked through for; "modules",
// "initrd" and "virtio-builtin" are found otherwise.
var knownFeatures = []feature{
	{"virtio", "CONFIG_VIRTIO_BLK", "virtio_blk"},
	{model.HasVirtioMMIO, "CONFIG_VIRTIO_MMIO", "virtio_mmio"},
	{model.HasVirtioPCI, "CONFIG_VIRTIO_PCI", "virtio_pci"},
	{"vsock", "CONFIG_VIRTIO_VSOCKETS", "vmw_vsock_virtio_transport"},
	{"tun", "CONFIG_TUN", "tun"},
	{"wireguard", "CONFIG_WIREGUARD", "wireguard"},
	{"policy-routing", "CONFIG_IP_MULTIPLE_TABLES", ""},
	{"nftables", "CONFIG_NF_TABLES", "nf_tables"},
	{"overlay", "CONFIG_OVERLAY_FS", "overlay"},
	{"9p", "CONFIG_9P_FS", "9p"},
	{"virtiofs", "CONFIG_VIRTIO_FS", "virtiofs"},
}

// builtinOptions make a kernel boot without a module.
var builtinOptions = []string{"CONFIG_VIRTIO_BLK", "CONFIG_VIRTIO_CONSOLE", "CONFIG_EXT4_FS"}

// options are a kernel's build configuration: the value of each that is set.
type options map[string]string

// maxConfigBytes bounds a build configuration; distributions' have 300 kB.
const maxConfigBytes = 4 << 20

// parseConfig reads lines of CONFIG_NAME=value; others are comments.
func parseConfig(r io.Reader) options {
	set := options{}
	lines := bufio.NewScanner(io.LimitReader(r, maxConfigBytes))
	for lines.Scan() { // a line that is too long ends it: no real one is
		if key, value, ok := strings.Cut(lines.Text(), "="); ok && strings.HasPrefix(key, "CONFIG_") {
			set[key] = value
		}
	}
	return set
}

// builtIn tells whether a guest finds disk and agent without a module.
func (o options) builtIn() bool {
	for _, key := range builtinOptions {
		if o[key] != "y" {
			return false
		}
	}
	return o["CONFIG_VIRTIO_MMIO"] == "y" || o["CONFIG_VIRTIO_PCI"] == "y"
}

// addConfig keeps the configuration that is inside of the kernel, unless the
// source brought it as a file.
func (st *stage) addConfig() error {
	if exists(st.path(ConfigFile)) {
		return nil
	}
	image, err := os.ReadFile(st.path(model.VmlinuxFile))
	if err != nil {
		return err
	}
	config := vmlinux.Config(image)
	if config == nil {
		return nil
	}
	return st.write(ConfigFile, bytes.NewReader(config))
}

// config returns the configuration in the stage, nil when there is none.
func (st *stage) config() (options, error) { return readConfig(st.path(ConfigFile)) }

// readConfig reads a file of a build configuration; nil when it is not there.
func readConfig(path string) (options, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseConfig(f), nil
}

// checkBuiltin refuses a kernel without modules that is known to need some.
func (st *stage) checkBuiltin() error {
	set, err := st.config()
	if err != nil || set == nil || set.builtIn() || exists(st.path(model.ModulesDir)) {
		return err
	}
	return model.Errorf(model.CodeUnsupported, "the kernel finds no disk without its modules: %s and one of CONFIG_VIRTIO_MMIO and CONFIG_VIRTIO_PCI are not all built in",
		strings.Join(builtinOptions, ", ")).WithHint("give its modules too: --modules-dir lib/modules/<release>")
}

// has finds out what the kernel in the stage brings, from its configuration
// and from the modules that are there, and how many of those there are.
func (st *stage) has() (found []string, modules int, err error) {
	set, err := st.config()
	if err != nil {
		return nil, 0, err
	}
	var tree *kmod.Tree
	if exists(st.path(model.ModulesDir)) {
		if tree, err = kmod.OpenTree(st.path(model.ModulesDir)); err != nil {
			return nil, 0, err
		}
		defer tree.Close()
		modules = tree.Len()
		found = append(found, "modules")
	}
	if exists(st.path(model.InitrdFile)) {
		found = append(found, "initrd")
	}
	for _, f := range knownFeatures {
		if set[f.option] == "y" || tree != nil && tree.Has(f.module) {
			found = append(found, f.name)
		}
	}
	if set.builtIn() {
		found = append(found, "virtio-builtin")
	}
	return found, modules, nil
}
