package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// cost is what commands took.
type cost struct {
	wall float64 // seconds
	cpu  float64 // seconds, user and system, of all processes
	peak float64 // MiB resident at most, of a process that told it (tellPeak)
}

const peakFormat = "peak %f kB"

// tellPeak prints the memory that this process has had at most. The resource
// usage that a parent gets does not do: it counts the parent's own memory,
// which the child shared before it ran its program.
func tellPeak(out io.Writer) error {
	kib, err := peakOf(os.Getpid())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, peakFormat+"\n", kib)
	return err
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
		if _, err := fmt.Sscanf(said.String(), peakFormat, &total.peak); err == nil {
			total.peak /= 1024
		}
		total.wall += time.Since(begin).Seconds()
		total.cpu += (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	}
	return total, nil
}
