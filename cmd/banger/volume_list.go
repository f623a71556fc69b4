package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/model"
)

func newVolumeListCommand(a *app) *cobra.Command {
	opts := &listOptions{}
	cmd := &cobra.Command{
		Use:     "list [flags]",
		Aliases: []string{"ls"},
		Short:   "list volumes",
		Example: "  banger volume list\n  banger volumes -q",
		Args:    noArgs(),
		RunE: a.action(func(ctx context.Context, _ []string) error {
			return runVolumeList(ctx, a, opts)
		}),
	}
	opts.add(cmd)
	return cmd
}

func runVolumeList(ctx context.Context, a *app, opts *listOptions) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	volumes, err := api.ListVolumes(ctx)
	if err != nil {
		return err
	}
	return showList(a, volumes, volumeName, func(volumes []model.Volume) table { return volumeTable(volumes, opts, a.now()) })
}

func volumeTable(volumes []model.Volume, opts *listOptions, now time.Time) table {
	t := table{header: []string{"NAME", "ID", "SIZE", "USED", "VMS", "CREATED"}}
	for _, v := range volumes {
		t.rows = append(t.rows, []string{
			v.Name, opts.id(v.ID), formatSize(v.SizeBytes), formatSize(v.UsedBytes),
			opts.cut(firstOf(volumeUsers(v), "-"), 40), formatAge(now, v.CreatedAt),
		})
	}
	return t
}

// volumeUsers names the VMs of a volume; those that run with it have a star.
func volumeUsers(v model.Volume) string {
	names := make([]string, len(v.Users))
	for i, u := range v.Users {
		names[i] = u.VM
		if u.ReadOnly {
			names[i] += ":ro"
		}
		if u.Held {
			names[i] += "*"
		}
	}
	return strings.Join(names, " ")
}
