package model

import (
	"path/filepath"
	"strconv"
)

// Paths are the directories that banger keeps things in. Every name on disk
// is made here, so that the layout can be read in one place:
//
//	Config/config.toml             settings
//	Config/kernels.d/*.json        the user's own catalogs of kernels
//	State/banger.db                SQLite
//	State/banger.db.reserve        room for stopping and deleting on a full disk
//	State/daemon.lock              held by the one daemon of this state
//	State/daemon.log               what the daemon says
//	State/events.jsonl             what has happened, and events.jsonl.1 what was before
//	State/images/<id>/             rootfs.ext4, image.json, boot files; build.log, packages.json
//	State/images/<id>.staging/     being built; swept at start
//	State/images/<id>.lost/        without its row and not whole; kept for its owner
//	State/kernels/<name>/          vmlinux, modules/, initrd, manifest.json
//	State/kernels/<name>.staging/  being made; swept at start
//	State/kernels/.default         name of the kernel that was chosen as the default
//	State/vms/<id>/                root*.ext4 or root*.qcow2, work.ext4, console.log
//	State/volumes/<id>/            disk.ext4
//	Cache/oci/                     verified blobs in OCI image layout
//	Cache/build-steps/<key>        which image a step of a Dockerfile made; its layers are in oci
//	Cache/initramfs/<key>.cpio     one for each kernel and agent
//	Cache/kernel-build/<name>/     of a kernel that is being built; can be gone on with
//	Cache/kernel-test/, test-*/    disk and modules of a test; swept at start
//	Cache/push-*/                  layers of a kernel on its way to a registry; swept at start
//	Cache/apt/                     package lists of the kernels' distributions
//	Cache/kvm.json                 whether KVM runs kernels, until the next boot
//	Run/banger.sock                the daemon's API
//	Run/alive.lock                 held by a daemon that lives
//	Run/keeper.lock                held by who keeps consoles short when the daemon has ended
//	Run/build/<generation>/        sockets of one VM of a build, and <generation>.json
//	Run/test/<generation>/         the same of one test of a kernel
//	Run/vm/<generation>/           sockets and pid file of one start of a VM
type Paths struct {
	Config string
	State  string
	Cache  string
	Run    string
}

// DefaultPaths follows the XDG base directory specification. BANGER_HOME
// replaces all of it by one directory. Without XDG_RUNTIME_DIR sockets go to
// /tmp/banger-<uid>, since a socket's path may only have 107 bytes.
func DefaultPaths(getenv func(string) string, uid int) (Paths, error) {
	if home := getenv("BANGER_HOME"); home != "" {
		if !filepath.IsAbs(home) {
			return Paths{}, Errorf(CodeInvalid, "BANGER_HOME is %q: an absolute path is needed", home)
		}
		return Paths{
			Config: filepath.Join(home, "config"),
			State:  filepath.Join(home, "state"),
			Cache:  filepath.Join(home, "cache"),
			Run:    filepath.Join(home, "run"),
		}, nil
	}
	dir := func(env, fallback string) (string, error) {
		if v := getenv(env); filepath.IsAbs(v) {
			return filepath.Join(v, "banger"), nil
		}
		home := getenv("HOME")
		if !filepath.IsAbs(home) {
			return "", Errorf(CodeInvalid, "neither %s nor HOME is an absolute path", env).
				WithHint("set BANGER_HOME to a directory for banger's files")
		}
		return filepath.Join(home, fallback, "banger"), nil
	}
	var p Paths
	var err error
	if p.Config, err = dir("XDG_CONFIG_HOME", ".config"); err != nil {
		return p, err
	}
	if p.State, err = dir("XDG_STATE_HOME", ".local/state"); err != nil {
		return p, err
	}
	if p.Cache, err = dir("XDG_CACHE_HOME", ".cache"); err != nil {
		return p, err
	}
	if run := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(run) {
		p.Run = filepath.Join(run, "banger")
	} else {
		p.Run = "/tmp/banger-" + strconv.Itoa(uid)
	}
	return p, nil
}

