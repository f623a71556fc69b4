package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

func newImageHistoryCommand(a *app) *cobra.Command {
	opts := &listOptions{}
	cmd := &cobra.Command{
		Use:   "history [flags] IMAGE",
		Short: "list the layers of an image and what made them",
		Long: "Lists the steps in which an image was made, the first one first: the layer, its size and\n" +
			"the command. What they say is the image's own word.",
		Example:           "  banger image history debian-bookworm",
		Args:              wantArgs(1, 1, "IMAGE"),
		ValidArgsFunction: a.names(imageNames, false),
		RunE: a.action(func(ctx context.Context, args []string) error {
			api, err := a.connect(ctx)
			if err != nil {
				return err
			}
			image, err := api.ShowImage(ctx, rpc.NameParams{Name: args[0]})
			if err != nil {
				return err
			}
			return showList(a, imageHistory(image), historyDigest, func(steps []model.HistoryEntry) table {
				return historyTable(steps, opts, a.now())
			})
		}),
	}
	opts.add(cmd)
	return cmd
}

// imageHistory returns the steps of an image; of one that does not tell, its
// layers.
func imageHistory(image model.Image) []model.HistoryEntry {
	if len(image.Source.History) > 0 {
		return image.Source.History
	}
	steps := make([]model.HistoryEntry, len(image.Source.Layers))
	for i, layer := range image.Source.Layers {
		steps[i].Digest = layer
	}
	return steps
}

func historyTable(steps []model.HistoryEntry, opts *listOptions, now time.Time) table {
	t := table{header: []string{"LAYER", "SIZE", "CREATED", "CREATED BY"}}
	for _, s := range steps {
		size, age := "-", "-"
		if s.SizeBytes > 0 { // of a layer that was made here it is not known
			size = formatSize(s.SizeBytes)
		}
		if s.Created.Unix() > 0 {
			age = formatAge(now, s.Created)
		}
		t.rows = append(t.rows, []string{opts.cut(historyDigest(s), 19), size, age, opts.cut(firstOf(s.CreatedBy, s.Comment, "-"), 60)})
	}
	return t
}

func historyDigest(s model.HistoryEntry) string { return firstOf(s.Digest, "-") }
