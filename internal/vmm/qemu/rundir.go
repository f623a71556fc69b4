package qemu

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"banger/internal/vmm"
)

// runFiles are what a process inherits.
type runFiles struct {
	lock, log, monitor, agent, console *os.File
}

// prepare makes the files of a start in the run directory.
func prepare(spec vmm.Spec) (_ *runFiles, err error) {
	f := &runFiles{}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	if f.lock, err = lock(spec.RunDir); err != nil {
		return nil, err
	}
	const appendNew = os.O_WRONLY | os.O_CREATE | os.O_APPEND | unix.O_NOFOLLOW
	if f.log, err = os.OpenFile(filepath.Join(spec.RunDir, LogFile), appendNew, 0o600); err != nil {
		return nil, err
	}
	if f.monitor, err = listen(filepath.Join(spec.RunDir, monitorFile)); err != nil {
		return nil, err
	}
	if f.agent, err = listen(filepath.Join(spec.RunDir, agentFile)); err != nil {
		return nil, err
	}
	if f.console, err = listen(filepath.Join(spec.RunDir, consoleFile)); err != nil {
		return nil, err
	}
	out, err := os.OpenFile(spec.Console, appendNew, 0o600) // with our mode; QEMU opens it again
	if err != nil {
		return nil, err
	}
	return f, out.Close()
}

func (f *runFiles) close() {
	for _, file := range []*os.File{f.lock, f.log, f.monitor, f.agent, f.console} {
		if file != nil {
			_ = file.Close()
		}
	}
}

// lock locks the run directory. The lock is the open file's, which the
// process inherits: it is held until the process ends, whoever else is gone.
func lock(runDir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(runDir, lockFile), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("locking %s: %w", runDir, err)
	}
	return f, nil
}

// listen makes a listening unix socket as a plain file, to be handed on.
func listen(path string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("making a socket: %w", err)
	}
	f := os.NewFile(uintptr(fd), path)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("binding %s: %w", path, err)
	}
	const backlog = 1
	if err := errors.Join(os.Chmod(path, 0o600), unix.Listen(fd, backlog)); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	return f, nil
}

// sweep removes the driver's files from a run directory.
func sweep(runDir string) error {
	var errs []error
	for _, name := range []string{lockFile, LogFile, monitorFile, agentFile, consoleFile, pidFile} {
		if err := os.Remove(filepath.Join(runDir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
