package agent

import (
	"context"
	"fmt"
	"os"
	"unsafe"

	"banger/internal/wire"

	"golang.org/x/sys/unix"
)

// configure makes a booted guest what its host wants it to be.
//
//	random   the host's entropy, before anything draws from the pool
//	clock    set
//	root     disk mounted, grown if asked
//	enter    it becomes /
//	mounts   /run, /dev/pts, /dev/shm, ..., control groups
//	disks    those beside the root
//	modules  the kernel's, to be loaded when something asks for them; a guest
//	         does without when that fails
//	limit    of tasks, so that the agent always has some
//	name     of the host
//	network  loopback and the card
//	etc      hostname, hosts, resolv.conf; what fails there is logged alone:
//	         the image may have anything in its place
func (g *guest) configure(ctx context.Context, cfg wire.Config) error {
	g.mark("configure")
	steps := []struct {
		name, doing string
		run         func() error
	}{
		{"random", "adding entropy", func() error { return addEntropy(cfg.Entropy) }},
		{"clock", "setting the clock", func() error { return setClock(cfg.Time) }},
		{"root", "mounting the root filesystem", func() error { return g.mountRoot(ctx, cfg.Root) }},
		{"enter", "entering the root filesystem", enterRoot},
		{"mounts", "mounting system directories", mountRest},
		{"disks", "mounting disks", func() error { return g.mountDisks(ctx, cfg.Mounts) }},
		{"modules", "offering modules", func() error { logError(offerModules(ctx, cfg.Modules)); return nil }},
		{"limit", "limiting processes", g.limitProcesses},
		{"name", "setting the host name", func() error { return unix.Sethostname([]byte(cfg.Hostname)) }},
		{"network", "configuring the network", func() error { return configureNetwork(cfg.Network) }},
		{"etc", "writing to /etc", func() error { logError(writeEtc("/etc", cfg)); return nil }},
	}
	for _, s := range steps {
		if err := s.run(); err != nil {
			return fmt.Errorf("%s: %w", s.doing, err)
		}
		g.mark(s.name)
	}
	return nil
}

// addEntropy credits b to the kernel's pool (RNDADDENTROPY of random(4)).
func addEntropy(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	f, err := os.OpenFile("/dev/urandom", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info := make([]int32, 2+(len(b)+3)/4) // struct rand_pool_info: bits, bytes, the bytes
	info[0], info[1] = int32(len(b)*8), int32(len(b))
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&info[2])), len(b)), b)
	return ioctlPointer(f, unix.RNDADDENTROPY, unsafe.Pointer(&info[0]))
}

// setClock sets the time, Unix nanoseconds; 0 leaves it.
func setClock(ns int64) error {
	if ns == 0 {
		return nil
	}
	now := unix.NsecToTimespec(ns)
	return unix.ClockSettime(unix.CLOCK_REALTIME, &now)
}
