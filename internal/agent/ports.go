package agent

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"banger/internal/wire"
)

// listening returns the TCP ports that processes of the guest listen on, at
// most wire.MaxPorts. It needs no program of the image.
func listening() ([]wire.Port, error) {
	var found []socket
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		file, err := os.Open(path)
		if os.IsNotExist(err) { // a kernel without it
			continue
		}
		if err != nil {
			return nil, err
		}
		sockets, err := readPorts(file)
		_ = file.Close()
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		found = append(found, sockets...)
	}
	slices.SortFunc(found, func(a, b socket) int {
		return cmp.Or(cmp.Compare(a.port.Port, b.port.Port), cmp.Compare(a.port.Address, b.port.Address))
	})
	found = slices.CompactFunc(found, func(a, b socket) bool { return a.port == b.port }) // they may share it (SO_REUSEPORT)
	return nameOwners("/proc", found[:min(len(found), wire.MaxPorts)]), nil
}

// socket is one that is listened on.
type socket struct {
	port  wire.Port
	inode string
}

// maxSockets bounds how many sockets are looked at: listening ones come first
// in the kernel's table.
const maxSockets = 4 * wire.MaxPorts

// readPorts reads a table of sockets (Documentation/networking/proc_net_tcp.rst
// of Linux): the second field is the local address, the fourth the state,
// the tenth the inode.
func readPorts(table io.Reader) ([]socket, error) {
	const listen = "0A" // TCP_LISTEN, include/net/tcp_states.h
	var found []socket
	lines := bufio.NewScanner(table)
	for n := 0; n < maxSockets && lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[3] != listen {
			continue
		}
		port, err := parseSocket(fields[1])
		if err != nil {
			return nil, err
		}
		s := socket{port: port}
		if len(fields) > 9 {
			s.inode = fields[9]
		}
		found = append(found, s)
	}
	return found, lines.Err()
}

// parseSocket reads ADDRESS:PORT in hexadecimal. The address is printed as
// 32-bit numbers of the host's byte order, the port as a number.
func parseSocket(text string) (wire.Port, error) {
	host, service, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	if err != nil || len(raw) != 4 && len(raw) != 16 {
		return wire.Port{}, fmt.Errorf("socket address %.80q", text)
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	port, err := strconv.ParseUint(service, 16, 16)
	if err != nil {
		return wire.Port{}, fmt.Errorf("socket address %.80q: %w", text, err)
	}
	addr, _ := netip.AddrFromSlice(raw)
	return wire.Port{Address: addr.Unmap().String(), Port: uint16(port)}, nil
}
