package agent

import (
	"encoding/binary"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"banger/internal/wire"
)

// configure makes the booted guest one VM:
//
//	1 clock and random pool
//	2 root      mounted, grown when asked, and made "/"
//	3 kernel    filesystems that programs count on
//	4 names     host name, /etc/hosts, /etc/resolv.conf
//	5 network   loopback and the one card
func configure(cfg wire.Config, marks *Marks) error {
	setClock(cfg.Time) // 1
	if err := seedRandom(cfg.Entropy); err != nil {
		complain(err) // the kernel has its own sources
	}
	if err := enterRoot(cfg.Root); err != nil { // 2
		return err
	}
	marks.Reach("root")
	if err := mountSystem(); err != nil { // 3
		return err
	}
	if err := setNames(cfg); err != nil { // 4
		return err
	}
	if err := setNetwork(cfg.Network); err != nil { // 5
		return err
	}
	marks.Reach("ready")
	return nil
}

func setClock(nanos int64) {
	tv := unix.NsecToTimeval(nanos)
	if err := unix.Settimeofday(&tv); err != nil {
		complain(fmt.Errorf("setting the clock: %w", err))
	}
}

// seedRandom adds the host's bytes to the random pool and counts them as
// entropy (random(4), RNDADDENTROPY; struct rand_pool_info).
func seedRandom(seed []byte) error {
	if len(seed) == 0 {
		return nil
	}
	f, err := os.OpenFile("/dev/urandom", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info := binary.NativeEndian.AppendUint32(nil, uint32(8*len(seed)))
	info = binary.NativeEndian.AppendUint32(info, uint32(len(seed)))
	info = append(info, seed...)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.RNDADDENTROPY, uintptr(unsafe.Pointer(&info[0]))); errno != 0 {
		return fmt.Errorf("seeding the random pool: %w", errno)
	}
	return nil
}
