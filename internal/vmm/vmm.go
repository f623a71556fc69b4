package vmm

import (
	"context"
	"net"
	"time"

	"banger/internal/model"
)

// Driver runs VM processes of one kind. Implementations: qemu and the fake in
// vmmtest; each passes vmmtest.Run.
type Driver interface {
	// Features says what the driver can do on this host.
	Features(ctx context.Context) (Features, error)
	// Start starts the VM's process. It returns as soon as the process runs;
	// the guest is up when an agent answers on Dial. The process outlives
	// ctx and the daemon. On error nothing is left behind.
	Start(ctx context.Context, spec Spec) (Machine, error)
	// Attach finds the process of an earlier daemon. ErrGone: it is certain
	// that it does not run any more. Any other error: nothing is known.
	Attach(ctx context.Context, rec Record) (Machine, error)
}

// Machine is one VM process.
type Machine interface {
	// Record is what Attach needs; stored while the VM runs.
	Record() Record
	// Dial connects to the agent's byte stream. There is one at a time: a
	// second Dial waits until the first connection is closed or ctx ends.
	Dial(ctx context.Context) (net.Conn, error)
	// Console connects to the serial console: what is read is what the guest
	// prints from then on, what is written is typed. There is one connection
	// at a time, as of Dial, and it must be read: the guest waits for a reader
	// that does not. The console's file is written besides.
	// errors.ErrUnsupported: this process has no console to connect to.
	Console(ctx context.Context) (net.Conn, error)
	Pause(ctx context.Context) error
	Resume(ctx context.Context) error
	// Usage measures what the process has used; ErrGone when it has ended.
	Usage(ctx context.Context) (Usage, error)
	// ResizeDisk makes the i-th disk of the Spec larger while the guest runs;
	// the guest sees it soon after. The caller knows that it is larger.
	ResizeDisk(ctx context.Context, i int, sizeBytes int64) error
	// Stalls has true when the guest was stopped because the host's disk has no
	// room for what it writes, and false when it goes on, which it does by
	// itself once there is room: nothing of what it wrote is lost. It holds one
	// value, the newest, is for one reader, and is never closed.
	Stalls() <-chan bool
	// Kill ends the process at once and returns when it is gone.
	Kill(ctx context.Context) error
	// Wait returns when the process is gone.
	Wait(ctx context.Context) (Exit, error)
	// Close lets go of the machine without ending it.
	Close() error
}

// Features are facts about a driver on this host.
type Features struct {
	Driver   string // qemu, firecracker, fake
	Accel    string // kvm or tcg
	Why      string // one plain line when Accel is not the best one
	Version  string
	Overlays bool // disks may be qcow2 overlays
	UserNet  bool // NetworkUser works
	Pause    bool
}

// Spec is a VM in which nothing is left to decide. All paths are absolute.
type Spec struct {
	ID         string            // the VM's
	Generation string            // of this start
	RunDir     string            // exists, empty, 0700: sockets and pid file of this generation
	Machine    model.MachineType // "": microvm
	Kernel     string            // ELF vmlinux or bzImage
	Initrd     string            // newc cpio; whole pages, see kernelcat
	Cmdline    string            // what the driver's own needs are appended to
	CPUs       int
	MemoryMiB  int
	Disks      []Disk // in order: vda, vdb, ...
	Network    model.NetworkMode
	MAC        string   // aa:bb:cc:dd:ee:ff, of the one card
	Console    string   // file that the serial console is appended to
	Cgroups    []string // directories of the control groups that the process joins
}

// Disk is one virtio block device.
type Disk struct {
	Path     string
	Format   DiskFormat
	Backing  string // of a Qcow2 disk: the raw file below it; what the file's header says is not used
	ReadOnly bool
}

// DiskFormat is how a disk file is written; never probed.
type DiskFormat string

// The formats.
const (
	Raw   DiskFormat = "raw"
	Qcow2 DiskFormat = "qcow2"
)

// Record identifies a VM process across daemons.
type Record struct {
	ID         string          `json:"id"`
	Generation string          `json:"generation"`
	Driver     string          `json:"driver"`
	Accel      string          `json:"accel"`
	RunDir     string          `json:"run_dir"`
	Process    model.ProcessID `json:"process"`
}

// Exit is how a VM process ended.
type Exit struct {
	Reason ExitReason
	Detail string // the driver's own words
	At     time.Time
}

// ExitReason classes an Exit.
type ExitReason string

// The reasons.
const (
	ExitPoweroff ExitReason = "poweroff" // the guest switched itself off
	ExitReset    ExitReason = "reset"    // the guest rebooted or panicked
	ExitKilled   ExitReason = "killed"   // by us or another process of the host
	ExitCrashed  ExitReason = "crashed"  // the VMM itself failed
	ExitUnknown  ExitReason = "unknown"  // it ended while nobody looked
)
