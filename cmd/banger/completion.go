package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

// completionPatience is how long a Tab may take when the daemon is slow.
const completionPatience = 300 * time.Millisecond

// words completes a fixed list.
func words(list ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp)
}

// lister returns the names that can be completed.
type lister func(context.Context, rpc.API) ([]string, error)

// names completes the names of objects: the first argument, or with several
// each one that is not there yet. It asks a daemon that runs and never starts
// one; trouble means no completions.
func (a *app) names(list lister, several bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 && !several {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
		defer cancel()
		found := a.listNames(ctx, list)
		found = slices.DeleteFunc(found, func(name string) bool { return slices.Contains(args, name) })
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// listNames calls list and drops what is no name: the shell would run it.
func (a *app) listNames(ctx context.Context, list lister) []string {
	api, err := a.dial(ctx)
	if err != nil {
		return nil
	}
	found, err := list(ctx, api)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(found, func(name string) bool {
		return model.ValidateObjectName("object", name) != nil
	})
}

func vmNames(ctx context.Context, api rpc.API) ([]string, error) {
	vms, err := api.ListVMSummaries(ctx)
	return project(vms, summaryName), err
}

func imageNames(ctx context.Context, api rpc.API) ([]string, error) {
	images, err := api.ListImages(ctx)
	return project(images, imageName), err
}

func kernelNames(ctx context.Context, api rpc.API) ([]string, error) {
	kernels, err := api.ListKernels(ctx)
	return project(kernels, kernelName), err
}

func volumeNames(ctx context.Context, api rpc.API) ([]string, error) {
	volumes, err := api.ListVolumes(ctx)
	return project(volumes, volumeName), err
}

func catalogNames(ctx context.Context, api rpc.API) ([]string, error) {
	kernels, err := api.ListCatalog(ctx)
	return project(kernels, catalogName), err
}

func operationIDs(ctx context.Context, api rpc.API) ([]string, error) {
	operations, err := api.ListOperations(ctx)
	return project(operations, operationID), err
}

func vmName(vm model.VM) string                { return vm.Name }
func summaryName(vm model.VMSummary) string    { return vm.Name }
func imageName(image model.Image) string       { return image.Name }
func kernelName(kernel model.Kernel) string    { return kernel.Name }
func volumeName(v model.Volume) string         { return v.Name }
func catalogName(k model.CatalogKernel) string { return k.Name }
func operationID(op model.Operation) string    { return op.ID }

func project[T any](items []T, name func(T) string) []string {
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = name(item)
	}
	return out
}

// completionScript is the answer of 'banger completion --json'.
type completionScript struct {
	Shell  string `json:"shell"`
	Script string `json:"script"`
}

func newCompletionCommand(a *app) *cobra.Command {
	shells := []string{"bash", "zsh", "fish"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "print a completion script for a shell",
		Long: "Prints a script that completes commands, flags and names. Completing never starts\n" +
			"the daemon.",
		Example: "  source <(banger completion bash)\n" +
			"  banger completion fish > ~/.config/fish/completions/banger.fish",
		Args:              wantArgs(1, 1, "a shell ("+orList(shells)+")"),
		ValidArgsFunction: words(shells...),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runCompletion(a, cmd.Root(), args[0])
		},
	}
}

func runCompletion(a *app, root *cobra.Command, shell string) error {
	var script bytes.Buffer
	var err error
	switch shell {
	case "bash":
		err = root.GenBashCompletionV2(&script, true)
	case "zsh":
		err = root.GenZshCompletion(&script)
	case "fish":
		err = root.GenFishCompletion(&script, true)
	default:
		return usageError("banger completion", "unknown shell %q: bash, zsh and fish are known", shell)
	}
	if err != nil {
		return fmt.Errorf("writing the %s completion: %w", shell, err)
	}
	if a.flags.json {
		return a.printJSON(completionScript{Shell: shell, Script: script.String()})
	}
	_, err = script.WriteTo(a.stdout)
	return err
}
