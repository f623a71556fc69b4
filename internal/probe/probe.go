package probe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"banger/internal/model"
)

// ModulesDir in the guest holds modules to be loaded first, *.ko in the order
// of their names. Without it nothing is loaded.
const ModulesDir = "/modules"

// probes are what is tried, in order. Each returns how it works, or why it
// does not.
var probes = []struct {
	name string
	try  func() (detail string, err error)
}{
	{"virtio", virtio},
	{"vsock", vsock},
	{"overlay", overlay},
	{"tun", tun},
	{"nftables", nftables},
	{"9p", filesystem("9p")},
	{"virtiofs", filesystem("virtiofs")},
}

// All loads the modules and tries everything, whatever fails.
func All() []model.KernelProbe {
	var found []model.KernelProbe
	for _, failed := range loadAll(ModulesDir) {
		found = append(found, model.KernelProbe{Name: "modules", Detail: failed.Error()})
	}
	for _, p := range probes {
		detail, err := p.try()
		if err != nil {
			detail = err.Error()
		}
		found = append(found, model.KernelProbe{Name: p.name, Works: err == nil, Detail: detail})
	}
	return found
}

// loadAll loads the modules in dir. One that is there already is fine.
func loadAll(dir string) []error {
	names, _ := filepath.Glob(filepath.Join(dir, "*.ko")) // the pattern is good
	slices.Sort(names)
	var failed []error
	for _, name := range names {
		if err := load(name); err != nil && !errors.Is(err, unix.EEXIST) {
			failed = append(failed, fmt.Errorf("loading %s: %w", filepath.Base(name), err))
		}
	}
	return failed
}

func load(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.FinitModule(int(f.Fd()), "", 0)
}

// virtio lists the drivers that have found a device.
func virtio() (string, error) {
	devices, _ := filepath.Glob("/sys/bus/virtio/devices/*/driver")
	var drivers []string
	for _, link := range devices {
		if to, err := os.Readlink(link); err == nil {
			drivers = append(drivers, filepath.Base(to))
		}
	}
	slices.Sort(drivers)
	drivers = slices.Compact(drivers)
	if !slices.Contains(drivers, "virtio_blk") {
		return "", fmt.Errorf("no disk among %v", drivers)
	}
	return strings.Join(drivers, " "), nil
}

// vsock opens a socket; whether there is a device to talk through is the
// machine's matter.
func vsock() (string, error) {
	fd, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", os.NewSyscallError("socket", err)
	}
	return "sockets", unix.Close(fd)
}

// overlay mounts a file system of two layers and writes through it.
func overlay() (string, error) {
	const dir = "/tmp/overlay"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		return "", os.NewSyscallError("mount tmpfs", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH) //nolint:errcheck // the guest ends soon
	for _, name := range []string{"lower", "upper", "work", "all"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return "", err
		}
	}
	options := fmt.Sprintf("lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", dir, dir, dir)
	if err := unix.Mount("overlay", dir+"/all", "overlay", 0, options); err != nil {
		return "", os.NewSyscallError("mount overlay", err)
	}
	defer unix.Unmount(dir+"/all", unix.MNT_DETACH) //nolint:errcheck // the guest ends soon
	if err := os.WriteFile(dir+"/all/file", []byte("through"), 0o600); err != nil {
		return "", err
	}
	_, err := os.Stat(dir + "/upper/file")
	return "mounted and written to", err
}

// tun makes a network interface. Its device node is made too, since a bare
// root file system may lack it.
func tun() (string, error) {
	const node, major, minor = "/dev/net/tun", 10, 200
	if err := os.MkdirAll(filepath.Dir(node), 0o755); err != nil {
		return "", err
	}
	if err := unix.Mknod(node, unix.S_IFCHR|0o600, int(unix.Mkdev(major, minor))); err != nil && !errors.Is(err, unix.EEXIST) {
		return "", os.NewSyscallError("mknod", err)
	}
	fd, err := unix.Open(node, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", &os.PathError{Op: "open", Path: node, Err: err}
	}
	defer unix.Close(fd) // the interface goes with it
	ifr, err := unix.NewIfreq("probe0")
	if err != nil {
		return "", err
	}
	ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		return "", os.NewSyscallError("TUNSETIFF", err)
	}
	return "interface made", nil
}

// filesystem returns a probe for a file system that the kernel knows.
func filesystem(name string) func() (string, error) {
	return func() (string, error) {
		text, err := os.ReadFile("/proc/filesystems")
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(string(text)) {
			if fields := strings.Fields(line); len(fields) > 0 && fields[len(fields)-1] == name {
				return "file system known", nil
			}
		}
		return "", errors.New("file system not known")
	}
}
