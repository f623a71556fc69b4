package main

import (
	"context"
	"sync"

	"github.com/spf13/cobra"

	"banger/internal/model"
)

// createOptions are the flags of create.
type createOptions struct {
	vm    vmFlags
	start bool
}

func newVMCreateCommand(a *app) *cobra.Command {
	opts := &createOptions{}
	cmd := &cobra.Command{
		Use:   "create [flags] [IMAGE]",
		Short: "create a VM without running it",
		Long: "Creates a stopped VM from an image, pulled first when it is not here, and prints its\n" +
			"name. Without IMAGE the default image is used.",
		Example: "  banger create --name dev -m 2G debian:bookworm\n" +
			"  banger create --start debian:bookworm",
		Args:              wantArgs(0, 1, "IMAGE"),
		ValidArgsFunction: a.names(imageNames, false),
	}
	opts.vm.add(a, cmd)
	cmd.Flags().BoolVar(&opts.start, "start", false, "boot the VM too")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.action(func(ctx context.Context, args []string) error {
			return runVMCreate(ctx, a, cmd, opts, args)
		})(cmd, args)
	}
	return cmd
}

func runVMCreate(ctx context.Context, a *app, cmd *cobra.Command, opts *createOptions, args []string) error {
	image := ""
	if len(args) > 0 {
		image = args[0]
	}
	p, err := opts.vm.params(a, cmd, image)
	if err != nil {
		return err
	}
	p.Start = opts.start
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	bar := a.newProgress(true)
	var stages stageTimes
	vm, err := api.CreateVM(ctx, p, func(r model.Progress) {
		stages.add(r)
		bar.report(r)
	})
	bar.finish()
	if err != nil {
		return err
	}
	return showName(a, createdVM{vm, stages.all()}, vm.Name)
}

// createdVM is the answer of 'banger create --json'.
type createdVM struct {
	model.VM
	Stages []model.Stage `json:"stages"`
}

// stageTimes collects the stages of a call as they end, those of calls within
// it too.
type stageTimes struct {
	mu    sync.Mutex
	ended []model.Stage
}

func (s *stageTimes) add(r model.Progress) {
	if r.Stage == "" || !r.Done {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, model.Stage{Name: r.Stage, Millis: r.Millis, Done: true})
}

func (s *stageTimes) all() []model.Stage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]model.Stage{}, s.ended...)
}
