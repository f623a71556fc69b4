package agent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// netlinkTime bounds the wait for the kernel's answer, in seconds.
const netlinkTime = 5

// netlink is an rtnetlink(7) socket.
type netlink struct {
	fd  int
	seq uint32
}

func openNetlink() (*netlink, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	limit := unix.Timeval{Sec: netlinkTime}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		return nil, errors.Join(os.NewSyscallError("setsockopt", err), unix.Close(fd))
	}
	return &netlink{fd: fd}, nil
}

func (n *netlink) close() { _ = unix.Close(n.fd) }

// attribute is a struct rtattr and its value.
type attribute struct {
	kind  uint16
	value []byte
}

// request sends one message, header being its struct ifinfomsg, ifaddrmsg or
// rtmsg, and returns the kernel's error.
func (n *netlink) request(kind, flags uint16, header []byte, attrs ...attribute) error {
	n.seq++
	ne := binary.NativeEndian
	body := header
	for _, a := range attrs {
		body = pad4(body)
		body = ne.AppendUint16(body, uint16(unix.SizeofRtAttr+len(a.value)))
		body = ne.AppendUint16(body, a.kind)
		body = append(body, a.value...)
	}
	msg := ne.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	msg = ne.AppendUint16(msg, kind)
	msg = ne.AppendUint16(msg, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	msg = ne.AppendUint32(msg, n.seq)
	msg = ne.AppendUint32(msg, 0) // port: the kernel fills it in
	if err := unix.Sendto(n.fd, append(msg, body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	return n.ack()
}

// ack reads the answer to the last message, a struct nlmsgerr.
func (n *netlink) ack() error {
	buf := make([]byte, 4096)
	for {
		size, _, err := unix.Recvfrom(n.fd, buf, 0)
		if err != nil {
			return os.NewSyscallError("recvfrom", err)
		}
		ne := binary.NativeEndian
		if size < unix.SizeofNlMsghdr+4 || ne.Uint16(buf[4:]) != unix.NLMSG_ERROR {
			return fmt.Errorf("answer of %d bytes is no acknowledgement", size)
		}
		if ne.Uint32(buf[8:]) != n.seq {
			continue // of a message before
		}
		if errno := int32(ne.Uint32(buf[unix.SizeofNlMsghdr:])); errno != 0 {
			return unix.Errno(-errno)
		}
		return nil
	}
}

func pad4(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}
