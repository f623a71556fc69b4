package agent

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/wire"
)

const (
	// portTime is how long the port's device may take to appear.
	portTime = 30 * time.Second
	// portPoll is how long the port sleeps while no host is connected: there
	// is nothing to wait on but the time.
	portPoll = 200 * time.Millisecond
)

// port is the virtio-serial port that the host's end of the wire is on. It is
// never closed: the kernel throws away what the next host has already sent
// when a port is closed (drivers/char/virtio_console.c, port_fops_release).
type port struct {
	f *os.File
	r *bufio.Reader
}

// openPort waits for the port of that name and opens it.
func openPort(name string, limit time.Duration) (*port, error) {
	for began := time.Now(); time.Since(began) < limit; time.Sleep(time.Millisecond) {
		dev, err := findPort(name)
		if err != nil {
			return nil, err
		}
		if dev == "" {
			continue
		}
		fd, err := unix.Open(dev, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("opening %s: %w", dev, err)
		}
		f := os.NewFile(uintptr(fd), dev)
		return &port{f: f, r: bufio.NewReaderSize(portReader{f}, 64<<10)}, nil
	}
	return nil, fmt.Errorf("no virtio-serial port %q has appeared within %s", name, limit)
}

// findPort returns the device of the port of that name, "" when there is none.
func findPort(name string) (string, error) {
	names, err := filepath.Glob("/sys/class/virtio-ports/*/name")
	if err != nil {
		return "", err
	}
	for _, path := range names {
		b, err := os.ReadFile(path)
		if err == nil && strings.TrimSpace(string(b)) == name {
			return "/dev/" + filepath.Base(filepath.Dir(path)), nil
		}
	}
	return "", nil
}

// serve waits for a host, and serves it until it goes.
func (p *port) serve(s *Server) error {
	if err := wire.HandshakeGuest(p.r, p.f); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			time.Sleep(portPoll)
			return nil
		}
		return err
	}
	link := &portLink{port: p}
	_ = s.Serve(link) // however it ended, the next host may come
	link.settle()
	return nil
}

// portReader reads the port; no host on the other side is an end of file.
type portReader struct{ f *os.File }

func (r portReader) Read(b []byte) (int, error) {
	n, err := r.f.Read(b)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// portLink is one host's use of the port. Closing it ends the use, not the
// port.
type portLink struct {
	*port
	reading sync.Mutex
	mu      sync.Mutex
	closed  bool
}

func (l *portLink) Read(b []byte) (int, error) {
	l.reading.Lock()
	defer l.reading.Unlock()
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return 0, io.EOF
	}
	return l.r.Read(b)
}

func (l *portLink) Write(b []byte) (int, error) { return l.f.Write(b) }

func (l *portLink) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return l.f.SetDeadline(time.Unix(1, 0)) // wakes a Read and a Write
}

// settle returns when nobody reads for this host any more, and makes the port
// ready for the next.
func (l *portLink) settle() {
	_ = l.Close()
	l.reading.Lock()
	defer l.reading.Unlock()
	_ = l.f.SetDeadline(time.Time{})
}
