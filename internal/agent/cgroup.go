package agent

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

const (
	cgroupRoot  = "/sys/fs/cgroup"
	cgroupGuest = cgroupRoot + "/guest" // all processes that hosts start
	spareTasks  = 10                    // one in so many tasks is kept for the agent and the kernel
)

// limitProcesses makes the control group that processes start in. It may not
// have all the tasks that the kernel can have, or a fork bomb would leave the
// agent without a thread. A kernel without the controller has no limit.
func (g *guest) limitProcesses() error {
	if err := os.WriteFile(cgroupRoot+"/cgroup.subtree_control", []byte("+pids"), 0); err != nil {
		return nil //nolint:nilerr // see above
	}
	most, err := maxTasks()
	if err != nil {
		return err
	}
	if err := os.Mkdir(cgroupGuest, 0o755); err != nil {
		return err
	}
	limit := strconv.Itoa(most - most/spareTasks)
	if err := os.WriteFile(cgroupGuest+"/pids.max", []byte(limit), 0); err != nil {
		return err
	}
	g.cgroup, err = os.Open(cgroupGuest)
	return err
}

// maxTasks is how many tasks the kernel can have.
func maxTasks() (int, error) {
	threads, err := readInt("/proc/sys/kernel/threads-max")
	pids, pidErr := readInt("/proc/sys/kernel/pid_max")
	return min(threads, pids), errors.Join(err, pidErr)
}

func readInt(path string) (int, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0, fmt.Errorf("reading %s: %w", path, err)
	}
	return n, nil
}
