package vm

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/vmm"
	"banger/internal/wire"
)

// Defaults of a VM's shape.
const (
	DefaultCPUs      = 1
	DefaultMemoryMiB = 512
	// minMemoryMiB is what a distribution's kernel and the agent need to
	// come up at all.
	minMemoryMiB = 128
)

// planSpec decides what a VM will be from what was asked and what its image
// says; the features add theirs. It is pure.
func planSpec(p rpc.VMCreateParams, name string, img model.Image) (model.VMSpec, error) {
	spec := model.VMSpec{
		CPUs:       orDefault(p.CPUs, DefaultCPUs),
		MemoryMiB:  orDefault(p.MemoryMiB, DefaultMemoryMiB),
		DiskBytes:  p.DiskBytes,
		Kernel:     p.Kernel,
		Driver:     p.Driver,
		Machine:    p.Machine,
		Hostname:   p.Hostname,
		Config:     overrideConfig(img.Config, p),
		Labels:     p.Labels,
		AutoRemove: p.AutoRemove,
	}
	if spec.Hostname == "" {
		spec.Hostname = name
	}
	return spec, checkSpec(spec, img)
}

func checkSpec(spec model.VMSpec, img model.Image) error {
	switch {
	case spec.MemoryMiB < minMemoryMiB:
		return model.Errorf(model.CodeInvalid, "memory is %d MiB: a guest needs at least %d", spec.MemoryMiB, minMemoryMiB)
	case spec.DiskBytes != 0 && spec.DiskBytes < img.SizeBytes:
		return model.Errorf(model.CodeInvalid, "disk size %d is smaller than image %s, which has %d bytes", spec.DiskBytes, img.Name, img.SizeBytes)
	}
	if err := model.ValidateVMName(spec.Hostname); err != nil {
		return model.Errorf(model.CodeInvalid, "hostname %q: only a-z, 0-9 and inner '-' are allowed, at most 63 bytes", spec.Hostname)
	}
	for _, kv := range spec.Config.Env {
		if i := strings.IndexByte(kv, '='); i < 1 || strings.IndexByte(kv, 0) >= 0 {
			return model.Errorf(model.CodeInvalid, "environment entry %q: KEY=VALUE is needed", kv)
		}
	}
	return nil
}

// overrideConfig lays the user's wishes over an image's configuration, as
// docker does: a new entrypoint drops the image's command.
func overrideConfig(c model.ImageConfig, p rpc.VMCreateParams) model.ImageConfig {
	c.Env = mergeEnv(validEnv(c.Env), p.Env)
	if p.WorkingDir != "" {
		c.WorkingDir = p.WorkingDir
	}
	if p.User != "" {
		c.User = p.User
	}
	if p.Entrypoint != nil {
		c.Entrypoint, c.Cmd = p.Entrypoint, nil
		if len(p.Entrypoint) == 1 && p.Entrypoint[0] == "" { // docker's way to say "none"
			c.Entrypoint = nil
		}
	}
	return c
}

// validEnv drops entries of an image that are no KEY=VALUE: an image's
// mistake must not keep a VM from being made.
func validEnv(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		return strings.IndexByte(kv, '=') < 1 || strings.IndexByte(kv, 0) >= 0
	})
}

// mergeEnv returns base with over's entries replacing those of the same key.
func mergeEnv(base, over []string) []string {
	out := slices.Clone(base)
	for _, kv := range over {
		key, _, _ := strings.Cut(kv, "=")
		i := slices.IndexFunc(out, func(old string) bool { return strings.HasPrefix(old, key+"=") })
		if i >= 0 {
			out[i] = kv
		} else {
			out = append(out, kv)
		}
	}
	return out
}

// mainArgv is the command of `run`: the entrypoint and the arguments given,
// or else the image's own (OCI image-spec, config.md, Entrypoint and Cmd).
func mainArgv(c model.ImageConfig, args []string) ([]string, error) {
	argv := slices.Clone(c.Entrypoint)
	if len(args) > 0 {
		argv = append(argv, args...)
	} else {
		argv = append(argv, c.Cmd...)
	}
	if len(argv) == 0 {
		return nil, model.Errorf(model.CodeInvalid, "the image names no command to run").
			WithHint("give one: banger run IMAGE -- COMMAND")
	}
	return argv, nil
}

// planMachine turns a VM and what was found for it into what a driver needs.
// It is pure.
func planMachine(vm model.VM, boot bootSet, runDir string) vmm.Spec {
	return vmm.Spec{
		ID:         vm.ID,
		Generation: vm.Runtime.Generation,
		RunDir:     runDir,
		Machine:    cmp.Or(vm.Spec.Machine, boot.machine, model.MachineMicroVM),
		Kernel:     boot.kernel,
		Initrd:     boot.initrd,
		CPUs:       vm.Spec.CPUs,
		MemoryMiB:  vm.Spec.MemoryMiB,
		Disks:      []vmm.Disk{rootDisk(vm, boot.image)},
		Console:    consolePath(vm),
	}
}

func consolePath(vm model.VM) string { return filepath.Join(vm.Dir, model.ConsoleFile) }

// planGuest is what a booted guest is told about itself. Time and entropy are
// added at the last moment.
func planGuest(vm model.VM) wire.Config {
	return wire.Config{
		Hostname: vm.Spec.Hostname,
		Root:     wire.RootFS{Device: diskDevice(0), FSType: "ext4"},
	}
}

func orDefault(v, def int) int {
	if v == 0 {
		return def
	}
	return v
}
