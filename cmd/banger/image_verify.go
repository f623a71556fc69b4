package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newImageVerifyCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "verify [IMAGE...]",
		Short: "look for damage in images",
		Long: "Reads images, all when none is named, and tells what is wrong with them: the root\n" +
			"filesystem is what it was when it was made, its metadata has its checksums, e2fsck finds\n" +
			"nothing where it is installed, a kernel given by paths is one, and layers in the cache\n" +
			"are what their digests say. Nothing is changed.",
		Example:           "  banger image verify\n  banger image verify debian-bookworm",
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.names(imageNames, true),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runImageVerify(ctx, a, args)
		}),
	}
}

func runImageVerify(ctx context.Context, a *app, names []string) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	bar := a.newProgress(true)
	verdicts, err := api.VerifyImages(ctx, rpc.ImageVerifyParams{Names: names}, bar.report)
	bar.finish()
	if err != nil {
		return err
	}
	if err := showList(a, verdicts, verdictName, verdictTable); err != nil {
		return err
	}
	return damage(verdicts)
}

func verdictName(v model.ImageVerdict) string { return v.Name }

func verdictTable(verdicts []model.ImageVerdict) table {
	t := table{header: []string{"IMAGE", "STATE", "CHECKED", "NOTES"}}
	for _, v := range verdicts {
		state := "whole"
		if len(v.Problems) > 0 {
			state = "damaged"
		}
		t.rows = append(t.rows, []string{v.Name, state, strings.Join(v.Checked, ", "), firstOf(strings.Join(v.Notes, "; "), "-")})
	}
	return t
}

// damage returns what is wrong with images as one error, or nil.
func damage(verdicts []model.ImageVerdict) error {
	var found []string
	for _, v := range verdicts {
		for _, p := range v.Problems {
			found = append(found, v.Name+": "+p)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return model.Errorf(model.CodeIntegrity, "images are damaged: %s", strings.Join(found, "; ")).
		WithHint("delete and pull them again; VMs made of them have disks that lie above the damage")
}
