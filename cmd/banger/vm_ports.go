package main

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newVMPortsCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "ports VM",
		Aliases: []string{"port"},
		Short:   "list the TCP ports that a VM listens on (port)",
		Long: "Lists the TCP ports that processes in the VM listen on. The agent reads them from the\n" +
			"guest's kernel: the image needs no tools.",
		Example:           "  banger ports dev\n  banger ports --json dev",
		Args:              wantArgs(1, 1, "VM"),
		ValidArgsFunction: a.names(vmNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runVMPorts(ctx, a, args)
		}),
	}
}

func runVMPorts(ctx context.Context, a *app, args []string) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	ports, err := api.PortsVM(ctx, rpc.NameParams{Name: args[0]})
	if err != nil {
		return err
	}
	return showList(a, ports, portName, portTable)
}

func portName(p model.GuestPort) string {
	return net.JoinHostPort(p.Address, strconv.Itoa(int(p.Port)))
}

// processName is the name and the number of who listens.
func processName(p model.GuestPort) string {
	if p.Process == "" {
		return "-"
	}
	return fmt.Sprintf("%s (%d)", p.Process, p.PID)
}

func portTable(ports []model.GuestPort) table {
	t := table{header: []string{"PORT", "PROTOCOL", "ADDRESS", "PROCESS"}}
	for _, p := range ports {
		t.rows = append(t.rows, []string{strconv.Itoa(int(p.Port)), "tcp", p.Address, processName(p)})
	}
	return t
}
