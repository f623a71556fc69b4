package qemu

import (
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"

	"banger/internal/model"
	"banger/internal/vmm"
)

var idRE = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// maxDisks leaves of the machine's 24 virtio-mmio transports some to the
// serial port, the card, the entropy source and what may come.
const maxDisks = 16

// validate checks what Args relies on.
func validate(spec vmm.Spec, host Host) error {
	switch {
	case !idRE.MatchString(spec.ID) || !idRE.MatchString(spec.Generation):
		return fmt.Errorf("VM id %q or generation %q is not of letters, digits and hyphens", spec.ID, spec.Generation)
	case spec.CPUs < 1 || spec.MemoryMiB < 1:
		return fmt.Errorf("%d CPUs and %d MiB of memory", spec.CPUs, spec.MemoryMiB)
	case spec.Machine != "" && spec.Machine != model.MachineMicroVM && spec.Machine != model.MachineQ35:
		return model.Errorf(model.CodeUnsupported, "the qemu driver has no machine %q", spec.Machine)
	case len(spec.Disks) > maxDisks:
		return model.Errorf(model.CodeLimit, "%d disks: at most %d are possible", len(spec.Disks), maxDisks)
	}
	if err := validateCmdline(spec.Cmdline, host); err != nil {
		return err
	}
	if err := validatePaths(spec); err != nil {
		return err
	}
	return validateNetwork(spec, host)
}

func validateCmdline(line string, host Host) error {
	if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("control characters in the kernel command line %q", line)
	}
	if n := len(cmdline(line, host)); n > maxCmdline {
		return fmt.Errorf("the kernel command line has %d bytes: at most %d are possible", n, maxCmdline)
	}
	return nil
}

func validatePaths(spec vmm.Spec) error {
	paths := []string{spec.RunDir, spec.Kernel, spec.Console}
	if spec.Initrd != "" {
		paths = append(paths, spec.Initrd)
	}
	for _, d := range spec.Disks {
		paths = append(paths, d.Path)
		switch {
		case d.Format == vmm.Qcow2:
			paths = append(paths, d.Backing)
		case d.Format != vmm.Raw || d.Backing != "":
			return fmt.Errorf("disk %s has format %q and backing file %q", d.Path, d.Format, d.Backing)
		}
	}
	for _, p := range paths {
		if !filepath.IsAbs(p) || strings.ContainsRune(p, 0) {
			return fmt.Errorf("path %q is not absolute", p)
		}
	}
	longest := filepath.Join(spec.RunDir, agentFile)
	if limit := len(unix.RawSockaddrUnix{}.Path) - 1; len(longest) > limit {
		return model.Errorf(model.CodeUnsupported, "the socket path %s has %d bytes: at most %d are possible", longest, len(longest), limit).
			WithHint("set XDG_RUNTIME_DIR or BANGER_HOME to a shorter directory")
	}
	return nil
}

func validateNetwork(spec vmm.Spec, host Host) error {
	switch spec.Network {
	case model.NetNone:
		return nil
	case model.NetUser:
		if !host.UserNet {
			return model.Errorf(model.CodeUnsupported, "%s has no user-mode networking", host.Binary).
				WithHint("use --net none, or a QEMU that is built with libslirp")
		}
		if _, err := net.ParseMAC(spec.MAC); err != nil {
			return fmt.Errorf("card of the VM: %w", err)
		}
		return nil
	}
	return model.Errorf(model.CodeUnsupported, "the qemu driver has no network mode %q", spec.Network)
}
