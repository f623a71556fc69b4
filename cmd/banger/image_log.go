package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/rpc"
)

// imageLog is the answer of 'banger image log --json'.
type imageLog struct {
	Name  string   `json:"name"`
	Lines []string `json:"lines"`
}

func newImageLogCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "log [flags] IMAGE",
		Short:             "show what the build of an image has said",
		Long:              "Shows what the steps of 'banger image build' have said, made printable.",
		Example:           "  banger image log web",
		Args:              wantArgs(1, 1, "IMAGE"),
		ValidArgsFunction: a.names(imageNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runImageLog(ctx, a, args[0])
		}),
	}
}

func runImageLog(ctx context.Context, a *app, name string) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	if !a.flags.json {
		out := bufio.NewWriter(a.stdout)
		return errors.Join(api.ImageLog(ctx, rpc.NameParams{Name: name}, out), out.Flush())
	}
	var text bytes.Buffer // a build's log is bounded
	if err := api.ImageLog(ctx, rpc.NameParams{Name: name}, &text); err != nil {
		return err
	}
	lines := []string{}
	for line := range strings.Lines(text.String()) {
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	return a.printJSON(imageLog{name, lines})
}
