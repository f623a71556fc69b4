package qemu

// UserNetwork is the fixed layout of QEMU's user-mode network as a guest sees
// it. The guest needs no DHCP. Note that the gateway's address reaches
// services on the host's loopback interface: QEMU cannot forbid that without
// cutting off the outside as well.
type UserNetwork struct {
	Address string // of the guest, with the prefix length
	Gateway string
	DNS     []string
}

// UserNet returns the layout.
func UserNet() UserNetwork {
	return UserNetwork{Address: "10.0.2.15/24", Gateway: "10.0.2.2", DNS: []string{"10.0.2.3"}}
}

func userNetArgs(mac string, board board) []string {
	return []string{
		"-netdev", "user,id=net,ipv6=off,net=10.0.2.0/24,host=10.0.2.2,dns=10.0.2.3",
		"-device", board.virtio("net") + ",netdev=net,mac=" + mac + board.card,
	}
}
