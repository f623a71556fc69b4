package e2e

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestRegistryThatNeverAnswers: an address that swallows connections, and one
// that takes them and says nothing, are given up in good time.
func TestRegistryThatNeverAnswers(t *testing.T) {
	needWorld(t)
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	h := freshHome(t)
	for what, addr := range map[string]string{"swallows": blackHole(t), "says nothing": silent.Addr().String()} {
		t.Run(what, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			r := h.run(ctx, "image", "pull", addr+"/x:1", "--name", "x")
			if r.code != 5 || !strings.Contains(r.stderr, addr) || !strings.Contains(r.stderr, "hint: ") {
				t.Errorf("want exit code 5, the address and a hint within 20 s, got %s", r)
			}
		})
	}
}

// blackHole is a loopback address on which connections are never made: its
// queue holds one that nobody takes, and Linux drops what comes after.
func blackHole(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	v4, ok := bound.(*unix.SockaddrInet4)
	if !ok {
		t.Fatalf("the socket is bound to %v", bound)
	}
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: v4.Port}
	filler, err := net.DialTCP("tcp", nil, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = filler.Close() })
	if conn, err := net.DialTimeout("tcp", addr.String(), 300*time.Millisecond); err == nil {
		_ = conn.Close()
		t.Fatal("a second connection was made")
	}
	return addr.String()
}
