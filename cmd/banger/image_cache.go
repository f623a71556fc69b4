package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newImageCacheCommand(a *app) *cobra.Command {
	return newNoun("cache", "", "what pulls have kept: layers and manifests", "  banger image cache list", []*cobra.Command{
		newImageCacheListCommand(a), newImageCachePruneCommand(a), newImageCacheVerifyCommand(a),
	})
}

func newImageCacheListCommand(a *app) *cobra.Command {
	opts := &listOptions{}
	cmd := &cobra.Command{
		Use:     "list [flags]",
		Aliases: []string{"ls"},
		Short:   "list the blobs of the cache, the one used last first",
		Example: "  banger image cache list",
		Args:    noArgs(),
		RunE: a.action(func(ctx context.Context, _ []string) error {
			return runImageCacheList(ctx, a, opts)
		}),
	}
	opts.add(cmd)
	return cmd
}

func runImageCacheList(ctx context.Context, a *app, opts *listOptions) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	blobs, err := api.ListImageCache(ctx)
	if err != nil {
		return err
	}
	return showList(a, blobs, blobDigest, func(blobs []model.CachedBlob) table { return cacheTable(blobs, opts, a.now()) })
}

func cacheTable(blobs []model.CachedBlob, opts *listOptions, now time.Time) table {
	t := table{header: []string{"DIGEST", "SIZE", "USED", "STATE"}}
	for _, b := range blobs {
		state := "whole"
		if b.Partial {
			state = "partial"
		}
		if b.InUse {
			state += ", in use"
		}
		t.rows = append(t.rows, []string{opts.cut(b.Digest, 19), formatSize(b.SizeBytes), formatAge(now, b.UsedAt), state})
	}
	return t
}

func blobDigest(b model.CachedBlob) string { return b.Digest }

func newImageCachePruneCommand(a *app) *cobra.Command {
	var keep sizeValue
	cmd := &cobra.Command{
		Use:   "prune [flags]",
		Short: "remove blobs that no pull uses",
		Long: "Removes blobs of the cache, the longest unused first, and prints their digests.\n" +
			"What a pull uses stays. Images stay too: they do not need the cache.",
		Example: "  banger image cache prune\n  banger image cache prune --keep 10G",
		Args:    noArgs(),
		RunE: a.action(func(ctx context.Context, _ []string) error {
			api, err := a.connect(ctx)
			if err != nil {
				return err
			}
			removed, err := api.PruneImageCache(ctx, rpc.ImageCachePruneParams{KeepBytes: int64(keep)})
			return showNames(a, removed, blobDigest, err)
		}),
	}
	cmd.Flags().Var(&keep, "keep", "stop when the blobs that are left have this size together; default: keep none")
	return cmd
}

func newImageCacheVerifyCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "remove blobs that are damaged",
		Long: "Reads every blob of the cache, removes those that are not what their digests say\n" +
			"and prints their digests. The next pull fetches them again.",
		Example: "  banger image cache verify",
		Args:    noArgs(),
		RunE: a.action(func(ctx context.Context, _ []string) error {
			api, err := a.connect(ctx)
			if err != nil {
				return err
			}
			bar := a.newProgress(true)
			damaged, err := api.VerifyImageCache(ctx, bar.report)
			bar.finish()
			return showNames(a, damaged, blobDigest, err)
		}),
	}
}
