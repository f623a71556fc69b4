package agent

import (
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/wire"
)

// consolePath is where the kernel's console is, in the initramfs and later in
// the root filesystem.
const consolePath = "/dev/console"

// gcPercent lets the heap, which is small, grow to several times its size: a
// collection costs an emulated CPU more than these few megabytes are worth.
const gcPercent = 400

// Main is the life of the agent as PID 1 of the initramfs:
//
//	1 mount    /dev, /proc, /sys of the initramfs
//	2 load     the kernel modules that the initramfs brings, in order
//	3 open     the virtio-serial port; it stays open for ever
//	4 serve    one host after another
//
// It returns only with an error, after which the kernel panics.
func Main(version string) error {
	debug.SetGCPercent(gcPercent)
	marks := &Marks{}
	marks.Reach("init")
	if err := mountEarly(); err != nil { // 1
		return err
	}
	if err := loadModules("/modules.list", "/modules"); err != nil { // 2
		complain(err) // what it was needed for says more
	}
	marks.Reach("modules")
	port, err := openPort("banger.agent", portTime) // 3
	if err != nil {
		return err
	}
	marks.Reach("port")
	server := NewServer(Options{
		Version: version, Marks: marks, Procs: NewProcs(true), ConsolePath: consolePath,
		Configure: func(cfg wire.Config) error { return configure(cfg, marks) },
		Shutdown:  powerOff,
	})
	for { // 4
		if err := port.serve(server); err != nil {
			complain(err)
			time.Sleep(time.Second)
		}
	}
}

// complain writes to the console. Each byte costs a guest dearly, so nothing
// else is written there.
func complain(err error) { fmt.Fprintln(os.Stderr, "banger-agent:", err) }

func mountEarly() error {
	for _, m := range []mount{
		{"devtmpfs", "/dev", "devtmpfs", unix.MS_NOSUID, "mode=0755"},
		{"proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		{"sysfs", "/sys", "sysfs", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
	} {
		if err := m.do(); err != nil {
			return err
		}
	}
	return nil
}

// mount is one filesystem to be mounted.
type mount struct {
	source, target, fsType string
	flags                  uintptr
	data                   string
}

func (m mount) do() error {
	if err := os.MkdirAll(m.target, 0o755); err != nil {
		return fmt.Errorf("making %s: %w", m.target, err)
	}
	err := unix.Mount(m.source, m.target, m.fsType, m.flags, m.data)
	if err != nil && err != unix.EBUSY {
		return fmt.Errorf("mounting %s on %s: %w", m.fsType, m.target, err)
	}
	return nil
}
