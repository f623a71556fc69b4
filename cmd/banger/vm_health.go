package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newVMHealthCommand(a *app) *cobra.Command {
	targets := &vmTargets{}
	cmd := &cobra.Command{
		Use:   "health [flags] VM...",
		Short: "ask VMs whether they answer",
		Long: "Asks the agent of each VM for an answer, and shows how long that took, the load and\n" +
			"the memory of the guest. It fails when one of the VMs does not answer.",
		Example: "  banger health dev\n  banger health --all --json",
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runVMHealth(ctx, a, targets, args)
		}),
	}
	targets.add(a, cmd)
	return cmd
}

func runVMHealth(ctx context.Context, a *app, targets *vmTargets, args []string) error {
	answers, err := eachVM(ctx, a, silentProgress{}, targets, args, func(ctx context.Context, api rpc.API, name string) (model.VMHealth, error) {
		return api.HealthVM(ctx, rpc.NameParams{Name: name})
	})
	if len(answers) > 0 || err == nil {
		if failed := showList(a, answers, func(h model.VMHealth) string { return h.Name }, healthTable); failed != nil {
			return failed
		}
	}
	for _, h := range answers {
		if err == nil && !h.Healthy {
			err = &reported{code: exitError} // the table has told it
		}
	}
	return err
}

func healthTable(answers []model.VMHealth) table {
	t := table{header: []string{"NAME", "STATE", "HEALTH", "PING", "UPTIME", "LOAD", "MEMORY", "ROOT DISK"}}
	for _, h := range answers {
		row := []string{h.Name, string(h.State), "healthy", "-", "-", "-", "-", "-"}
		if !h.Healthy {
			row[2] = "unhealthy: " + clip(h.Why, 60)
		}
		if h.PingMicros > 0 {
			row[3] = fmt.Sprintf("%.1fms", float64(h.PingMicros)/1000)
		}
		if g := h.Guest; g != nil {
			row[4] = (time.Duration(min(g.UptimeSeconds, 1e9)) * time.Second).String()
			row[5] = fmt.Sprintf("%.2f %.2f %.2f", g.Load[0], g.Load[1], g.Load[2])
			row[6] = formatSize(max(g.MemoryTotalBytes-g.MemoryAvailableBytes, 0)) + " / " + formatSize(g.MemoryTotalBytes)
			row[7] = formatSize(max(g.RootTotalBytes-g.RootFreeBytes, 0)) + " / " + formatSize(g.RootTotalBytes)
		}
		t.rows = append(t.rows, row)
	}
	return t
}
