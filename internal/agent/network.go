package agent

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"banger/internal/wire"
)

// cardTime is how long the network card may take to appear.
const cardTime = 5 * time.Second

// setNetwork brings up loopback, and the one card with its static address and
// default route, by netdevice(7) and route ioctls.
func setNetwork(n *wire.Network) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening a socket: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := setAddress(fd, "lo", netip.MustParsePrefix("127.0.0.1/8")); err != nil {
		return err
	}
	if n == nil {
		return nil
	}
	prefix, err := netip.ParsePrefix(n.Address)
	if err != nil || !prefix.Addr().Is4() {
		return fmt.Errorf("network address %q: an IPv4 CIDR is needed", n.Address)
	}
	card, err := awaitCard(n.MAC)
	if err != nil {
		return err
	}
	if err := setAddress(fd, card, prefix); err != nil {
		return err
	}
	return addDefaultRoute(fd, n.Gateway)
}

// awaitCard returns the name of the card with that MAC address.
func awaitCard(mac string) (string, error) {
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		cards, err := net.Interfaces()
		if err != nil {
			return "", fmt.Errorf("listing network cards: %w", err)
		}
		for _, c := range cards {
			if c.HardwareAddr.String() == mac {
				return c.Name, nil
			}
		}
		if time.Since(began) > cardTime {
			return "", fmt.Errorf("no network card %s has appeared", mac)
		}
	}
}

// setAddress gives a card its address and switches it on.
func setAddress(fd int, card string, prefix netip.Prefix) error {
	mask := net.CIDRMask(prefix.Bits(), 32)
	err := errors.Join(
		cardIoctl(fd, card, unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr(prefix.Addr().AsSlice()) }),
		cardIoctl(fd, card, unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr(mask) }),
		cardIoctl(fd, card, unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error {
			r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
			return nil
		}),
	)
	if err != nil {
		return fmt.Errorf("setting up network card %s: %w", card, err)
	}
	return nil
}

func cardIoctl(fd int, card string, request uint, set func(*unix.Ifreq) error) error {
	r, err := unix.NewIfreq(card)
	if err != nil {
		return err
	}
	if err := set(r); err != nil {
		return err
	}
	return unix.IoctlIfreq(fd, request, r)
}

// rtentry is struct rtentry of linux/route.h on 64-bit machines.
type rtentry struct {
	_       uint64
	dst     unix.RawSockaddrInet4
	gateway unix.RawSockaddrInet4
	genmask unix.RawSockaddrInet4
	flags   uint16
	_       [46]byte
}

func addDefaultRoute(fd int, gateway string) error {
	gw, err := netip.ParseAddr(gateway)
	if err != nil || !gw.Is4() {
		return fmt.Errorf("gateway %q: an IPv4 address is needed", gateway)
	}
	any4 := unix.RawSockaddrInet4{Family: unix.AF_INET}
	r := rtentry{dst: any4, gateway: unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: gw.As4()}, genmask: any4, flags: unix.RTF_UP | unix.RTF_GATEWAY}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCADDRT, uintptr(unsafe.Pointer(&r))); errno != 0 {
		return fmt.Errorf("adding the default route: %w", errno)
	}
	return nil
}
