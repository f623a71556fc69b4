package agent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"banger/internal/wire"

	"golang.org/x/sys/unix"
)

const (
	interfacesDir = "/sys/class/net"
	loopback      = "lo"
)

// configureNetwork brings the loopback up, and the card if cfg is not nil.
func configureNetwork(cfg *wire.Network) error {
	n, err := openNetlink()
	if err != nil {
		return err
	}
	defer n.close()
	lo, err := interfaceIndex(loopback)
	if err != nil {
		return err
	}
	if err := n.linkUp(lo, 0); err != nil {
		return fmt.Errorf("bringing %s up: %w", loopback, err)
	}
	if cfg == nil {
		return nil
	}
	card, err := findCard(interfacesDir, cfg.MAC)
	if err != nil {
		return err
	}
	if err := n.configureCard(card, cfg); err != nil {
		return fmt.Errorf("configuring %s: %w", card, err)
	}
	return nil
}

// configureCard gives a card its address, and the guest its default route.
func (n *netlink) configureCard(card string, cfg *wire.Network) error {
	index, err := interfaceIndex(card)
	if err != nil {
		return err
	}
	prefix, err := netip.ParsePrefix(cfg.Address)
	if err != nil {
		return err
	}
	if err := n.addAddress(index, prefix); err != nil {
		return fmt.Errorf("adding address %v: %w", prefix, err)
	}
	if err := n.linkUp(index, cfg.MTU); err != nil {
		return fmt.Errorf("bringing it up: %w", err)
	}
	if cfg.Gateway == "" {
		return nil
	}
	gateway, err := netip.ParseAddr(cfg.Gateway)
	if err != nil {
		return err
	}
	if err := n.addDefaultRoute(index, gateway); err != nil {
		return fmt.Errorf("adding the default route via %v: %w", gateway, err)
	}
	return nil
}

// linkUp sets a link up, and its MTU when that is not 0.
func (n *netlink) linkUp(index uint32, mtu int) error {
	ne := binary.NativeEndian
	info := make([]byte, unix.SizeofIfInfomsg) // family, type, index, flags, change
	ne.PutUint32(info[4:], index)
	ne.PutUint32(info[8:], unix.IFF_UP)
	ne.PutUint32(info[12:], unix.IFF_UP)
	var attrs []attribute
	if mtu != 0 {
		attrs = append(attrs, attribute{unix.IFLA_MTU, ne.AppendUint32(nil, uint32(mtu))})
	}
	return n.request(unix.RTM_NEWLINK, 0, info, attrs...)
}

func (n *netlink) addAddress(index uint32, p netip.Prefix) error {
	addr := p.Addr().AsSlice()
	info := []byte{family(p.Addr()), byte(p.Bits()), 0, unix.RT_SCOPE_UNIVERSE} // struct ifaddrmsg
	info = binary.NativeEndian.AppendUint32(info, index)
	return n.request(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, info,
		attribute{unix.IFA_LOCAL, addr}, attribute{unix.IFA_ADDRESS, addr})
}

func (n *netlink) addDefaultRoute(index uint32, gateway netip.Addr) error {
	info := make([]byte, unix.SizeofRtMsg)
	info[0] = family(gateway)
	info[4], info[5], info[7] = unix.RT_TABLE_MAIN, unix.RTPROT_BOOT, unix.RTN_UNICAST
	return n.request(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, info,
		attribute{unix.RTA_GATEWAY, gateway.AsSlice()},
		attribute{unix.RTA_OIF, binary.NativeEndian.AppendUint32(nil, index)})
}

func family(a netip.Addr) byte {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func interfaceIndex(name string) (uint32, error) {
	i, err := readInt(interfacesDir + "/" + name + "/ifindex")
	return uint32(i), err
}

// findCard returns the name of the interface below dir with this address; of
// the only one there is beside the loopback when mac is "".
func findCard(dir, mac string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var cards []string
	for _, e := range entries {
		b, err := os.ReadFile(dir + "/" + e.Name() + "/address")
		if err != nil || e.Name() == loopback {
			continue
		}
		if strings.EqualFold(strings.TrimSpace(string(b)), mac) {
			return e.Name(), nil
		}
		cards = append(cards, e.Name())
	}
	switch {
	case mac != "":
		return "", errors.New("no network card has the address " + strconv.Quote(mac))
	case len(cards) != 1:
		return "", fmt.Errorf("%d network cards where one is expected", len(cards))
	}
	return cards[0], nil
}
