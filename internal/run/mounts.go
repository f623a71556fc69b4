package run

import "golang.org/x/sys/unix"

// CanMount tells whether this process may mount file systems (capabilities(7),
// CAP_SYS_ADMIN), and so whether a command of its can have OwnMounts.
func CanMount() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData // version 3 has two words of each
	return unix.Capget(&header, &sets[0]) == nil && sets[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}
