package kernelcat

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"banger/internal/kernelcat/kmod"
	"banger/internal/kernelcat/vmlinux"
	"banger/internal/model"
)

// addKernel writes vmlinux from an ELF file or a bzImage and returns what it
// says about itself.
func (st *stage) addKernel(image []byte) (vmlinux.Info, error) {
	elf, err := vmlinux.Extract(image)
	if err != nil {
		return vmlinux.Info{}, err
	}
	info, err := vmlinux.Inspect(elf)
	if err != nil {
		return vmlinux.Info{}, err
	}
	return info, st.write(model.VmlinuxFile, bytes.NewReader(elf))
}

// assemble checks that the parts in the stage make a kernel that boots here,
// works out what its initial file system must load, and writes the manifest.
// k brings name, distribution, flavour and source.
func (s *Service) assemble(st *stage, k model.Kernel, info vmlinux.Info) (manifest, error) {
	if info.Arch != s.cfg.Arch {
		return manifest{}, model.Errorf(model.CodeUnsupported, "the kernel is for %s: guests here are %s", info.Arch, s.cfg.Arch)
	}
	if err := st.addConfig(); err != nil {
		return manifest{}, err
	}
	m := manifest{Format: manifestFormat, PVH: info.PVH}
	plan, err := planModules(st.path(model.ModulesDir), info.Release)
	if err != nil {
		return manifest{}, err
	}
	m.Boot = plan
	digest, err := fileDigest(st.path(model.VmlinuxFile))
	if err != nil {
		return manifest{}, err
	}
	k.Dir = s.dir(k.Name)
	k.Version, k.Arch, k.Digest = info.Release, info.Arch, digest
	k.Modules = exists(st.path(model.ModulesDir))
	k.Initrd = exists(st.path(model.InitrdFile))
	if k.Has, k.ModuleCount, err = st.has(); err != nil {
		return manifest{}, err
	}
	if err := st.checkBuiltin(); err != nil {
		return manifest{}, err
	}
	if exists(st.path(ConfigFile)) {
		k.Config = filepath.Join(k.Dir, ConfigFile)
	}
	k.SizeBytes, k.CreatedAt = st.bytes, time.Now().UTC().Truncate(time.Millisecond)
	m.Kernel = k
	if k.Initrd {
		if m.InitrdDigest, err = fileDigest(st.path(model.InitrdFile)); err != nil {
			return manifest{}, err
		}
	}
	return m, st.writeManifest(m)
}

// bootModules are what a guest needs to find its disk, the agent's port and
// the network card, by name; they are loaded in this order, each after what it
// needs. crc32c is what ext4 asks the kernel for by an alias. Without those
// that are required there is no boot; a transport is needed of either kind.
var bootModules = []struct {
	name     string
	required bool
}{
	{"virtio_mmio", false},
	{"virtio_pci", false},
	{"virtio_blk", true},
	{"virtio_console", true},
	{"virtio_net", false},
	{"crc32c_generic", false},
	{"ext4", true},
}

// planModules plans the loading of bootModules from a modules directory, which
// may be absent: then everything is built in. Modules of another kernel than
// release are CodeInvalid, a missing driver is CodeUnsupported.
func planModules(dir, release string) ([]kmod.Module, error) {
	tree, err := kmod.OpenTree(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	wanted := make([]string, 0, len(bootModules))
	for _, m := range bootModules {
		wanted = append(wanted, m.name)
	}
	plan, err := tree.Plan(wanted)
	if err != nil {
		return nil, err
	}
	if err := checkRelease(tree, plan.Load, release); err != nil {
		return nil, err
	}
	return plan.Load, checkDrivers(plan.Missing)
}

// checkRelease checks that the modules were built for the kernel; when none
// is to be loaded, any one of the tree tells.
func checkRelease(tree *kmod.Tree, load []kmod.Module, release string) error {
	if len(load) == 0 {
		m, ok, err := tree.Sample()
		if err != nil || !ok {
			return err
		}
		load = []kmod.Module{m}
	}
	for _, m := range load {
		if m.Release != release {
			return model.Errorf(model.CodeInvalid, "the modules are of kernel %s, the kernel is %s: module %s does not fit", m.Release, release, m.Path).
				WithHint("give the modules directory lib/modules/%s", release)
		}
	}
	return nil
}

// checkDrivers refuses a kernel without a driver that every guest needs.
func checkDrivers(missing []string) error {
	absent := map[string]bool{}
	for _, name := range missing {
		absent[name] = true
	}
	for _, m := range bootModules {
		if m.required && absent[m.name] {
			return model.Errorf(model.CodeUnsupported, "the kernel has no %s, neither built in nor as a module", m.name)
		}
	}
	if absent["virtio_mmio"] && absent["virtio_pci"] {
		return model.Errorf(model.CodeUnsupported, "the kernel has neither virtio_mmio nor virtio_pci, so a guest finds no disk")
	}
	return nil
}

// fileDigest returns the hex sha256 of a file.
func fileDigest(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("hashing: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("hashing %s: %w", name, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}
