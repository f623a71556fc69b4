package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"banger/internal/wire"

	"golang.org/x/sys/unix"
)

// Names in the initial file system, which kernelcat makes.
const (
	selfPath    = "/init"
	newRoot     = "/newroot"
	modulesDir  = "/modules"
	modulesList = "/modules.list" // one absolute path a line, in load order
)

// signalGrace is what processes have when the guest ends itself.
const signalGrace = 5 * time.Second

// gcPercent lets the heap, which is small, grow to several times its size: a
// collection costs an emulated processor more than a few megabytes are worth.
const gcPercent = 400

// Boot is the agent as PID 1 of an initial file system. It returns only when
// it cannot go on, which is the end of the guest.
//
//	mounts   /dev, /proc, /sys; limit of open files
//	modules  those of /modules.list, in order
//	port     the host's, by its name
//	serve    one host after the other; configure makes the disk the root
func Boot(ctx context.Context, version string) error {
	debug.SetGCPercent(gcPercent)
	g := &guest{}
	g.mark("init")
	if err := errors.Join(mountFirst(), limitFiles()); err != nil {
		return err
	}
	if err := loadModules(); err != nil {
		return err
	}
	g.mark("modules")
	port, err := openPort(portName)
	if err != nil {
		return err
	}
	g.mark("port")
	if err := calmSysmon(); err != nil {
		logError(fmt.Errorf("calming the runtime's watching thread: %w", err))
	}
	server := NewServer(Options{
		Version:   version,
		Configure: g.configure,
		Grow:      g.growDisk,
		Shutdown:  g.shutdown,
		Prepare:   g.prepare,
		Marks:     g.marksSoFar,
		Console:   "/dev/console",
		Log:       logError,
		Init:      true,
	})
	go g.obeySignals(server)
	for {
		if err := port.awaitHost(); err != nil {
			return fmt.Errorf("waiting for a host: %w", err)
		}
		_ = server.ServeConn(ctx, port) // however it ended, the next host may come
	}
}

// guest is the machine that the agent is init of.
type guest struct {
	mu     sync.Mutex
	marks  []wire.Mark
	disks  []mountedDisk // in the order of mounting
	cgroup *os.File      // that processes start in; nil: none
}

func (g *guest) mark(name string) {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &now)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.marks = append(g.marks, wire.Mark{Name: name, Seconds: float64(now.Nano()/1e6) / 1e3})
}

func (g *guest) marksSoFar() []wire.Mark {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]wire.Mark(nil), g.marks...)
}

// logError writes to the console, which is slow: errors only. nil is none.
func logError(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "banger-agent: %v\n", err)
	}
}

// mountFirst mounts what finding the host needs.
func mountFirst() error {
	return errors.Join(
		mount("devtmpfs", "/dev", "devtmpfs", unix.MS_NOSUID, "mode=755"),
		mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""),
		mount("sysfs", "/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""),
	)
}

// limitFiles sets the limits that processes of the guest inherit, those of
// systemd: select(2) cannot handle more, and who can may raise the first.
func limitFiles() error {
	return os.NewSyscallError("setrlimit", syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 1024, Max: 512 << 10}))
}

// mount mounts on a directory that is made when it is missing. What is
// mounted there already is fine.
func mount(source, dir, fsType string, flags uintptr, data string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := unix.Mount(source, dir, fsType, flags, data); err != nil && !errors.Is(err, unix.EBUSY) {
		return &os.PathError{Op: "mount", Path: dir, Err: err}
	}
	return nil
}

// obeySignals keeps the runtime from ending init for a signal, and ends the
// guest for those that reboot(8) and its kin send.
func (g *guest) obeySignals(s *Server) {
	sigs := make(chan os.Signal, 16)
	signal.Notify(sigs, fatalSignals()...)
	for sig := range sigs {
		switch sig {
		case unix.SIGTERM, unix.SIGINT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGPWR:
			s.PowerOff(signalGrace)
		}
	}
}

// fatalSignals are all that a process of the guest can send to make a Go
// program exit. SIGURG is left out: the runtime sends it to itself.
func fatalSignals() []os.Signal {
	var sigs []os.Signal
	for n := unix.SIGHUP; n <= unix.SIGSYS; n++ {
		switch n {
		case unix.SIGKILL, unix.SIGSTOP, unix.SIGCHLD, unix.SIGURG:
		default:
			sigs = append(sigs, n)
		}
	}
	return sigs
}

// prepare starts a process in the control group of the guest's processes.
func (g *guest) prepare(attr *syscall.SysProcAttr) {
	if g.cgroup != nil {
		attr.UseCgroupFD, attr.CgroupFD = true, int(g.cgroup.Fd())
	}
}

func (g *guest) shutdown() {
	g.unmountDisks()
	if err := switchOff(); err != nil {
		logError(fmt.Errorf("switching off: %w", err))
	}
}
