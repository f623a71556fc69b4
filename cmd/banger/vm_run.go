package main

import (
	"context"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

// runOptions are the flags of run.
type runOptions struct {
	vm vmFlags
	io ioFlags
}

func newVMRunCommand(a *app) *cobra.Command {
	opts := &runOptions{}
	cmd := &cobra.Command{
		Use:   "run [flags] [IMAGE] [[--] COMMAND ARG...]",
		Short: "create a VM and run a command in it",
		Long: "Creates a VM from an image, pulled first when it is not here, boots it and runs the\n" +
			"command, or the image's own. The VM stops when the command ends and is kept, unless\n" +
			"--rm is given. Flags end at the image. IMAGE may be omitted before -- or when there\n" +
			"is no command; then the default image is used. At a terminal and without a command\n" +
			"the session is interactive (-it).\n\n" +
			"With --json the output of the command is part of the answer, up to 16MiB of each\n" +
			"stream.",
		Example: "  banger run debian:bookworm uname -a\n" +
			"  banger run --rm -it -m 2G -c 4 debian:bookworm -- bash\n" +
			"  banger run -d --name web nginx\n" +
			"  banger run -- echo the default image",
		Annotations:       map[string]string{session: "process"},
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.names(imageNames, false),
	}
	cmd.Flags().SetInterspersed(false)
	opts.vm.add(a, cmd)
	opts.io.add(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		image, argv := splitCommand(args, cmd.ArgsLenAtDash())
		return runVMRun(cmd.Context(), a, cmd, opts, image, argv)
	}
	return cmd
}

func runVMRun(ctx context.Context, a *app, cmd *cobra.Command, opts *runOptions, image string, argv []string) error {
	create, err := opts.vm.params(a, cmd, image)
	if err != nil {
		return err
	}
	mode, err := a.ioMode(cmd.CommandPath(), opts.io, len(argv) == 0)
	if err != nil {
		return err
	}
	p := rpc.VMRunParams{
		Create: create, Argv: argv,
		TTY: mode.tty, Stdin: mode.stdin, Size: mode.size, Detach: mode.detach,
	}
	result, err := a.attach(ctx, mode, func(ctx context.Context, stdio rpc.Stdio, report model.Report) (model.ExitStatus, error) {
		api, err := a.connect(ctx)
		if err != nil {
			return model.ExitStatus{}, err
		}
		return api.RunVM(ctx, p, stdio, report)
	})
	if err == nil && mode.detach && result.Err == "" {
		return showName(a, result.vm, result.vm.Name)
	}
	return a.finishSession(mode, result, err)
}
