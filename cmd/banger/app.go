package main

import (
	"context"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

// app is what a verb may touch of the world, and the flags that all verbs
// share. main fills it from the process, tests from memory.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	lookupEnv      func(string) (string, bool)
	abs            func(path string) (string, error)
	now            func() time.Time
	// notify sends the signals to the channel until stop is called.
	notify func(c chan<- os.Signal, sigs ...os.Signal) (stop func())
	build  model.VersionInfo
	// connect reaches the daemon and starts it when none runs.
	connect func(context.Context) (rpc.API, error)
	// reach is connect for a single call with standard input and output.
	reach func(context.Context) (rpc.API, error)
	// dial reaches a daemon that runs and never starts one.
	dial func(context.Context) (rpc.API, error)

	flags globalFlags
}

// globalFlags are the flags of every command.
type globalFlags struct {
	json     bool
	quiet    bool
	progress progressMode
}

// run executes the command line and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	a.flags = globalFlags{}
	root := newRootCommand(a)                 //nolint:contextcheck // cobra hands ctx to each command
	root.SetArgs(append([]string{}, args...)) // nil would mean os.Args
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	a.complain(err, a.flags.json || asksForJSON(args))
	return exitCode(cmd, err)
}

// asksForJSON sees --json where parsing stopped before it.
func asksForJSON(args []string) bool {
	for _, arg := range args {
		switch arg {
		case "--":
			return false
		case "--json", "--json=true":
			return true
		}
	}
	return false
}

// action adapts a verb to cobra. The first INT or TERM cancels its ctx, a
// second one ends the process.
func (a *app) action(run func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		ctx, cancel := context.WithCancelCause(cmd.Context())
		defer cancel(nil)
		signals := make(chan os.Signal, 1)
		stop := a.notify(signals, os.Interrupt, syscall.SIGTERM)
		defer stop()
		go func() {
			select {
			case <-signals:
				stop()
				cancel(errInterrupted())
			case <-ctx.Done():
			}
		}()
		err := run(ctx, args)
		if err != nil && ctx.Err() != nil && codeOf(err) == model.CodeCanceled {
			return context.Cause(ctx)
		}
		return err
	}
}

func errInterrupted() error { return model.Errorf(model.CodeCanceled, "interrupted") }
