package main

import (
	"context"
	"fmt"
	"io"
	"testing"

	"banger/internal/model"
)

// BenchmarkVersion is all that a command costs besides the process and the daemon.
func BenchmarkVersion(b *testing.B) {
	a := newTestApp(newFakeDaemon(), nil, io.Discard, io.Discard)
	for b.Loop() {
		a.run(context.Background(), []string{"version", "--client"})
	}
}

func BenchmarkExec(b *testing.B) {
	d := newFakeDaemon()
	d.vms = []model.VM{{Name: "dev", State: model.VMRunning}}
	a := newTestApp(d, nil, io.Discard, io.Discard)
	for b.Loop() {
		a.run(context.Background(), []string{"exec", "dev", "--", "echo"})
	}
}

// BenchmarkList prints 1,000 VMs.
func BenchmarkList(b *testing.B) {
	d := newFakeDaemon()
	for i := range 1000 {
		d.vms = append(d.vms, model.VM{Name: fmt.Sprintf("vm-%d", i), ID: "5eed000000000000", Image: "debian-bookworm", State: model.VMRunning, CreatedAt: epoch})
	}
	a := newTestApp(d, nil, io.Discard, io.Discard)
	for _, line := range []string{"", "-q", "--json"} {
		b.Run("ps"+line, func(b *testing.B) {
			args := []string{"ps"}
			if line != "" {
				args = append(args, line)
			}
			for b.Loop() {
				a.run(context.Background(), args)
			}
		})
	}
}
