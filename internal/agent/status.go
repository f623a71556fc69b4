package agent

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"banger/internal/wire"

	"golang.org/x/sys/unix"
)

// status reads how the guest does, from proc(5) alone: the image may hold no
// programs at all.
func status() (*wire.Status, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return nil, fmt.Errorf("reading the load: %w", err)
	}
	const loadUnit = 1 << 16 // SI_LOAD_SHIFT, include/uapi/linux/sysinfo.h
	s := &wire.Status{
		UptimeSeconds: float64(info.Uptime),
		Processes:     int(info.Procs),
		MemoryTotal:   int64(info.Totalram * uint64(info.Unit)),
	}
	for i := range s.Load {
		s.Load[i] = float64(info.Loads[i]) / loadUnit
	}
	var err error
	if s.MemoryAvailable, err = memoryAvailable(); err != nil {
		return nil, err
	}
	var root unix.Statfs_t
	if err := unix.Statfs("/", &root); err != nil {
		return nil, fmt.Errorf("reading the size of the root filesystem: %w", err)
	}
	s.RootTotal, s.RootFree = int64(root.Blocks)*root.Bsize, int64(root.Bavail)*root.Bsize
	s.Interfaces, err = interfaces()
	return s, err
}

// memoryAvailable is MemAvailable of proc_meminfo(5), in bytes.
func memoryAvailable() (int64, error) {
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) >= 2 && fields[0] == "MemAvailable:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/meminfo does not tell what is available")
}

// interfaces reads the counters of /proc/net/dev (proc_pid_net(5)): name,
// colon, eight fields of what was received, eight of what was sent, each
// beginning with bytes. A kernel without networking has no such file.
func interfaces() ([]wire.Interface, error) {
	file, err := os.Open("/proc/net/dev")
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var found []wire.Interface
	for lines := bufio.NewScanner(file); lines.Scan() && len(found) < wire.MaxInterfaces; {
		name, counters, ok := strings.Cut(lines.Text(), ":")
		name = strings.TrimSpace(name)
		fields := strings.Fields(counters)
		if !ok || name == "lo" || len(fields) < 9 {
			continue
		}
		rx, rxErr := strconv.ParseUint(fields[0], 10, 64)
		tx, txErr := strconv.ParseUint(fields[8], 10, 64)
		if rxErr == nil && txErr == nil {
			found = append(found, wire.Interface{Name: name, RxBytes: rx, TxBytes: tx})
		}
	}
	return found, nil
}
