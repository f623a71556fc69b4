package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A netlink message that asks for the generation of the rule set
// (linux/netlink.h, linux/netfilter/nfnetlink.h, nf_tables.h).
const (
	nftMessage   = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETGEN
	nfHeaderSize = 4
	answerLimit  = 2 // seconds
)

// nftables asks the kernel for the generation of its rule set.
func nftables() (string, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return "", os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd) // nothing was written
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: answerLimit}); err != nil {
		return "", os.NewSyscallError("setsockopt", err)
	}
	request := make([]byte, unix.NLMSG_HDRLEN+nfHeaderSize)
	ne := binary.NativeEndian
	ne.PutUint32(request, uint32(len(request)))
	ne.PutUint16(request[4:], nftMessage)
	ne.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return "", os.NewSyscallError("sendto", err)
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return "", os.NewSyscallError("recvfrom", err)
	}
	return "rule set answers", netlinkError(answer[:n])
}

// netlinkError returns the error that a message carries, if any.
func netlinkError(message []byte) error {
	if len(message) < unix.NLMSG_HDRLEN {
		return errors.New("a short answer")
	}
	if binary.NativeEndian.Uint16(message[4:]) != unix.NLMSG_ERROR {
		return nil
	}
	if len(message) < unix.NLMSG_HDRLEN+4 {
		return errors.New("a short answer")
	}
	if code := int32(binary.NativeEndian.Uint32(message[unix.NLMSG_HDRLEN:])); code != 0 {
		return fmt.Errorf("the kernel answers: %w", unix.Errno(-code))
	}
	return nil
}
