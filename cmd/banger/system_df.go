package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"banger/internal/model"
)

func newSystemDFCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "df",
		Short:   "show what takes how much on disk",
		Long:    "Shows what takes how much on disk. Holes of disks do not count, and what images share\ncounts once. RECLAIMABLE is what nothing uses: see banger system prune.",
		Example: "  banger system df",
		Args:    noArgs(),
		RunE: a.action(func(ctx context.Context, _ []string) error {
			api, err := a.connect(ctx)
			if err != nil {
				return err
			}
			usage, err := api.DiskUsage(ctx)
			if err != nil {
				return err
			}
			return showList(a, usage, func(u model.Usage) string { return u.Kind }, usageTable)
		}),
	}
}

func usageTable(usage []model.Usage) table {
	t := table{header: []string{"KIND", "COUNT", "SIZE", "RECLAIMABLE"}}
	for _, u := range usage {
		t.rows = append(t.rows, []string{u.Kind, strconv.Itoa(u.Count), formatSize(u.Bytes), formatSize(u.ReclaimableBytes)})
	}
	return t
}
