package agent

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	portName  = "banger.agent"
	portsDir  = "/sys/class/virtio-ports"
	portTime  = 10 * time.Second // for the port to appear
	portPoll  = time.Millisecond
	deviceDir = "/dev/"
)

// port is the guest's end of a virtio-serial port. It is opened once and
// never closed: closing it would drop what the next host has sent already.
type port struct {
	*os.File
	raw syscall.RawConn
}

// openPort waits for the port of that name and opens it.
func openPort(name string) (*port, error) {
	for end := time.Now().Add(portTime); ; time.Sleep(portPoll) {
		if device := findPort(name); device != "" {
			return newPort(device)
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("finding the virtio port %s: none within %v", name, portTime)
		}
	}
}

// findPort returns the device of the port, or "" when there is none yet.
func findPort(name string) string {
	ports, err := os.ReadDir(portsDir)
	if err != nil {
		return ""
	}
	for _, p := range ports {
		b, err := os.ReadFile(portsDir + "/" + p.Name() + "/name")
		if err == nil && strings.TrimSpace(string(b)) == name {
			return deviceDir + p.Name()
		}
	}
	return ""
}

func newPort(device string) (*port, error) {
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: device, Err: err}
	}
	f := os.NewFile(uintptr(fd), device)
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &port{f, raw}, nil
}

// Close ends the session on the port: it wakes its reads and writes.
func (p *port) Close() error { return p.SetDeadline(time.Unix(1, 0)) }

// awaitHost waits until a host is there and has sent something. Without a host
// the port can be read at once, and gives nothing; the poller tells of changes
// alone, so that waiting costs no time of the processor.
func (p *port) awaitHost() error {
	if err := p.SetDeadline(time.Time{}); err != nil {
		return err
	}
	return p.raw.Read(func(fd uintptr) bool {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		return err == nil && n > 0 && fds[0].Revents&(unix.POLLIN|unix.POLLHUP) == unix.POLLIN
	})
}
