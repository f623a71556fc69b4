package agent

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"banger/internal/wire"
)

// Bounds of a look through all processes.
const (
	maxProcesses   = 4096
	maxDescriptors = 4096 // of a process
)

// nameOwners finds a process for each socket, by the links in /proc/PID/fd
// (proc_pid_fd(5)): "socket:[INODE]". A process that ends meanwhile, or has
// more descriptors than are looked at, leaves its ports without a name.
func nameOwners(proc string, sockets []socket) []wire.Port {
	ports := make([]wire.Port, len(sockets))
	missing := make(map[string]*wire.Port, len(sockets))
	for i, s := range sockets {
		ports[i] = s.port
		if s.inode != "" {
			missing["socket:["+s.inode+"]"] = &ports[i]
		}
	}
	for _, name := range readNames(proc, maxProcesses) {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if len(missing) == 0 {
			break
		}
		takeOwned(filepath.Join(proc, name), pid, missing)
	}
	return ports
}

// takeOwned gives the sockets that a process has open to it.
func takeOwned(dir string, pid int, missing map[string]*wire.Port) {
	for _, fd := range readNames(filepath.Join(dir, "fd"), maxDescriptors) {
		target, err := os.Readlink(filepath.Join(dir, "fd", fd))
		if err != nil {
			continue
		}
		port := missing[target]
		if port == nil {
			continue
		}
		comm, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil {
			return // it has ended
		}
		port.PID, port.Process = pid, strings.TrimSuffix(string(comm), "\n")
		delete(missing, target)
	}
}

// readNames returns at most so many names in a directory; none when it cannot
// be read.
func readNames(dir string, most int) []string {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(most)
	return names
}
