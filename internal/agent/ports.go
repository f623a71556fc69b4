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
	var found []wire.Port
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		file, err := os.Open(path)
		if os.IsNotExist(err) { // a kernel without it
			continue
		}
		if err != nil {
			return nil, err
		}
		ports, err := readPorts(file)
		_ = file.Close()
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		found = append(found, ports...)
	}
	slices.SortFunc(found, func(a, b wire.Port) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Address, b.Address))
	})
	found = slices.Compact(found) // several sockets may share a port (SO_REUSEPORT)
	return found[:min(len(found), wire.MaxPorts)], nil
}

// maxSockets bounds how many sockets are looked at: listening ones come first
// in the kernel's table.
const maxSockets = 4 * wire.MaxPorts

// readPorts reads a table of sockets (Documentation/networking/proc_net_tcp.rst
// of Linux): the second field is the local address, the fourth the state.
func readPorts(table io.Reader) ([]wire.Port, error) {
	const listen = "0A" // TCP_LISTEN, include/net/tcp_states.h
	var ports []wire.Port
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
		ports = append(ports, port)
	}
	return ports, lines.Err()
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
