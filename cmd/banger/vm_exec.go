package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

// execOptions are the flags of exec.
type execOptions struct {
	process processFlags
	io      ioFlags
	noStart bool
}

func newVMExecCommand(a *app) *cobra.Command {
	opts := &execOptions{}
	cmd := &cobra.Command{
		Use:   "exec [flags] VM [--] COMMAND ARG...",
		Short: "run a command in a VM",
		Long: "Runs a command in a VM and ends with its exit code. A VM that does not run is\n" +
			"started first, unless --no-start is given. Flags end at the VM.\n\n" +
			"With --json the output of the command is part of the answer, up to 16MiB of each\n" +
			"stream.",
		Example: "  banger exec dev -- ls -l /\n" +
			"  banger exec -it dev bash\n" +
			"  tar c . | banger exec -i -w /src dev tar x",
		Annotations:       map[string]string{session: "process"},
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.names(vmNames, false),
	}
	cmd.Flags().SetInterspersed(false)
	opts.process.add(cmd.Flags())
	opts.io.add(cmd.Flags())
	cmd.Flags().BoolVar(&opts.noStart, "no-start", false, "refuse when the VM does not run")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		vm, argv := splitCommand(args, cmd.ArgsLenAtDash())
		return runVMExec(cmd.Context(), a, cmd, opts, vm, argv)
	}
	return cmd
}

func runVMExec(ctx context.Context, a *app, cmd *cobra.Command, opts *execOptions, vm string, argv []string) error {
	path := cmd.CommandPath()
	switch {
	case vm == "":
		return usageError(path, "VM is missing")
	case len(argv) == 0:
		return usageError(path, "COMMAND is missing").WithHint("%s -it %s -- sh", path, vm)
	}
	env, err := a.readEnv(opts.process.envFiles, opts.process.env)
	if err != nil {
		return err
	}
	mode, err := a.ioMode(path, opts.io, false)
	if err != nil {
		return err
	}
	p := rpc.VMExecParams{
		Name: vm, Argv: argv, Env: env, WorkingDir: opts.process.workdir, User: opts.process.user,
		TTY: mode.tty, Stdin: mode.stdin, Size: mode.size, NoStart: opts.noStart, Detach: mode.detach,
	}
	result, err := a.attach(ctx, mode, func(ctx context.Context, stdio rpc.Stdio, report model.Report) (model.ExitStatus, error) {
		api, err := a.reach(ctx)
		if err != nil {
			return model.ExitStatus{}, err
		}
		return api.ExecVM(ctx, p, stdio, report)
	})
	if err == nil && mode.detach && a.flags.json {
		return a.printJSON(result.ExitStatus)
	}
	return a.finishSession(mode, result, err)
}