// ConfigFile holds the daemon's settings.
func (p Paths) ConfigFile() string { return filepath.Join(p.Config, "config.toml") }

// DB is the database file.
func (p Paths) DB() string { return filepath.Join(p.State, "banger.db") }

// DaemonLock is the file that the one daemon of this state locks.
func (p Paths) DaemonLock() string { return filepath.Join(p.State, "daemon.lock") }

// DaemonLog is the daemon's log.
func (p Paths) DaemonLog() string { return filepath.Join(p.State, "daemon.log") }

// Events is the history of events.
func (p Paths) Events() string { return filepath.Join(p.State, "events.jsonl") }

// Images holds one directory per image.
func (p Paths) Images() string { return filepath.Join(p.State, "images") }

// Kernels holds one directory per kernel.
func (p Paths) Kernels() string { return filepath.Join(p.State, "kernels") }

// KernelCatalog holds the user's own catalog files, *.json.
func (p Paths) KernelCatalog() string { return filepath.Join(p.Config, "kernels.d") }

// KernelBuilds holds one directory per kernel that is being built.
func (p Paths) KernelBuilds() string { return filepath.Join(p.Cache, "kernel-build") }

// KernelTests holds one directory per kernel that is being tested.
func (p Paths) KernelTests() string { return filepath.Join(p.Cache, "kernel-test") }

// KernelTestRuns holds the sockets of kernels that are being tested.
func (p Paths) KernelTestRuns() string { return filepath.Join(p.Run, "test") }

// BuildRuns holds the sockets of the VMs of builds.
func (p Paths) BuildRuns() string { return filepath.Join(p.Run, "build") }

// VMs holds one directory per VM.
func (p Paths) VMs() string { return filepath.Join(p.State, "vms") }

// Volumes holds one directory per volume.
func (p Paths) Volumes() string { return filepath.Join(p.State, "volumes") }

// OCI is the blob cache, an OCI image layout.
func (p Paths) OCI() string { return filepath.Join(p.Cache, "oci") }

// Initramfs holds the initramfs of each kernel and agent.
func (p Paths) Initramfs() string { return filepath.Join(p.Cache, "initramfs") }

// Apt is the private root of apt's lists.
func (p Paths) Apt() string { return filepath.Join(p.Cache, "apt") }

// KVMVerdict keeps whether KVM runs kernels on this host.
func (p Paths) KVMVerdict() string { return filepath.Join(p.Cache, "kvm.json") }

// AliveLock is the file by which a keeper sees that a daemon lives.
func (p Paths) AliveLock() string { return filepath.Join(p.Run, "alive.lock") }

// KeeperLock is the keeper's lock file.
func (p Paths) KeeperLock() string { return filepath.Join(p.Run, "keeper.lock") }

// Socket is the daemon's API socket.
func (p Paths) Socket() string { return filepath.Join(p.Run, "banger.sock") }

// VMRuns holds one directory per start of a VM.
func (p Paths) VMRuns() string { return filepath.Join(p.Run, "vm") }

// Names of the files in an image's, a kernel's and a VM's directory.
const (
	RootfsFile   = "rootfs.ext4"
	ImageFile    = "image.json"
	BuildLogFile = "build.log"     // of an image that was built here
	PackagesFile = "packages.json" // likewise: what is installed in it
	RecordedFile = ".recorded"     // in an image's directory: the image has had its row
	VmlinuxFile  = "vmlinux"
	InitrdFile   = "initrd"
	ModulesDir   = "modules"
	ManifestFile = "manifest.json"
	RootRawFile  = "root.ext4"
	RootQcowFile = "root.qcow2"
	ConsoleFile  = "console.log"
	StagingExt   = ".staging"
	LostExt      = ".lost"
)
