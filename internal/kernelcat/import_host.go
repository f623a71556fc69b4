package kernelcat

import (
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"banger/internal/model"
	"banger/internal/rpc"
)

// maxPackages is how many packages one kernel may be imported from.
const maxPackages = 16

// importInputs checks that p says one thing, and replaces Host by the paths
// that it stands for.
func (s *Service) importInputs(p rpc.KernelImportParams) (rpc.KernelImportParams, error) {
	files := p.KernelPath != "" || p.InitrdPath != "" || p.ModulesDir != "" || p.ConfigPath != ""
	switch {
	case p.Host && (files || len(p.Packages) > 0), files && len(p.Packages) > 0:
		return p, model.Errorf(model.CodeInvalid, "kernel %s: give paths, packages or the host's kernel, one of them", p.Name)
	case len(p.Packages) > maxPackages:
		return p, model.Errorf(model.CodeLimit, "kernel %s: %d packages are given, at most %d are allowed", p.Name, len(p.Packages), maxPackages)
	case p.Host:
		release, err := runningRelease()
		if err != nil {
			return p, err
		}
		return hostInputs(p.Name, release, s.hostRoot())
	case !files && len(p.Packages) == 0:
		return p, model.Errorf(model.CodeInvalid, "kernel %s: no file is given to make it of", p.Name)
	}
	return p, nil
}

// hostRoot is what the paths of the host's kernel begin with.
func (s *Service) hostRoot() string {
	if s.cfg.HostRoot == "" {
		return "/"
	}
	return s.cfg.HostRoot
}

// hostInputs finds the files of the kernel of that release below root, where
// distributions put them.
func hostInputs(name, release, root string) (rpc.KernelImportParams, error) {
	modules := filepath.Join(root, "lib/modules", release)
	p := rpc.KernelImportParams{
		Name:       name,
		KernelPath: firstThere(filepath.Join(root, "boot/vmlinuz-"+release), filepath.Join(modules, "vmlinuz"), filepath.Join(root, "boot/vmlinux-"+release)),
		ModulesDir: firstThere(modules),
		ConfigPath: firstThere(filepath.Join(root, "boot/config-"+release), filepath.Join(modules, "config")),
	}
	if p.KernelPath == "" {
		return p, model.Errorf(model.CodeNotFound, "this host runs kernel %s, but there is no boot/vmlinuz-%s in %s", release, release, root).
			WithHint("import the package that it came in: banger kernel import --package FILE %s", name)
	}
	return p, nil
}

// firstThere returns the first of the paths that exists, or "".
func firstThere(paths ...string) string {
	for _, p := range paths {
		if exists(p) {
			return p
		}
	}
	return ""
}

// runningRelease is what uname -r prints.
func runningRelease() (string, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", model.Errorf(model.CodeInternal, "asking which kernel this host runs: %w", err)
	}
	release := unix.ByteSliceToString(u.Release[:])
	if strings.ContainsAny(release, "/\x00") {
		return "", model.Errorf(model.CodeUnsupported, "this host's kernel is called %q", release)
	}
	return release, nil
}
