package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// cost is what commands took.
type cost struct {
	wall float64 // seconds
	cpu  float64 // seconds, user and system, of all processes
	peak float64 // MiB resident, of the largest process
}

// measure runs commands one after the other.
func measure(ctx context.Context, commands ...[]string) (cost, error) {
	var total cost
	for _, argv := range commands {
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		var said strings.Builder
		cmd.Stdout, cmd.Stderr = &said, &said
		begin := time.Now()
		if err := cmd.Run(); err != nil {
			return cost{}, fmt.Errorf("running %s: %w: %.500s", strings.Join(argv, " "), err, said.String())
		}
		total.wall += time.Since(begin).Seconds()
		total.cpu += (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
		if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			total.peak = max(total.peak, float64(usage.Maxrss)/1024)
		}
	}
	return total, nil
}
