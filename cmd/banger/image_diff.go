package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

// Exit codes of image diff, as diff(1) has them.
const (
	exitDiffers = 1
	exitTrouble = 2
)

func newImageDiffCommand(a *app) *cobra.Command {
	params := rpc.ImageDiffParams{}
	cmd := &cobra.Command{
		Use:   "diff [flags] FROM TO",
		Short: "show in what the files of two images differ",
		Long: "Compares every file of two images: type, mode, owner, content, link target, device\n" +
			"number and extended attributes. Prints a line for each that was added (+), removed (-)\n" +
			"or changed (~). Exit code 0: nothing differs; 1: something does; 2 and above: an error.",
		Example: "  banger image diff debian-bookworm debian-trixie\n" +
			"  banger image diff --json base changed",
		Args:              wantArgs(2, 2, "FROM", "TO"),
		ValidArgsFunction: a.names(imageNames, true),
		RunE: a.action(func(ctx context.Context, args []string) error {
			params.From, params.To = args[0], args[1]
			return runImageDiff(ctx, a, params)
		}),
	}
	cmd.Flags().BoolVar(&params.Times, "times", false, "compare modification times too")
	return cmd
}

func runImageDiff(ctx context.Context, a *app, params rpc.ImageDiffParams) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	list := a.newStreamedList()
	err = list.end(api.DiffImages(ctx, params, func(c model.TreeChange) error {
		switch {
		case a.flags.json:
			return list.value(c)
		case a.flags.quiet:
			return list.line(printable(c.RawPath()))
		}
		return list.line(changeLine(&c))
	}))
	switch {
	case err != nil && exitOf(codeOf(err)) == exitDiffers:
		a.complain(err, a.flags.json)
		return &reported{code: exitTrouble}
	case err == nil && list.count > 0:
		return &reported{code: exitDiffers}
	}
	return err
}

// changeLine is a change for people: what was, and what is.
func changeLine(c *model.TreeChange) string {
	mark := map[model.ChangeKind]string{model.ChangeAdded: "+", model.ChangeRemoved: "-", model.ChangeChanged: "~"}[c.Change]
	line := mark + " " + printable(c.RawPath())
	if c.From == nil || c.To == nil {
		return line
	}
	var facts []string
	for _, what := range c.What {
		facts = append(facts, what+changedFrom(what, c.From, c.To))
	}
	return line + "  (" + strings.Join(facts, ", ") + ")"
}

// changedFrom is " old -> new" where both are short.
func changedFrom(what string, from, to *model.FileInfo) string {
	show := func(f func(*model.FileInfo) string) string { return " " + f(from) + " -> " + f(to) }
	switch what {
	case "type":
		return show(func(f *model.FileInfo) string { return printable(string(f.Type)) })
	case "mode":
		return show(func(f *model.FileInfo) string { return fmt.Sprintf("%04o", f.Mode) })
	case "owner":
		return show(func(f *model.FileInfo) string { return fmt.Sprintf("%d:%d", f.UID, f.GID) })
	case "size":
		return show(func(f *model.FileInfo) string { return fmt.Sprint(f.Size) })
	case "target":
		return show(func(f *model.FileInfo) string { return printable(f.RawTarget()) })
	case "device":
		return show(func(f *model.FileInfo) string { return fmt.Sprintf("%d,%d", f.Major, f.Minor) })
	case "mtime":
		return show(func(f *model.FileInfo) string { return formatTime(f.MTime) })
	}
	return ""
}
