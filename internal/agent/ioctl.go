package agent

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ioctl is ioctl(2) with an argument that is no pointer.
func ioctl(fd int, req, arg uintptr) (int, error) {
	n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), req, arg)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// ioctlPointer is ioctl(2) on an open file, with a pointer.
func ioctlPointer(f *os.File, req uintptr, arg unsafe.Pointer) error {
	var err error
	withFD(f, func(fd int) {
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), req, uintptr(arg)); errno != 0 {
			err = errno
		}
	})
	return err
}

// withFD runs f on the descriptor of an open file without making it blocking,
// as File.Fd would.
func withFD(file *os.File, f func(fd int)) {
	if raw, err := file.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { f(int(fd)) })
	}
}
