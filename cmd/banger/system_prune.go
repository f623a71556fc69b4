package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

// systemPruneOptions are the flags of prune.
type systemPruneOptions struct{ images bool }

// pruned is one thing that prune has removed.
type pruned struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

func newSystemPruneCommand(a *app) *cobra.Command {
	opts := &systemPruneOptions{}
	cmd := &cobra.Command{
		Use:   "prune [flags]",
		Short: "remove what nothing uses",
		Long: "Removes the blobs that pulls have kept and, with --images, the images that no VM is made\n" +
			"of and the kernels that nothing needs but the default one. VMs stay, running or not.",
		Example: "  banger system prune\n  banger system prune --images",
		Args:    noArgs(),
		RunE: a.action(func(ctx context.Context, _ []string) error {
			return runSystemPrune(ctx, a, opts)
		}),
	}
	cmd.Flags().BoolVar(&opts.images, "images", false, "remove images and kernels too that nothing uses")
	return cmd
}

func runSystemPrune(ctx context.Context, a *app, opts *systemPruneOptions) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	var removed []pruned
	blobs, err := api.PruneImageCache(ctx, rpc.ImageCachePruneParams{})
	for _, b := range blobs {
		removed = append(removed, pruned{"blob", b.Digest})
	}
	if err == nil && opts.images {
		var more []pruned
		more, err = pruneUnused(ctx, api)
		removed = append(removed, more...)
	}
	if len(removed) > 0 || err == nil {
		if shown := showList(a, removed, func(p pruned) string { return p.Name }, prunedTable); shown != nil {
			return shown
		}
	}
	return err
}

// pruneUnused deletes the images without VMs, then the kernels that nothing
// needs any more. One that is taken into use meanwhile stays.
func pruneUnused(ctx context.Context, api rpc.API) (removed []pruned, err error) {
	images, err := api.ListImages(ctx)
	if err != nil {
		return nil, err
	}
	vms, err := api.ListVMs(ctx)
	if err != nil {
		return nil, err
	}
	for _, img := range images {
		if slices.ContainsFunc(vms, func(vm model.VM) bool { return vm.ImageID == img.ID }) {
			continue
		}
		_, err := api.DeleteImage(ctx, rpc.NameParams{Name: img.ID})
		switch model.CodeOf(err) {
		case "":
			removed = append(removed, pruned{"image", img.Name})
		case model.CodeConflict, model.CodeNotFound:
		default:
			return removed, err
		}
	}
	kernels, err := api.PruneKernels(ctx, rpc.KernelPruneParams{})
	for _, k := range kernels {
		removed = append(removed, pruned{"kernel", k.Name})
	}
	return removed, err
}

func prunedTable(removed []pruned) table {
	t := table{header: []string{"KIND", "REMOVED"}}
	for _, p := range removed {
		t.rows = append(t.rows, []string{p.Kind, p.Name})
	}
	return t
}
